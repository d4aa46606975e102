"""What becomes of a capture's numbers in a replay, for each packet of the peer's: the SUT chose others, and may have come less far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conformance.engine.connections import Connections
from conformance.engine.replay_frames import Numbers
from conformance.engine.replay_progress import Progress, Stream
from conformance.engine.replay_steps import Acknowledged, PeerStep, ReplayStep, SutStep
from conformance.sut.base import Places
from conformance.trace import Endpoints, Received
from conformance.wire.options import FAST_OPEN, TIMESTAMP, timestamps
from conformance.wire.segment import Packet, Segment
from conformance.wire.seq import add, diff

__all__ = ["Translation", "neighbour"]

_PORTS_A_CASE = 3
"""Ports that a case may bind: they follow each other (``port``, ``port2``, ``port3``)."""


class Translation:
    """What is known so far of how the numbers of a capture and those of its replay belong together."""

    def __init__(self, step: ReplayStep, connections: Connections, places: Places, progress: Mapping[str, Progress]) -> None:
        self._then, self._now, self._places, self._progress = step.ends, connections, places, progress
        self._macs = dict(zip(step.macs, (places.peer_mac, places.sut_mac), strict=True))
        self._clocks: dict[str, dict[int, int]] = {name: {} for name in step.ends}
        """Values of the SUT's timestamp clock in the capture, and here, by connection."""
        self._sent = {name: _values(step, name) for name in step.ends}
        """All values of that clock that the SUT sent in the capture, by connection."""
        self._cookies: dict[bytes, bytes] = {}

    def learn(self, part: SutStep, event: Received) -> None:
        """``event`` is what this run has in the place of a packet of the capture."""
        then, now = _clock(part.packet), _clock(event.packet)
        if then is not None and now is not None:
            self._clocks[part.on].setdefault(then, now)  # of what the capture has in one tick and this run in two, the older may be echoed
        for old, new in zip(_cookies(part.packet), _cookies(event.packet), strict=False):
            self._cookies[old] = new

    def of(self, part: PeerStep) -> tuple[Numbers, int]:
        """The numbers of a packet of the peer's, and how many octets that it acknowledged in the capture this SUT has not sent yet."""
        ends, stream = self._now[part.on].ends, self._progress[part.on].sent
        shift = _shift(part.acknowledged, stream)
        sut_ports = self._sut_ports(self._then[part.on], ends)
        numbers = Numbers(
            macs=self._macs,
            addresses=self._addresses(),
            peer_ports=dict(_pairs(self._then, self._now, "peer_port")) | {self._then[part.on].peer_port: ends.peer_port},
            sut_ports=sut_ports,
            ack=lambda number: number + shift,
            edge=lambda number: number + shift,
            ecr=lambda value: self._echo(value, part.on),
            cookies=self._cookies,
        )
        lacks = max(_lacks(part, stream, shift), 0)
        if lacks:
            numbers.ack = lambda number: number + shift - lacks
        return numbers, lacks

    def _echo(self, value: int, name: str) -> int:
        """The TSecr for one of the capture. 0 is no echo."""
        clock = self._clocks[name]
        if not value or not clock:
            return value
        if value in clock:
            return clock[value]
        if value in self._sent[name]:  # with something that this SUT did not send: what it did send last
            packets = reversed(self._progress[name].packets)
            return next(now for event in packets if (now := _clock(event.packet)) is not None)
        then = next(reversed(clock))  # with nothing: as far from what it sent as it was there
        return clock[then] + value - then

    def _addresses(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for name, then in self._then.items():
            now = self._now[name].ends
            found |= {then.peer: now.peer, then.sut: now.sut}
            found.setdefault(neighbour(then.peer), self._places.hosts["peer2"])
        return found

    def _sut_ports(self, then: Endpoints, now: Endpoints) -> dict[int, int]:
        found = {then.sut_port + more: now.sut_port + more for more in range(_PORTS_A_CASE)}
        found |= dict(_pairs(self._then, self._now, "sut_port"))
        return found | {then.sut_port: now.sut_port}


def _pairs(then: Mapping[str, Endpoints], now: Connections, what: str) -> Iterable[tuple[int, int]]:
    """Ports of the connections in the capture, and here."""
    return ((getattr(then[name], what), getattr(now[name].ends, what)) for name in then)


def _shift(acknowledged: Acknowledged | None, stream: Stream) -> int:
    """What is to be added to a number of the SUT's stream."""
    if acknowledged is None or acknowledged.incarnation >= len(stream.isns):
        return 0
    return stream.isns[acknowledged.incarnation] - acknowledged.isn


def _lacks(part: PeerStep, stream: Stream, shift: int) -> int:
    """How far an acknowledgement of what the SUT had sent is beyond what it has sent here."""
    packet, acknowledged = part.packet, part.acknowledged
    if not isinstance(packet, Segment) or acknowledged is None or not acknowledged.sent or acknowledged.incarnation != len(stream.isns) - 1:
        return 0
    return diff(add(packet.ack, shift), add(stream.isns[-1], stream.top))


def _values(step: ReplayStep, name: str) -> frozenset[int]:
    values = (_clock(part.packet) for part in step.steps if isinstance(part, SutStep) and part.on == name)
    return frozenset(value for value in values if value is not None)


def _clock(packet: Packet) -> int | None:
    """The TSval of a segment."""
    if not isinstance(packet, Segment):
        return None
    values = (timestamps(option) for option in packet.options if option.kind == TIMESTAMP)
    return next((value[0] for value in values if value), None)


def _cookies(packet: Packet) -> list[bytes]:
    return [option.data for option in packet.options if option.kind == FAST_OPEN] if isinstance(packet, Segment) else []


def neighbour(address: bytes) -> bytes:
    """The address after this one: a case's second peer is the first one's neighbour."""
    return (int.from_bytes(address, "big") + 1 & (1 << 8 * len(address)) - 1).to_bytes(len(address), "big")
