"""Back from columns to packets: segments made of columns and of the octets that these were read from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.trace import Seen
from conformance.wire.segment import Family, Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from conformance.capture.columns import Columns

__all__ = ["Origin"]

_NAMES = (
    "family", "sport", "dport", "seq", "ack", "flags", "window", "ttl", "tos", "ip_id", "df", "checksum_ok", "ip_checksum_ok",
    "length", "cut", "number", "t", "outbound", "offloaded",
)  # fmt: skip
_HEADERS = {4: 20, 6: 40}
_TCP_HEADER = 20
_FLOW = 0xF_FFFF
_OUTBOUND = {-1: None, 0: False, 1: True}


@dataclass(slots=True)
class Origin:
    """Where the plain segments of a run stand in its buffer."""

    buffer: bytes
    begins: NDArray[np.int64]
    """The IP header of each row."""
    payloads: NDArray[np.int64]
    """What follows its TCP header."""

    def packets(self, columns: Columns, rows: NDArray[np.int64]) -> Iterator[Seen]:
        """The packets of rows that are not odd."""
        lists = [column[rows].tolist() for column in (self.begins, self.payloads, *(getattr(columns, name) for name in _NAMES))]
        return map(self._seen, *lists)

    def packet(self, columns: Columns, row: int) -> Seen:
        """That of one row."""
        return self._seen(*[column.item(row) for column in (self.begins, self.payloads, *(getattr(columns, name) for name in _NAMES))])

    def _seen(
        self, begin: int, start: int, version: int, sport: int, dport: int, seq: int, ack: int, flags: int, window: int, ttl: int, tos: int,
        ip_id: int, df: bool, ok: bool, ip_ok: bool, length: int, cut: int, number: int, t: int, outbound: int, offloaded: bool,
    ) -> Seen:  # fmt: skip
        buffer = self.buffer
        header = begin + _HEADERS[version]
        if version == 4:
            family, middle, flow = Family.IPV4, header - 4, 0
        else:
            family, middle, flow = Family.IPV6, header - 16, int.from_bytes(buffer[begin : begin + 4], "big") & _FLOW
        segment = Segment(
            family, buffer[2 * middle - header : middle], buffer[middle:header], sport, dport, seq, ack, flags, window, 0,
            buffer[header + _TCP_HEADER : start], buffer[start : start + length - cut], 0, ttl, tos, ip_id, df, ok, ip_ok,
            start - begin + length, b"", flow, cut,
        )  # fmt: skip
        return Seen(number, t, segment, _OUTBOUND[outbound], offloaded)
