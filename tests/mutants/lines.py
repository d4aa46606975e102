"""What each run does on the stack without a bug: once for each state of the stack, and again only for runs that are new."""

from __future__ import annotations

import hashlib
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from . import infection
from .children import Children, Limits
from .loading import load
from .mutant import Lines
from .subject import Judge, Subject

__all__ = ["Played", "differing", "measured", "reaching", "stack_hash"]

_SLICE = 100
_MOST_KEPT = 20
"""Times as many as there are now: runs that were changed since are forgotten."""
_SAVE = 20
"""Seconds after which what was found out is saved, so that a run that is ended goes on from there."""
_LONGEST = 60.0
"""Seconds of processor time that a run may take on the stack without a bug."""

Measure = Callable[[Judge, int], Any]
"""What is wanted of a run, in a form that JSON can say."""


@dataclass(frozen=True, slots=True)
class Played:
    """A run on the stack as it is."""

    wrong: str | None
    """Why it does not end as expected."""
    seconds: float
    """Of processor time."""
    lines: Lines
    """It comes through these."""


def stack_hash(subject: Subject) -> str:
    """Of all that an outcome depends on, but for the runs."""
    digest = hashlib.sha256(subject.state.encode())
    for file, text in sorted(subject.sources.items()):
        digest.update(f"{file}\0{text}\0".encode())
    return digest.hexdigest()[:24]


def measured(subject: Subject, code: Mapping[str, CodeType], folder: Path, jobs: int, tell: Callable[[str], None]) -> list[Played]:
    """Each run: whether it ends as expected, how long it takes, and the lines of the stack that it comes through."""
    files = frozenset(code)

    def measure(judge: Judge, number: int) -> tuple[str | None, float, dict[str, str]]:
        begun = time.process_time()
        wrong = judge(number)
        seconds = time.process_time() - begun
        met: dict[str, set[int]] = {}
        _trace(files, met)
        try:
            judge(number)
        finally:
            sys.settrace(None)
        return wrong, seconds, {file: f"{sum(1 << line for line in lines):x}" for file, lines in met.items()}

    found = _each_run(subject, code, folder, jobs, tell, "lines", "lines that each run comes through", measure)
    return [Played(wrong, seconds, {file: int(lines, 16) for file, lines in met.items()}) for wrong, seconds, met in found]


def differing(
    subject: Subject, code: Mapping[str, CodeType], probes: str, folder: Path, jobs: int, tell: Callable[[str], None]
) -> list[int]:
    """For each run the bits of the probed mutants whose expressions ever have another value in it; ``probes``: a hash of all of them."""
    seen: set[int] = set()
    begin = infection.install(seen)  # each process has its own copy

    def measure(judge: Judge, number: int) -> str:
        begin()
        judge(number)
        return f"{sum(1 << mutant for mutant in seen):x}"

    found = _each_run(subject, code, folder, jobs, tell, f"differing-{probes}", "mutants that each run can notice", measure)
    return [int(bits, 16) for bits in found]


def _each_run(
    subject: Subject,
    code: Mapping[str, CodeType],
    folder: Path,
    jobs: int,
    tell: Callable[[str], None],
    name: str,
    title: str,
    measure: Measure,
) -> list[Any]:
    """What an earlier call has found out of runs that are still the same is in ``folder``."""
    cache = folder / f"{name}-{stack_hash(subject)}.pickle"
    known: dict[str, Any] = pickle.loads(cache.read_bytes()) if cache.is_file() else {}
    missing = [number for number, run in enumerate(subject.runs) if run.key not in known]
    if missing:
        for old in folder.glob(f"{name.split('-')[0]}-*.pickle"):
            if old != cache:
                old.unlink()
        done, saved = 0, time.monotonic()
        for numbers, found in _play(subject, code, missing, jobs, measure):
            known.update((subject.runs[number].key, value) for number, value in zip(numbers, found, strict=True))
            done += len(numbers)
            tell(f"{title}: {done} of {len(missing)}")
            if time.monotonic() - saved > _SAVE or done == len(missing):
                _save(cache, known, {run.key for run in subject.runs})
                saved = time.monotonic()
    return [known[run.key] for run in subject.runs]


def _save(cache: Path, known: Mapping[str, Any], now: Set[str]) -> None:
    if len(known) > _MOST_KEPT * len(now):
        known = {key: value for key, value in known.items() if key in now}
    cache.parent.mkdir(parents=True, exist_ok=True)
    new = cache.with_suffix(".new")
    new.write_bytes(pickle.dumps(known))
    new.replace(cache)


def _play(
    subject: Subject, code: Mapping[str, CodeType], numbers: Sequence[int], jobs: int, measure: Measure
) -> Iterator[tuple[Sequence[int], list[Any]]]:
    children: Children[Sequence[int]] = Children(jobs)
    waiting = iter([numbers[i : i + _SLICE] for i in range(0, len(numbers), _SLICE)])

    def work(limits: Limits, part: Sequence[int]) -> list[Any]:
        load(code, subject.modules)
        judge = subject.judge()
        found = []
        for number in part:
            limits.begin(number, _LONGEST)
            found.append(measure(judge, number))
        return found

    try:
        while True:
            while not children.full and (part := next(waiting, None)) is not None:
                children.start(part, lambda limits, part=part: work(limits, part))  # type: ignore[misc]
            ended = list(children.ended())
            if not ended:
                return
            for child in ended:
                if child.result is None:
                    where = subject.runs[child.piece].name
                    raise RuntimeError(f"{where} breaks the tester on the stack without a bug: {child.error or f'signal {child.signal}'}")
                yield child.task, child.result
    finally:
        children.close()


def _trace(files: frozenset[str], met: dict[str, set[int]]) -> None:
    def begin(frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG001
        file = frame.f_code.co_filename
        if file not in files:
            return None
        add = met.setdefault(file, set()).add
        add(frame.f_lineno)

        def line(frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG001
            add(frame.f_lineno)
            return line

        return line

    sys.settrace(begin)


def reaching(lines: Lines, played: Sequence[Played]) -> list[int]:
    """The runs that come through one of these lines."""
    wanted = list(lines.items())
    if len(wanted) == 1:
        file, bits = wanted[0]
        return [number for number, run in enumerate(played) if run.lines.get(file, 0) & bits]
    return [number for number, run in enumerate(played) if any(run.lines.get(file, 0) & bits for file, bits in wanted)]
