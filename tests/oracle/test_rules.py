"""Every rule of the oracle: a dialogue that breaks it is found out, at the right packet, and one that differs in one thing is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import conformance.oracle
from conformance.case.register import Register, load_register
from conformance.oracle.finding import Rule
from conformance.oracle.rules import RULES, STRICT

from .dialogues import DIALOGUES
from .talk import breaches, judged, talk

ROOT = Path(__file__).parents[2]
ORACLE = Path(conformance.oracle.__file__).parent
DEAD: tuple[str, ...] = ()
"""Rules that nothing looks for."""
UNSURE = ("sequence-gap",)
"""Rules that can only be suspected: the capture may have missed something."""
LEVELS: Mapping[str, str] = {"MUST": "MUST", "MUST NOT": "MUST", "SHOULD": "SHOULD", "SHOULD NOT": "SHOULD", "MAY": "SHOULD"}


@pytest.fixture(scope="module")
def register() -> Register:
    return load_register(ROOT / "cases")


@pytest.mark.parametrize("rule", DIALOGUES)
def test_a_breach_is_found_at_its_packet(rule: str) -> None:
    told = talk(DIALOGUES[rule], rule)
    found = judged(told)
    assert breaches(found) == told.breaches
    assert rule in {name for name, _, _ in breaches(found, certain=rule not in UNSURE)}


@pytest.mark.parametrize("rule", DIALOGUES)
def test_what_is_right_is_not(rule: str) -> None:
    assert breaches(judged(talk(DIALOGUES[rule], rule, right=True))) == set()


def test_no_rule_is_without_its_dialogue() -> None:
    assert sorted(RULES) == sorted([*DIALOGUES, *DEAD])


def test_nothing_looks_for_a_rule_that_is_dead_or_is_not_there() -> None:
    """Rules are named by words in quotes; what is in the table only can never be found."""
    words = {
        word
        for path in ORACLE.glob("*.py")
        if path.name != "rules.py"
        for word in re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', path.read_text())
    }
    assert set(DEAD) & words == set()
    assert set(RULES) - words == set(DEAD)
    assert set(STRICT) <= set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_what_the_register_says(rule: Rule, register: Register) -> None:
    assert rule.requirement in register
    assert rule.level == LEVELS[register[rule.requirement].level]
    assert rule.says
