"""The captures in ``captures/regressions/``: each shows what its file says, a stack that is right passes, and one with the bug fails."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.case.listing import list_suite
from conformance.engine.checking import judge_file
from conformance.engine.replay_files import capture_of, regressions_folder, sort_paths, suite_of
from conformance.engine.replay_listing import list_all
from conformance.engine.replay_suite import RegressionFile, load_all, read_regression
from conformance.engine.runner import Runner, RunnerOptions
from conformance.oracle.finding import Connection
from conformance.result import CaseResult, Verdict
from conformance.sut.reference import Reference
from conformance.wire.segment import Family
from tests.mutants import curated

from .harness import CASES

FOLDER = regressions_folder(CASES)
FILES = sorted(FOLDER.glob("*.yaml"))
BUGS = {bug.name: bug for bug in curated.read()}
RIGHT = """\
title: It works
requirements: [RFC9293/MUST-16]
sut_side: server
expected: conforms
"""


def found(file: Path, model: RegressionFile) -> list[tuple[str, int]]:
    """What the oracle finds for certain in a capture on the SUT's side."""
    connections: list[Connection] = []
    capture = capture_of(file)
    assert capture is not None
    judge_file(capture, None, connections.append)
    (connection,) = connections
    sut = getattr(connection, model.sut_side)
    return [(finding.rule.requirement, finding.packet) for finding in connection.findings if finding.certain and finding.endpoint == sut]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_capture_shows_what_its_file_says(file: Path) -> None:
    model, _ = read_regression(file)
    if model.expected == "conforms":
        assert not found(file, model)
    else:
        assert (model.expected.requirement, model.expected.packet) in found(file, model)  # type: ignore[union-attr]


def test_a_stack_that_is_right_passes() -> None:
    suite = load_all(CASES, FILES)
    assert not suite.errors, "\n".join(map(str, suite.errors))
    assert len(suite.cases) >= len(FILES) >= 6
    results: list[CaseResult] = []
    asyncio.run(Runner(Reference(), RunnerOptions(seed=3), results.append).run(suite.cases))
    assert {result.case.id: result.failure for result in results if result.verdict is not Verdict.PASS} == {}
    assert len(results) == len(suite.cases)


def test_the_bug_fails_and_the_reason_names_the_requirement() -> None:
    names = [file.stem for file in FILES]
    assert set(names) <= set(BUGS), "a capture has the name of the bug that it shows"
    command = [sys.executable, "-m", "tests.engine.mutated_replay", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CASES.parent, timeout=100)
    assert not done.returncode, done.stderr
    played = [json.loads(line) for line in done.stdout.splitlines()]
    assert {id.partition("/")[2].partition("[")[0] for id, _, _ in played} == set(names)
    for id, verdict, reason in played:
        model, _ = read_regression(FOLDER / f"{id.partition('/')[2].partition('[')[0]}.yaml")
        assert verdict == "fail", (id, verdict, reason)
        assert any(requirement in reason for requirement in model.requirements), (id, reason)


def test_they_belong_to_the_suite() -> None:
    listed = [case.id for case in list_all(CASES).cases]
    assert [id for id in listed if not id.startswith("regressions/")] == [case.id for case in list_suite(CASES).cases]
    loaded = load_all(CASES, FILES).cases
    assert [id for id in listed if id.startswith("regressions/")] == [case.id for case in loaded]
    assert {case.title for case in loaded} <= {case.title for case in list_all(CASES).cases}
    assert [case.id for case in load_all(CASES, FILES, families=[Family.IPV6]).cases] == ["regressions/wscale-unasked[ipv6]"]


def test_only_those_that_are_wanted_are_read() -> None:
    suite = load_all(CASES, FILES, wanted=lambda id: "sack" in id)
    assert [case.id for case in suite.cases] == ["regressions/sack-unasked"]
    assert len(suite.register), "the requirements have texts all the same"


def test_which_files_are_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "captures" / "regressions"
    folder.mkdir(parents=True)
    yaml, case = folder / "x.yaml", tmp_path / "cases" / "y.yaml"
    case.parent.mkdir()
    for file in (yaml, case, folder / "x.pcap", folder / "alone.yaml"):
        file.write_text("")
    assert suite_of(yaml) == tmp_path / "cases"
    assert suite_of(case) is None
    assert suite_of(folder / "alone.yaml") is None
    assert sort_paths(tmp_path / "cases", ()).regressions == [yaml]
    asked = sort_paths(tmp_path / "cases", [case, folder])
    assert (asked.cases, asked.regressions) == ([case], [yaml])
    assert sort_paths(tmp_path / "cases", [tmp_path / "cases"]).regressions == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RIGHT.replace("MUST-16", "MUST-16a"), "found 'RFC9293/MUST-16a'"),
        (RIGHT.replace("server", "middle"), "sut_side"),
        (RIGHT + "when: now\n", "when"),
        (RIGHT + "connection: 7\n", "connection 7 was asked for, and it has 1"),
        (RIGHT.replace("expected: conforms", "expected: {requirement: RFC9293/MUST-16}"), "packet"),
        ("{", "x.yaml"),
    ],
)
def test_a_mistake_costs_its_file_alone_and_says_what_would_be_right(text: str, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "captures" / "regressions"
    folder.mkdir(parents=True)
    source = FOLDER / "wscale-unasked.pcap"
    for name in ("x", "y"):
        (folder / f"{name}.pcap").write_bytes(source.read_bytes())
        (folder / f"{name}.yaml").write_text(text if name == "x" else RIGHT)
    suite = load_all(CASES, [folder / "x.yaml", folder / "y.yaml"])
    assert [case.id for case in suite.cases] == ["regressions/y"]
    assert any(message in str(error) and "x.yaml" in str(error) for error in suite.errors), suite.errors


@pytest.mark.parametrize("octets", [b"", b"no capture", bytes(200)])
def test_a_file_that_is_no_capture_says_so(octets: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "captures" / "regressions"
    folder.mkdir(parents=True)
    (folder / "x.pcap").write_bytes(octets)
    (folder / "x.yaml").write_text(RIGHT)
    suite = load_all(CASES, [folder / "x.yaml"])
    assert not suite.cases
    (error,) = suite.errors
    assert "a capture that cannot be replayed" in str(error)


def test_pytest_has_an_item_for_each() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(FOLDER),
        "-q",
        "--conformance-sut",
        "reference",
        "-k",
        "sack-unasked or wscale",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CASES.parent, timeout=100)
    assert not done.returncode, done.stdout + done.stderr
    assert "3 passed" in done.stdout
