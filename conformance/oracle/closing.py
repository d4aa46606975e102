"""Rules about RST, about what follows the end of a connection, and about an end that comes without a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle import errors
from conformance.oracle.fact import Fact
from conformance.oracle.side import Side
from conformance.wire.segment import ACK, RST, SYN

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["judge"]

_SECOND = 1_000_000_000
_SHORTEST_TIME_WAIT = 55 * _SECOND
"""Twice an MSL of half a minute, the shortest that anybody takes for one, and some tolerance."""


def judge(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """``e`` aborts or refuses, or goes on after it has."""
    if f.flags & RST:
        _reset(flow, e, p, f)
        return
    if f.flags & SYN:
        return
    if e.unsent is not None:
        flow.find("not-retransmitted", e, *e.unsent, near=e)
        e.unsent = None
    if e.odd is not None and (f.t - e.odd[0].t >= max(flow.slack, 1) or (f.ack or 0) > e.top_at_odd):
        e.odd = None  # it has lived on
    if e.reset is not None and f.t - e.reset.t >= max(flow.slack, 1):
        sure = flow.sight.complete or e.una - 1 <= f.seq <= e.top  # else it may be of another connection
        flow.find("sends-after-reset", e, f, f"goes on after it aborted the connection in packet {e.reset.number}", near=e, sure=sure)
    killed = e.killed
    if killed is not None and f.t - killed.t >= flow.slack and e.news_t >= killed.t:
        rule = "lives-after-old-rst" if e.killed_old else "lives-after-rst"
        reason = f"goes on after the RST at {killed.seq}, exactly RCV.NXT, in packet {killed.number}"
        flow.find(rule, e, f, reason, near=e)


def _reset(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    cause = p.last_sent
    if e.rst_only and e.since and not e.synchronized:
        flow.find("rst-answers-rst", e, f, "a RST, though only a RST had come", near=e)
    if (
        e.syn is not None
        and not e.syn.flags & ACK
        and not e.synchronized
        and cause is p.syn
        and cause is not None
        and e.since == 1
        and not cause.flags & ACK
    ):
        flow.find("simultaneous-open-refused", e, f, "a RST, though the SYN that came may cross the own one", near=e)
    nothing_new = cause is not None and not cause.flags & SYN and cause.end <= (e.acked or 0)
    waits = (
        nothing_new and not e.rst_heard and e.fin_first and p.fin is not None and e.fin is not None and e.una >= e.fin and e.reset is None
    )
    if waits and e.since and f.t - e.news_before < _SHORTEST_TIME_WAIT and e.waits_since and f.t - e.waits_since < _SHORTEST_TIME_WAIT:
        passed = (f.t - e.waits_since) / _SECOND
        flow.find("time-wait-short", e, f, f"a RST where TIME-WAIT should be, {passed:.1f} s after the last FIN", near=e)
    elif e.syn is None and flow.begun and cause is not None:
        _refusal(flow, e, p, f, cause)
    elif e.synchronized and e.reset is None:
        _at_the_right_place(flow, e, p, f)
        _without_reason(flow, e, p, f)
        errors.reset(flow, e, p, f)
    if e.synchronized and f.seq in e.acks_heard:
        e.over = True
    refuses = e.syn is None and f.flags & ACK and f.ack == p.top
    if f.seq == e.top or refuses or not flow.begun:
        e.reset = e.reset or f


def _refusal(flow: Flow, e: Side, p: Side, f: Fact, cause: Fact) -> None:
    """A RST from where there is no connection has the numbers that its cause asks for (RFC 9293, 3.5.2)."""
    if e.since != 1:
        return
    if cause.flags & ACK:
        if f.segment.seq != cause.segment.ack:
            flow.find(
                "rst-sequence", e, f, f"a RST at {f.segment.seq}: the segment that it answers acknowledges {cause.segment.ack}", near=e
            )
    elif f.segment.seq or not f.flags & ACK or f.ack != cause.end:
        flow.find(
            "rst-acknowledgment", e, f, f"a RST at {f.segment.seq} that acknowledges {f.ack}: 0 and {cause.end} would be right", near=e
        )


def _at_the_right_place(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """SND.NXT for an abort; for an answer from where there is no connection any more, what the segment acknowledged."""
    if f.seq > e.top:
        e.missing = True
        return
    if f.seq == e.top or (f.segment.seq == 0 and f.flags & ACK):
        return
    if not e.since:
        flow.find("abort-elsewhere", e, f, f"a RST at {f.seq} that answers nothing: SND.NXT is {e.top}", near=e)
    elif f.seq not in e.acks_heard:
        flow.find("rst-sequence", e, f, f"a RST at {f.seq}: SND.NXT is {e.top}, and nothing that came acknowledges {f.seq}", near=e)


def _without_reason(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """A RST as from where there is no connection, though none had been closed: what came last, and should have had no effect, ended it."""
    cause = p.last_sent
    if e.odd is None or e.killed is not None or not e.since:
        return
    if f.flags & ACK and cause is not None and cause.flags & ACK:
        return  # an abort, as most stacks send it: where there is no connection such a segment is answered without ACK (3.10.7.1)
    answers_data = cause is None or cause.data > 0  # which a RST answers after close
    if e.fin is not None and (answers_data or e.odd[1] != "died-of-rst-outside"):
        return
    odd, rule = e.odd
    flow.find(rule, e, f, f"a RST: packet {odd.number} has ended the connection", near=e)
