"""Plays cases for another process, one that cannot enter a user namespace itself: the pytest plugin.

``python -m conformance.engine.worker --sut linux --cases cases [FILE]...`` reads lines of JSON, each a list of ids to play, which
may come while others are played. For each id it writes a line of JSON when its case is over:

==============  ==============================================================================================================
``id``          the id that was asked for
``judgement``   one of :class:`conformance.report.judgement.Judgement`
``reason``      why it does not pass, in a sentence
``ladder``      the exchange and what was expected, drawn as text, if there is more to see than the reason
``record``      the :class:`conformance.report.records.CaseRecord`, or null if the files hold no such case any more
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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import BinaryIO

from conformance.case.case import Case
from conformance.case.expectations import Expectations, load_expectations
from conformance.case.loader import Suite, load_suite
from conformance.engine.runner import Runner, RunnerOptions
from conformance.link.errors import EnvironmentFault
from conformance.report.judgement import Judgement, judge
from conformance.report.ladder import ladder_text
from conformance.report.records import CaseRecord
from conformance.result import CaseResult, Verdict
from conformance.sut import registry
from conformance.sut.base import Sut

__all__ = ["main"]

_FAREWELL = 10
"""Seconds to give everything back once nobody asks any more; what hangs then is killed."""
_LONGEST_LINE = 1 << 26

_Say = Callable[[dict[str, object]], None]


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser(prog="conformance.engine.worker", description="Plays cases for another process.")
    parser.add_argument("--sut", choices=registry.SUTS, default="linux")
    parser.add_argument("--cases", type=Path, required=True, help="the case folder")
    parser.add_argument("files", type=Path, nargs="*", help="only these case files")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, and comes here as the end of standard input
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)  # whatever else is printed must not look like an answer
        try:
            sut = registry.make(arguments.sut)
        except EnvironmentFault as fault:
            out.write(_line({"fault": str(fault)}))
            return
        try:
            _play(sut, arguments.cases, arguments.files, out)
        finally:
            sut.close()


def _play(sut: Sut, root: Path, files: Sequence[Path], out: BinaryIO) -> None:
    known = root / "expectations" / f"{sut.name}.yaml"
    expectations = load_expectations(known) if known.is_file() else Expectations()
    if expectations.errors:
        out.write(_line({"fault": "\n".join(map(str, expectations.errors))}))
        return
    sys.setswitchinterval(0.0005)
    asyncio.run(_serve(sut, load_suite(root, files), expectations, out))


async def _serve(sut: Sut, suite: Suite, expectations: Expectations, out: BinaryIO) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=_LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer)
    # Answers wait in this transport while the other side is busy: they must never keep the cases waiting.
    answers, _ = await loop.connect_write_pipe(asyncio.Protocol, out)

    def say(answer: dict[str, object]) -> None:
        answers.write(_line(answer))

    cases = {case.id: case for case in suite.cases}
    runner = Runner(sut, RunnerOptions(seed=secrets.randbits(32)), _taker(say, expectations, suite))
    async with runner.ready(), asyncio.TaskGroup() as group:
        async for line in lines:
            group.create_task(runner.play(_wanted(json.loads(line), cases, say)))
        signal.alarm(_FAREWELL)
        runner.stop()


def _wanted(ids: list[str], cases: dict[str, Case], say: _Say) -> list[Case]:
    """The cases with these ids."""
    for missing in (id for id in ids if id not in cases):
        reason = "this case was there when the cases were collected, and is not there any more"
        say({"id": missing, "judgement": Judgement.ERROR, "reason": reason, "ladder": "", "record": None})
    return [cases[id] for id in ids if id in cases]


def _taker(say: _Say, expectations: Expectations, suite: Suite) -> Callable[[CaseResult], None]:
    """What is done with a result as soon as it is there."""
    texts = {requirement.id: requirement.text for requirement in suite.register}
    loop = asyncio.get_running_loop()
    drawer = ThreadPoolExecutor(1)

    def again(result: CaseResult) -> str:
        return f"conformance run --cases {shlex.quote(os.path.relpath(suite.root))} -k {shlex.quote(result.case.id)}"

    def answer(result: CaseResult, ladder: str = "") -> None:
        reason = result.failure.reason if result.failure else ""
        record = asdict(CaseRecord.of(result))
        say({"id": result.case.id, "judgement": judge(result), "reason": reason, "ladder": ladder, "record": record})

    def take(result: CaseResult) -> None:
        entry = expectations.lookup(result.case.id)
        result.expected = result.verdict == entry.verdict if entry else result.verdict in (Verdict.PASS, Verdict.SKIPPED)
        result.explanation = entry.reason if entry else ""
        if result.expected or result.failure is None:
            answer(result)
        else:  # drawing takes milliseconds, in which this thread must not stop
            drawing = loop.run_in_executor(drawer, partial(ladder_text, result, texts, command=again))
            drawing.add_done_callback(lambda done: answer(result, done.result()))

    return take


def _line(answer: dict[str, object]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


if __name__ == "__main__":
    main()
