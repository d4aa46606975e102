"""Captures written out again with comments, read back by the reader, and by tshark where there is one."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from conformance.capture.annotate import annotate
from conformance.capture.pcapng import write_pcapng
from conformance.capture.reader import CaptureError, CaptureReader, Frame, Interface
from conformance.trace import Received, Trace
from conformance.wire.segment import Unreadable

EPOCH = 1_700_000_000_000_000_000
EVIL = "\x1b[31m RFC9293/MUST-65 \u202e\ud800"


def block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(link: int, *options: bytes, snap: int = 0) -> bytes:
    return block(1, struct.pack("<HHI", link, 0, snap) + b"".join(options))


def frame(number: int, t: int, data: bytes, *options: bytes, size: int | None = None) -> bytes:
    head = struct.pack("<IIIII", number, t >> 32, t & 0xFFFFFFFF, len(data), len(data) if size is None else size)
    return block(6, head + data + bytes(-len(data) % 4) + b"".join(options))


def several() -> bytes:
    """Two sections; three interfaces of different links, units and names; a direction, a comment, a frame that was cut."""
    header = block(0x0A0D0D0A, struct.pack("<IHHQ", 0x1A2B3C4D, 1, 0, (1 << 64) - 1) + option(1, b"about it"))
    first = interface(1, option(2, b"eth0"), option(3, b"the uplink"), option(1, b"tapped"), snap=96), interface(101, option(9, b"\x09"))
    return b"".join(
        (
            header, *first,
            frame(1, EPOCH + 17, b"\x45" * 40),
            frame(0, EPOCH // 1000 + 5, b"\x02" * 61, option(1, b"seen before"), option(2, struct.pack("<I", 2)), size=1514),
            header, interface(113), frame(0, EPOCH // 1000 + 9, b"\x00" * 50, option(2, struct.pack("<I", 1))),
        )
    )  # fmt: skip


def annotated(content: bytes, tmp_path: Path, comments: dict[int, list[str]] | None = None, about: str = "") -> bytes:
    (tmp_path / "source").write_bytes(content)
    target = io.BytesIO()
    annotate(tmp_path / "source", target, comments or {}, about)
    return target.getvalue()


def read(content: bytes) -> tuple[list[Frame], list[Interface], CaptureReader]:
    reader = CaptureReader(io.BytesIO(content))
    return list(reader.frames()), reader.interfaces, reader


def test_everything_about_the_packets_is_kept(tmp_path: Path) -> None:
    before, interfaces, _ = read(several())
    after, described, reader = read(annotated(several(), tmp_path))
    assert len(before) == 3 and reader.counts.frames == 3 and not reader.counts.truncated
    for one, other in zip(before, after, strict=True):
        assert (one.number, one.t, one.data, one.size, one.link, one.outbound, one.comments) == (
            other.number, other.t, other.data, other.size, other.link, other.outbound, other.comments,
        )  # fmt: skip
        old, new = interfaces[one.interface], described[other.interface]
        assert (old.link, old.snap, old.name, old.description, old.comments) == (
            new.link,
            new.snap,
            new.name,
            new.description,
            new.comments,
        )
    assert [frame.t - EPOCH for frame in after] == [17, 5000, 9000]
    assert [frame.interface for frame in after] == [0, 1, 2], "in the order of their first packets"


def test_comments_stand_behind_those_that_are_there(tmp_path: Path) -> None:
    after, _, reader = read(annotated(several(), tmp_path, {2: ["one", "two"], 3: ["three"], 99: ["nowhere"]}, "by the tests"))
    assert [frame.comments for frame in after] == [(), ("seen before", "one", "two"), ("three",)]
    assert reader.sections[0].comments == ("about it", "by the tests")


def test_a_pcap_becomes_a_pcapng(tmp_path: Path) -> None:
    pcap = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101) + struct.pack(">IIII", 1_700_000_000, 17, 20, 1500) + b"\x45" * 20
    (only,), _, reader = read(annotated(pcap, tmp_path, {1: ["it"]}))
    assert reader.format == "pcapng"
    assert (only.t, only.data, only.size, only.link, only.comments) == (EPOCH + 17_000, b"\x45" * 20, 1500, 101, ("it",))


def test_a_capture_of_a_run_keeps_what_was_said_there(tmp_path: Path) -> None:
    octets = bytes(60)
    source = io.BytesIO()
    write_pcapng(source, Trace(events=[Received(t=1, step=3, frame=octets, packet=Unreadable("", octets), connection=None)]), "a/b[ipv4]")
    before, _, written = read(source.getvalue())
    after, _, reader = read(annotated(source.getvalue(), tmp_path, {1: ["new"]}))
    assert after[0].comments == (*before[0].comments, "new")
    assert reader.sections[0].comments == written.sections[0].comments != ()


def test_a_capture_without_packets(tmp_path: Path) -> None:
    frames, interfaces, reader = read(annotated(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1), tmp_path, about="nothing"))
    assert (frames, interfaces) == ([], []) and reader.sections[0].comments == ("nothing",)


def test_a_packet_whose_interface_is_not_described_keeps_its_place(tmp_path: Path) -> None:
    source = several().replace(frame(1, EPOCH + 17, b"\x45" * 40), frame(7, EPOCH + 17, b"\x45" * 40))
    after, _, _ = read(annotated(source, tmp_path, {2: ["it"]}))
    assert [frame.number for frame in after] == [1, 2, 3] and after[1].comments == ("seen before", "it")


def test_times_that_no_file_can_hold_are_the_nearest_that_it_can(tmp_path: Path) -> None:
    """An interface's offset can bring a time before 1970."""
    header = block(0x0A0D0D0A, struct.pack("<IHHQ", 0x1A2B3C4D, 1, 0, (1 << 64) - 1))
    early = header + interface(1, option(14, struct.pack("<q", -1000))) + frame(0, 1, bytes(60)) + frame(0, 2_000_000_000, bytes(60))
    after, _, _ = read(annotated(early, tmp_path))
    assert [frame.t for frame in after] == [0, 1000 * 10**9]


