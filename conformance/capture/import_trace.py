"""A trace that this program recorded → a story: packets with the connections they belong to, and the calls as they were made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from conformance.capture.import_calls import RecordedCalls
from conformance.capture.import_frames import Fragment, Known, dissect, is_whole, whole
from conformance.capture.import_links import aim, incarnate
from conformance.capture.import_names import host_name, hosts_of
from conformance.capture.import_story import CallMade, FromPeer, FromSut, Link, Moment, Quiet, Reached, Story, StoryError, Walked
from conformance.capture.import_timing import QUIET
from conformance.trace import Called, Endpoints, Event, Note, Received, Returned, Sent, StateChanged, Trace
from conformance.wire.checksum import ones_sum
from conformance.wire.segment import Family, Icmp, Segment

__all__ = ["story_of_trace"]

_HALF = 1 << 31
_IPV6_SIZE = 40
_SETTLES = 500_000_000
"""ns after the last packet or call from which on a transition is a timer's, for which no step waits."""
_POLLED = 100_000_000
"""ns that somebody who waits for a state may take to notice it."""
_BEFORE_TIME_WAIT = ("FIN-WAIT-1", "FIN-WAIT-2", "CLOSING")
_PORT_NAMES = ("port", "port2", "port3")


def story_of_trace(trace: Trace, config: Mapping[str, object] | None = None) -> Story:
    """The whole exchange. Raises StoryError for a trace without packets and calls."""
    events = list(trace.sorted())
    if not trace.connections or not events:
        raise StoryError("nothing happens in it: there is no connection, or no packet and no call")
    return _TraceReader(trace, events).read(dict(config or {}))


@dataclass(slots=True)
class _Parts:
    """The fragments of one packet, all there are."""

    fragments: list[Fragment] = field(default_factory=list)
    steps: set[int | None] = field(default_factory=set)
    """Those that sent some of them."""
    named: bool = False
    """Must its identification be said?"""


