"""Rules about retransmission, and about how much may be under way (RFC 6298, RFC 5681, RFC 6928)."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.oracle import errors, underway
from conformance.oracle.fact import Fact
from conformance.oracle.finding import Vantage
from conformance.oracle.intervals import Intervals
from conformance.oracle.opening import initial_window, mss_of
from conformance.oracle.side import MOST_KEPT, UNDER_WAY, Side, Transmission
from conformance.wire.segment import ACK, RST, SYN

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["judge", "overdue"]

_MS = 1_000_000
_SECOND = 1000 * _MS
_LONGEST_RTO = 60 * _SECOND
"""The least maximum that a stack may give its RTO (RFC 6298, 2.5)."""
_LATEST_TIMEOUT = 4500 * _MS
"""ns: an RTO of three seconds, the longest that anybody begins with (RFC 6298, 2.1), and half as much again."""
_MOST_SEGMENTS = 13
"""Under way before any is acknowledged: an initial window of ten, two of limited transmit, and a tail loss probe."""
_FEW = 8
_PROMPT = 50 * _MS
_THIRD = 3
_TINY = 50 * _MS
"""ns: less than the third RTO in a row of any stack, where the first is 20 ms."""
_TICK = 500 * _MS
"""ns: the coarsest clock that a timer goes by."""
_FAST = 3
"""Duplicate ACKs that make a sender retransmit (RFC 5681, section 3.2)."""
_EARLY_RETRANSMIT = 4
"""Segments under way from which on nothing allows a fast retransmission for fewer than three duplicate ACKs (RFC 5827)."""
_ACK_DELAY = 300 * _MS
"""What a tail loss probe allows for a delayed ACK, and some more (RFC 8985, section 7.2)."""


def judge(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """Is what ``e`` sends new, or sent again, and why would it be?"""
    if f.flags & RST or f.end == f.seq:
        if f.end == f.seq and not f.flags & RST and f.seq in (e.top - 1, e.una - 1):
            _probe(flow, e, p, f)
        return
    _forget_acknowledged(e)
    if f.end > e.top:
        _new(flow, e, p, f)
    elif f.data <= 1 and f.seq == e.top - 1 and f.end <= e.una and not f.flags & SYN:
        _probe(flow, e, p, f)
    else:
        _again(flow, e, p, f)


def overdue(flow: Flow, e: Side, t: int, speaks: bool) -> None:
    """The time is ``t``: should ``e`` have sent something again, or probed a closed window?"""
    if not e.flight or not flow.alive(e) or e.killed is not None:
        return
    head = e.flight[0]
    if head.end <= e.una or head.count > 1 or head.seq < e.una:
        return
    quiet = t - max(head.last_t, e.news_t)
    latest = _LATEST_TIMEOUT if not (e.syn_again or e.recover) else _LONGEST_RTO + _LATEST_TIMEOUT
    if quiet > latest + 4 * e.rtt_high + 4 * flow.slack and (e.peer_edge is None or e.peer_edge >= head.end):
        fact = e.last_sent
        aborted = not speaks and flow.a.fin is not None and flow.b.fin is not None  # which is silent then (RFC 9293, 3.10.5)
        if fact is not None:
            reason = f"{head.seq} to {head.end} is not sent again, {quiet / _SECOND:.1f} s after anything has come"
            if aborted:
                e.unsent = fact, reason
                return
            flow.find("not-retransmitted", e, fact, reason, near=e, sure=speaks or flow.given is Vantage.BOTH)


def _forget_acknowledged(e: Side) -> None:
    flight, una = e.flight, e.una
    while flight and flight[0].end <= una:
        flight.popleft()
        e.segments_acknowledged += 1


def _remember(e: Side, f: Fact) -> None:
    flight = e.flight
    flight.append(Transmission(f.seq, f.end, f.t, f.t, f.number, f.segment.payload, f.first, offloaded=f.offloaded))
    if len(flight) > MOST_KEPT:
        flight.popleft()


def _new(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """Data that was not sent before."""
    _remember(e, f)
    _after_timeout(flow, e, f)
    underway.judge(flow, e, p, f, True)
    _window_opened(flow, e, f)
    if e.timer is not None and e.timer_sure and f.data > 1:
        flow.find("loss-window", e, f, "new data after a timeout, though only one segment may be under way", near=e)
    _growth(flow, e, f)
    if f.data and e.first_data_t is None:
        e.first_data_t = f.t
    if f.data and p.syn is not None and e.syn is not None and e.una <= 1:
        mss, limit = mss_of(p.syn), initial_window(p.syn)
        octets = f.last - max(e.una, 1)
        probe = e.last_sent is not None and f.t - e.last_sent.t > (e.rtt_low or 0) + _MS  # a tail loss probe may go beyond (RFC 8985, 7.3)
        in_vain = e.syn.options.ts is not None and p.echo == e.syn.options.ts[0]  # the first SYN had arrived, as the peer says (RFC 3522)
        if (
            e.syn_again >= 2
            and not in_vain
            and octets > mss + (mss if probe else 0)
            and (e.first_data_t is None or e.news_t <= e.first_data_t)
        ):
            reason = f"{octets} octets under way at first, though the SYN was sent again {e.syn_again} times: one segment would be right"
            flow.find("window-after-syn-loss", e, f, reason, near=e)
        unanswered = e.first_data_t is None or e.news_t <= e.first_data_t
        if unanswered and octets > limit + (mss if probe else 0):
            reason = f"{octets} octets under way before any was acknowledged; {limit} would be the most"
            at_once = f.t - (e.first_data_t or f.t) < (e.rtt_low or 0) * 9 // 10  # before any ACK, that may be missed, can have come
            flow.find("initial-window", e, f, reason, near=None if octets > limit + mss else e, plain=at_once)


def _growth(flow: Flow, e: Side, f: Fact) -> None:
    """Nothing grows a window faster than slow start, by a segment for each that is acknowledged (RFC 5681, section 3.1)."""
    if f.offloaded:
        e.joined = True
    limit = _MOST_SEGMENTS + e.segments_acknowledged
    undisturbed = not (e.recover or e.joined or e.missing or e.disturbed)  # what was SACKed is not under way any more
    if len(e.flight) > limit and undisturbed and e.syn is not None and f.data:
        reason = (
            f"{len(e.flight)} segments under way, where {e.segments_acknowledged} have been acknowledged: {limit - 3} would be the most"
        )
        flow.find("slow-start-growth", e, f, reason, near=e)


def _after_timeout(flow: Flow, e: Side, f: Fact) -> None:
    """Slow start after a timeout: each segment that is acknowledged makes room for two (RFC 5681, section 3.1)."""
    if e.since_timeout is None:
        return
    sent, acknowledged = e.since_timeout[0] + 1, e.since_timeout[1]
    e.since_timeout = sent, acknowledged
    told = e.ts_ok or e.sack_ok  # timestamps and D-SACK can tell that it was for nothing, and then the window is as before (RFC 4015)
    if sent > 2 + 2 * acknowledged and acknowledged <= _FEW and not told:
        reason = f"{sent} segments since the timeout, in which {acknowledged} were acknowledged: slow start allows {1 + 2 * acknowledged}"
        flow.find("after-timeout", e, f, reason, near=e)
        e.since_timeout = None


def _window_opened(flow: Flow, e: Side, f: Fact) -> None:
    """Data that goes out at once as a closed window opens has waited for that, and should have probed it (RFC 9293, MUST-36)."""
    since, opened = e.zero_since, e.opened
    e.zero_since = e.opened = None
    if since is None or opened is None or not f.data or f.t - opened.t > flow.slack:
        return
    waited = opened.t - since
    if waited > _LATEST_TIMEOUT + 4 * e.rtt_high and (waited > _LONGEST_RTO or not flow.slack) and e.probes is None:
        flow.find("probe-missing", e, f, f"the window was closed for {waited / _SECOND:.1f} s, and nothing probed it", near=e)


def _closed_window_probe(flow: Flow, e: Side, f: Fact) -> None:
    """Probes of a closed window grow apart (RFC 9293, SHLD-30)."""
    before = e.probes
    if before is not None:
        waited = f.t - before[0]
        short = before[1] and waited < before[1] * 3 // 2 - 2 * flow.slack
        e.probes_grew = e.probes_grew or bool(before[1] and not short)
        if short and not e.probes_grew and waited < _LONGEST_RTO * 9 // 10:  # else it may have reached its maximum
            reason = f"a probe after {waited / _MS:.0f} ms, where it was {before[1] / _MS:.0f} ms before: twice that would be right"
            flow.find("probe-backoff", e, f, reason, near=e)
        e.probes = f.t, waited
    else:
        e.probes, e.probes_grew = (f.t, 0), False


def _probe(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """A segment just below SND.NXT, so that the peer answers: a keep-alive, or a window probe as Linux sends them."""
    if e.una >= 1 and e.peer_edges and e.peer_edges[-1][1] <= e.una == e.top:
        e.zero_since = None
        _closed_window_probe(flow, e, f)
    open_window = e.peer_edge is not None and e.peer_edges and min(edge for _, edge in e.peer_edges) > e.una
    if e.una < e.top and open_window and e.synchronized and e.fin is None and not f.flags & 1:
        flow.find("keepalive-with-data", e, f, f"a probe at {f.seq}, though {e.una} to {e.top} is not acknowledged", near=e)


def _again(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """What was sent before, at least in part."""
    if f.end <= e.una_before(f.t - flow.slack - UNDER_WAY) and not f.flags & SYN:
        flow.find("retransmitted-acknowledged", e, f, f"{f.seq} to {f.end} again, though up to {e.una} is acknowledged", near=e)
        return
    open_still = e.synchronized and e.fin is None and p.fin is None
    if f.flags & (SYN | ACK) == SYN and open_still and f.t - e.acked_t > flow.slack + 5 * _MS:
        flow.find("connection-exists", e, f, "a SYN again, on a connection whose handshake it has completed", near=e)
        return
    if f.flags & SYN and e.syn is not None and (f.flags ^ e.syn.flags) & ACK:
        _sent_again(e, f)
        return  # the SYN,ACK of a simultaneous open, which takes the SYN's place
    _same_octets(flow, e, f)
    e.lost_since_cwr = True
    if f.seq <= e.una:
        e.due_fast = None
    known = next((sent for sent in e.flight if sent.seq <= f.seq < sent.end), None)
    if known is None:
        e.missing = e.missing or not e.una >= f.end  # it was sent before the capture saw it
        _remember_in_place(e, f)
        return
    if e.told_too_small is not None:
        errors.again(flow, e, f, known)
    _when(flow, e, p, f, known)
    _after_timeout(flow, e, f)
    underway.judge(flow, e, p, f, False)
    _sent_again(e, f)
    e.disturbed, e.recover = True, e.top


def _sent_again(e: Side, f: Fact) -> None:
    """Remember it of the octets that it is true of: a segment may come again in other pieces."""
    kept: deque[Transmission] = deque()
    for sent in e.flight:
        if sent.end <= f.seq or sent.seq >= f.end:
            kept.append(sent)
            continue
        if sent.seq < f.seq:
            kept.append(replace(sent, end=f.seq))
        left, right = max(sent.seq, f.seq), min(sent.end, f.end)
        kept.append(replace(sent, seq=left, end=right, last_t=f.t, number=f.number, count=sent.count + 1))
        if sent.end > f.end:
            kept.append(replace(sent, seq=f.end))
    e.flight = kept
    while len(kept) > MOST_KEPT:
        kept.popleft()


def _remember_in_place(e: Side, f: Fact) -> None:
    place = sum(1 for sent in e.flight if sent.seq < f.seq)
    if len(e.flight) < MOST_KEPT:
        e.flight.insert(place, Transmission(f.seq, f.end, f.t, f.t, f.number, f.segment.payload, f.first, offloaded=f.offloaded))


def _same_octets(flow: Flow, e: Side, f: Fact) -> None:
    payload = f.segment.payload
    if not payload or f.end <= e.una:
        return
    for sent in e.flight:
        if sent.data_at >= f.first + len(payload):
            break
        left, right = max(sent.data_at, f.first), min(sent.data_at + len(sent.payload), f.first + len(payload))
        if left < right and sent.payload[left - sent.data_at : right - sent.data_at] != payload[left - f.first : right - f.first]:
            flow.find("changed-retransmission", e, f, f"the octets from {left} to {right} are not those sent before", near=e)
            return


def _when(flow: Flow, e: Side, p: Side, f: Fact, known: Transmission) -> None:
    """Why may it be sent again now: because the timer expired, or because of what has come since?"""
    waited = f.t - known.last_t
    if e.news_number > known.number:
        _on_news(flow, e, p, f, known, waited)
        e.timer = None
        return
    _early(flow, e, f, known, waited)
    sacked_before = e.sacked
    e.sacked = Intervals()  # a timeout forgets them: the receiver may have reneged (RFC 2018, section 5)
    before = e.timer
    times = before[3] + 1 if before is not None and before[0] == f.seq else 1
    if before is not None and before[0] == f.seq:
        _backoff(flow, e, f, before[2], waited, times)
    elif before is not None and f.data and e.timer_sure:
        flow.find("loss-window", e, f, "another segment after a timeout, though only one may be under way", near=e)
    if f.data and not (e.peer_edges and e.peer_edges[-1][1] < f.end):
        _computed(flow, e, f, known, waited, times)
    e.timer = (f.seq, f.t, waited, times)
    e.timer_sure = times >= 2 or not _may_be_probe(e, f, waited)
    if e.timer_sure and not f.flags & SYN:
        e.since_timeout = 0, 0
        underway.timeout(flow, e, p, f, known)
        if times == 1 and f.seq > e.una and e.una >= 1:
            rule = "timeout-left-edge" if sacked_before.covers(e.una, f.seq) else "not-left-edge"
            flow.find(rule, e, f, f"{f.seq} is sent again for a timeout, though {e.una} is the left edge", near=e)


def _computed(flow: Flow, e: Side, f: Fact, known: Transmission, waited: int, times: int) -> None:
    """What the RTO is computed from shows in how long the first ones are (RFC 6298, section 2).

    That the timer runs, and nothing else delayed it or sent early, shows when it backs off.
    """
    before = e.timer[2] if e.timer is not None else 0
    doubled = before * 3 // 2 <= waited <= before * 3
    if times == _THIRD and doubled and waited < _TINY:
        first = f.t - known.first_t - waited - before
        if first * 3 // 2 <= before <= first * 3:
            reason = f"again after {first / _MS:.1f}, {before / _MS:.1f} and {waited / _MS:.1f} ms"
            flow.find("rto-far-below-second", e, f, reason, near=e)
    if e.sack_ok or e.ts_ok or e.sack_ok is None:
        return  # a tail loss probe comes earlier, and what timestamps measure of what was sent again makes the RTO longer (RFC 4015)
    if times == 2 and e.slow_timer and doubled and e.shortest_rto is not None:
        reason = f"again after {before / _MS:.0f} ms, where it was {e.shortest_rto / _MS:.0f} ms once and a round trip was measured since"
        flow.find("backoff-kept", e, f, reason, near=e)
    alone = times == 1 and known.count == 1 and f.seq == e.una
    e.slow_timer = 0
    if alone and e.shortest_rto is not None and e.samples > e.samples_then:
        longest = e.shortest_rto * 3 // 2 + 5 * e.rtt_high + _TICK + 2 * flow.slack
        e.slow_timer = waited if waited > longest and e.alone_then else 0
    if alone and (e.shortest_rto is None or waited < e.shortest_rto):
        e.shortest_rto = waited
    e.samples_then, e.alone_then = e.samples, f.end == e.top


def _may_be_probe(e: Side, f: Fact, waited: int) -> bool:
    """May the retransmission be a tail loss probe (RFC 8985, section 7)? That takes SACK, and is the last segment, or new data."""
    return bool(e.sack_ok) and f.end >= e.top and waited <= _longest_probe(e)


def _longest_probe(e: Side) -> int:
    """ns: the latest that a tail loss probe comes; a second if no round trip has been measured (RFC 8985, section 7.2)."""
    return 4 * e.rtt_high + _ACK_DELAY if e.samples else _SECOND + _PROMPT


def _early(flow: Flow, e: Side, f: Fact, known: Transmission, waited: int) -> None:
    """Nothing has come since it was sent: it can only be the timer, or a tail loss probe. Is an RTO over (RFC 6298)?"""
    tolerance = flow.slack // 4
    again = f"again after {waited / _MS:.1f} ms"
    if f.flags & SYN and e.rtt_low is None:
        if waited < _SECOND - 50 * _MS - tolerance:
            flow.find("syn-too-early", e, f, f"the SYN {again}; 1000 ms would be the first RTO", near=e)
        return
    if e.rtt_low is None or (e.peer_edges and e.peer_edges[-1][1] < f.end):  # or the window is closed, and this probes it
        return
    probe = _may_be_probe(e, f, waited)
    if waited < e.rtt_low * 9 // 10 - tolerance:
        flow.find("too-early", e, f, f"{again}, less than the shortest round trip of {e.rtt_low / _MS:.1f} ms", near=e)
    elif e.samples == 1 and not e.passive and known.count == 1 and not probe and waited < e.rtt_low * 3 * 95 // 100 - 2 * tolerance:
        flow.find("first-sample", e, f, f"{again}, less than three times the only round trip of {e.rtt_low / _MS:.1f} ms", near=e)
    if not probe and known.count == 1 and waited < _SECOND - 20 * _MS:
        flow.find("rto-below-second", e, f, f"{again}, less than a second", near=e)


def _backoff(flow: Flow, e: Side, f: Fact, before: int, waited: int, times: int) -> None:
    """Each timeout is twice as long as the one before (RFC 6298, 5.5); the first may have been a tail loss probe's (RFC 8985)."""
    probe = times == 2 and e.sack_ok is not False and before <= _longest_probe(e) and not f.flags & SYN
    if probe or waited >= _LONGEST_RTO * 9 // 10:
        return
    if waited < before * 3 // 2 - 2 * flow.slack:
        rule = "syn-no-backoff" if f.flags & SYN else "no-backoff"
        reason = f"again after {waited / _MS:.0f} ms, where it was {before / _MS:.0f} ms before: twice that would be right"
        flow.find(rule, e, f, reason, near=e)


