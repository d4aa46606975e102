"""Packets in bulk: a run of them as numpy columns, a row for each packet that :meth:`CaptureReader.packets` yields, in its order."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from conformance.capture.columns_packets import Origin
from conformance.trace import Seen

__all__ = ["NONE", "Columns", "Groups"]

NONE = -1
"""Of an option that is not there."""
_OTHERS = ("seen", "origin")
"""What is no column."""


@dataclass(slots=True)
class Columns:
    """A run of packets.

    What is not a TCP segment behind a plain IP header, with ordinary options, is ``odd``: its packet is in ``seen``, as the slow
    reader gives it, and its columns say what they can. An ICMP message that quotes a segment has the addresses and ports of an
    answer to that segment, so that it stands among the packets of the connection that it is about.
    """

    number: NDArray[np.int64]
    t: NDArray[np.int64]
    """ns since 1970."""
    outbound: NDArray[np.int8]
    """1, 0, or -1 where the capture does not say."""
    odd: NDArray[np.bool_]
    tcp: NDArray[np.bool_]
    """Is it a TCP segment? Else it is an ICMP message."""
    family: NDArray[np.uint8]
    """4 or 6."""
    key: NDArray[np.uint64]
    """The same for both directions of a connection. Two connections may share one, if hardly ever: see :meth:`groups`."""
    forward: NDArray[np.bool_]
    """Is its source the lower of the two endpoints? Both directions of a connection differ in this."""
    src_high: NDArray[np.uint64]
    """The first eight octets of an IPv6 address; 0 for IPv4."""
    src_low: NDArray[np.uint64]
    """The last eight octets of an IPv6 address; an IPv4 address."""
    dst_high: NDArray[np.uint64]
    dst_low: NDArray[np.uint64]
    sport: NDArray[np.uint16]
    dport: NDArray[np.uint16]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    window: NDArray[np.uint16]
    """As it stands in the header: not scaled."""
    length: NDArray[np.int64]
    """Octets of data, those that were not captured too."""
    cut: NDArray[np.int64]
    """How many of them were not captured."""
    ttl: NDArray[np.uint8]
    tos: NDArray[np.uint8]
    ip_id: NDArray[np.uint16]
    df: NDArray[np.bool_]
    option_octets: NDArray[np.uint8]
    """Of the options, padding included."""
    mss: NDArray[np.int32]
    """That of the option, or NONE; wherever it stands, so that one without SYN is noticed."""
    wscale: NDArray[np.int16]
    """The shift of the option, or NONE."""
    sack_ok: NDArray[np.bool_]
    has_sack: NDArray[np.bool_]
    """Has it SACK blocks?"""
    has_ts: NDArray[np.bool_]
    ts_val: NDArray[np.uint32]
    ts_ecr: NDArray[np.uint32]
    well_formed: NDArray[np.bool_]
    """See :func:`conformance.wire.options.well_formed`."""
    checksum_ok: NDArray[np.bool_]
    """False only if it is known to be wrong."""
    ip_checksum_ok: NDArray[np.bool_]
    offloaded: NDArray[np.bool_]
    """See :attr:`conformance.trace.Seen.offloaded`."""
    seen: dict[int, Seen] = field(default_factory=dict)
    """The packets of the odd rows, by row."""
    origin: Origin | None = None
    """Where the packets of the other rows stand."""

    def __len__(self) -> int:
        return len(self.number)

    def packet(self, row: int) -> Seen:
        """All that is known of one packet, as :meth:`CaptureReader.packets` has it."""
        if row in self.seen:
            return self.seen[row]
        assert self.origin is not None, "only a run without packets has none"
        return self.origin.packet(self, row)

    def packets(self, rows: NDArray[np.int64] | None = None) -> list[Seen]:
        """The same of all packets, or of those of these rows, in the order of ``rows``; much faster than one by one."""
        rows = np.arange(len(self)) if rows is None else rows
        odd = self.odd[rows]
        if self.origin is None or odd.all():
            return [self.seen[row] for row in rows.tolist()]
        if not odd.any():
            return list(self.origin.packets(self, rows))
        plain = self.origin.packets(self, rows[~odd])
        return [self.seen[row] if is_odd else next(plain) for row, is_odd in zip(rows.tolist(), odd.tolist(), strict=True)]

    def groups(self) -> Groups:
        """The rows of each connection."""
        return _groups(self)

    @staticmethod
    @cache
    def names() -> dict[str, np.dtype[np.generic]]:
        """The names and types of the columns."""
        types = get_type_hints(Columns)
        return {one.name: np.dtype(get_args(get_args(types[one.name])[1])[0]) for one in fields(Columns) if one.name not in _OTHERS}

    @classmethod
    def zeros(cls, size: int) -> Columns:
        """Rows without anything in them."""
        return cls(**{name: np.zeros(size, dtype) for name, dtype in cls.names().items()})  # type: ignore[arg-type]

    def take(self, rows: NDArray[np.int64]) -> Columns:
        """These rows; ``seen`` and ``origin`` are not moved."""
        return Columns(**{name: getattr(self, name)[rows] for name in self.names()})


@dataclass(slots=True)
class Groups:
    """The rows of each connection of a run: ``order[starts[i] : starts[i + 1]]`` are those of connection ``ids[i]``, in their order."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    """One more than there are connections: the last is the number of rows."""
    ids: list[bytes]
    """What names a connection in every run: its family, its addresses and its ports, the lower endpoint first. No two share one."""


_ID = np.dtype([("family", "u1"), ("addresses", ">u8", 4), ("ports", ">u2", 2)])
_ROW_BITS = np.uint64(16)
_ROW = np.uint64((1 << 16) - 1)


def _groups(columns: Columns) -> Groups:
    """Sorted by as much of the key as leaves room for the row; what shares that and is another connection is noticed."""
    rows = np.arange(len(columns), dtype=np.uint64)
    packed = np.sort((columns.key & ~_ROW) | rows)
    order = (packed & _ROW).astype(np.int64)
    begins, endpoints = _changes([packed >> _ROW_BITS]), _endpoints(columns, order)
    if len(_changes(endpoints)) != len(begins):
        order = np.lexsort(_endpoints(columns, rows.astype(np.int64)))  # which leaves rows that are the same in their order
        endpoints = _endpoints(columns, order)
        begins = _changes(endpoints)
    names = np.zeros(len(begins), _ID)
    family, *addresses, low_port, high_port = (column[begins] for column in endpoints)
    names["family"] = family
    for at, address in enumerate(addresses):
        names["addresses"][:, at] = address
    names["ports"][:, 0], names["ports"][:, 1] = low_port, high_port
    return Groups(order, np.append(begins, len(rows)), names.view(f"V{_ID.itemsize}").tolist())


def _changes(columns: list[NDArray[np.generic]]) -> NDArray[np.int64]:
    """The rows in which something is not what it is in the row before."""
    changes = np.zeros(len(columns[0]), np.bool_)
    changes[:1] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)


def _endpoints(columns: Columns, order: NDArray[np.int64]) -> list[NDArray[np.generic]]:
    """Family, the lower endpoint's address, the higher one's, and their ports, of these rows."""
    forward = columns.forward[order]
    pairs = [("src_high", "dst_high"), ("src_low", "dst_low"), ("sport", "dport")]
    sides = [(getattr(columns, src)[order], getattr(columns, dst)[order]) for src, dst in pairs]
    low = [np.where(forward, src, dst) for src, dst in sides]
    high = [np.where(forward, dst, src) for src, dst in sides]
    return [columns.family[order], low[0], low[1], high[0], high[1], low[2], high[2]]
