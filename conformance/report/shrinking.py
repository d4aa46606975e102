"""How far a search for a smaller case is, on a terminal; elsewhere it says nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["ShrinkProgress"]

_EVERY = 0.1
"""Seconds between two drawings."""


class ShrinkProgress:
    """One line that is written over again and again: ``steps 34 → 9, runs 120``."""

    def __init__(self, what: str, count: int = 0, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """``count`` of ``what`` there were at first; 0: the first that is shown are all."""
        self._stream = stream or sys.stderr
        self._shows = self._stream.isatty()
        self._clock, self._drawn = clock, -_EVERY
        self._what, self._from = what, count

    def show(self, count: int, runs: int) -> None:
        """The smallest so far has so many, after so many runs."""
        self._from = self._from or count
        if self._shows and self._clock() - self._drawn >= _EVERY:
            self._drawn = self._clock()
            self._stream.write(f"\r\x1b[K{self._what} {self._from} → {count}, runs {runs}")
            self._stream.flush()

    def end(self) -> None:
        """The line goes away."""
        if self._shows:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
