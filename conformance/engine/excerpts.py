"""The packets around a finding, from a second look at its capture: the first time nobody knew which would be wanted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from struct import pack

from conformance.capture.errors import CaptureError
from conformance.capture.packets import PacketReader
from conformance.capture.reader import CaptureReader
from conformance.oracle.finding import Connection
from conformance.report.check.excerpt import Excerpt, Passed
from conformance.trace import Seen
from conformance.wire.segment import Icmp, Packet, Segment

__all__ = ["excerpts"]

HEAD, BEFORE, AFTER = 3, 8, 2
"""Packets of the connection's beginning, which say what was negotiated, and around the one to look at."""
WHOLE = 60
"""Packets of a connection without findings."""

_HEADERS = 256
"""Octets of a frame that can have ports and addresses in them, those that an ICMP error quotes too."""
_MOST_PORTS = 64
"""Pairs of ports; looking for more takes as long as reading the frame."""
_FRAGMENTS = 64
"""Frames before the first packet that may be fragments of it."""
_IP4_ADDRESSES, _IP6_ADDRESSES, _TCP = 12, 8, 6

_Ends = tuple[bytes, int, bytes, int]
"""Source address and port, destination address and port."""


def excerpts(path: Path, wanted: Sequence[tuple[Connection, int | None]]) -> list[Excerpt]:
    """For each connection of the capture ``path`` what passed around the packet with the given number; None: its beginning.

    No more is read than is needed, and no more kept than is shown. What cannot be read any more is left out.
    """
    makers = [_Maker(connection, focus) for connection, focus in wanted]
    by_ends: dict[_Ends, list[tuple[_Maker, bool]]] = {}
    for maker in makers:
        client, server = _endpoint(maker.connection.client), _endpoint(maker.connection.server)
        by_ends.setdefault((*client, *server), []).append((maker, True))
        by_ends.setdefault((*server, *client), []).append((maker, False))
    with suppress(CaptureError, OSError), CaptureReader(path) as reader:  # it was there a moment ago; the rest is worth showing without
        _read(reader, by_ends, makers)
    return [maker.made() for maker in makers]


def _read(reader: CaptureReader, by_ends: dict[_Ends, list[tuple[_Maker, bool]]], makers: Sequence[_Maker]) -> None:
    left = len(makers)
    for seen in _packets(reader, by_ends, makers):
        for ends in _ends(seen.packet):
            for maker, from_client in by_ends.get(ends, ()):
                left -= maker.takes(seen, from_client)
        if not left:
            return


def _packets(reader: CaptureReader, by_ends: Iterable[_Ends], makers: Sequence[_Maker]) -> Iterator[Seen]:
    """The packets that may belong to one of the connections. To read a frame takes ten times as long as to see that it does not."""
    first = min((maker.connection.first for maker in makers), default=0) - _FRAGMENTS
    last = max((maker.connection.last for maker in makers), default=0)
    may_belong = _sieve(by_ends)
    read = PacketReader(reader.counts).read
    for frame in reader.frames():
        if frame.number > last:
            return
        if frame.number >= first and may_belong(frame.data) and (seen := read(frame)) is not None:
            yield seen


def _sieve(by_ends: Iterable[_Ends]) -> Callable[[bytes], bool]:
    """Tells frames of which some connection has neither the ports nor, in case it is a fragment without them, the addresses."""
    ports = {pack(">HH", sport, dport) for _, sport, _, dport in by_ends}
    addresses = {src + dst for src, _, dst, _ in by_ends}
    if len(ports) > _MOST_PORTS:
        return bool  # all that is not empty

    def may_belong(data: bytes) -> bool:
        head = data[:_HEADERS]
        for pair in ports:
            if pair in head:
                return True
        for pair in addresses:
            if (at := head.find(pair)) >= 0:
                return not _plain(head, at)
        return False

    return may_belong


def _plain(head: bytes, at: int) -> bool:
    """Do the addresses at ``at`` stand in the header of a TCP segment that is no fragment, so that its ports are there too?"""
    if at >= _IP4_ADDRESSES and head[at - 3] == _TCP and head[at - _IP4_ADDRESSES] >> 4 == 4:
        return not (head[at - 6] & 0x3F or head[at - 5])
    return at >= _IP6_ADDRESSES and head[at - 2] == _TCP and head[at - _IP6_ADDRESSES] >> 4 == 6


def _ends(packet: Packet) -> Iterator[_Ends]:
    """Of the connection that it belongs to, as its sender sees them; an ICMP error answers the packet that it quotes."""
    if isinstance(packet, Segment):
        yield packet.src, packet.sport, packet.destination, packet.dport
    elif isinstance(packet, Icmp) and (quote := packet.quote):
        yield quote.dst, quote.dport, quote.src, quote.sport


@dataclass(slots=True)
class _Maker:
    """Makes the excerpt of one connection out of its packets, one after the other."""

    connection: Connection
    focus: int | None
    """The packet to look at."""
    done: bool = False
    start: int = 0
    passed: int = 0
    """Packets so far."""
    head: list[Passed] = field(default_factory=list)
    before: deque[Passed] = field(default_factory=lambda: deque(maxlen=BEFORE))
    after: list[Passed] = field(default_factory=list)
    """The one to look at, and what follows it."""

    def takes(self, seen: Seen, from_client: bool) -> bool:
        """A packet between these endpoints. True if it was the last that is needed."""
        if self.done or not self.connection.first <= seen.number <= self.connection.last:
            return False
        if not self.passed:
            self.start = seen.t
        self.passed += 1
        passed = Passed(replace(seen, packet=_without_data(seen.packet)), from_client)
        if self.after or seen.number == self.focus:
            self.after.append(passed)
        elif len(self.head) < (WHOLE if self.focus is None else HEAD):
            self.head.append(passed)
        else:
            self.before.append(passed)
        self.done = len(self.after) > AFTER or (self.focus is None and len(self.head) == WHOLE)
        return self.done

    def made(self) -> Excerpt:
        """The excerpt, with what is left out as numbers."""
        around = [] if self.focus is None else [*self.before, *self.after]
        between = self.passed - len(self.head) - len(around)
        behind = self.connection.packets - self.passed
        pieces: list[Passed | int] = [*self.head, *([between] if between > 0 else ()), *around, *([behind] if behind > 0 else ())]
        return Excerpt(self.start, pieces)


def _without_data(packet: Packet) -> Packet:
    """All that a ladder shows of it: some thousand packets are kept at a time, of 64 kB each if somebody so wants."""
    if isinstance(packet, Segment):
        return replace(packet, payload=b"", cut=packet.cut + len(packet.payload))
    return replace(packet, body=b"") if isinstance(packet, Icmp) else packet


def _endpoint(text: str) -> tuple[bytes, int]:
    """``192.0.2.1:80``, ``[2001:db8::1]:80``."""
    address, _, port = text.rpartition(":")
    return ip_address(address.strip("[]")).packed, int(port)
