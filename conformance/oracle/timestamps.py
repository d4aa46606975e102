"""Rules about timestamps (RFC 7323)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle.fact import Fact
from conformance.oracle.side import MOST_KEPT, Side
from conformance.wire.segment import ACK, RST, SYN
from conformance.wire.seq import diff

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["arrive", "judge", "older", "older_than_some", "stale", "would_be_stale"]

_MS = 1_000_000
_HALF, _MASK = 1 << 31, 0xFFFF_FFFF
_MOST_RECENT = 64
_SYNS = 130_000
"""Ticks of a millisecond for which Linux, at most, sends a SYN again and again."""
_LONGEST_IDLE = 24 * 24 * 3600 * 1000 * _MS
"""ns after which TS.Recent is not valid any more (section 5.5)."""


def judge(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """``e`` tells the time, and echoes what it was told."""
    ts = f.options.ts
    if ts is None:
        return
    value, echo = ts
    if e.ts_ok is False and not f.flags & SYN:
        return  # what was not negotiated is ignored (section 3.2)
    if f.flags & RST:
        return
    if not f.flags & SYN:  # a SYN cookie may have options in it
        _clock(flow, e, f, value)
    if not f.flags & ACK:
        if echo:
            flow.find("echo-without-ack", e, f, f"TSecr is {echo} in a segment without ACK")
        return
    _echo(flow, e, p, f, echo)


def _clock(flow: Flow, e: Side, f: Fact, value: int) -> None:
    if e.ts_high is not None:
        high, since = e.ts_high
        step = diff(value, high)
        if f.t - since > _LONGEST_IDLE:  # half the numbers are passed by a clock of milliseconds
            e.ts_first = e.ts_high = (value, f.t)
            return
        if step < 0:
            if f.t - since <= flow.slack:
                return
            flow.find("timestamp-goes-back", e, f, f"TSval is {value}, it was {high} before", near=e)
            return
        if e.ts_first is not None:
            first, begun = e.ts_first
            ticks, passed = diff(value, first), f.t - begun
            if ticks > (passed + 20 * _MS) / _MS * 1.2 + 2 and not _microseconds(ticks, passed):
                flow.find("timestamp-rate", e, f, f"TSval went {ticks} ticks in {passed / _MS:.3f} ms, more than one a millisecond", near=e)
    else:
        e.ts_first = (value, f.t)
    e.ts_high = (value, f.t)


def _microseconds(ticks: int, passed: int) -> bool:
    """A clock of microseconds, as Linux has on routes that ask for it: faster than the RFC recommends, and meant."""
    return passed > 20 * _MS and abs(ticks * 1000 / passed - 1) < 0.1


def _may_be_missed(p: Side, f: Fact, value: int) -> bool:
    """May ``p`` have sent this TSval in a segment that the capture does not have: after its SYN, and not later than now?"""
    syn = p.syn.options.ts and (p.syn.options.ts[0], p.syn.t) if p.syn is not None else None
    first, latest = p.ts_first or syn, p.ts_high or syn
    if first is None or latest is None:
        return True
    fast = 1000 if _microseconds(diff(latest[0], first[0]), latest[1] - first[1]) else 1
    most = (f.t - latest[1] + 20 * _MS) * 6 * fast // (5 * _MS)
    earlier = _SYNS if f.flags & SYN else 0  # it may answer a SYN before that one
    return diff(value, latest[0]) <= most and (syn is None or diff(value, syn[0]) >= -earlier)


def _echo(flow: Flow, e: Side, p: Side, f: Fact, echo: int) -> None:
    if e.heard and echo not in e.heard and len(e.heard) < MOST_KEPT:
        missed = not flow.sight.complete and _may_be_missed(p, f, echo)
        flow.find("echo-of-unsent", e, f, f"TSecr is {echo}, which the peer has not sent", plain=not missed)
        if missed:
            e.heard[echo] = None
            flow.missed()
    elif e.recent and e.ts_ok and len(e.recent) < _MOST_RECENT:
        ends = [t for t, _ in e.recent][1:]
        allowed = [value for (_, value), end in zip(e.recent, [*ends, f.t + 1], strict=True) if end > f.t - flow.slack]
        if echo in e.perhaps and echo not in allowed:
            e.recent.append((f.t, echo))  # it has taken that one
        elif echo not in allowed:
            plain = older(echo, allowed[0])  # a later one it may have taken: what it had acknowledged by then may be missing
            flow.find("echo-not-recent", e, f, f"TSecr is {echo}, though TS.Recent is {allowed[-1]}", near=e, plain=plain)
    e.echo = echo


def stale(p: Side, f: Fact) -> bool:
    """Is its TSval below what ``p`` says TS.Recent is (section 5.3, R1)?

    By more than one: Linux takes what is late by a tick (tcp_paws_check), which happens wherever packets overtake each other.
    """
    ts = f.options.ts
    if ts is None or p.echo is None or not p.ts_ok or f.flags & RST:
        return False
    if not older(ts[0], p.echo) or not older(ts[0] + 1, p.echo):
        return False
    if f.t - p.news_t < _LONGEST_IDLE:
        return all(older(ts[0], value) for value in (*(value for _, value in p.recent), *p.perhaps))
    in_order = f.data and f.seq == p.acked and p.synchronized and p.edge is not None and f.end <= p.edge
    if in_order and p.last_sent is not None and f.t - p.last_sent.t > _LONGEST_IDLE:
        p.after_idle = f
    return False


def would_be_stale(p: Side, f: Fact) -> bool:
    """The same of a RST, which is not to be judged by it (section 5.2)."""
    ts = f.options.ts
    return ts is not None and p.echo is not None and bool(p.ts_ok) and older(ts[0], p.echo)


def older_than_some(p: Side, value: int) -> bool:
    """Is it older than anything that ``p`` may have for TS.Recent? (:func:`older` of each, but this is asked of every segment.)"""
    for _, known in p.recent:
        if 0 < (known - value) & _MASK < _HALF:
            return True
    return any(0 < (known - value) & _MASK < _HALF for known in p.perhaps)


def older(value: int, than: int) -> bool:
    """Modulo 2^32, where exactly half way round is not older (section 5.2)."""
    return -_HALF < diff(value, than) < 0


def arrive(flow: Flow, p: Side, f: Fact, taken: bool, sure: bool) -> None:
    """A timestamp comes to ``p``: it may echo it from now on, or has to (section 4.3, rule 2)."""
    ts = f.options.ts
    if ts is None or f.flags & RST:
        return
    value = ts[0]
    heard = p.heard
    if value not in heard:
        heard[value] = None
        if len(heard) > MOST_KEPT:
            del heard[next(iter(heard))]
    recent = p.recent
    if f.flags & SYN and not recent:
        recent.append((f.t, value))
        return
    while len(recent) > 1 and recent[1][0] <= f.t - flow.slack:
        recent.popleft()
    last_ack_sent = p.acked if p.acked is not None else 0
    early = flow.slack > 0 and f.seq > last_ack_sent and f.seq <= p.contiguous()  # the ACK that allows it may be on its way already
    if not taken or not sure or not recent or early:
        if not p.perhaps or p.perhaps[-1] != value:
            p.perhaps.append(value)
    elif f.seq <= last_ack_sent and value != recent[-1][1] and (not older(value, recent[-1][1]) or f.t - p.news_t > _LONGEST_IDLE):
        recent.append((f.t, value))
        if len(recent) > _MOST_RECENT:
            recent.popleft()
    while len(p.perhaps) > 16:
        p.perhaps.popleft()
