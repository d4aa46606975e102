"""Files that are cut off, damaged, or made to cost time and memory: what is readable is read, and what is not is said."""

from __future__ import annotations

import gzip
import io
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest

from conformance.capture import records
from conformance.capture.pcapng_about import MAX_INTERFACES
from conformance.capture.reader import CaptureError, CaptureReader

from .agreement import agree
from .build import Record, enhanced, ethernet, interface, ip4, option, pcap, pcapng, section, simple, tcp
from .mutate import records as records_of
from .samples import conversation

PLAIN = [ethernet(packet) for packet in conversation()][:5]
THREE = [PLAIN[0], PLAIN[3][:70], PLAIN[2]]
FEW = {
    "pcap": pcap(THREE),
    "pcap-big": pcap(THREE, order=">", nano=True),
    "pcapng": pcapng(
        [section(option(1, b"why")), interface(1, 0, option(9, b"\x09")), *(enhanced(one, 5, option(1, b"!")) for one in THREE)]
    ),
    "pcapng-big": pcapng([section(), interface(), enhanced(THREE[0]), section(), interface(), *map(simple, THREE[1:])], ">"),
}
EVERY = pytest.mark.parametrize("name", FEW)


def frames_of(data: bytes) -> tuple[list[bytes], CaptureReader]:
    reader = CaptureReader(io.BytesIO(data))
    return [frame.data for frame in reader.frames()], reader


# Every octet ----------------------------------------------------------------------------------------------------------


@EVERY
def test_cut_off_anywhere_what_is_whole_is_read(name: str) -> None:
    """... and that it is cut off is said, unless that was between two records."""
    data = FEW[name]
    start, found = records_of(data)
    ends = {end for _, end in found} | {start}
    whole, _ = frames_of(data)
    frames = {end: sum(data[begin : begin + 4] in KINDS or start > 0 for begin, other in found if other <= end) for end in ends}
    for size in range(len(data)):
        if size < 4:
            with pytest.raises(CaptureError):
                frames_of(data[:size])
            continue
        read, reader = frames_of(data[:size])
        last = max((end for end in ends if end <= size), default=0)
        assert read == whole[: frames.get(last, 0)], size
        assert bool(reader.counts.truncated) == (size not in ends or size == 0), (size, reader.counts)
        if size not in ends and size > start:
            assert f"octet {last}: " in reader.counts.truncated, size


KINDS = (b"\6\0\0\0", b"\3\0\0\0", b"\0\0\0\6", b"\0\0\0\3")
"""The types of blocks with packets."""


@EVERY
def test_cut_off_anywhere_all_ways_of_reading_agree(name: str) -> None:
    data = FEW[name]
    for size in range(4, len(data), 7):
        assert agree(data[:size]) is not None


@EVERY
def test_damaged_anywhere_it_is_read(name: str) -> None:
    """No octet makes reading fail; a bit of it, or all bits, in turn."""
    data = FEW[name]
    for at in range(len(data)):
        found = agree(data[:at] + bytes((data[at] ^ (0xFF if at % 2 else 1 << at % 7),)) + data[at + 1 :])
        assert found is not None or at < 4


@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_gzip_cut_off_anywhere_what_was_inflated_is_read(name: str) -> None:
    """Stored, so that every octet that is there can be inflated; and the ending is said."""
    data = FEW[name]
    packed = gzip.compress(data, 0, mtime=0)
    before = 0
    for size in range(2, len(packed)):
        try:
            read, reader = frames_of(packed[:size])
        except CaptureError:
            assert size < 10 + 5 + 4
            continue
        assert "cut off" in reader.counts.truncated
        assert before <= len(read) <= len(THREE)
        before = len(read)
    assert before == len(THREE)


def test_gzip_damaged_anywhere_what_stands_before_is_read() -> None:
    packed = gzip.compress(pcap(PLAIN * 20), 9, mtime=0)
    for at in range(10, len(packed), 5):
        try:
            found = agree(packed[:at] + bytes((packed[at] ^ 0xFF,)) + packed[at + 1 :])
        except CaptureError:
            continue
        assert found is None or found[1].truncated or len(found[0]) == 100 or found[1].unread
    read, reader = frames_of(packed[:-8] + bytes(8))
    assert len(read) == 100 and "damaged" in reader.counts.truncated, "only its checksum is wrong"


def test_what_follows_a_gzip_stream_is_said() -> None:
    read, reader = frames_of(gzip.compress(pcap(PLAIN)) + b"and then some")
    assert len(read) == 5 and "something else" in reader.counts.truncated


