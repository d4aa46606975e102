"""What a ``check`` step says of variables: numbers that must be equal, ordered, all different, scattered, or grow at a rate.

Values of 32-bit fields are compared modulo 2³², as sequence numbers are (RFC 9293, section 3.4): ``low..high`` is the arc that begins at
``low``, and ``a < b`` holds if ``b`` is less than half a circle ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import comb

__all__ = ["LEAST_SCATTERED", "Check", "Distinct", "Growth", "Names", "Rate", "Relation", "Scattered", "Sum", "too_close"]

_SECOND = 10**9
_CIRCLE = 1 << 32
_ARCS = 256
"""``scattered`` asks how many differences lie within one 256th of the circle."""
_CHANCE = 1e-9
"""How often, at most, numbers that are chosen at random may fail that."""
LEAST_SCATTERED = 7
"""Numbers of which :data:`_CHANCE` allows to say anything."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What a variable held, when it was bound (ns), and modulo what it counts."""

    value: int
    t: int
    modulus: int = _CIRCLE


@dataclass(frozen=True, slots=True)
class Sum:
    """``2*$a - $b + 5``: factors and names, and a number."""

    terms: tuple[tuple[int, str], ...] = ()
    constant: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.terms)

    def value(self, known: Mapping[str, Growth]) -> int:
        """The sum of what the variables hold."""
        return sum(factor * known[name].value for factor, name in self.terms) + self.constant


@dataclass(frozen=True, slots=True)
class Names:
    """``$a $b $c``, where ``$c*`` stands for ``$c0``, ``$c1`` … as far as they are bound."""

    listed: tuple[str, ...]

    def among(self, known: Sequence[str] | Mapping[str, object]) -> tuple[str, ...]:
        """The names that are meant, in order."""
        found: list[str] = []
        for name in self.listed:
            stem = name.removesuffix("*")
            rounds = [other for other in known if other.startswith(stem) and other[len(stem) :].isdecimal()]
            found += sorted(rounds, key=lambda other: int(other[len(stem) :])) if stem != name else [name]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Relation:
    """``left = right``, ``!=``, ``<``, ``<=``, ``>``, ``>=``; ``high`` if what is right of the sign is a range."""

    left: Sum
    sign: str
    right: Sum
    high: int | None = None

    @property
    def names(self) -> Names:
        return Names((*self.left.names, *self.right.names))

    def problem(self, known: Mapping[str, Growth]) -> tuple[str, str] | None:
        """What is wanted and what is there, unless that holds."""
        modulus = min((known[name].modulus for name in (*self.left.names, *self.right.names)), default=_CIRCLE)
        left, right = self.left.value(known), self.right.value(known)
        ahead = (left - right) % modulus
        ahead -= modulus if ahead >= modulus // 2 else 0
        holds = {
            "=": ahead == 0, "!=": ahead != 0, "<": ahead < 0, "<=": ahead <= 0, ">": ahead > 0, ">=": ahead >= 0,
        }[self.sign]  # fmt: skip
        if self.high is not None:
            holds = ((left - right) % modulus <= self.high - right) is (self.sign == "=")
        if holds:
            return None
        wanted = f"{self.sign} {right}" if self.high is None else f"{self.sign} {right}..{self.high}"
        return wanted, str(left % modulus if self.left.terms else left)


@dataclass(frozen=True, slots=True)
class Distinct:
    """No two of them are equal."""

    names: Names

    def problem(self, known: Mapping[str, Growth]) -> tuple[str, str] | None:
        values = {name: growth.value % growth.modulus for name, growth in known.items()}
        (value, times), *_ = Counter(values.values()).most_common(1)
        if times == 1:
            return None
        same = ", ".join(f"${name}" for name, other in values.items() if other == value)
        return f"{len(values)} different numbers", f"{same} are {value}"


@dataclass(frozen=True, slots=True)
class Scattered:
    """Their successive differences do not gather as those of a counter or a clock do."""

    names: Names
    low: int = 0
    high: int = _CIRCLE - 1
    """The range that they come from."""

    def problem(self, known: Mapping[str, Growth]) -> tuple[str, str] | None:
        size = self.high - self.low + 1
        values = [growth.value % growth.modulus for growth in known.values()]
        outside = [value for value in values if not self.low <= value <= self.high]
        if outside:
            return f"numbers in {self.low}..{self.high}", ", ".join(map(str, outside))
        differences = sorted((after - before) % size for before, after in pairwise(values))
        reach = size // _ARCS
        around = [*differences, *(difference + size for difference in differences)]
        count, start = max(
            (sum(start <= other <= start + reach for other in around[at : at + len(differences)]), start)
            for at, start in enumerate(differences)
        )
        most = too_close(len(differences), (reach + 1) / size)
        if count < most:
            return None
        gathered = f"{count} of {len(differences)} between {start} and {(start + reach) % size}"
        return f"fewer than {most} of {len(differences)} successive differences within {reach} of each other", gathered


def too_close(differences: int, share: float) -> int:
    """So many of these differences within one arc of this share of the circle are no accident.

    The differences of numbers that are chosen at random are independent and lie anywhere on the circle. That some arc holds ``k`` of ``m``
    has at most the chance ``m * C(m - 1, k - 1) * share ** (k - 1)``: one of them begins the arc, ``k - 1`` others are in it.
    """
    chances = (differences * comb(differences - 1, k - 1) * share ** (k - 1) for k in range(2, differences + 1))
    return next((k for k, chance in enumerate(chances, 2) if chance < _CHANCE), differences + 1)


@dataclass(frozen=True, slots=True)
class Rate:
    """By how much a second they grow, from each to the next, modulo 2³². A clock that ticks is one count behind or ahead."""

    names: Names
    low: int
    high: int

    def problem(self, known: Mapping[str, Growth], margin: int = 0) -> tuple[str, str] | None:
        """``margin`` (ns) is by how much the time between two of them may be off."""
        for (name, before), (other, after) in pairwise(known.items()):
            grown, elapsed = (after.value - before.value) % before.modulus, after.t - before.t
            most, least = self.high * (elapsed + margin) / _SECOND + 1, self.low * max(elapsed - margin, 0) / _SECOND - 1
            if not least <= grown <= most:
                rate = f"{grown * _SECOND / elapsed:.6g} a second" if elapsed else f"{grown} in no time"
                return f"{self.low}..{self.high} a second", f"{rate}: {grown} from ${name} to ${other} in {elapsed / _SECOND:.6f} s"
        return None


Check = Relation | Distinct | Scattered | Rate
