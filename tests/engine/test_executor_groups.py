"""The executor alone: any_order, either, optional and repeat."""

from __future__ import annotations

import itertools

import pytest

from conformance.engine.events import Frame
from conformance.result import Verdict

from .desk import MS, SECOND, START, Desk, Read

A, B, C = "P. 1:6(5) ack 1", "P. 6:11(5) ack 1", ". 11:11(0) ack 1"
TWO = "connections: {c2: {peer: peer2}}"


# any_order ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations((A, B, C))))
def test_any_order_is_any_order(read: Read, order: tuple[str, ...]) -> None:
    desk = Desk(read(f"- any_order: [{{expect: {A}}}, {{expect: {B}}}, {{expect: {C}}}]"))
    for text in order:
        assert desk.verdict is None
        desk.sut(text)
    assert desk.verdict is Verdict.PASS


def test_each_in_any_order_comes_once(read: Read) -> None:
    desk = Desk(read(f"- any_order: [{{expect: {A}}}, {{expect: {B}}}]"))
    desk.sut(A)
    desk.sut(A)
    assert (desk.verdict, desk.failure.step) == (Verdict.FAIL, f"expect: {B}")


def test_what_fits_none_in_any_order_is_held_against_the_nearest(read: Read) -> None:
    desk = Desk(read(f"- any_order: [{{expect: {A} win 9}}, {{expect: {B} win 9}}]"))
    desk.sut(B)
    assert (desk.failure.step, desk.fields) == (f"expect: {B} win 9", ["win"])


def test_what_does_not_come_in_any_order_is_missed_at_its_own_time(read: Read) -> None:
    desk = Desk(read(f"- any_order: [{{expect: {A}, within: 2s}}, {{expect: {B}, within: 1s}}]"))
    desk.pass_time(999 * MS)
    assert desk.verdict is None
    desk.pass_time(MS)
    assert (desk.verdict, desk.failure.step) == (Verdict.FAIL, f"expect: {B}")


def test_time_after_any_order_counts_from_the_last(read: Read) -> None:
    desk = Desk(read(f"- any_order: [{{expect: {A}}}, {{expect: {B}}}]\n- {{inject: . 1:1(0), after: 1s}}"))
    desk.sut(B, after=100 * MS)
    desk.sut(A, after=200 * MS)
    desk.pass_time(2 * SECOND)
    assert [t for t, _ in desk.sent] == [START + 1300 * MS]


def test_any_order_over_two_connections(read: Read) -> None:
    steps = "- any_order: [{expect: P. 1:6(5)}, {expect: P. 6:11(5)}, {expect: R *:*(0), on: c2}]\n- expect: F. 11:11(0)"
    desk = Desk(read(steps, TWO))
    for text, on in (("P. 6:11(5)", "default"), ("R 1:1(0)", "c2"), ("P. 1:6(5)", "default"), ("F. 11:11(0)", "default")):
        desk.sut(text, on=on)
    assert desk.verdict is Verdict.PASS


def test_any_order_looks_on_after_an_optional_step(read: Read) -> None:
    desk = Desk(
        read(f"- inject: . 1:1(0)\n- optional: [{{expect: {C}}}]\n- any_order: [{{expect: {A}}}, {{expect: {B}}}]"), leaves_after=MS
    )
    for text in (C, A, B):
        desk.sut(text)
    desk.pass_time(MS)
    assert desk.verdict is Verdict.PASS


def test_an_optional_step_is_over_after_any_order(read: Read) -> None:
    desk = Desk(read(f"- optional: [{{expect: {C}}}]\n- any_order: [{{expect: {A}}}]\n- expect: {B}"))
    desk.sut(A)
    desk.sut(C)
    assert (desk.verdict, desk.failure.step) == (Verdict.FAIL, f"expect: {B}")