# Behind a damaged place -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rubbish", [b"\xff" * 40, bytes(41), b"\x01\xfe" * 3000, bytes(3) + b"\xff" * 70_000])
def test_reading_goes_on_behind_rubbish(order: str, rubbish: bytes) -> None:
    head, rest = pcap(PLAIN, order=order), pcap(PLAIN, order=order)[24:]
    read, reader = frames_of(head + rubbish + rest + rubbish)
    assert read == PLAIN * 2
    assert sum(reader.counts.unread.values()) == 1
    assert f"octet {len(head + rubbish + rest)}: " in reader.counts.truncated
    blocks = pcapng([section(), interface(), *map(enhanced, PLAIN)], order)
    read, reader = frames_of(blocks + rubbish + pcapng(map(enhanced, PLAIN), order) + rubbish + pcapng([section()], ">"))
    assert read == PLAIN * 2
    assert (sum(reader.counts.unread.values()), reader.counts.truncated, len(reader.sections)) == (2, "", 2)


def test_a_length_that_is_too_small_costs_little() -> None:
    data = bytearray(pcap(PLAIN * 4))
    struct.pack_into("<I", data, records_of(bytes(data))[1][6][0] + 8, 9)
    read, reader = frames_of(bytes(data))
    assert read[:6] == (PLAIN * 4)[:6] and read[-12:] == (PLAIN * 4)[-12:]
    assert reader.counts.unread


def test_there_is_an_end_to_going_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("read_pcap", "pcapng_blocks"):
        monkeypatch.setattr(f"conformance.capture.{module}.MAX_DAMAGE", 3)
    data = pcap([]) + (pcap(PLAIN)[24:] + b"\xff" * 40) * 10
    read, reader = frames_of(data)
    assert read == PLAIN * 4 and "damaged place number 4" in reader.counts.truncated
    read, reader = frames_of(pcapng([section(), interface()]) + (pcapng(map(enhanced, PLAIN)) + b"\xff" * 40) * 10)
    assert read == PLAIN * 4 and "a block of 4294967295 octets" in reader.counts.truncated


@pytest.mark.parametrize(
    ("at", "octets", "words"),
    [
        (-4, b"\x20\0\0\0", "a block that says {} octets at its start and 32 at its end"),
        (4, b"\x08\0\0\0", "a block of 8 octets"),
        (4, b"\x21\0\0\0", "a block of 33 octets"),
        (4, b"\xf0\xff\xff\x0f", "a block of 268435440 octets"),
    ],
)
def test_a_block_whose_length_is_wrong_is_damaged(at: int, octets: bytes, words: str) -> None:
    block = bytearray(enhanced(PLAIN[1]).octets("<"))
    block[at % len(block) : at % len(block) + 4] = octets
    start = pcapng([section(), interface(), enhanced(PLAIN[0])])
    read, reader = frames_of(start + block + pcapng([enhanced(PLAIN[2])]))
    assert read == [PLAIN[0], PLAIN[2]] and sum(reader.counts.unread.values()) == 1
    read, reader = frames_of(start + block)
    assert (read, reader.counts.truncated) == (PLAIN[:1], f"octet {len(start)}: {words.format(len(block))}")


def test_a_section_without_its_magic_is_damaged() -> None:
    spoilt = section().octets("<").replace(b"\x4d\x3c\x2b\x1a", b"\x4d\x3c\x2b\x1b")
    read, reader = frames_of(pcapng([section(), interface(), enhanced(PLAIN[0]), spoilt, enhanced(PLAIN[1])]))
    assert read == PLAIN[:2] and len(reader.sections) == 1 and sum(reader.counts.unread.values()) == 1
    read, reader = frames_of(pcapng([section(), interface(), enhanced(PLAIN[0]), spoilt]))
    assert "a section without its byte-order magic" in reader.counts.truncated


# Files that are there to cost -----------------------------------------------------------------------------------------

SECTION, INTERFACE, PACKET = (block.octets("<") for block in (section(), interface(), enhanced(PLAIN[0])))
NAMED = interface(1, 0, option(2, b"n" * 60_000), option(1, b"c" * 60_000)).octets("<")


def fragment(identification: int, offset: int) -> bytes:
    return ethernet(ip4(b"12345678", fragment=0x2000 | offset, identification=identification))


