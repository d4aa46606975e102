"""Sequence arithmetic, checked around the wrap and against the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.wire import seq

from .packets import numbers, quick

near = st.integers(-(2**31) + 1, 2**31 - 1)
"""Distances at which two numbers can be compared."""


@quick
@given(numbers, near)
def test_a_difference_is_what_was_added(a: int, n: int) -> None:
    assert seq.diff(seq.add(a, n), a) == n
    assert 0 <= seq.add(a, n) < seq.MODULUS


@quick
@given(numbers, near)
def test_comparisons_are_those_of_the_distance(a: int, n: int) -> None:
    b = seq.add(a, n)
    assert (seq.lt(b, a), seq.le(b, a), seq.gt(b, a), seq.ge(b, a)) == (n < 0, n <= 0, n > 0, n >= 0)


@pytest.mark.parametrize(("a", "b", "distance"), [(0, 2**32 - 1, 1), (2**32 - 1, 0, -1), (5, 5, 0), (2**31, 0, -(2**31))])
def test_differences_at_the_wrap(a: int, b: int, distance: int) -> None:
    assert seq.diff(a, b) == distance


def test_a_window_may_lie_across_the_wrap() -> None:
    left = 2**32 - 2
    assert [seq.in_window(seq.add(left, n), left, 4) for n in range(-1, 6)] == [False, True, True, True, True, False, False]
    assert not seq.in_window(left, left, 0)


def test_a_number_is_absolute_until_the_isn_is_known() -> None:
    assert seq.relative(7, None) == 7
    assert seq.relative(7, 2**32 - 1) == 8
    assert seq.relative(99, 100) == -1
