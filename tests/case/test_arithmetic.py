"""What a check says of variables: when it holds, what it shows if not, and how rarely chance breaks it."""

from __future__ import annotations

from random import Random

import pytest

from conformance.case import notation
from conformance.case.arithmetic import Growth, Rate, Scattered, Sum, too_close
from conformance.case.errors import CaseError

from .folder import HEAD, Folder, place

SECOND = 10**9
BIND = "steps:\n" + "".join(f"  - expect: . 1:1(0) ack ${name}\n" for name in ("a", "b", "c", *(f"x{i}" for i in range(7))))


def problem(text: str, **values: int) -> tuple[str, str] | None:
    """What is wrong with a check of variables that hold these values, each bound a second after the one before."""
    known = {name: Growth(value, second * SECOND) for second, (name, value) in enumerate(values.items())}
    what = notation.check(text)
    used = {name: known[name] for name in what.names.among(known)}
    return what.problem(used)


@pytest.mark.parametrize(
    "text",
    [
        "$a = 7", "$a = 5..7", "$a != 8", "$a != 8..9", "$a < $b", "$a <= 7", "$b > $a", "$b >= 9", "$b - $a = 2", "2*$a-4 = $b+1",
        "$a + 1 - $b = -1", "$a-1=6", "$b - $a = -5..5", "3 + $a = 10", "distinct $a $b", "rate $a $b = 2", "rate $a $b = 1..9",
    ],
)  # fmt: skip
def test_it_holds(text: str) -> None:
    assert problem(text, a=7, b=9) is None


@pytest.mark.parametrize(
    ("text", "wanted", "actual"),
    [
        ("$a = 8", "= 8", "7"), ("$a = 8..9", "= 8..9", "7"), ("$a = 5..6", "= 5..6", "7"), ("$a != 7", "!= 7", "7"),
        ("$a != 5..7", "!= 5..7", "7"), ("$a < 7", "< 7", "7"), ("$a <= 6", "<= 6", "7"), ("$b > $a + 2", "> 9", "9"),
        ("$b >= 10", ">= 10", "9"), ("$b - $a = 3", "= 3", "2"), ("2*$a = $b", "= 9", "14"), ("$a - $b = 2", "= 2", str(2**32 - 2)),
        ("rate $a $b = 4..9", "4..9 a second", "2 a second: 2 from $a to $b in 1.000000 s"),
        ("rate $b $a = 1..9", "1..9 a second", "-"),
    ],
)  # fmt: skip
def test_it_does_not_hold(text: str, wanted: str, actual: str) -> None:
    found = problem(text, a=7, b=9)
    assert found is not None
    assert (found[0], found[1]) == (wanted, actual) or actual == "-"


def test_numbers_of_segments_go_round() -> None:
    last = 2**32 - 1
    assert problem("$b - $a = 3", a=last, b=2) is None
    assert problem("$a < $b", a=last, b=2) is None
    assert problem("$a = -1", a=last) is None
    assert problem("$a = -3..3", a=last) is None
    assert problem("$a = -3..3", a=2**31) is not None
    assert problem("rate $a $b = 3", a=last, b=2) is None


def test_numbers_of_calls_are_plain() -> None:
    known = {"a": Growth(5 * SECOND, 0, 1 << 64), "b": Growth(9 * SECOND, 0, 1 << 64)}
    assert notation.check("$a < $b").problem(known) is None
    assert notation.check(f"$b - $a = {4 * SECOND}").problem(known) is None
    assert notation.check(f"$a = {5 * SECOND - 2**32}").problem(known) is not None


def test_distinct_shows_which_are_the_same() -> None:
    assert problem("distinct $a $b $c", a=1, b=2, c=3) is None
    assert problem("distinct $a $b $c", a=1, b=2, c=1) == ("3 different numbers", "$a, $c are 1")


def test_rounds_of_a_repeat_in_their_order() -> None:
    names = [f"x{i}" for i in range(12)]
    assert notation.check("distinct $a $x*").names.among(["a", "xy", "x", *reversed(names)]) == ("a", *names)


