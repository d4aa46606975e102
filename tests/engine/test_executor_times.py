"""The executor alone: when it acts, and which times it accepts. Nothing here takes any."""

from __future__ import annotations

import pytest

from conformance.case.case import Case
from conformance.engine.events import AskState, AskTransitions, Frame
from conformance.result import Verdict
from conformance.sut.base import Outcome
from conformance.trace import StateChanged

from .desk import MS, SECOND, START, Desk, Read

HOUR = 3600 * SECOND


def played(case: Case, text: str, after: int) -> Verdict:
    """The verdict when the SUT sends this segment then, and nothing else."""
    desk = Desk(case)
    desk.sut(text, after=after)
    return desk.run()


def test_a_segment_leaves_when_it_is_due(read: Read) -> None:
    desk = Desk(read("- {inject: . 1:1(0), after: 250ms}\n- {inject: . 2:2(0), after: 1s}\n- inject: . 3:3(0)"))
    desk.pass_time(10 * SECOND)
    assert [t - START for t, _ in desk.sent] == [250 * MS, 1250 * MS, 1250 * MS]


def test_time_counts_from_when_a_frame_really_left(read: Read) -> None:
    desk = Desk(read("- inject: . 1:1(0)\n- {inject: . 2:2(0), after: 1s}"), leaves_after=7 * MS)
    desk.pass_time(10 * SECOND)
    assert [t - START for t, _ in desk.sent] == [0, SECOND + 7 * MS]
    assert desk.verdict is Verdict.PASS


@pytest.mark.parametrize("when", ["after: 0.9s..1.1s", "after: 1s ± 10%", "after: 1s +- 100ms", "after: 1s"])
@pytest.mark.parametrize(("t", "verdict"), [(899, "fail"), (901, "pass"), (1000, "pass"), (1099, "pass"), (1101, "fail")])
def test_after(read: Read, when: str, t: int, verdict: str) -> None:
    assert played(read(f"- {{expect: . 1:1(0), {when}}}"), ". 1:1(0)", t * MS) == verdict


@pytest.mark.parametrize(("t", "verdict"), [(0, "pass"), (499, "pass"), (501, "fail")])
@pytest.mark.parametrize("step", ["expect: . 1:1(0)", "expect_icmp: echo-reply"])
def test_within(read: Read, step: str, t: int, verdict: str) -> None:
    desk = Desk(read(f"- {{{step}, within: 500ms}}"))
    desk.pass_time(t * MS)
    desk.sut_icmp(0, 0) if "icmp" in step else desk.sut(". 1:1(0)")
    assert desk.run() == verdict


@pytest.mark.parametrize(("t", "verdict"), [(2_999, "pass"), (3_001, "fail")])
def test_the_timeout_bounds_a_step_that_says_nothing(read: Read, t: int, verdict: str) -> None:
    assert played(read("- expect: . 1:1(0)", "timeout: 3s"), ". 1:1(0)", t * MS) == verdict


def test_a_step_may_wait_longer_than_the_timeout_if_it_says_so(read: Read) -> None:
    assert played(read("- {expect: . 1:1(0), after: 2h}", "timeout: 3s"), ". 1:1(0)", 2 * HOUR) is Verdict.PASS


def test_what_counts_is_when_a_frame_came_not_when_it_was_read(read: Read) -> None:
    desk = Desk(read("- {expect: . 1:1(0), within: 500ms}"))
    frame = desk.frame(". 1:1(0)")
    desk.now += 9 * SECOND
    desk.tell(Frame(START + 500 * MS, frame, False))
    assert desk.run() is Verdict.PASS


# Silence --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("t", "verdict"), [(0, "fail"), (999 * MS, "fail"), (1001 * MS, "pass")])
def test_silence(read: Read, t: int, verdict: str) -> None:
    desk = Desk(read("- silence: 1s\n- expect: . 1:1(0)"))
    desk.sut(". 1:1(0)", after=t)
    assert desk.run() == verdict


