"""``conformance record`` and ``run --against``, on the reference stack: what anybody can do who has no Linux."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from conformance.capture.trace_file import read_traces

from .program import FAILS, PASSES, Done, Folder, here

_FILES = ["topic/fails.pcapng.gz", "topic/passes.pcapng.gz"]


def record(suite: Folder, out: Path, *arguments: str) -> Done:
    return here("record", "--cases", suite, "--sut", "reference", "--out", out, *arguments)


def against(suite: Folder, golden: Path, *arguments: str) -> Done:
    return here("run", "--cases", suite, "--sut", "reference", "--against", golden, *arguments)


@pytest.fixture
def golden(suite: Folder, tmp_path: Path) -> Path:
    """A recording of the suite."""
    done = record(suite, tmp_path / "golden")
    assert done.status == 1, "a case fails, and is recorded all the same"
    folder = tmp_path / "golden/reference-0.1"
    assert re.fullmatch(rf"4 case runs recorded in 2 files, [\d.]+ kB: {folder}", done.out.splitlines()[-1])
    return folder


def test_every_case_run_is_recorded_with_what_is_known_of_it(golden: Path) -> None:
    assert sorted(str(path.relative_to(golden)) for path in golden.rglob("*.*z")) == _FILES
    runs = {one.case: one for file in _FILES for one in read_traces(golden / file)}
    assert sorted(runs) == ["topic/fails[ipv4]", "topic/fails[ipv6]", "topic/passes[ipv4]", "topic/passes[ipv6]"]
    passes, fails = runs["topic/passes[ipv4]"], runs["topic/fails[ipv4]"]
    assert (passes.verdict, passes.seed, passes.trace.states_from) == ("pass", 1, "stack")
    assert fails.verdict == "fail" and "segment" in fails.reason
    assert passes.sut and passes.sut.name == "reference" and passes.sut.settings["sack"]
    assert any("line 6: expect: . 1:1(0) ack 11" in label for label in passes.labels.values())
    assert passes.tester.startswith("conformance ")


def test_the_same_seed_makes_the_same_files(suite: Folder, golden: Path, tmp_path: Path) -> None:
    record(suite, tmp_path / "again")
    record(suite, tmp_path / "other", "--seed", "2")
    for file in _FILES:
        assert (golden / file).read_bytes() == (tmp_path / "again/reference-0.1" / file).read_bytes()
        assert (golden / file).read_bytes() != (tmp_path / "other/reference-0.1" / file).read_bytes()


def test_a_part_is_recorded_without_losing_the_rest(suite: Folder, golden: Path) -> None:
    before = {one.case: one.seed for one in read_traces(golden / _FILES[1])}
    suite.write("topic/passes.yaml", PASSES.replace("ack 1", "ack 1 win 1000", 1))
    assert record(suite, golden.parent, "--seed", "5", "--family", "ipv6", "-k", "passes").status == 0
    after = {one.case: one.seed for one in read_traces(golden / _FILES[1])}
    assert before == {"topic/passes[ipv4]": 1, "topic/passes[ipv6]": 1}
    assert after == {"topic/passes[ipv4]": 1, "topic/passes[ipv6]": 5}


def test_what_is_the_same_stays_as_it_was_whatever_the_seed(suite: Folder, golden: Path) -> None:
    before = [(golden / file).read_bytes() for file in _FILES]
    done = record(suite, golden.parent, "--seed", "5")
    assert done.out.rstrip().endswith("; 4 of them as they were")
    assert [(golden / file).read_bytes() for file in _FILES] == before


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_opens_a_recording(golden: Path) -> None:
    command = ["tshark", "-r", str(golden / _FILES[1]), "-T", "fields", "-e", "frame.comment", "-Y", "tcp.len > 0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("line 5: inject: P. 1:11(10) ack 1") == 2, done


def test_a_stack_is_like_itself(suite: Folder, golden: Path) -> None:
    done = against(suite, golden, "--seed", "99")
    assert done.status == 1, "the case that fails still does: the status is about verdicts"
    assert "reference beside reference-0.1" in done.out and done.out.splitlines()[-1].split() == ["4", "the", "same"]


def test_what_differs_is_counted_shown_and_in_the_results(suite: Folder, golden: Path, tmp_path: Path) -> None:
    suite.write("topic/fails.yaml", FAILS.replace("ack 12", "ack 11"))
    suite.write("topic/passes.yaml", PASSES.replace("recv(c, 100) = 10", "send(c, 5) = 5"))
    suite.write("topic/new.yaml", PASSES)
    results = tmp_path / "results.jsonl"
    done = against(suite, golden, "--json", str(results), "--all")
    assert done.status == 0 and "≠ topic/fails[ipv4]   fail there, pass here" in done.out
    assert "2  another verdict" in done.out and "fail there and pass here 2" in done.out and "2  only here" in done.out
    assert "2  other segments or times, same verdict" in done.out and "extra segment of data 2" in done.out
    assert "4  of these have changed since they were recorded  topic/fails, topic/passes" in done.out
    assert "The case has changed since it was recorded." in done.out
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    comparisons = {line["id"]: line for line in lines if line["type"] == "comparison"}
    assert {name: line["outcome"] for name, line in comparisons.items() if "ipv4" in name} == {
        "topic/fails[ipv4]": "verdict",
        "topic/new[ipv4]": "only here",
        "topic/passes[ipv4]": "other",
    }
    assert comparisons["topic/passes[ipv4]"]["differences"][0]["what"] == "extra segment of data"
    assert lines[-1]["type"] == "summary"
    validator = Draft202012Validator(json.loads(here("schema", "--results").out))
    for line in lines:
        validator.validate(line)


def test_captures_of_an_earlier_run_will_do(suite: Folder, tmp_path: Path) -> None:
    here("run", "--cases", suite, "--sut", "reference", "--captures", tmp_path / "before")
    done = against(suite, tmp_path / "before")
    assert "reference beside before" in done.out and done.out.splitlines()[-1].split() == ["4", "the", "same"]


def test_a_recording_that_is_not_there_is_said_before_anything_runs(suite: Folder, tmp_path: Path) -> None:
    done = against(suite, tmp_path / "nowhere")
    assert done.status == 2 and done.out == "" and "nowhere, here or below captures" in done.err


def test_a_recording_that_is_damaged(suite: Folder, golden: Path) -> None:
    path = golden / _FILES[1]
    path.write_bytes(path.read_bytes()[:-30])
    done = against(suite, golden, "-k", "passes")
    assert done.status == 2 and f"broken recording  {path}" in done.out and "2 pass" in done.out


def test_a_folder_that_cannot_be_made(suite: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = record(suite, tmp_path / "file/golden")
    assert done.status == 2 and "--out" in done.err and "cannot be made" in done.err
