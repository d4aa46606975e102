"""From any capture to what is replayed of it: the connection, the side, the calls, the data; and what never got to the SUT."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conformance.capture.import_story import FromPeer, FromSut, Link, Moment
from conformance.capture.pcapng import write_pcapng
from conformance.case.loader import load_suite
from conformance.cli import app
from conformance.engine.replay_capture import read_captured
from conformance.engine.replay_case import ReplayOptions, replay_case
from conformance.engine.replay_files import regressions_folder
from conformance.engine.replay_losses import lost_on_the_way
from conformance.engine.runner import Runner, RunnerOptions
from conformance.result import CaseResult
from conformance.sut.reference import Reference
from conformance.trace import Called, Received, Sent, Trace
from conformance.wire.options import encode, sack_option
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, SYN, Family, Segment

from .harness import CASES

FOLDER = regressions_folder(CASES)


def replay(*arguments: object) -> tuple[int, str, list[dict[str, object]]]:
    """Exit status, what was said, and the lines of JSON."""
    result = CliRunner().invoke(app, ["replay", *map(str, arguments), "--sut", "reference", "--json", "-"])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return result.exit_code, result.stderr, lines


def calls(trace: Trace) -> list[str]:
    return [event.text for event in trace.sorted() if isinstance(event, Called)]


def test_the_side_is_that_of_who_breaks_a_rule() -> None:
    assert "listen(s, 8)" in calls(read_captured(FOLDER / "wscale-unasked.pcap").trace)
    assert "connect(c)" in calls(read_captured(FOLDER / "wscale-unasked.pcap", sut_side="client").trace)


def test_calls_send_what_the_sut_sent() -> None:
    captured = read_captured(FOLDER / "no-rto-backoff.pcap")
    case = replay_case(captured.trace, ReplayOptions(id="it", octets=captured.octets))
    sent = [str(step.call.args[1]) for step in case.steps[0].steps if getattr(getattr(step, "call", None), "function", "") == "send"]  # type: ignore[attr-defined]
    assert sent == ["Text(data=b'hello')", "Text(data=b'anybody there?')"]


def test_packets_have_the_numbers_of_the_file() -> None:
    captured = read_captured(FOLDER / "sack-unasked.pcap")
    packets = [event for event in captured.trace.sorted() if isinstance(event, Sent | Received)]
    assert captured.lost == [31]
    assert list(captured.numbers) == [number for number in range(1, 48) if number != 31]
    assert len(packets) == len(captured.numbers)
    assert [fault.packet for fault in captured.faults] == [42]


@pytest.mark.parametrize("family", Family)
def test_a_capture_is_played_over_either_family(family: Family) -> None:
    trace = read_captured(FOLDER / "wscale-unasked.pcap", family=family).trace
    packets = [read_frame(event.frame) for event in trace.sorted() if isinstance(event, Sent)]
    assert packets
    assert all(isinstance(packet, Segment) and packet.family is family and packet.checksum_ok for packet in packets)


def test_a_trace_of_this_program_keeps_its_calls(tmp_path: Path) -> None:
    suite = load_suite(CASES, [CASES / "data" / "segmentation.yaml"])
    results: list[CaseResult] = []
    asyncio.run(Runner(Reference(), RunnerOptions(seed=1), results.append).run(suite.cases[:1]))
    file = tmp_path / "trace.pcapng"
    write_pcapng(file, results[0].trace, "data/segmentation", config=results[0].case.config)
    captured = read_captured(file)
    assert captured.recorded
    assert calls(captured.trace) == calls(results[0].trace)
    status, said, lines = replay(file, "--seed", 7)
    assert (status, [one["type"] for one in lines]) == (0, ["summary"]), said


# The command -------------------------------------------------------------------------------------------------------------


def test_a_stack_that_does_better_than_the_capture_is_all_right() -> None:
    for file in sorted(FOLDER.glob("*.pcap")):
        status, said, lines = replay(file, *(["--sut-side", "client"] if file.stem.startswith("mss") else []))
        assert status == 0, said
        *differences, summary = lines
        assert summary["type"] == "summary"
        assert summary["violations"] == summary["different"] == 0
        assert summary["allowed"] == sum(one["meaning"] == "allowed" for one in differences)
        assert file.name in said


def test_what_neither_the_rfcs_nor_the_capture_explain_is_a_difference(tmp_path: Path) -> None:
    file = tmp_path / "silent.pcap"
    octets = (FOLDER / "rst-in-window.pcap").read_bytes()
    file.write_bytes(octets[: 24 + 16 + int.from_bytes(octets[32:36], "little")])
    status, said, lines = replay(file)
    assert status == 1
    assert [(one["meaning"], one["what"]) for one in lines[:-1]] == [("different", "extra RST")], "nobody answered the SYN there"
    assert "1 difference that nothing explains" in said


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere.pcap"], 2, "there is no nowhere.pcap"),
        ([FOLDER / "rst-in-window.pcap", "--connection", "7"], 2, "connection 7 was asked for, and it has 1"),
        ([FOLDER / "rst-in-window.pcap", "--sut-side", "middle"], 2, "client or server"),
        ([FOLDER / "rst-in-window.pcap", "--waits", "none"], 2, "keep or compress"),
        ([FOLDER / "rst-in-window.yaml"], 2, "a capture is pcap"),
    ],
)
def test_what_cannot_be_replayed(arguments: list[object], status: int, message: str) -> None:
    result = CliRunner().invoke(app, ["replay", *map(str, arguments), "--sut", "reference"])
    said = result.output + str(result.exception or "")
    assert message in " ".join(said.split()).replace("│", "")
    assert result.exit_code == status or type(result.exception).__name__ == "UsageError"


def test_whatever_is_cut_off_it_is_played_or_refused(tmp_path: Path) -> None:
    octets = (FOLDER / "rst-in-window.pcap").read_bytes()
    file = tmp_path / "cut.pcap"
    for end in range(0, len(octets), 37):
        file.write_bytes(octets[:end])
        try:
            captured = read_captured(file)
            replay_case(captured.trace, ReplayOptions(id="it", octets=captured.octets))
        except Exception as error:
            assert type(error).__name__ in ("CaptureError", "ValueError", "StoryError"), (end, error)


def test_linux_does_better_than_the_captures() -> None:
    command = [sys.executable, "-m", "conformance", "run", "captures/regressions", "--sut", "linux", "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CASES.parent, timeout=100)
    if done.returncode == 3:
        pytest.skip(f"no test bed can be made here: {done.stderr.strip()}")
    assert not done.returncode, done.stdout + done.stderr
    verdicts = [line["verdict"] for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "case"]
    assert verdicts == ["pass"] * 6, "the slow one is left out"


# Lost on the way ----------------------------------------------------------------------------------------------------------

LINK = Link("default", b"peer", 40000, b"sut!", 80, 0xFFFF_FFF0, 500)
WHO = {True: (b"peer", b"sut!", 40000, 80), False: (b"sut!", b"peer", 80, 40000)}


def peer(seq: int, size: int) -> FromPeer:
    return FromPeer(t=0, link=LINK, packet=segment(True, LINK.peer_isn + seq, 501, size))


def sut(ack: int, *blocks: tuple[int, int], size: int = 0, flags: int = ACK) -> FromSut:
    absolute = [tuple(LINK.peer_isn + edge & 0xFFFF_FFFF for edge in block) for block in blocks]
    options = encode([sack_option(absolute)]) if blocks else b""  # type: ignore[arg-type]
    return FromSut(t=0, link=LINK, packet=segment(False, 501, LINK.peer_isn + ack, size, options, flags))


def segment(from_peer: bool, seq: int, ack: int, size: int, options: bytes = b"", flags: int = ACK) -> Segment:
    numbers = seq & 0xFFFF_FFFF, ack & 0xFFFF_FFFF
    return Segment(Family.IPV4, *WHO[from_peer], *numbers, flags, 1000, 0, options, b"x" * size)


ONE, TWO, THREE = peer(1, 100), peer(101, 100), peer(201, 100)


@pytest.mark.parametrize(
    ("moments", "lost"),
    [
        ([ONE, TWO, sut(1), peer(1, 100), sut(201)], [ONE]),
        ([ONE, TWO, sut(1, (101, 201)), peer(1, 100), sut(201)], [ONE]),
        ([ONE, TWO, THREE, sut(101, (201, 301)), peer(101, 100)], [TWO]),
        ([ONE, TWO, THREE, sut(1, (201, 301)), peer(1, 200)], [ONE, TWO]),
        # Nothing shows a hole: the acknowledgement may have been lost, or is late.
        ([ONE, peer(1, 100), sut(101)], []),
        ([ONE, sut(1), peer(1, 100), sut(101)], []),
        ([ONE, TWO, sut(1, size=10), peer(1, 100), sut(201)], []),
        # It came after all, or what is said to be missing is something else.
        ([ONE, TWO, sut(1, (101, 201)), sut(201), peer(1, 100)], []),
        ([ONE, TWO, sut(1, (1, 101)), peer(1, 100)], []),
        ([ONE, TWO, sut(1, (101, 201)), THREE], []),
        ([sut(0, flags=SYN | ACK), ONE, TWO, sut(201), peer(1, 100)], []),
    ],
)
def test_a_hole_that_the_sut_shows(moments: list[Moment], lost: list[FromPeer]) -> None:
    found = lost_on_the_way(moments, LINK)
    assert [id(one) for one in found] == [id(one) for one in lost]
