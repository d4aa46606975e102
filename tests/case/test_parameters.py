"""Parameters: combinations, labels, and what is replaced."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.case.errors import CaseError
from conformance.case.parameters import MAX_COMBINATIONS, Combination, Substitution, Value, combinations
from conformance.case.yaml_reader import read_yaml

from .folder import place


def expand(parameters: str) -> tuple[list[Combination], list[CaseError]]:
    errors: list[CaseError] = []
    return combinations(read_yaml("parameters:\n" + parameters, "x.yaml"), errors), errors


def replaced(data: object, **values: Value) -> object:
    substitution = Substitution(values)
    result = substitution.data(data)
    assert not substitution.mistakes
    return result


def test_every_combination_in_the_order_of_the_file() -> None:
    found, errors = expand("  a: [1, two]\n  b: {x: 3, y: {f: 4}}\n")
    assert not errors
    assert [(case.labels, dict(case.values)) for case in found] == [
        (("1", "x"), {"a": 1, "b": 3}),
        (("1", "y"), {"a": 1, "b": {"f": 4}}),
        (("two", "x"), {"a": "two", "b": 3}),
        (("two", "y"), {"a": "two", "b": {"f": 4}}),
    ]


def test_without_parameters_there_is_one_combination() -> None:
    assert combinations(read_yaml("a: 1"), []) == [Combination()]


def test_labels_are_readable() -> None:
    found, _ = expand("  a: [true, null, 00, 0x1f, 1.5, 'S. 0:0(0), [x]', '']\n")
    assert [case.labels[0] for case in found] == ["true", "null", "00", "0x1f", "1.5", "S._0:0_0_x_", "_"]


@pytest.mark.parametrize(
    ("parameters", "where", "found", "expected"),
    [
        ("  a: []\n", (2, 6), "an empty list", "a list of values, or a mapping of label to value"),
        ("  a: 3\n", (2, 6), "3", "a list of values, or a mapping of label to value"),
        ("  a-b: [1]\n", (2, 3), "a-b", "a name of letters, digits and _"),
        ("  i: [1]\n", (2, 3), "i", "other than i, the round of a repeat"),
        ("  a: [1, 2, 1]\n", (2, 13), "1", "another label"),
        ("  a: [[1]]\n", (2, 7), "a list", "text or a number"),
        ("  a: {x: {f: [1]}}\n", (2, 10), "a mapping", "text or a number"),
        ("  - a\n", (2, 3), "a list", "name: list of values"),
        ("  a: &x [" + ",".join(map(str, range(100))) + "]\n  b: *x\n", (1, 1), "10000", f"at most {MAX_COMBINATIONS}"),
    ],
)
def test_mistakes(parameters: str, where: tuple[int, int], found: str, expected: str) -> None:
    cases, (error,) = expand(parameters)
    assert not cases
    assert (place(error), error.found) == (where, found)
    assert expected in error.expected


def test_huge_products_are_an_error_at_once() -> None:
    values = ",".join(map(str, range(200)))
    before = time.perf_counter()
    cases, (error,) = expand("".join(f"  p{n}: [{values}]\n" for n in range(100)))
    assert time.perf_counter() - before < 3
    assert not cases
    assert error.message == "too many combinations of parameters"


# Substitution ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$n", 1000), ("${n}", 1000), ("a $n b", "a 1000 b"), ("1:$n+1($n)", "1:1001(1000)"), ("$n-1", 999), ("${n*3+1}", 3001),
        ("${ n * 2 - 1 }", 1999), ("x${n}y", "x1000y"), ("$name", "open"),
        ("$name+1", "open+1"), ("$name.", "open."), ("$n..$n", "1000..1000"),
        ("$case.flags", "S."), ("${case.flags} 0:0(0)", "S. 0:0(0)"),
        ("$case.n+1", 8), ("$switch", True), ("is $switch", "is true"), ("$none", None),
        ("$other", "$other"), ("${other}", "${other}"), ("$other.n+1 $n", "$other.n+1 1000"),
        ("$", "$"), ("$$n", "$1000"), ("${n", "${n"), ("$N", "$N"),
        ("$n.field", "1000.field"), ("$nn", "$nn"),
    ],
)  # fmt: skip
def test_texts(text: str, value: object) -> None:
    result = replaced(text, n=1000, name="open", case={"flags": "S.", "n": 7}, switch=True, none=None)
    assert result == value
    assert type(result) is type(value)


def test_everything_in_lists_mappings_and_keys_is_replaced() -> None:
    data = {"a": ["$x", {"$x": "k$x"}], "n": 1}
    assert replaced(data, x=5) == {"a": [5, {5: "k5"}], "n": 1}
    assert data == {"a": ["$x", {"$x": "k$x"}], "n": 1}


def test_values_are_not_replaced_again() -> None:
    assert replaced("$a", a="$b", b="c") == "$b"


def test_a_repeat_inside_keeps_its_own_counter() -> None:
    inner = {"repeat": {"times": "$i", "steps": [{"silence": "$i"}]}}
    substitution = Substitution({"i": 2}, shadowed=True)
    assert substitution.data([{"why": "$i"}, inner]) == [{"why": 2}, {"repeat": {"times": 2, "steps": [{"silence": "$i"}]}}]


@pytest.mark.parametrize(
    ("text", "found", "wanted"),
    [
        ("$case", "$case", "one of flags, n"),
        ("$case.flag", "flag", "one of flags, n"),
        ("${name.flags}", "${name.flags}", "$name"),
        ("${name*2}", "open", "a whole number to reckon with"),
    ],
)
def test_mistakes_in_uses(text: str, found: str, wanted: str) -> None:
    substitution = Substitution({"name": "open", "case": {"flags": "S.", "n": 7}})
    substitution.data({"steps": [text]})
    ((path, error),) = substitution.mistakes
    assert (path, error.found, error.wanted) == (("steps", 0), found, wanted)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.text(alphabet="$xy{}.*+-0 9"), st.dictionaries(st.sampled_from(["x", "y"]), _SCALARS | st.dictionaries(st.just("x"), _SCALARS)))
def test_any_text_can_be_replaced(text: str, values: dict[str, Value]) -> None:
    substitution = Substitution(values)
    substitution.data([text, {text: text}])
    assert all(isinstance(error, CaseError) for _, error in substitution.mistakes)
