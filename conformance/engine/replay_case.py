"""A trace turned back into a case: what the peer sent and which calls were made, to be played against any SUT."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from conformance.case import notation
from conformance.case.case import SECOND, Case
from conformance.case.errors import CaseError
from conformance.case.steps import AnyValue, Call, CallStep, ConnectionSpec, Exact, FinishStep, Name, Source, StartStep, Step, Text
from conformance.engine.replay_fragments import pieces_of
from conformance.engine.replay_numbers import neighbour
from conformance.engine.replay_progress import Progress, Stream
from conformance.engine.replay_steps import Acknowledged, JudgeStep, PeerStep, ReplayStep, SutStep
from conformance.link.addressing import HOSTS
from conformance.trace import Called, Endpoints, Event, Received, Returned, Sent, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, SYN, Family, Icmp, Packet, Segment
from conformance.wire.seq import add, diff, le
from conformance.wire.text import icmp_text, segment_text

__all__ = ["ReplayOptions", "replay_case"]

_TOLERANCE = 3600 * SECOND
"""A peer may be as late as it likes: what is judged is what really passed, at the times at which it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How to replay."""

    id: str
    title: str = ""
    file: str = ""
    """What the case stands for, relative to the case folder if it belongs to a suite."""
    capture: str = ""
    """The capture, as the places of steps name it; empty: ``file``."""
    requirements: tuple[str, ...] = ()
    """That the SUT must keep, beside all that the oracle calls a violation."""
    level: str = "MUST"
    description: str = ""
    config: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    octets: Mapping[str, bytes] = field(default_factory=dict)
    """What calls send of which the capture only says how much, by the names of sockets; else it is the stream of the case language."""
    keep: bool = True
    """Wait as long as the peer and the callers did in the capture."""
    linger: int = 0
    """ns to wait for more at the end."""
    judged: bool = True
    """End with what the oracle says."""


def replay_case(captured: Trace, options: ReplayOptions) -> Case:
    """The case that replays ``captured``. ValueError: nothing in it can be played."""
    if "default" not in captured.connections:
        raise ValueError("it has no connection")
    reader = _Reader(captured, options)
    series = reader.read()
    if not any(isinstance(step, PeerStep | CallStep | StartStep) for step in series.steps):
        raise ValueError("the peer sent nothing, and no call was made: there is nothing to play")
    ending = Source(options.capture or options.file, reader.number, 1, "the oracle finds nothing")
    steps: tuple[Step, ...] = (series,)
    if options.judged:
        steps = (series, JudgeStep(source=ending, requirements=options.requirements))
    return Case(
        id=options.id,
        title=options.title or f"Replay of {options.file}",
        file=options.file,
        family=reader.family,
        requirements=options.requirements,
        level=options.level,
        steps=steps,
        description=options.description,
        config=options.config,
        tags=options.tags,
        connections=tuple(_specs(reader.family, reader.ends, reader.bound)),
        tolerance=_TOLERANCE,
    )


def _specs(family: Family, connections: Mapping[str, Endpoints], bound: Collection[int]) -> Iterator[ConnectionSpec]:
    """The connections, under the names that addresses and ports have in every run. The peer keeps its ISNs: so only numbers of the SUT's
    need to be translated. ``bound`` are the ports that the SUT did not choose by itself."""
    default = connections["default"]
    hosts = {address: name for name, address in HOSTS[family].items()} | {neighbour(default.peer): "peer2", default.peer: "peer"}
    first = default.peer_port
    peer_ports: dict[int, str | None] = {first + 2 + more: None for more in range(len(connections))}
    peer_ports |= {first: "peer_port", first + 1: "peer_port2"}
    lowest = default.sut_port if default.sut_port in bound else min(bound, default=0)
    sut_ports = {lowest + more: name for more, name in enumerate(("port", "port2", "port3"))}
    before: dict[tuple[bytes, int], str] = {}
    for ends in connections.values():
        peer = (ends.peer, ends.peer_port)
        yield ConnectionSpec(
            ends.name,
            peer=hosts.get(ends.peer, "peer"),
            port=sut_ports.get(ends.sut_port, "port"),
            peer_port=peer_ports.get(ends.peer_port, ends.peer_port),
            isn=ends.peer_isn,
            reuse=before.get(peer),
        )
        before[peer] = ends.name


class _Reader:
    """Goes through a trace once."""

    def __init__(self, captured: Trace, options: ReplayOptions) -> None:
        self._captured, self._options = captured, options
        self._name = options.capture or options.file
        self.ends = captured.connections
        self.number = 0
        """Of the packet that is read: its place in the capture."""
        self._progress = {name: Progress(ends.peer_isn) for name, ends in self.ends.items()}
        self.bound: set[int] = set()
        """Ports of the SUT's to which the peer sent before anything came from there."""
        self._octets = dict(options.octets)
        self._returns = [event for event in captured.sorted() if isinstance(event, Returned)]
        self._open: list[tuple[Called, str, str]] = []
        """Calls that block: what was called, the name, and how its return begins."""
        self._pieces = iter(pieces_of(event.frame for event in captured.sorted() if isinstance(event, Sent)))
        self.family = Family.IPV4 if len(self.ends["default"].sut) == 4 else Family.IPV6

    def read(self) -> ReplayStep:
        steps: list[Step] = []
        times: list[int] = []
        macs = (bytes(6), bytes(6))
        for event in self._captured.sorted():
            if isinstance(event, Sent | Received):
                self.number += 1
                if isinstance(event, Received):
                    macs = (event.frame[:6], event.frame[6:12])
            for step in self._steps(event):
                steps.append(step)
                times.append(event.t)
        source = Source(self._name, 1, 1, f"replay {self._name}")
        return ReplayStep(
            source=source,
            steps=tuple(steps),
            times=tuple(times),
            ends=self.ends,
            macs=macs,
            keep=self._options.keep,
            linger=self._options.linger,
        )

    def _steps(self, event: Event) -> Iterator[Step]:
        match event:
            case Sent():
                yield self._sent(event)
            case Received(connection=str()):
                yield self._received(event)
            case Called():
                yield from self._called(event)
            case Returned():
                yield from self._returned(event)

    def _source(self, text: str) -> Source:
        return Source(self._name, self.number, 1, text)

    # Packets ----------------------------------------------------------------------------------------------------------

    def _sent(self, event: Sent) -> PeerStep:
        piece = next(self._pieces)
        packet = event.packet or read_frame(piece.whole or event.frame if piece else event.frame)
        progress, ends = self._progress[event.connection], self.ends[event.connection]
        progress.heard(packet)
        if not progress.packets and ends.sut_port:
            self.bound.add(ends.sut_port)
        text = _text(packet, ends.peer_isn, ends.sut_isn)
        return PeerStep(
            source=self._source(f"inject: {text}"),
            on=event.connection,
            frame=event.frame,
            packet=packet,
            acknowledged=_acknowledged(packet, progress.sent),
            piece=piece,
        )

    def _received(self, event: Received) -> SutStep:
        assert event.connection is not None
        packet, ends = event.packet, self.ends[event.connection]
        goal = self._progress[event.connection].add(event)
        source = self._source(f"expect: {_text(packet, ends.sut_isn, ends.peer_isn)}")
        return SutStep(source=source, on=event.connection, packet=packet, goal=goal)

    # Calls ------------------------------------------------------------------------------------------------------------

    def _called(self, event: Called) -> Iterator[Step]:
        source = self._source(f"{'start' if event.blocking else 'call'}: {event.text}")
        try:
            call = (notation.start if event.blocking else notation.call)(event.text)
        except CaseError as error:
            raise ValueError(f"a call that cannot be read: {event.text}: {error}") from None
        on = self._connects(event) if call.function == "connect" else "default"
        if not event.blocking:
            # A call that failed there may do so here; and of what there is to read nobody knows when it was read.
            result = AnyValue() if self._failed(event, call) or call.function == "recv" else None
            yield CallStep(source=source, on=on, call=replace(self._with_data(call), result=result))
            return
        assert call.target is not None
        self._open.append((event, call.target, _called_text(call)))
        yield StartStep(source=source, on=on, call=call)

    def _with_data(self, call: Call) -> Call:
        """A call that sends, with the octets that the SUT sent in the capture."""
        if call.function != "send":
            return call
        socket, amount, *flags = call.args
        if not isinstance(socket, Name) or socket.name not in self._octets or not isinstance(amount, Exact):
            return call
        octets = self._octets[socket.name]
        self._octets[socket.name] = octets[amount.value :]
        return replace(call, args=(socket, Text(octets[: amount.value].ljust(amount.value, b"\0")), *flags))

    def _failed(self, event: Called, call: Call) -> bool:
        """Did the call return an error?"""
        text = _called_text(call)
        returned = (one for one in self._returns if one.t >= event.t and one.text.startswith(text))
        found = next(returned, None)
        if found is None:
            return True
        self._returns.remove(found)
        return found.text.startswith(f"{text} = -1 ")

    def _returned(self, event: Returned) -> Iterator[Step]:
        for at, (_, name, text) in enumerate(self._open):
            if event.text.startswith(text):
                del self._open[at]
                yield FinishStep(source=self._source(f"finish: {name}"), name=name, result=AnyValue())
                return

    def _connects(self, call: Called) -> str:
        """The connection of a connect(): that of the SYN which comes after it."""
        events = list(self._captured.sorted())
        for event in events[next(at for at, event in enumerate(events) if event is call) :]:
            if isinstance(event, Received) and event.connection and isinstance(event.packet, Segment) and event.packet.flags & SYN:
                return event.connection
        return "default"


def _called_text(call: Call) -> str:
    """The call without what it is called and what it shall return, as the trace has it."""
    begin = call.text.index(call.function)
    return call.text[begin : call.text.rindex(")") + 1]


def _text(packet: Packet, own: int | None, other: int | None) -> str:
    match packet:
        case Segment():
            return segment_text(packet, own, other)
        case Icmp():
            return icmp_text(packet)
        case _:
            return packet.reason


def _acknowledged(packet: Packet, stream: Stream) -> Acknowledged | None:
    """What the acknowledgement number of a segment of the peer's counts: octets of the incarnation whose ISN is nearest."""
    if isinstance(packet, Segment):
        number = packet.ack if packet.flags & ACK or packet.ack else None
    else:
        number = packet.quote.seq if isinstance(packet, Icmp) and packet.quote else None
    if number is None or not stream.isns:
        return None
    incarnation = min(range(len(stream.isns)), key=lambda at: abs(diff(number, stream.isns[at])))
    isn = stream.isns[incarnation]
    sent = incarnation < len(stream.isns) - 1 or le(number, add(isn, stream.top))
    return Acknowledged(isn, incarnation, sent)
