"""What a segment does to the end that it comes to: what that end can know from then on, what it must not take, and what it owes.

The order of the checks is that of RFC 9293, section 3.10.7.4, with RFC 5961's and RFC 7323's where they belong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle import acknowledging, congestion, timestamps
from conformance.oracle.fact import Fact
from conformance.oracle.finding import Vantage
from conformance.oracle.side import MOST_KEPT, UNDER_WAY, Arrival, Owed, Refused, Side
from conformance.wire.segment import ACK, CWR, ECE, FIN, RST, SYN

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["arrive", "corrupt", "overdue"]

_MS = 1_000_000
_DELAYED_ACK = 500 * _MS
_AT_ONCE = 200 * _MS
"""What is to be answered immediately is late after this, on any machine that is not stopped."""
_MOST_BLOCKS = 64
_THRESHOLD = 3
"""Duplicate ACKs that make a sender retransmit (RFC 5681, section 3.2)."""
_PROMPT = 10 * _MS
_MOST_ACKS = 256
_SEVERAL = 3
_ROOM = 2920
"""Octets of window with which a sender need not wait: more than most segments have."""


def corrupt(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """The checksum is wrong: ``p`` must not take anything of it (RFC 9293, MUST-3), and ``e`` should not have sent it so."""
    e.corrupt += 1
    if e.spoke or (e.corrupt >= _SEVERAL and p.spoke):  # else it may be addresses or ports that are not what was sent
        flow.find("bad-checksum", e, f, "the checksum is wrong", near=e, sure=flow.whole or bool(e.spoke))  # or hardware completes them all
    _refuse(p, f, "took-bad-checksum", f"that came in packet {f.number} only, whose checksum is wrong")


def _refuse(p: Side, f: Fact, rule: str, reason: str) -> None:
    if f.end > f.seq and len(p.refused) < MOST_KEPT:
        p.refused.append(Refused(f.seq, f.end, rule, reason))


def overdue(flow: Flow, t: int, speaker: Side | None, f: Fact | None = None) -> None:
    """The time is ``t``, and ``speaker`` is about to send ``f``: what has been owed for too long?"""
    for side in (flow.a, flow.b):
        if side.arrivals and t - side.arrivals[0].fact.t > _PROMPT:
            _unacknowledged(flow, side, t, side is speaker, f)
        if side.due_fast is not None and t - side.due_fast.t > _PROMPT + 4 * flow.slack:
            if flow.alive(side) and not side.missing:
                cause = side.due_fast
                flow.find(
                    "no-fast-retransmit", side, cause, "nothing is sent again for this third duplicate ACK", near=side, sure=not flow.slack
                )
            side.due_fast = None
        while side.owed and t - side.owed[0].t > _AT_ONCE + 2 * flow.slack:
            owed = side.owed.popleft()
            if flow.alive(side) or owed.rule in ("no-reset", "time-wait-silent"):
                came = f if side is not speaker else None
                sure = owed.rule != "no-reset" or flow.given is Vantage.BOTH
                sure = sure and (owed.rule != "rst-challenge" or _no_end(flow, side, owed.fact, came))
                plain = came is not None and owed.fact.end > owed.fact.seq and _comes_again(owed.fact, came)
                flow.find(owed.rule, side, owed.fact, owed.reason, near=side, sure=sure, plain=plain)
        congestion.overdue(flow, side, t, side is speaker)


def _unacknowledged(flow: Flow, side: Side, t: int, speaks: bool, f: Fact | None) -> None:
    """Data that came in order waits for its ACK: half a second at most, and not while more than two full segments have come."""
    first = side.arrivals[0].fact
    other = flow.b if side is flow.a else flow.a
    most, waiting = 2 * acknowledging.full_sized(side, other), 0
    for arrival in side.arrivals:
        waiting += arrival.fact.data
        if waiting > most or t - arrival.fact.t <= _PROMPT + 4 * flow.slack:
            break
    if waiting > most and t - arrival.fact.t > _PROMPT + 4 * flow.slack and flow.alive(side):
        passed = (t - arrival.fact.t) / _MS
        reason = f"no ACK for {passed:.0f} ms, though {waiting} octets have come, more than two segments of {most // 2}"
        flow.find("stretch-ack", side, arrival.fact, reason, near=side, sure=side.syn is not None)
    if t - first.t > _DELAYED_ACK + 2 * flow.slack:
        side.arrivals.popleft()
        if flow.alive(side):
            rule = side.odd[1] if side.odd is not None and side.odd[0].number > side.spoke else "late-ack"
            plain = f is not None and (_plainly_late(side, first, f) if speaks else _comes_again(first, f))
            sure = side.odd is None or rule == "late-ack" or _no_end(flow, side, side.odd[0], None if speaks else f)
            flow.find(rule, side, first, f"not acknowledged for {(t - first.t) / _MS:.0f} ms", near=side, sure=sure, plain=plain)


def _plainly_late(side: Side, first: Fact, f: Fact) -> bool:
    """Does ``f`` acknowledge it, and there can have been no ACK before that the capture has missed, for it would have no reason then?"""
    if f.data or f.flags & (FIN | RST) or side.news_number != first.number:
        return False
    return f.ack == first.end and side.edge_last - first.end > side.most_window // 2  # else it may tell of more window


def _no_end(flow: Flow, side: Side, rst: Fact, came: Fact | None) -> bool:
    """Was a RST not the peer's end, which has spoken since, or does with ``came``? Else what it sent before may be missing."""
    other = flow.b if side is flow.a else flow.a
    return flow.sight.complete or other.spoke > rst.number or came is not None


