"""The same cases on the reference stack: the tester means one thing by them, on a virtual clock too."""

from __future__ import annotations

import asyncio

import pytest

from conformance.case.loader import load_suite
from conformance.engine.runner import Runner, RunnerOptions
from conformance.result import CaseResult, Verdict
from conformance.sut.reference import Reference

from .harness import case_folder
from .planted import PLANTED

NOT_THERE = ("icmp-quoted-ipv4", "with-flow_label")
"""It does not read a record route, and its flow labels are 0."""


_THERE = [planted for planted in PLANTED if planted.name not in NOT_THERE]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CaseResult]:
    files = {f"{kind}/{planted.name}": getattr(planted, kind) for planted in _THERE for kind in ("right", "wrong")}
    suite = load_suite(case_folder(tmp_path_factory.mktemp("planted") / "cases", files))
    assert not suite.errors
    results: list[CaseResult] = []
    asyncio.run(Runner(Reference(), RunnerOptions(seed=1), results.append).run(suite.cases))
    return {result.case.id: result for result in results}


def test_all_are_right_without_it(played: dict[str, CaseResult]) -> None:
    failed = {id: result.failure for id, result in played.items() if id.startswith("right/") and result.verdict is not Verdict.PASS}
    assert failed == {}


def test_all_are_found(played: dict[str, CaseResult]) -> None:
    passed = {id for id, result in played.items() if id.startswith("wrong/") and result.verdict is not Verdict.FAIL}
    assert passed == set()
