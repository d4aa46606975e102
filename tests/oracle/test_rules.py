"""Every rule of the oracle: a dialogue that breaks it is found out, at the right packet, and one that differs in one thing is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import conformance.oracle
from conformance.case.register import Register, load_register
from conformance.oracle.rules import RULES, STRICT

from .dialogues import DIALOGUES
from .talk import breaches, judged, talk

ROOT = Path(__file__).parents[2]
ORACLE = Path(conformance.oracle.__file__).parent
DEAD = (
    "fin-not-acknowledged", "isn-from-clock", "missing-ack", "out-of-order-dropped", "over-path-mtu", "push-missing", "slow-start-growth",
    "time-wait-reused",
)  # fmt: skip
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
