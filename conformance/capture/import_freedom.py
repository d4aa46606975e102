"""What a stack is free to do otherwise the next time, in packets that somebody captured: how often it acknowledges a stream, and which
of several timestamps it echoes while data is under way.

When a capture has an acknowledgment of every segment or of every second one, that was a matter of microseconds. So of a row of them only
the last must come, and each before it may, wherever a segment ends. What tells more stays: an acknowledgment that was put off, that
repeats another, that has SACK blocks, or that closes the window or opens it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from conformance.capture.import_story import CallMade, FromPeer, FromSut, Link, Moment, Story
from conformance.wire import options as wire
from conformance.wire.segment import ACK, PSH, SYN, Segment
from conformance.wire.seq import gt

__all__ = ["leave_open"]

_MASK = 0xFFFF_FFFF
_PUT_OFF = 20_000_000
"""ns from which on an acknowledgment was delayed on purpose."""


def leave_open(story: Story) -> None:
    """Leave it open, on each connection, once the calls are there: what an application read is told by acknowledgments."""
    for link in story.links:
        story.moments = list(_rows(story.moments, link))
        _echoes([one for one in story.moments if isinstance(one, FromPeer | FromSut) and one.link is link], link)


# Timestamps -----------------------------------------------------------------------------------------------------------


def _echoes(moments: Sequence[FromPeer | FromSut], link: Link) -> None:
    """Where several segments were ever under way, each echoes whatever had come when it left."""
    several = _several(moments, link)
    before: Moment | None = None
    for moment in moments:
        segment = moment.packet
        if isinstance(moment, FromSut) and isinstance(segment, Segment) and not segment.flags & SYN:
            data = bool(segment.payload or segment.cut)
            moment.echo_open |= moment.may or (several if data else not isinstance(before, FromPeer))
        before = moment


def _several(moments: Sequence[FromPeer | FromSut], link: Link) -> bool:
    """Was there ever more than one segment with data on its way from the SUT?"""
    acked = sent = (link.sut_isn or 0) + 1 & _MASK
    for moment in moments:
        segment = moment.packet
        if not isinstance(segment, Segment):
            continue
        if isinstance(moment, FromPeer):
            acked = segment.ack if segment.flags & ACK and gt(segment.ack, acked) else acked
        elif segment.payload or segment.cut:
            if gt(sent, acked):
                return True
            end = segment.seq + segment.length & _MASK
            sent = end if gt(end, sent) else sent
    return False


# Acknowledgments ------------------------------------------------------------------------------------------------------


def _rows(moments: Sequence[Moment], link: Link) -> Iterator[Moment]:
    """The moments, with rows of acknowledgments loosened."""
    row: list[Moment] = []
    for moment in moments:
        if not _continues(row, moment, link):
            yield from _loosened(row)
            row = []
        row.append(moment)
    yield from _loosened(row)


def _continues(row: Sequence[Moment], moment: Moment, link: Link) -> bool:
    """Is it the next of a row: data of the peer's that follows the data before, an acknowledgment of some more, or a read of it?"""
    if isinstance(moment, CallMade):
        return bool(row) and moment.function == "recv"
    if not row or not _is_plain(moment, link) or moment.t - row[-1].t >= _PUT_OFF:
        return False
    own = [one for one in row if isinstance(one, FromPeer | FromSut)]
    if not own or not _is_plain(own[0], link):
        return False
    assert isinstance(moment, FromPeer | FromSut)
    segment = moment.packet
    same = [one.packet for one in own if type(one) is type(moment)]
    if not same:
        return True
    last = same[-1]
    assert isinstance(segment, Segment) and isinstance(last, Segment)
    if isinstance(moment, FromPeer):
        return segment.seq == (last.seq + last.length) & _MASK
    return segment.seq == last.seq and gt(segment.ack, last.ack)


def _is_plain(moment: Moment, link: Link) -> bool:
    """Is it data of the peer's or an acknowledgment of the SUT's, with nothing about it that may decide what happens?"""
    if not isinstance(moment, FromPeer | FromSut) or moment.link is not link:
        return False
    segment = moment.packet
    if not isinstance(segment, Segment) or segment.flags & ~PSH != ACK or not segment.checksum_ok:
        return False
    data = bool(segment.payload or segment.cut)
    if isinstance(moment, FromPeer):
        return data and not moment.fields
    return not data and segment.window > 0 and not any(option.kind == wire.SACK for option in segment.options)


def _loosened(row: Sequence[Moment]) -> Iterator[Moment]:
    """Of a row the last acknowledgment must come; others may, after each segment."""
    acks = [one for one in row if isinstance(one, FromSut)]
    ends = {_end(one) for one in row if isinstance(one, FromPeer)} if len(acks) > 1 else set()
    if len(acks) < 2 or not all(isinstance(ack.packet, Segment) and ack.packet.ack in ends for ack in acks):
        yield from row
        return
    final = acks[-1]
    template = final.packet
    assert isinstance(template, Segment)
    final.echo_open = True
    for one in row:
        if not isinstance(one, FromSut) or one is final:
            yield one
        if isinstance(one, FromPeer):
            end = _end(one)
            if gt(template.ack, end):
                yield replace(final, t=one.t, numbers=(), packet=replace(template, ack=end), may=True)


def _end(moment: FromPeer) -> int:
    """The number after its data."""
    assert isinstance(moment.packet, Segment)
    return moment.packet.seq + moment.packet.length & _MASK
