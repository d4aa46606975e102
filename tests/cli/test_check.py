"""``conformance check`` as a user sees it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conformance.engine import check_session

from .program import Done, conformance, here
from .talk import good, odd, write, wrong

CHECK = (sys.executable, "-m", "conformance", "check")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write(tmp_path / "clean.pcap", good())


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """Three connections; the second has a violation in packet 16 of 29."""
    return write(tmp_path / "bad.pcap", good(), wrong(), odd())


def findings(done: Done) -> list[dict[str, Any]]:
    return [line for line in done.lines if line["type"] == "finding"]


def test_a_clean_capture(clean: Path) -> None:
    done = here("check", clean)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"✓ {clean}  10 packets, 1 connection"
    assert done.out.splitlines()[-1].startswith("10 packets, 1 connection of 1 file in ") and done.out.endswith(": nothing found\n")


def test_a_violation_is_shown_with_what_passed_around_it(bad: Path) -> None:
    done = here("check", bad)
    assert (done.status, done.err) == (1, "")
    shown = done.out.splitlines()
    assert f"✗ {bad} connection 2   violation" in shown
    assert "  client 192.0.2.1:40001   server 192.0.2.2:80" in shown
    (marked,) = [line for line in shown if line.startswith("✗  ")]
    assert marked.split()[1] == "16" and "P. 101:201(100) ack 101 win 64000 <mss 1460> ─┤" in marked
    numbers = [line[2:8].strip() for line in shown if line.endswith(("▶│", "─┤"))]
    assert numbers == ["11", "12", "13", "14", "15", "16", "17", "18"] and any("⋮ 2 more" in line for line in shown)
    assert "  ✗ packet 16: violation of RFC9293/MUST-65 by the server   mss-without-syn" in shown
    assert f"  wireshark  wireshark -r {bad} -g 16" in shown and f"  again      conformance check {bad} -k 2" in shown
    assert "  in part    1 not judged in full: 1 begins in the middle" in shown
    assert f"  annotate   conformance check {bad} --pcapng annotated.pcapng" in shown
    assert done.out.rstrip().endswith("1 violation in 1 connection")


def test_json_has_a_line_for_each_connection_finding_and_file(bad: Path) -> None:
    done = here("check", bad, "--json", "-")
    assert done.status == 1 and [line["type"] for line in done.lines] == [
        *("connection", "connection", "finding", "connection", "file", "summary")
    ]
    by_number = {line["number"]: line for line in done.lines if line["type"] == "connection"}
    assert [by_number[number]["verdict"] for number in (1, 2, 3)] == ["conforms", "violation", "conforms"]
    assert by_number[3]["unjudged"] == "begins in the middle" and (by_number[2]["first"], by_number[2]["last"]) == (11, 20)
    (finding,) = findings(done)
    assert finding.pop("reason")
    assert finding == {
        "type": "finding", "file": str(bad), "connection": 2, "endpoint": "192.0.2.2:80", "packet": 16, "time": "1700000000.102500000",
        "requirement": "RFC9293/MUST-65", "rule": "mss-without-syn", "level": "MUST", "certainty": "certain",
    }  # fmt: skip
    wanted = {"packets": 29, "connections": 3, "violations": 1, "deviations": 0, "ambiguous": 0, "unread": 0, "files": 1, "broken_files": 0}
    assert wanted.items() <= done.summary.items()
    assert done.err.startswith("✗ "), "the report goes where it is in nobody's way"


def test_each_line_is_as_the_schema_says(bad: Path, tmp_path: Path) -> None:
    validator = Draft202012Validator(json.loads(here("schema", "--check").out))
    lines = here("check", bad, tmp_path / "none", "--json", "-").lines
    assert {line["type"] for line in lines} == {"connection", "finding", "file", "summary"}
    for line in lines:
        validator.validate(line)
        assert not validator.is_valid({name: value for name, value in line.items() if name != "packets" and name != "packet"})


def test_json_goes_to_a_file(bad: Path, tmp_path: Path) -> None:
    done = here("check", bad, "--json", tmp_path / "out.jsonl")
    assert done.out.startswith("✗ ")
    assert [json.loads(line)["type"] for line in (tmp_path / "out.jsonl").read_text().splitlines()][-1] == "summary"


def test_quiet_prints_nothing(bad: Path, clean: Path, tmp_path: Path) -> None:
    assert here("check", bad, "--quiet") == Done(1, "", "")
    assert here("check", clean, "-q") == Done(0, "", "")
    gone = here("check", clean, tmp_path / "none", "-q")
    assert (gone.status, gone.out) == (2, "") and str(tmp_path / "none") in gone.err


def test_a_file_that_cannot_be_read_costs_only_itself(clean: Path, bad: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no capture\n")
    broken = [tmp_path / "none", tmp_path / "text", tmp_path]
    done = here("check", *broken, clean)
    assert done.status == 2 and f"✓ {clean}  10 packets, 1 connection" in done.out and "3 files cannot be read" in done.out
    assert [line.split(": ")[1] for line in done.err.splitlines()] == list(map(str, broken))
    assert here("check", *broken, bad).status == 1, "a violation weighs more, as in run"
    lines = here("check", *broken, clean, "--json", "-").lines
    assert [bool(line["error"]) for line in lines if line["type"] == "file"] == [True, True, True, False]
    assert lines[-1]["broken_files"] == 3 and lines[-1]["packets"] == 10


def test_a_capture_that_is_cut_off_is_judged_up_to_there(tmp_path: Path) -> None:
    done = here("check", write(tmp_path / "cut.pcap", wrong(), cut=10))
    assert done.status == 1 and done.out.splitlines()[0].startswith(f"✗ {tmp_path / 'cut.pcap'}  9 packets, 1 connection: ")
    assert done.out.splitlines()[1].startswith("  octet 966: the file ends ")


def test_an_empty_capture(tmp_path: Path) -> None:
    done = here("check", write(tmp_path / "empty.pcap"), "--json", "-")
    assert done.status == 0 and done.summary["packets"] == done.summary["connections"] == 0


def test_one_connection_is_shown_in_full_even_if_it_conforms(bad: Path) -> None:
    done = here("check", bad, "-k", "1")
    assert done.status == 0 and f"✓ {bad} connection 1   conforms" in done.out and "connection 2" not in done.out
    assert len([line for line in done.out.splitlines() if line.endswith(("▶│", "─┤"))]) == 10
    both = here("check", bad, "-k", "1", "--connection", "2", "--json", "-")
    assert both.status == 1 and [line["number"] for line in both.lines if line["type"] == "connection"] == [1, 2]
    assert both.summary["connections"] == 2


def test_a_connection_that_is_not_there(bad: Path) -> None:
    done = here("check", bad, "-k", "1", "-k", "7", "-k", "9")
    assert done.status == 2 and done.err == "conformance: there is no connection 7, 9\n" and "connection 1   conforms" in done.out


def test_at_most_five_connections_are_shown_in_full(tmp_path: Path) -> None:
    many = write(tmp_path / "many.pcap", *(wrong(41_000 + number, 10 * number) for number in range(30)))
    done = here("check", many)
    assert done.out.count("violation of RFC9293/MUST-65") == 5 and done.out.count("✗ violation  ") == 20
    assert "… and 5 more, which --json FILE has in full." in done.out
    every = here("check", many, "--all")
    assert every.out.count("violation of RFC9293/MUST-65") == 30 and "more, which" not in every.out


def test_the_worst_of_all_files_come_first(tmp_path: Path) -> None:
    names = [write(tmp_path / f"{number}.pcap", good(), wrong(41_000 + number)) for number in range(3)]
    done = here("check", *names)
    assert done.out.index("0.pcap connection 2   violation") < done.out.index("2.pcap connection 2   violation")
    assert "60 packets, 6 connections of 3 files in " in done.out


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_session, "KEPT", 7)
    many = write(tmp_path / "many.pcap", *(wrong(41_000 + number, 10 * number) for number in range(30)))
    done = here("check", many, "--all")
    assert done.out.count("violation of RFC9293/MUST-65") == 7 and "… and 23 more, which --json FILE has in full." in done.out
    assert "30 violations in 30 connections" in done.out


def test_a_given_vantage_is_used(bad: Path) -> None:
    done = here("check", bad, "--vantage", "server")
    assert "at the server 3 (as asked)" in done.out and f"again      conformance check {bad} -k 2 --vantage server" in done.out


def test_a_gzipd_capture(tmp_path: Path) -> None:
    assert here("check", write(tmp_path / "bad.pcap.gz", wrong(), zipped=True)).status == 1


def test_standard_input(bad: Path) -> None:
    done = subprocess.run([*CHECK, "-"], input=bad.read_bytes(), capture_output=True, timeout=100)
    out = done.stdout.decode()
    assert done.returncode == 1 and out.startswith("✗ standard input  29 packets")
    assert "✗     16 " in out and "wireshark -r" not in out and "again" not in out


def test_a_pipe_is_read_twice_too(bad: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(bad.read_bytes()))
    feeder.start()
    done = here("check", tmp_path / "pipe")
    feeder.join(10)
    assert done.status == 1 and "✗     16 " in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_pipe_and_what_came_through_it_is_judged(bad: Path, tmp_path: Path, number: signal.Signals) -> None:
    os.mkfifo(tmp_path / "pipe")
    child = subprocess.Popen([*CHECK, "pipe", "--json", "-"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
        pipe.write(bad.read_bytes())  # it is in the pipe before the signal, and stays open behind it
        child.send_signal(number)
        out, _ = child.communicate(timeout=100)
    lines = [json.loads(line) for line in out.splitlines()]
    assert child.returncode == 128 + number and lines[-1]["interrupted"] and (lines[-1]["packets"], lines[-1]["violations"]) == (29, 1)


def test_a_stream_that_is_no_capture_is_not_read_to_its_end() -> None:
    done = here("check", "/dev/zero")
    assert done.status == 2 and done.err.startswith("conformance: /dev/zero: ")


def test_a_terminal_is_no_capture() -> None:
    ours, theirs = os.openpty()
    done = subprocess.run([*CHECK, "-"], stdin=theirs, capture_output=True, timeout=100)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2 and b"- is standard input, which is a terminal here" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vantage", "here"], "there is no vantage 'here': client, server, both, middle"),
        (["--json", "-", "--pcapng", "-"], "only one of --json and --pcapng can go to standard output"),
        (["--json", "none/x"], "--json none/x cannot be written: there is no folder "),
        (["--pcapng", "none/x"], "--pcapng none/x cannot be written: there is no folder "),
        (["--pcapng", "clean.pcap"], "--pcapng clean.pcap would overwrite a capture that is to be read: give another name"),
        (["--json", "./clean.pcap"], "--json ./clean.pcap would overwrite a capture that is to be read: give another name"),
        (["clean.pcap", "--pcapng", "x"], "--pcapng annotates one capture, and 2 are given: check them one at a time"),
    ],
)
def test_what_makes_no_sense_is_refused(clean: Path, arguments: list[str], said: str) -> None:
    before = clean.read_bytes()
    done = here("check", clean.name, *arguments, cwd=clean.parent)
    assert (done.status, done.out) == (2, "") and done.err.startswith(f"conformance: {said}") and done.err.count("\n") == 1
    assert clean.read_bytes() == before and len(list(clean.parent.iterdir())) == 1


def test_no_file_is_usage() -> None:
    done = here("check")
    assert (done.status, done.out) == (2, "") and "FILE" in done.err


def test_names_do_not_steer_a_terminal(tmp_path: Path) -> None:
    odd_name = write(tmp_path / "a\x1b[2J\n[red]b.pcap", wrong())
    done = here("check", odd_name, tmp_path / "\x1b[2Jnone", "--json", tmp_path / "out")
    assert "\x1b" not in done.out + done.err + (tmp_path / "out").read_text()
    assert "\x1b" not in here("check", odd_name, "--json", tmp_path / "\x1b/out").err
    assert "a\\x1b[2J\\n[red]b.pcap connection 1   violation" in done.out


def test_in_a_process_of_its_own_it_needs_little(bad: Path) -> None:
    done = conformance("check", str(bad), "--quiet")
    assert (done.status, done.out, done.err) == (1, "", "")
    program = "import sys, conformance.engine.check_session; print(*sorted({'scapy', 'pydantic', 'pyroute2', 'lark'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(0, 2500), st.integers(0, 255)), max_size=20), length=st.integers(0, 2600))
def test_no_damage_to_a_capture_ends_the_program(bad: Path, damage: list[tuple[int, int]], length: int) -> None:
    octets = bytearray(bad.read_bytes())
    for place, value in damage:
        octets[place % len(octets)] = value
    path = bad.with_name("damaged")
    path.write_bytes(octets[:length])
    done = here("check", path, "--all", "--json", "-", "--pcapng", bad.with_name("annotated"))
    assert done.status in (0, 1, 2) and done.summary["files"] == 1


# The annotated capture ------------------------------------------------------------------------------------------------


def test_the_annotated_capture_can_be_checked_again(bad: Path, tmp_path: Path) -> None:
    done = here("check", bad, "--pcapng", tmp_path / "notes.pcapng")
    assert f"wireshark -r {tmp_path / 'notes.pcapng'} -g 16" in done.out and '  filter     frame.comment contains "(violation)"' in done.out
    assert [found["packet"] for found in findings(here("check", tmp_path / "notes.pcapng", "--json", "-"))] == [16]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.pcap", "notes.pcapng"]


@needs_tshark
def test_wireshark_shows_the_comment_at_the_spot(bad: Path, tmp_path: Path) -> None:
    here("check", bad, "--pcapng", tmp_path / "notes.pcapng")
    command = ["tshark", "-r", str(tmp_path / "notes.pcapng"), "-Y", 'frame.comment contains "(violation)"', "-T", "fields"]
    fields = [part for name in ("frame.number", "frame.time_epoch", "frame.comment") for part in ("-e", name)]
    done = subprocess.run([*command, *fields], capture_output=True, text=True, check=True, timeout=60)
    number, time, comment = done.stdout.rstrip("\n").split("\t")
    assert (number, time) == ("16", "1700000000.102500000")
    assert comment.startswith("RFC9293/MUST-65 (violation) mss-without-syn by 192.0.2.2:80: ")


def test_the_annotated_capture_may_go_to_standard_output(bad: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.pcapng").write_bytes(subprocess.run([*CHECK, bad, "--pcapng", "-"], capture_output=True, timeout=100).stdout)
    assert [found["packet"] for found in findings(here("check", tmp_path / "notes.pcapng", "--json", "-"))] == [16]
