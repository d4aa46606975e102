"""Plays cases for another process, one that cannot enter a user namespace itself: the pytest plugin.

``python -m conformance.engine.worker --sut linux --cases cases [FILE]...`` reads lines of JSON, each a list of ids to play, which
may come while others are played. For each id it writes a line of JSON when its case is over:

==============  ==============================================================================================================
``id``          the id that was asked for
``judgement``   one of :class:`conformance.report.judgement.Judgement`
``reason``      why it does not pass, in a sentence
``ladder``      the exchange and what was expected instead, drawn as text, if the verdict is not the expected one
``record``      the :class:`conformance.report.records.CaseRecord`, or null if the case was not played
==============  ==============================================================================================================

or once, instead of everything else, ``{"fault": why this machine cannot play cases}``. It ends when standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import shlex
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from conformance.case.expectations import Expectations, load_expectations
from conformance.case.loader import Suite
from conformance.engine.invariants import hold
from conformance.engine.ready import build_packets
from conformance.engine.replay_suite import load_all
from conformance.engine.runner import Runner, RunnerOptions
from conformance.link.errors import EnvironmentFault
from conformance.report.judgement import Judgement, judge
from conformance.report.ladder import ladder_text
from conformance.report.records import CaseRecord
from conformance.result import CaseResult
from conformance.sut import registry
from conformance.sut.base import AnySut, VirtualSut

__all__ = ["main"]

_FAREWELL = 10
"""Seconds to give everything back once nobody asks any more; what hangs then is killed."""
_LONGEST_LINE = 1 << 26
_SWITCH = 0.0005
"""Seconds after which a thread that draws lets the one that plays go on."""


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser(prog="conformance.engine.worker", description="Plays cases for another process.")
    parser.add_argument("--sut", help="default: linux where this machine can test it, else reference")
    parser.add_argument("--cases", type=Path, required=True, help="the case folder")
    parser.add_argument("files", type=Path, nargs="*", help="only these case files")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, and comes here as the end of standard input
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)  # whatever else is printed must not look like an answer
        try:
            sut = registry.make(arguments.sut) if arguments.sut else registry.choose()[0]
        except EnvironmentFault as fault:
            out.write(_line({"fault": str(fault)}))
            return
        try:
            _play(sut, arguments.cases, arguments.files, out)
        finally:
            sut.close()


def _play(sut: AnySut, root: Path, files: Sequence[Path], out: BinaryIO) -> None:
    known = root / "expectations" / f"{sut.name}.yaml"
    expectations = load_expectations(known) if known.is_file() else Expectations()
    if expectations.errors:
        out.write(_line({"fault": "\n".join(map(str, expectations.errors))}))
        return
    sys.setswitchinterval(_SWITCH)
    asyncio.run(_serve(sut, load_all(root, files), expectations, out))


async def _serve(sut: AnySut, suite: Suite, expectations: Expectations, out: BinaryIO) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=_LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer)
    # Answers wait in this transport while the other side is busy: they must never keep the cases waiting.
    answers, _ = await loop.connect_write_pipe(asyncio.Protocol, out)
    tasks = asyncio.TaskGroup()
    desk = _Desk(sut, suite, expectations, answers, tasks)
    async with desk.runner.ready(), tasks:
        async for line in lines:
            tasks.create_task(desk.play(json.loads(line)))
        signal.alarm(_FAREWELL)
        desk.runner.stop()


class _Desk:
    """Takes ids, and gives an answer for each."""

    def __init__(
        self, sut: AnySut, suite: Suite, expectations: Expectations, answers: asyncio.WriteTransport, tasks: asyncio.TaskGroup
    ) -> None:
        self._sut, self._suite, self._expectations, self._answers, self._tasks = sut, suite, expectations, answers, tasks
        self._cases = {case.id: case for case in suite.cases}
        self._texts = {requirement.id: requirement.text for requirement in suite.register}
        self._drawer = ThreadPoolExecutor(1)
        self.runner = Runner(sut, RunnerOptions(seed=secrets.randbits(32)), self._take)

    async def play(self, ids: list[str]) -> None:
        """Play the cases with these ids."""
        cases = []
        for id in ids:
            case = self._cases.get(id)
            errors = build_packets([case])[1] if case else ["this case was there when the cases were collected, and is not there any more"]
            if case and not errors:
                cases.append(case)
            else:
                self._answer(id, Judgement.ERROR, "\n".join(map(str, errors)))
        await self.runner.play(cases)

    def _take(self, result: CaseResult) -> None:
        """A case is over."""
        self._tasks.create_task(self._report(result))

    async def _report(self, result: CaseResult) -> None:
        slack = 0 if isinstance(self._sut, VirtualSut) else None
        await asyncio.get_running_loop().run_in_executor(self._drawer, hold, result, self._expectations, slack)
        result.hold_against(self._expectations.lookup(result.case.id))
        ladder = ""
        if result.failure is not None and not result.expected:  # to draw takes milliseconds, which cases that are played do not have
            ladder = await asyncio.get_running_loop().run_in_executor(self._drawer, self._ladder, result)
        self._answer(result.case.id, judge(result), result.failure.reason if result.failure else "", ladder, CaseRecord.of(result))

    def _ladder(self, result: CaseResult) -> str:
        again = f"conformance run --cases {shlex.quote(os.path.relpath(self._suite.root))} -k {shlex.quote(result.case.id)}"
        return ladder_text(result, self._texts, command=lambda _: again)

    def _answer(self, id: str, judgement: Judgement, reason: str, ladder: str = "", record: CaseRecord | None = None) -> None:
        played = asdict(record) if record else None
        self._answers.write(_line({"id": id, "judgement": judgement, "reason": reason, "ladder": ladder, "record": played}))


def _line(answer: dict[str, object]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


if __name__ == "__main__":
    main()
