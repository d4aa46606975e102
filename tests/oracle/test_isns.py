"""ISNs are held against those that the same host chose for other connections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.oracle.isns import Isns
from conformance.oracle.screen_isns import BulkIsns

MS = 1_000_000


def rules(isns: list[int], apart: int = 5 * MS) -> list[set[str]]:
    """What is wrong with each, one after the other."""
    chosen = Isns()
    return [{rule for rule, _ in chosen.chosen("host", isn, number * apart, number)} for number, isn in enumerate(isns)]


def test_a_constant_isn_shows_with_the_second_connection() -> None:
    assert rules([7, 7, 7]) == [set(), {"isn-constant"}, {"isn-constant"}]


def test_two_among_many_may_be_chance() -> None:
    assert rules([7, 1 << 20, 7, 1 << 25]) == [set()] * 4
    assert rules([7, 1 << 20, 7, 1 << 25, 7])[-1] == {"isn-constant"}


def test_a_clock_shows_when_it_has_gone_on_for_a_while() -> None:
    assert rules([number * 1250 for number in range(6)])[-1] == {"isn-from-clock"}


@pytest.mark.parametrize("run", [1, 20, 1000])
@settings(max_examples=40, deadline=None)
@given(isns=st.lists(st.integers(0, 40) | st.integers(0, (1 << 32) - 1), max_size=60), ticks=st.booleans())
def test_many_at_once_give_the_same(isns: list[int], ticks: bool, run: int) -> None:
    if ticks:
        isns = [isn + number * 1250 & 0xFFFF_FFFF if number % 7 else number * 1250 for number, isn in enumerate(isns)]
    one, many = Isns(), BulkIsns()
    ts = np.arange(len(isns)) * 5 * MS
    expected = [(number, broken) for number, isn in enumerate(isns) if (broken := one.chosen("host", isn, int(ts[number]), number))]
    found = []
    for begin in range(0, len(isns), run):
        part = slice(begin, begin + run)
        several = many.several("host", np.array(isns[part], np.int64), ts[part], np.arange(len(isns))[part])
        found += [(begin + place, broken) for place, broken in several]
    assert found == expected
