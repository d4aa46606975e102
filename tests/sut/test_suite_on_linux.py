"""The suite on the kernel that runs here: everything is as required or as expected, beside whatever else the machine does."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parents[2] / "cases"
CHECKED = (6, 18)
"""The kernel that ``expectations/linux.yaml`` speaks of; others deviate elsewhere."""


@pytest.mark.timeout(600)
def test_the_suite_on_linux(tmp_path: Path) -> None:
    if tuple(map(int, platform.release().split(".")[:2])) != CHECKED:
        pytest.skip(f"the expectations are those of Linux {'.'.join(map(str, CHECKED))}, this is {platform.release()}")
    results = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "conformance", "run", "--sut", "linux", "--cases", str(CASES), "--json", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 3 and "namespace" in done.stderr:
        pytest.skip(f"no test bed can be made here: {done.stderr.strip()}")
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    cases = [line for line in lines if line["type"] == "case"]
    assert [(case["id"], case["verdict"], case["failure"]) for case in cases if not case["expected"]] == []
    assert done.returncode == 0 and len(cases) > 1000 and lines[-1]["type"] == "summary", done.stdout + done.stderr
