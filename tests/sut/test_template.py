"""Someone with the template has an adapter: it is built in a folder of its own, against its toy stack, and passes ``sut-check``."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance.case.loader import load_suite
from conformance.engine.runner import Runner, RunnerOptions
from conformance.report.sut_check import check_adapter
from conformance.result import CaseResult, Verdict
from conformance.sut.external import External
from conformance.sut.manifest import ADAPTERS, Manifest, in_folder

from .needs import namespaces

CASES = Path(__file__).parents[2] / "cases"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A copy of the template, built there as its adapter.yaml says."""
    folder = tmp_path_factory.mktemp("adapter") / "template"
    shutil.copytree(ADAPTERS / "template", folder, ignore=shutil.ignore_patterns("build"))
    (manifest,) = in_folder(folder / "adapter.yaml")
    if missing := manifest.missing():
        pytest.skip(f"it takes what is not here: {', '.join(missing)}")
    assert not manifest.built
    make = subprocess.run(manifest.build, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert make.returncode == 0, make.stdout + make.stderr
    assert "warning:" not in make.stderr
    assert manifest.built
    return manifest


@pytest.mark.parametrize("link", ["socket", pytest.param("tap", marks=namespaces)])
def test_it_passes(built: Manifest, link: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = check_adapter(built, (link,))
    output = capsys.readouterr().out
    assert "✗" not in output and status == 0, output
    assert output.count("✓") > 80


def test_it_plays_cases(built: Manifest) -> None:
    """Those of ordinary connections, which a toy has, too."""
    files = [CASES / f"handshake/{name}.yaml" for name in ("passive-open", "active-open", "closed-port")]
    cases = [case for case in load_suite(CASES, files).cases if case.family == "ipv4"]
    results: list[CaseResult] = []
    sut = External(built)
    try:
        asyncio.run(Runner(sut, RunnerOptions(), results.append).run(cases))
    finally:
        sut.close()
    assert {result.verdict for result in results} <= {Verdict.PASS, Verdict.SKIPPED}, [result.failure for result in results]
    assert sum(result.verdict is Verdict.PASS for result in results) >= 2
