"""Through which lines of the stack each run comes, whether it ends as expected, and how long it takes: once for each state of the stack."""

from __future__ import annotations

import hashlib
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from .children import Children, Limits
from .loading import Compiled, load
from .mutant import Lines
from .subject import Subject

__all__ = ["Played", "measured", "reaching", "stack_hash"]

_SLICE = 100
_MOST_KEPT = 20
"""Times as many as there are now: runs that were changed since are forgotten."""
_LONGEST = 60.0
"""Seconds of processor time that a run may take on the stack without a bug."""


@dataclass(frozen=True, slots=True)
class Played:
    """A run on the stack as it is."""

    wrong: str | None
    """Why it does not end as expected."""
    seconds: float
    """Of processor time."""
    lines: Lines


def stack_hash(subject: Subject) -> str:
    """Of all that an outcome depends on, but for the runs."""
    digest = hashlib.sha256(subject.state.encode())
    for file, text in sorted(subject.sources.items()):
        digest.update(f"{file}\0{text}\0".encode())
    return digest.hexdigest()[:24]


def measured(subject: Subject, compiled: Compiled, folder: Path, jobs: int, tell: Callable[[str], None]) -> list[Played]:
    """For each run of the subject; what an earlier call has found out of runs that are still the same is in ``folder``."""
    cache = folder / f"lines-{stack_hash(subject)}.pickle"
    known: dict[str, Played] = pickle.loads(cache.read_bytes()) if cache.is_file() else {}
    missing = [number for number, run in enumerate(subject.runs) if run.key not in known]
    if missing:
        for old in folder.glob("lines-*.pickle"):
            if old != cache:
                old.unlink()
        for numbers, found in _play(subject, compiled, missing, jobs, tell):
            known.update((subject.runs[number].key, played) for number, played in zip(numbers, found, strict=True))
        now = {run.key for run in subject.runs}
        if len(known) > _MOST_KEPT * len(now):
            known = {key: played for key, played in known.items() if key in now}
        folder.mkdir(parents=True, exist_ok=True)
        new = cache.with_suffix(".new")
        new.write_bytes(pickle.dumps(known))
        new.replace(cache)
    return [known[run.key] for run in subject.runs]


def _play(
    subject: Subject, compiled: Compiled, numbers: Sequence[int], jobs: int, tell: Callable[[str], None]
) -> Iterable[tuple[Sequence[int], list[Played]]]:
    slices = [numbers[i : i + _SLICE] for i in range(0, len(numbers), _SLICE)]
    children: Children[Sequence[int]] = Children(jobs)
    code = compiled.with_texts({})
    done = 0
    try:
        waiting = iter(slices)
        while True:
            while not children.full and (part := next(waiting, None)) is not None:
                children.start(part, lambda limits, part=part: _child(limits, subject, compiled.modules, code, part))  # type: ignore[misc]
            ended = list(children.ended())
            if not ended:
                return
            for child in ended:
                done += len(child.task)
                tell(f"lines that each run comes through: {done} of {len(numbers)}")
                if child.result is None:
                    where = subject.runs[child.piece].name
                    raise RuntimeError(f"{where} breaks the tester on the stack without a bug: {child.error or f'signal {child.signal}'}")
                yield child.task, [_read(*result) for result in child.result]
    finally:
        children.close()


def _read(wrong: str | None, seconds: float, met: Mapping[str, str]) -> Played:
    return Played(wrong, seconds, {file: int(lines, 16) for file, lines in met.items()})


def _child(limits: Limits, subject: Subject, modules: Mapping[str, str], code: Mapping[str, CodeType], part: Sequence[int]) -> Any:
    load(code, modules)
    judge = subject.judge()
    files = frozenset(code)
    found = []
    for number in part:
        limits.begin(number, _LONGEST)
        begun = time.process_time()
        wrong = judge(number)
        seconds = time.process_time() - begun
        met: dict[str, set[int]] = {}
        _trace(files, met)
        try:
            judge(number)
        finally:
            sys.settrace(None)
        found.append((wrong, seconds, {file: f"{sum(1 << line for line in lines):x}" for file, lines in met.items()}))
    return found


def _trace(files: frozenset[str], met: dict[str, set[int]]) -> None:
    def begin(frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG001
        file = frame.f_code.co_filename
        if file not in files:
            return None
        lines = met.setdefault(file, set())
        add = lines.add
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
