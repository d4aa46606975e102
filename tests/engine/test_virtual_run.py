"""Cases on a virtual clock: times are exact, hours take no time, and a stack that misbehaves ends its case and no other."""

from __future__ import annotations

import asyncio
import time

import pytest

from conformance.engine.runner import Runner, RunnerOptions
from conformance.engine.virtual_run import START, STEP, play_virtual
from conformance.result import CaseResult, Verdict
from conformance.sut.base import Outcome, SutFault
from conformance.trace import Called, Received, Returned, Sent
from conformance.wire.segment import Segment

from .desk import SECOND, Read
from .fake_sut import syn_ack
from .fake_virtual import Behaviour, FakeSite, FakeVirtualSut

HANDSHAKE = """
- call: s = socket()
- inject: S 0:0(0)
- expect: S. 0:0(0) ack 1
- state: s ESTABLISHED
"""


def play(read: Read, steps: str, behaviour: Behaviour | None = None, more: str = "") -> CaseResult:
    """Play the steps alone."""
    sut = FakeVirtualSut(behaviour or Behaviour())
    result = play_virtual(read(steps, more), sut.name, sut, seed=1)
    assert [site.closed for site in sut.sites] == [True]
    return result


def reason(result: CaseResult) -> str:
    assert result.failure is not None
    return result.failure.reason


def test_a_handshake_passes_and_each_event_has_its_time(read: Read) -> None:
    result = play(read, HANDSHAKE)
    assert (result.verdict, result.failure) == (Verdict.PASS, None)
    happened = [(type(event), event.t - START) for event in result.trace.sorted()]
    assert happened == [(Called, 0), (Returned, STEP), (Sent, STEP), (Received, 3 * STEP)]
    assert result.trace.states_from == "stack"


def test_the_same_seed_gives_the_same_trace(read: Read) -> None:
    case = read(HANDSHAKE)
    traces = [play_virtual(case, "fake", FakeVirtualSut(), seed).trace for seed in (1, 1, 2)]
    frames = [[(event.t, event.frame) for event in trace.events if isinstance(event, Sent | Received)] for trace in traces]
    assert frames[0] == frames[1] != frames[2]


def test_frames_that_leave_together_come_one_after_another(read: Read) -> None:
    class Twice(Behaviour):
        def segment(self, site: FakeSite, segment: Segment) -> None:
            for _ in range(3):
                site.transmit(syn_ack(segment))

    steps = "- inject: S 0:0(0)\n" + "- expect: S. 0:0(0) ack 1\n" * 3
    result = play(read, steps, Twice())
    assert result.verdict is Verdict.PASS
    assert [event.t - START for event in result.trace.events if isinstance(event, Received)] == [2 * STEP, 3 * STEP, 4 * STEP]


class Later(Behaviour):
    """Answers a SYN after so many ns, and lets a call that blocks return then."""

    def __init__(self, delay: int) -> None:
        self.delay = delay

    def segment(self, site: FakeSite, segment: Segment) -> None:
        site.at(site.now + self.delay, lambda: site.transmit(syn_ack(segment)))

    def start(self, site: FakeSite, number: int, function: str) -> None:
        super().start(site, number, function)
        site.at(site.now + self.delay, lambda: site.returns(number, Outcome(0)))


def test_two_hours_take_no_time_and_are_exact(read: Read) -> None:
    began = time.monotonic()
    steps = """
    - call:   s = socket()
    - inject: S 0:0(0)
    - expect: S. 0:0(0) ack 1
      after: 7200s ± 0.0001%
    - start:  r = accept(s)
    - finish: r = 0
      after: 7200s ± 0.0001%
    - silence: 2h
    """
    result = play(read, steps, Later(7200 * SECOND))
    assert result.verdict is Verdict.PASS, reason(result)
    assert next(event.t for event in result.trace.events if isinstance(event, Received)) == START + 3 * STEP + 7200 * SECOND
    assert time.monotonic() - began < 5


