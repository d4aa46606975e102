"""The oracle's front: packets in, judged connections out."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from conformance.oracle.fact import Fact
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.flow import Flow
from conformance.oracle.side import MOST_KEPT, Side
from conformance.oracle.whereabouts import Whereabouts
from conformance.trace import Seen
from conformance.wire.segment import ACK, SYN, Icmp, Segment
from conformance.wire.seq import diff

__all__ = ["MOST_FLOWS", "Judge", "endpoint_name"]

MOST_FLOWS = 20_000
"""Connections that are remembered at once: the one that has been silent for longest is judged, and forgotten, for another."""
_TICK, _TELLING, _NOTHING_ELSE = 4_000, 4, 300
"""The ns of a tick (RFC 9293, section 3.4.1); how many ISNs tell that there is nothing but a clock; by how many ticks they may be off."""
_SAME_TICK, _WRAP = 1_000_000, 3600 * 10**9
"""ns between which a clock of 4 µs has gone on, and has not come round."""
SLACK = 10_000_000
"""ns: what an ordinary machine may need between a segment on its wire and its answer, or the other way round."""

_Key = tuple[bytes, int, bytes, int]


class Judge:
    """Judges every connection among the packets that it is shown, in the order of the capture.

    Args:
        done: is given each connection when it is over, has been forgotten to keep memory bounded, or at :meth:`end`.
        vantage: where the capture was taken; None: as the packets themselves suggest, connection by connection.
        whole: everything that passed is there, from the beginning, as in a live trace.
        strict: also rules of which nearly every stack thinks otherwise.
        slack: ns that a segment may wait between being captured and being processed; 0 on a virtual clock.
    """

    def __init__(
        self,
        done: Callable[[Connection], None],
        vantage: Vantage | None = None,
        slack: int = SLACK,
        strict: bool = False,
        whole: bool = False,
    ) -> None:
        self._done, self._vantage, self._slack, self._strict = done, vantage, slack, strict
        self._whole = whole
        self._now = 0
        self._isns: dict[str, dict[int, tuple[_Key, int]]] = {}
        self._clocks: dict[str, tuple[int, int, _Key, int]] = {}
        """Of each host: when it chose which ISN last, for which connection, and how many in a row a clock alone would have chosen."""
        self._whereabouts = Whereabouts(vantage)
        self._flows: dict[_Key, Flow] = {}
        self._number = 0

    def see(self, seen: Seen) -> None:
        """The next packet."""
        self._now = max(self._now, seen.t)
        segment = seen.packet
        if not isinstance(segment, Segment):
            if isinstance(segment, Icmp) and segment.quote is not None and segment.checksum_ok:
                self._told(seen, segment)
            return
        here, there = (segment.src, segment.sport), (segment.destination, segment.dport)
        forward = here <= there
        key = (*here, *there) if forward else (*there, *here)
        flow = self._flows.get(key)
        if flow is None:
            flow = self._begin(key, segment)
        name = endpoint_name(*here)
        while True:
            e, p = (flow.a, flow.b) if flow.a.name == name else (flow.b, flow.a)
            if flow.see(seen, segment, e, p):
                if segment.flags & SYN and e.syn is not None and e.syn.number == seen.number:
                    self._number_chosen(flow, e, p, e.syn, key)
                return
            stray, former = flow.stray, flow.remains()
            self._end(key)
            flow = self._begin(key, segment)
            flow.former = former
            if stray is not None and segment.flags & ACK:  # the SYN that this one answers was taken for one of the old connection
                syn = stray[1].packet
                assert isinstance(syn, Segment)
                flow.see(stray[1], syn, flow.a, flow.b)

    def _number_chosen(self, flow: Flow, e: Side, p: Side, syn: Fact, key: _Key) -> None:
        """An end has chosen an ISN: has it had the same for another connection (RFC 9293, section 3.4.1)?"""
        chosen = self._isns.setdefault(e.name.rpartition(":")[0], {})
        isn = syn.segment.seq
        other = chosen.get(isn)
        if other is not None and other[0] != key and _SAME_TICK < syn.t - other[1] < _WRAP:
            flow.find("isn-constant", e, syn, f"the ISN {isn} again, which another connection had")
        former = flow.former and flow.former.sides.get(e.name)
        peer = flow.former and flow.former.sides.get(p.name)
        if former and former[0] == isn and peer and p.syn is not None and peer[0] != p.base:  # a SYN cookie comes again if the SYN does
            flow.find("isn-reused", e, syn, f"the ISN {isn} again, that of the connection before")
        chosen[isn] = key, syn.t
        before = self._clocks.get(e.name.rpartition(":")[0])
        run = 0
        if before is not None and before[2] != key:
            expected = before[1] + (syn.t - before[0]) // _TICK
            run = before[3] + 1 if abs(diff(isn, expected & 0xFFFF_FFFF)) <= (syn.t - before[0]) // _TICK // 100 + _NOTHING_ELSE else 0
            if run >= _TELLING:
                reason = f"the ISNs of {run + 1} connections differ by what a clock of 4 µs counts between them, and by nothing else"
                flow.find("isn-from-clock", e, syn, reason)
        self._clocks[e.name.rpartition(":")[0]] = syn.t, isn, key, run
        if len(chosen) > MOST_KEPT:
            del chosen[next(iter(chosen))]

    def _told(self, seen: Seen, icmp: Icmp) -> None:
        quote = icmp.quote
        assert quote is not None
        here, there = (quote.src, quote.sport), (quote.dst, quote.dport)
        flow = self._flows.get((*here, *there) if here <= there else (*there, *here))
        if flow is not None:
            flow.told(icmp, seen, flow.a if flow.a.name == endpoint_name(*here) else flow.b)

    def end(self, t: int | None = None) -> None:
        """There are no more packets up to ``t``, or the last one's time: every connection that is left is judged and given to ``done``."""
        self._now = max(self._now, t or 0)
        for key in list(self._flows):
            self._end(key)

    def _begin(self, key: _Key, segment: Segment) -> Flow:
        if len(self._flows) >= MOST_FLOWS:
            self._end(min(self._flows, key=lambda key: self._flows[key].last_t))
        self._number += 1
        client, server = (segment.src, segment.sport), (segment.destination, segment.dport)
        if segment.flags & (SYN | ACK) == SYN | ACK:  # a capture that begins with the answer
            client, server = server, client
        flow = Flow(
            self._number, Side(endpoint_name(*client)), Side(endpoint_name(*server)), self._slack, self._vantage, self._whole, self._strict
        )
        self._flows[key] = flow
        return flow

    def _end(self, key: _Key) -> None:
        self._done(self._flows.pop(key).judged(self._whereabouts, self._now))


def endpoint_name(address: bytes, port: int) -> str:
    """As people write it: ``192.0.2.1:80``, ``[2001:db8::1]:80``."""
    text = str(ip_address(address))
    return f"[{text}]:{port}" if len(address) == 16 else f"{text}:{port}"
