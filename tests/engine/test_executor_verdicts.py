"""The executor alone: whose fault it is when a case does not go on."""

from __future__ import annotations

import pytest

from conformance.engine.events import Disturbed, Frame, Stalled, Tick
from conformance.engine.executor import FLOOD
from conformance.result import Verdict
from conformance.sut.base import Outcome
from conformance.trace import Note, Received

from .desk import MS, SECOND, Desk, Read

HANDSHAKE = """
- inject: S 0:0(0)
- expect: S. 0:0(0) ack 1
- inject: . 1:1(0) ack 1
"""
RECEIVING = """
- call: s = socket()
- start: r = recv(s, 10)
- {finish: r = 0, within: 1s}
"""


def test_a_case_that_is_kept_passes(read: Read) -> None:
    desk = Desk(read(HANDSHAKE))
    desk.sut("S. 0:0(0) ack 1")
    assert (desk.verdict, desk.executor.failure, desk.executor.retry) == (Verdict.PASS, None, False)
    assert desk.sent_texts() == ["S 0:0(0) win 65535", ". 1:1(0) ack 1 win 65535"]


def test_a_case_that_is_not_kept_fails_at_its_step(read: Read) -> None:
    desk = Desk(read(HANDSHAKE))
    desk.sut("S. 0:0(0) ack 2")
    assert (desk.verdict, desk.executor.retry, desk.fields) == (Verdict.FAIL, False, ["ack"])
    assert (desk.failure.index, desk.failure.step) == (1, "expect: S. 0:0(0) ack 1")
    assert desk.failure.actual.startswith("S. 0:0(0) ack 2")
    failed = [event for event in desk.executor.trace.sorted() if event.failed]
    assert [type(event) for event in failed] == [Received, Note] and {event.step for event in failed} == {1}


# The tester is late ---------------------------------------------------------------------------------------------------


def test_a_tester_that_sends_late_cannot_judge(read: Read) -> None:
    desk = Desk(read(HANDSHAKE), leaves_after=30 * MS)
    desk.pass_time(30 * MS)
    desk.sut("S. 0:0(0) ack 2")
    assert (desk.verdict, desk.executor.retry) == (Verdict.INCONCLUSIVE, True)
    assert "30 ms late (line 5)" in desk.failure.reason and "ack" in desk.failure.reason


@pytest.mark.parametrize(("late", "verdict"), [(19 * MS, Verdict.FAIL), (21 * MS, Verdict.INCONCLUSIVE)])
def test_the_tolerance_says_how_late_is_late(read: Read, late: int, verdict: Verdict) -> None:
    desk = Desk(read(HANDSHAKE), leaves_after=late)
    desk.pass_time(late)
    desk.sut("S. 0:0(0) ack 2")
    assert desk.verdict is verdict


def test_a_case_sets_its_tolerance(read: Read) -> None:
    desk = Desk(read(HANDSHAKE, "tolerance: 100ms"), leaves_after=99 * MS)
    desk.pass_time(99 * MS)
    desk.sut("S. 0:0(0) ack 2")
    assert desk.verdict is Verdict.FAIL


def test_lateness_that_did_no_harm_is_forgotten(read: Read) -> None:
    desk = Desk(read(HANDSHAKE), leaves_after=300 * MS)
    desk.pass_time(300 * MS)
    desk.sut("S. 0:0(0) ack 1")
    assert desk.run() is Verdict.PASS


def test_a_wait_that_the_case_asks_for_is_not_lateness(read: Read) -> None:
    desk = Desk(read("- {inject: S 0:0(0), after: 1s}\n- expect: S. 0:0(0) ack 1"))
    desk.pass_time(SECOND)
    desk.sut("S. 0:0(0) ack 2")
    assert desk.verdict is Verdict.FAIL


def test_a_wait_that_lasts_longer_than_the_case_asks_for_is(read: Read) -> None:
    desk = Desk(read("- {inject: S 0:0(0), after: 1s}\n- expect: S. 0:0(0) ack 1"))
    desk.now += SECOND + 50 * MS
    desk.tell(Tick(desk.now))
    desk.sut("S. 0:0(0) ack 2")
    assert desk.verdict is Verdict.INCONCLUSIVE and "50 ms late" in desk.failure.reason


