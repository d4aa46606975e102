"""The connections of a case run: who they join, what has come on them, and which one a frame belongs to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from conformance.case.steps import ConnectionSpec, ExpectStep, OptionalStep
from conformance.sut.base import Places, Transition
from conformance.trace import Endpoints, Received
from conformance.wire.segment import SYN, Icmp, Packet, Segment

__all__ = ["Connection", "Connections"]

_MASK = 0xFFFF_FFFF


@dataclass(slots=True)
class Connection:
    """One connection, from the tester's side."""

    spec: ConnectionSpec
    ends: Endpoints
    segments: deque[Received] = field(default_factory=deque)
    """Came from the SUT, and no step has asked for them yet."""
    messages: deque[Received] = field(default_factory=deque)
    """The same for ICMP."""
    optional: list[OptionalStep] = field(default_factory=list)
    """Steps that what comes next may fit."""
    active: bool = False
    """A step has used it, or a frame came on it: an incarnation that a later one has not replaced."""
    last: Received | None = None
    """The newest frame from the SUT, for ICMP to quote."""
    sent: bytes = b""
    """The frame that was injected last, before it was cut into fragments."""
    path: list[str] = field(default_factory=list)
    """The states that it has been in since the last ``states`` step."""
    places: Places | None = None
    plain: bool = True
    """All data in both directions is the pattern of :mod:`conformance.engine.stream`."""

    @property
    def name(self) -> str:
        return self.ends.name

    def moved(self, old: str, new: str) -> None:
        """Note a transition."""
        if not self.path:
            self.path.append(old)
        self.path.append(new)

    def accepts(self, step: OptionalStep) -> ExpectStep:
        """The expectation that ``step`` begins with."""
        first = step.steps[0]
        assert isinstance(first, ExpectStep)
        return first


class Connections:
    """All connections of a case run, by name."""

    def __init__(self, specs: Sequence[ConnectionSpec], places: Places, rng: Random) -> None:
        self._places = places
        self._by_name: dict[str, Connection] = {}
        next_port = places.ports["peer_port"] + 2
        for spec in specs:
            if spec.reuse is not None:
                before = self._by_name[spec.reuse].ends
                isn = before.peer_isn + (spec.isn_offset or 0) if spec.isn is None else spec.isn
                ends = Endpoints(spec.name, before.peer, before.peer_port, before.sut, before.sut_port, isn & _MASK)
            else:
                port = spec.peer_port
                if port is None and spec.name == "default":
                    port = "peer_port"
                elif port is None:
                    port, next_port = next_port, next_port + 1
                number = places.ports[port] if isinstance(port, str) else port
                isn = rng.getrandbits(32) if spec.isn is None else spec.isn
                ends = Endpoints(spec.name, places.hosts[spec.peer], number, places.hosts["sut"], 0, isn & _MASK)
            self._by_name[spec.name] = Connection(spec, ends, places=places)

    def __getitem__(self, name: str) -> Connection:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._by_name.values())

    def use(self, name: str) -> Connection:
        """The connection for a step that sends or expects on it; it becomes the one that frames of its addresses belong to."""
        connection = self._by_name[name]
        if not connection.active:
            connection.active = True
            if connection.spec.reuse is not None:
                old = self._by_name[connection.spec.reuse]
                old.active = False
                connection.ends.sut_port = old.ends.sut_port
        return connection

    def of(self, packet: Packet) -> Connection | None:
        """The connection that a packet from the SUT belongs to, None if there is none. Learns the SUT's port and ISN from it."""
        if isinstance(packet, Segment):
            connection = self._at(packet.destination, packet.dport, packet.sport)
            if connection is not None:
                if not connection.ends.sut_port:
                    connection.ends.sut_port = packet.sport
                if packet.flags & SYN and connection.ends.sut_isn is None:
                    connection.ends.sut_isn = packet.seq
            return connection
        if isinstance(packet, Icmp) and packet.quote is not None:
            return self._at(packet.quote.src, packet.quote.sport, packet.quote.dport)
        return self._by_name["default"]

    def of_transition(self, move: Transition) -> Connection | None:
        """The connection whose socket changed its state."""
        return self._at(move.remote, move.remote_port, move.local_port)

    def at(self, peer: bytes, peer_port: int) -> Connection | None:
        """The connection that a socket has which is connected to this peer."""
        return self._at(peer, peer_port, 0)

    def _at(self, peer: bytes, peer_port: int, sut_port: int) -> Connection | None:
        best = None
        for connection in self._by_name.values():
            ends = connection.ends
            if ends.peer_port != peer_port or ends.peer != peer or (sut_port and ends.sut_port not in (0, sut_port)):
                continue
            if connection.active or best is None:
                best = connection
        return best
