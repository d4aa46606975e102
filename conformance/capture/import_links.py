"""The connections of a story: new incarnations, and which of them a connect asks for."""

from __future__ import annotations

from dataclasses import replace

from conformance.capture.import_story import CallMade, FromPeer, FromSut, Link, Moment
from conformance.wire.segment import ACK, SYN, Segment

__all__ = ["aim", "incarnate"]

_MASK = 0xFFFF_FFFF


def incarnate(links: list[Link], moments: list[Moment]) -> None:
    """Split connections whose SUT chooses another ISN: what follows belongs to a new incarnation, from the SYN that led to it on."""
    isns: dict[str, int] = {}
    now = {link.name: link for link in links}
    """The incarnation that packets of a connection belong to."""
    for at, moment in enumerate(moments):
        if not isinstance(moment, FromPeer | FromSut):
            continue
        link = moment.link = now[moment.link.name]
        segment = moment.packet
        if not isinstance(moment, FromSut) or not isinstance(segment, Segment) or not segment.flags & SYN:
            continue
        if isns.setdefault(link.name, segment.seq) == segment.seq:
            continue
        begin, isn = _beginning(moments, at, segment, link)
        new = replace(link, name=_name(now), peer_isn=isn, sut_isn=segment.seq, reuse=link.name, isn_matters=False)
        links.append(new)
        isns[new.name] = segment.seq
        for name, current in list(now.items()):
            if current is link:
                now[name] = new
        now[new.name] = new
        for later in moments[begin : at + 1]:
            if isinstance(later, FromPeer | FromSut) and later.link is link:
                later.link = new


def _beginning(moments: list[Moment], at: int, segment: Segment, link: Link) -> tuple[int, int]:
    """Where the new incarnation begins, and the peer's ISN: with the peer's SYN that this acknowledges, else with the SUT's own."""
    for index in range(at - 1, -1, -1):
        moment = moments[index]
        if isinstance(moment, FromPeer) and moment.link is link and isinstance(moment.packet, Segment) and moment.packet.flags & SYN:
            if segment.flags & ACK and (moment.packet.seq + 1) & _MASK != segment.ack:
                continue
            return (index, moment.packet.seq) if segment.flags & ACK else (at, link.peer_isn)
    following = next(
        (
            later.packet.seq
            for later in moments[at:]
            if isinstance(later, FromPeer) and later.link is link and isinstance(later.packet, Segment) and later.packet.flags & SYN
        ),
        link.peer_isn,
    )
    return at, following


def _name(taken: dict[str, Link]) -> str:
    return next(name for name in ("again", *(f"again{number}" for number in range(2, 10_000))) if name not in taken)


def aim(moments: list[Moment]) -> None:
    """Say of each connect which connection it asks for: the one whose SYN follows."""
    waiting: CallMade | None = None
    begun: set[str] = set()
    for moment in moments:
        if isinstance(moment, CallMade) and moment.function == "connect":
            waiting = moment
        elif isinstance(moment, FromSut) and isinstance(moment.packet, Segment) and moment.packet.flags & SYN:
            if waiting is not None and moment.link.name not in begun:
                waiting.link, waiting = moment.link, None
            begun.add(moment.link.name)
