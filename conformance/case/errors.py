"""What is wrong in a case file: where, what was found, and what would have been right."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Self

__all__ = ["CaseError", "close_matches"]

_LISTED = 24
"""A list of allowed words that is longer than this is cut to those that come close to what was found."""


@dataclass(eq=False)
class CaseError(ValueError):
    """One mistake in a file, with all that somebody needs to mend it.

    Until :meth:`at` has placed it, ``file`` is empty and ``column`` counts inside the text that was read. Lines
    and columns count from 1; 0 is unknown. It is a ValueError, so that pydantic's validators may raise it.
    """

    message: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    found: str | None = None
    """What stands there, or None where nothing does."""
    expected: str = ""
    """What would be right, in plain words."""
    allowed: tuple[str, ...] = ()
    """The words that would be right, where there is a fixed list of them."""

    def __str__(self) -> str:
        facts = []
        if self.found is not None:
            facts.append(f"found '{self.found}'")
        if self.wanted:
            facts.append(f"expected {self.wanted}")
        place = ":".join([self.file or "case", *(str(number) for number in (self.line, self.column) if number)])
        return f"{place}: {self.message}{': ' if facts else ''}{', '.join(facts)}{self._hint}"

    @property
    def wanted(self) -> str:
        """``expected`` and ``allowed`` in one phrase."""
        if not self.allowed:
            return self.expected
        words = self.allowed
        if len(words) > _LISTED:
            near = close_matches(self.found or "", words, limit=5, cutoff=0.3) or list(words[:5])
            return f"{self.expected or 'one of'} {', '.join(near)} … ({len(words)} in all)"
        return f"{self.expected or ('one of' if len(words) > 1 else '')} {', '.join(words)}".strip()

    @property
    def suggestion(self) -> str | None:
        """The allowed word that was probably meant."""
        return next(iter(close_matches(self.found or "", self.allowed, limit=1)), None)

    @property
    def _hint(self) -> str:
        return f" (did you mean {self.suggestion}?)" if self.suggestion else ""

    @property
    def order(self) -> tuple[str, int, int, str]:
        """Sorts errors by place, and tells one mistake from another."""
        return (self.file, self.line, self.column, self.message)

    def at(self, file: str, line: int, column: int) -> Self:
        """The same error in its place in a file."""
        return dataclasses.replace(self, file=file, line=line, column=column)


def close_matches(word: str, allowed: tuple[str, ...], limit: int = 3, cutoff: float = 0.6) -> list[str]:
    """The words of ``allowed`` that look like ``word``, best first; letter case and ``_`` for ``-`` do not matter."""
    plain = _plain(word[:80])
    if not plain:
        return []
    matcher = SequenceMatcher(b=plain, autojunk=False)
    scored = []
    for candidate in allowed:
        matcher.set_seq1(_plain(candidate))
        if matcher.quick_ratio() >= cutoff and (ratio := matcher.ratio()) >= cutoff:
            scored.append((-ratio, candidate))
    return [candidate for _, candidate in sorted(scored)[:limit]]


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")
