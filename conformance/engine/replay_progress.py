"""How far the SUT has come on a connection, in a capture and in its replay: what a packet of the peer has to wait for.

Another stack sends other segments: two where the capture has one, an acknowledgement where it has two. So what stands in the capture
becomes a goal that does not depend on that: octets up to a number have been sent, an octet has been sent so many times, a number has
been acknowledged so many times. A goal of the capture is met by the first packet of the replay with which it holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import NamedTuple

from conformance.trace import Received
from conformance.wire.segment import ACK, RST, SYN, Icmp, Packet, Segment
from conformance.wire.seq import diff

__all__ = ["Goal", "Progress", "Stream"]

_MASK = 0xFFFF_FFFF
_EPOCH = 1 << 40
"""What lies between the numbers of two incarnations: more than any connection sends."""


class Goal(NamedTuple):
    """What a packet of the SUT brought about."""

    sort: str
    """``octets`` were sent for the first time, or some ``again``; an ``ack``, a ``reset`` or an ``icmp`` message came, or ``other``."""
    number: int = 0
    """The octet behind the last, the first that was sent again, the acknowledgement number, type and code."""
    times: int = 1


class Stream:
    """The numbers of one direction, counted from its ISN, and never wrapping. One that begins anew with another ISN goes on far above."""

    def __init__(self, isn: int | None = None) -> None:
        self.isns = [] if isn is None else [isn]
        self.top = 0
        """The number behind the last that was sent."""

    def begin(self, isn: int) -> None:
        """A SYN has this number."""
        if isn not in self.isns:
            self.isns.append(isn)
            self.top = (len(self.isns) - 1) * _EPOCH

    def place(self, number: int) -> int:
        """Where ``number`` stands: of all places where it may be, the one nearest to the top."""
        isn = self.isns[-1] if self.isns else 0
        return self.top + diff(number, isn + self.top & _MASK)


class Progress:
    """What the SUT has sent so far."""

    def __init__(self, peer_isn: int, sut_isn: int | None = None) -> None:
        """Of a SUT whose SYN is yet to come, the ISN is not known."""
        self.sent = Stream(sut_isn)
        self._acked = Stream(peer_isn)
        self.packets: list[Received] = []
        self._ends: list[int] = []
        """The top after each packet: it never sinks."""
        self._spans: list[tuple[int, int, int]] = []
        """Where each packet with a length begins and ends, and its place among all."""
        self._acks: list[int] = []
        """The highest acknowledgement number after each packet."""
        self._places: dict[tuple[str, int], list[int]] = defaultdict(list)
        """The packets of a sort that have this number."""

    def heard(self, packet: Packet) -> None:
        """The peer sent this."""
        if isinstance(packet, Segment) and packet.flags & SYN:
            self._acked.begin(packet.seq)

    def add(self, event: Received) -> Goal:
        """The next packet of the SUT; gives what it brought about."""
        at = len(self.packets)
        self.packets.append(event)
        goal = self._of(event.packet, at)
        self._ends.append(self.sent.top)
        self._acks.append(self._acked.top)
        return goal

    def met(self, goal: Goal) -> int | None:
        """The place of the first packet with which ``goal`` holds; None: it does not hold yet."""
        sort, number, times = goal
        if sort == "octets":
            return self._first(self._ends, number)
        if sort == "again":
            covering = (at for begin, end, at in self._spans if begin <= number < end)
            return next((at for count, at in enumerate(covering, 1) if count == times), None)
        places = self._places[sort, number]
        if len(places) >= times:
            return places[times - 1]
        return self._first(self._acks, number + 1) if sort == "ack" else None

    # Inside -----------------------------------------------------------------------------------------------------------

    def _of(self, packet: Packet, at: int) -> Goal:
        if isinstance(packet, Segment):
            return self._segment(packet, at)
        if isinstance(packet, Icmp):
            return self._count("icmp", packet.type << 8 | packet.code, at)
        return self._count("other", 0, at)

    def _segment(self, segment: Segment, at: int) -> Goal:
        if segment.flags & SYN:
            self.sent.begin(segment.seq)
        acked = self._count_ack(segment, at) if segment.flags & ACK else None
        if segment.flags & RST:
            return self._count("reset", 0, at)
        if not segment.length:
            return acked or self._count("other", 0, at)
        begin = self.sent.place(segment.seq)
        end, top = begin + segment.length, self.sent.top
        self._spans.append((begin, end, at))
        if end > top:
            self.sent.top = end
            return Goal("octets", end)
        return Goal("again", begin, sum(low <= begin < high for low, high, _ in self._spans))

    def _count_ack(self, segment: Segment, at: int) -> Goal:
        """What it acknowledges; data and resets do that, too."""
        number = self._acked.place(segment.ack)
        self._acked.top = max(self._acked.top, number)
        return self._count("ack", number, at)

    def _count(self, sort: str, number: int, at: int) -> Goal:
        places = self._places[sort, number]
        places.append(at)
        return Goal(sort, number, len(places))

    def _first(self, rising: list[int], number: int) -> int | None:
        """The first place at which a row of numbers that never sink has come to ``number``."""
        at = bisect_left(rising, number)
        return at if at < len(rising) else None