class _TraceReader:
    """Walks through the events once the names are known."""

    def __init__(self, trace: Trace, events: list[Event]) -> None:
        self._trace, self._events = trace, events
        default = next(iter(trace.connections.values()))
        self._family = Family.IPV4 if len(default.sut) == 4 else Family.IPV6
        self._links = _links(trace.connections.values())
        self._by_name = {link.name: link for link in self._links}
        peer2 = next((link.peer for link in self._links if link.peer != default.peer), None) or _neighbour(default.peer)
        self._hosts = hosts_of(self._family, default.sut, default.peer, peer2)
        self._ports = _port_names(trace, _passive(trace, events))
        self._peer_ports = {default.peer_port: "peer_port", default.peer_port + 1: "peer_port2"}
        macs = Counter(event.frame[6:12] for event in events if isinstance(event, Received))
        macs = macs or Counter(event.frame[:6] for event in events if isinstance(event, Sent))
        pairs = {(link.peer_port, link.sut_port) for link in self._links}
        self._known = Known(self._hosts, macs.most_common(1)[0][0] if macs else b"", lambda *ports: ports in pairs)
        self._calls = RecordedCalls(events, self._hosts, self._ports | self._peer_ports)
        self._parts = self._fragments()
        self._moments: list[Moment] = []
        self._together: object = None
        """What the last moment sent parts of."""
        self._number = 0

    def read(self, config: dict[str, object]) -> Story:
        for event in self._events:
            if not isinstance(event, Sent | StateChanged):
                self._together = None
            match event:
                case Sent():
                    self._number += 1
                    self._sent(event)
                case Received():
                    self._number += 1
                    self._received(event)
                case Called():
                    self._moments.append(self._calls.made(event))
                case Returned():
                    if (finished := self._calls.finished(event)) is not None:
                        self._moments.append(finished)
                case StateChanged():
                    self._reached(event)
                case Note(failed=True):
                    self._moments.append(Quiet(t=event.t))
        incarnate(self._links, self._moments)
        self._walked()
        aim(self._moments)
        used = {moment.link.name for moment in self._moments if isinstance(moment, FromPeer | FromSut | CallMade) and moment.link}
        links = [link for link in self._links if link.name in used or link is self._links[0]]
        return Story(self._family, links, self._moments, config, self._hosts, self._ports, self._peer_ports, recorded=True)

    def _reached(self, event: StateChanged) -> None:
        """A state that a timer led to, if that is what the next call or packet of the peer's had waited for."""
        before = self._moments[-1].t if self._moments else event.t
        following = next((other for other in self._events if other.t > event.t), None)
        if len(self._links) > 1 or event.new == "TIME-WAIT" or event.t - before < QUIET or not isinstance(following, Called | Sent):
            return
        if following.t - event.t < _POLLED:
            self._moments.append(Reached(t=event.t, link=self._links[0], state=event.new))

    def _walked(self) -> None:
        """The states, if every transition was told as it happened, and there is no doubt whose they are.

        Linux tells neither when TIME-WAIT begins nor when it ends: what the trace says of that depends on when somebody asked.
        """
        last = max((moment.t for moment in self._moments), default=0) + _SETTLES
        moves = [event for event in self._events if isinstance(event, StateChanged) and event.t <= last]
        if not moves or len(self._links) > 1 or self._trace.states_from not in ("tracepoint", "stack"):
            return
        states = (moves[0].old, *(move.new for move in moves))
        waits = any(move.new == "TIME-WAIT" or (move.old in _BEFORE_TIME_WAIT and move.new == "CLOSED") for move in moves)
        if all(before.new == after.old for before, after in pairwise(moves)) and not waits:
            self._moments.append(Walked(t=self._events[-1].t, link=self._links[0], states=states))

    # Packets ------------------------------------------------------------------------------------------------------------

    def _received(self, event: Received) -> None:
        link = self._by_name.get(event.connection or "")
        if link is not None:
            self._moments.append(FromSut(t=event.t, numbers=(self._number,), link=link, packet=event.packet, frame=event.frame))

    def _sent(self, event: Sent) -> None:
        link = self._by_name.get(event.connection, self._links[0])
        read = dissect(event.frame, self._known)
        if read is None:
            raise StoryError(f"packet {self._number} is nothing that a case can send")
        if read.fragment is not None:
            self._fragment(event, link, read.fragment, dict(read.fields))
            return
        assert read.packet is not None
        if read.varies:
            self._calls.varying.append(event.frame)
            link.isn_matters = True  # the checksum counts the sequence number, over which something else is written
        self._add(event, link, read.packet, dict(read.fields))

    def _add(self, event: Sent, link: Link, packet: Segment | Icmp, fields: dict[str, object]) -> None:
        fields |= self._elsewhere(link, packet)
        if over := self._written_over(packet):
            if isinstance(packet, Icmp) and packet.checksum_ok and "ext" not in fields:  # its second word makes up for that in the checksum
                over[f"ip+{_IPV6_SIZE + 4}"] = f"{packet.rest:08x}"
                packet = replace(packet, rest=(packet.rest + ones_sum(packet.dst) - ones_sum(self._named(packet.dst))) % 0xFFFF)
            before = fields.get("raw")
            fields["raw"] = {**(before if isinstance(before, dict) else {}), **over}
        self._together = None
        moment = FromPeer(t=event.t, numbers=(self._number,), link=link, packet=packet, fields=fields, frame=event.frame)
        self._moments.append(moment)
        if isinstance(packet, Segment):
            end = (packet.seq - link.peer_isn) % (2 * _HALF) + packet.length
            link.isn_matters |= end < _HALF and link.peer_isn % _HALF + end >= _HALF

    def _elsewhere(self, link: Link, packet: Segment | Icmp) -> dict[str, object]:
        """Addresses and ports that are not the connection's."""
        fields: dict[str, object] = {}
        if packet.src != link.peer:
            fields["src"] = host_name(self._hosts, packet.src)
        if packet.dst != link.sut:
            fields["dst"] = host_name(self._hosts, packet.dst)
        if isinstance(packet, Segment):
            for name, port, own in (("sport", packet.sport, link.peer_port), ("dport", packet.dport, link.sut_port)):
                if port != own:
                    fields[name] = self._peer_ports.get(port) or self._ports.get(port, port)
        return fields

    def _named(self, address: bytes) -> bytes:
        """The address that the name stands for which a case has for this one."""
        name = host_name(self._hosts, address)
        return next((known for known, own in self._hosts.items() if own == name), address)

    def _written_over(self, packet: Segment | Icmp) -> dict[str, str]:
        """The end of a destination for which there is only the name of a similar one, as ``raw:`` has it."""
        named, own = self._named(packet.dst), packet.dst
        if named == own or not len(named) == len(own) == 16:  # IPv4's header has a checksum, which would not be right then
            return {}
        at = next(at for at in range(16) if named[at] != own[at])
        return {f"ip+{24 + at}": own[at:].hex()}

    # Fragments ----------------------------------------------------------------------------------------------------------

    def _fragments(self) -> dict[int, _Parts]:
        """All parts of each fragment's packet, by the identity of its event. What comes when a packet is whole begins another."""
        found: dict[int, _Parts] = {}
        open_: dict[tuple[object, ...], _Parts] = {}
        for event in self._events:
            read = dissect(event.frame, self._known) if isinstance(event, Sent) else None
            if read is None or read.fragment is None:
                continue
            alone = not read.fragment.offset and not read.fragment.more
            parts = _Parts() if alone else open_.setdefault(read.fragment.key, _Parts())
            if not alone and is_whole(parts.fragments) and event.step not in parts.steps:
                parts = open_[read.fragment.key] = _Parts()
            parts.fragments.append(read.fragment)
            parts.steps.add(event.step)
            found[id(event)] = parts
        again = Counter(read_key for read_key, _ in {(parts.fragments[0].key, id(parts)) for parts in found.values()})
        for parts in found.values():
            parts.named = len(parts.steps) > 1 or again[parts.fragments[0].key] > 1
        return found

    def _fragment(self, event: Sent, link: Link, fragment: Fragment, fields: dict[str, object]) -> None:
        parts = self._parts[id(event)]
        cut = f"{fragment.offset}:" + (str(fragment.offset + len(fragment.data)) if fragment.more else "*")
        together = (id(parts), event.step)
        if self._together == together:
            last = self._moments[-1]
            assert isinstance(last, FromPeer)
            cuts = last.fields["fragments"]
            assert isinstance(cuts, list)
            cuts.append(cut)
            last.last, last.numbers = event.t, (*last.numbers, self._number)
            return
        read = dissect(whole(parts.fragments), self._known)
        if read is None or read.packet is None:
            raise StoryError(f"packet {self._number} is a fragment of nothing that a case can send")
        of_parts = ("ttl", "tos", "id", "df") if is_whole(parts.fragments) else ("ttl", "tos", "id", "df", "checksum")
        complete = {name: value for name, value in read.fields.items() if name not in of_parts}
        identification = {"fragment_id": fragment.identification} if parts.named else {}
        self._add(event, link, read.packet, {**complete, **fields, "fragments": [cut], **identification})
        self._together = together


