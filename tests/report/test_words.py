"""Numbers and outcomes in plain words."""

from __future__ import annotations

import pytest

from conformance.report.amounts import duration
from conformance.report.judgement import Judgement
from conformance.report.words import summary_sentence, tally_words
from conformance.result import CaseResult, Verdict

from .sample import result

EXPECTATIONS = {"linux": "cases/expectations/linux.yaml"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.3124, "312 ms"),
        (1, "1.0 s"),
        (9.81, "9.8 s"),
        (99.4, "99.4 s"),
        (99.6, "1 min 40 s"),
        (125, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (3780, "1 h 3 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_does_not_occur_is_not_said() -> None:
    assert tally_words({Judgement.PASS: 0, Judgement.ERROR: 1}) == ["1 error"]


def runs() -> list[CaseResult]:
    return [*[result()] * 121, *[result(Verdict.FAIL, expected=True)] * 2, result(Verdict.FAIL)]


def test_a_run_in_one_line() -> None:
    assert summary_sentence(runs(), 9.8, suts=["linux"], expectations=EXPECTATIONS) == (
        "124 case runs on linux in 9.8 s: 121 pass, 2 deviate as expected (cases/expectations/linux.yaml), 1 violation"
    )


def test_an_interrupted_run_with_broken_files() -> None:
    assert summary_sentence([result()], 2, suts=["linux", "reference"], total=90, broken=["x"], interrupted=True) == (
        "interrupted after 1 of 90 case runs on linux and reference in 2.0 s: 1 pass, 1 case file cannot be read"
    )


def test_a_run_of_nothing() -> None:
    assert summary_sentence([], 0, suts=["linux"]) == "0 case runs on linux in 0 ms"
