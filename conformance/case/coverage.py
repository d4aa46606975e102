"""Which requirements of the registers some case covers, and what became of those in a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from conformance.case.register import Register, Requirement

__all__ = ["OUTCOMES", "CoverageError", "Judged", "StandardCoverage", "coverage", "fallen"]

OUTCOMES = ("passed", "failed", "skipped", "not judged", "not run")
"""What a run says of a covered requirement: the first of failed, passed, not judged, skipped that some case run of it came to."""

_ORDER = ("fail", "pass", "error", "inconclusive", "skipped")
_OUTCOME = {"fail": "failed", "pass": "passed", "error": "not judged", "inconclusive": "not judged", "skipped": "skipped"}


class CoverageError(ValueError):
    """A record of an earlier coverage is none, or a register and the cases contradict each other; says where and how."""


class Asking(Protocol):
    """A case run, listed or loaded: as much as coverage needs of it."""

    @property
    def id(self) -> str: ...
    @property
    def requirements(self) -> tuple[str, ...]: ...


class Judged(Asking, Protocol):
    """A case run's result; an expected failure is a failure all the same."""

    @property
    def verdict(self) -> str: ...


@dataclass(slots=True)
class StandardCoverage:
    """One register's requirements, in its order."""

    rfc: str
    title: str
    requirements: list[Requirement] = field(default_factory=list)
    cases: dict[str, int] = field(default_factory=dict)
    """How many case runs name a requirement, by its full id; only those that some name."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """One of :data:`OUTCOMES` by full id, of those that are covered. Empty without a run."""

    @property
    def observable(self) -> list[Requirement]:
        """Those that a case can cover."""
        return [requirement for requirement in self.requirements if not requirement.unobservable]

    @property
    def covered(self) -> list[Requirement]:
        """Those that a case does cover."""
        return [requirement for requirement in self.observable if requirement.id in self.cases]

    @property
    def uncovered(self) -> list[Requirement]:
        """Those that wait for a case."""
        return [requirement for requirement in self.observable if requirement.id not in self.cases]

    @property
    def unobservable(self) -> dict[str, str]:
        """Why no case can cover it, by id."""
        return {_local(requirement): requirement.unobservable for requirement in self.requirements if requirement.unobservable}

    def count(self, outcome: str) -> int:
        """How many covered requirements the run gave this outcome."""
        return sum(other == outcome for other in self.outcomes.values())

    def record(self) -> dict[str, Any]:
        """As ``coverage --json`` gives it; ids are the register's own."""
        numbers: dict[str, Any] = {
            "requirements": len(self.requirements),
            "observable": len(self.observable),
            "covered": len(self.covered),
            "uncovered": [_local(requirement) for requirement in self.uncovered],
            "unobservable": self.unobservable,
        }
        if self.outcomes:
            numbers |= {outcome.replace(" ", "_"): self.count(outcome) for outcome in OUTCOMES}
        return numbers


def coverage(register: Register, cases: Iterable[Asking], results: Iterable[Judged] | None = None) -> list[StandardCoverage]:
    """The coverage of each register, in the order of their files; ``results`` are those of a run, if there was one.

    Raises CoverageError if a case covers what its register says that nobody can observe.
    """
    runs: dict[str, int] = defaultdict(int)
    for case in cases:
        for id in case.requirements:
            runs[id] += 1
            if id in register and register[id].unobservable:
                where = f"{register[id].file}:{register[id].line}"
                raise CoverageError(f"{where}: {id} is called unobservable, but {case.id} is a case of it")
    standards: dict[str, StandardCoverage] = {}
    outcomes = None if results is None else _outcomes(results)
    for requirement in register:
        standard = standards.setdefault(requirement.rfc, StandardCoverage(requirement.rfc, requirement.title))
        standard.requirements.append(requirement)
        if requirement.id in runs:
            standard.cases[requirement.id] = runs[requirement.id]
            if outcomes is not None:
                standard.outcomes[requirement.id] = outcomes.get(requirement.id, "not run")
    return list(standards.values())


def _outcomes(results: Iterable[Judged]) -> dict[str, str]:
    verdicts: dict[str, set[str]] = defaultdict(set)
    for result in results:
        for id in result.requirements:
            verdicts[id].add(str(result.verdict))
    return {id: _OUTCOME[next(verdict for verdict in _ORDER if verdict in seen)] for id, seen in verdicts.items()}


def fallen(before: object, now: Sequence[StandardCoverage]) -> Iterator[str]:
    """What is covered less than in an earlier record (``coverage --json``), a line each. Raises CoverageError if it is no record."""
    standards = {standard.rfc: standard for standard in now}
    for rfc, was in _records(before):
        standard = standards.get(rfc)
        if standard is None:
            yield f"{rfc}: its register is gone; it had {was['requirements']} requirements"
            continue
        if len(standard.requirements) < was["requirements"]:
            yield f"{rfc}: {len(standard.requirements)} requirements, it had {was['requirements']}"
        for id in (_local(requirement) for requirement in standard.uncovered):
            if id not in was["uncovered"]:
                yield f"{rfc}/{id} has no case (any more)"
        for id in standard.unobservable:
            if id not in was["unobservable"]:
                yield f"{rfc}/{id} is called unobservable, and was not"


def _records(before: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    wanted = {"requirements": int, "uncovered": list, "unobservable": dict}
    if not isinstance(before, dict):
        raise CoverageError("no record of coverage: an object by standards is expected")
    for rfc, was in before.items():
        if not isinstance(was, dict) or any(not isinstance(was.get(key), kind) for key, kind in wanted.items()):
            raise CoverageError(f"no record of coverage: {rfc} lacks one of {', '.join(wanted)}")
        yield rfc, was


def _local(requirement: Requirement) -> str:
    """The id within its register."""
    return requirement.id.partition("/")[2]
