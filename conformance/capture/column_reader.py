"""Frames to columns: the plain ones in bulk, the others by the slow reader, in the order of the capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.capture.columns import NONE, Columns
from conformance.capture.columns_link import UNREAD, locate
from conformance.capture.columns_packets import Origin
from conformance.capture.columns_tcp import LAYOUTS, Parsed, parse
from conformance.capture.packets import PacketReader
from conformance.capture.records import Counts, Records
from conformance.trace import Seen
from conformance.wire import options
from conformance.wire.segment import Family, Icmp, Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ColumnReader"]

_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""Those of splitmix64's last steps, after which every bit depends on every other."""


class ColumnReader:
    """Reads the runs of one capture, in its order."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._slow = PacketReader(counts)

    def end(self) -> None:
        """There are no more runs."""
        self._slow.end()

    def read(self, run: Records) -> Columns:
        """A row for each packet of the run."""
        begins, versions = locate(run, self._counts)
        before = begins - run.starts
        captured, wire = run.captured - before, run.sizes - before
        done = versions == UNREAD
        fast, columns, payloads = np.zeros(len(run), np.bool_), None, np.zeros(len(run), np.int64)
        for layout in LAYOUTS:
            rows = np.flatnonzero(versions == layout.version)
            if len(rows):
                parsed = parse(layout, run.buffer, begins[rows], captured[rows], wire[rows])
                columns = _put(columns, parsed.columns, rows, len(run))
                fast[rows], done[rows], payloads[rows] = parsed.read, parsed.skipped, parsed.payloads
                self._count(parsed)
        if columns is None:
            columns = Columns.zeros(len(run))
        columns.number = run.numbers
        columns.t, columns.outbound = run.times, run.outbound
        columns.odd, columns.tcp = np.zeros(len(run), np.bool_), fast
        columns.origin = Origin(run.buffer, begins, payloads)
        return self._finished(columns, fast, run, np.flatnonzero(~fast & ~done))

    def _count(self, parsed: Parsed) -> None:
        counts = self._counts
        counts.packets += int(parsed.read.sum())
        counts.offloaded += parsed.offloaded
        counts.wrong_checksums += parsed.wrong
        for protocol, times in parsed.other.items():
            counts.unread[f"protocol {protocol}"] += times

    def _finished(self, columns: Columns, fast: NDArray[np.bool_], run: Records, others: NDArray[np.int64]) -> Columns:
        """With the packets that the slow reader finds in ``others``, and without frames that hold none."""
        seen: dict[int, Seen] = {}
        indices = np.flatnonzero(fast)
        if len(others):
            columns.tcp = fast.copy()
            for index, frame in zip(others.tolist(), run.frames(others), strict=True):
                if (packet := self._slow.read(frame, int(run.flaws[index]))) is not None:
                    seen[index] = packet
            _fill(columns, seen)
            indices = np.union1d(indices, np.fromiter(seen, np.int64, len(seen)))
        if len(indices) < len(run):
            origin = Origin(run.buffer, columns.origin.begins[indices], columns.origin.payloads[indices]) if columns.origin else None
            columns = columns.take(indices)
            columns.origin = origin
            seen = {row: seen[index] for row, index in zip(np.flatnonzero(columns.odd).tolist(), seen, strict=True)}
        columns.seen = seen
        _identify(columns)
        return columns


def _put(columns: Columns | None, read: dict[str, NDArray[np.generic]], rows: NDArray[np.int64], size: int) -> Columns:
    """Put what was read of some rows where it belongs; nothing needs to be moved if these are all."""
    if len(rows) == size:
        missing = {name: np.zeros(size, dtype) for name, dtype in Columns.names().items() if name not in read}
        return Columns(**read, **missing)  # type: ignore[arg-type]
    if columns is None:
        columns = Columns.zeros(size)
    for name, values in read.items():
        getattr(columns, name)[rows] = values
    return columns


def _fill(columns: Columns, seen: dict[int, Seen]) -> None:
    """What the slow reader has found."""
    rows = np.fromiter(seen, np.int64, len(seen))
    values = [_row(one) for one in seen.values()]
    for name, dtype in Columns.names().items():
        getattr(columns, name)[rows] = np.array([value.get(name, 0) for value in values], dtype)


def _row(seen: Seen) -> dict[str, int | bool]:
    """The columns of a packet that are not zero."""
    packet = seen.packet
    values: dict[str, int | bool] = {
        "number": seen.number, "t": seen.t, "odd": True, "outbound": NONE if seen.outbound is None else seen.outbound,
        "offloaded": seen.offloaded, "mss": NONE, "wscale": NONE, "well_formed": True, "ip_checksum_ok": True,
    }  # fmt: skip
    if isinstance(packet, Segment):
        return values | _segment(packet)
    return values | _icmp(packet) if isinstance(packet, Icmp) else values


def _segment(segment: Segment) -> dict[str, int | bool]:
    found = segment.options
    values: dict[str, int | bool] = {
        "tcp": True, "family": 4 if segment.family is Family.IPV4 else 6, "well_formed": options.well_formed(found),
        "length": len(segment.payload) + segment.cut, "sport": segment.sport, "dport": segment.dport,
        "option_octets": len(segment.options_data),
        "has_sack": any(options.sack_blocks(option) is not None for option in found),
        "sack_ok": any(option.kind == options.SACK_OK and not option.data and not option.malformed for option in found),
    }  # fmt: skip
    for name in ("seq", "ack", "flags", "window", "cut", "ttl", "tos", "ip_id", "df", "checksum_ok", "ip_checksum_ok"):
        values[name] = getattr(segment, name)
    for name, read in (("mss", options.mss), ("wscale", options.wscale)):
        values[name] = next((number for option in found if (number := read(option)) is not None), NONE)
    if (stamps := next((both for option in found if (both := options.timestamps(option))), None)) is not None:
        values |= {"has_ts": True, "ts_val": stamps[0], "ts_ecr": stamps[1]}
    return values | _addresses(segment.src, segment.destination)


def _icmp(icmp: Icmp) -> dict[str, int | bool]:
    values: dict[str, int | bool] = {"family": 4 if icmp.family is Family.IPV4 else 6, "ttl": icmp.ttl, "tos": icmp.tos}
    values["checksum_ok"] = icmp.checksum_ok
    if (quote := icmp.quote) is None:
        return values | _addresses(icmp.src, icmp.dst)
    return values | _addresses(quote.dst, quote.src) | {"sport": quote.dport, "dport": quote.sport}


def _addresses(src: bytes, dst: bytes) -> dict[str, int | bool]:
    return {
        f"{name}_{part}": int.from_bytes(octets, "big")
        for name, address in (("src", src), ("dst", dst))
        for part, octets in (("high", address[:-8]), ("low", address[-8:]))
    }


def _identify(columns: Columns) -> None:
    """Which connection each packet belongs to, and in which direction it goes."""
    lower, equal = np.zeros(len(columns), np.bool_), np.ones(len(columns), np.bool_)
    key = np.zeros(len(columns), np.uint64)
    for name in ("{}_high", "{}_low", "{}port"):
        src, dst = (getattr(columns, name.format(end)) for end in (("src", "dst") if "_" in name else "sd"))
        lower |= equal & (src < dst)
        equal &= src == dst
    ends = ((columns.src_high, columns.src_low, columns.sport), (columns.dst_high, columns.dst_low, columns.dport))
    for high, low, port in ends:
        key += _mixed((_mixed(high) if high.any() else high) + (low << np.uint64(16) ^ low >> np.uint64(48) ^ port))
    columns.forward, columns.key = lower | equal, key


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers in which every bit of ``values`` counts; none twice."""
    first, second = _MULTIPLIERS
    values = (values ^ values >> np.uint64(30)) * first
    values = (values ^ values >> np.uint64(27)) * second
    return values ^ values >> np.uint64(31)
