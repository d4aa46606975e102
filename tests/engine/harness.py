"""Plays a folder of cases on the running kernel, in this process if it may, else in one that makes itself a user namespace."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.case.loader import load_suite
from conformance.engine.runner import Runner, RunnerOptions
from conformance.link.netns import privileged
from conformance.report.json_lines import read_results
from conformance.report.records import CaseRecord
from conformance.result import CaseResult
from conformance.sut import registry

__all__ = ["CASES", "case_folder", "play_on_linux"]

CASES = Path(__file__).parents[2] / "cases"
_ENVIRONMENT = 3
"""The exit status of a run for which this machine lacks something."""


def case_folder(path: Path, files: Mapping[str, str]) -> Path:
    """A case folder with the project's own preambles and registers, and these cases."""
    for shared in ("preambles", "requirements"):
        shutil.copytree(CASES / shared, path / shared)
    for name, text in files.items():
        file = path / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return path


def play_on_linux(folder: Path, *, states: str = "auto") -> dict[str, CaseRecord]:
    """The results of all cases of a folder, by their ids."""
    return _here(folder, states) if privileged() else _in_a_child(folder, states)


def _here(folder: Path, states: str) -> dict[str, CaseRecord]:
    suite = load_suite(folder)
    assert not suite.errors, "\n".join(map(str, suite.errors))
    results: list[CaseResult] = []
    sut = registry.make("linux", states)
    try:
        asyncio.run(Runner(sut, RunnerOptions(seed=1), results.append).run(suite.cases))
    finally:
        sut.close()
    assert len(results) == len(suite.cases)
    return {result.case.id: CaseRecord.of(result) for result in results}


def _in_a_child(folder: Path, states: str) -> dict[str, CaseRecord]:
    file = folder / "results.jsonl"
    command = [sys.executable, "-m", "conformance", "run", "--cases", folder, "--json", file, "--states", states]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CASES.parent)
    results = read_results(file) if file.exists() else None
    if results is None or not results.cases:
        if done.returncode == _ENVIRONMENT:
            pytest.skip(f"no test bed can be made here: {done.stderr.strip()}")
        pytest.fail(done.stdout + done.stderr)
    assert not results.broken, results.broken
    return {case.id: case for case in results.cases}