def _links(connections: Iterable[Endpoints]) -> list[Link]:
    """The connections, the default one first; a later one with the same ends is a new incarnation."""
    links: list[Link] = []
    for ends in connections:
        before = next(
            (link for link in links if (link.peer, link.peer_port) == (ends.peer, ends.peer_port) and link.sut_port == ends.sut_port), None
        )
        links.append(
            Link(ends.name, ends.peer, ends.peer_port, ends.sut, ends.sut_port, ends.peer_isn, ends.sut_isn, before.name if before else "")
        )
    return links


def _neighbour(address: bytes) -> bytes:
    """The address that a test bed gives the second peer."""
    return ((int.from_bytes(address, "big") + 1) % (1 << 8 * len(address))).to_bytes(len(address), "big")


def _port_names(trace: Trace, passive: set[int]) -> dict[int, str]:
    """What the test bed calls the SUT's ports, which follow each other; ``passive`` are those that it has not chosen itself."""
    texts = " ".join(event.text for event in trace.events if isinstance(event, Called))
    bound = set(re.findall(r"\bport[23]?\b", texts))
    seen = sorted(passive) or sorted({ends.sut_port for ends in trace.connections.values() if ends.sut_port and bound})
    used = [name for name in _PORT_NAMES if name in bound] or list(_PORT_NAMES)
    if not seen:
        return {}
    first = seen[0] - _PORT_NAMES.index(used[0])
    return {first + offset: name for offset, name in enumerate(_PORT_NAMES)}


def _passive(trace: Trace, events: Sequence[Event]) -> set[int]:
    """The SUT's ports of connections on which the peer sent first."""
    begun: dict[str, bool] = {}
    for event in events:
        if isinstance(event, Sent | Received) and event.connection:
            begun.setdefault(event.connection, isinstance(event, Sent))
    return {trace.connections[name].sut_port for name, passive in begun.items() if passive and name in trace.connections}
