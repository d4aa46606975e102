"""What became of all mutants: for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .equivalent import Claim
from .hunt import Outcome
from .mutant import Mutant
from .subject import Run

__all__ = ["LEAST", "Report"]

LEAST = 95.0
"""Per cent of the generated mutants that are not equivalent which must be killed; of the curated ones, all."""


@dataclass(slots=True)
class Report:
    """All mutants that were played, in order, and what was wrong besides."""

    runs: Sequence[Run]
    mutants: Sequence[Mutant]
    outcomes: Mapping[int, Outcome]
    """By the number of the mutant."""
    claims: Mapping[int, Claim] = field(default_factory=dict)
    """By the number of the mutant: it is said to be equivalent."""
    errors: Sequence[str] = ()

    def _numbers(self, curated: bool, status: str = "") -> list[int]:
        """In the order of files and lines. A status: that one."""
        found = [n for n in self.outcomes if self.mutants[n].curated is curated and status in ("", self.status(n))]
        return sorted(found, key=lambda n: (self.mutants[n].file, self.mutants[n].line, n))

    def status(self, number: int) -> str:
        """``killed``, ``timeout``, ``survived``, or what is said of a survivor: ``same`` or ``allowed``."""
        outcome = self.outcomes[number]
        return self.claims[number].kind if number in self.claims and not outcome.killed else outcome.status

    def score(self, curated: bool) -> float:
        """Per cent killed, of those that are not equivalent."""
        count = Counter(map(self.status, self._numbers(curated)))
        judged = count.total() - count["same"] - count["allowed"]
        return 100 * (count["killed"] + count["timeout"]) / judged if judged else 100.0

    @property
    def mistakes(self) -> list[str]:
        """Why this is not what it should be."""
        found = list(self.errors)
        found += [
            f"equivalent: {claim}: {self._by(number)} notices"
            for number, claim in self.claims.items()
            if number in self.outcomes and self.outcomes[number].killed
        ]
        found += [f"the curated mutant {self.mutants[number].name} survived" for number in self._numbers(True, "survived")]
        if self.score(False) < LEAST:
            found.append(f"{self.score(False):.1f} % of the generated mutants are killed, and {LEAST:g} % should be")
        return found

    def _by(self, number: int) -> str:
        by = self.outcomes[number].by
        return self.runs[by].name if by is not None else "loading it"

    def text(self) -> str:
        """For people."""
        lines: list[str] = []
        for curated, title in ((True, "curated"), (False, "generated")):
            if not (numbers := self._numbers(curated)):
                continue
            if survivors := self._numbers(curated, "survived"):
                lines.append(f"Survivors, {title}:")
                for number in survivors:
                    lines += self._survivor(number)
                lines.append("")
            lines += self._table(numbers)
            count = Counter(map(self.status, numbers))
            lines.append(
                f"{title}: {len(numbers)} mutants, {count['killed']} killed, {count['timeout']} killed by hanging, "
                f"{count['survived']} survived, {count['same']} the same, {count['allowed']} allowed: {self.score(curated):.1f} %"
            )
            lines.append("")
        lines += [f"WRONG: {mistake}" for mistake in self.mistakes]
        return "\n".join(lines)

    def _survivor(self, number: int) -> list[str]:
        mutant, outcome = self.mutants[number], self.outcomes[number]
        reached = f"{outcome.played} runs come through it" if outcome.played else "no run comes through it"
        name = mutant.name if mutant.curated else mutant.operator
        return [f"  {mutant.file}:{mutant.line} {mutant.function} ({name}; {reached})", f"    - {mutant.before}", f"    + {mutant.after}"]

    def _table(self, numbers: Sequence[int]) -> list[str]:
        if self.mutants[numbers[0]].curated:
            return []
        rows = [f"  {'file':46}{'mutants':>8}{'killed':>8}{'hanging':>8}{'survived':>9}{'same':>7}{'allowed':>8}"]
        for file in sorted({self.mutants[number].file for number in numbers}):
            count = Counter(self.status(number) for number in numbers if self.mutants[number].file == file)
            rows.append(f"  {file:46}{count.total():8}{count['killed']:8}{count['timeout']:8}{count['survived']:9}{count['equivalent']:11}")
        return rows

    def json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "curated": self._json(True),
            "generated": self._json(False),
            "mistakes": self.mistakes,
        }

    def _json(self, curated: bool) -> dict[str, Any]:
        numbers = self._numbers(curated)
        count = Counter(map(self.status, numbers))
        return {
            "mutants": len(numbers),
            **{status: count[status] for status in ("killed", "timeout", "survived", "same", "allowed")},
            "score": round(self.score(curated), 2),
            "all": [self._entry(number) for number in numbers],
        }

    def _entry(self, number: int) -> dict[str, Any]:
        mutant, outcome = self.mutants[number], self.outcomes[number]
        entry = {
            "name": mutant.name, "file": mutant.file, "line": mutant.line, "function": mutant.function, "before": mutant.before,
            "after": mutant.after, "status": self.status(number), "runs": outcome.played,
        }  # fmt: skip
        if outcome.killed:
            entry |= {"by": self._by(number), "reason": outcome.reason}
        if number in self.claims:
            entry["why"] = self.claims[number].why
        return entry
