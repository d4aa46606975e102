"""Something small that is mutated and judged, for tests of the machinery: two functions, and runs that call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .mutant import Mutant, mask
from .subject import Judge, Run

__all__ = ["FILE", "TEXT", "Toy", "planted"]

FILE = "toypackage/arithmetic.py"
TEXT = """\
LIMIT = 10

def total(numbers):
    result = 0
    for number in numbers:
        result += number
    return result

def clipped(number):
    if number > LIMIT:
        return LIMIT
    return number
"""
_CALLS: Mapping[str, tuple[str, object, object]] = {
    "total/two": ("total", [1, 2], 3),
    "total/none": ("total", [], 0),
    "clipped/low": ("clipped", 3, 3),
    "clipped/high": ("clipped", 30, 10),
}


class Toy:
    """A subject."""

    sources: Mapping[str, str] = {"toypackage/__init__.py": "", FILE: TEXT}
    modules: Mapping[str, str] = {"toypackage": "toypackage/__init__.py", "toypackage.arithmetic": FILE}
    state = "toy"

    def __init__(self, names: Sequence[str] = tuple(_CALLS)) -> None:
        self._names = names
        self.runs = [Run(name, name.split("/")[0], f"key of {name}") for name in names]

    def judge(self) -> Judge:
        from toypackage import arithmetic  # type: ignore[import-not-found]

        def play(number: int) -> str | None:
            function, argument, expected = _CALLS[self._names[number]]
            found = getattr(arithmetic, function)(argument)
            return None if found == expected else f"{found} instead of {expected}"

        return play


def planted(old: str, new: str, *, curated: bool = False) -> Mutant:
    """The toy with ``new`` where ``old`` is, in one line."""
    at = next(number for number, line in enumerate(TEXT.split("\n")) if old in line)
    before = TEXT.split("\n")[at]
    lines = {FILE: mask(at + 1, at + 1)} if at else None
    text = TEXT.replace(old, new)
    return Mutant(f"{old} → {new}", curated, FILE, at + 1, "", before.strip(), text.split("\n")[at].strip(), {FILE: text}, "", lines)
