"""A whole run: from what was asked for on the command line to results, reports and an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from conformance.capture.golden import golden_name
from conformance.capture.pcapng import numbers_of
from conformance.case.case import Case
from conformance.case.errors import CaseError
from conformance.case.expectations import Expectations, load_expectations
from conformance.case.loader import Suite
from conformance.case.selection import SelectionError, selector
from conformance.engine.against import Against, open_golden
from conformance.engine.captures import Captures, Recording
from conformance.engine.interruption import Interruption
from conformance.engine.invariants import hold, is_long, unknown_rules
from conformance.engine.ready import build_packets
from conformance.engine.replay_suite import all_ids, load_all
from conformance.engine.runner import Runner, RunnerOptions
from conformance.engine.status import Exit, UsageError
from conformance.report.comparison import Comparison
from conformance.report.console import Console
from conformance.report.files import unwritable
from conformance.report.json_lines import JsonLines
from conformance.report.judgement import Judgement, judge
from conformance.report.junit import write_junit
from conformance.report.records import Run, Summary
from conformance.report.tap import write_tap
from conformance.result import CaseResult, Failure, Verdict
from conformance.sut import registry
from conformance.sut.base import AnySut, VirtualSut
from conformance.wire.segment import Family

__all__ = ["Exit", "Request", "UsageError", "run", "select"]


class Taker(Protocol):
    """What is done with a result."""

    def __call__(self, result: CaseResult, playing: bool = True) -> None: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What to run, and what to write."""

    cases: Path
    """The case folder."""
    paths: tuple[Path, ...] = ()
    """Files and folders below it; all if there are none."""
    sut: str = ""
    """Its name; none: Linux where this machine can test it, else the reference stack."""
    states: str = "auto"
    keyword: str = ""
    families: tuple[Family, ...] = tuple(Family)
    slow: bool = False
    jobs: int = 64
    seed: int | None = None
    json: str | None = None
    junit: str | None = None
    tap: str | None = None
    captures: Path | None = None
    record: Path | None = None
    """Where the stack's folder of recordings belongs."""
    against: Path | None = None
    """A folder of recordings to compare with."""
    expectations: Path | None = None
    """None: those of the SUT in the case folder, if there are any."""
    every_failure: bool = False
    """Show all failures in full, not only the first."""
    shuffle: bool = False
    arguments: tuple[str, ...] = ()
    """The command line, for the record."""


def select(suite: Suite, request: Request, *, slow: bool | None = None) -> list[Case]:
    """The cases that the request names; those that are slow if it says so, or if they are not on this stack (None: not known yet).

    Raises UsageError if it names none though the suite has some.
    """
    wanted = _wanted(request)
    named = [case for case in suite.cases if wanted(case.id)]
    chosen = named if request.slow or slow is not False else [case for case in named if "slow" not in case.tags]
    if not chosen and not suite.errors:
        hint = f"; {len(named)} are marked slow and run with --slow" if named else ""
        raise UsageError(f"no case is selected, of {len(suite.cases)} in {suite.root}{hint}")
    return chosen


def _wanted(request: Request) -> Callable[[str], bool]:
    """Is a case run of this id asked for?"""
    try:
        return selector(request.keyword)
    except SelectionError as error:
        raise UsageError(str(error)) from None


def run(request: Request) -> int:
    """Run the cases, write the reports, and give the exit status. Raises UsageError and EnvironmentFault before anything has run."""
    suts = [name.strip() for name in request.sut.split(",")]
    _check(request, suts)
    if len(suts) > 1:
        from conformance.engine.matrix import run_matrix

        return run_matrix(request, suts)
    golden = open_golden(request.against, request.cases) if request.against else None
    suite = load_all(request.cases, request.paths, families=request.families, fallback=request.cases, wanted=_wanted(request))
    select(suite, request)
    with Interruption() as interruption:
        sut, chosen = _stack(request)
        with contextlib.closing(sut):
            cases, unbuildable = build_packets(select(suite, request, slow=isinstance(sut, VirtualSut)))
            suite.errors += unbuildable
            file = _expectations_file(request, suite, sut.name)
            expectations = load_expectations(file) if file else Expectations()
            suite.errors += [*expectations.errors, *unknown_rules(expectations)]
            if not request.paths and set(request.families) == set(Family) and not suite.errors:
                suite.errors += [
                    CaseError("an expectation of no case", entry.file, entry.line, found=entry.case, expected="a case that there is")
                    for entry in expectations.unused(list(all_ids(suite)))
                ]
            shown = {sut.name: os.path.relpath(file)} if file else {}
            session = _Session(request, suite, cases, expectations, shown, sut, interruption, chosen)
            session.against = Against(golden) if golden else None
            return session.play()


