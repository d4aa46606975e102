"""A set of ranges answers as a set of integers does."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from conformance.oracle.intervals import Intervals

MOST = 40
number = st.integers(0, MOST)
steps = st.lists(st.tuples(st.sampled_from(("add", "add", "add", "forget")), number, number), max_size=12)


def made(steps: list[tuple[str, int, int]]) -> tuple[Intervals, set[int]]:
    """The same, done to both."""
    ranges, numbers = Intervals(), set[int]()
    for what, left, right in steps:
        if what == "add":
            ranges.add(left, right)
            numbers |= set(range(left, right))
        else:
            ranges.forget_below(left)
            numbers = {number for number in numbers if number >= left}
    return ranges, numbers


@given(steps)
def test_it_holds_the_same(steps: list[tuple[str, int, int]]) -> None:
    ranges, numbers = made(steps)
    pairs = list(zip(ranges.lefts, ranges.rights, strict=True))
    assert {number for left, right in pairs for number in range(left, right)} == numbers
    assert bool(ranges) == bool(numbers)
    assert all(left < right for left, right in pairs), "none is empty"
    assert all(right < left for (_, right), (left, _) in pairwise(pairs)), "in order, and none touches the next"


@given(steps, number, number)
def test_it_answers_the_same(steps: list[tuple[str, int, int]], left: int, right: int) -> None:
    ranges, numbers = made(steps)
    end = next(number for number in range(left, MOST + 2) if number not in numbers)
    assert ranges.end_from(left) == end
    assert ranges.covers(left, right) == (set(range(left, right)) <= numbers)
    if left < right:
        assert ranges.touches(left, right) == bool(set(range(left, right)) & numbers)
