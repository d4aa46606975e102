"""Durations as text → nanoseconds, and the margins around them."""

from __future__ import annotations

import re
from decimal import Decimal

from conformance.case.steps import Timing

__all__ = ["about", "around", "nanoseconds", "percent"]

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
"""Both the micro sign and the Greek letter."""
_SPLIT = re.compile(r"([0-9.]+)(\D+)")
_LEAST_MARGIN = 10 * 10**6
_MARGIN = 10


def nanoseconds(text: str) -> int:
    """``1.5s`` → 1500000000, rounded down; the grammar has checked the text."""
    match = _SPLIT.fullmatch(text)
    assert match is not None, text
    return int(Decimal(match[1]) * _UNITS[match[2]])


def percent(duration: int, text: str) -> int:
    """``10%`` of a duration."""
    return int(Decimal(text.rstrip("%")) * duration / 100)


def around(middle: int, margin: int) -> Timing:
    """``middle ± margin``, not before 0."""
    return Timing(max(0, middle - margin), middle + margin)


def about(duration: int) -> Timing:
    """What a bare duration means where something is awaited: ± 10%, and at least ± 10 ms."""
    return around(duration, max(_LEAST_MARGIN, duration * _MARGIN // 100))
