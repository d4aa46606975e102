"""The runner with stacks that misbehave: each case ends, with the verdict that is right for it, and no other case comes to harm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from conformance.case.case import Case
from conformance.engine.executor import FLOOD
from conformance.engine.runner import ATTEMPTS, Runner, RunnerOptions
from conformance.link.errors import EnvironmentFault
from conformance.result import CaseResult, Verdict
from conformance.sut.base import Places, SutFault
from conformance.wire.segment import Family

from .desk import Read, places
from .fake_sut import FakeSut, Stack, syn_ack

LIMIT = 60
"""Seconds for what takes one at most: only a runner that hangs reaches it."""
HANDSHAKE = """
- call: s = socket()
- inject: S 0:0(0)
- expect: S. 0:0(0) ack 1
- state: s ESTABLISHED
"""
PATIENT = "tolerance: 1min"
"""No tester is so late: a failure is one on a busy machine too."""
SHORT = f"timeout: 200ms\n{PATIENT}"


def play(sut: FakeSut, *cases: Case, **options: int) -> dict[str, CaseResult]:
    """The results, by the ids of the cases."""
    results: list[CaseResult] = []
    run = Runner(sut, RunnerOptions(**options), results.append).run(cases)
    asyncio.run(asyncio.wait_for(run, LIMIT))
    assert (sut.open, sut.beds) == (0, 0), "something was left open"
    assert len(results) == len({result.case.id for result in results}) == len(cases)
    return {result.case.id: result for result in results}


@pytest.fixture
def one(read: Read) -> Callable[..., CaseResult]:
    """Plays the handshake with an IPv4 stack."""

    def play_one(stack: Stack, more: str = SHORT, steps: str = HANDSHAKE) -> CaseResult:
        (result,) = play(FakeSut(ipv4=stack), read(steps, more)).values()
        return result

    return play_one


One = Callable[..., CaseResult]


def reason(result: CaseResult) -> str:
    assert result.failure is not None
    return result.failure.reason


def test_a_good_stack_passes(one: One) -> None:
    result = one(Stack())
    assert (result.verdict, result.attempts, result.failure) == (Verdict.PASS, 1, None)


# The wire -------------------------------------------------------------------------------------------------------------


def test_a_stack_that_never_answers_fails(one: One) -> None:
    result = one(Stack(answer=lambda _: ()))
    assert (result.verdict, reason(result)) == (Verdict.FAIL, "nothing came within 200 ms")


def _damaged() -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    def bad_checksum(frame: bytes) -> bytes:
        return frame[:50] + bytes([frame[50] ^ 1]) + frame[51:]

    yield "nothing", lambda _: b""
    yield "one-octet", lambda _: b"\0"
    yield "only-ethernet", lambda frame: frame[:14]
    yield "no-tcp", lambda frame: frame[:34]
    yield "half-a-header", lambda frame: frame[:44]
    yield "one-octet-missing", lambda frame: frame[:-1]
    yield "another-ethertype", lambda frame: frame[:12] + b"\x88\xb5" + frame[14:]
    yield "ipv6-in-ipv4", lambda frame: frame[:14] + b"\x60" + frame[15:]
    yield "fragment", lambda frame: frame[:20] + b"\x20\x01" + frame[22:]
    yield "header-too-long", lambda frame: frame[:46] + b"\xf0" + frame[47:]
    yield "header-too-short", lambda frame: frame[:46] + b"\x10" + frame[47:]
    yield "bad-checksum", bad_checksum
    for seed in range(8):
        yield f"random-{seed}", lambda _, seed=seed: Random(seed).randbytes(seed * 200)
        yield f"random-tcp-{seed}", lambda frame, seed=seed: frame[:38] + Random(seed).randbytes(16)


@pytest.mark.parametrize("damage", [pytest.param(damage, id=name) for name, damage in _damaged()])
def test_garbage_is_the_stack_s_failure_not_the_tester_s(one: One, damage: Callable[[bytes], bytes]) -> None:
    result = one(Stack(answer=lambda syn: [damage(syn_ack(syn))]))
    assert result.verdict is Verdict.FAIL, reason(result)
    assert result.failure is not None and result.failure.step == "expect: S. 0:0(0) ack 1"


@pytest.mark.parametrize("steps", [HANDSHAKE, "- inject: S 0:0(0)\n- {silence: 1h, on: c2}"])
def test_a_flood_ends_its_case(one: One, steps: str) -> None:
    result = one(Stack(answer=lambda _: [b"\0" * 60] * (FLOOD + 1)), f"connections: {{c2: {{peer: peer2}}}}\n{PATIENT}", steps)
    assert result.verdict in (Verdict.ERROR, Verdict.FAIL)


def test_a_flood_that_never_ends_is_an_error(one: One) -> None:
    result = one(Stack(endless=b"\0" * 60), "connections: {c2: {peer: peer2}}", "- inject: S 0:0(0)\n- {silence: 1h, on: c2}")
    assert (result.verdict, "floods" in reason(result)) == (Verdict.ERROR, True)


def _refused() -> None:
    raise OSError(105, "No buffer space available")


def test_a_frame_that_cannot_be_sent_is_tried_again_and_says_nothing(one: One) -> None:
    result = one(Stack(send=_refused))
    assert (result.verdict, result.attempts) == (Verdict.INCONCLUSIVE, ATTEMPTS)
    assert "could not be sent: No buffer space available" in reason(result)


def test_frames_that_were_lost_are_tried_again_and_say_nothing(read: Read) -> None:
    sut = FakeSut(ipv4=Stack(disturbed=lambda: "the tester lost 3 frames"))
    (result,) = play(sut, read(HANDSHAKE)).values()
    assert (result.verdict, result.attempts, sut.made) == (Verdict.INCONCLUSIVE, ATTEMPTS, ATTEMPTS)
    assert reason(result) == "the tester lost 3 frames"


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
def test_an_attempt_that_is_not_disturbed_counts(one: One, times: int) -> None:
    disturbances = iter(["the clock was set"] * times)
    result = one(Stack(disturbed=lambda: next(disturbances, None)))
    assert (result.verdict, result.attempts) == (Verdict.PASS, times + 1)


def test_a_tester_that_stalls_tries_again(one: One) -> None:
    stalls, wrong = iter([0.05]), iter([2])  # seconds, more than the tolerance; only in the first attempt
    result = one(Stack(send=lambda: time.sleep(next(stalls, 0)), answer=lambda syn: [syn_ack(syn, next(wrong, 1))]), "timeout: 200ms")
    assert (result.verdict, result.attempts) == (Verdict.PASS, 2)


# The agent ------------------------------------------------------------------------------------------------------------


def test_a_call_that_never_returns_is_an_error(one: One) -> None:
    result = one(Stack(call=lambda _: None))
    assert (result.verdict, reason(result)) == (Verdict.ERROR, "the call never returned")


def test_a_state_that_is_never_told_is_an_error(one: One) -> None:
    result = one(Stack(state=lambda: None))
    assert (result.verdict, reason(result)) == (Verdict.ERROR, "the SUT's agent does not answer")


def _breaks(error: Exception) -> Callable[..., None]:
    def broken(*_: object) -> None:
        raise error

    return broken


@pytest.mark.parametrize("part", ["answer", "call", "send", "pump", "state", "disturbed", "site", "close"])
@pytest.mark.parametrize("error", [ValueError("ouch"), SutFault("the program ended: ouch")])
def test_what_raises_costs_its_case(one: One, part: str, error: Exception) -> None:
    result = one(Stack(**{part: _breaks(error)}))
    assert result.verdict is Verdict.ERROR
    assert "ouch" in reason(result)


def test_a_fault_of_the_sut_is_not_called_the_tester_s(one: One) -> None:
    result = one(Stack(call=_breaks(SutFault("the program ended with status 1"))))
    assert reason(result) == "the program ended with status 1"


def test_what_raises_while_the_case_waits_ends_it(one: One) -> None:
    pumps = iter(range(3))

    def later() -> None:
        if next(pumps, None) is None:
            raise OSError(9, "Bad file descriptor")

    result = one(Stack(pump=later), "", "- inject: S 0:0(0)\n- expect: S. 0:0(0) ack 1\n- silence: 50ms\n- silence: 50ms\n- silence: 50ms")
    assert (result.verdict, "Bad file descriptor" in reason(result)) == (Verdict.ERROR, True)


def test_a_place_that_lacks_an_address_is_given_back(one: One) -> None:
    def without_peer2(family: Family) -> Places:
        where = places(family)
        return replace(where, hosts={name: host for name, host in where.hosts.items() if name != "peer2"})

    result = one(Stack(places=without_peer2), "connections: {c2: {peer: peer2}}")
    assert (result.verdict, "peer2" in reason(result)) == (Verdict.ERROR, True)


# Beds -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [SutFault("no such program"), EnvironmentFault("not root"), OSError(1, "Operation not permitted"), RuntimeError("what is this")],
)
def test_a_bed_that_cannot_be_made_costs_only_its_cases(read: Read, error: Exception) -> None:
    sut = FakeSut(broken={"mtu": error})
    good, bad = read(HANDSHAKE), read(HANDSHAKE, "config: {mtu: 1400}", family="ipv6")
    results = play(sut, bad, good)
    assert (results[good.id].verdict, results[bad.id].verdict) == (Verdict.PASS, Verdict.ERROR)
    assert str(error) in reason(results[bad.id])


def test_cases_with_the_same_settings_share_a_bed(read: Read) -> None:
    made = []
    sut = FakeSut()
    beds = sut.bed
    sut.bed = lambda config: made.append(dict(config)) or beds(config)  # type: ignore[method-assign]
    configs = ("", "config: {mtu: 1400, ttl: 3}", "config: {ttl: 3, mtu: 1400}", "config: {ttl: 4, mtu: 1400}")
    cases = [read(HANDSHAKE, config) for config in configs]
    for number, case in enumerate(cases):
        cases[number] = _renamed(case, number)
    play(sut, *cases)
    assert len(made) == 3


def _renamed(case: Case, number: int) -> Case:
    return replace(case, id=f"{number}/{case.id}")


@pytest.mark.parametrize(("more", "why"), [("needs: [teleport]", "fake lacks teleport"), ("config: {sack: on}", "no sack")])
def test_what_a_stack_lacks_is_skipped(read: Read, more: str, why: str) -> None:
    sut = FakeSut(lack="sack")
    (result,) = play(sut, read(HANDSHAKE, more)).values()
    assert (result.verdict, reason(result), sut.made) == (Verdict.SKIPPED, why, 0)


# Many at once ---------------------------------------------------------------------------------------------------------

BAD = {
    "mute": Stack(answer=lambda _: ()),
    "flood": Stack(endless=b"\0" * 60),
    "no-agent": Stack(call=lambda _: None),
    "no-state": Stack(state=lambda: None),
    "raises": Stack(call=_breaks(ValueError("ouch"))),
    "no-site": Stack(site=_breaks(ValueError("ouch"))),
    "no-close": Stack(close=_breaks(ValueError("ouch"))),
    "no-wire": Stack(send=_refused),
    "pump": Stack(pump=_breaks(OSError(9, "ouch"))),
    "lost": Stack(disturbed=lambda: "frames were lost"),
}


@pytest.mark.parametrize("stack", [pytest.param(stack, id=name) for name, stack in BAD.items()])
def test_a_bad_case_does_no_harm_to_the_others(read: Read, stack: Stack) -> None:
    text = f"{HANDSHAKE}\n- silence: 100ms"
    bad = [_renamed(read(text, SHORT), number) for number in range(3)]
    good = [_renamed(read(text, SHORT, family="ipv6"), number) for number in range(20)]
    results = play(FakeSut(ipv4=stack), *good[:10], *bad, *good[10:])
    assert {results[case.id].verdict for case in good} == {Verdict.PASS}
    assert {results[case.id].verdict for case in bad} <= {Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE}


@pytest.mark.parametrize("jobs", [1, 5])
def test_no_more_cases_run_at_once_than_asked_for(read: Read, jobs: int) -> None:
    sut = FakeSut()
    play(sut, *(_renamed(read(f"{HANDSHAKE}\n- silence: 20ms"), number) for number in range(12)), jobs=jobs)
    assert sut.most == jobs


def test_a_run_that_is_stopped_ends_and_tells_only_what_it_knows(read: Read) -> None:
    sut, results = FakeSut(), []

    async def stopped() -> None:
        runner = Runner(sut, RunnerOptions(jobs=1), results.append)
        run = asyncio.create_task(runner.run([_renamed(read(f"{HANDSHAKE}\n- silence: 1h"), 1), _renamed(read(HANDSHAKE), 2)]))
        while sut.made == 0:
            await asyncio.sleep(0)
        runner.stop()
        await asyncio.wait_for(run, LIMIT)

    asyncio.run(stopped())
    assert (results, sut.made, sut.open, sut.beds) == ([], 1, 0, 0)


def test_a_report_that_cannot_be_written_ends_the_run(read: Read) -> None:
    cases = [_renamed(read(HANDSHAKE), number) for number in range(3)]
    full = iter([True])

    def write(_: CaseResult) -> None:
        if next(full, False):
            raise OSError(28, "No space left on device")

    run = Runner(FakeSut(), RunnerOptions(jobs=1), write).run(cases)
    with pytest.raises(OSError, match="No space left"):
        asyncio.run(asyncio.wait_for(run, LIMIT))


def test_the_same_seed_gives_the_same_numbers(read: Read) -> None:
    isns = [play(FakeSut(), read(HANDSHAKE), seed=seed).popitem()[1].trace.connections["default"].peer_isn for seed in (1, 1, 2)]
    assert isns[0] == isns[1] != isns[2]