def test_a_clock_may_be_a_tick_off_and_time_a_little() -> None:
    known = {"a": Growth(0, 0), "b": Growth(1001, SECOND)}
    assert notation.check("rate $a $b = 1..1000").problem(known) is None
    known["b"] = Growth(1010, SECOND)
    rate = notation.check("rate $a $b = 1..1000")
    assert isinstance(rate, Rate)
    assert rate.problem(known) is not None
    assert rate.problem(known, SECOND // 100) is None


# Scattered ------------------------------------------------------------------------------------------------------------


def scattered(values: list[int], text: str = "scattered $x*") -> bool:
    return problem(text, **{f"x{i}": value for i, value in enumerate(values)}) is None


@pytest.mark.parametrize("count", [7, 10, 16, 32])
def test_what_is_not_scattered(count: int) -> None:
    rng = Random(count)
    start = rng.getrandbits(32)
    assert not scattered([start] * count)
    assert not scattered([start + 64000 * i for i in range(count)])
    assert not scattered([start - i for i in range(count)])
    assert not scattered([start + 250_000 * i + rng.randrange(100_000) for i in range(count)])
    assert not scattered([start + rng.getrandbits(20) for _ in range(count)])
    assert not scattered([rng.getrandbits(16) for _ in range(count)])
    assert not scattered([start + 0x5000_0000 * i for i in range(count)])
    assert not scattered([32768 + 2 * i for i in range(count)], "scattered $x* in 32768..60999")
    assert not scattered([rng.randrange(32768, 60999) for _ in range(count - 1)] + [80], "scattered $x* in 32768..60999")


def test_half_a_counter_is_not_scattered() -> None:
    rng = Random(1)
    values = [rng.getrandbits(32)]
    for i in range(15):
        values.append(values[-1] + 64000 if i % 2 else rng.getrandbits(32))
    assert not scattered(values)


def test_what_is_random_is_scattered() -> None:
    rng = Random(2)
    for count in (7, 8, 16, 40):
        for _ in range(500):
            assert scattered([rng.getrandbits(32) for _ in range(count)])
            assert scattered([rng.randrange(32768, 61000) for _ in range(count)], "scattered $x* in 32768..60999")


def test_how_many_are_too_close() -> None:
    assert [too_close(count, 1 / 256) for count in (5, 6, 15, 63)] == [6, 6, 7, 10]
    rng, hits, runs = Random(3), 0, 4000
    for _ in range(runs):  # with a chance that can be measured: the bound is one
        values = {f"x{i}": Growth(rng.getrandbits(32), 0) for i in range(16)}
        differences = sorted((b.value - a.value) % 2**32 for a, b in zip(list(values.values()), list(values.values())[1:], strict=False))
        hits += any(sum((other - start) % 2**32 <= 2**24 for other in differences) >= 3 for start in differences)
    assert hits / runs < 15 * 91 / 256**2


# In a case ------------------------------------------------------------------------------------------------------------


def test_what_the_texts_mean() -> None:
    assert notation.check("scattered $a $x* in 1..9") == Scattered(notation.check("distinct $a $x*").names, 1, 9)
    assert notation.check("$a+1 - 2*$b - 5 = 3").left == Sum(((1, "a"), (-2, "b")), -4)


@pytest.mark.parametrize(
    ("text", "column", "found", "wanted"),
    [
        ("distinct", 20, "the end", "variables such as $a $b"),
        ("distinct 3", 21, "3", "variables such as $a $b"),
        ("scattered $a 3", 25, "3", "a variable such as $a"),
        ("rate $a $b", 22, "the end", "= and how much a second"),
        ("$a", 14, "the end", "=, !=, <"),
        ("$a =", 16, "the end", "a number, a range or a sum"),
        ("different $a $b", 12, "different", "a relation such as"),
        ("$a < 1..2", 18, "..2", "= or !="),
        ("$a = $b..2", 19, "..2", "= or !="),
        ("$a = 3..2", 17, "3..2", "the lower end first"),
        ("scattered $x* in 3..2", 29, "3..2", "the lower end first"),
        ("$d = 3", 5, "$d", "bound by a step before: $a, $b"),
        ("distinct $a", 5, "1 variables", "at least 2"),
        ("distinct $y*", 5, "0 variables", "at least 2"),
        ("scattered $a $b $c", 5, "3 variables", "at least 7"),
        ("rate $a = 1", 5, "1 variables", "at least 2"),
        ("1 = 1", 5, "0 variables", "at least 1"),
    ],
)
def test_mistakes(folder: Folder, text: str, column: int, found: str, wanted: str) -> None:
    error = folder.error(f"{HEAD}{BIND}  - check: {text}\n")
    assert (place(error)[0], error.found) == (14, found), str(error)
    assert error.column == column and wanted in str(error)


def test_checks_that_can_be_made(folder: Folder) -> None:
    suite = folder.load(f"{HEAD}{BIND}  - {{check: scattered $x*, why: an ISN is not to be guessed}}\n  - check: rate $a $b $c = 1..2\n")
    assert not suite.errors
    assert suite.cases[0].steps[-2].why


def test_a_number_of_connections(folder: Folder) -> None:
    text = """\
connections: {c: {count: 3, peer: peer2}}
steps:
  - repeat:
      times: 3
      steps:
        - {expect: S. $isn$i:0(0) ack 1, on: c$i}
  - check: distinct $isn*
"""
    suite = folder.load(HEAD + text)
    assert not suite.errors, suite.errors
    assert [connection.name for connection in suite.cases[0].connections] == ["default", "c0", "c1", "c2"]
    error = folder.error(HEAD + text.replace("count: 3", "count: 3, reuse: c9"))
    assert place(error) == (3, 36) and error.found == "c9"
    assert "at least 1" in str(folder.error(HEAD + text.replace("count: 3", "count: 0")))
    assert "c2" in str(folder.error(HEAD + text.replace("count: 3", "count: 2")))


def test_an_unknown_kind_of_check_is_no_check() -> None:
    with pytest.raises(CaseError):
        notation.check("unlike $a $b")
