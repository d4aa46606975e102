"""A story, as :mod:`conformance.capture.import_story` reads it out of any capture, → a trace that can be replayed: frames, and calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from conformance.capture.import_story import CallMade, Finished, FromPeer, FromSut, Link, Moment, Story
from conformance.link.addressing import PEER_MAC, SUT_MAC
from conformance.trace import Called, Endpoints, Event, Received, Returned, Sent, Trace
from conformance.wire.icmp import build_icmp
from conformance.wire.segment import FIN, PSH, RST, SYN, Family, Icmp, Segment
from conformance.wire.seq import add, diff
from conformance.wire.spec import Spec
from conformance.wire.template import build

__all__ = ["octets_sent", "trace_of_story"]

_ERRNO = re.compile("E[A-Z0-9]+")
_MTU = 1500
_HEADERS = {Family.IPV4: 40, Family.IPV6: 60}
"""Octets of the IP and TCP headers without options."""
_ADDRESSES = {Family.IPV4: (b"\x00\x00\x00\x02", b"\x00\x00\x00\x01"), Family.IPV6: (bytes(15) + b"\x02", bytes(15) + b"\x01")}
"""A peer's and a SUT's address where a story is replayed over another family than its own."""


def trace_of_story(story: Story, family: Family | None = None) -> tuple[Trace, list[int]]:
    """The trace, and the numbers that its packets have in the capture.

    Args:
        story: with its calls.
        family: the trace's, if that is another than the story's.

    Raises:
        ValueError: the story has packets that the other family has not.
    """
    teller = _Teller(story, family or story.family)
    return teller.tell(), teller.numbers


def octets_sent(story: Story) -> dict[str, bytes]:
    """What the SUT sent on each connection, by the name of its socket, as far as the capture has it; zeros for what it has not."""
    return {f"c{number if number > 1 else ''}": _octets(story, link) for number, link in enumerate(story.links, 1)}


def _octets(story: Story, link: Link) -> bytes:
    octets = bytearray()
    for moment in story.moments:
        segment = moment.packet if isinstance(moment, FromSut) and moment.link is link else None
        if not isinstance(segment, Segment) or link.sut_isn is None or segment.flags & RST or not segment.payload:
            continue
        begin = diff(segment.seq, link.sut_isn) - (not segment.flags & SYN)
        end = begin + len(segment.payload)
        if begin >= 0:
            octets.extend(bytes(max(end + segment.cut - len(octets), 0)))
            octets[begin:end] = segment.payload
    return bytes(octets)


class _Teller:
    """Goes through the moments of a story."""

    def __init__(self, story: Story, family: Family) -> None:
        self._story, self._family = story, family
        self.numbers: list[int] = []
        self._calls: dict[str, str] = {}
        """Calls that were begun, by name: what was called."""

    def tell(self) -> Trace:
        trace = Trace(connections={link.name: self._ends(link) for link in self._story.links})
        for moment in self._story.moments:
            for event in self._events(moment):
                trace.add(event)
                if isinstance(event, Sent | Received):
                    self.numbers.append(moment.numbers[0])
        trace.start = min((event.t for event in trace.events), default=0)
        return trace

    def _ends(self, link: Link) -> Endpoints:
        peer, sut = (link.peer, link.sut) if self._family is self._story.family else _ADDRESSES[self._family]
        return Endpoints(link.name, peer, link.peer_port, sut, link.sut_port, link.peer_isn, link.sut_isn)

    def _events(self, moment: Moment) -> Iterator[Event]:
        match moment:
            case FromPeer():
                for packet in _segments(moment.packet, self._family):
                    frame = moment.frame or self._frame(packet, moment.link)
                    yield Sent(t=moment.t, frame=frame, connection=moment.link.name, due=moment.t, packet=packet)
            case FromSut():
                yield Received(t=moment.t, frame=moment.frame, packet=moment.packet, connection=moment.link.name)
            case CallMade():
                called = f"{moment.function}({moment.arguments})"
                self._calls[moment.name] = called
                yield Called(t=moment.t, text=f"{moment.name} = {called}" if moment.name else called, blocking=moment.blocking)
                if not moment.blocking:
                    failed = _ERRNO.fullmatch(moment.result)
                    yield Returned(t=moment.t, text=f"{called} = {'-1 ' if failed else ''}{moment.result or moment.name or 0}")
            case Finished():
                yield Returned(t=moment.t, text=f"{self._calls[moment.name]} = {moment.result}")

    def _frame(self, packet: Segment | Icmp, link: Link) -> bytes:
        ends = self._ends(link)
        if isinstance(packet, Segment):
            return _tcp(packet, ends, self._family)
        if self._family is not self._story.family:
            raise ValueError(f"an ICMP message cannot be sent over {self._family} as it was over {packet.family}")
        return build_icmp(
            packet.family, PEER_MAC, SUT_MAC, packet.src, packet.dst, packet.type, packet.code, packet.rest, packet.body,
            ttl=packet.ttl, tos=packet.tos, checksum=None if packet.checksum_ok else "bad",
        )  # fmt: skip


def _segments(packet: Segment | Icmp, family: Family) -> Iterator[Segment | Icmp]:
    """What was on the wire, where hardware cut the segment that was captured into smaller ones, or made it of some."""
    if isinstance(packet, Icmp):
        yield packet
        return
    room = _MTU - _HEADERS[family] - len(packet.options_data) - len(packet.ip_options)
    data = packet.payload + bytes(packet.cut)  # what the capture did not keep is nothing that TCP looks at
    for at in range(0, max(len(data), 1), room):
        last = at + room >= len(data)
        flags = packet.flags if last else packet.flags & ~(FIN | PSH)
        yield replace(packet, seq=add(packet.seq, at), flags=flags, payload=data[at : at + room], cut=0)


def _tcp(segment: Segment, ends: Endpoints, family: Family) -> bytes:
    """The frame of a segment of the peer's."""
    options = segment.ip_options if family is Family.IPV4 else b""
    spec = Spec(
        family=family,
        flags=segment.flags,
        window=segment.window,
        urgent=segment.urgent,
        options=(segment.options_data,),
        ttl=segment.ttl,
        tos=segment.tos,
        df=segment.df or family is Family.IPV6,
        ip_id=segment.ip_id if family is Family.IPV4 else None,
        checksum=None if segment.checksum_ok else "bad",
        reserved=segment.reserved,
        ip_extra=options,
    )
    bound = build(spec).bind(PEER_MAC, SUT_MAC, ends.peer, ends.sut, ends.peer_port, ends.sut_port, options)
    return bound.render(segment.seq, segment.ack, payload=segment.payload)