def test_what_comes_too_late_fails_by_its_time(read: Read) -> None:
    result = play(read, "- inject: S 0:0(0)\n- expect: S. 0:0(0) ack 1\n  within: 500ms", Later(SECOND // 2))
    assert (result.verdict, reason(result)) == (Verdict.FAIL, "nothing came within 500 ms")
    result = play(read, "- inject: S 0:0(0)\n- expect: S. 0:0(0) ack 1\n  within: 500ms", Later(SECOND // 2 - 2 * STEP))
    assert result.verdict is Verdict.PASS


def test_a_timer_and_a_wish_for_the_same_time_do_not_race(read: Read) -> None:
    """What the stack does at a moment comes before the executor hears that the moment is there."""
    steps = "- inject: S 0:0(0)\n- silence: 1s\n- expect: S. 0:0(0) ack 1"
    assert play(read, steps, Later(SECOND)).verdict is Verdict.PASS
    result = play(read, steps, Later(SECOND - 3 * STEP))
    assert (result.verdict, reason(result).startswith("the SUT was not silent")) == (Verdict.FAIL, True)


# Stacks that misbehave ------------------------------------------------------------------------------------------------


class Endless(Behaviour):
    """A timer that starts itself again, for ever."""

    def segment(self, site: FakeSite, _: Segment) -> None:
        self._again(site)

    def _again(self, site: FakeSite) -> None:
        site.at(site.now + 1000, lambda: self._again(site))


class PingPong(Behaviour):
    """Sends at each timer, and sets the next."""

    def segment(self, site: FakeSite, segment: Segment) -> None:
        site.transmit(syn_ack(segment))
        site.at(site.now + 1000, lambda: self.segment(site, segment))


class Flood(Behaviour):
    """Answers with more frames than any case needs."""

    def segment(self, site: FakeSite, segment: Segment) -> None:
        for _ in range(20_000):
            site.transmit(syn_ack(segment))


class Broken(Behaviour):
    """Raises."""

    def segment(self, *_: object) -> None:
        raise SutFault("the fake stack broke: ZeroDivisionError: division by zero (fake.py:1, in segment)")


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [(Endless(), "does not come to an end"), (PingPong(), "floods"), (Flood(), "floods"), (Broken(), "the fake stack broke: Zero")],
)
def test_a_stack_that_misbehaves_is_an_error_of_this_case(read: Read, behaviour: Behaviour, words: str) -> None:
    result = play(read, "- inject: S 0:0(0)\n- {silence: 2h, on: c2}", behaviour, "connections: {c2: {peer: peer2}}")
    assert result.verdict is Verdict.ERROR and words in reason(result), reason(result)


def test_a_call_that_never_returns_is_an_error(read: Read) -> None:
    class Silent(Behaviour):
        def call(self, site: FakeSite, number: int, function: str) -> None:
            pass

    result = play(read, "- call: s = socket()", Silent())
    assert (result.verdict, reason(result)) == (Verdict.ERROR, "the call never returned")


# The runner -----------------------------------------------------------------------------------------------------------


def run(sut: FakeVirtualSut, *cases: object) -> list[CaseResult]:
    results: list[CaseResult] = []
    asyncio.run(asyncio.wait_for(Runner(sut, RunnerOptions(seed=1), results.append).run(cases), 60))  # type: ignore[arg-type]
    return results


def test_the_runner_plays_one_after_another_in_order(read: Read) -> None:
    cases = [read(HANDSHAKE), read("- inject: S 0:0(0)\n- expect: R. 0:0(0) ack 1"), read(HANDSHAKE)]
    assert [result.verdict for result in run(FakeVirtualSut(), *cases)] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS]


def test_the_runner_skips_what_the_stack_lacks(read: Read) -> None:
    (result,) = run(FakeVirtualSut(lack="sack"), read(HANDSHAKE, "config: {sack: on}"))
    assert (result.verdict, reason(result)) == (Verdict.SKIPPED, "no sack")
    (result,) = run(FakeVirtualSut(), read(HANDSHAKE, "needs: [icmp]"))
    assert (result.verdict, reason(result)) == (Verdict.SKIPPED, "fake lacks icmp")


@pytest.mark.parametrize(
    ("error", "words"), [(SutFault("it does not start"), "it does not start"), (KeyError("x"), "the test bed broke: KeyError: 'x'")]
)
def test_a_stack_that_does_not_start_is_an_error(read: Read, error: Exception, words: str) -> None:
    (result,) = run(FakeVirtualSut(broken=error), read(HANDSHAKE))
    assert (result.verdict, reason(result)) == (Verdict.ERROR, words)


def test_the_loop_runs_between_cases_and_stop_ends_the_run(read: Read) -> None:
    case = read(HANDSHAKE)
    results: list[CaseResult] = []

    async def main() -> None:
        runner = Runner(FakeVirtualSut(), RunnerOptions(), results.append)
        asyncio.get_running_loop().call_later(0.05, runner.stop)
        await runner.run([case] * 1_000_000)

    asyncio.run(asyncio.wait_for(main(), 60))
    assert 0 < len(results) < 1_000_000
