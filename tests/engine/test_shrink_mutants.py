"""Long cases that fail on a stack with a planted bug: shrunk, they fail there in the same way, pass on the right stack, and are small."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conformance.case.loader import load_suite
from conformance.case.steps import flatten
from conformance.engine import shrink_session
from conformance.engine.runner import Runner, RunnerOptions
from conformance.engine.shrink_session import ShrinkRequest
from conformance.engine.signature import Signature, signature
from conformance.result import CaseResult, Verdict
from conformance.sut import registry
from conformance.sut.base import VirtualSut
from conformance.sut.registry import Entry

from .harness import CASES
from .planted_stacks import planted


def played(sut: VirtualSut, file: Path, case: str = "", seed: int = 1) -> CaseResult:
    suite = load_suite(CASES, [file], fallback=CASES)
    assert not suite.errors, suite.errors
    results: list[CaseResult] = []
    chosen = [one for one in suite.cases if case in ("", one.id)]
    asyncio.run(Runner(sut, RunnerOptions(seed=seed), results.append).run(chosen))
    (result,) = results
    return result


def signature_of(result: CaseResult) -> Signature:
    found = signature(result)
    assert found is not None, result.failure
    return found


@pytest.mark.parametrize(
    ("bug", "case", "most"),
    [
        ("inconsistent-retransmission", "recovery/inflation[ipv4]", 12),
        ("above-sequence-data-not-retained", "sack/delivered-once[upwards,ipv6]", 10),
        ("no-rto-backoff", "timers/timer-after-timeout[ipv4]", 14),
        ("zero-window-not-probed", "window/probed-for-hours[ipv4]", 10),
        ("sack-blocks-kept", "sack/acknowledged-not-reported[ipv6]", 14),
        ("overlap-newer-wins", "data/overlap-contents[at-the-end,ipv4]", 11),
    ],
)  # fmt: skip
def test_a_planted_bug_is_cornered(bug: str, case: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = CASES / f"{case.partition('[')[0]}.yaml", tmp_path / "small.yaml"
    with planted(bug) as (wrong, right):
        monkeypatch.setattr(
            registry, "SUTS", {"mutant": Entry("", lambda _: wrong, virtual=True), "reference": Entry("", lambda _: right, virtual=True)}
        )
        assert shrink_session.run(ShrinkRequest(case, CASES, "mutant", output=str(after))) == 0
        assert signature_of(played(wrong, after)) == signature_of(played(wrong, before, case))
        assert {played(right, after, seed=seed).verdict for seed in range(3)} == {Verdict.PASS}
    suite = load_suite(CASES, [before, after], fallback=CASES)
    small, large = (next(one for one in suite.cases if one.id.startswith(name)) for name in ("small", case))
    assert len(flatten(small.steps)) <= most < len(flatten(large.steps)) * 0.7
    assert after.read_text().startswith(f"# Shrunk from {case}: ")
