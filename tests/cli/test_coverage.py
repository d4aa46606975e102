"""``conformance coverage``: what is counted, what a run adds, and when coverage has fallen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .program import FAILS, PASSES, Done, Folder, here

_SECOND = "rfc: RFC1\ntitle: One\nrequirements:\n  - {id: a, level: MAY, section: '1', text: It may}\n"


def _numbers(done: Done) -> dict[str, Any]:
    assert done.status == 0, done.err
    numbers: dict[str, Any] = json.loads(done.out)
    return numbers


def test_each_standard_is_counted(suite: Folder) -> None:
    suite.write("requirements/rfc1.yaml", _SECOND + "  - {id: b, level: MUST, section: '2', text: It must, unobservable: It is inside}\n")
    assert _numbers(here("coverage", "--cases", suite, "--json")) == {
        "RFC1": {"requirements": 2, "observable": 1, "covered": 0, "uncovered": ["a"], "unobservable": {"b": "It is inside"}},
        "RFC9293": {"requirements": 2, "observable": 2, "covered": 1, "uncovered": ["SHLD-2"], "unobservable": {}},
    }


def test_the_table_ends_in_what_has_no_case(suite: Folder) -> None:
    suite.write("requirements/rfc1.yaml", _SECOND + "  - {id: b, level: MUST, section: '2', text: It must, unobservable: It is inside}\n")
    lines = here("coverage", "--cases", suite, "--reasons").out.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["RFC1", "2", "1", "0", "0", "%"], ["RFC9293", "2", "2", "1", "50", "%"], ["in", "all", "4", "3", "1", "33", "%"],
    ]  # fmt: skip
    assert lines[5:] == [
        "2 requirements have no case:", "RFC1/a          MAY         It may", "RFC9293/SHLD-2  SHOULD      It is acknowledged soon",
        "1 requirement cannot be observed:", "RFC1/b  MUST        It is inside",
    ]  # fmt: skip


def test_a_run_says_what_became_of_them(suite: Folder, tmp_path: Path) -> None:
    suite.write("topic/fails.yaml", FAILS.replace("MUST-1", "SHLD-2"))
    results = tmp_path / "results.jsonl"
    assert here("run", "--cases", suite, "--sut", "reference", "--json", results).status == 0, "a deviation is no violation"
    outcomes = {"passed": 1, "failed": 1, "skipped": 0, "not_judged": 0, "not_run": 0}
    assert _numbers(here("coverage", "--cases", suite, "--json", "--results", results))["RFC9293"].items() >= outcomes.items()
    here("run", "--cases", suite, "--sut", "reference", "--json", results, "-k", "fails")
    outcomes = {"passed": 0, "failed": 1, "skipped": 0, "not_judged": 0, "not_run": 1}
    assert _numbers(here("coverage", "--cases", suite, "--json", "--results", results))["RFC9293"].items() >= outcomes.items()
    table = here("coverage", "--cases", suite, "--results", results).out
    assert table.splitlines()[2].split() == ["RFC9293", "2", "2", "2", "100", "%", "0", "1", "0", "0", "1"]


def test_the_results_of_make_conformance_are_found(suite: Folder, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    assert here("run", "--cases", suite, "--sut", "reference", "--json", tmp_path / "build/results.jsonl").status == 1
    assert _numbers(here("coverage", "--cases", suite, "--json", cwd=tmp_path))["RFC9293"]["failed"] == 1


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("topic/passes.yaml", PASSES.replace("MUST-1", "SHLD-2")), "RFC9293/MUST-1 has no case (any more)"),
        (("requirements/rfc1.yaml", _SECOND.replace("RFC1", "RFC2")), "RFC1: its register is gone; it had 2 requirements"),
        (("requirements/rfc1.yaml", _SECOND), "RFC1: 1 requirements, it had 2"),
        (
            ("requirements/rfc1.yaml", _SECOND + "  - {id: b, level: MAY, section: '1', text: It may, unobservable: why}"),
            "RFC1/b is called",
        ),
        (("requirements/rfc1.yaml", _SECOND + "  - {id: c, level: MAY, section: '1', text: It may}"), "RFC1/c has no case (any more)"),
    ],
)
def test_coverage_that_falls_is_status_1(suite: Folder, tmp_path: Path, change: tuple[str, str], line: str) -> None:
    (suite.path / "topic/fails.yaml").unlink()
    suite.write("requirements/rfc1.yaml", _SECOND + "  - {id: b, level: MAY, section: '1', text: It may}")
    before = tmp_path / "before.json"
    before.write_text(here("coverage", "--cases", suite, "--json").out)
    assert here("coverage", "--cases", suite, "--against", before).status == 0
    suite.write(*change)
    done = here("coverage", "--cases", suite, "--against", before)
    assert done.status == 1 and f"{before}: coverage fell: {line}" in done.err


def test_a_case_without_a_requirement_is_named(suite: Folder) -> None:
    suite.write("topic/none.yaml", PASSES.replace("[RFC9293/MUST-1]", "[]"))
    suite.write("topic/wrong.yaml", PASSES.replace("MUST-1", "MUST-1000"))
    done = here("coverage", "--cases", suite)
    assert done.status == 2
    for id in ("topic/none[ipv4]", "topic/wrong[ipv6]"):
        assert f"{id} tests no requirement that a register has" in done.err


def test_what_is_unobservable_has_no_case(suite: Folder) -> None:
    file = suite.write("requirements/rfc1.yaml", _SECOND.replace("text: It may", "text: It may, unobservable: It is inside"))
    suite.write("topic/passes.yaml", PASSES.replace("RFC9293/MUST-1", "RFC1/a"))
    done = here("coverage", "--cases", suite)
    assert done.status == 2 and f"{file}:4: RFC1/a is called unobservable, but topic/passes[ipv4] is a case of it" in done.err


@pytest.mark.parametrize("text", ["[]", "{", '{"RFC1": {"requirements": "2"}}'])
def test_a_record_that_is_none(suite: Folder, tmp_path: Path, text: str) -> None:
    (tmp_path / "before.json").write_text(text)
    done = here("coverage", "--cases", suite, "--against", tmp_path / "before.json")
    assert done.status == 2 and str(tmp_path / "before.json") in done.err


def test_a_file_that_is_not_there(suite: Folder) -> None:
    done = here("coverage", "--cases", suite, "--results", "nowhere.jsonl")
    assert done.status == 2 and "there is no file nowhere.jsonl" in done.err