def test_a_message_breaks_a_silence(read: Read) -> None:
    desk = Desk(read("- silence: 1s"))
    desk.sut_icmp(3, 3)
    assert (desk.run(), desk.failure.actual) == (Verdict.FAIL, "port-unreachable")


def test_what_nobody_asked_for_before_breaks_a_silence(read: Read) -> None:
    desk = Desk(read("- {inject: . 1:1(0), after: 1s}\n- silence: 1s"))
    desk.sut("R 1:1(0)", after=500 * MS)
    assert desk.run() is Verdict.FAIL


def test_time_counts_from_the_end_of_a_silence(read: Read) -> None:
    desk = Desk(read("- silence: 1s\n- {inject: . 1:1(0), after: 250ms}"))
    desk.pass_time(10 * SECOND)
    assert [t - START for t, _ in desk.sent] == [1250 * MS]


# Calls and states -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("t", "verdict"), [(899, "fail"), (901, "pass"), (1099, "pass"), (1101, "fail")])
def test_when_a_call_returns(read: Read, t: int, verdict: str) -> None:
    desk = Desk(read("- call: s = socket()\n- start: r = recv(s, 9)\n- {finish: r = 0, after: 1s ± 10%}"))
    desk.returned(Outcome(b""), after=t * MS)
    assert desk.run() == verdict


def test_a_question_takes_no_time_from_what_comes_next(read: Read) -> None:
    steps = "- call: s = socket()\n- inject: . 1:1(0)\n- sockopt: s TCP_NODELAY = 0\n- {inject: . 2:2(0), after: 1s}"
    desk = Desk(read(steps), returns={"getsockopt": None})
    desk.returned(Outcome(0), after=300 * MS)
    desk.pass_time(10 * SECOND)
    assert [t - START for t, _ in desk.sent] == [0, SECOND]


def test_a_state_may_take_its_time(read: Read) -> None:
    desk = Desk(read("- call: s = socket()\n- {state: s LISTEN, within: 300ms}"))
    desk.pass_time(250 * MS)
    assert desk.verdict is None
    desk.state = "LISTEN"
    assert desk.run(50 * MS) is Verdict.PASS
    assert sum(isinstance(action, AskState) for action in desk.asked) > 2


def test_but_not_for_ever(read: Read) -> None:
    desk = Desk(read("- call: s = socket()\n- {state: s LISTEN, within: 300ms}"))
    desk.pass_time(299 * MS)
    assert desk.verdict is None
    assert desk.run(10 * MS) is Verdict.FAIL
    assert desk.fields == ["state"]


def test_a_connection_that_is_gone_looks_like_its_listener(read: Read) -> None:
    desk = Desk(read("- inject: R 0:0(0)\n- state: CLOSED"))
    desk.state = "LISTEN"
    assert desk.run() is Verdict.PASS


@pytest.mark.parametrize("states", ["SYN-SENT → ESTABLISHED", "CLOSED → SYN-SENT → ESTABLISHED"])
def test_transitions_with_or_without_where_they_begin(read: Read, states: str) -> None:
    desk = Desk(read(f"- inject: . 1:1(0)\n- {{inject: . 1:1(0), after: 1s}}\n- states: {states}"))
    desk.moves("CLOSED", "SYN-SENT", "ESTABLISHED")
    assert desk.run() is Verdict.PASS
    moves = [(event.old, event.new) for event in desk.executor.trace.events if isinstance(event, StateChanged)]
    assert moves == [("CLOSED", "SYN-SENT"), ("SYN-SENT", "ESTABLISHED")]


def test_transitions_that_a_sut_does_not_report_are_asked_for_after_each_step(read: Read) -> None:
    asked = []
    for poll in (False, True):
        desk = Desk(read("- inject: . 1:1(0)\n- inject: . 2:2(0)\n- inject: . 3:3(0)"), poll_states=poll)
        assert desk.run() is Verdict.PASS
        asked.append(sum(isinstance(action, AskTransitions) for action in desk.asked))
    assert asked == [1, 4]
