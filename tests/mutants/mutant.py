"""A mutant: the stack with one bug planted in it, and which lines of the stack a case run must come through to meet that bug."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Lines", "Mutant", "Place", "mask", "place_of", "places", "users"]

Lines = Mapping[str, int]
"""By file: a bit for each line."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug."""

    name: str
    """What ``--only`` looks at; of a curated mutant its name."""
    curated: bool
    file: str
    """Where it is (the first place, if there are more), as the subject names its files."""
    line: int
    function: str
    """Qualified; empty at the level of the module."""
    before: str
    """The first line that differs, without indentation."""
    after: str
    texts: Mapping[str, str]
    """The files that differ, whole."""
    operator: str = ""
    """Of a generated mutant: what made it."""
    lines: Lines | None = None
    """A case run that comes through none of these lines cannot tell. None: nobody knows, so that all are played."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it while lines are added around it: file, function, line, mutation."""
        return self.file, self.function, self.before, self.after


def mask(first: int, last: int) -> int:
    """The bits of lines ``first`` to ``last``."""
    return (1 << last + 1) - (1 << first)


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of a file that is executed as one: a statement without the statements in it."""

    first: int
    last: int
    function: str
    body: int
    """The lines of the whole function; 0 outside of one."""
    at_load: bool
    """Executed when the module is loaded."""
    names: tuple[str, ...]
    """What it binds, at the level of the module."""

    @property
    def header(self) -> bool:
        """Is it that of a function, with its defaults?"""
        return bool(self.body) and (self.body & -self.body).bit_length() - 1 == self.first

    @property
    def once(self) -> bool:
        """Is it evaluated once, when the module is loaded, whatever is played?"""
        return self.at_load or self.header


def _header(node: ast.AST) -> tuple[int, int]:
    """First and last line of a statement, without the statements in it."""
    first = node.lineno  # type: ignore[attr-defined]
    inner = [child for name, child in ast.iter_fields(node) if name not in ("body", "orelse", "finalbody", "handlers", "cases")]
    last = first
    for value in inner:
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                last = max([last, *(n.end_lineno or 0 for n in ast.walk(child) if hasattr(n, "end_lineno"))])
    return first, last


def _walk(nodes: list[ast.stmt], scope: tuple[str, ...], body: int) -> Iterator[Place]:
    for node in nodes:
        first, last = _header(node)
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        names = tuple(name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name))
        inside = bool(body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            whole = mask(node.lineno, node.end_lineno or node.lineno)
            # What stands in the header of a function is executed at load, but only its body makes use of it.
            yield Place(first, last, ".".join((*scope, node.name)), whole, False, ())
            yield from _walk(node.body, (*scope, node.name), whole)
            continue
        if isinstance(node, ast.ClassDef):
            yield Place(first, last, ".".join((*scope, node.name)), 0, True, (node.name,))
            yield from _walk(node.body, (*scope, node.name), 0)
            continue
        yield Place(first, last, ".".join(scope), body, not inside, () if inside else names)
        for name in ("body", "orelse", "finalbody"):
            yield from _walk(getattr(node, name, []), scope, body)
        for handler in getattr(node, "handlers", []):
            yield Place(handler.lineno, handler.lineno, ".".join(scope), body, not inside, ())
            yield from _walk(handler.body, scope, body)
        for case in getattr(node, "cases", []):
            yield Place(node.lineno, case.body[0].lineno - 1, ".".join(scope), body, not inside, ())
            yield from _walk(case.body, scope, body)


@lru_cache(256)
def places(text: str) -> tuple[Place, ...]:
    """All places of a module."""
    return tuple(_walk(ast.parse(text).body, (), 0))


def place_of(text: str, line: int) -> Place:
    """The innermost place that holds this line."""
    around = [place for place in places(text) if place.first <= line <= place.last]
    if not around:
        return Place(line, line, "", 0, True, ())
    return min(reversed(around), key=lambda place: place.last - place.first)


def users(names: Sequence[str], sources: Mapping[str, str]) -> dict[str, int] | None:
    """The lines that use these names of modules or classes, or others that are made of them; None if that cannot be said."""
    known: set[str] = set()
    new = set(names)
    found: dict[str, int] = {}
    while new:
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(new)))})\b")
        known |= new
        new = set()
        for file, text in sources.items():
            for number, line in enumerate(text.split("\n"), 1) if pattern.search(text) else ():
                if pattern.search(line) and not line.startswith(("from ", "import ", "__all__")):
                    place = place_of(text, number)
                    new |= set(place.names) - known
                    found[file] = found.get(file, 0) | (place.body if place.header else mask(place.first, place.last))
    return found if known else None
