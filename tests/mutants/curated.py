"""The bugs of ``curated.yaml``: what real stacks have got wrong, planted in ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .mutant import Mutant, mask, place_of, users

__all__ = ["FILE", "Bug", "apply", "read"]

FILE = Path(__file__).with_name("curated.yaml")
_FOLDER = "conformance/stack/"
_NEEDED = ("name", "history", "breaks", "edits")


@dataclass(frozen=True, slots=True)
class Edit:
    """A part of a line of one file, or whole lines without their common indentation, and what stands there instead."""

    file: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    within: str
    """The function, where it is in more than one."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One entry."""

    name: str
    history: str
    """Whose bug it was, and what it did."""
    breaks: tuple[str, ...]
    """The requirements."""
    edits: tuple[Edit, ...]


def read(path: Path = FILE) -> list[Bug]:
    """All entries. Raises ValueError, naming the entry, for one that is not whole or of a name that another has."""
    bugs: list[Bug] = []
    for number, entry in enumerate(yaml.safe_load(path.read_text("utf-8")) or [], 1):
        entry = {**entry, "edits": entry.get("edits") or [{k: entry[k] for k in ("file", "old", "new", "in") if k in entry}]}
        missing = [name for name in _NEEDED if not entry.get(name)]
        missing += [name for edit in entry["edits"] for name in ("file", "old") if name not in edit]
        if missing:
            raise ValueError(f"{path.name}: entry {number} ({entry.get('name')}): missing: {', '.join(missing)}")
        breaks = entry["breaks"]
        bugs.append(
            Bug(
                entry["name"],
                entry["history"],
                tuple([breaks] if isinstance(breaks, str) else breaks),
                tuple(_edit(edit) for edit in entry["edits"]),
            )
        )
    names = [bug.name for bug in bugs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{path.name}: more than one {', '.join(sorted(twice))}")
    return bugs


def _edit(edit: Mapping[str, Any]) -> Edit:
    file = edit["file"] if "/" in edit["file"] else _FOLDER + edit["file"]
    old, new = (tuple(str(edit.get(name) or "").rstrip("\n").split("\n")) for name in ("old", "new"))
    return Edit(file, old, new if new != ("",) else (), edit.get("in", ""))


def apply(bug: Bug, sources: Mapping[str, str]) -> Mutant:
    """Plant it. Raises ValueError, naming bug and file, where its place is not there any more, or not just once."""
    texts: dict[str, str] = {}
    lines: dict[str, int] | None = {}
    first: tuple[str, int, str, str, str] | None = None
    for edit in bug.edits:
        if edit.file not in sources:
            raise ValueError(f"{FILE.name}: {bug.name}: there is no {edit.file}")
        text = texts.get(edit.file, sources[edit.file])
        at, count, new = _planted(bug, edit, text)
        rows = text.split("\n")
        old = rows[at : at + count]
        texts[edit.file] = "\n".join([*rows[:at], *new, *rows[at + count :]])
        if first is None:
            differs = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)) - 1)
            first = edit.file, at + differs + 1, place_of(text, at + 1).function, old[differs].strip(), new[differs].strip()
        for row in range(at + 1, at + count + 1):
            place = place_of(text, row)
            if place.at_load and (using := users(place.names, sources)) is None:
                lines = None
            elif lines is not None:
                more = using if place.at_load else {edit.file: place.body or mask(place.first, place.last)}
                lines = {name: lines.get(name, 0) | (more or {}).get(name, 0) for name in {*lines, *(more or {})}}
    assert first is not None
    file, line, function, before, after = first
    return Mutant(bug.name, True, file, line, function, before, after, texts, "", lines)


def _planted(bug: Bug, edit: Edit, text: str) -> tuple[int, int, list[str]]:
    """Where the lines are that differ, how many, and what stands there instead."""
    rows = text.split("\n")
    found = []
    for at, row in enumerate(rows):
        if edit.within and place_of(text, at + 1).function.split(".")[-1] != edit.within:
            continue
        indent = row[: len(row) - len(row.lstrip())]
        if len(edit.old) == 1:
            new = "\n".join(line and (indent + line if number else line) for number, line in enumerate(edit.new)) or "pass"
            found += [(at, 1, row.replace(edit.old[0], new).split("\n"))] * row.count(edit.old[0])
        elif rows[at : at + len(edit.old)] == [line and indent + line for line in edit.old]:
            found.append((at, len(edit.old), [line and indent + line for line in edit.new or ("pass",)]))
    if len(found) != 1:
        where = f"{edit.file}{f', {edit.within}' if edit.within else ''}"
        how = "is not there any more" if not found else f"is there {len(found)} times (in: says in which function)"
        raise ValueError(f"{FILE.name}: {bug.name}: this {how} in {where}:\n    " + "\n    ".join(edit.old))
    return found[0]