def test_a_stall_makes_a_failure_inconclusive(read: Read) -> None:
    desk = Desk(read(HANDSHAKE))
    desk.tell(Stalled(desk.now, 40 * MS))
    desk.sut("S. 0:0(0) ack 2")
    assert (desk.verdict, desk.executor.retry) == (Verdict.INCONCLUSIVE, True)
    assert "40 ms late" in desk.failure.reason


def test_a_stall_after_the_failure_comes_too_late_to_excuse_it(read: Read) -> None:
    desk = Desk(read(HANDSHAKE))
    desk.sut("S. 0:0(0) ack 2")
    desk.tell(Stalled(desk.now, 40 * MS))
    assert desk.verdict is Verdict.FAIL


def test_a_disturbance_ends_the_case(read: Read) -> None:
    desk = Desk(read(HANDSHAKE))
    desk.tell(Disturbed(desk.now, "the tester lost 3 frames"))
    assert (desk.verdict, desk.executor.retry) == (Verdict.INCONCLUSIVE, True)
    assert desk.failure.reason == "the tester lost 3 frames"


def test_a_preamble_that_fails_says_nothing_and_would_again(read: Read) -> None:
    desk = Desk(read("- silence: 1s", "given: SYN-RECEIVED"))
    desk.sut("R. 0:0(0) ack 1")
    assert (desk.verdict, desk.executor.retry) == (Verdict.INCONCLUSIVE, False)
    assert "the preamble SYN-RECEIVED did not reach its state" in desk.failure.reason
    assert desk.failure.file == "preambles/SYN-RECEIVED.yaml"


def test_a_preamble_that_fails_while_the_tester_is_late_is_tried_again(read: Read) -> None:
    desk = Desk(read("- silence: 1s", "given: SYN-RECEIVED"))
    desk.tell(Stalled(desk.now, 40 * MS))
    desk.sut("R. 0:0(0) ack 1")
    assert (desk.verdict, desk.executor.retry) == (Verdict.INCONCLUSIVE, True)


def test_the_step_after_a_preamble_is_the_case_s_own(read: Read) -> None:
    desk = Desk(read("- silence: 1s", "given: SYN-RECEIVED"))
    desk.sut("S. 0:0(0) ack 1")
    desk.sut("R 1:1(0)", after=100 * MS)
    assert desk.verdict is Verdict.FAIL


# The case, the SUT's program or the machine is broken -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ("- optional: [{expect: . 1:1(0) ack $a}]\n- inject: . 1:1(0) ack $a", 6),
        ("- optional: [{expect: . 1:1(0) win $a}]\n- inject: . 1:1(0) ack 1 win $a", 6),
        ("- optional: [{expect: '. 1:1(0) <TS val $a ecr 0>'}]\n- inject: '. 1:1(0) <TS val 1 ecr $a>'", 6),
        ("- optional: [{expect: . $a:1(0)}]\n- inject_icmp: port-unreachable [. $a:1(0)]", 6),
        ("- optional: [{expect: . 1:1(0) ack $a}]\n- inject_icmp: 'packet-too-big mtu $a [. 1:1(0)]'", 6),
    ],
)
def test_a_variable_without_a_value_is_the_case_s_mistake(read: Read, steps: str, line: int) -> None:
    desk = Desk(read(steps))
    assert (desk.verdict, desk.failure.line) == (Verdict.ERROR, line)
    assert "$a has no value" in desk.failure.reason


def test_a_packet_that_cannot_be_is_the_case_s_mistake(read: Read) -> None:
    desk = Desk(read("- silence: 1s\n- {inject: S 0:0(0), with: {raw: {tcp+90: ff}}}"))
    assert (desk.verdict, desk.failure.line, desk.failure.index) == (Verdict.ERROR, 6, 1)
    assert "tcp+90" in desk.failure.reason


