"""Numbers and times in plain words."""

from __future__ import annotations

__all__ = ["counted", "duration"]


def counted(number: int, one: str, many: str) -> str:
    """``1 case``, ``2 cases``."""
    return f"{number} {one if number == 1 else many}"


def duration(seconds: float) -> str:
    """``312 ms``, ``9.8 s``, ``2 min 5 s``, ``1 h 3 min``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    if whole >= 100:
        return f"{whole // 60} min {whole % 60} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
