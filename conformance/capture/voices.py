"""What the SUT said on each connection of an exchange: its packets in order, and where between the peer's each stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from conformance.capture.exchange import Exchange, Role, Turn, role_of
from conformance.wire.segment import ACK, Icmp, Packet, Segment
from conformance.wire.seq import relative

__all__ = ["Answer", "Delay", "Essence", "Voice", "voices_of"]

_MS = 1_000_000


class Delay(IntEnum):
    """How late a packet is, by the greatest number of ns that is of the class."""

    AT_ONCE = 30 * _MS
    DELAYED = 500 * _MS
    """As late as an acknowledgement may be (RFC 9293, section 3.8.6.3)."""
    TIMER = 1 << 64

    @classmethod
    def of(cls, ns: int) -> Delay:
        """The class of a time."""
        return next(one for one in cls if ns <= one)


class Essence(NamedTuple):
    """What makes packets of two exchanges the same one."""

    role: Role
    seq: int = 0
    """Relative, as all numbers here."""
    end: int = 0
    """The number after its last octet, SYN and FIN counted."""
    ack: int | None = None
    more: str = ""


@dataclass(slots=True)
class Answer:
    """A packet of the SUT's."""

    turn: Turn
    essence: Essence
    after: int
    """How many packets the peer had sent on this connection by then."""
    heard: int | None
    """The number after the last octet that the peer had sent by then; None: it had sent nothing."""
    wait: int
    """ns since the packet before it on this connection, whoever sent that; 0 for the first."""
    reaction: int
    """The same since the last socket call, if that came later: when a call is made is not the SUT's doing."""
    prompt: bool
    """It came at once after a packet of the peer's, as what answers that."""
    again: bool
    """It has octets, a SYN or a FIN, and all of that had been sent before."""
    news: bool
    """It acknowledges something for the first time."""


@dataclass(slots=True)
class Voice:
    """All that the SUT sent on a connection."""

    answers: list[Answer] = field(default_factory=list)
    heard: int | None = None
    """The number after the last octet of the peer's."""
    stimuli: int = 0
    """How many packets the peer sent."""
    sent: int | None = None
    """The number after the SUT's last octet."""
    acknowledged: int | None = None
    """The highest number that the SUT acknowledged."""
    roles: set[Role] = field(default_factory=set)
    last: Turn | None = None
    """The last packet, of either side."""
    stimulus: Segment | None = None
    """The peer's last segment."""


def voices_of(exchange: Exchange, stimuli: int | None = None) -> dict[str, Voice]:
    """The SUT's packets by connection, as far as the peer had sent no more than ``stimuli`` packets in all."""
    voices: dict[str, Voice] = {}
    said = 0
    for turn in exchange.turns:
        said += not turn.from_sut
        if stimuli is not None and said > stimuli:
            break
        voice = voices.setdefault(turn.connection, Voice())
        (_listen if turn.from_sut else _heed)(voice, turn, exchange)
        voice.last = turn
    return voices


def _heed(voice: Voice, turn: Turn, exchange: Exchange) -> None:
    """The peer sent something."""
    voice.stimuli += 1
    if isinstance(turn.packet, Segment):
        voice.stimulus = turn.packet
        voice.heard = _max(voice.heard, relative(turn.packet.seq, exchange.side(turn)[0].isn) + turn.packet.length)


def _listen(voice: Voice, turn: Turn, exchange: Exchange) -> None:
    """The SUT did."""
    essence = _essence(turn, exchange)
    if essence.role is Role.RST and _borrows(turn.packet, voice):
        essence = essence._replace(seq=0, end=0, more="borrowed")
    again = essence.end > essence.seq and voice.sent is not None and essence.end <= voice.sent
    news = essence.ack is not None and (voice.acknowledged is None or essence.ack > voice.acknowledged)
    wait = turn.t - voice.last.t if voice.last else 0
    reaction = max(turn.t - max(voice.last.t, turn.called), 0) if voice.last else 0
    prompt = voice.last is not None and not voice.last.from_sut and wait <= Delay.AT_ONCE
    voice.answers.append(Answer(turn, essence, voice.stimuli, voice.heard, wait, reaction, prompt, again, news))
    voice.roles.add(essence.role)
    if essence.role is not Role.RST and isinstance(turn.packet, Segment):  # the numbers of a RST are often borrowed
        voice.sent = _max(voice.sent, essence.end)
        if essence.ack is not None:
            voice.acknowledged = _max(voice.acknowledged, essence.ack)


def _borrows(packet: Packet, voice: Voice) -> bool:
    """Has a RST its number from the segment that it answers, because there is no connection, and not from the SUT's own numbers?

    That is what the segment acknowledges; 0 if it acknowledges nothing (RFC 9293, section 3.10.7.1).
    """
    stimulus = voice.stimulus
    if stimulus is None or not isinstance(packet, Segment):
        return False
    if stimulus.flags & ACK:
        return packet.seq == stimulus.ack and not voice.roles & {Role.SYN, Role.SYN_ACK}
    return packet.seq == 0


def _essence(turn: Turn, exchange: Exchange) -> Essence:
    packet = turn.packet
    match packet:
        case Segment():
            own, other = exchange.side(turn)
            seq = relative(packet.seq, own.isn)
            ack = relative(packet.ack, other.isn) if packet.flags & ACK else None
            return Essence(role_of(packet), seq, seq + packet.length, ack)
        case Icmp():
            return Essence(Role.ICMP, more=f"{packet.type}/{packet.code}")
        case unreadable:
            return Essence(Role.OTHER, more=unreadable.reason)


def _max(a: int | None, b: int) -> int:
    return b if a is None or b > a else a
