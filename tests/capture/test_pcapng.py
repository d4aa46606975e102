"""The pcapng writer, read back by an independent parser, by dpkt, and by tshark where there is one."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import __version__
from conformance.capture.pcapng import pcapng_bytes, write_pcapng
from conformance.result import SutFacts
from conformance.trace import Called, Endpoints, Note, Received, Returned, Sent, StateChanged, Trace
from conformance.wire.segment import Unreadable

CASE = "handshake/passive-open[ipv4]"
LABELS = {0: "line 11: inject: S 0:0(0) win 65535", 1: "line 12: expect: S. 0:0(0) ack 1 <mss *>"}
EPOCH = 1_700_000_000_000_000_000


@dataclass
class Block:
    """A block, taken apart by the words of the specification."""

    kind: int
    body: bytes
    options: list[tuple[int, bytes]] = field(default_factory=list)

    def option(self, code: int) -> list[bytes]:
        return [value for number, value in self.options if number == code]


def blocks(data: bytes) -> Iterator[Block]:
    """All blocks of a little-endian file; asserts what the specification demands of each."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and length >= 12
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        body = data[at + 8 : at + length - 4]
        fixed = {0x0A0D0D0A: 16, 1: 8, 5: 12, 6: 20}[kind]
        if kind == 6:
            size = struct.unpack_from("<I", body, 12)[0]
            padding = -size % 4
            assert body[20 + size : 20 + size + padding] == bytes(padding)
            fixed += size + padding
        yield Block(kind, body, list(options(body[fixed:])))
        at += length
    assert at == len(data)


def options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while True:
        code, length = struct.unpack_from("<HH", data, at)
        at += 4
        if code == 0:
            assert length == 0 and at == len(data)
            return
        padding = -length % 4
        assert data[at + length : at + length + padding] == bytes(padding)
        yield code, data[at : at + length]
        at += length + padding


def frame(payload: bytes, *, from_peer: bool) -> bytes:
    peer, sut = (40_000, bytes([192, 0, 2, 1])), (80, bytes([192, 0, 2, 2]))
    (sport, src), (dport, dst) = (peer, sut) if from_peer else (sut, peer)
    tcp = dpkt.tcp.TCP(sport=sport, dport=dport, seq=1, ack=1, flags=dpkt.tcp.TH_ACK, win=512, data=payload)
    return bytes(dpkt.ethernet.Ethernet(data=dpkt.ip.IP(src=src, dst=dst, p=dpkt.ip.IP_PROTO_TCP, ttl=64, data=tcp)))


def sent(t: int, payload: bytes = b"", step: int | None = None) -> Sent:
    return Sent(t=t, step=step, frame=frame(payload, from_peer=True), connection="default")


def received(t: int, payload: bytes = b"", step: int | None = None, failed: bool = False) -> Received:
    octets = frame(payload, from_peer=False)
    return Received(t=t, step=step, failed=failed, frame=octets, packet=Unreadable("", octets), connection="default")


def trace() -> Trace:
    """Four frames, added out of order, of lengths of each remainder modulo four, and a call."""
    events = [
        received(200, b"12", step=1),
        sent(100, b"1", step=0),
        Called(t=150, text="accept(s)"),
        received(4_300_000_001, b"123"),
        sent(300),
    ]
    return Trace(events=list(events))


def packets(data: bytes) -> list[Block]:
    return [block for block in blocks(data) if block.kind == 6]


def comments(data: bytes) -> list[list[str]]:
    return [[value.decode() for value in block.option(1)] for block in packets(data)]


def test_the_section_says_who_took_the_capture_and_what_it_shows() -> None:
    facts = SutFacts("linux", "6.18.4", "tracepoint", {"tcp_sack": "1"})
    written = pcapng_bytes(
        trace(), CASE, verdict="fail", reason="no answer", sut=facts, config={"sack": True}, seed=7, epoch_offset_ns=EPOCH
    )
    section = next(blocks(written))
    assert struct.unpack("<IHHQ", section.body[:16]) == (0x1A2B3C4D, 1, 0, (1 << 64) - 1)
    assert [value.decode() for value in section.option(1)] == [
        f"case: {CASE}",
        "verdict: fail",
        "reason: no answer",
        "sut: linux",
        "version: 6.18.4",
        'settings: {"tcp_sack": "1"}',
        'config: {"sack": true}',
        "seed: 7",
        "states from: none",
        "start: 0.000000000",
        "wall clock: 1700000000.000000000",
    ]
    assert section.option(4) == [f"conformance {__version__}".encode()]
    assert section.option(2) and section.option(3)


