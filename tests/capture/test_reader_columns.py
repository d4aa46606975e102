"""Columns say what the packets say, row by row, and keep the rows of each connection together."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conformance.capture import column_reader
from conformance.capture.columns import Columns
from conformance.capture.columns_checksum import ONES, sums
from conformance.capture.reader import CaptureReader
from conformance.wire.checksum import ones_sum
from conformance.wire.segment import Segment

from .agreement import agree
from .build import HOSTS4, HOSTS6, STAMPED, Record, enhanced, ethernet, interface, ip4, ip6, pcap, pcapng, section, tcp
from .samples import FILES, FRAMES, SACKED, SYN_OPTIONS, samples

quick = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def columns_of(data: bytes) -> Columns:
    """Those of a capture with one run of packets."""
    with CaptureReader(io.BytesIO(data)) as reader:
        (columns,) = reader.columns()
    return columns


# Agreement ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_way_of_reading_says_the_same(name: str) -> None:
    assert agree(samples()[name]) is not None


hosts = st.sampled_from([HOSTS4, HOSTS4[::-1], (HOSTS4[0], b"\xff\xff\xff\xff"), HOSTS6, HOSTS6[::-1], (HOSTS6[0], bytes(16))])
option = st.one_of(
    st.sampled_from(
        [b"\x01", b"\x00", STAMPED, SACKED, SYN_OPTIONS, b"\x02\x04\x05\xb4", b"\x03\x03\x07", b"\x04\x02", b"\x05\x0a12345678"]
    ),
    st.binary(max_size=12),
    st.builds(lambda kind, data: bytes((kind, len(data) + 2)) + data, st.integers(0, 255), st.binary(max_size=12)),
)
options = st.lists(option, max_size=4).map(lambda parts: b"".join(parts)[:40]).map(lambda octets: octets + bytes(-len(octets) % 4))
numbers = st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]) | st.integers(0, 2**32 - 1)
words = st.sampled_from([0, 1, 0x8000, 0xFFFF]) | st.integers(0, 0xFFFF)


@st.composite
def frames(draw: st.DrawFn) -> bytes | Record:
    """Mostly plain segments; some with wrong or odd fields, some cut short, some of other frames, some with wrong octets."""
    ends = draw(hosts)
    segment = tcp(
        draw(st.binary(max_size=40)), seq=draw(numbers), ack=draw(numbers), flags=draw(st.integers(0, 255)), window=draw(words),
        options=draw(options), sport=draw(words), dport=draw(words), urgent=draw(st.sampled_from([0, 0, 0, 5])), hosts=ends,
        checksum=draw(st.sampled_from([None, None, None, 0, 1])), reserved=draw(st.sampled_from([0, 0, 0, 5])),
    )  # fmt: skip
    if len(ends[0]) == 4:
        packet = ip4(
            segment, hosts=ends, ttl=draw(st.integers(0, 255)), tos=draw(st.integers(0, 255)), identification=draw(words),
            fragment=draw(st.sampled_from([0x4000, 0, 0x2000, 1])), options=draw(st.sampled_from([b"", b"", b"", b"\x01" * 4])),
            length=draw(st.sampled_from([None, None, None, 0, 39, 65535])), checksum=draw(st.sampled_from([None, None, 0, 7])),
        )  # fmt: skip
    else:
        packet = ip6(segment, hosts=ends, hops=draw(st.integers(0, 255)), traffic=draw(st.integers(0, 255)))
    frame = draw(st.sampled_from([ethernet(packet), ethernet(packet, (0x8100,)), ethernet(packet) + b"\xee" * 3, *FRAMES]))
    if draw(st.booleans()):
        changed = bytearray(frame)
        for at, value in draw(st.dictionaries(st.integers(0, 100), st.integers(0, 255), max_size=2)).items():
            if at < len(changed):
                changed[at] = value
        frame = bytes(changed)
    kept = draw(st.integers(0, 200))
    return Record(frame[:kept], size=len(frame)) if kept < len(frame) and draw(st.booleans()) else frame


@quick
@given(st.lists(frames(), max_size=30))
@example([])
def test_whatever_the_packets_are_they_say_the_same(captured: list[bytes | Record]) -> None:
    assert agree(pcap(captured)) is not None
    records = [frame if isinstance(frame, Record) else Record(frame) for frame in captured]
    blocks = [enhanced(one.data, one.t // 1000, size=len(one.data) if one.size is None else one.size) for one in records]
    found = agree(pcapng([section(), interface(), *blocks]))
    assert found is not None


@quick
@given(st.lists(options, max_size=40))
def test_whatever_the_options_are_they_say_the_same(fields: list[bytes]) -> None:
    found = agree(pcap([ethernet(ip4(tcp(options=one))) for one in fields]))
    assert found is not None and len(found[0]) == len(fields)


@pytest.mark.parametrize("runs", [1, 3])
def test_more_packets_than_a_run_has(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.capture.read_pcap.MOST", 47 // runs)
    monkeypatch.setattr("conformance.capture.pcapng_blocks.MOST", 47 // runs)
    for name in ("micro", "pcapng"):
        assert agree(samples()[name]) is not None


# What is odd ----------------------------------------------------------------------------------------------------------


def test_ordinary_segments_are_not_odd() -> None:
    payloads = [
        tcp(b"x" * size, options=field) for size in (0, 1, 1448) for field in (b"", STAMPED, SACKED, SYN_OPTIONS, b"\x01\x01\x04\x02")
    ]
    six = [ip6(tcp(options=STAMPED, hosts=HOSTS6))]
    columns = columns_of(pcap([ethernet(packet) for packet in [*map(ip4, payloads), *six]]))
    assert not columns.odd.any() and columns.seen == {}
    assert columns.has_sack.sum() == 3 and columns.has_ts.sum() == 10 and columns.sack_ok.sum() == 6


@pytest.mark.parametrize(
    "segment",
    [
        tcp(urgent=1), tcp(flags=0x30), tcp(reserved=1), tcp(options=b"\xfd\x04\x01\x02"), tcp(options=b"\x08\x04\x01\x02"),
        tcp(options=b"\x04\x02\x04\x02"), tcp(options=b"\x01\x01\x01\x02"), tcp(options=b"\x05\x02\x01\x01"),
        tcp(options=b"\x00\x00\x00\x07"), tcp(options=b"\x02\x03\x01\x01"), tcp(options=b"\x22\x02\x01\x01"),
        tcp(options=b"\x08\x0a\x00\x00"),
    ],
)  # fmt: skip
def test_what_the_fast_reader_says_nothing_about_is_odd(segment: bytes) -> None:
    columns = columns_of(pcap([ethernet(ip4(segment)), ethernet(ip4(tcp()))]))
    assert columns.odd.tolist() == [True, False]
    assert isinstance(columns.seen[0].packet, Segment)


def test_rows_give_their_packets_as_long_as_the_columns_live() -> None:
    columns = columns_of(samples()["micro"])
    with CaptureReader(io.BytesIO(samples()["micro"])) as reader:
        packets = list(reader.packets())
    assert [columns.packet(row) for row in range(len(columns))] == packets
    for rows in ([5, 3, 3, 30, 31], [1, 2], [30], []):
        assert columns.packets(np.array(rows, np.int64)) == [packets[row] for row in rows]


# Connections ----------------------------------------------------------------------------------------------------------


def connections(count: int) -> bytes:
    """So many, packets of each among those of the others."""
    both = [(sport, direction) for sport in range(1, count + 1) for direction in (0, 1)]
    order = [both[index * 7 % len(both)] for index in range(2 * len(both))]
    return pcap(
        ethernet(ip4(tcp(sport=80 if back else sport, dport=sport if back else 80, hosts=HOSTS4[::-1] if back else HOSTS4),
                     hosts=HOSTS4[::-1] if back else HOSTS4))
        for sport, back in order
    )  # fmt: skip


def test_rows_are_grouped_by_connection() -> None:
    assert agree(connections(50)) is not None
    groups = columns_of(connections(50)).groups()
    assert len(groups.ids) == 50 and set(np.diff(groups.starts).tolist()) == {4}


def test_connections_whose_keys_are_the_same_are_not_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However it comes that they are."""
    monkeypatch.setattr(column_reader, "_mixed", lambda values: values & np.uint64(0))
    columns = columns_of(connections(20))
    assert set(columns.key.tolist()) == {0}
    groups = columns.groups()
    assert len(groups.ids) == len(set(groups.ids)) == 20
    for index in range(20):
        rows = groups.order[groups.starts[index] : groups.starts[index + 1]]
        assert rows.tolist() == sorted(rows.tolist())
        assert len({*columns.sport[rows].tolist(), *columns.dport[rows].tolist()} - {80}) == 1


