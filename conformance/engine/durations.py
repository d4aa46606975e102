"""Durations for people."""

from __future__ import annotations


def duration_text(ns: int) -> str:
    """``350 µs``, ``12.5 ms``, ``1.02 s``: three figures, the unit that fits."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}" if abs(ns) < 1000 * size else f"{ns / size:.0f} {unit}"
    return f"{ns} ns"