def test_there_is_one_interface_and_it_counts_nanoseconds() -> None:
    (interface,) = [block for block in blocks(pcapng_bytes(trace(), CASE)) if block.kind == 1]
    assert struct.unpack("<HHI", interface.body[:8]) == (1, 0, 0)
    assert interface.option(2) == [b"tester"]
    assert interface.option(9) == [b"\x09"]


def test_frames_stand_in_the_order_of_their_times_with_direction_and_wall_clock() -> None:
    found = []
    for block in packets(pcapng_bytes(trace(), CASE, epoch_offset_ns=EPOCH)):
        interface, high, low, captured, original = struct.unpack("<IIIII", block.body[:20])
        assert interface == 0 and captured == original
        found.append(((high << 32 | low) - EPOCH, block.option(2), block.body[20 : 20 + captured]))
    outbound, inbound = [struct.pack("<I", 2)], [struct.pack("<I", 1)]
    assert found == [
        (100, outbound, frame(b"1", from_peer=True)),
        (200, inbound, frame(b"12", from_peer=False)),
        (300, outbound, frame(b"", from_peer=True)),
        (4_300_000_001, inbound, frame(b"123", from_peer=False)),
    ]


def test_a_frame_says_which_step_it_matched() -> None:
    assert comments(pcapng_bytes(trace(), CASE, labels=LABELS)) == [
        ["step 0 sent · line 11: inject: S 0:0(0) win 65535"],
        ["call 0.000000150: accept(s)", "step 1 matched · line 12: expect: S. 0:0(0) ack 1 <mss *>"],
        [],
        [],
    ]


def test_a_frame_says_which_step_it_failed_and_why() -> None:
    failing = Trace(events=[received(1, step=1, failed=True)])
    data = pcapng_bytes(failing, CASE, labels=LABELS, reason="ack is 2, not 1")
    assert comments(data) == [[f"step 1 FAILED · {LABELS[1]}", "reason: ack is 2, not 1"]]


def test_a_step_without_label_is_named_by_its_index() -> None:
    assert comments(pcapng_bytes(Trace(events=[sent(1, step=7)]), CASE)) == [["step 7 sent"]]


def test_a_frame_says_how_late_it_left_and_on_which_connection() -> None:
    late = Sent(t=12_345, step=2, frame=b"", connection="c2", due=1)
    stray = Received(t=12_346, frame=b"", packet=Unreadable("", b""), connection=None)
    assert comments(pcapng_bytes(Trace(events=[late, stray]), CASE)) == [["step 2 sent 0.000012344 late on c2"], ["came on no connection"]]


def test_what_happened_between_frames_stands_before_the_second_and_the_rest_in_a_block_of_its_own() -> None:
    events = [
        StateChanged(t=1_000, who="s", old="CLOSED", new="LISTEN"),
        Called(t=2_000, step=3, text="accept(s)", blocking=True),
        sent(3_000),
        Returned(t=1_000_000_004, step=3, text="accept(s) = c"),
        Note(t=1_000_000_005, step=4, failed=True, text="nothing came"),
    ]
    data = pcapng_bytes(Trace(events=list(events), start=1_000), CASE)
    assert comments(data) == [["state 0.000000000: s CLOSED → LISTEN", "start 0.000001000 step 3: accept(s)"]]
    (statistics,) = [block for block in blocks(data) if block.kind == 5]
    assert [value.decode() for value in statistics.option(1)] == [
        "return 0.999999004 step 3: accept(s) = c",
        "note 0.999999005 step 4 FAILED: nothing came",
    ]