def test_a_connection_has_the_same_name_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = columns_of(connections(10)).groups().ids
    monkeypatch.setattr("conformance.capture.read_pcap.MOST", 7)
    with CaptureReader(io.BytesIO(connections(10))) as reader:
        parts = [set(columns.groups().ids) for columns in reader.columns()]
    assert len(parts) > 3 and set().union(*parts) == set(whole)


def test_addresses_of_other_families_are_other_connections() -> None:
    """An IPv6 address whose octets are those of an IPv4 one and zeros."""
    low = (bytes(12) + HOSTS4[0], bytes(12) + HOSTS4[1])
    columns = columns_of(pcap([ethernet(ip4(tcp())), ethernet(ip6(tcp(hosts=low), hosts=low))]))
    assert len(columns.groups().ids) == 2


def test_a_connection_with_itself() -> None:
    one = (HOSTS4[0], HOSTS4[0])
    columns = columns_of(pcap([ethernet(ip4(tcp(hosts=one, sport=5, dport=5), hosts=one))] * 2))
    assert columns.forward.all() and len(columns.groups().ids) == 1


@quick
@given(st.binary(min_size=300, max_size=400), st.lists(st.integers(1, 20), min_size=2, max_size=20))
def test_sums_are_those_of_rfc_1071(data: bytes, steps: list[int]) -> None:
    bounds = np.cumsum(steps[: len(steps) // 2 * 2])
    begin, end = bounds[::2] + 2 * np.arange(len(bounds) // 2), bounds[1::2] + 2 * np.arange(len(bounds) // 2)
    if end[-1] >= len(data):
        return
    expected = [ones_sum(data[start:stop]) % ONES for start, stop in zip(begin.tolist(), end.tolist(), strict=True)]
    assert (sums(data, begin, end) % ONES).tolist() == expected


def test_a_planted_difference_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison that the other tests rest on."""
    read = column_reader.ColumnReader.read
    for name in ("seq", "outbound", "checksum_ok", "ts_ecr", "t"):

        def spoilt(self: column_reader.ColumnReader, run: object, name: str = name) -> Columns:
            columns = read(self, run)  # type: ignore[arg-type]
            values = getattr(columns, name).copy()
            values[0] = values[0] ^ 1
            return replace(columns, **{name: values})

        monkeypatch.setattr(column_reader.ColumnReader, "read", spoilt)
        with pytest.raises(AssertionError, match=name):
            agree(samples()["micro"])
