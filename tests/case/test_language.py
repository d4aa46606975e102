"""cases/LANGUAGE.md says what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.case import notation
from conformance.case.errors import CaseError
from conformance.case.settings import SETTINGS
from conformance.case.step_models import STEP_MODELS
from conformance.case.vocabulary import ADDRESSES, CALLS, ICMP_NAMES, PORTS
from conformance.case.yaml_reader import read_yaml

LANGUAGE = (Path(__file__).parents[2] / "cases/LANGUAGE.md").read_text("utf-8")

PARSERS: dict[str, Callable[[str], Any]] = {
    "call": notation.call, "start": notation.start, "finish": notation.finish, "inject": notation.inject_segment,
    "expect": notation.expect_segment, "inject_icmp": notation.inject_icmp, "expect_icmp": notation.expect_icmp,
    "silence": notation.duration, "state": notation.state,
    "states": notation.states, "sockopt": notation.sockopt, "info": notation.info, "after": notation.timing,
    "within": notation.duration, "check": notation.check,
}  # fmt: skip


def steps_in_the_text() -> Iterator[tuple[str, str]]:
    """Each ``kind: text`` that stands in backquotes, but for those with a parameter in them; a check is nothing without its variables."""
    for quoted in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", LANGUAGE, flags=re.DOTALL)):
        match = re.fullmatch(r"(\w+): (.+)", quoted)
        if match and match[1] in PARSERS and ("$" not in match[2] or match[1] == "check"):
            yield match[1], read_yaml(match[2]).data


@pytest.mark.parametrize(("kind", "text"), sorted(set(steps_in_the_text())))
def test_the_steps_that_it_shows_are_right(kind: str, text: str) -> None:
    PARSERS[kind](text)


def test_it_shows_a_step_of_each_kind() -> None:
    assert {kind for kind, _ in steps_in_the_text()} == set(PARSERS)
    assert all(f"| `{kind}: " in LANGUAGE or f"`{kind}`" in LANGUAGE for kind in STEP_MODELS)


def test_it_names_every_word() -> None:
    words = {f"`{word}`" for word in (*ADDRESSES, *PORTS, *ICMP_NAMES)}
    assert {word for word in words if word not in LANGUAGE} == set()
    assert {function for function in CALLS if f"{function}(" not in LANGUAGE} == set()


@pytest.mark.parametrize("name", SETTINGS)
def test_it_says_of_each_setting_what_the_table_says(name: str) -> None:
    row = next(line for line in LANGUAGE.splitlines() if line.startswith(f"| `{name}` |"))
    assert row.endswith(f"| {SETTINGS[name].meaning} | {SETTINGS[name].default} |")


def test_its_blocks_of_yaml_are_yaml() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", LANGUAGE, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        assert read_yaml(block).data


def test_what_must_be_quoted_must_be_quoted() -> None:
    for text in ("expect: * 0:0(0)", "inject: - 1:1(0)"):
        with pytest.raises(CaseError, match="quotes around a text"):
            read_yaml(text)
