"""TAP 14, read back by a small parser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from conformance.case.errors import CaseError
from conformance.report.records import Run
from conformance.report.tap import tap_text, write_tap
from conformance.result import SutFacts, Verdict

from .sample import FACTS, failure, result
from .test_safe_text import HOSTILE

RUN = Run(suts=(FACTS,))
POINT = re.compile(r"(ok|not ok) (\d+) - ((?:[^#\\]|\\.)*?)(?: # (SKIP|TODO)(?: (.*))?)?")
Point = tuple[str, int, str, str | None, str | None, Any]


def points(text: str) -> list[Point]:
    """The test points of a TAP document; asserts that version and plan fit."""
    version, plan, *lines = text.removesuffix("\n").split("\n")
    assert version == "TAP version 14"
    found: list[Point] = []
    block: list[str] | None = None
    for line in lines:
        if line == "  ---":
            block = []
        elif line == "  ...":
            found[-1] = (*found[-1][:5], yaml.safe_load("\n".join(block or [])))
            block = None
        elif block is not None:
            assert line.startswith("  ")
            block.append(line[2:])
        elif not line.startswith(("#", "Bail out!")):
            match = POINT.fullmatch(line)
            assert match, line
            word, number, name, directive, reason = match.groups()
            found.append((word, int(number), name, directive, reason, None))
    assert plan == f"1..{len(found)}" and [point[1] for point in found] == list(range(1, len(found) + 1))
    return found


@pytest.mark.parametrize(
    ("verdict", "changes", "word", "directive", "reason"),
    [
        (Verdict.PASS, {}, "ok", None, None),
        (Verdict.PASS, {"expected": False}, "not ok", None, None),
        (Verdict.FAIL, {}, "not ok", None, None),
        (Verdict.FAIL, {"expected": True, "explanation": "see\n# 12"}, "not ok", "TODO", "see \\# 12"),
        (Verdict.SKIPPED, {"failure": failure(reason="lacks sack")}, "ok", "SKIP", "lacks sack"),
        (Verdict.SKIPPED, {"failure": None}, "ok", "SKIP", None),
        (Verdict.INCONCLUSIVE, {}, "not ok", None, None),
        (Verdict.ERROR, {}, "not ok", None, None),
    ],
)
def test_each_judgement_has_its_line(
    verdict: Verdict, changes: dict[str, Any], word: str, directive: str | None, reason: str | None
) -> None:
    ((found, _, name, *directives, _),) = points(tap_text([result(verdict, **changes)], RUN))
    assert (found, name, *directives) == (word, "handshake/passive-open[ipv4]", directive, reason)


def test_a_failure_says_where_and_what() -> None:
    ((*_, block),) = points(tap_text([result(Verdict.FAIL)], RUN))
    assert block["severity"] == "violation" and block["at"] == {"file": "handshake/passive-open.yaml", "line": 12}
    assert block["differences"] == [{"field": "ack", "expected": "1", "actual": "2"}]
    assert block["requirements"] == ["RFC9293/MUST-11", "RFC9293/3.5"] and block["duration_ms"] == 250


def test_signs_that_mean_something_are_escaped() -> None:
    ((_, _, name, directive, *_),) = points(tap_text([result(case_id="a/b[# TODO \\]")], RUN))
    assert (name, directive) == ("a/b[\\# TODO \\\\]", None)


def test_the_stack_is_named_where_there_are_several() -> None:
    run = Run(suts=(FACTS, SutFacts("reference", "0.1.0", "stack")))
    assert [point[2] for point in points(tap_text([result()], run))] == ["linux: handshake/passive-open[ipv4]"]


def test_broken_case_files_come_last() -> None:
    found = points(tap_text([result()], RUN, (CaseError("unknown step", file="a/b.yaml", line=3, column=1),)))
    assert found[1][:3] == ("not ok", 2, "a/b.yaml") and found[1][5]["at"] == {"file": "a/b.yaml", "line": 3}


def test_an_interrupted_run_bails_out() -> None:
    assert tap_text([result()], RUN, interrupted=True).endswith("\nBail out! interrupted\n")


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_no_text_breaks_the_protocol(text: str, other: str) -> None:
    hostile = result(Verdict.FAIL, case_id=text, failure=failure(reason=text, actual=other), explanation=other, capture=text)
    todo = result(Verdict.FAIL, expected=True, explanation=text)
    run = Run(suts=(SutFacts(text, other, text), FACTS))
    document = tap_text([hostile, todo], run, (CaseError(text, file=other),))
    assert len(points(document)) == 3
    assert document.replace("\n", "").isprintable()


def test_it_is_written(tmp_path: Path) -> None:
    write_tap(tmp_path / "run.tap", [result()], RUN)
    assert len(points((tmp_path / "run.tap").read_text())) == 1
