"""A YAML file once it is read: plain data, and where each part of it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.case.errors import CaseError

__all__ = ["Data", "Document", "Path", "Position", "WrittenFloat", "WrittenInt", "shown"]

Data = Any
"""dict, list, str, int, float, bool or None. Keys are str or int."""
Path = tuple[str | int, ...]
"""Keys and indices that lead from the document to a part of it."""
Position = tuple[int, int]
"""Line and column, from 1."""


class WrittenInt(int):
    """A whole number written in another way than Python's: ``str()`` gives what stands in the file (``00``, ``0x1f``, ``+5``)."""

    text: str

    def __str__(self) -> str:
        return self.text


class WrittenFloat(float):
    """A number with a fraction or exponent: ``str()`` gives what stands in the file (``1e5``, ``1.50``)."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Document:
    """One file's data with positions.

    ``file`` is the name that errors give, ``relative`` the one below the case folder. ``quoted`` holds the paths of
    the scalars that stand in quotes, ``folded`` of those that take more than one line.
    """

    file: str
    relative: str
    data: Data
    positions: dict[Path, Position]
    """Of the values."""
    key_positions: dict[Path, Position]
    """Of the keys: the path is that of the value."""
    quoted: set[Path] = field(default_factory=set)
    folded: set[Path] = field(default_factory=set)

    def place(self, path: Path, *, key: bool = False) -> Position:
        """Where the value (or the key) at ``path`` stands; where there is none, the nearest thing around it."""
        if key and path in self.key_positions:
            return self.key_positions[path]
        while path not in self.positions and path:
            path = path[:-1]
        return self.positions.get(path, (1, 1))

    def written(self, path: Path) -> Data:
        """What the file says at ``path``, before anything was replaced; None if it says nothing."""
        value = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def error(self, path: Path, error: CaseError, *, key: bool = False) -> CaseError:
        """``error``, placed at ``path``. A column inside a text on one line becomes the file's column."""
        line, column = self.place(path, key=key)
        if error.column and not key and path in self.positions and path not in self.folded:
            column += error.column - 1 + (path in self.quoted)
        return error.at(self.file, line, column)


def shown(value: Data) -> str:
    """A value as an error names it, on one line."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(str(value).split()) or "an empty text"
    return text if len(text) <= 60 else text[:59] + "…"