def test_a_flood_ends_the_case(read: Read) -> None:
    desk = Desk(read("- silence: 1s", "connections: {other: {peer: peer2}}"))
    frame = desk.frame(". 1:1(0) ack 1", "other")
    for _ in range(FLOOD):
        desk.tell(Frame(desk.now, frame, False))
    assert desk.verdict is None
    desk.tell(Frame(desk.now, frame, False))
    assert desk.verdict is Verdict.ERROR and "floods" in desk.failure.reason


@pytest.mark.parametrize("function", ["socket", "bind", "listen", "accept"])
def test_a_call_that_never_returns_is_the_agent_s_fault(read: Read, function: str) -> None:
    steps = "- call: s = socket()\n- call: bind(s, port)\n- call: listen(s, 1)\n- call: c = accept(s)"
    desk = Desk(read(steps, "timeout: 2s"), returns={function: None})
    desk.pass_time(1999 * MS)
    assert desk.verdict is None
    assert desk.run(MS) is Verdict.ERROR
    assert function in desk.failure.step and "never returned" in desk.failure.reason


def test_a_call_that_blocks_too_long_is_the_stack_s_fault(read: Read) -> None:
    desk = Desk(read(RECEIVING))
    desk.pass_time(999 * MS)
    assert desk.verdict is None
    assert desk.run(30 * MS) is Verdict.FAIL
    assert "still blocks after 1.02 s" in desk.failure.reason


@pytest.mark.parametrize("step", ["state: s LISTEN", "info: s cwnd = 1", "states: CLOSED → LISTEN", "silence: 1s"])
def test_an_agent_that_never_answers_ends_the_case(read: Read, step: str) -> None:
    desk = Desk(read(f"- call: s = socket()\n- {step}", "timeout: 2s"), answers=False)
    assert desk.run(5 * SECOND) is Verdict.ERROR
    assert (desk.failure.step, desk.failure.reason) == (step, "the SUT's agent does not answer")


def test_a_call_that_returns_at_once_after_a_long_wait_has_returned(read: Read) -> None:
    desk = Desk(read("- {call: s = socket(), after: 9s}", "timeout: 2s"))
    assert desk.run(10 * SECOND) is Verdict.PASS


def test_a_frame_that_never_leaves_ends_the_case(read: Read) -> None:
    desk = Desk(read("- inject: S 0:0(0)", "timeout: 2s"), leaves_after=None)
    desk.pass_time(1999 * MS)
    assert desk.verdict is None
    assert desk.run(2 * MS) is Verdict.ERROR
    assert "never left" in desk.failure.reason


def test_a_mistake_of_the_tester_is_an_error_that_names_its_place(read: Read) -> None:
    desk = Desk(read(HANDSHAKE))
    try:
        raise KeyError("x")
    except KeyError as error:
        desk.executor.broke(error)
    assert (desk.verdict, desk.executor.retry) == (Verdict.ERROR, False)
    assert "the tester broke: KeyError: 'x' (test_executor_verdicts.py:" in desk.failure.reason


def test_nothing_happens_after_the_verdict(read: Read) -> None:
    desk = Desk(read(HANDSHAKE))
    desk.sut("S. 0:0(0) ack 2")
    events, sent = len(desk.executor.trace.events), len(desk.sent)
    desk.sut("S. 0:0(0) ack 1")
    desk.pass_time(10 * SECOND)
    assert (desk.verdict, len(desk.executor.trace.events), len(desk.sent)) == (Verdict.FAIL, events, sent)


@pytest.mark.parametrize(
    ("after", "late", "verdict"),
    [
        (999 * MS, 0, Verdict.PASS),
        (1010 * MS, 0, Verdict.FAIL),
        (1010 * MS, 9 * MS, Verdict.FAIL),
        (1010 * MS, 11 * MS, Verdict.PASS),
        (1030 * MS, 31 * MS, Verdict.FAIL),
    ],
)
def test_a_caller_that_waits_for_a_processor_is_not_the_stack(read: Read, after: int, late: int, verdict: Verdict) -> None:
    desk = Desk(read(RECEIVING))
    desk.returned(Outcome(b"", late=late), after=after)
    assert desk.run() is verdict
