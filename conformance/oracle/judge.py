"""The oracle's front: packets in, judged connections out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address

from conformance.oracle.fact import Fact
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.flow import Flow
from conformance.oracle.isns import Broken, Isns
from conformance.oracle.side import Side
from conformance.oracle.whereabouts import Whereabouts
from conformance.trace import Seen
from conformance.wire.segment import ACK, SYN, Icmp, Segment

__all__ = ["MOST_FLOWS", "SLACK", "Judge", "Key", "endpoint_name"]

MOST_FLOWS = 1_500
"""Connections that are remembered at once: the one that has been silent for longest is judged, and forgotten, for another."""
SLACK = 10_000_000
"""ns: what an ordinary machine may need between a segment on its wire and its answer, or the other way round."""

Key = tuple[bytes, int, bytes, int]
"""What names a connection: address and port of the lower endpoint and of the other one."""


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
        self._isns = Isns()
        self.whereabouts = Whereabouts(vantage)
        self._flows: dict[Key, Flow] = {}
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
        flow = self._flows.pop(key, None)
        if flow is None:
            flow = self._begin(key, seen, segment)
        self._flows[key] = flow  # behind all others: the first is the one that has been silent for longest
        while True:
            e, p = (flow.a, flow.b) if forward == flow.forward else (flow.b, flow.a)
            if flow.see(seen, segment, e, p):
                if segment.flags & SYN and e.syn is not None and e.syn.number == seen.number:
                    self._number_chosen(flow, e, p, e.syn, key)
                return
            stray, former = flow.stray if segment.flags & ACK else None, flow.remains()
            if stray:  # which is answered
                flow.a.owed.clear()
                flow.b.owed.clear()
            self._end(key, seen.t)
            flow = self._begin(key, stray[1] if stray else seen, segment)
            flow.former = former
            if stray is not None:  # the SYN that this one answers was taken for one of the old connection
                syn = stray[1].packet
                assert isinstance(syn, Segment)
                flow.see(stray[1], syn, flow.a, flow.b)

    def _number_chosen(self, flow: Flow, e: Side, p: Side, syn: Fact, key: Key) -> None:
        """An end has chosen an ISN: has it had the same for another connection (RFC 9293, section 3.4.1)?"""
        for rule, reason in self._held_against(syn, key):
            flow.find(rule, e, syn, reason)
        former = flow.former and flow.former.sides.get(e.name)
        peer = flow.former and flow.former.sides.get(p.name)
        isn = syn.segment.seq
        if former and former[0] == isn and peer and p.syn is not None and peer[0] != p.base:  # a SYN cookie comes again if the SYN does
            flow.find("isn-reused", e, syn, f"the ISN {isn} again, that of the connection before")

    def _held_against(self, syn: Fact, key: Key, /) -> Sequence[Broken]:
        """What is wrong with an ISN, by those that its host has chosen for other connections."""
        return self._isns.chosen(syn.segment.src, syn.segment.seq, syn.t, key)

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
        for key in sorted(self._flows, key=lambda key: self._flows[key].number):
            self._end(key, self._now)

    def _begin(self, key: Key, seen: Seen, segment: Segment) -> Flow:
        if len(self._flows) >= MOST_FLOWS:
            self._end(next(iter(self._flows)), seen.t)
        client, server = (segment.src, segment.sport), (segment.destination, segment.dport)
        if segment.flags & (SYN | ACK) == SYN | ACK:  # a capture that begins with the answer
            client, server = server, client
        a, b = Side(endpoint_name(*client)), Side(endpoint_name(*server))
        flow = Flow(self._next_number(seen), a, b, self._slack, self._vantage, self._whole, self._strict)
        flow.forward = client <= server
        self._flows[key] = flow
        return flow

    def _next_number(self, _seen: Seen) -> int:
        """That of a connection which begins with this packet."""
        self._number += 1
        return self._number

    def _end(self, key: Key, t: int) -> None:
        flow = self._flows.pop(key)
        self._done(flow.judged(self.whereabouts, max(flow.last_t, t)))


def endpoint_name(address: bytes, port: int) -> str:
    """As people write it: ``192.0.2.1:80``, ``[2001:db8::1]:80``."""
    return f"{_host(address)}:{port}"


@lru_cache(4096)
def _host(address: bytes) -> str:
    text = str(ip_address(address))
    return f"[{text}]" if len(address) == 16 else text
