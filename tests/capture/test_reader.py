"""Reading pcap and pcapng: what a file says of each frame, whoever wrote it."""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import dpkt
import pytest

from conformance.capture import source
from conformance.capture.pcapng import pcapng_bytes
from conformance.capture.reader import CaptureError, CaptureReader, Counts, Frame, Interface
from conformance.trace import Sent, Trace
from conformance.wire.segment import Segment

from .agreement import agree
from .build import (
    EPOCH,
    Block,
    Record,
    enhanced,
    ethernet,
    interface,
    ip4,
    obsolete,
    option,
    pcap,
    pcapng,
    section,
    simple,
    tcp,
)  # fmt: skip
from .samples import FRAMES, conversation, samples

PLAIN = [ethernet(packet) for packet in conversation()]
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


def read(data: bytes) -> tuple[list[Frame], CaptureReader]:
    with CaptureReader(io.BytesIO(data)) as reader:
        return list(reader.frames()), reader


# pcap -----------------------------------------------------------------------------------------------------------------


@ORDERS
@pytest.mark.parametrize("nano", [False, True])
def test_every_field_of_a_record(order: str, nano: bool) -> None:
    t = EPOCH + 123_456_789
    frames, reader = read(pcap([Record(PLAIN[0], t, 1514), PLAIN[1]], order=order, nano=nano, snap=96, link=1))
    first, second = frames
    assert first == Frame(1, t if nano else t // 1000 * 1000, PLAIN[0][:96], 1514, 1, 0)
    assert (second.number, second.data, second.size) == (2, PLAIN[1], len(PLAIN[1]))
    assert (reader.format, reader.sections[0].order) == ("pcap", {"<": "little", ">": "big"}[order])
    assert reader.interfaces == [Interface(0, 1, 96, resolution=9 if nano else 6)]
    assert reader.counts == Counts(frames=2, bytes=sum(len(frame.data) for frame in frames))


def test_the_modified_pcap_says_which_way_a_packet_went() -> None:
    frames, _ = read(samples()["modified"])
    assert [frame.data for frame in frames] == FRAMES
    assert [frame.outbound for frame in frames[:3]] == [False, True, False]


@pytest.mark.parametrize("name", ["cooked", "cooked2"])
def test_a_cooked_header_says_which_way_a_packet_went(name: str) -> None:
    frames, _ = read(samples()[name])
    assert [frame.outbound for frame in frames] == [True, False] * 12


def test_the_bits_above_the_link_type_are_the_length_of_the_check_sequence() -> None:
    assert read(pcap(PLAIN[:1], link=1 | 0x5400_0000))[0][0].link == 1


def test_an_original_length_below_the_captured_one_is_not_believed() -> None:
    assert read(pcap([Record(PLAIN[0], size=3)]))[0][0].size == len(PLAIN[0])


# pcapng ---------------------------------------------------------------------------------------------------------------


@ORDERS
def test_every_field_of_a_section_and_an_interface(order: str) -> None:
    about = section(option(1, b"why"), option(1, "what\u2192".encode()), option(2, b"x86"), option(3, b"Linux"), option(4, b"dumpcap"))
    described = interface(
        101, 77, option(2, b"tun0"), option(3, b"a tunnel"), option(9, b"\x09"), option(14, struct.pack(f"{order}q", -5)), option(1, b"odd")
    )
    _, reader = read(pcapng([about, described, interface()], order))
    (found,) = reader.sections
    assert (found.order, found.comments) == ("little" if order == "<" else "big", ("why", "what→"))
    assert (found.hardware, found.os, found.application) == ("x86", "Linux", "dumpcap")
    assert reader.interfaces == [Interface(0, 101, 77, "tun0", "a tunnel", 9, -5, ("odd",)), Interface(0, 1, 0)]
    assert reader.format == "pcapng"


@ORDERS
def test_an_enhanced_packet_says_direction_and_comments(order: str) -> None:
    def flags(value: int) -> tuple[str, tuple[int | bytes, ...]]:
        return option(2, struct.pack(f"{order}I", value))

    blocks = [
        enhanced(PLAIN[0], 5, option(1, b"a"), flags(0x0000_0162), option(1, b"b")),
        enhanced(PLAIN[0], 6, flags(1)),
        enhanced(PLAIN[0], 7, flags(0)),
        enhanced(PLAIN[0], 8, option(2, b"\x02"), option(4, b"12345678")),
        enhanced(PLAIN[0], 9, option(0, b""), flags(2)),
        enhanced(PLAIN[0][:50], 10, size=1514),
    ]
    frames, _ = read(pcapng([section(), interface(), *blocks], order))
    assert [(frame.t, frame.outbound, frame.comments) for frame in frames] == [
        (5000, True, ("a", "b")), (6000, False, ()), (7000, None, ()), (8000, None, ()), (9000, None, ()), (10_000, None, ()),
    ]  # fmt: skip
    assert (frames[-1].data, frames[-1].size) == (PLAIN[0][:50], 1514)


@pytest.mark.parametrize(
    ("resolution", "raw", "ns"),
    [
        (0, 1_700_000_000, EPOCH), (3, 1_700_000_000_123, EPOCH + 123_000_000), (6, EPOCH // 1000 + 1, EPOCH + 1000),
        (9, EPOCH + 1, EPOCH + 1), (10, EPOCH * 10 + 19, EPOCH + 1), (12, EPOCH + 7, EPOCH // 1000), (127, 2**64 - 1, 0),
        (0x80, 1_700_000_000, EPOCH), (0x94, (1_700_000_000 << 20) + (1 << 19), EPOCH + 500_000_000), (0xBF, 3 << 62, 1_500_000_000),
        (0xFF, 2**64 - 1, 0), (6, 2**64 - 1, 1 << 62), (0x80, 2**64 - 1, 1 << 62),
    ],
)  # fmt: skip
def test_times_are_in_the_units_of_the_interface(resolution: int, raw: int, ns: int) -> None:
    """Decimal, binary, finer than a nanosecond; what no 64 bits hold is the latest time there is."""
    frames, _ = read(pcapng([section(), interface(1, 0, option(9, bytes([resolution]))), enhanced(PLAIN[0], raw)]))
    assert frames[0].t == ns if ns < 1 << 62 else frames[0].t > 1 << 61


def test_interfaces_count_time_each_in_its_way() -> None:
    offset = option(14, struct.pack("<q", 100))
    described = [interface(1, 0, option(9, b"\x09")), interface(1, 0, offset), interface(1, 0, option(9, b"\x80"), offset)]
    packets = [enhanced(PLAIN[0], 7, interface=index) for index in (2, 0, 1, 0)]
    frames, _ = read(pcapng([section(), *described, *packets]))
    assert [frame.t for frame in frames] == [107 * 10**9, 7, 100 * 10**9 + 7000, 7]
    assert [frame.interface for frame in frames] == [2, 0, 1, 0]


def test_absurd_times_are_times() -> None:
    worst = option(14, struct.pack("<q", -(2**63)))
    frames, _ = read(
        pcapng([section(), interface(1, 0, worst), enhanced(PLAIN[0], 0), interface(1), enhanced(PLAIN[0], 2**64 - 1, interface=1)])
    )
    assert -(2**63) <= frames[0].t < 0 < frames[1].t < 2**63


@ORDERS
def test_simple_and_obsolete_blocks(order: str) -> None:
    blocks = [
        section(),
        interface(1, 60),
        simple(PLAIN[3][:60], 166),
        simple(PLAIN[2][:60]),
        obsolete(PLAIN[0]),
        interface(),
        obsolete(PLAIN[1], 5, 1),
    ]
    frames, _ = read(pcapng(blocks, order))
    assert [(frame.t, frame.data, frame.size) for frame in frames] == [
        (0, PLAIN[3][:60], 166), (0, PLAIN[2][:60], 60), (EPOCH, PLAIN[0], len(PLAIN[0])), (5000, PLAIN[1], len(PLAIN[1])),
    ]  # fmt: skip


def test_sections_of_both_byte_orders_have_interfaces_of_their_own() -> None:
    little, big = ([section(), interface(link), enhanced(PLAIN[0], t)] for link, t in ((1, 5), (101, 6)))
    frames, reader = read(pcapng(little) + pcapng(big, ">") + pcapng([*big, *little]))
    assert [(frame.number, frame.t, frame.link, frame.interface) for frame in frames] == [
        (1, 5000, 1, 0), (2, 6000, 101, 1), (3, 6000, 101, 2), (4, 5000, 1, 3),
    ]  # fmt: skip
    assert [one.order for one in reader.sections] == ["little", "big", "little", "little"]
    assert [one.section for one in reader.interfaces] == [0, 1, 2, 3]


def test_blocks_that_hold_no_packets_are_skipped() -> None:
    others = [Block(kind, (("40s", (b"\x06\0\0\0" * 10,)),)) for kind in (4, 5, 10, 0x0BAD, 0x80000001)]
    frames, reader = read(pcapng([section(), *others, interface(), *others, enhanced(PLAIN[0]), *others, enhanced(PLAIN[1])]))
    assert [frame.data for frame in frames] == PLAIN[:2]
    assert (reader.counts.truncated, reader.counts.unread) == ("", {})


def test_a_packet_of_an_interface_that_comes_later_or_never_is_not_read() -> None:
    data = pcapng(
        [section(), enhanced(PLAIN[0]), interface(), enhanced(PLAIN[1]), enhanced(PLAIN[2], interface=1), section(), enhanced(PLAIN[3])]
    )
    frames, _ = read(data)
    assert [(frame.interface, frame.link) for frame in frames] == [(-1, -1), (0, 1), (-1, -1), (-1, -1)]
    found = agree(data)
    assert found is not None and [seen.number for seen in found[0]] == [2]
    assert found[1].unread == {"its interface is not described": 3}


def test_a_block_cannot_hold_more_than_it_has() -> None:
    data = pcapng(
        [section(), interface(), enhanced(PLAIN[0], kept=0xFFFFFFFF), enhanced(PLAIN[0], kept=len(PLAIN[0]) + 8), enhanced(PLAIN[1])]
    )
    found = agree(data)
    assert found is not None and [seen.number for seen in found[0]] == [3]
    assert found[1].unread == {"its block is shorter than the packet": 2}


def test_what_the_tester_writes_it_reads() -> None:
    events = [Sent(t=index, step=index, frame=frame, connection="default") for index, frame in enumerate(PLAIN)]
    frames, reader = read(pcapng_bytes(Trace(events=list(events)), "a/case[ipv4]", verdict="pass", epoch_offset_ns=EPOCH))
    assert [(frame.t, frame.data, frame.outbound) for frame in frames] == [
        (EPOCH + index, frame, True) for index, frame in enumerate(PLAIN)
    ]
    assert ["step 3" in comment for comment in frames[3].comments] == [True]
    assert reader.interfaces[0].name == "tester" and "a/case[ipv4]" in reader.sections[0].comments[0]


# Where the octets come from -------------------------------------------------------------------------------------------


def _open_path(data: bytes, folder: Path) -> CaptureReader:
    path = folder / "capture"
    path.write_bytes(data)
    return CaptureReader(path)


class _Pipe(io.RawIOBase):
    """Gives a few octets at a time, cannot be rewound."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 7))


OPEN: dict[str, Callable[[bytes, Path], CaptureReader]] = {
    "path": _open_path,
    "text": lambda data, folder: CaptureReader(str(_write(data, folder))),
    "file": lambda data, _: CaptureReader(io.BytesIO(data)),
    "pipe": lambda data, _: CaptureReader(_Pipe(data)),  # type: ignore[arg-type]
    "gzip": lambda data, folder: _open_path(gzip.compress(data), folder),
    "gzip members": lambda data, folder: _open_path(
        gzip.compress(data[:30]) + gzip.compress(b"") + gzip.compress(data[30:]) + bytes(9), folder
    ),
}


def _write(data: bytes, folder: Path) -> Path:
    path = folder / "text"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("way", OPEN)
@pytest.mark.parametrize("name", ["micro", "kinds", "both-orders"])
def test_where_the_octets_come_from_does_not_matter(way: str, name: str, tmp_path: Path) -> None:
    expected, _ = read(samples()[name])
    with OPEN[way](samples()[name], tmp_path) as reader:
        assert list(reader.frames()) == expected
        assert reader.counts.truncated == ""


@pytest.mark.parametrize("chunk", [40, 64, 1000])
@pytest.mark.parametrize("name", ["modified", "kinds-big"])
def test_where_a_chunk_ends_does_not_matter(chunk: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, packets = read(samples()[name])[0], agree(samples()[name])
    monkeypatch.setattr(source, "CHUNK", chunk)
    assert read(samples()[name])[0] == expected
    assert agree(samples()[name]) == packets


def test_a_file_can_be_read_again_and_its_counts_begin_anew() -> None:
    with CaptureReader(io.BytesIO(samples()["kinds"])) as reader:
        assert list(reader.packets()) == list(reader.packets())
        assert (len(reader.sections), reader.counts.frames) == (2, 50)
        begun = reader.frames()
        next(begun)
        assert len(list(reader.frames())) == 50


def test_a_pipe_cannot_be_read_again() -> None:
    with CaptureReader(_Pipe(samples()["micro"])) as reader:  # type: ignore[arg-type]
        assert len(list(reader.frames())) == len(FRAMES)
        with pytest.raises(CaptureError, match="a pipe can be read once"):
            list(reader.frames())


def test_a_file_that_was_given_open_stays_open(tmp_path: Path) -> None:
    with _write(samples()["micro"], tmp_path).open("rb") as file:
        with CaptureReader(file) as reader:
            list(reader.frames())
        assert not file.closed and reader.name == file.name


# What is no capture ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\xd4\xc3\xb2", "it begins with d4 c3 b2"),
        (b"hello, this is text", "it begins with 68 65 6c 6c"),
        (gzip.compress(b"text", mtime=0), "it begins with 74 65 78 74"),
        (gzip.compress(gzip.compress(samples()["micro"], mtime=0), mtime=0), "gzip'd twice"),
        (gzip.compress(samples()["micro"], mtime=0)[:5], "the gzip stream is cut off"),
        (b"\x1f\x8b" + bytes(100), "the gzip stream is damaged"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), "compressed with zstd"),
        (b"BZh9", "compressed with bzip2"),
    ],
)
def test_what_is_no_capture_is_said(data: bytes, words: str) -> None:
    with pytest.raises(CaptureError) as caught:
        CaptureReader(io.BytesIO(data))
    assert words in caught.value.found
    assert "octet 0" in str(caught.value) and "a capture is pcap" in caught.value.right


@pytest.mark.parametrize(("name", "words"), [("missing", "No such file"), (".", "Is a directory"), ("a\0b", "null byte")])
def test_what_cannot_be_opened_is_said(name: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(CaptureError) as caught:
        CaptureReader(path)
    assert words in caught.value.found and caught.value.file == str(path)


class _Failing(io.BytesIO):
    """A disk that breaks."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read(min(size or 500, 500))


def test_a_file_that_cannot_be_read_to_its_end_is_read_up_to_there() -> None:
    with CaptureReader(_Failing(samples()["micro"])) as reader:
        assert len(list(reader.frames())) == 4
        assert "Input/output error" in reader.counts.truncated


# Others' eyes ---------------------------------------------------------------------------------------------------------


@ORDERS
@pytest.mark.parametrize("nano", [False, True])
def test_dpkt_reads_the_same_of_pcap(order: str, nano: bool) -> None:
    data = pcap(FRAMES, order=order, nano=nano)
    frames, _ = read(data)
    theirs = list(dpkt.pcap.Reader(io.BytesIO(data)))
    assert [frame.data for frame in frames] == [octets for _, octets in theirs]
    assert [frame.t / 1e9 for frame in frames] == pytest.approx([float(t) for t, _ in theirs], abs=1e-6)


def test_dpkt_reads_the_same_of_pcapng() -> None:
    data = pcapng([section(), interface(1, 0, option(9, b"\x09")), *(enhanced(frame, EPOCH + 5) for frame in FRAMES)])
    assert [frame.data for frame in read(data)[0]] == [octets for _, octets in dpkt.pcapng.Reader(io.BytesIO(data))]


def _tool(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True, timeout=60).stdout


tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
editcap = pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap is not installed")


@tshark
@pytest.mark.parametrize("name", ["micro", "snap", "kinds-big", "both-orders", "cooked2", "null"])
def test_tshark_reads_the_same(name: str, tmp_path: Path) -> None:
    """Times, lengths and numbers of each frame; sequence numbers and flags of each segment that it finds."""
    data = samples()[name]
    path = _write(data, tmp_path)
    fields = (
        "frame.number",
        "frame.time_epoch",
        "frame.len",
        "frame.cap_len",
        "tcp.seq_raw",
        "tcp.ack_raw",
        "tcp.window_size_value",
        "tcp.len",
    )
    wanted = [part for field in fields for part in ("-e", field)]
    output = _tool("tshark", "-r", path, "-T", "fields", "-E", "separator=|", "-o", "ip.defragment:TRUE", *wanted)
    theirs = [row for row in (line.split("|") for line in output.splitlines()) if name == "micro" or row[2:4] != ["12", "12"]]
    frames, _ = read(data)
    assert [(int(row[0]), int(row[2]), int(row[3])) for row in theirs] == [(one.number, one.size, len(one.data)) for one in frames]
    timed = [(row[1], one.t) for row, one in zip(theirs, frames, strict=True) if one.t]
    assert [round(float(text), 5) for text, _ in timed] == [round(t / 1e9, 5) for _, t in timed]
    found = agree(data)
    assert found is not None
    ours = {seen.number: seen.packet for seen in found[0] if isinstance(seen.packet, Segment)}
    for row in theirs:
        segment = ours.get(int(row[0]))
        if segment is not None and segment.ip_size <= 1500 and all(row[4:]):
            assert [int(text) for text in row[4:]] == [
                segment.seq, segment.ack, segment.window, len(segment.payload) + segment.cut,
            ], row  # fmt: skip
    assert len(ours) > 10


@editcap
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng"])
def test_what_editcap_writes_is_read(kind: str, tmp_path: Path) -> None:
    written = tmp_path / "written"
    _tool("editcap", "-F", kind, _write(pcap(FRAMES, nano=kind != "pcap"), tmp_path), written)
    with CaptureReader(written) as reader:
        assert [frame.data for frame in reader.frames()] == FRAMES
        assert (reader.format, reader.counts.truncated) == ("pcapng" if kind == "pcapng" else "pcap", "")


def test_a_file_may_be_any_binary_file_object(tmp_path: Path) -> None:
    path = _write(gzip.compress(pcap(PLAIN)), tmp_path)
    with gzip.open(path) as inflated, path.open("rb", buffering=0) as unbuffered:
        for file in (inflated, unbuffered):
            with CaptureReader(cast(BinaryIO, file)) as reader:
                assert len(list(reader.packets())) == len(PLAIN)


def test_the_oracle_gets_whole_segments() -> None:
    with CaptureReader(io.BytesIO(pcap([ethernet(ip4(tcp(b"hello", seq=5, ack=6)))]))) as reader:
        (seen,) = reader.packets()
    assert isinstance(seen.packet, Segment)
    assert (seen.number, seen.t, seen.packet.payload, seen.packet.seq, seen.packet.checksum_ok) == (1, EPOCH, b"hello", 5, True)