COSTLY: dict[str, tuple[Callable[[], bytes], int]] = {
    "interfaces": (lambda: SECTION + INTERFACE * 80_000 + PACKET * 10, 10),
    "interfaces with long names": (lambda: SECTION + NAMED * 400 + PACKET, 1),
    "sections": (lambda: SECTION * 70_000 + INTERFACE + PACKET, 1),
    "sections with a packet": (lambda: (SECTION + INTERFACE + PACKET) * 5000, 5000),
    "sections of alternating byte order": (lambda: (SECTION + pcapng([section()], ">")) * 4000, 0),
    "statistics": (lambda: SECTION + INTERFACE + struct.pack("<IIIIIHHII", 5, 36, 0, 0, 0, 1, 0, 0, 36) * 70_000 + PACKET, 1),
    "unknown blocks": (lambda: SECTION + INTERFACE + struct.pack("<III", 0xBAD, 12, 12) * 200_000 + PACKET, 1),
    "options": (lambda: SECTION + INTERFACE + enhanced(PLAIN[0], 0, *[option(9, b"")] * 15_000).octets("<") * 100, 100),
    "blocks without length": (lambda: SECTION + INTERFACE + PACKET + bytes(10_000_000), 1),
    "blocks of 4 GB": (lambda: SECTION + INTERFACE + struct.pack("<II", 6, 0xFFFFFFFC) + bytes(1000) + PACKET, 1),
    "packets of 4 GB": (lambda: SECTION + INTERFACE + enhanced(PLAIN[0], kept=0xFFFFFFFF).octets("<") + PACKET, 1),
    "records of 4 GB": (lambda: pcap(PLAIN) + struct.pack("<IIII", 1, 1, 0xFFFFFFFF, 0xFFFFFFFF) * 100_000, 5),
    "records of nothing": (lambda: pcap(PLAIN) + bytes(20_000_000), 5),
    "records of nothing, with a size": (lambda: pcap(PLAIN) + struct.pack("<IIII", 1, 1, 0, 60) * 50_000, 5),
    "tiny gzip members": (lambda: gzip.compress(pcap(PLAIN)) + gzip.compress(b"", mtime=0) * 20_000, 5),
    "a gzip bomb": (lambda: gzip.compress(pcap(PLAIN) + bytes(50_000_000), 1), 5),
    "fragments of many packets": (lambda: pcap(fragment(number, 0) for number in range(5000)), 0),
    "fragments of one packet": (lambda: pcap(fragment(1, number * 7 % 8191) for number in range(8191)), 0),
    "fragments of one packet, again": (lambda: pcap(fragment(1, 0) for number in range(5000)), 0),
    "tags": (lambda: pcap([ethernet(ip4(tcp()), [0x8100] * 300)] * 1000), 0),
    "IP options": (lambda: pcap([ethernet(ip4(tcp(), options=b"\x01" * 40))] * 5000), 5000),
    "TCP options": (lambda: pcap([ethernet(ip4(tcp(options=b"\x01" * 40)))] * 5000), 5000),
    "times far apart": (lambda: pcap(Record(PLAIN[0], number * 10**9 * 86_400) for number in range(5000)), 5000),
}
LONGEST = 15
"""Seconds of processor time, with every allocation counted; the slowest takes about one."""
MOST_MEMORY = 64 << 20


@pytest.mark.parametrize("name", COSTLY)
def test_no_file_costs_more_than_its_size_explains(name: str) -> None:
    make, packets = COSTLY[name]
    data = make()
    began = time.process_time()
    tracemalloc.start()
    try:
        with CaptureReader(io.BytesIO(data)) as reader:
            found = sum(len(columns) for columns in reader.columns())
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == packets
    assert peak < MOST_MEMORY
    assert time.process_time() - began < LONGEST
    assert len(reader.interfaces) <= MAX_INTERFACES


def test_of_too_many_interfaces_the_first_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pcapng_about", "read_pcapng"):
        monkeypatch.setattr(f"conformance.capture.{module}.MAX_INTERFACES", 3)
    sections = [
        block for _ in range(2) for block in (section(), interface(), interface(), enhanced(PLAIN[0]), enhanced(PLAIN[1], interface=1))
    ]
    found = agree(pcapng(sections))
    assert found is not None and [seen.number for seen in found[0]] == [1, 2, 3]
    assert found[1].unread == {"one of too many interfaces": 1}


def test_of_too_much_text_the_first_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.capture.pcapng_about._ROOM_FOR_TEXTS", 200_000)
    _, reader = frames_of(SECTION + NAMED * 4 + section(option(1, b"late")).octets("<"))
    texts = [text for one in reader.interfaces for text in (one.name, *one.comments)]
    assert [len(text) for text in texts] == [60_000, 60_000, 60_000, 20_000, 0, 0, 0, 0]
    assert reader.sections[-1].comments == ("",)


@pytest.mark.parametrize("how", ["frames", "packets", "columns"])
def test_memory_does_not_grow_with_the_file(how: str) -> None:
    many = ethernet(ip4(tcp(b"x" * 1000)))

    def peak(times: int) -> int:
        data = pcap([many] * times)
        tracemalloc.start()
        try:
            with CaptureReader(io.BytesIO(data)) as reader:
                for found in getattr(reader, how)():
                    del found
                return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(15_000) < 1.3 * peak(7500) < 1.3 * MOST_MEMORY


def test_a_run_is_no_longer_than_a_row_can_be_named() -> None:
    assert records.MOST <= 1 << 16, "Columns.groups packs a row's index into 16 bits"