def _stack(request: Request) -> tuple[AnySut, str]:
    """The stack under test, and why it is this one if it was not asked for."""
    if request.sut:
        return registry.make(request.sut, request.states), ""
    if request.states != "auto":  # which only Linux has
        return registry.make("linux", request.states), ""
    return registry.choose()


def _check(request: Request, suts: Sequence[str]) -> None:
    """Say what cannot be before anything runs, and not when everything has."""
    for sut in suts if request.sut else ():
        if reason := registry.unknown(sut):
            raise UsageError(reason)
    if request.states not in registry.STATE_SOURCES:
        raise UsageError(f"there is no source of states {request.states!r}: {', '.join(registry.STATE_SOURCES)}")
    for path in (request.cases, *request.paths):
        if not path.exists():
            raise UsageError(f"there is no {path}: a case file or a folder with cases is expected")
    reports = [("--json", request.json), ("--junit", request.junit), ("--tap", request.tap)]
    if sum(path == "-" for _, path in reports) > 1:
        raise UsageError("only one report can go to standard output")
    for option, report in reports:
        if report not in (None, "-") and (reason := unwritable(str(report), in_place=option == "--json")):
            raise UsageError(f"{option} {report} cannot be written: {reason}")
    for option, folder in (("--captures", request.captures), ("--out", request.record)):
        try:
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{option} {folder} cannot be made: {error.strerror}") from None


def _expectations_file(request: Request, suite: Suite, sut: str) -> Path | None:
    """The file that says what the SUT is known not to keep; None if the suite has none for it."""
    path = request.expectations or suite.root / "expectations" / f"{sut}.yaml"
    if path.is_file():
        return path
    if request.expectations is not None:
        raise UsageError(f"there is no file of expectations {path}")
    return None


