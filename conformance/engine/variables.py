"""The variables of a case run, and the comparison of a number with what a case says of it."""

from __future__ import annotations

from conformance.case.arithmetic import Growth
from conformance.case.steps import AnyValue, Exact, Num, Range, Var

__all__ = ["COOKIES", "Unbound", "Variables", "cookie_number", "cookie_octets", "is_cookie", "wanted_text"]

COOKIES = 1 << 8 * 17
"""More than any number of a Fast Open cookie."""


_CIRCLE = 1 << 32


class Unbound(Exception):
    """A variable is used before anything gave it a value."""


class Variables:
    """Bindings that a comparison adds to, and takes back if the whole does not fit."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._tried: dict[str, int] = {}
        self._moduli: dict[str, int] = {}
        """Modulo what they count, if not modulo 2³²."""
        self._times: dict[str, int] = {}
        """When what bound them happened, in ns."""

    def value(self, num: Num) -> int:
        """The number to send. Raises Unbound; ``*`` and ranges are never sent."""
        if isinstance(num, Exact):
            return num.value
        if isinstance(num, Var):
            if num.name not in self._values:
                raise Unbound(num.name)
            return self._values[num.name] + num.offset
        raise TypeError(f"{num} is no value to send")

    def fits(self, num: Num, actual: int, modulus: int = _CIRCLE) -> bool:
        """Is ``actual`` what ``num`` says, modulo ``modulus``? A variable without a value takes it, for the time being."""
        if isinstance(num, Exact):
            return actual == num.value or (actual - num.value) % modulus == 0
        if isinstance(num, AnyValue):
            return True
        if isinstance(num, Range):
            return (actual - num.low) % modulus <= num.high - num.low
        known = self._values.get(num.name, self._tried.get(num.name))
        if known is None:
            self._tried[num.name] = actual - num.offset
            if modulus != _CIRCLE:
                self._moduli[num.name] = modulus
            return True
        return (actual - known - num.offset) % modulus == 0

    def keep(self) -> None:
        """The comparison as a whole fits: what it bound stays."""
        if self._tried:
            self._values |= self._tried
            self._tried = {}

    def drop(self) -> None:
        """It does not: forget what it bound."""
        self._tried.clear()

    def stamp(self, t: int) -> None:
        """What was bound since the last time was bound by something that happened at ``t``."""
        if len(self._times) < len(self._values):
            self._times.update((name, t) for name in self._values if name not in self._times)

    def grown(self) -> dict[str, Growth]:
        """All that is bound, for a check."""
        return {name: Growth(value, self._times.get(name, 0), self._moduli.get(name, _CIRCLE)) for name, value in self._values.items()}

    def copy(self) -> Variables:
        """The same bindings, for a comparison that must leave no trace."""
        other = Variables()
        other._values = dict(self._values)
        return other

    def text(self, num: Num) -> str:
        """What is expected, for a person, with the value that a variable has."""
        if isinstance(num, Var):
            known = self._values.get(num.name, self._tried.get(num.name))
            return wanted_text(num) + ("" if known is None else f" (= {known + num.offset})")
        return wanted_text(num)


def wanted_text(num: Num) -> str:
    """The number as it would be written in a case."""
    match num:
        case Exact(value):
            return str(value)
        case Range(low, high):
            return f"{low}..{high}"
        case Var(name, offset):
            return f"${name}" + (f"{offset:+d}" if offset else "")
        case _:
            return "*"


def is_cookie(octets: bytes) -> bool:
    """Has it a length that a Fast Open cookie may have (RFC 7413, section 4.1.1)?"""
    return 4 <= len(octets) <= 16 and len(octets) % 2 == 0


def cookie_number(octets: bytes) -> int:
    """A cookie as the number that a variable holds: a one before it keeps its length."""
    return int.from_bytes(b"\x01" + octets, "big")


def cookie_octets(number: int) -> bytes:
    """And back. The cookie after the last of its length is the first again."""
    size = max(number.bit_length() - 1, 0) // 8
    return (number & (1 << 8 * size) - 1).to_bytes(size, "big")
