"""Arithmetic on sequence numbers, modulo 2^32 (RFC 9293, section 3.4).

Two numbers are compared by the sign of their difference, so a comparison only means something for numbers less than 2^31
apart. At exactly 2^31 each is less than the other, as with the kernel's ``before()``.
"""

from __future__ import annotations

__all__ = ["MODULUS", "add", "diff", "ge", "gt", "in_window", "le", "lt", "relative"]

MODULUS = 1 << 32
_MASK = MODULUS - 1
_HALF = 1 << 31


def add(a: int, n: int) -> int:
    """The number ``n`` after ``a``; ``n`` may be negative."""
    return (a + n) & _MASK


def diff(a: int, b: int) -> int:
    """How far ``a`` is beyond ``b``, in [-2^31, 2^31)."""
    return ((a - b + _HALF) & _MASK) - _HALF


def lt(a: int, b: int) -> bool:
    """``a`` comes before ``b``."""
    return diff(a, b) < 0


def le(a: int, b: int) -> bool:
    """``a`` comes before ``b`` or is ``b``."""
    return a == b or diff(a, b) < 0


def gt(a: int, b: int) -> bool:
    """``a`` comes after ``b``."""
    return diff(b, a) < 0


def ge(a: int, b: int) -> bool:
    """``a`` comes after ``b`` or is ``b``."""
    return a == b or diff(b, a) < 0


def in_window(seq: int, left: int, size: int) -> bool:
    """``left <= seq < left + size``; nothing is in a window of size 0."""
    return (seq - left) & _MASK < size


def relative(number: int, isn: int | None) -> int:
    """A sequence number as a person reads it: counted from ``isn``, or absolute while that is not known."""
    return number if isn is None else diff(number, isn)
