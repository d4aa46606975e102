"""Mutants that are argued to behave as the stack does: ``equivalent.yaml``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from .mutant import Mutant

__all__ = ["FILE", "Claim", "claimed", "read"]

FILE = Path(__file__).with_name("equivalent.yaml")
_FIELDS = {"file": str, "function": str, "line": str, "mutation": str, "why": str, "nth": int}


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry."""

    file: str
    function: str
    line: str
    mutation: str
    why: str
    nth: int = 0
    """Counted from 1; 0: there is one only."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """As :attr:`Mutant.key`."""
        return self.file, self.function, " ".join(self.line.split()), " ".join(self.mutation.split())

    def __str__(self) -> str:
        return f"{self.file}: {self.function}: {self.line} → {self.mutation}" + (f" (number {self.nth})" if self.nth else "")


def read(path: Path = FILE) -> list[Claim]:
    """All entries. Raises ValueError, naming the entry, for one that is not whole."""
    claims = []
    for number, entry in enumerate(yaml.safe_load(path.read_text("utf-8")) or [], 1):
        wrong = [name for name, value in entry.items() if name not in _FIELDS or not isinstance(value, _FIELDS[name]) or not value]
        missing = [name for name in _FIELDS if name not in entry and name not in ("nth", "function")]
        if wrong or missing:
            said = [*map("{} is wrong".format, wrong), *map("{} is missing".format, missing)]
            raise ValueError(f"{path.name}: entry {number}: {', '.join(said)}")
        claims.append(Claim(**{"function": "", **entry}))
    return claims


def claimed(claims: Sequence[Claim], mutants: Sequence[Mutant]) -> tuple[Mapping[int, Claim], list[str]]:
    """By its number in ``mutants`` each mutant that an entry is about; and what is wrong with the entries."""
    by_key: defaultdict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for number, mutant in enumerate(mutants):
        by_key[mutant.key].append(number)
    found: dict[int, Claim] = {}
    errors = []
    for claim in claims:
        able = by_key.get(claim.key, [])
        if not able or claim.nth > len(able):
            errors.append(f"{FILE.name}: {claim}: there is no such mutant")
        elif len(able) > 1 and not claim.nth:
            errors.append(f"{FILE.name}: {claim}: there are {len(able)} such mutants; nth: says which")
        elif (number := able[max(claim.nth, 1) - 1]) in found:
            errors.append(f"{FILE.name}: {claim}: said twice")
        else:
            found[number] = claim
    return found, errors
