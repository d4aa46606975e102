"""The planted bugs: each still has its place in the stack, and some of them are noticed (all of them by ``make mutants``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.case.loader import load_suite

from . import curated
from .equivalent import read as read_claims
from .subject import ROOT

SOURCES = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in (ROOT / "conformance" / "stack").glob("*.py")}
BUGS = curated.read()
HANDFUL = ("fin-not-retransmitted", "fin-not-prompt", "simultaneous-close-to-time-wait")


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_its_place_is_there(bug: curated.Bug) -> None:
    mutant = curated.apply(bug, SOURCES)
    assert mutant.texts
    for file, text in mutant.texts.items():
        compile(text, file, "exec", dont_inherit=True)
        assert text != SOURCES[file]


def test_the_problems_of_rfc_2525_are_all_there() -> None:
    sections = {bug.history.split(":")[0] for bug in BUGS if bug.history.startswith("RFC 2525")}
    assert sections == {f"RFC 2525, section 2.{number}" for number in range(1, 19)}
    assert len(BUGS) >= 18 + 45


def test_what_they_break_are_requirements() -> None:
    known = {requirement.id for requirement in load_suite(ROOT / "cases").register}
    assert {bug.name: set(bug.breaks) - known for bug in BUGS if set(bug.breaks) - known} == {}


def test_a_patch_without_its_place_says_so() -> None:
    bug = curated.Bug("gone", "", (), (curated.Edit("conformance/stack/tcp.py", ("no such line",), ("pass",), ""),))
    with pytest.raises(ValueError, match=r"gone: this is not there any more in conformance/stack/tcp.py:\n    no such line"):
        curated.apply(bug, SOURCES)
    bug = curated.Bug("twice", "", (), (curated.Edit("conformance/stack/tcp.py", ("from __future__", ""), (), ""),))
    with pytest.raises(ValueError, match="twice: this is not there"):
        curated.apply(bug, SOURCES)


def test_what_is_equivalent_is_argued() -> None:
    for claim in read_claims():
        assert len(claim.why) > 20, claim


def test_a_handful_is_noticed(tmp_path: Path) -> None:
    only = [part for name in HANDFUL for part in ("--only", name)]
    command = [sys.executable, "-m", "tests.mutants", "curated", *only, "--runs", "cases/close", "--quiet"]
    run = subprocess.run([*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert f"curated: {len(HANDFUL)} mutants" in run.stdout, run.stdout + run.stderr
    assert " 0 survived" in run.stdout, run.stdout
