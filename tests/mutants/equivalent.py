"""Mutants that no case should notice: the files in ``equivalent/``, one for each file of the stack, under its name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .mutant import Mutant

__all__ = ["FOLDER", "Claim", "claimed", "read"]

FOLDER = Path(__file__).with_name("equivalent")
_STACK = "conformance/stack/"
_KINDS = ("same", "allowed")
_FIELDS = {"function": str, "line": str, "mutations": list, "kind": str, "why": str, "nth": int}
_NEEDED = ("line", "mutations", "kind", "why")


@dataclass(frozen=True, slots=True)
class Claim:
    """One mutation of one entry."""

    file: str
    function: str
    line: str
    mutation: str
    kind: str
    """``same``: no segment and no call can tell. ``allowed``: what differs is left to the stack by the standards."""
    why: str
    nth: int = 0
    """Counted from 1; 0: there is one only."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """As :attr:`Mutant.key`."""
        return self.file, self.function, " ".join(self.line.split()), " ".join(self.mutation.split())

    def __str__(self) -> str:
        return f"{self.file}: {self.function}: {self.line} → {self.mutation}" + (f" (number {self.nth})" if self.nth else "")


def read(folder: Path = FOLDER) -> list[Claim]:
    """All entries. Raises ValueError, naming file and entry, for one that is not whole, or that is no YAML."""
    return [
        claim
        for path in sorted(folder.glob("*.yaml"))
        for number, entry in enumerate(_entries(path), 1)
        for claim in _claims(path, number, entry)
    ]


def _entries(path: Path) -> list[Any]:
    try:
        return yaml.safe_load(path.read_text("utf-8")) or []
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: {' '.join(str(error).split())}") from None


def _claims(path: Path, number: int, entry: Any) -> Iterator[Claim]:
    wrong = [*_wrong(entry)] if isinstance(entry, dict) else ["found no mapping"]
    if wrong:
        raise ValueError(f"{path.name}: entry {number}: {', '.join(wrong)}")
    rest = {name: value for name, value in entry.items() if name != "mutations"}
    for mutation in entry["mutations"]:
        yield Claim(f"{_STACK}{path.stem}.py", **{"function": "", **rest}, mutation=mutation)


def _wrong(entry: Mapping[str, Any]) -> Iterator[str]:
    for name, value in entry.items():
        if name not in _FIELDS:
            yield f"{name} is none of {', '.join(_FIELDS)}"
        elif not isinstance(value, _FIELDS[name]) or not value:
            yield f"{name} is wrong"
    yield from (f"{name} is missing" for name in _NEEDED if name not in entry)
    if entry.get("kind", "same") not in _KINDS:
        yield f"kind is {entry['kind']} and should be one of {', '.join(_KINDS)}"


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
            errors.append(f"{claim}: there is no such mutant")
        elif len(able) > 1 and not claim.nth:
            errors.append(f"{claim}: there are {len(able)} such mutants; nth: says which")
        elif (number := able[max(claim.nth, 1) - 1]) in found:
            errors.append(f"{claim}: said twice")
        else:
            found[number] = claim
    return found, errors