def _comes_again(first: Fact, f: Fact) -> bool:
    """Does the peer send it again, as it does not after an answer?"""
    return f.seq <= first.seq and first.end <= f.end and not f.flags & (SYN | RST)


def arrive(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """``f`` comes to ``p``."""
    p.since += 1
    p.credit = min(p.credit + 1, 64)
    p.rst_only = (p.rst_only or p.since == 1) and bool(f.flags & RST)
    if f.ack is not None:
        p.acks_heard[f.ack] = None
        if len(p.acks_heard) > _MOST_ACKS:
            del p.acks_heard[next(iter(p.acks_heard))]
    if p.syn is not None and p.una < 1 and f.ack is not None and f.ack != 1 and not f.flags & RST and (f.ack < 1 or f.ack > p.top):
        p.bad_syn_ack = f if f.flags & SYN or f.seq == 1 else None
        p.news_number, p.news_before, p.news_t = f.number, p.news_t, f.t
        return
    if f.end > f.seq and p.sack_ok:
        _again(p, f)
    refused = _refused(flow, e, p, f)
    if f.flags & RST:
        _reset(flow, p, f)
        p.news_number, p.news_before, p.news_t = f.number, p.news_t, f.t
        return
    if refused is not None:
        rule, reason = refused
        _refuse(p, f, rule, reason)
        _owe(flow, p, f, refused[0])
        timestamps.arrive(flow, p, f, False, False)
        p.news_number, p.news_before, p.news_t = f.number, p.news_t, f.t
        return
    if flow.strict and p.synchronized and f.end == f.seq == p.edge and p.contiguous() < f.seq and flow.quiet(p, f):
        p.owe(Owed(f.t, "unanswered-segment", f, f"no answer to a segment at {f.seq}, the right edge of the window"))
    if p.synchronized and f.end == f.seq and _outside(p, f):
        if flow.quiet(p, f):
            p.owe(Owed(f.t, "unanswered-segment", f, f"no answer to a segment at {f.seq}, outside the window"))
        timestamps.arrive(flow, p, f, False, False)
        p.news_number, p.news_before, p.news_t = f.number, p.news_t, f.t
        return
    if flow.whole and flow.packets == 1 and p.syn is None and f.flags & (SYN | RST | ACK) == ACK:
        p.owe(Owed(f.t, "no-reset", f, "no RST for a segment with ACK, though there is no connection"))
    sure = _surely(e, p, f)
    _congestion(p, f, sure)
    # Linux leaves TS.Recent alone where the acknowledgment is an old one, as of a segment that others overtook.
    timestamps.arrive(flow, p, f, True, sure and (f.ack is None or f.ack >= p.una))
    _acknowledged(flow, e, p, f, sure)
    if f.end > f.seq and not (e.fin is not None and f.seq >= e.fin):  # what follows a FIN is ignored
        _octets(flow, p, f, sure)
    p.news_number, p.news_before, p.news_t = f.number, p.news_t, f.t


def _reset(flow: Flow, p: Side, f: Fact) -> None:
    p.rst_heard = True
    _ended(flow, p, f)


def _ended(flow: Flow, p: Side, f: Fact) -> None:
    """A RST ends the connection if it is at exactly RCV.NXT, draws a challenge ACK elsewhere in the window, and is dropped outside it
    (RFC 5961, section 3.2; RFC 9293, 3.10.7.4, second)."""
    if not p.synchronized or p.acked is None or p.edge is None or p.reset is not None or p.killed is not None:
        return
    contiguous = p.contiguous()
    if p.acked <= f.seq <= contiguous:
        p.over, p.odd = True, None
    if f.seq == p.acked == contiguous and not p.arrivals:
        if p.fin is None or p.una < p.fin:
            p.killed, p.killed_old = f, timestamps.would_be_stale(p, f)
        return
    if p.acked <= f.seq <= contiguous:
        return  # it may be RCV.NXT
    if p.got.rights and f.seq == p.got.rights[-1]:
        return  # the peer's SND.NXT, as far as can be known: Linux takes that for RCV.NXT, and it is as hard to guess
    if contiguous < f.seq < p.edge:
        _odd(p, f, "died-of-rst-inside")
        if flow.quiet(p, f):
            p.owe(Owed(f.t, "rst-challenge", f, f"no challenge ACK for the RST at {f.seq}, where RCV.NXT is {contiguous}"))
    elif f.seq > p.edge or f.seq < p.acked:
        _odd(p, f, "died-of-rst-outside")


def _odd(p: Side, f: Fact, rule: str) -> None:
    if p.over:
        return
    p.odd, p.top_at_odd = (f, rule), max(p.got.rights[-1] if p.got.rights else 0, p.acked or 0)


def _outside(p: Side, f: Fact) -> bool:
    """Is a segment without data surely not acceptable (RFC 9293, 3.10.7.4, first)?"""
    acked, edge = p.acked, p.edge
    return acked is not None and edge is not None and (f.seq < acked or f.seq > max(edge, p.contiguous()))


def _congestion(p: Side, f: Fact, sure: bool) -> None:
    """CE and CWR come, or ECE (RFC 3168, section 6.1)."""
    if f.data and f.segment.tos & 3 == 3 and sure and p.congested is None:
        p.congested, p.had_congestion = f.t, True
    elif f.data and f.segment.tos & 3 == 3:
        p.had_congestion = True
    if f.flags & CWR and not f.flags & SYN:
        p.cwr_came = f.t
        if f.segment.tos & 3 != 3:
            p.congested = None
            p.had_congestion = False
    if f.flags & ECE and not f.flags & SYN and sure and p.slow is None and f.ack is not None and f.ack > p.cwr_end:
        p.slow = f.t


def _surely(e: Side, p: Side, f: Fact) -> bool:
    """Is it acceptable whatever ``p`` had processed by then (RFC 9293, 3.10.7.4, first and fifth)?"""
    acked = p.acked
    if acked is None or f.seq < acked or (p.edge is not None and f.seq >= p.edge and (f.seq != acked or f.end > f.seq)):
        return False
    if f.options.ts is not None and timestamps.older_than_some(p, f.options.ts[0]):
        return False
    if f.ack is not None and f.ack < p.una - e.most_window:
        return False
    if timestamps.would_be_stale(p, f):
        return False
    contiguous = p.got.end_from(acked)
    return f.seq >= contiguous or f.end > contiguous


def _refused(flow: Flow, e: Side, p: Side, f: Fact) -> tuple[str, str] | None:
    """The rule by which ``p`` must not process the segment, and why; None if it may."""
    if not p.synchronized and not (p.syn is not None and e.syn is not None and p.una >= 1):
        return None
    if f.flags & SYN:
        if not f.flags & RST:
            _odd(p, f, "died-of-syn")
        return "took-syn", f"that came in packet {f.number} only, a SYN"
    if not f.flags & (ACK | RST):
        return "took-without-ack", f"that came in packet {f.number} only, which has no ACK"
    if f.flags & RST:
        return None
    if p.ts_ok and f.options.ts is None:
        return "took-no-timestamp", f"that came in packet {f.number} only, which has no timestamps"
    if timestamps.stale(p, f):
        ts = f.options.ts or (0, 0)
        return "took-old-timestamp", f"that came in packet {f.number} only, whose TSval {ts[0]} is below TS.Recent {p.echo}"
    if f.ack is not None and f.ack > p.top:
        return "took-future-ack", f"that came in packet {f.number} only, which acknowledges {f.ack} where {p.top} is the latest"
    return None


def _owe(flow: Flow, p: Side, f: Fact, rule: str) -> None:
    """An ACK answers a segment that is not acceptable, at once; RFC 5961 lets a stack limit how many."""
    if not flow.quiet(p, f):
        return
    if rule == "took-syn":
        p.owe(Owed(f.t, "syn-challenge", f, "no answer to the SYN"))
    elif rule in ("took-old-timestamp", "took-future-ack"):
        p.owe(Owed(f.t, "unanswered-segment", f, "no answer to a segment that is not acceptable"))


def _acknowledged(flow: Flow, e: Side, p: Side, f: Fact, sure: bool) -> None:
    """``p`` learns what ``e`` has, and how much more it takes."""
    ack = f.ack
    if ack is None:
        return
    if ack > p.una:
        if p.hasty is not None and ack == 1:  # the first that there was
            flow.find("data-before-handshake", p, *p.hasty, plain=True)
        p.hasty = None
        _round_trip(p, f, ack)
        p.una = ack
        p.timer = None
        if sure:
            p.una_before(f.t - flow.slack - UNDER_WAY)
            p.una_at.append((f.t, ack))
        p.duplicates, p.due_fast, p.advanced_t, p.probes = 0, None, f.t, None
        p.sacked.forget_below(ack)
        if ack >= p.top:
            p.disturbed = False
    elif ack == p.una and p.top > ack and not f.data and not f.flags & (SYN | FIN) and p.peer_edge_last == ack + f.window:
        p.duplicates, p.duplicate_t = p.duplicates + 1, f.t
        p.disturbed, p.collapsed = True, None  # limited transmit may send more now (RFC 3042)
        if p.recovery is not None and ack >= p.recovery.una:
            p.recovery = None
        if p.duplicates == _THRESHOLD and not p.sack_ok and sure and p.recover < p.una:
            p.due_fast = f
    p.disturbed = p.disturbed or bool(f.sack)
    for left, right in f.sack:
        if left >= ack and right > max(ack, p.una) and len(p.sacked.lefts) < _MOST_BLOCKS and right <= p.top:
            p.sacked.add(max(left, p.una), right)
    if p.since_timeout is not None:
        p.since_timeout = p.since_timeout[0], p.since_timeout[1] + 1
    if e.shift is not None:
        edge = ack + f.window
        if p.beyond is not None and ack >= p.una:
            if edge < p.beyond[0].last:
                flow.find("beyond-window", p, *p.beyond, plain=True)
            p.beyond = None
        p.peer_edge = edge if p.peer_edge is None or edge > p.peer_edge else p.peer_edge
    if e.shift is not None and (ack > p.wl2 or f.seq > p.wl1 or (f.seq == p.wl1 and ack == p.wl2)):
        p.wl1, p.wl2 = f.seq, max(ack, p.wl2)
        edge = ack + f.window
        if edge > p.peer_edge_last:
            if p.peer_edge_last - p.top < _ROOM:
                p.cramped_t = f.t
            p.opened = f if p.peer_edge_last == p.top == ack and not f.data and p.probes is None else None
            p.probes = None
        if edge == ack == p.top and p.zero_since is None:
            p.zero_since = f.t
        p.peer_edge_last = edge
        edges = p.peer_edges
        edges.append((f.t, edge))
        while len(edges) > 1 and (edges[1][0] <= f.t - flow.slack or len(edges) > 64):
            edges.popleft()


def _round_trip(p: Side, f: Fact, ack: int) -> None:
    """The time from the only transmission of what is acknowledged until now: what ``p`` can have measured (Karn's rule)."""
    while p.flight and p.flight[0].end <= ack:
        sent = p.flight.popleft()
        p.segments_acknowledged += 1
        if p.since_timeout is not None:
            p.since_timeout = p.since_timeout[0], p.since_timeout[1] + 1
        if sent.end == ack and sent.count > 1:  # with timestamps a retransmission may be measured, too
            took = f.t - sent.last_t
            p.rtt_low = took if p.rtt_low is None or took < p.rtt_low else p.rtt_low
            p.rtt_high = max(p.rtt_high, f.t - sent.first_t) if p.ts_ok else p.rtt_high
        if sent.count == 1 and sent.end == ack and (sent.seq or not p.passive):  # a SYN,ACK may have been a cookie
            took = f.t - sent.first_t
            p.samples += 1
            p.rtt_low = took if p.rtt_low is None or took < p.rtt_low else p.rtt_low
            p.rtt_high = max(p.rtt_high, took)


def _octets(flow: Flow, p: Side, f: Fact, sure: bool) -> None:
    """Sequence numbers come: what is beyond the window must not be taken, what is ahead of a gap is held, the rest acknowledged."""
    before = p.got.end_from(p.acked or 0)
    right = f.end
    if f.flags & FIN and p.fin is not None and p.una >= p.fin:
        p.waits_since = f.t
    if p.edge is not None and p.synchronized and right > p.edge and f.data:
        allowed = max(p.edge, f.seq)
        if len(p.refused) < MOST_KEPT:
            p.refused.append(Refused(allowed, right, "took-beyond-window", f"the window ended at {p.edge}"))
        right = allowed
    had = p.got.covers(f.seq, f.end) or f.end <= (p.acked or 0)
    p.got.add(f.seq, right)
    if not sure and not had:
        p.doubtful = max(p.doubtful, right)
    if len(p.got.lefts) > MOST_KEPT:
        p.got.fill_lowest()
    if not p.synchronized or p.reset is not None:
        if f.seq == before and f.data and len(p.early) < _MOST_BLOCKS:
            p.early.append(f)
        return
    if right <= f.seq:
        if flow.quiet(p, f):
            p.owe(Owed(f.t, "unanswered-segment", f, "no answer to a segment beyond the window"))
    elif f.seq > before:
        if not sure:
            return
        p.ahead.append((f.seq, right, f.t, f.number))
        if len(p.ahead) > MOST_KEPT:
            p.ahead.popleft()
        p.owe(Owed(f.t, "no-duplicate-ack", f, f"no ACK at once, though {before} to {f.seq} is missing"))
    elif had:
        if flow.quiet(p, f):
            waits = p.fin_first and p.fin is not None and p.una >= p.fin and f.flags & FIN
            p.owe(Owed(f.t, "time-wait-silent" if waits else "unanswered-segment", f, "no answer to what had come before"))
    elif sure and p.doubtful <= (p.acked or 0) and len(p.arrivals) < MOST_KEPT:
        p.arrivals.append(Arrival(f, right))


def _again(p: Side, f: Fact) -> None:
    """Which of its octets had come before? A D-SACK block may report them (RFC 2883), whatever else becomes of the segment."""
    heard, floor = p.came_again, p.acked or 0
    if f.seq < floor:
        heard.add(f.seq, min(f.end, floor))
        p.reported = None
    for left, right in p.got.within(f.seq, f.end):
        heard.add(left, right)
        p.reported = None
    if len(heard.lefts) > _MOST_BLOCKS:
        heard.forget_below(heard.lefts[1])