def test_only_what_is_taken_binds_its_variables(read: Read) -> None:
    steps = "- any_order: [{expect: P. 1:6(5) ack $a win 1}, {expect: P. 1:6(5) ack $a win 2}]\n- {inject: . 1:1(0) ack $a}"
    desk = Desk(read(steps))
    desk.sut("P. 1:6(5) ack 7 win 2")
    desk.sut("P. 1:6(5) ack 8 win 1")
    assert (desk.verdict, desk.fields) == (Verdict.FAIL, ["ack"])


# either ---------------------------------------------------------------------------------------------------------------

EITHER = """
- either:
  - - expect: R. 1:1(0) ack 1
  - - expect: . 1:1(0) ack 1
    - inject: F. 1:1(0) ack 1
- expect: . 1:1(0) ack 2
"""


@pytest.mark.parametrize(("text", "sent"), [("R. 1:1(0) ack 1", []), (". 1:1(0) ack 1", ["F. 1:1(0) ack 1 win 65535"])])
def test_either_plays_the_branch_that_fits(read: Read, text: str, sent: list[str]) -> None:
    desk = Desk(read(EITHER))
    desk.sut(text)
    assert (desk.verdict, desk.sent_texts()) == (None, sent)
    desk.sut(". 1:1(0) ack 2")
    assert desk.verdict is Verdict.PASS


def test_either_takes_the_first_branch_that_fits(read: Read) -> None:
    desk = Desk(read("- either: [[{expect: . *:*(0)}, {inject: R 1:1(0)}], [{expect: . 1:1(0) ack 1}, {inject: F 1:1(0)}]]"))
    desk.sut(". 1:1(0) ack 1")
    assert [text[0] for text in desk.sent_texts()] == ["R"]


def test_either_fails_when_no_branch_fits(read: Read) -> None:
    desk = Desk(read(EITHER))
    desk.sut("S. 0:0(0) ack 1")
    assert (desk.verdict, desk.fields) == (Verdict.FAIL, ["segment"])
    assert desk.failure.expected == "R. 1:1(0) ack 1 or . 1:1(0) ack 1"


def test_either_fails_when_nothing_comes(read: Read) -> None:
    desk = Desk(read(EITHER, "timeout: 3s"))
    desk.pass_time(2999 * MS)
    assert desk.verdict is None
    assert desk.run(MS) is Verdict.FAIL and "nothing came within 3 s" in desk.failure.reason


def test_a_branch_that_does_not_fit_binds_nothing(read: Read) -> None:
    desk = Desk(read("- either: [[{expect: S 0:0(0) win $w}], [{expect: . 1:1(0)}]]\n- expect: . 1:1(0) win $w\n- expect: . 1:1(0) win $w"))
    for window in (1, 2, 2):
        desk.sut(f". 1:1(0) win {window}")
    assert desk.verdict is Verdict.PASS


SILENT = "- either: [[{silence: 1s}, {inject: F. 1:1(0) ack 1}], [{expect: R *:*(0)}]]"


def test_either_silence(read: Read) -> None:
    desk = Desk(read(SILENT))
    desk.pass_time(999 * MS)
    assert (desk.verdict, desk.sent) == (None, [])
    desk.pass_time(MS)
    assert (desk.verdict, len(desk.sent)) == (Verdict.PASS, 1)


def test_or_what_breaks_the_silence(read: Read) -> None:
    desk = Desk(read(SILENT))
    desk.sut("R 1:1(0)", after=500 * MS)
    assert (desk.verdict, desk.sent) == (Verdict.PASS, [])


def test_or_neither(read: Read) -> None:
    desk = Desk(read(SILENT))
    desk.sut(". 1:1(0)", after=500 * MS)
    assert (desk.verdict, desk.fields) == (Verdict.FAIL, ["segment"])


@pytest.mark.parametrize(("kind", "verdict"), [(3, Verdict.PASS), (11, Verdict.FAIL)])
def test_either_a_message(read: Read, kind: int, verdict: Verdict) -> None:
    desk = Desk(read("- either: [[{expect: R *:*(0)}], [{expect_icmp: port-unreachable}]]"))
    desk.sut_icmp(kind, 3 if kind == 3 else 0)
    assert desk.verdict is verdict


