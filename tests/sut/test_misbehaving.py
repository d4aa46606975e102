"""An adapter that misbehaves costs the case in which it does: *error*, with what was wrong. The next is judged, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.case.case import Case
from conformance.case.loader import load_suite
from conformance.engine.runner import Runner, RunnerOptions
from conformance.result import CaseResult, Verdict
from conformance.sut import external_real, program
from conformance.sut.base import SutFault
from conformance.sut.external import External
from conformance.sut.external_real import ExternalReal
from conformance.sut.manifest import Manifest
from conformance.sut.program import AdapterProcess

from .misbehaving import MODES
from .needs import namespaces

CASES = Path(__file__).parents[2] / "cases"
CALL_SECONDS, BEGIN_SECONDS = 4.0, 8.0
"""Short, and yet more than a busy machine takes for nothing at all."""
CASE = """\
title: A SYN is answered, and a blocking accept returns
requirements: [RFC9293/3.5]
families: [ipv4]
steps:
  - call:   s = socket()
  - call:   bind(s, port)
  - call:   listen(s, 8)
  - start:  c = accept(s)
  - inject: S 0:0(0) win 65535 <mss 1460>
  - expect: S. 0:0(0) ack 1
  - state:  SYN-RECEIVED
  - inject: . 1:1(0) ack 1
  - finish: c
  - state:  c ESTABLISHED
  - silence: 50ms
"""

FAULTS = {
    "exits-in-a-call": "ended with status 3 (listen)",
    "is-killed": "died of SIGKILL (listen)",
    "aborts": "died of SIGABRT (listen); it wrote: assertion failed: stack.c:42",
    "dies-within-a-line": "ended with status 0 (listen)",
    "dies-in-a-call-that-waits": "ended with status 3 (",
    "hangs": "does not answer listen within 4 s",
    "hangs-in-reset": "does not answer reset within 8 s",
    "dies-in-reset": "ended with status 3 (reset)",
    "cannot-reset": "cannot reset: no memory for a stack",
    "refuses": "cannot listen: no such method",
    "prints-no-json": "printed what is no message: listening on port 5000",
    "prints-octets": "printed what is no message",
    "prints-a-list": 'printed what is no JSON-RPC 2.0 message (an object with "jsonrpc": "2.0"): [1, 2, 3]',
    "nests-deeply": "printed what is no message",
    "no-version": "printed what is no JSON-RPC 2.0 message",
    "no-result": "answered with neither result nor error",
    "result-is-a-list": "a result must be an object, not []",
    "another-id": "answers request 4711, which was not asked or is answered already",
    "id-is-text": "answered without the id of a request",
    "answers-twice": ", which was not asked or is answered already",
    "answers-the-next": ", which was not asked or is answered already",
    "another-blocks": "says that request 4711 blocks",
    "no-id-blocks": "says that request [1] blocks",
    "handle-is-text": 'socket returned {"next": null, "value": "three"}, which is not what it gives',
    "handle-is-missing": 'socket returned {"next": null}, which is not what it gives',
    "errno-is-a-number": "listen failed with 98, which is no errno's name",
    "errno-is-unknown": "listen failed with EWHATEVER, which is no errno's name",
    "state-is-unknown": "ASLEEP is no state: CLOSED, LISTEN",
    "state-is-missing": "null is no state",
    "move-is-unknown": "OPEN is no state",
    "move-has-no-ends": "stateChanged names no two ends",
    "floods-messages": "floods: more messages than any case needs",
    "floods-a-line": "prints a line of more than 16777216 octets",
    "floods-large-lines": "floods: more messages than any case needs",
    "floods-errors": "does not answer listen within 4 s; it wrote: xxx",
    "floods-frames": "floods: more frames than any case needs",
    "floods-questions": "floods: more frames than any case needs",
    "closes-output": "closed its standard output (listen)",
    "leaves-a-child": "ended with status 5 (listen)",
}
"""On either clock."""
VIRTUAL_FAULTS = {
    "next-is-text": "answers listen with next 'soon', which must be a time in ns or null",
    "wakes-in-the-past": "has no end of things to do at",
    "wakes-ever-earlier": "has no end of things to do at",
    "asks-for-the-gateway": "has no end of things to do at",
}
NO_FAULTS = ("complains", "sends-elsewhere")
ELSEWHERE = {"exits-at-once", "ignores-the-end", "lies-about-a-state"}
"""These have tests of their own."""


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "CALL_SECONDS", CALL_SECONDS)
    monkeypatch.setattr(program, "BEGIN_SECONDS", BEGIN_SECONDS)
    monkeypatch.setattr(external_real, "_MOST_LANES", 1)


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No process that a test has started, however indirectly, runs after it."""
    monkeypatch.setenv("MISBEHAVING", str(tmp_path))
    yield
    left = [process for process in Path("/proc").glob("[0-9]*") if f"MISBEHAVING={tmp_path}".encode() in _environment(process)]
    assert not [process for process in left if process.name != str(os.getpid())]


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("small")
    (folder / "small.yaml").write_text(CASE)
    suite = load_suite(folder, fallback=CASES)
    assert not suite.errors
    return suite.cases[0]


