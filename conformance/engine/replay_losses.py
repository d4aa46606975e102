"""Segments of the peer's that a capture has and the SUT never got, because they were lost between the two.

A replay that sent them would spare the SUT what came of the loss. So a segment is left out if the SUT itself shows the hole: something
that the peer sent later makes it acknowledge, or say selectively, that what the segment carried is missing, and nothing fills the hole
before the peer sends that again. What may as well have been the acknowledgement that was lost is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.capture.import_story import FromPeer, FromSut, Link, Moment
from conformance.wire.options import SACK, sack_blocks
from conformance.wire.segment import ACK, RST, SYN, Segment
from conformance.wire.seq import diff

__all__ = ["lost_on_the_way"]


@dataclass(slots=True)
class _Flight:
    """A segment with data that the SUT has not acknowledged yet."""

    moment: FromPeer
    begin: int
    end: int
    later: bool = False
    """The peer has sent something beyond it since."""
    missed: bool = False
    """The SUT has shown that it lacks it, for all that came later."""


def lost_on_the_way(moments: Sequence[Moment], link: Link) -> list[FromPeer]:
    """The peer's segments on this connection that never arrived."""
    lost: list[FromPeer] = []
    flights: list[_Flight] = []
    for moment in moments:
        if isinstance(moment, FromPeer) and moment.link is link and isinstance(moment.packet, Segment):
            lost += _sent(flights, moment, link)
        elif isinstance(moment, FromSut) and moment.link is link and isinstance(moment.packet, Segment):
            _answered(flights, moment.packet, link)
    return lost


def _sent(flights: list[_Flight], moment: FromPeer, link: Link) -> Iterator[FromPeer]:
    """The peer sends a segment. Those that it sends again were lost, if the SUT has said so."""
    segment = moment.packet
    assert isinstance(segment, Segment)
    size = segment.length
    if not size or segment.flags & (SYN | RST):
        return
    begin = diff(segment.seq, link.peer_isn)
    for flight in list(flights):
        flight.later |= begin >= flight.end
        if begin <= flight.begin < begin + size:
            flights.remove(flight)
            if flight.missed:
                yield flight.moment
    flights.append(_Flight(moment, begin, begin + size))


def _answered(flights: list[_Flight], segment: Segment, link: Link) -> None:
    """The SUT says how far it has come."""
    if not segment.flags & ACK:
        return
    acked = diff(segment.ack, link.peer_isn)
    blocks = [(diff(left, link.peer_isn), diff(right, link.peer_isn)) for left, right in _blocks(segment)]
    bare = not segment.length
    for flight in list(flights):
        if acked > flight.begin or any(left <= flight.begin < right for left, right in blocks):
            flights.remove(flight)
        elif bare and (any(left >= flight.end for left, _ in blocks) if blocks else flight.later and acked == flight.begin):
            flight.missed = True


def _blocks(segment: Segment) -> tuple[tuple[int, int], ...]:
    return next((blocks for option in segment.options if option.kind == SACK and (blocks := sack_blocks(option))), ())
