"""``conformance replay``: from a capture on the command line to what a stack makes of it, reports and an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from conformance.capture.errors import CaptureError
from conformance.case.case import Case
from conformance.engine.interruption import Interruption
from conformance.engine.replay_capture import Captured, read_captured
from conformance.engine.replay_case import ReplayOptions, replay_case
from conformance.engine.replay_compare import explained
from conformance.engine.replay_suite import LINGER
from conformance.engine.runner import Runner, RunnerOptions
from conformance.engine.status import Exit, UsageError
from conformance.report.files import unwritable
from conformance.report.replaying import Explained, Meaning, ReplayLines, ReplaySummary, show_replay
from conformance.result import CaseResult, Verdict
from conformance.sut import registry
from conformance.sut.base import AnySut, VirtualSut

__all__ = ["ReplayRequest", "run"]

_UNPLAYED = (Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIPPED)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What to replay, and how."""

    file: Path
    sut: str = ""
    """None: Linux where this machine can test it, else the reference stack."""
    connection: int | None = None
    """Its number in the capture, from 1; None: the only one, or the first in which the oracle finds a violation."""
    sut_side: str = ""
    """``client`` or ``server``: whose place the SUT takes; empty: as the capture says, else the server's."""
    keep: bool = True
    """Wait as long as the capture's peer and applications did."""
    json: str | None = None
    every: bool = False
    """Show all differences, and all of the exchange."""
    seed: int = 0


def run(request: ReplayRequest) -> int:
    """Replay, say what differs, and give the exit status. Raises UsageError and EnvironmentFault before it plays."""
    _check(request)
    try:
        captured = read_captured(request.file, request.connection, request.sut_side)
        case = _case(request, captured)
    except CaptureError as error:
        raise UsageError(str(error)) from None
    except ValueError as error:
        raise UsageError(f"{request.file} cannot be replayed: {error}") from None
    with Interruption() as interruption:
        sut = registry.make(request.sut) if request.sut else registry.choose()[0]
        with contextlib.closing(sut):
            result = _play(sut, case, request.seed, interruption)
            if result is None:
                return 128 + interruption.signal
            slack = 0 if isinstance(sut, VirtualSut) else None
            found = [] if result.verdict in _UNPLAYED else explained(captured, result.trace, times=request.keep, slack=slack)
            return _report(request, sut, captured, result, found)


def _check(request: ReplayRequest) -> None:
    if request.sut and (reason := registry.unknown(request.sut)):
        raise UsageError(reason)
    if request.sut_side not in ("", "client", "server"):
        raise UsageError(f"--sut-side {request.sut_side}: client or server")
    if not request.file.exists():
        raise UsageError(f"there is no {request.file}: a capture is expected")
    if request.json not in (None, "-") and (reason := unwritable(str(request.json), in_place=True)):
        raise UsageError(f"--json {request.json} cannot be written: {reason}")


def _case(request: ReplayRequest, captured: Captured) -> Case:
    options = ReplayOptions(
        id=f"replay/{request.file.name}",
        title=f"Replay of {captured.name}",
        file=str(request.file),
        config=captured.config,
        octets=captured.octets,
        keep=request.keep,
        linger=LINGER,
        judged=False,
    )
    return replay_case(captured.trace, options)


def _play(sut: AnySut, case: Case, seed: int, interruption: Interruption) -> CaseResult | None:
    """The case's result; None after a signal."""
    results: list[CaseResult] = []

    async def play() -> None:
        runner = Runner(sut, RunnerOptions(jobs=1, seed=seed), results.append)
        loop = asyncio.get_running_loop()
        interruption.listen(lambda: loop.call_soon_threadsafe(runner.stop))
        try:
            await runner.run([case])
        finally:
            interruption.listen(None)

    asyncio.run(play())
    return results[0] if results and not interruption.signal else None


def _report(request: ReplayRequest, sut: AnySut, captured: Captured, result: CaseResult, found: list[Explained]) -> int:
    summary = ReplaySummary.of(captured.name, sut.facts(), captured.trace, result, found)
    show_replay(sys.stderr if request.json == "-" else sys.stdout, summary, result, found, request.every)
    if request.json:
        with ReplayLines(request.json) as lines:
            lines.replay(found, summary)
    if result.verdict in _UNPLAYED:
        return Exit.ENVIRONMENT
    wrong = any(one.meaning in (Meaning.VIOLATION, Meaning.DIFFERENT) for one in found)
    return Exit.VIOLATIONS if wrong else Exit.AS_REQUIRED
