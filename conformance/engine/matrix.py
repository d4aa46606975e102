"""Several stacks in one run: a process for each, as many at once as there are processors, and one table of what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.engine.interruption import Interruption
from conformance.engine.status import Exit, UsageError
from conformance.report.json_lines import Results, ResultsError, read_results
from conformance.report.matrix import Matrix, merge
from conformance.report.safe_text import printable
from conformance.sut import registry

if TYPE_CHECKING:
    from conformance.engine.session import Request

__all__ = ["run_matrix"]

_SEVERITY = (Exit.VIOLATIONS, Exit.USAGE, Exit.ENVIRONMENT, Exit.AS_REQUIRED)
"""Of several exit statuses the first of these is that of the whole."""
_PROGRESS = 10.0
"""Seconds between two lines of progress."""
_KEPT = 400
"""Characters of what a run that did not come about said last."""


@dataclass(slots=True)
class _Part:
    """One stack's run."""

    sut: str
    results: Path
    status: int = Exit.ENVIRONMENT
    said: str = ""
    """On standard error, the last."""
    process: asyncio.subprocess.Process | None = None
    read: Results | None = None
    played: int = 0
    _offset: int = field(default=0, repr=False)

    def progress(self) -> int:
        """How many case runs are over."""
        if self.results.exists():
            with self.results.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
            self._offset += len(new)
            self.played += new.count(b'{"type": "case"')
        return self.played


def run_matrix(request: Request, suts: Sequence[str]) -> int:
    """Run the cases on each of these stacks, show the matrix, write its JSON, and give the exit status."""
    _check(request, suts)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder, Interruption() as interruption:
        parts = [_Part(sut, Path(folder, f"{number}.jsonl")) for number, sut in enumerate(suts)]
        started = time.monotonic()
        asyncio.run(_run_all(request, parts, interruption))
        for part in parts:
            _read(part)
        interrupted = bool(interruption.signal)
        _report(request, parts, time.monotonic() - started, interrupted)
    if interruption.signal:
        return 128 + interruption.signal
    statuses = {part.status for part in parts}
    return next((status for status in _SEVERITY if status in statuses), Exit.ENVIRONMENT)


def _check(request: Request, suts: Sequence[str]) -> None:
    for sut in suts:
        if reason := registry.unknown(sut):
            raise UsageError(reason)
    if twice := [sut for sut in suts if suts.count(sut) > 1]:
        raise UsageError(f"--sut names {twice[0]} twice")
    for option, given in (("--junit", request.junit), ("--tap", request.tap), ("--expectations", request.expectations)):
        if given:
            raise UsageError(f"{option} goes with one SUT; {len(suts)} were named")
    if request.against:
        raise UsageError(f"--against goes with one SUT; {len(suts)} were named")


def _command(request: Request, part: _Part) -> list[str]:
    words = [sys.executable, "-m", "conformance", "run", "--sut", part.sut, "--cases", str(request.cases), "--json", str(part.results)]
    words += [
        "--family",
        ",".join(request.families),
        "--jobs",
        str(request.jobs),
        "--states",
        request.states if part.sut == "linux" else "auto",
    ]
    optional = {"-k": request.keyword, "--seed": request.seed}
    words += [str(word) for option, value in optional.items() if value not in (None, "") for word in (option, value)]
    if request.captures:
        words += ["--captures", str(request.captures / _file_name(part.sut))]
    words += [option for option, on in (("--slow", request.slow), ("--shuffle", request.shuffle)) if on]
    return [*words, "--", *map(str, request.paths)]


def _file_name(sut: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in sut)


async def _run_all(request: Request, parts: Sequence[_Part], interruption: Interruption) -> None:
    places = asyncio.Semaphore(os.cpu_count() or 1)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for part in parts:
            if part.process is not None and part.process.returncode is None:
                part.process.send_signal(signal.SIGINT)

    interruption.listen(lambda: loop.call_soon_threadsafe(stop))

    async def one(part: _Part) -> None:
        async with places:
            if interruption.signal:
                return
            part.process = await asyncio.create_subprocess_exec(
                *_command(request, part),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C comes to this process, which passes it on, once
            )
            _, errors = await part.process.communicate()
            part.status = part.process.returncode or 0
            part.said = printable(errors.decode(errors="replace").strip()[-_KEPT:])

    watch = asyncio.create_task(_watch(parts))
    try:
        await asyncio.gather(*map(one, parts))
    finally:
        watch.cancel()
        interruption.listen(None)


async def _watch(parts: Sequence[_Part]) -> None:
    """A line of progress on standard error now and then."""
    started = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS)
        running = [part for part in parts if part.process is not None and part.process.returncode is None]
        played = ", ".join(f"{part.progress()} case runs on {part.sut}" for part in running)
        print(f"{time.monotonic() - started:.0f} s: {played}", file=sys.stderr, flush=True)


def _read(part: _Part) -> None:
    try:
        part.read = read_results(part.results)
    except (OSError, ResultsError) as error:
        part.said = part.said or str(error)


def _report(request: Request, parts: Sequence[_Part], seconds: float, interrupted: bool) -> None:
    read = {part.sut: part.read for part in parts if part.read is not None}
    matrix = Matrix.of(read, {part.sut: part.said for part in parts if part.read is None})
    if request.json:
        lines = [json.dumps(line) for line in merge(read.values(), request.arguments, seconds, interrupted)]
        text = "\n".join(lines) + "\n"
        if request.json == "-":
            sys.stdout.write(text)
        else:
            Path(request.json).write_text(text)
    matrix.show(sys.stderr if request.json == "-" else sys.stdout, seconds, _again(request), interrupted)


def _again(request: Request) -> str:
    """How to see one stack's failures."""
    return shlex.join(["conformance", "run", "--sut", "NAME", *(["-k", request.keyword] if request.keyword else [])])
