"""The suite on the reference stack: all of it passes, and with Linux's choices it deviates just where Linux is known to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.case.case import Case
from conformance.case.expectations import load_expectations
from conformance.case.loader import load_suite
from conformance.engine.runner import Runner, RunnerOptions
from conformance.result import CaseResult, Verdict
from conformance.sut.registry import make

CASES = Path(__file__).resolve().parents[2] / "cases"


@pytest.fixture(scope="module")
def suite() -> list[Case]:
    return list(load_suite(CASES).cases)


def played(cases: list[Case]) -> list[CaseResult]:
    results: list[CaseResult] = []
    asyncio.run(Runner(make("reference"), RunnerOptions(), results.append).run(cases))
    assert len(results) == len(cases) > 1000
    return results


def test_the_suite_passes(suite: list[Case]) -> None:
    assert [(result.case.id, result.failure) for result in played(suite) if result.verdict is not Verdict.PASS] == []


def test_as_linux_it_deviates_where_linux_does(suite: list[Case]) -> None:
    """Each of Linux's known deviations is one of the stack's, at the same step, and it has no others."""
    known = load_expectations(CASES / "expectations" / "linux.yaml")
    results = played([replace(case, config={"profile": "linux", **case.config}) for case in suite])
    for result in results:
        result.hold_against(known.lookup(result.case.id))
    assert [(result.case.id, result.verdict, result.failure) for result in results if not result.expected] == []
    assert sum(result.verdict is Verdict.FAIL for result in results) > 50
