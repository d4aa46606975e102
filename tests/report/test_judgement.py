"""Verdicts against expectations."""

from __future__ import annotations

import pytest

from conformance.report.judgement import Judgement, judge, tally, topic
from conformance.result import Verdict

from .sample import result


@pytest.mark.parametrize(
    ("verdict", "expected", "level", "judgement"),
    [
        (Verdict.PASS, True, "MUST", Judgement.PASS),
        (Verdict.PASS, False, "MUST", Judgement.UNEXPECTED_PASS),
        (Verdict.FAIL, True, "MUST", Judgement.AS_EXPECTED),
        (Verdict.FAIL, False, "MUST", Judgement.VIOLATION),
        (Verdict.FAIL, False, "SHOULD", Judgement.DEVIATION),
        (Verdict.FAIL, False, "MAY", Judgement.DEVIATION),
        (Verdict.INCONCLUSIVE, True, "MUST", Judgement.AS_EXPECTED),
        (Verdict.INCONCLUSIVE, False, "MUST", Judgement.INCONCLUSIVE),
        (Verdict.ERROR, False, "MUST", Judgement.ERROR),
        (Verdict.ERROR, True, "MUST", Judgement.AS_EXPECTED),
        (Verdict.SKIPPED, True, "MUST", Judgement.SKIPPED),
        (Verdict.SKIPPED, False, "MUST", Judgement.SKIPPED),
    ],
)
def test_each_verdict_is_judged(verdict: Verdict, expected: bool, level: str, judgement: Judgement) -> None:
    assert judge(result(verdict, expected=expected, level=level)) is judgement


def test_what_needs_no_look() -> None:
    assert [judgement for judgement in Judgement if judgement.well] == [Judgement.PASS, Judgement.AS_EXPECTED, Judgement.SKIPPED]


def test_a_tally_counts() -> None:
    assert tally([result(), result(), result(Verdict.FAIL)]) == {Judgement.PASS: 2, Judgement.VIOLATION: 1}


@pytest.mark.parametrize(
    ("case_id", "folder", "name"),
    [
        ("handshake/passive-open[ipv4]", "handshake", "passive-open[ipv4]"),
        ("a/b/c[x/y,ipv6]", "a/b", "c[x/y,ipv6]"),
        ("alone[ipv4]", "", "alone[ipv4]"),
        ("alone", "", "alone"),
    ],
)
def test_an_id_is_a_topic_and_a_name(case_id: str, folder: str, name: str) -> None:
    assert topic(case_id) == (folder, name)
