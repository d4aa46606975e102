"""What ``mutants.yaml`` says of the curated bugs: which show on the wire, and which requirements say the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

__all__ = ["FILE", "Note", "Notes", "read"]

FILE = Path(__file__).with_name("mutants.yaml")


@dataclass(frozen=True, slots=True)
class Note:
    """Of one bug."""

    shows: str = ""
    """What one who sees the packets, and when they passed, can conclude."""
    rule: str = ""
    """The kind of rule that finds it."""
    by: tuple[str, ...] = ()
    """The requirements that such a finding may name, beside those that the bug breaks."""
    invisible: str = ""
    """Why nothing in the packets is what no conforming stack would send."""


@dataclass(slots=True)
class Notes:
    """The file."""

    bugs: dict[str, Note] = field(default_factory=dict)
    equal: list[frozenset[str]] = field(default_factory=list)
    """Requirements of which each asks for the same as the others."""

    def right(self, requirement: str, bug: str, breaks: tuple[str, ...]) -> bool:
        """Does a finding of this requirement name what the bug breaks?"""
        wanted = {*breaks, *self.bugs.get(bug, Note()).by}
        return requirement in wanted or any(requirement in group and group & wanted for group in self.equal)


def read(path: Path = FILE) -> Notes:
    """The file; one that is not there says nothing."""
    data = (yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None) or {}
    notes = Notes(equal=[frozenset(entry["requirements"]) for entry in data.get("equal") or []])
    for entry in data.get("bugs") or []:
        notes.bugs[entry["name"]] = Note(
            entry.get("shows", ""), entry.get("rule", ""), tuple(entry.get("by") or ()), entry.get("invisible", "")
        )
    return notes
