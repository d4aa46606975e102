"""Rules about ICMP errors: what a host must not believe of them, and what they must not do to a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle.fact import Fact
from conformance.oracle.side import Side, Transmission
from conformance.trace import Seen
from conformance.wire.segment import ACK, RST, Family, Icmp

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["again", "reset", "told"]

_MS = 1_000_000
_LATEST_TIMEOUT = 4500 * _MS
"""ns: an RTO of three seconds, the longest that anybody begins with (RFC 6298, 2.1), and half as much again."""
_LEAST = {Family.IPV4: (68, "mtu-below-68"), Family.IPV6: (1280, "mtu-below-1280")}
"""Octets that every path takes, and the rule that says so (RFC 791; RFC 8200)."""
_SOFT = {
    Family.IPV4: {(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0), (12, 1), (12, 2)},
    Family.IPV6: {(1, 0), (1, 3), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2)},
}
"""Types and codes that end no connection (RFC 9293, section 3.9.2.2; RFC 5461)."""


def told(side: Side, icmp: Icmp, seen: Seen) -> None:
    """An error came to ``side`` about what it has under way."""
    side.told = True
    least, _ = _LEAST[icmp.family]
    if 0 < icmp.mtu < least:
        side.told_too_small = seen.t
    head = side.flight[0] if side.flight else None
    once = head is not None and head.count == 1 and not (side.recover or side.syn_again)
    if once and head is not None and (icmp.type, icmp.code) in _SOFT[icmp.family] and (side.peer_edge or 0) >= head.end:
        side.told_softly = seen.number, seen.t, _LATEST_TIMEOUT + 4 * side.rtt_high


def again(flow: Flow, e: Side, f: Fact, known: Transmission) -> None:
    """``e`` sends again: in pieces that no path asks for, because an error did (RFC 1191, section 3; RFC 8201, section 4)?"""
    if e.told_too_small is None or f.t - e.told_too_small > flow.slack + _MS:
        e.told_too_small = None
        return
    least, rule = _LEAST[f.segment.family]
    smaller = f.data and f.end < known.end and known.count == 1 and e.peer_edge_last >= known.end
    if smaller and f.segment.ip_size < least and not f.flags & 1:
        reason = f"{f.seq} to {f.end} of what was sent to {known.end}, in {f.segment.ip_size} octets: every path takes {least}"
        flow.find(rule, e, f, reason, near=e)


def reset(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """``e`` answers as from where there is no connection, and has said nothing since a soft error came (RFC 9293, MUST-56).

    It has not sent again what was under way, either, long after it had to; so it was not the application that has aborted since.
    """
    number, t, latest = e.told_softly or (0, 0, 0)
    cause = p.last_sent
    if not number or e.spoke > number or cause is None or cause.number < number or e.news_before != t:
        return
    silent = f.t - t > latest + 4 * flow.slack
    closing = e.fin is not None and p.fin is not None  # where an abort is silent (RFC 9293, section 3.10.5)
    absent = not f.flags & ACK and cause.flags & (ACK | RST) == ACK and f.segment.seq == cause.segment.ack
    if silent and absent and not closing and not e.rst_heard:
        seconds = (f.t - t) / 1000 / _MS
        reason = f"a RST, and nothing sent again since the error in packet {number}, {seconds:.1f} s before: it has ended the connection"
        flow.find("died-of-soft-error", e, f, reason, near=e)