def test_more_than_a_packet_holds_goes_before_it() -> None:
    """Readers look at so many options of a block, and no more."""
    calls = [Called(t=number, text=f"send(c, {number})") for number in range(1, 100)]
    found = list(blocks(pcapng_bytes(Trace(events=[*calls, sent(200)]), CASE)))
    assert [block.kind for block in found] == [0x0A0D0D0A, 1, 5, 5, 5, 5, 6]
    assert max(len(block.options) for block in found) <= 35
    assert sum(len(block.option(1)) for block in found[2:]) == 99


def test_the_connections_are_said_before_anything_else() -> None:
    ends = Endpoints("c 2", bytes([192, 0, 2, 1]), 40_000, bytes([192, 0, 2, 2]), 80, 17)
    data = pcapng_bytes(Trace(events=[sent(1)], connections={"c 2": ends}), CASE)
    assert comments(data) == [['connection: "c 2" peer 192.0.2.1 port 40000 isn 17, sut 192.0.2.2 port 80 isn unknown']]


@given(st.text(alphabet=st.characters(), max_size=200), st.text(alphabet=st.characters(), max_size=200))
def test_no_text_breaks_a_file_or_steers_a_terminal(case_id: str, reason: str) -> None:
    data = pcapng_bytes(Trace(events=[received(1, step=0, failed=True)]), case_id, reason=reason, labels={0: reason})
    assert all(comment.isprintable() for found in comments(data) for comment in found)


@pytest.mark.parametrize("extra", range(4))
def test_a_comment_that_is_too_long_goes_on_in_the_next_between_characters(extra: int) -> None:
    label = "x" * extra + "→" * 40_000
    ((first, second),) = comments(pcapng_bytes(Trace(events=[sent(1, step=0)]), CASE, labels={0: label}))
    assert len(first.encode()) > 65_000 and first.endswith("→")
    assert first.removeprefix("step 0 sent · ") + second.removeprefix("… ") == label


def test_dpkt_reads_what_is_written() -> None:
    reader = dpkt.pcapng.Reader(io.BytesIO(pcapng_bytes(trace(), CASE, epoch_offset_ns=EPOCH)))
    assert reader.datalink() == dpkt.pcap.DLT_EN10MB
    read = list(reader)
    assert [octets for _, octets in read] == [event.frame for event in trace().sorted() if isinstance(event, (Sent, Received))]
    assert [float(seconds) for seconds, _ in read] == pytest.approx([EPOCH / 1e9 + t for t in (1e-7, 2e-7, 3e-7, 4.3)], abs=1e-6)


def test_a_path_and_an_open_file_get_the_same(tmp_path: Path) -> None:
    path, file = tmp_path / "case.pcapng", io.BytesIO()
    path.write_bytes(b"an older run's, and longer" * 1000)
    write_pcapng(path, trace(), CASE, verdict="pass", labels=LABELS)
    write_pcapng(file, trace(), CASE, verdict="pass", labels=LABELS)
    assert path.read_bytes() == file.getvalue() == pcapng_bytes(trace(), CASE, verdict="pass", labels=LABELS)


def test_an_empty_trace_is_a_valid_file() -> None:
    assert [block.kind for block in blocks(pcapng_bytes(Trace(), CASE))] == [0x0A0D0D0A, 1]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "case.pcapng"
    write_pcapng(path, trace(), CASE, verdict="pass", labels=LABELS, epoch_offset_ns=EPOCH)
    fields = ("frame.time_epoch", "frame.packet_flags_direction", "tcp.len", "frame.comment")
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|", *(part for name in fields for part in ("-e", name))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    notices = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert notices == []
    assert done.stdout.splitlines() == [
        f"1700000000.000000100|0x00000002|1|step 0 sent · {LABELS[0]}",
        f"1700000000.000000200|0x00000001|2|call 0.000000150: accept(s),step 1 matched · {LABELS[1]}",
        "1700000000.000000300|0x00000002|0|",
        "1700000004.300000001|0x00000001|3|",
    ]


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_tcpdump_reads_several_sections(tmp_path: Path) -> None:
    path = tmp_path / "cases.pcapng"
    rest = Trace(events=[sent(1), Note(t=2, text="the end")])
    path.write_bytes(pcapng_bytes(trace(), CASE, labels=LABELS) + pcapng_bytes(rest, CASE))
    done = subprocess.run(["tcpdump", "-n", "-r", str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert len(done.stdout.splitlines()) == 5, done