def test_an_optional_step_may_come_before_either(read: Read) -> None:
    desk = Desk(
        read(f"- inject: . 1:1(0)\n- optional: [{{expect: {C}}}]\n- either: [[{{expect: {A}}}], [{{expect: {B}}}]]"), leaves_after=MS
    )
    desk.sut(C)
    desk.sut(B)
    desk.pass_time(MS)
    assert desk.verdict is Verdict.PASS


# optional -------------------------------------------------------------------------------------------------------------

OPTIONAL = f"- optional: [{{expect: {A}}}, {{inject: . 1:1(0) ack 6}}]\n- expect: {B}\n- silence: 1s"


def test_an_optional_step_that_comes_is_played(read: Read) -> None:
    desk = Desk(read(OPTIONAL))
    desk.sut(A)
    desk.sut(B)
    assert desk.run(SECOND) is Verdict.PASS
    assert len(desk.sent) == 1


def test_an_optional_step_that_does_not_come_is_left_out(read: Read) -> None:
    desk = Desk(read(OPTIONAL))
    desk.sut(B)
    assert desk.run(SECOND) is Verdict.PASS
    assert desk.sent == []


def test_an_optional_step_comes_before_the_next_or_never(read: Read) -> None:
    desk = Desk(read(OPTIONAL))
    desk.sut(B)
    desk.sut(A)
    assert desk.run(SECOND) is Verdict.FAIL
    assert desk.failure.step == "silence: 1s"


def test_an_optional_step_comes_once(read: Read) -> None:
    desk = Desk(read(OPTIONAL))
    desk.sut(A)
    desk.sut(A)
    assert (desk.verdict, desk.failure.step) == (Verdict.FAIL, f"expect: {B}")


def test_what_the_next_step_expects_is_not_taken_for_the_optional_one(read: Read) -> None:
    desk = Desk(read("- optional: [{expect: P. 1:*(*)}, {inject: R 1:1(0)}]\n- expect: P. 1:6(5)"))
    desk.sut("P. 1:6(5)")
    assert (desk.verdict, desk.sent) == (Verdict.PASS, [])


def test_a_silence_bears_what_is_optional(read: Read) -> None:
    desk = Desk(read(f"- optional: [{{expect: {A}}}]\n- silence: 1s"))
    desk.sut(A, after=500 * MS)
    assert desk.run(500 * MS) is Verdict.PASS


def test_optional_steps_come_in_whatever_order(read: Read) -> None:
    desk = Desk(read(f"- optional: [{{expect: {A}}}]\n- optional: [{{expect: {B}}}]\n- expect: {C}"))
    for text in (B, A, C):
        desk.sut(text)
    assert desk.verdict is Verdict.PASS


# repeat ---------------------------------------------------------------------------------------------------------------


def test_repeat(read: Read) -> None:
    steps = "- repeat:\n    times: 3\n    steps:\n    - inject: P. ${i*5+1}:${i*5+6}(5) ack 1\n    - expect: . 1:1(0) ack ${i*5+6}"
    desk = Desk(read(steps))
    for ack in (6, 11, 16):
        assert desk.verdict is None
        desk.sut(f". 1:1(0) ack {ack}")
    assert desk.verdict is Verdict.PASS
    assert [text.split()[1] for text in desk.sent_texts()] == ["1:6(5)", "6:11(5)", "11:16(5)"]


def test_the_round_that_fails_is_the_one_in_the_trace(read: Read) -> None:
    desk = Desk(read("- repeat: {times: 3, steps: [{expect: . 1:1(0) ack $a}]}"))
    desk.tell(Frame(desk.now, desk.frame(". 1:1(0) ack 1"), False))
    desk.sut(". 1:1(0) ack 2")
    assert (desk.verdict, desk.failure.index) == (Verdict.FAIL, 2)
