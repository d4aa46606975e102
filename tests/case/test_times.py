"""Durations, timings and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.case import notation
from conformance.case.errors import CaseError
from conformance.case.steps import AnyValue, Exact, Range, Timing, Var

MS = 1_000_000
S = 1_000 * MS


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("5ns", 5), ("3us", 3_000), ("3µs", 3_000), ("3μs", 3_000), ("20ms", 20 * MS), ("1s", S), ("1.5s", 1_500 * MS), ("2min", 120 * S),
        ("2h", 7200 * S), ("0s", 0), ("0.1ns", 0), ("0.3s", 300 * MS),
    ],
)  # fmt: skip
def test_durations(text: str, nanoseconds: int) -> None:
    assert notation.duration(text) == nanoseconds
    assert notation.wait(text) == Timing(nanoseconds, nanoseconds)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("1s", 900 * MS, 1100 * MS), ("50ms", 40 * MS, 60 * MS), ("5ms", 0, 15 * MS), ("1s ± 10%", 900 * MS, 1100 * MS),
        ("1s +- 50ms", 950 * MS, 1050 * MS), ("1s±0%", S, S), ("0.9s..1.1s", 900 * MS, 1100 * MS), ("1s ± 2s", 0, 3 * S),
    ],
)  # fmt: skip
def test_timings(text: str, low: int, high: int) -> None:
    assert notation.timing(text) == Timing(low, high)


def test_numbers() -> None:
    assert notation.number("5") == Exact(5)
    assert notation.number("1..64") == Range(1, 64)
    assert notation.number("*") == AnyValue()
    assert notation.number("$x-1") == Var("x", -1)


@pytest.mark.parametrize(
    ("parse", "text", "column", "found", "expected"),
    [
        (notation.duration, "", 1, "the end", "a duration such as 500ms"),
        (notation.duration, "500", 1, "500", "a duration such as 500ms"),
        (notation.duration, "500 ms", 1, "500", "a duration such as 500ms"),
        (notation.duration, "-1s", 1, "-1s", "a duration such as 500ms"),
        (notation.duration, "1s 1s", 4, "1s", "a duration such as 500ms"),
        (notation.wait, "1s ± 10%", 4, "±", "a duration such as 500ms"),
        (notation.timing, "1s ±", 5, "the end", "a margin such as 10% or 50ms"),
        (notation.timing, ">= 1s", 1, ">", "1s ± 10%"),
        (notation.timing, "2s..1s", 1, "2s..1s", "the lower end first"),
        (notation.number, "x", 1, "x", "a number, a range"),
        (notation.number, "5..1", 1, "5..1", "the lower end first"),
    ],
)
def test_mistakes(parse: Callable[[str], Any], text: str, column: int, found: str, expected: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.found) == (column, found)
    assert expected in caught.value.expected


@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from(["1", ".", "s", "ms", "±", "%", "..", " ", "9" * 40, "h", "min"]), max_size=9).map("".join)
    )
)
def test_any_text_is_a_time_or_a_case_error(text: str) -> None:
    for parse in (notation.duration, notation.timing, notation.number):
        try:
            parse(text)
        except CaseError as error:
            assert 1 <= error.column <= len(text) + 1
