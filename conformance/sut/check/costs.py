"""The cases of the suite that a stack cannot play, and what it lacks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.case.case import Case
from conformance.case.features import features, wanted
from conformance.sut.protocol import CAPABILITIES, Description

__all__ = ["Costs", "costs"]


@dataclass(frozen=True, slots=True)
class Costs:
    """What becomes of a suite."""

    cases: int
    played: int
    lacking: Sequence[tuple[str, int, int]]
    """What some case asks for and the stack has not: its name, how many cases ask for it, and how many lack nothing else."""


def costs(cases: Sequence[Case], description: Description) -> Costs:
    """Of these cases."""
    asked: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    played = 0
    for case in cases:
        lacking = set(_lacking(case, description))
        asked.update(lacking)
        played += not lacking
        if len(lacking) == 1:
            alone.update(lacking)
    return Costs(len(cases), played, [(name, count, alone[name]) for name, count in asked.most_common()])


def _lacking(case: Case, description: Description) -> Iterator[str]:
    for name in {case.family.value, *case.needs, *features(case)} - description.features:
        yield f"capability {name}" if name in CAPABILITIES else name
    for name, value in wanted(case).items():
        if description.lacks({name: value}) is not None:
            yield f"setting {name}" if name not in description.settings else f"other values of {name}"