def manifest(tmp_path: Path, mode: str, clock: str, link: str = "socket") -> Manifest:
    script = str(Path(__file__).with_name("misbehaving.py"))
    command = (sys.executable, "-S", script, mode, str(tmp_path / "marker"))
    return Manifest("misbehaving", mode, command, tmp_path, clock, link, tmp_path / "adapter.yaml")


def adapter_of(sut: External | ExternalReal) -> AdapterProcess:
    """The one that serves all cases here."""
    if isinstance(sut, ExternalReal):
        return sut._lanes[0].process
    assert sut._adapter is not None
    return sut._adapter.process


def play(
    made: Manifest, case: Case, marker: Path, rounds: int = 3, between: Callable[[AdapterProcess], None] | None = None
) -> list[CaseResult]:
    """The same case a few times; from the second on the adapter may misbehave, after ``between``."""
    sut = External(made) if made.clock == "virtual" else ExternalReal(made)
    results: list[CaseResult] = []

    async def run() -> None:
        runner = Runner(sut, RunnerOptions(jobs=1), results.append)
        async with runner.ready():
            for number in range(rounds):
                if number == 1:
                    marker.touch()
                    if between is not None:
                        between(adapter_of(sut))
                        await asyncio.sleep(0.1)
                await runner.play([case])

    try:
        asyncio.run(asyncio.wait_for(run(), 100))
        if rounds == 1:
            marker.touch()
    finally:
        sut.close()
    assert len(results) == rounds
    return results


def judged(result: CaseResult) -> bool:
    """As one whose adapter behaves; in real time a busy machine may keep it from a verdict."""
    return result.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE if result.attempts > 1 else Verdict.PASS)


def reason(result: CaseResult) -> str:
    return result.failure.reason if result.failure is not None else ""


def test_each_mode_has_a_test() -> None:
    assert {*FAULTS, *VIRTUAL_FAULTS, *NO_FAULTS, *ELSEWHERE} == set(MODES)


@pytest.mark.parametrize("clock", ["virtual", "real"])
@pytest.mark.parametrize("mode", FAULTS)
def test_it_costs_one_case(tmp_path: Path, case: Case, mode: str, clock: str) -> None:
    before, during, after = play(manifest(tmp_path, mode, clock), case, tmp_path / "marker")
    assert judged(before), reason(before)
    assert (during.verdict, FAULTS[mode] in reason(during)) == (Verdict.ERROR, True), reason(during)
    assert judged(after), reason(after)


@pytest.mark.parametrize("mode", VIRTUAL_FAULTS)
def test_it_costs_one_case_on_the_virtual_clock(tmp_path: Path, case: Case, mode: str) -> None:
    before, during, after = play(manifest(tmp_path, mode, "virtual"), case, tmp_path / "marker")
    assert judged(before), reason(before)
    assert (during.verdict, VIRTUAL_FAULTS[mode] in reason(during)) == (Verdict.ERROR, True), reason(during)
    assert judged(after), reason(after)


@pytest.mark.parametrize("clock", ["virtual", "real"])
@pytest.mark.parametrize("mode", NO_FAULTS)
def test_what_is_nobodys_business_costs_nothing(tmp_path: Path, case: Case, mode: str, clock: str) -> None:
    results = play(manifest(tmp_path, mode, clock), case, tmp_path / "marker")
    assert all(map(judged, results)), [reason(result) for result in results]


def test_a_lie_is_held_against_the_stack(tmp_path: Path, case: Case) -> None:
    """Nobody can know better what state it is in."""
    before, during, after = play(manifest(tmp_path, "lies-about-a-state", "virtual"), case, tmp_path / "marker")
    assert judged(before) and judged(after)
    assert during.verdict is Verdict.FAIL and during.failure is not None and "CLOSE-WAIT" in during.failure.actual


# Beginning and end ----------------------------------------------------------------------------------------------------


def ended(process: AdapterProcess) -> None:
    """From outside, between two cases."""
    os.kill(process.pid, signal.SIGKILL)
    process._process.wait()


@pytest.mark.parametrize("clock", ["virtual", "real"])
def test_one_that_dies_between_cases_costs_none(tmp_path: Path, case: Case, clock: str) -> None:
    results = play(manifest(tmp_path, "complains", clock), case, tmp_path / "marker", between=ended)
    assert all(map(judged, results)), [reason(result) for result in results]