def _restarted(flow: Flow, e: Side, f: Fact, known: Transmission) -> None:
    """A retransmission by the timer comes one RTO after the last ACK of new data (RFC 6298, 5.3)."""
    closed = bool(e.peer_edges) and e.peer_edges[-1][1] < f.end
    if e.rtt_low is not None and not e.disturbed and not closed and e.advanced_t > known.last_t and not f.flags & 1:
        restarted = f.t - e.advanced_t
        if restarted < (_SECOND - 20 * _MS if flow.strict else e.rtt_low * 9 // 10) - flow.slack:
            reason = f"again {restarted / _MS:.1f} ms after an ACK of new data, which should have restarted the timer"
            flow.find("timer-not-restarted", e, f, reason, near=e)


def _on_news(flow: Flow, e: Side, p: Side, f: Fact, known: Transmission, waited: int) -> None:
    """Something came since: the retransmission may be a fast one, for the third duplicate ACK (RFC 5681, section 3.2)."""
    if f.flags & SYN or e.rtt_low is None:
        return
    since_news = f.t - e.news_t
    if since_news >= min(e.rtt_low * 9 // 10, _PROMPT + 2 * flow.slack):  # perhaps the timer, which forgets them
        e.sacked = Intervals()
    _restarted(flow, e, f, known)
    if known.count > 1:
        return
    if e.sacked.lefts and e.sacked.covers(f.seq, f.end):
        reason = f"{f.seq} to {f.end} again, though it was selectively acknowledged"
        flow.find("retransmitted-sacked", e, f, reason, near=e, sure=not flow.slack)  # it may have been under way when that came
    if f.seq > e.una:
        return
    if e.duplicates >= _FAST:
        underway.fast_retransmit(flow, e, p, f, known)
    elif not e.duplicates and not e.disturbed:
        underway.timeout(flow, e, p, f, known)
    few = not e.sack_ok and e.duplicates in (1, 2) and len(e.flight) >= _EARLY_RETRANSMIT
    no_timer = f.t - max(e.advanced_t, known.last_t) < e.rtt_low * 9 // 10 - flow.slack
    since = since_news if no_timer else f.t - e.duplicate_t  # what else comes may come when the timer expires
    if few and since <= _MS + flow.slack and waited < _SECOND and e.recover <= e.una:
        flow.find("early-fast-retransmit", e, f, f"again after {e.duplicates} duplicate ACKs; 3 would be right", near=e)
