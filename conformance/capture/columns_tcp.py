"""TCP segments behind plain IP headers, in bulk; the same as :mod:`conformance.capture.network` and ``transport`` read one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.capture.columns import NONE
from conformance.capture.columns_checksum import MAX_OCTETS as MAX_SUMMED
from conformance.capture.columns_checksum import ONES, sums
from conformance.capture.columns_options import read_options
from conformance.capture.network import EXTENSIONS, ICMP, ICMPV6, TCP
from conformance.wire.options import MAX_OCTETS
from conformance.wire.segment import URG

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LAYOUTS", "Parsed", "parse"]

_HEADER = 20
_NOP_NOP_TIMESTAMP = 0x0101080A
_TIMESTAMP_ONLY = 12
"""Octets of an option field that has nothing else."""
_STAMPED = _HEADER + _TIMESTAMP_ONLY
_DF, _FRAGMENT_BITS = 0x4000, 0x3FFF


@dataclass(frozen=True)
class Layout:
    """Where the fields of an IP header and of the TCP header behind it stand."""

    version: int
    header: int
    fields: np.dtype[Any]
    words: range
    """Which of its 32-bit words are addresses."""
    others: tuple[int, ...]
    """Protocols that are not TCP, and that the slow reader must look at."""


def _layout(version: int, header: int, fields: list[tuple[str, str, int]], words: range, others: tuple[int, ...]) -> Layout:
    tcp = [("sport", ">u2", 0), ("dport", ">u2", 2), ("seq", ">u4", 4), ("ack", ">u4", 8), ("offset", "u1", 12), ("flags", "u1", 13),
           ("window", ">u2", 14), ("sum", ">u2", 16), ("urgent", ">u2", 18), ("options", ">u4", 20), ("ts_val", ">u4", 24),
           ("ts_ecr", ">u4", 28)]  # fmt: skip
    every = fields + [(name, kind, header + at) for name, kind, at in tcp]
    names, formats, offsets = (list(column) for column in zip(*every, strict=True))
    size = header + _HEADER + MAX_OCTETS
    return Layout(
        version, header, np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size + size % 8}), words, others
    )


LAYOUTS = (
    _layout(
        4, 20,
        [("first", "u1", 0), ("tos", "u1", 1), ("total", ">u2", 2), ("id", ">u2", 4), ("fragment", ">u2", 6), ("ttl", "u1", 8),
         ("protocol", "u1", 9), ("check", ">u2", 10), ("src_low", ">u4", 12), ("dst_low", ">u4", 16)],
        range(3, 5), (ICMP,),
    ),
    _layout(
        6, 40,
        [("first", ">u4", 0), ("total", ">u2", 4), ("protocol", "u1", 6), ("ttl", "u1", 7), ("src_high", ">u8", 8),
         ("src_low", ">u8", 16), ("dst_high", ">u8", 24), ("dst_low", ">u8", 32)],
        range(2, 10), (ICMPV6, *EXTENSIONS),
    ),
)  # fmt: skip
"""IPv4 (RFC 791) without options, IPv6 (RFC 8200) without extension headers."""


@dataclass(slots=True)
class Parsed:
    """What was read of some frames of one family."""

    columns: dict[str, NDArray[np.generic]]
    """By the names of :class:`~conformance.capture.columns.Columns`; nonsense in rows that were not read."""
    read: NDArray[np.bool_]
    payloads: NDArray[np.int64]
    """Where in the buffer their data begins."""
    other: dict[int, int]
    """Packets of other protocols, by protocol."""
    skipped: NDArray[np.bool_]
    """Which rows these are."""
    offloaded: int
    wrong: int


def parse(layout: Layout, buffer: bytes, begin: NDArray[np.int64], captured: NDArray[np.int64], wire: NDArray[np.int64]) -> Parsed:
    """The segments in frames whose IP headers begin at these places, of whose octets from there on so many were captured and were there."""
    size = layout.fields.itemsize
    rows = np.ndarray((len(buffer) - size + 1,), f"V{size}", buffer, strides=(1,))[begin]
    raw, fields = rows.view("<u4").reshape(-1, size // 4), rows.view(layout.fields)
    total = fields["total"].astype(np.int64)
    v4 = layout.version == 4
    if not v4:
        total += np.where(total > 0, layout.header, 0)
    total = np.where(total == 0, wire, total)
    sound = (total >= layout.header + (not v4)) & (total <= wire) & (captured >= layout.header)
    if v4:
        sound &= (fields["first"] == 0x45) & ((fields["fragment"] & _FRAGMENT_BITS) == 0)
    else:
        sound &= fields["first"] >> 28 == 6
    protocol = fields["protocol"]
    skipped = sound & (protocol != TCP)
    other: dict[int, int] = {}
    if skipped.any():
        skipped &= ~np.isin(protocol, layout.others)
        numbers, times = np.unique(protocol[skipped], return_counts=True)
        other = dict(zip(numbers.tolist(), times.tolist(), strict=True))
    header = (fields["offset"] >> 4).astype(np.int64) * 4
    payload, there = total - layout.header - header, captured - layout.header - header
    read = sound & (protocol == TCP) & (header >= _HEADER) & (payload >= 0) & (there >= 0) & (total <= MAX_SUMMED)
    read &= (fields["flags"] & URG == 0) & (fields["urgent"] == 0) & (fields["offset"] & 0xF == 0)
    columns, odd = _options(fields, rows, layout, header - _HEADER, read)
    read &= ~odd
    columns |= _fields(fields, layout)
    columns["length"], columns["cut"] = payload, np.maximum(payload - there, 0)
    columns["option_octets"] = (header - _HEADER).astype(np.uint8)
    offloaded, wrong = _checksums(layout, buffer, begin, total, captured, fields, raw, columns, read)
    return Parsed(columns, read, begin + layout.header + header, other, skipped, offloaded, wrong)


def _fields(fields: NDArray[Any], layout: Layout) -> dict[str, NDArray[np.generic]]:
    """What stands in a header as it is."""
    count = len(fields)
    columns: dict[str, NDArray[np.generic]] = {
        "sport": fields["sport"].astype(np.uint16), "dport": fields["dport"].astype(np.uint16), "seq": fields["seq"].astype(np.uint32),
        "ack": fields["ack"].astype(np.uint32), "flags": fields["flags"].copy(), "window": fields["window"].astype(np.uint16),
        "ttl": fields["ttl"].copy(), "src_low": fields["src_low"].astype(np.uint64), "dst_low": fields["dst_low"].astype(np.uint64),
        "family": np.full(count, layout.version, np.uint8),
    }  # fmt: skip
    if layout.version == 4:
        columns |= {"tos": fields["tos"].copy(), "ip_id": fields["id"].astype(np.uint16), "df": fields["fragment"] & _DF != 0}
        columns |= {name: np.zeros(count, np.uint64) for name in ("src_high", "dst_high")}
    else:
        columns |= {name: fields[name].astype(np.uint64) for name in ("src_high", "dst_high")}
        columns |= {"tos": (fields["first"] >> 20 & 0xFF).astype(np.uint8)}
        columns |= {"ip_id": np.zeros(count, np.uint16), "df": np.zeros(count, np.bool_)}
    return columns


def _options(
    fields: NDArray[Any], rows: NDArray[Any], layout: Layout, sizes: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.bool_]]:
    """The columns of options, and which rows have others than these can say."""
    stamped = (sizes == _TIMESTAMP_ONLY) & (fields["options"] == _NOP_NOP_TIMESTAMP)
    columns: dict[str, NDArray[np.generic]] = {
        "mss": np.full(len(rows), NONE, np.int32), "wscale": np.full(len(rows), NONE, np.int16), "sack_ok": np.zeros(len(rows), np.bool_),
        "has_sack": np.zeros(len(rows), np.bool_), "has_ts": stamped, "well_formed": np.ones(len(rows), np.bool_),
    } | {name: np.where(stamped, fields[name], 0).astype(np.uint32) for name in ("ts_val", "ts_ecr")}  # fmt: skip
    odd = np.zeros(len(rows), np.bool_)
    others = np.flatnonzero(wanted & ~stamped & (sizes > 0))
    if len(others):
        at = layout.header + _HEADER
        octets = rows[others].view(np.uint8).reshape(len(others), -1)[:, at : at + MAX_OCTETS]
        found, odd[others] = read_options(octets, sizes[others])
        for name, values in found.items():
            columns[name][others] = values
    return columns, odd


def _checksums(
    layout: Layout, buffer: bytes, begin: NDArray[np.int64], total: NDArray[np.int64], captured: NDArray[np.int64],
    fields: NDArray[Any], raw: NDArray[np.uint32], columns: dict[str, NDArray[np.generic]], read: NDArray[np.bool_],
) -> tuple[int, int]:  # fmt: skip
    """Add the columns about checksums; how many were left to the hardware, and how many are wrong otherwise."""
    ok, left = np.ones(len(read), np.bool_), np.zeros(len(read), np.bool_)
    octets = total - layout.header
    pseudo = (_sum(raw, layout.words) << 8) + (TCP + octets)
    right = np.zeros(len(read), np.bool_)
    whole = read & (captured >= total)
    first = layout.header // 4
    for size in (_HEADER, _STAMPED):  # acknowledgements: all of them is here already
        if (rows := whole & (octets == size)).any():
            right |= rows & (((_sum(raw, range(first, first + size // 4)) << 8) + pseudo) % ONES == 0)
            whole &= ~rows
    longer = np.flatnonzero(whole)
    if len(longer):
        start = begin[longer] + layout.header
        right[longer] = (sums(buffer, start, start + octets[longer]) + pseudo[longer]) % ONES == 0
    others = np.flatnonzero(read & ~right)
    if len(others):
        field, expected = fields["sum"][others].astype(np.int64), pseudo[others]
        left[others] = (field == 0) | (field % ONES == expected % ONES) | (field % ONES == (expected - octets[others]) % ONES)
        ok[others] = left[others] | (captured[others] < total[others])
    columns["checksum_ok"], columns["offloaded"] = ok, left
    ip_left, ip_ok = _ip_checksums(layout, fields, raw)
    columns["ip_checksum_ok"] = ip_ok
    return int((left & read).sum() + (ip_left & read).sum()), int((~ok & read).sum() + (~ip_ok & read).sum())


def _ip_checksums(layout: Layout, fields: NDArray[Any], raw: NDArray[np.uint32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which were left to the hardware, and which are not wrong; IPv6 has none."""
    if layout.version != 4:
        return np.zeros(len(fields), np.bool_), np.ones(len(fields), np.bool_)
    right = _sum(raw, range(5)) % ONES == 0
    left = (fields["check"] == 0) & ~right
    return left, left | right


def _sum(raw: NDArray[np.uint32], words: range) -> NDArray[np.int64]:
    """The sum of these words of each header, with the octets of each 16 bits exchanged."""
    total = raw[:, words[0]].astype(np.int64)
    for word in words[1:]:
        total += raw[:, word]
    return total