@pytest.mark.parametrize("clock", ["virtual", "real"])
def test_one_that_does_not_start_again_costs_the_case(tmp_path: Path, case: Case, clock: str) -> None:
    before, during, after = play(manifest(tmp_path, "exits-at-once", clock), case, tmp_path / "marker", between=ended)
    assert judged(before), reason(before)
    assert (during.verdict, "ended with status 7 (initialize)" in reason(during)) == (Verdict.ERROR, True), reason(during)
    assert judged(after), reason(after)


def test_many_cases_wait_for_no_adapter_that_never_comes(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those for which one was to be started, nor those that waited for room."""
    made = manifest(tmp_path, "exits-in-a-call", "real")
    made = replace(made, command=("/bin/sh", "-c", 'mkdir once && exec "$0" "$@"', *made.command))
    monkeypatch.setattr(external_real, "_MOST_LANES", 2)
    results: list[CaseResult] = []
    sut = ExternalReal(made)
    try:
        (tmp_path / "marker").touch()
        asyncio.run(asyncio.wait_for(Runner(sut, RunnerOptions(), results.append).run([case] * 8), 100))
    finally:
        sut.close()
    reasons = sorted(reason(result).partition(";")[0] for result in results)
    assert [result.verdict for result in results] == [Verdict.ERROR] * 8
    assert reasons == ["the adapter sh ended with status 1 (initialize)"] * 7 + ["the adapter sh ended with status 3 (listen)"]


def test_one_that_serves_many_cases_costs_them_all(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    made = manifest(tmp_path, "exits-in-a-call", "real")
    made = replace(made, command=(*made.command, "shared"))
    monkeypatch.setattr(external_real, "_MOST_SHARED", 1)
    rounds: list[list[CaseResult]] = []
    sut = ExternalReal(made)

    async def run() -> None:
        for at_once in (1, 5, 1):
            rounds.append([])
            await Runner(sut, RunnerOptions(), rounds[-1].append).run([case] * at_once)
            (tmp_path / "marker").touch()

    try:
        asyncio.run(asyncio.wait_for(run(), 100))
    finally:
        sut.close()
    (before,), during, _ = rounds
    assert judged(before), reason(before)
    assert len(during) == 5
    costs = [result for result in during if result.verdict is Verdict.ERROR]
    assert costs and all("ended with status 3 (" in reason(result) for result in costs), [reason(result) for result in during]


@pytest.mark.parametrize("link", ["socket", pytest.param("tap", marks=namespaces)])
@pytest.mark.parametrize("clock", ["virtual", "real"])
def test_one_that_does_not_end_is_ended(tmp_path: Path, case: Case, clock: str, link: str) -> None:
    """``nothing_left`` looks."""
    if (clock, link) != ("virtual", "tap"):
        (result,) = play(manifest(tmp_path, "ignores-the-end", clock, link), case, tmp_path / "marker", rounds=1)
        assert judged(result), reason(result)


@pytest.mark.parametrize("clock", ["virtual", "real"])
@pytest.mark.parametrize(
    ("program_", "why"),
    [
        ("/nonexistent/adapter", "No such file or directory"), ("/", "Permission denied"), ("plain", "Permission denied"),
        ("nothing", "Exec format error"), ("a\0b", "null byte"), ("no-such-program-anywhere", "No such file or directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_executed_is_told(tmp_path: Path, program_: str, why: str, clock: str) -> None:
    (tmp_path / "plain").write_text("no program\n")
    (tmp_path / "nothing").write_bytes(b"\0")
    (tmp_path / "nothing").chmod(0o755)
    command = str(tmp_path / program_) if program_ in ("plain", "nothing") else program_
    made = replace(manifest(tmp_path, "", clock), command=(command,))
    with pytest.raises(SutFault, match=why):
        (External if clock == "virtual" else ExternalReal)(made)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SutFault, match="cannot be started"):
        External(replace(manifest(tmp_path, "hangs", "virtual"), folder=tmp_path / "gone"))


# Over a TAP device ----------------------------------------------------------------------------------------------------


@namespaces
@pytest.mark.parametrize("mode", ["exits-in-a-call", "leaves-a-child", "floods-frames", "floods-questions", "hangs"])
def test_it_costs_one_case_over_tap(tmp_path: Path, case: Case, mode: str) -> None:
    before, during, after = play(manifest(tmp_path, mode, "real", "tap"), case, tmp_path / "marker")
    assert judged(before), reason(before)
    assert (during.verdict, FAULTS[mode] in reason(during)) == (Verdict.ERROR, True), reason(during)
    assert judged(after), reason(after)


@namespaces
def test_what_is_nobodys_business_costs_nothing_over_tap(tmp_path: Path, case: Case) -> None:
    results = play(manifest(tmp_path, "sends-elsewhere", "real", "tap"), case, tmp_path / "marker")
    assert all(map(judged, results)), [reason(result) for result in results]
