"""Fragments of a capture put together again (RFC 791, section 3.2; RFC 8200, section 4.5), within bounds of memory and time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from conformance.capture.network import Fragment, Network, Unread, skip_extensions
from conformance.capture.records import Counts

__all__ = ["Fragments"]

MAX_PENDING = 1000
"""Packets of which fragments are waited for."""
MAX_OCTETS = 16 << 20
_TIME = 60 * 1_000_000_000
"""ns; RFC 1122, section 3.3.2 (60 to 120 seconds), and RFC 8200, section 4.5. A later fragment is another packet's."""
_PIECE_COST = 256
"""Octets that a piece takes beside its own."""
_MAX_PACKET = 65535
INCOMPLETE, OVERLAPPING = "fragments of packets that never became whole", "fragments that overlap"
_CE = 3
PARTS = "fragments of packets that were read"


Key = tuple[bytes, bytes, int, int]


@dataclass(slots=True)
class _Pending:
    """The fragments of one packet."""

    began: int
    starts: list[int] = field(default_factory=list)
    """Their places, sorted."""
    pieces: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """By place, what was captured and how many octets there were."""
    octets: int = 0
    """What the pieces had in all."""
    end: int | None = None
    first: Network | None = None
    cost: int = 0
    condemned: bool = False
    checksums_ok: bool = True
    congested: bool = False
    """One of them has CE: then all of the packet has (RFC 3168, section 5.3)."""

    def contradicts(self, start: int, end: int, more: bool) -> bool:
        """Can these octets not be part of the packet, given what is here? RFC 8200, section 4.5, has the same conditions."""
        if start == end or end > _MAX_PACKET or (more and end & 7) or (self.end is not None and (end > self.end or not more)):
            return True
        at = bisect_left(self.starts, start)
        if at < len(self.starts) and (self.starts[at] < end or not more):
            return True
        return at > 0 and self.starts[at - 1] + self.pieces[self.starts[at - 1]][1] > start


class Fragments:
    """The packets that are not whole yet."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._pending: OrderedDict[Key, _Pending] = OrderedDict()
        self._cost = 0

    def add(self, packet: Network, piece: Fragment, t: int) -> Network | None:
        """The whole packet, if that was its last fragment. An Unread says of a fragment that nothing comes of it."""
        pending = self._pending.get(piece.key)
        if pending is not None and abs(t - pending.began) > _TIME:
            self._forget(piece.key)
            pending = None
        if pending is None:
            pending = self._pending[piece.key] = _Pending(t)
            if len(self._pending) > MAX_PENDING:
                self._forget(next(iter(self._pending)))
        self._insert(pending, packet, piece)
        whole = self._whole(piece.key, pending)
        while self._cost > MAX_OCTETS:
            self._forget(next(iter(self._pending)))
        return whole

    def end(self) -> None:
        """What is not whole now never will be."""
        for key in list(self._pending):
            self._forget(key)

    def _insert(self, pending: _Pending, packet: Network, piece: Fragment) -> None:
        """Put a piece in its place; an Unread if it contradicts what is there, which condemns the packet (RFC 5722)."""
        start, size = piece.start, packet.size
        if pending.pieces.get(start) == (packet.data, size) and (piece.more or pending.end == start + size):
            self._counts.duplicates += 1
            raise Unread("fragments that came twice")
        if pending.condemned or pending.contradicts(start, start + size, piece.more):
            self._condemn(pending)
            raise Unread(OVERLAPPING)
        insort(pending.starts, start)
        pending.pieces[start] = packet.data, size
        pending.octets += size
        pending.cost += len(packet.data) + _PIECE_COST
        self._cost += len(packet.data) + _PIECE_COST
        pending.checksums_ok &= packet.checksum_ok
        pending.congested |= packet.tos & _CE == _CE
        if not piece.more:
            pending.end = start + size
        if not start:
            pending.first = packet

    def _condemn(self, pending: _Pending) -> None:
        """Nothing will come of it; it stays known, so that the fragments that are still to come are not taken for another's."""
        self._cost -= pending.cost
        if pending.pieces:
            self._counts.unread[OVERLAPPING] += len(pending.pieces)
        pending.starts, pending.pieces, pending.first, pending.cost, pending.condemned = [], {}, None, 0, True

    def _whole(self, key: Key, pending: _Pending) -> Network | None:
        if pending.first is None or pending.end != pending.octets:
            return None
        data, at = [], 0
        for start in pending.starts:
            if start != at:  # a snap length cut the one before
                break
            data.append(pending.pieces[start][0])
            at += len(data[-1])
        del self._pending[key]
        self._cost -= pending.cost
        self._counts.unread[PARTS] += len(pending.pieces) - 1
        tos = pending.first.tos | (_CE if pending.congested else 0)
        packet = replace(pending.first, tos=tos, data=b"".join(data), size=pending.end, fragment=None, checksum_ok=pending.checksums_ok)
        skip_extensions(packet)
        return packet

    def _forget(self, key: Key) -> None:
        pending = self._pending.pop(key)
        self._cost -= pending.cost
        if pending.pieces:
            self._counts.unread[INCOMPLETE] += len(pending.pieces)
