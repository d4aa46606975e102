"""Plays runs against mutants until one notices: the likeliest first, two mutants at a time, each in a process of its own."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .children import Children, Ended, Limits
from .lines import Played, reaching
from .loading import Compiled, load
from .mutant import Mutant
from .subject import Subject

__all__ = ["Hunt", "Outcome"]

_LEAST = 2.0
_TIMES = 20
"""A run that takes so many seconds of processor time, and so many times as long as on the stack as it is, hangs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant."""

    status: str
    """``killed``, ``timeout`` (killed as well), or ``survived``."""
    by: int | None = None
    """The number of the run that noticed first; None: the stack could not even be loaded, or nothing noticed."""
    reason: str = ""
    """What was wrong with that run."""
    played: int = 0
    """How many runs were played, or for a survivor how many come through its lines."""
    seconds: float = 0.0

    @property
    def killed(self) -> bool:
        """Did anything notice?"""
        return self.status != "survived"


@dataclass(frozen=True, slots=True)
class _Task:
    mutant: Mutant
    order: Sequence[int]
    begun: float


class Hunt:
    """The runs that may be played, and what is known of which of them notice what."""

    def __init__(self, subject: Subject, compiled: Compiled, played: Sequence[Played], jobs: int, most: int = 0) -> None:
        """``most``: no more than so many runs for a mutant, the likeliest; 0: all."""
        self._most = most
        self._probed: dict[int, int] = {}
        self._differing: Sequence[int] = ()
        self._subject, self._compiled, self._played, self._jobs = subject, compiled, played, jobs
        self._usable = {number for number, run in enumerate(played) if run.wrong is None}
        seen: Counter[str] = Counter()
        self._rank = [(seen.update([run.group]), seen[run.group])[1] for run in subject.runs]
        self._kills: defaultdict[object, Counter[int]] = defaultdict(Counter)
        """By function, by file, by everything: how many mutants each run was the first to notice."""
        self._groups: Counter[str] = Counter()

    def narrow(self, probed: Mapping[int, Mutant], differing: Sequence[int]) -> None:
        """Of these mutants each can only be noticed by a run in whose number of ``differing`` its own bit is set."""
        self._probed = {id(mutant): number for number, mutant in probed.items()}
        self._differing = differing

    def learn(self, mutant: Mutant, by: int) -> None:
        """This run noticed that mutant."""
        for scope in ((mutant.file, mutant.function), mutant.file):
            self._kills[scope][by] += 1
        self._groups[self._subject.runs[by].group] += 1

    def order(self, mutant: Mutant, hint: int | None = None, skip: frozenset[str] = frozenset()) -> list[int]:
        """The runs that can notice it, the likeliest first; ``skip``: keys of runs that are known not to."""
        runs = self._subject.runs
        able = reaching(mutant.lines, self._played) if mutant.lines is not None else range(len(runs))
        if (number := self._probed.get(id(mutant))) is not None:
            able = [run for run in able if self._differing[run] >> number & 1]
        able = [run for run in able if run in self._usable and runs[run].key not in skip]
        near, far = self._kills[mutant.file, mutant.function], self._kills[mutant.file]

        def rank(number: int) -> tuple[object, ...]:
            return (
                number != hint,
                -near[number],
                self._rank[number] - min(far[number], 3),
                -self._groups[runs[number].group],
            )

        return sorted(able, key=rank)[: self._most or None]

    def run(self, mutants: Sequence[tuple[Mutant, int | None, frozenset[str]]]) -> Iterator[tuple[Mutant, Outcome]]:
        """Each mutant (with a hint and the runs to skip) and what became of it, as soon as that is known."""
        children: Children[_Task] = Children(self._jobs)
        waiting = iter(mutants)
        try:
            while True:
                while not children.full and (following := next(waiting, None)) is not None:
                    mutant, hint, skip = following
                    task = _Task(mutant, self.order(mutant, hint, skip), time.monotonic())
                    if not task.order and mutant.lines is not None:
                        yield mutant, Outcome("survived")
                        continue
                    children.start(task, lambda limits, task=task: self._child(limits, task))  # type: ignore[misc]
                ended = list(children.ended())
                if not ended:
                    return
                for child in ended:
                    outcome = self._outcome(child)
                    if outcome.by is not None:
                        self.learn(child.task.mutant, outcome.by)
                    yield child.task.mutant, outcome
        finally:
            children.close()

    def _outcome(self, child: Ended[_Task]) -> Outcome:
        task, seconds = child.task, time.monotonic() - child.task.begun
        if child.error:
            raise RuntimeError(f"{task.mutant.name}: {child.error}")
        if child.signal:
            by = task.order[child.piece - 1] if child.piece else None
            return Outcome("timeout", by, f"signal {child.signal}", child.piece, seconds)
        result: dict[str, Any] = child.result
        return Outcome(seconds=seconds, **result)

    def _child(self, limits: Limits, task: _Task) -> dict[str, Any]:
        """Counts pieces from 1; 0 is loading the stack."""
        limits.memory()
        limits.processor(60 + _TIMES * sum(self._played[number].seconds for number in task.order))
        limits.begin(0, 10 * _LEAST)
        try:
            load(self._compiled.with_texts(task.mutant.texts), self._compiled.modules)
            judge = self._subject.judge()
        except BaseException as error:
            return {"status": "killed", "reason": f"the stack cannot be loaded: {type(error).__name__}: {error}"}
        for count, number in enumerate(task.order, 1):
            limits.begin(count, _LEAST + _TIMES * self._played[number].seconds)
            try:
                wrong = judge(number)
            except BaseException as error:
                wrong = f"it breaks the tester: {type(error).__name__}: {error}"
            if wrong is not None:
                return {"status": "killed", "by": number, "reason": wrong, "played": count}
        return {"status": "survived", "played": len(task.order)}
