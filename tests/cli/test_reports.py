"""What a run writes: results line by line, captures, JUnit, TAP; and that the same seed gives the same run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import dpkt
import pytest
from jsonschema import Draft202012Validator

from conformance.link.addressing import PEER_MAC

from .program import PASSES, Done, Folder, conformance, here, play

_CASES = ["topic/fails[ipv4]", "topic/fails[ipv6]", "topic/passes[ipv4]", "topic/passes[ipv6]"]


def test_json_on_standard_output_is_nothing_but_lines_of_json(suite: Folder) -> None:
    """In a process of its own: what anything else might print to the descriptor would show."""
    done = conformance("run", "--cases", suite, "--json", "-", "--seed", "7")
    if done.status == 3:
        pytest.skip(done.err)
    validator = Draft202012Validator(json.loads(here("schema", "--results").out))
    for line in done.lines:
        validator.validate(line)
    assert [line["type"] for line in done.lines] == ["run", "case", "case", "case", "case", "summary"]
    assert sorted(done.cases) == _CASES
    run, summary = done.lines[0], done.summary
    assert (run["schema"], run["seed"], run["suts"][0]["name"]) == (1, 7, "linux") and run["arguments"][:2] == ["run", "--cases"]
    assert summary["verdicts"] == {"pass": 2, "fail": 2, "inconclusive": 0, "error": 0, "skipped": 0} and not summary["interrupted"]
    assert "4 case runs on linux" in done.err.splitlines()[-1], "the console goes to standard error then"


def test_all_reports_agree(suite: Folder, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    results, junit, tap = folder / "results.jsonl", folder / "junit.xml", folder / "results.tap"
    done = play("--cases", suite, "--json", results, "--junit", junit, "--tap", tap)
    assert done.status == 1 and "4 case runs on linux" in done.out.splitlines()[-1] and done.err == ""
    assert sorted(Done(0, results.read_text(), "").cases) == _CASES
    root = ElementTree.parse(junit).getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "2", "0")
    points = re.findall(r"^(ok|not ok) \d+ - (\S+)$", tap.read_text(), re.MULTILINE)
    assert sorted((name, word) for word, name in points) == [(name, "not ok" if "fails" in name else "ok") for name in _CASES]
    assert sorted(path.name for path in folder.iterdir()) == ["junit.xml", "results.jsonl", "results.tap"], "no drafts are left"


@pytest.mark.parametrize("option", ["--junit", "--tap"])
def test_another_report_on_standard_output(suite: Folder, option: str) -> None:
    done = play("--cases", suite, option, "-", "--family", "ipv4")
    assert done.out.startswith("TAP version 14\n1..2\n" if option == "--tap" else "<?xml") and "2 case runs" in done.err
    if option == "--junit":
        assert ElementTree.fromstring(done.out).get("tests") == "2"


def test_captures_can_be_read_and_the_same_seed_gives_the_same_numbers(suite: Folder, tmp_path: Path) -> None:
    numbers = {name: _initial_numbers(suite, tmp_path / name, seed) for name, seed in (("first", 5), ("again", 5), ("other", 6))}
    assert sorted(numbers["first"]) == _CASES
    assert len(set(numbers["first"].values())) == 4, "each case run has numbers of its own"
    assert numbers["first"] == numbers["again"]
    assert not set(numbers["first"].values()) & set(numbers["other"].values())


def test_each_step_is_written_beside_its_frame(suite: Folder, tmp_path: Path) -> None:
    done = play("--cases", suite, "--json", "-", "--captures", tmp_path / "captures", "-k", "topic/fails[ipv4]")
    file = Path(done.cases["topic/fails[ipv4]"]["capture"])
    assert file == tmp_path / "captures/topic/fails[ipv4].pcapng"
    comments = re.findall(r"step \d[^\0]*", file.read_bytes().decode(errors="ignore"))
    assert any(re.match(r"step \d+ sent \S+ late · line 5: inject: P. 1:11\(10\) ack 1", comment) for comment in comments), comments
    assert any(re.match(r"step \d+ FAILED · line 6: expect: . 1:1\(0\) ack 12", comment) for comment in comments), comments


def test_a_run_without_a_seed_says_which_it_took(suite: Folder, tmp_path: Path) -> None:
    first = play("--cases", suite, "--json", "-", "-k", "topic/passes[ipv4]", "--captures", tmp_path / "first")
    seed = str(first.lines[0]["seed"])
    assert _initial_numbers(suite, tmp_path / "again", int(seed))["topic/passes[ipv4]"] == _initial_number(
        tmp_path / "first/topic/passes[ipv4].pcapng"
    )


def test_an_id_that_no_file_system_takes_as_a_name(folder: Folder, tmp_path: Path) -> None:
    labels = ["x" * 400, "x" * 401]
    folder.write("topic/long.yaml", PASSES.replace("given:", f"parameters: {{label: [{', '.join(labels)}]}}\ngiven:"))
    done = play("--cases", folder, "--json", "-", "--family", "ipv4", "--captures", tmp_path / "captures")
    captures = {case["capture"] for case in done.cases.values()}
    assert done.status == 0 and len(captures) == 2 and all(Path(capture).is_file() for capture in captures)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("option", ["--json", "--tap"])
def test_a_full_disk_is_no_violation(suite: Folder, option: str) -> None:
    done = play("--cases", suite, option, "/dev/full", "-k", "passes")
    assert done.status == 3 and done.err == "conformance: [Errno 28] No space left on device\n"


def test_a_reader_that_goes_away_is_no_violation(suite: Folder) -> None:
    """``conformance run --json - | head -1``"""
    command = [sys.executable, "-m", "conformance", "run", "--cases", str(suite.path), "--json", "-", "-k", "passes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        said = process.stderr.read()
        status = process.wait(100)
    if status == 3:
        pytest.skip(said)
    assert status == 141 and "Traceback" not in said and "BrokenPipe" not in said


def test_a_locale_without_arrows(suite: Folder) -> None:
    done = conformance("show", "--cases", suite, "passes", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert done.status == 0 and done.out.isascii()


def _initial_numbers(suite: Folder, captures: Path, seed: int) -> dict[str, int]:
    """Of a run with this seed: the number with which the peer begins, case by case."""
    play("--cases", suite, "--seed", str(seed), "--captures", captures, "--shuffle")
    return {str(path.relative_to(captures)).removesuffix(".pcapng"): _initial_number(path) for path in captures.rglob("*.pcapng")}


def _initial_number(path: Path) -> int:
    with path.open("rb") as file:
        frames = [dpkt.ethernet.Ethernet(frame) for _, frame in dpkt.pcapng.Reader(file)]
    syns = [frame.data.data for frame in frames if frame.src == PEER_MAC and frame.data.data.flags == dpkt.tcp.TH_SYN]
    assert len(syns) == 1 and len(frames) >= 5
    return int(syns[0].seq)
