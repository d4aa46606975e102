"""The search for the smallest case, with failures that are made up: what may go and what must stay is known."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.engine.shrink import first_like, most, shrink
from conformance.engine.shrink_tree import Tree, count_played, each_step
from conformance.engine.signature import Signature

WANTED = Signature(("expect",), ". ack", "nothing came", frozenset(), "")
OTHER = Signature(("silence",), "silence", "not silent", frozenset(), ".")


def case(*steps: Any, **more: Any) -> Tree:
    return {"title": "It works", "requirements": ["TEST/1"], "families": ["ipv4"], **more, "steps": list(steps)}


def text(tree: Tree) -> str:
    """All that a case says, to look for words in."""
    return repr(tree)


def shrunk(tree: Tree, fails: Callable[[Tree], bool]) -> Tree:
    assert fails(tree)
    return shrink(tree, first_like(lambda one: WANTED if fails(one) else None, WANTED))


# The choice of edits ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 40), st.sets(st.integers(0, 39)))
def test_all_edits_are_made_but_those_that_must_not(count: int, needed: set[int]) -> None:
    chosen = most(range(count), lambda tries: next((number for number, one in enumerate(tries) if not needed & set(one)), None))
    assert sorted(chosen) == sorted(set(range(count)) - needed)


@given(st.lists(st.frozensets(st.integers(0, 12), min_size=1, max_size=3), max_size=6), st.integers(0, 13))
def test_of_what_is_left_no_edit_may_be_added(forbidden: Sequence[frozenset[int]], count: int) -> None:
    """Edits that must not be made together, in whatever way."""

    def may(edits: Sequence[int]) -> bool:
        return not any(one <= set(edits) for one in forbidden)

    chosen = most(range(count), lambda tries: next((number for number, one in enumerate(tries) if may(one)), None))
    assert may(chosen)
    assert not [edit for edit in range(count) if edit not in chosen and may([*chosen, edit])]


@given(st.integers(1, 200), st.integers(0, 199))
def test_one_step_among_many_is_found_in_few_tries(count: int, needed: int) -> None:
    tries = 0

    def first(choices: Iterator[Sequence[int]]) -> int | None:
        nonlocal tries
        for number, one in enumerate(choices):
            tries += 1
            if needed not in one:
                return number
        return None

    most(range(count), first)
    assert tries <= 4 * count.bit_length() + 2


def test_nothing_is_tried_where_there_is_nothing_to_leave_out() -> None:
    assert most([], lambda tries: pytest.fail(f"tried {list(tries)}")) == []


# Steps ------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 30), min_size=1, max_size=5))
def test_the_steps_that_it_takes_stay(needed: set[int]) -> None:
    tree = case(*({"call": f"getsockopt(s, {number})"} for number in range(31)))
    result = shrunk(tree, lambda one: all(f"s, {number})" in text(one) for number in needed))
    assert [step["call"] for step in result["steps"]] == [f"getsockopt(s, {number})" for number in sorted(needed)]


def test_it_does_not_slip_to_another_failure() -> None:
    tree = case({"call": "a = socket()"}, {"call": "b = socket()"}, {"silence": "100ms"})

    def fails(one: Tree) -> Signature | None:
        return WANTED if "a = socket" in text(one) else OTHER

    assert "a = socket" in text(shrink(tree, first_like(fails, WANTED)))


def test_what_cannot_be_smaller_comes_back_as_it_is() -> None:
    tree = case({"inject": "S 0:0(0)"}, {"silence": "10ms"})
    assert shrink(tree, lambda _: None) == tree


def test_all_that_names_one_thing_goes_at_once() -> None:
    """No single step can go, nor two neighbours: the others would be about nothing."""
    uses = [{"call": "x = socket()"}, {"silence": "10ms"}, {"call": "listen(x, 1)"}, {"silence": "11ms"}, {"state": "x LISTEN"}]
    result = shrunk(case(*uses), lambda one: text(one).count("x") % 3 == 0 and text(one).count("silence") == 2)
    assert [list(step) for step in result["steps"]] == [["silence"], ["silence"]]


def test_repetitions_are_written_out_and_thinned() -> None:
    tree = case({"repeat": {"times": 10, "steps": [{"call": "socket($i)"}, {"silence": "1ms"}]}})
    assert shrunk(tree, lambda one: "socket(7)" in text(one) or "socket($i)" in text(one))["steps"] == [{"call": "socket(7)"}]


def test_many_repetitions_become_fewer() -> None:
    tree = case({"repeat": {"times": 4000, "steps": [{"call": "socket($i)"}]}})
    assert count_played(shrunk(tree, lambda one: count_played(one["steps"]) >= 321)["steps"]) == 321


def test_groups_are_replaced_by_what_they_hold() -> None:
    branches = [[{"expect": "R 1:1(0)"}], [{"expect": ". 1:1(0)"}, {"silence": "10ms"}]]
    tree = case(
        {"either": branches}, {"optional": [{"expect": "S 0:0(0)"}]}, {"any_order": [{"expect": "F 1:1(0)"}, {"expect": "P 1:2(1)"}]}
    )
    result = shrunk(tree, lambda one: "S 0:0" in text(one) and "F 1:1" in text(one) and "silence" in text(one))
    assert result["steps"] == [{"silence": "10ms"}, {"expect": "S 0:0(0)"}, {"expect": "F 1:1(0)"}]


def test_a_stream_closes_behind_what_is_left_out() -> None:
    tree = case(
        {"inject": ". 1:1001(1000) ack 1"}, {"expect": ". 1:1(0) ack 1001"}, {"inject": ". 1001:2001(1000) ack 1"},
        {"expect": ". 1:1(0) ack 2001 <sack 3001:4001>"},
    )  # fmt: skip

    def fails(one: Tree) -> bool:
        """The last segment that comes is in order."""
        sent = [step["inject"] for step in one["steps"] if "inject" in step]
        ends = [0, *(int(segment.split(":")[1].split("(")[0]) for segment in sent)]
        return (
            "sack" in text(one)
            and len(sent) > 0
            and all(segment.startswith(f". {end or 1}:") for segment, end in zip(sent, ends, strict=False))
        )

    assert shrunk(tree, fails)["steps"] == [{"inject": ". 1:2(1) ack 1"}, {"expect": ". 1:1(0) ack 2 <sack 3:4>"}]


# What is in steps -------------------------------------------------------------------------------------------------------


def test_settings_siblings_fields_flags_and_options_go() -> None:
    tree = case(
        {"inject": "PUE. 1:11(10) ack 1 win 512 urg 3 <nop,nop,TS val 1 ecr 2>", "after": "1s", "with": {"ttl": 3, "tos": 1}},
        {"expect": ". 1:1(0) ack 11 win 5 <nop,nop,TS val 2 ecr 1>", "within": "1s"},
        {"expect": ". 1:1(0) ack 11", "within": "1s"},
        config={"sack": "off", "ttl": 3}, connections={"c2": {"peer": "peer2"}}, timeout="9s", needs=["icmp"],
    )  # fmt: skip
    result = shrunk(tree, lambda one: count_played(one["steps"]) == 3 and "'sack'" in text(one) and "'tos'" in text(one))
    assert result == case(
        {"inject": ". 1:2(1) ack 1", "with": {"tos": 1}}, {"expect": ". 1:1(0) ack 2"}, {"expect": ". 1:1(0) ack 2", "within": "1s"},
        config={"sack": "off"},
    )  # fmt: skip


def test_an_option_that_it_takes_stays_and_those_beside_it_go() -> None:
    tree = case({"inject": "S 0:0(0) <mss 1460,sackOK,nop,wscale 7>"}, {"expect": "S. 0:0(0) ack 1"})
    result = shrunk(tree, lambda one: "wscale 7" in text(one))
    assert result["steps"] == [{"inject": "S 0:0(0) <wscale 7>"}]


@pytest.mark.parametrize(("least", "expected"), [(0, 1), (2, 2), (5, 5), (536, 536), (537, 537), (1000, 1000)])
def test_a_length_goes_to_where_the_failure_begins(least: int, expected: int) -> None:
    tree = case({"inject": "P. 1:1001(1000) ack 1"}, {"expect": ". 1:1(0) ack 1001"}, {"call": "recv(c, 1000) = 1000"})

    def fails(one: Tree) -> bool:
        sent = int(one["steps"][0]["inject"].split("(")[1].split(")")[0]) if len(one["steps"]) == 3 else -1
        return sent >= least and f"ack {sent + 1}'" in text(one) and f"= {sent}'" in text(one)

    steps = shrunk(tree, fails)["steps"]
    assert steps[0]["inject"] == f". 1:{expected + 1}({expected}) ack 1"
    assert steps[2]["call"] == f"recv(c, {expected}) = {expected}"


def test_windows_are_round_and_waits_short() -> None:
    tree = case({"inject": ". 1:1(0) ack 1 win 7340", "after": "2h"}, {"silence": "75s"})
    result = shrunk(tree, lambda one: "win" in text(one) and "after" in text(one) and "silence" in text(one) and " 10'" not in text(one))
    assert result["steps"] == [{"inject": ". 1:1(0) ack 1 win 7000", "after": "10ms"}, {"silence": "10ms"}]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_it_ends_smaller_and_still_fails_whatever_the_failure_takes(data: st.DataObject) -> None:
    """Failures that have no sense at all, such as those of a candidate that is odd."""
    steps = [
        data.draw(
            st.sampled_from(
                [{"inject": "P. 1:1001(1000) ack 1 win 300"}, {"expect": ". 1:1(0) ack 1001"}, {"silence": "1s"}, {"call": "s = socket()"}]
            )
        )
        for _ in range(data.draw(st.integers(1, 12)))
    ]
    salt = data.draw(st.integers())
    tree = case(*steps)

    def fails(one: Tree) -> bool:
        return one == tree or (bool(one["steps"]) and zlib.crc32(f"{salt} {text(one)}".encode()) % 3 == 0)

    result = shrunk(tree, fails)
    assert fails(result)
    assert len(list(each_step(result))) <= len(steps)
