"""Rules about the header, the handshake, and options that both sides have to agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle.fact import Fact
from conformance.oracle.side import Side
from conformance.wire.segment import ACK, CWR, ECE, RST, SYN, Family
from conformance.wire.seq import diff

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["accurate_ecn", "ecn", "initial_window", "judge", "mss_of"]

_ECN = ECE | CWR
_MULTICAST = 0xE0
"""The first four bits of an IPv4 multicast address; 255 begins IPv6's, and IPv4's limited broadcast."""
_DEFAULT_MSS = {Family.IPV4: 536, Family.IPV6: 1220}
_SECOND = 1_000_000_000
_SHORTEST_TIME_WAIT = 55 * _SECOND


def judge(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """What ``e`` may put into a header, and into a SYN."""
    segment, options = f.segment, f.options
    if segment.src[0] == 0xFF or (segment.family is Family.IPV4 and segment.src[0] & 0xF0 == _MULTICAST):
        flow.find("source-address", e, f, "the source address is not a host's")
    if segment.reserved:
        allowed = segment.reserved == 1 and (f.flags & SYN or accurate_ecn(flow.a, flow.b))
        if not allowed:
            sure = segment.reserved > 1 or flow.sight.intact
            flow.find("reserved-bits", e, f, f"the reserved bits are {segment.reserved:#x}", sure=sure)
    if options.malformed:
        flow.find("option-length", e, f, f"the options {segment.options_data.hex()} cannot be split")
    if options.after_end:
        flow.find("option-after-end", e, f, f"the options {segment.options_data.hex()} go on after their end")
    if f.flags & SYN:
        _syn(flow, e, p, f)
    elif not f.flags & (ACK | RST):
        flow.find("no-ack-flag", e, f, "neither SYN, ACK nor RST is set")
    else:
        _without_syn(flow, e, p, f)


def _syn(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    options, answer = f.options, bool(f.flags & ACK)
    flow.begun = flow.begun or not answer or p.syn is not None
    if options.wscale is not None and options.wscale > 14:
        flow.find("wscale-above-14", e, f, f"the shift is {options.wscale}")
    if f.segment.tos & 3:
        flow.find("ect-on-syn", e, f, f"the ECN field of a SYN is {f.segment.tos & 3}")
    if e.syn is None or f.seq == 0:
        _negotiate(flow, e, p, f)
    if not answer:
        _reuses(flow, e, f)
    if not answer or p.syn is None:
        return
    asked = p.syn.options
    crossed = e.syn is not None and not e.syn.flags & ACK
    if crossed and p.syn.flags & ACK:
        flow.missed()  # the SYN that it answers
    if not crossed:
        if options.wscale is not None and asked.wscale is None:
            flow.find("wscale-unasked", e, f, "the SYN,ACK has Window Scale, the SYN had not")
        if options.ts is not None and asked.ts is None:
            flow.find("timestamps-unasked", e, f, "the SYN,ACK has timestamps, the SYN had not")
        if f.flags & _ECN == ECE and p.syn.flags & _ECN != _ECN:
            flow.find("ecn-unasked", e, f, "the SYN,ACK accepts ECN, which the SYN did not offer")
    elif f.seq != 0:
        flow.find("isn-changed", e, f, f"the SYN,ACK of a simultaneous open is at {f.seq}, not at the ISN of the SYN")
    _reopens(flow, e, p, f)
    if f.ack is not None and f.ack < 1:
        flow.find("syn-ack-number", e, f, f"the SYN,ACK acknowledges {f.ack}, which is not in the SYN: 1 would be right")


def _reuses(flow: Flow, e: Side, f: Fact) -> None:
    """Who closed first uses the pair again only when TIME-WAIT is over, unless timestamps tell the connections apart (RFC 6191)."""
    former = flow.former
    mine = former.sides.get(e.name) if former is not None else None
    if former is not None and mine is not None and mine[2] and f.options.ts is None and f.t - former.t < _SHORTEST_TIME_WAIT:
        passed = (f.t - former.t) / _SECOND
        flow.find("time-wait-reused", e, f, f"a SYN {passed:.1f} s after the end of a connection of the same ports that it closed first")


def _reopens(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """From TIME-WAIT only a SYN that is newer than the connection before opens another one (RFC 9293, MAY-2; RFC 6191)."""
    former, syn = flow.former, p.syn
    if former is None or syn is None or f.t - former.t > _SHORTEST_TIME_WAIT:
        return
    mine, theirs = former.sides.get(e.name), former.sides.get(p.name)
    if mine is None or theirs is None or not mine[2]:
        return
    newer = syn.options.ts is not None and (theirs[3] is None or diff(syn.options.ts[0], theirs[3]) > 0)
    if diff(syn.segment.seq, theirs[1]) < 0 and not newer:
        reason = f"a SYN,ACK in TIME-WAIT for the SYN of packet {syn.number}, which is older than the connection before by its number"
        flow.find("time-wait-reopened", e, f, reason, near=e)


def _negotiate(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """What the two SYNs agree on, once both are there."""
    mine = f.options
    theirs = p.syn.options if p.syn is not None else None
    if theirs is None:
        e.shift, e.sack_ok, e.ts_ok = None, None, None
        return
    scaled = mine.wscale is not None and theirs.wscale is not None
    e.shift = min(mine.wscale or 0, 14) if scaled else 0
    p.shift = min(theirs.wscale or 0, 14) if scaled else 0
    if mine.multipath and theirs.multipath:
        e.shift = p.shift = None
    e.sack_ok = p.sack_ok = mine.sack_ok and theirs.sack_ok
    e.ts_ok = p.ts_ok = mine.ts is not None and theirs.ts is not None


def _without_syn(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    options = f.options
    if options.mss is not None:
        flow.find("mss-without-syn", e, f, f"an MSS option of {options.mss} in a segment without SYN")
    if options.sack_ok:
        flow.find("sack-permitted-without-syn", e, f, "SACK-permitted in a segment without SYN")
    if options.sack and p.syn is not None and not p.syn.options.sack_ok:
        flow.find("sack-unasked", e, f, "a SACK option, though the peer's SYN had no SACK-permitted")
    if f.flags & RST:
        return
    if e.bad_syn_ack is not None and e.since and f.t - e.bad_syn_ack.t >= flow.slack:
        _took_bad_ack(flow, e, p, f, e.bad_syn_ack)
    if e.ts_ok and options.ts is None:
        flow.find("timestamp-missing", e, f, "no timestamps, on a connection that negotiated them")
    if f.data and p.syn is None and flow.begun:
        flow.find("data-before-handshake", e, f, f"{f.data} octets of data before the peer's SYN came")
    elif f.data and e.syn is not None and e.una < 1 and not _fast_open(flow):
        reason = f"{f.data} octets of data before the SYN was acknowledged"
        flow.find("data-before-handshake", e, f, reason)
        e.hasty = e.hasty or (f, reason)
    if e.syn is not None and p.syn is not None and not e.synchronized:
        _first_after_syn(flow, e, f)


def _took_bad_ack(flow: Flow, e: Side, p: Side, f: Fact, bad: Fact) -> None:
    """An acknowledgment of what is not its SYN came, and no RST answers it (RFC 9293, 3.5.2)."""
    if e.una >= 1:
        return
    if bad.flags & SYN and f.ack is not None and f.ack >= bad.end:
        flow.find("took-bad-syn-ack", e, f, f"ack {f.ack} answers the SYN,ACK of packet {bad.number}, which acknowledges {bad.ack}", near=e)
    elif not bad.flags & SYN:
        reason = f"goes on, though packet {bad.number} acknowledges {bad.ack}, and nothing its SYN"
        flow.find("took-bad-handshake-ack", e, f, reason, near=e)


def _first_after_syn(flow: Flow, e: Side, f: Fact) -> None:
    """A window that looks as if it had been scaled in the SYN already: the same field again, though it now means far more."""
    syn = e.syn
    assert syn is not None
    shift = e.shift or 0
    if shift >= 2 and f.segment.window == syn.segment.window and f.ack is not None and f.ack <= 1 and syn.window < 2 * mss_of(syn):
        reason = f"the window of the SYN is {syn.window} and the next one {f.window}: the SYN's was shifted by {shift} already"
        flow.find("syn-window-scaled", e, syn, reason)


def mss_of(syn: Fact) -> int:
    """The MSS that a SYN announces, in octets; without the option the default (RFC 9293, section 3.7.1)."""
    return syn.options.mss if syn.options.mss else _DEFAULT_MSS[syn.segment.family]


def initial_window(syn: Fact) -> int:
    """The largest initial window of who is given this SYN, in octets (RFC 6928, section 2)."""
    mss = mss_of(syn)
    return min(10 * mss, max(2 * mss, 14600))


def _fast_open(flow: Flow) -> bool:
    """Did a SYN carry data or a cookie? Then a server may answer with data before the handshake is over (RFC 7413)."""
    return any(side.syn is not None and (side.syn.data or side.syn.options.fast_open) for side in (flow.a, flow.b))


def accurate_ecn(*sides: Side) -> bool:
    """Did a SYN offer Accurate ECN (RFC 9768), which takes one of the reserved bits?"""
    return any(side.syn is not None and bool(side.syn.segment.reserved & 1) for side in sides)


def ecn(*sides: Side) -> bool:
    """Did an ECN-setup SYN meet an ECN-setup SYN,ACK (RFC 3168, section 6.1.1)?"""
    asks = any(side.syn is not None and side.syn.flags & (_ECN | ACK) == _ECN for side in sides)
    return asks and any(side.syn is not None and side.syn.flags & (_ECN | ACK) == ECE | ACK for side in sides)
