"""``-k``: which cases an expression selects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.case.selection import SelectionError, selector

IDS = (
    "handshake/passive-open[ipv4]",
    "handshake/passive-open[ipv6]",
    "handshake/active-open[ipv4]",
    "reset/in-window[FIN-WAIT-1,ipv4]",
    "reset/in-window[FIN-WAIT-2,ipv4]",
    "reset/in-window[FIN-WAIT-2,ipv6]",
)


def selected(expression: str) -> list[int]:
    """The places of the ids that fit."""
    wanted = selector(expression)
    return [number for number, case_id in enumerate(IDS) if wanted(case_id)]


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("  ", [0, 1, 2, 3, 4, 5]),
        ("open", [0, 1, 2]),
        ("OPEN", [0, 1, 2]),
        ("fin-wait-1", [3]),
        ("handshake/", [0, 1, 2]),
        ("nothing", []),
        ("open and ipv4", [0, 2]),
        ("active or reset", [2, 3, 4, 5]),
        ("not reset", [0, 1, 2]),
        ("not not reset", [3, 4, 5]),
        ("reset and not ipv6", [3, 4]),
        ("passive or reset and ipv6", [0, 1, 5]),
        ("(passive or reset) and ipv6", [1, 5]),
        ("(passive or reset)and(ipv6)", [1, 5]),
        ("not (passive or reset)", [2]),
        ("not passive and ipv6", [5]),
        ("((ipv6))", [1, 5]),
        ("notions", []),
        ("passive-open[", [0, 1]),
        ("[ipv4]", [0, 2]),
        (",ipv4]", [3, 4]),
    ],
)
def test_expressions(expression: str, chosen: list[int]) -> None:
    assert selected(expression) == chosen


@pytest.mark.parametrize("number", range(len(IDS)))
def test_a_whole_id_fits_its_case_alone(number: int) -> None:
    assert selected(IDS[number]) == [number]
    assert selected(f"  {IDS[number]} ") == [number]
    assert not selector(IDS[number])(f"more/{IDS[number]}")


def test_a_whole_id_in_an_expression_is_a_word() -> None:
    assert selected(f"{IDS[0]} or {IDS[3]}") == [0, 3]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("and", "'and' stands where a word is expected"),
        ("open and", "ends where a word is expected"),
        ("open or or ipv4", "'or' stands where"),
        ("not", "ends where"),
        ("(open", "parenthesis is not closed"),
        ("(", "ends where"),
        (")", "')' stands where"),
        ("open)", "'and' or 'or' is expected before ')'"),
        ("open ipv4", "'and' or 'or' is expected before 'ipv4'"),
        ("open not ipv4", "'and' or 'or' is expected before 'not'"),
        ("()", "')' stands where"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_runs(expression: str, says: str) -> None:
    with pytest.raises(SelectionError) as refused:
        selector(expression)
    assert says in str(refused.value) and expression in str(refused.value)


@given(st.text(alphabet="ab()[], \t" + "and or not", max_size=40), st.sampled_from(IDS))
def test_any_text_is_an_expression_or_refused(expression: str, case_id: str) -> None:
    try:
        wanted = selector(expression)
    except SelectionError:
        return
    assert wanted(case_id) in (True, False)


_TERMS = st.recursive(
    st.sampled_from(["open", "reset", "ipv4", "FIN-WAIT-2", "nothing"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda term: f"not {term}"),
    ),
    max_leaves=6,
)


@given(_TERMS, st.sampled_from(IDS))
def test_expressions_mean_what_they_mean_in_python(expression: str, case_id: str) -> None:
    python = expression.replace("FIN-WAIT-2", "FW")
    values = {word: word in case_id.lower() for word in ("open", "reset", "ipv4", "nothing")} | {"FW": "fin-wait-2" in case_id.lower()}
    assert selector(expression)(case_id) is eval(python, {}, values)
