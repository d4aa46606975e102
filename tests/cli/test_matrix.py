"""Several stacks in one run: the table, its JSON, and what becomes of a stack that cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.report.json_lines import read_results

from .program import Folder, conformance, here

ADAPTER = """\
suts:
  absent:
    title: a stack whose program is not there
    command: [./absent]
    clock: virtual
"""


def test_two_stacks_side_by_side(suite: Folder, tmp_path: Path) -> None:
    file = tmp_path / "matrix.jsonl"
    done = conformance("run", "--sut", "reference,reference-external", "--cases", suite, "--json", file)
    assert done.status == 1, done.err
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.strip()}
    assert rows["topic"] in (["reference", "reference-external"], ["2", "✗2", "2", "✗2"])
    assert rows["all"] == ["2", "✗2", "2", "✗2"] and rows["skipped"] == ["·", "·"]
    assert "8 case runs on 2 stacks" in done.out and "reference-external: reference " in done.out
    results = read_results(file)
    assert [sut.name for sut in results.run.suts] == ["reference", "reference-external"]
    assert {(case.sut, case.id, case.verdict) for case in results.cases} == {
        (sut, f"topic/{name}[{family}]", verdict)
        for sut in ("reference", "reference-external")
        for name, verdict in (("passes", "pass"), ("fails", "fail"))
        for family in ("ipv4", "ipv6")
    }
    assert results.summary is not None and (results.summary.violations, results.summary.broken_cases) == (4, 0)


def test_json_on_standard_output_has_it_alone(suite: Folder) -> None:
    done = conformance("run", "--sut", "reference,reference-external", "--cases", suite, "-k", "passes", "--json", "-")
    assert done.status == 0 and all(line.startswith('{"type": ') for line in done.out.splitlines()) and "case runs on 2 stacks" in done.err


def test_a_stack_that_cannot_be_had_costs_the_others_nothing(suite: Folder, tmp_path: Path) -> None:
    manifest = tmp_path / "adapter.yaml"
    manifest.write_text(ADAPTER)
    done = conformance("run", "--sut", f"reference,{manifest}", "--cases", suite, "-k", "passes")
    assert done.status == 3 and "did not run: " in done.out and "absent is not built" in done.out
    assert "2 case runs on 1 stack" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sut", "reference,nonsense"), "there is no SUT 'nonsense'"),
        (("--sut", "reference,reference"), "names reference twice"),
        (("--sut", "reference,reference-external", "--junit", "x.xml"), "--junit goes with one SUT"),
        (("--sut", "reference,missing/adapter.yaml"), "missing/adapter.yaml cannot be read"),
    ],
)
def test_what_makes_no_sense(suite: Folder, arguments: tuple[str, ...], message: str) -> None:
    done = here("run", "--cases", suite, *arguments)
    assert done.status == 2 and message in done.err
