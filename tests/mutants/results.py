"""What became of mutants in earlier runs, as far as it still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .hunt import Outcome
from .mutant import Mutant
from .subject import Run

__all__ = ["Known", "Results"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a mutant before it is played."""

    outcome: Outcome | None = None
    """Still true."""
    hint: int | None = None
    """The run that noticed it once, perhaps in another state of the stack."""
    skip: frozenset[str] = frozenset()
    """The keys of the runs that did not notice."""
    of: int = 0
    """How many of these came through its lines."""


class Results:
    """A file of lines of JSON in ``folder``, appended to while mutants are played, so that a run that is ended goes on where it was.

    A mutant is known by the hash of everything that its outcome depends on but the runs. One that was noticed stays so as long as the run
    that noticed it is the same; of one that survived only those runs are played that were not there before.
    """

    def __init__(self, folder: Path, stack: str, runs: Sequence[Run], usable: Sequence[bool], most: int = 0) -> None:
        self._folder, self._stack, self._runs = folder, stack, runs
        folder.mkdir(parents=True, exist_ok=True)
        self._numbers = {run.key: number for number, run in enumerate(runs)}
        self._names = {run.name: number for number, run in enumerate(runs)}
        keys = sorted(run.key for run, use in zip(runs, usable, strict=True) if use)
        self._suite = hashlib.sha256("".join(keys).encode()).hexdigest()[:24]
        self._tried = f"{self._suite}/{most}" if most else self._suite
        """What is said of survivors: of all these runs, or of the likeliest only."""
        self._suites: dict[str, frozenset[str]] = {self._suite: frozenset(keys)}
        (folder / f"suite-{self._suite}.txt").write_text("\n".join(keys))
        self._file = folder / "results.jsonl"
        self._lines: dict[str, dict[str, Any]] = {}
        self._hints: dict[str, str] = {}
        for line in self._file.read_text("utf-8").splitlines() if self._file.is_file() else []:
            try:
                entry = json.loads(line)
            except ValueError:  # the last one of a run that was killed
                continue
            self._lines[entry["mutant"]] = entry
            if entry.get("by_name"):
                self._hints[entry["at"]] = entry["by_name"]

    def known(self, mutant: Mutant) -> Known:
        """What is known of it."""
        hint = self._names.get(self._hints.get(_at(mutant), ""))
        entry = self._lines.get(self._id(mutant))
        if entry is None:
            return Known(hint=hint)
        if entry["status"] == "survived":
            if "/" in entry["suite"] and entry["suite"] != self._tried:
                return Known(hint=hint)
            tried = self._suite_keys(entry["suite"])
            if tried >= self._suites[self._suite] or entry["suite"] == self._tried:
                return Known(Outcome("survived", played=entry["played"]))
            return Known(None, hint, tried, entry["played"])
        if not entry["by"]:
            return Known(Outcome(entry["status"], None, entry["reason"]))
        if (number := self._numbers.get(entry["by"])) is not None:
            return Known(Outcome(entry["status"], number, entry["reason"], entry["played"]))
        return Known(hint=hint)

    def add(self, mutant: Mutant, outcome: Outcome, before: int = 0) -> None:
        """Remember it; ``before``: runs that had been played for it earlier."""
        by = self._runs[outcome.by] if outcome.by is not None else None
        entry = {
            "mutant": self._id(mutant), "at": _at(mutant), "status": outcome.status, "by": by.key if by else "",
            "by_name": by.name if by else "", "reason": outcome.reason, "played": outcome.played + before, "suite": self._tried,
        }  # fmt: skip
        self._lines[entry["mutant"]] = entry
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def tidy(self, mutants: Sequence[Mutant]) -> None:
        """Forget what is about no mutant that there is now."""
        now = {self._id(mutant) for mutant in mutants}
        kept = [entry for key, entry in self._lines.items() if key in now]
        new = self._file.with_suffix(".new")
        new.write_text("".join(json.dumps(entry) + "\n" for entry in kept), "utf-8")
        new.replace(self._file)
        suites = {entry["suite"] for entry in kept} | {self._suite}
        for path in self._folder.glob("suite-*.txt"):
            if path.stem.removeprefix("suite-") not in suites:
                path.unlink()

    def _suite_keys(self, suite: str) -> frozenset[str]:
        if suite not in self._suites:
            path = self._folder / f"suite-{suite}.txt"
            self._suites[suite] = frozenset(path.read_text().splitlines()) if path.is_file() else frozenset()
        return self._suites[suite]

    def _id(self, mutant: Mutant) -> str:
        return _hash(self._stack, mutant.texts)


def _hash(stack: str, texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256(stack.encode())
    for file, text in sorted(texts.items()):
        digest.update(f"{file}\0{text}\0".encode())
    return digest.hexdigest()[:24]


def _at(mutant: Mutant) -> str:
    """Its name while the stack around it changes."""
    return hashlib.sha256("\0".join((mutant.name if mutant.curated else "", *mutant.key)).encode()).hexdigest()[:16]
