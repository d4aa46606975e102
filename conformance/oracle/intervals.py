"""Sets of octets of a stream, as the ranges that make them up."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

__all__ = ["Intervals"]


class Intervals:
    """A set of numbers as disjoint ranges ``[left, right)`` that do not touch, in order."""

    __slots__ = ("lefts", "rights")

    def __init__(self) -> None:
        self.lefts: list[int] = []
        self.rights: list[int] = []

    def __bool__(self) -> bool:
        return bool(self.lefts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self.lefts, self.rights, strict=True))

    def add(self, left: int, right: int) -> None:
        """All numbers from ``left`` to below ``right``."""
        if left >= right:
            return
        first, last = bisect_left(self.rights, left), bisect_right(self.lefts, right)
        if first < last:
            left, right = min(left, self.lefts[first]), max(right, self.rights[last - 1])
        self.lefts[first:last], self.rights[first:last] = [left], [right]

    def forget_below(self, number: int) -> None:
        """Nothing below ``number`` is asked for any more."""
        gone = bisect_right(self.rights, number)
        del self.lefts[:gone], self.rights[:gone]
        if self.lefts and self.lefts[0] < number:
            self.lefts[0] = number

    def end_from(self, number: int) -> int:
        """Up to where everything from ``number`` on is in the set; ``number`` itself if it is not."""
        at = bisect_right(self.lefts, number) - 1
        return self.rights[at] if at >= 0 and self.rights[at] >= number else number

    def covers(self, left: int, right: int) -> bool:
        """Is all of the range in the set?"""
        return self.end_from(left) >= right

    def within(self, left: int, right: int) -> Iterator[tuple[int, int]]:
        """What of the range is in the set, in order."""
        for at in range(bisect_right(self.rights, left), len(self.lefts)):
            if self.lefts[at] >= right:
                return
            yield max(self.lefts[at], left), min(self.rights[at], right)

    def fill_lowest(self) -> None:
        """Take the lowest gap for part of the set, where there are too many to remember."""
        del self.rights[0], self.lefts[1]

    def touches(self, left: int, right: int) -> bool:
        """Is any of the range in the set?"""
        at = bisect_right(self.rights, left)
        return at < len(self.lefts) and self.lefts[at] < right