def test_no_text_steers_a_terminal(tmp_path: Path) -> None:
    (after, *_), _, _ = read(annotated(several(), tmp_path, {1: [EVIL]}, EVIL))
    assert "RFC9293/MUST-65" in after.comments[0] and after.comments[0].isprintable()


def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    record = struct.pack("<IIII", 0, 0, 4, 4) + b"\x45\0\0\0"
    path = tmp_path / "long.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101) + record * 10_000)
    reached: list[int] = []
    annotate(path, io.BytesIO(), {}, reached=reached.append)
    assert len(reached) == 2 and 0 < reached[0] <= reached[1] <= path.stat().st_size


def test_what_is_no_capture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError):
        annotated(b"no capture", tmp_path)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "annotated.pcapng"
    path.write_bytes(annotated(several(), tmp_path, {1: ["RFC9293/MUST-65 (violation)"], 2: ["two", EVIL]}, "by the tests"))
    fields = ("frame.number", "frame.time_epoch", "frame.interface_name", "frame.len", "frame.cap_len", "frame.comment")
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|", *(part for name in fields for part in ("-e", name))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert [line for line in done.stderr.splitlines() if "Running as user" not in line] == []
    one, two, three = (line.split("|") for line in done.stdout.splitlines())
    assert [one[0], one[1], *one[3:]] == ["1", "1700000000.000000017", "40", "40", "RFC9293/MUST-65 (violation)"]
    assert two[:5] == ["2", "1700000000.000005000", "eth0", "1514", "61"]
    assert two[5].startswith("seen before,two,") and two[5].isprintable()
    assert [three[0], three[1], *three[3:]] == ["3", "1700000000.000009000", "50", "50", ""]
