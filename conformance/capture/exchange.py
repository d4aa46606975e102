"""A trace by roles: who sent what in which order, in numbers that depend on nobody's choice of ISNs, addresses and ports.

Two exchanges of the same kind can be laid side by side (:mod:`conformance.capture.compare`): what Linux answered and what another stack
answers, what a capture holds and what its replay brought about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from conformance.trace import Called, Received, Seen, Sent, Trace
from conformance.wire.options import timestamps
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, FIN, RST, SYN, Icmp, Packet, Segment
from conformance.wire.seq import add
from conformance.wire.text import icmp_text, segment_text

__all__ = ["Exchange", "Role", "Side", "Turn", "exchange_of_seen", "exchange_of_trace", "role_of"]


class Role(StrEnum):
    """What a packet is for; the first that fits."""

    RST = "RST"
    SYN_ACK = "SYN-ACK"
    SYN = "SYN"
    FIN = "FIN"
    DATA = "data"
    ACK = "ACK"
    BARE = "segment without flags"
    ICMP = "ICMP message"
    OTHER = "other frame"


def role_of(packet: Packet) -> Role:
    """What ``packet`` is for."""
    if not isinstance(packet, Segment):
        return Role.ICMP if isinstance(packet, Icmp) else Role.OTHER
    flags = packet.flags
    if flags & RST:
        return Role.RST
    if flags & SYN:
        return Role.SYN_ACK if flags & ACK else Role.SYN
    if flags & FIN:
        return Role.FIN
    if packet.payload or packet.cut:
        return Role.DATA
    return Role.ACK if flags & ACK else Role.BARE


@dataclass(slots=True)
class Turn:
    """A packet of an exchange."""

    number: int
    """Its place among the packets, from 1, as Wireshark counts."""
    t: int
    """ns, of any clock."""
    packet: Packet
    from_sut: bool
    connection: str = ""
    """The connection's name, the same on both exchanges that are compared; empty for what belongs to none."""
    called: int = 0
    """ns, of the same clock, at which the last socket call before it began; 0: not known."""


@dataclass(slots=True)
class Side:
    """What one side of a connection counts from."""

    isn: int | None = None
    tsval: int | None = None
    """Its first TSval."""
    began: bool = False
    """It has sent a SYN."""


@dataclass
class Exchange:
    """The packets of a trace, in the order of their times."""

    turns: list[Turn]
    isns: dict[tuple[str, bool], int] = field(default_factory=dict)
    """ISNs that are known beforehand, by the connection's name and whether they are the SUT's; else they are learned from the packets."""
    whole: bool = True
    """False: it was cut short, because a case failed on the way."""

    @cached_property
    def _sides(self) -> dict[int, tuple[Side, Side]]:
        """What the sender of each packet counts from, and its other side, by the packet's number.

        An ISN that nobody said is the number of the first SYN; of a side that sends none, the one before the first number that the other
        side acknowledges, else before its own first number. With every new ISN that the SUT chooses a connection begins anew.
        """
        now: dict[tuple[str, bool], Side] = {key: Side(isn) for key, isn in self.isns.items()}
        placed: dict[int, tuple[Side, Side]] = {}
        for turn in self.turns:
            own = now.setdefault((turn.connection, turn.from_sut), Side())
            if isinstance(segment := turn.packet, Segment) and segment.flags & SYN:
                if turn.from_sut and own.began and own.isn != segment.seq:
                    own = now[turn.connection, turn.from_sut] = Side()
                own.isn, own.began = segment.seq if own.isn is None else own.isn, True
            placed[turn.number] = own, now.setdefault((turn.connection, not turn.from_sut), Side())
        for turn in self.turns:
            own, other = placed[turn.number]
            if isinstance(turn.packet, Segment):
                own.tsval = own.tsval if own.tsval is not None else _tsval(turn.packet)
                if other.isn is None and turn.packet.flags & ACK and turn.packet.ack:
                    other.isn = add(turn.packet.ack, -1)
        for turn in self.turns:
            own, _ = placed[turn.number]
            if own.isn is None and isinstance(turn.packet, Segment):
                own.isn = add(turn.packet.seq, -1)
        return placed

    def side(self, turn: Turn) -> tuple[Side, Side]:
        """What the sender of this packet counts from, and its other side."""
        return self._sides[turn.number]

    def text(self, turn: Turn) -> str:
        """The packet in the notation of the case language, relative to the ISNs."""
        own, other = self.side(turn)
        match turn.packet:
            case Segment():
                return segment_text(turn.packet, own.isn, other.isn)
            case Icmp():
                return icmp_text(turn.packet)
            case unreadable:
                return f"{len(unreadable.frame)} octets: {unreadable.reason}"


def exchange_of_trace(trace: Trace, *, whole: bool = True) -> Exchange:
    """The frames of a trace, numbered as in the file that :mod:`conformance.capture.pcapng` makes of it."""
    turns: list[Turn] = []
    called = 0
    for event in trace.sorted():
        if isinstance(event, Called):
            called = event.t
        elif isinstance(event, Received):
            turns.append(Turn(len(turns) + 1, event.t, event.packet, True, event.connection or "", called))
        elif isinstance(event, Sent):
            turns.append(Turn(len(turns) + 1, event.t, event.packet or read_frame(event.frame), False, event.connection))
    isns = {(ends.name, False): ends.peer_isn for ends in trace.connections.values()}
    isns |= {(ends.name, True): ends.sut_isn for ends in trace.connections.values() if ends.sut_isn is not None}
    return Exchange(turns, isns, whole)


def exchange_of_seen(seen: Iterable[Seen], sut: tuple[bytes, int], connection: str = "default") -> Exchange:
    """The packets of one connection of a capture, in which the SUT has this address and port."""
    return Exchange([Turn(one.number, one.t, one.packet, _is_from(one.packet, sut), connection) for one in seen])


def _is_from(packet: Packet, sut: tuple[bytes, int]) -> bool:
    match packet:
        case Segment():
            return (packet.src, packet.sport) == sut
        case Icmp():  # quotes what it answers, which the one side sent, and comes from that side's way: from the other
            return packet.quote is not None and (packet.quote.src, packet.quote.sport) != sut
        case _:
            return False


def _tsval(segment: Segment) -> int | None:
    return next((found[0] for option in segment.options if (found := timestamps(option))), None)
