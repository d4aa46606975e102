"""One connection's segments in the numbers of its streams, for those who infer what an application did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from conformance.capture.import_story import FromPeer, FromSut, Link, Moment
from conformance.wire import options as wire
from conformance.wire.segment import ACK, SYN, Segment
from conformance.wire.seq import diff

__all__ = ["Said", "mss_of", "shifts_of", "talk"]


class Said(NamedTuple):
    """A segment."""

    at: int
    """The index of its moment."""
    t: int
    sut: bool
    """The SUT sent it."""
    segment: Segment
    start: int
    """Octets of data before its first one."""
    size: int
    """Octets of its data."""
    acked: int | None
    """Octets that it acknowledges, a FIN counted as one more; None: it has no ACK flag."""

    @property
    def end(self) -> int:
        """Octets of data up to its last one."""
        return self.start + self.size

    def has(self, flags: int) -> bool:
        """Is one of these flags set?"""
        return bool(self.segment.flags & flags)


def talk(moments: Sequence[Moment], link: Link) -> Iterator[Said]:
    """What was said on a connection."""
    for at, moment in enumerate(moments):
        if not isinstance(moment, FromPeer | FromSut) or moment.link is not link or not isinstance(moment.packet, Segment):
            continue
        if isinstance(moment, FromSut) and moment.may:
            continue
        segment, sut = moment.packet, isinstance(moment, FromSut)
        own, other = (link.sut_isn or 0, link.peer_isn) if sut else (link.peer_isn, link.sut_isn or 0)
        start = diff(segment.seq, own) - 1 + bool(segment.flags & SYN)
        acked = diff(segment.ack, other) - 1 if segment.flags & ACK else None
        yield Said(at, moment.t, sut, segment, start, len(segment.payload) + segment.cut, acked)


def mss_of(said: Sequence[Said], *, sut: bool) -> int | None:
    """What one side takes; None if its SYN does not say it."""
    return next((value for one in _syns(said, sut) for option in one.options if (value := wire.mss(option)) is not None), None)


def shifts_of(said: Sequence[Said]) -> tuple[int, int]:
    """By how much the windows of the SUT and of the peer are shifted."""
    found = [next((shift for one in _syns(said, sut) for option in one.options if (shift := wire.wscale(option)) is not None), None)
             for sut in (True, False)]  # fmt: skip
    return (0, 0) if None in found else (min(found[0] or 0, 14), min(found[1] or 0, 14))


def _syns(said: Sequence[Said], sut: bool) -> Iterator[Segment]:
    return (one.segment for one in said if one.sut is sut and one.has(SYN))
