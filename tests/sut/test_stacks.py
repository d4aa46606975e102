"""The suite on third-party stacks that are built here: each case is judged, and what is known of them still holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.report.json_lines import read_results
from conformance.result import Verdict
from conformance.sut.registry import SUTS

CASES = Path(__file__).resolve().parents[2] / "cases"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["lwip", "smoltcp"])
def test_the_suite_on_a_third_party_stack(name: str, tmp_path: Path) -> None:
    manifest = SUTS[name].manifest
    assert manifest is not None
    if not manifest.built:
        pytest.skip(f"{name} is not built: make suts; {', '.join(manifest.missing()) or 'its tools are all here'}")
    file = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "conformance", "run", "--sut", name, "--cases", str(CASES), "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    results = read_results(file)
    assert results.summary is not None and len(results.cases) > 5000
    broken = [(case.id, case.failure) for case in results.cases if case.verdict is Verdict.ERROR and not case.expected]
    assert broken == [], "the adapter or the tester broke, and not where the stack is known to end"
    assert [case.id for case in results.cases if case.verdict is Verdict.PASS and not case.expected] == [], "expected to fail, and passes"
    assert sum(case.verdict is Verdict.PASS for case in results.cases) > 1500