@dataclass(slots=True)
class _Session:
    """A run that is going on."""

    request: Request
    suite: Suite
    cases: list[Case]
    expectations: Expectations
    expectations_files: dict[str, str]
    sut: AnySut
    interruption: Interruption
    chosen: str
    """Why this stack is under test, if it was not asked for."""
    results: list[CaseResult] = field(default_factory=list)
    waiting: list[CaseResult] = field(default_factory=list)
    """Those of long traces, which are judged when no case is being played."""
    captures: Captures | None = None
    recording: Recording | None = None
    against: Against | None = None

    def play(self) -> int:
        """Everything, in order."""
        request = self.request
        seed = secrets.randbits(32) if request.seed is None else request.seed
        facts = Run(suts=(self.sut.facts(),), seed=seed, arguments=request.arguments)
        sut = facts.suts[0]
        self.captures = Captures(request.captures, sut, seed, isinstance(self.sut, VirtualSut)) if request.captures else None
        if request.record:
            self.recording = Recording(request.record / golden_name(sut), replace(sut, version=numbers_of(sut.version)), seed)
        texts = {requirement.id: requirement.text for requirement in self.suite.register}
        quiet = "-" in (request.json, request.junit, request.tap)
        # Standard output belongs to the report that was sent there.
        console = Console(
            sys.stderr if quiet else sys.stdout,
            limit=None if request.every_failure else 5,
            command=self._again,
            expectations=self.expectations_files,
        )
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            stack.enter_context(console)
            lines = stack.enter_context(JsonLines(request.json)) if request.json else None
            if lines:
                lines.start(facts)
                for error in self.suite.errors:
                    lines.broken(error)
            console.start(len(self.cases), facts.suts, seed, self.chosen)
            take = self._taker(console, lines)
            asyncio.run(self._play(seed, take, console))
            for result in self.waiting:
                take(result, False)
            if not self.interruption.signal:
                self._account(take)
            seconds = time.monotonic() - started
            comparisons = self._comparisons(sut.name)
            summary = Summary.of(self.results, {error.file for error in self.suite.errors}, seconds, bool(self.interruption.signal))
            if lines:
                for comparison in comparisons:
                    lines.comparison(comparison)
                lines.finish(summary)
        if request.junit:
            write_junit(request.junit, self.results, facts, self.suite.errors, texts)
        if request.tap:
            write_tap(request.tap, self.results, facts, self.suite.errors, bool(self.interruption.signal))
        console.finish(
            self.results, self.suite.errors, seconds=seconds, interrupted=bool(self.interruption.signal), requirement_texts=texts
        )
        if self.against and not self.interruption.signal:
            console.compared(comparisons, sut.name, self.against.golden.name, self.against.errors)
        if self.recording:
            recorded = self.recording.finish({case.id for case in self.suite.cases} if set(request.families) == set(Family) else None)
            console.recorded(str(recorded.folder), recorded.runs, recorded.files, recorded.octets, recorded.unchanged, recorded.unjudged)
        return 128 + number if (number := self.interruption.signal) else self._status()

    async def _play(self, seed: int, take: Callable[[CaseResult], None], console: Console) -> None:
        runner = Runner(
            self.sut,
            RunnerOptions(jobs=self.request.jobs, seed=seed, shuffle=self.request.shuffle),
            take,
            lambda case_id: console.running(case_id, self.sut.name),
        )
        loop = asyncio.get_running_loop()
        self.interruption.listen(lambda: loop.call_soon_threadsafe(runner.stop))
        try:
            await runner.run(self.cases)
        finally:
            self.interruption.listen(None)

    def _comparisons(self, sut: str) -> list[Comparison]:
        """Each case run beside the recording, if one was named."""
        if self.against is None or self.interruption.signal:
            return []
        request = self.request
        complete = not (request.paths or request.keyword) and set(request.families) == set(Family) and not self.suite.errors
        return list(self.against.compare(self.results, sut, [case.id for case in self.suite.cases] if complete else None))

    def _status(self) -> Exit:
        status = _exit(self.results, self.suite.errors)
        broken = self.against is not None and bool(self.against.errors)
        return Exit.USAGE if broken and status is Exit.AS_REQUIRED else status

    def _again(self, result: CaseResult) -> str:
        """The command that runs this case alone."""
        words = ["conformance", "run"]
        if self.request.cases != Path("cases"):
            words += ["--cases", str(self.request.cases)]
        if self.sut.name != "linux":
            words += ["--sut", self.sut.name]
        if "slow" in result.case.tags and not isinstance(self.sut, VirtualSut):
            words.append("--slow")
        return shlex.join([*words, "-k", result.case.id])

    def _account(self, take: Callable[[CaseResult], None]) -> None:
        """Each case that was to run has a result; one that was lost is the tester's mistake, and shows."""
        done = {result.case.id for result in self.results}
        for case in self.cases:
            if case.id not in done:
                failure = Failure(case.file, 1, case.title, "the tester lost this case run")
                take(CaseResult(case, self.sut.name, Verdict.ERROR, 0.0, failure=failure))

    def _taker(self, console: Console, lines: JsonLines | None) -> Taker:
        """What is done with a result as soon as it is there, so that a run that is killed keeps it."""

        virtual = isinstance(self.sut, VirtualSut)

        def take(result: CaseResult, playing: bool = True) -> None:
            if playing and not virtual and is_long(result):
                self.waiting.append(result)
                return
            hold(result, self.expectations, 0 if virtual else None)
            result.hold_against(self.expectations.lookup(result.case.id))
            if self.captures and result.trace.events:
                result.capture = str(self.captures.write(result))
            if self.recording:
                self.recording.add(result)
            self.results.append(result)
            if lines:
                lines.case(result)
            console.result(result)

        return take


def _exit(results: Sequence[CaseResult], broken: Sequence[CaseError]) -> Exit:
    if any(result.violation for result in results):
        return Exit.VIOLATIONS
    if broken or any(judge(result) is Judgement.UNEXPECTED_PASS for result in results):
        return Exit.USAGE
    if any(result.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE) and not result.expected for result in results):
        return Exit.ENVIRONMENT
    return Exit.AS_REQUIRED
