"""The numbers of streams move together: what follows, what acknowledges it, what selectively acknowledges it, what a call counts."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.case.written_segment import WrittenSegment
from conformance.engine.shrink_numbers import drop_closing, drop_fitting, gaps, with_gap
from conformance.engine.shrink_tree import Tree


def case(*steps: dict[str, Any]) -> Tree:
    return {"title": "It works", "steps": list(steps)}


def texts(tree: Tree) -> list[str]:
    return [str(next(iter(step.values()))) for step in tree["steps"]]


RECEIVED = case(
    {"inject": ". 1:101(100) ack 1"},
    {"inject": ". 101:301(200) ack 1"},
    {"inject": "F. 301:301(0) ack 1"},
    {"expect": ". 1:1(0) ack 100..302 <nop,nop,sack 101:301>"},
    {"call": "recv(c, 1000) = 300"},
)
SENT = case(
    {"call": "send(c, 300) = 300"},
    {"expect": "P?. 1:101(100) ack 1"},
    {"expect": "P?. 101:301(200) ack 1"},
    {"inject_icmp": "frag-needed mtu 1400 [. 101:301(200)]"},
    {"inject": ". 1:1(0) ack $x <nop,nop,sack 101:301>"},
    {"inject": ". 1:1(0) ack 301"},
)


def test_what_was_sent_alone_is_closed() -> None:
    assert texts(drop_closing(RECEIVED, [("steps", 1)])) == [
        ". 1:101(100) ack 1", "F. 101:101(0) ack 1", ". 1:1(0) ack 100..102 <nop,nop,sack 101:101>", "recv(c, 1000) = 300",
    ]  # fmt: skip


def test_what_another_segment_has_too_stays() -> None:
    tree = case({"inject": ". 1:101(100) ack 1"}, {"inject": ". 51:151(100) ack 1"}, {"expect": ". 1:1(0) ack 151"})
    assert texts(drop_closing(tree, [("steps", 0)])) == [". 1:101(100) ack 1", ". 1:1(0) ack 101"]


def test_a_fin_takes_a_number() -> None:
    tree = case({"inject": "F. 1:1(0) ack 1"}, {"expect": ". 1:1(0) ack 2"})
    assert texts(drop_closing(tree, [("steps", 0)])) == [". 1:1(0) ack 1"]


def test_connections_have_streams_of_their_own() -> None:
    tree = case(
        {"inject": ". 1:101(100) ack 1"}, {"inject": ". 101:201(100) ack 1", "on": "c2"}, {"expect": ". 1:1(0) ack 201", "on": "c2"}
    )
    assert texts(drop_closing(tree, [("steps", 0)])) == texts(tree)[1:]


def test_the_calls_fit_what_is_left() -> None:
    assert texts(drop_fitting(SENT, [("steps", 2), ("steps", 3), ("steps", 4)])) == [
        "send(c, 100) = 100", "P?. 1:101(100) ack 1", ". 1:1(0) ack 101",
    ]  # fmt: skip
    received = {**RECEIVED, "steps": [*RECEIVED["steps"], *SENT["steps"]]}
    assert "recv(c, 1000) = 100" in texts(drop_fitting(received, [("steps", 1)]))


def test_gaps_are_those_between_the_numbers_of_each_stream() -> None:
    widths = {(gap.side[1], gap.begin, gap.end) for gap in gaps(SENT) if gap.side[0] == "default"}
    assert widths == {("peer", 0, 1), ("sut", 0, 1), ("sut", 1, 101), ("sut", 101, 301)}


def test_a_gap_takes_all_behind_it_along() -> None:
    gap = next(gap for gap in gaps(SENT) if gap.begin == 101)
    assert texts(next(with_gap(SENT, gap, 7))) == [
        "send(c, 300) = 300", "P?. 1:101(100) ack 1", "P?. 101:108(7) ack 1", "frag-needed mtu 1400 [. 101:108(7)]",
        ". 1:1(0) ack $x <nop,nop,sack 101:108>", ". 1:1(0) ack 108",
    ]  # fmt: skip


def test_what_calls_count_may_be_the_gap_or_a_sum() -> None:
    gap = next(gap for gap in gaps(RECEIVED) if gap.begin == 101)
    assert [texts(tree)[-1] for tree in with_gap(RECEIVED, gap, 7)] == ["recv(c, 1000) = 300", "recv(c, 807) = 107", "recv(c, 1000) = 300"]


@pytest.mark.parametrize(
    "text",
    [
        "S 0:0(0)",
        "P?. 1:1001(1000) ack 5..7 win * urg 1 <mss *,TS val $t ecr 100,...>",
        '. 1:6(5) ack 1 "he\\"lo"',
        "* $x+1:$x+2(1) ack $y",
        "- -1:-1(0) <>",
        "R. *:*(*) win 0 <kind 253 00ff,tfo $c,sack 1:2 3:4>",
    ],
)
def test_a_segment_is_written_as_it_was(text: str) -> None:
    written = WrittenSegment.of(text)
    assert written is not None
    assert str(written) == text == str(written.moved(lambda number: number, lambda number: number))


@pytest.mark.parametrize("text", ["port-unreachable", "", "S", "S 0:0", "recv(c, 10) = 1:2(1)"])
def test_what_is_no_segment_is_none(text: str) -> None:
    assert WrittenSegment.of(text) is None
