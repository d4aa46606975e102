"""Rules about what a receiver says: acknowledgments, its window, SACK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle.fact import Fact
from conformance.oracle.opening import ecn, mss_of
from conformance.oracle.side import Side
from conformance.oracle.timestamps import older
from conformance.wire.segment import ECE, FIN, RST, SYN

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow, Suspicion

__all__ = ["full_sized", "judge"]

_MS = 1_000_000
_BUSY = 200 * _MS
"""ns that a machine with much else to do may let a segment wait: what it sends meanwhile does not know of it."""
_DAY = 86_400_000 * _MS
_PROMPT = 10 * _MS
_MOST_OPTIONS = 40
_MANY, _LONG = 20, 2000 * _MS
"""Round trips after which nothing is on its way any more, and ns."""
_DELAYED_ACK = 500 * _MS
"""RFC 9293, MUST-40."""


def judge(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """``e`` acknowledges, offers a window and reports blocks."""
    _suspects(flow, e, f)
    if f.flags & RST:
        e.owed.clear()
    if f.ack is None or f.flags & RST:
        return
    if not f.flags & SYN or f.ack > 0:
        _number(flow, e, p, f)
    if not f.flags & SYN:
        _congestion_echo(flow, e, p, f)
        _edge(flow, e, p, f)
        if f.sack:
            _blocks(flow, e, p, f)
        elif e.sack_ok and e.ahead and f.ack == e.acked and _alone(flow, e, f):
            flow.find("sack-missing", e, f, f"no SACK, though data up to {e.ahead[-1][1]} has come above the gap at {f.ack}", near=e)
    _settle(flow, e, p, f)


def _suspects(flow: Flow, e: Side, f: Fact) -> None:
    """``e`` shows by what it sends next whether it had sent what was acknowledged and never captured."""
    if f.flags & (SYN | RST):
        return
    for suspicion in [suspicion for suspicion in flow.suspicions if suspicion.side is not e]:
        unsent = suspicion.rule == "ack-of-unsent"
        if unsent and f.seq == suspicion.top:
            _unsent(flow, e, f, suspicion)
        elif f.seq >= suspicion.number or (not unsent and f.seq <= suspicion.top < f.end):
            flow.missed()  # it goes on behind that, or sends it only now as far as the capture shows
        else:
            continue
        flow.suspicions.remove(suspicion)


def _unsent(flow: Flow, e: Side, f: Fact, suspicion: Suspicion) -> None:
    """``e`` is at what was acknowledged: it has never sent that, unless the capture missed it and this is sent again, before that came."""
    cause, since = suspicion.fact, f.t - suspicion.fact.t
    known = (f.ack or 0) >= cause.end > cause.seq or since > min(_MANY * (e.rtt_low or 0), _LONG) + 4 * flow.slack
    sure = flow.sight.complete or known or f.end > suspicion.number or f.end == f.seq
    flow.find(suspicion.rule, suspicion.side, cause, suspicion.reason, sure=sure)


def _number(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """What is acknowledged has come (RFC 9293, 3.1), and what has been acknowledged stays so."""
    ack = f.ack
    assert ack is not None
    if flow.begun and not (p.spoke or p.corrupt):
        flow.missed()
    if e.acked is not None:
        if ack == e.acked:
            return
        if ack < e.acked:
            ts, high = f.options.ts, e.ts_high
            e.deaf = e.deaf or (ts is not None and high is not None and older(ts[0], high[0]))  # its clock, too, says that it was overtaken
            if f.t - e.acked_t > flow.slack:
                flow.find("ack-goes-back", e, f, f"ack {ack}, it was {e.acked} before", near=e)
            return
    elif not flow.begun:
        e.got.add(ack, ack)
        return
    contiguous = e.got.end_from(e.acked or 0)
    if ack <= contiguous:
        return
    reach, refused = contiguous, None
    for gone in sorted(e.refused, key=lambda gone: gone.left):
        if gone.left <= reach < gone.right:
            refused = refused or gone
            reach = e.got.end_from(gone.right)
    if refused is not None and ack <= reach:
        flow.find(refused.rule, e, f, f"ack {ack}: {refused.reason}", near=e)
    elif ack > p.top:
        reason = f"ack {ack}, though the peer has sent up to {p.top} only"
        flow.suspect(e, f, ack, "ack-of-unsent", reason, p.top)
    else:
        reason = f"ack {ack}, though what is from {contiguous} on had not come"
        flow.suspect(e, f, ack, "ack-of-missing", reason, contiguous)
    e.got.add(e.acked or 0, ack)


def _edge(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """The right edge of the window never moves left, and not to the right by trifles (RFC 9293, 3.8.6)."""
    if e.edge is None or e.shift is None or f.ack is None or (e.acked is not None and f.ack < e.acked):
        return
    edge, grain = f.ack + f.window, 1 << e.shift
    if edge + grain <= e.edge:
        surely_later = f.ack > e.edge_ack
        reason = f"the window ends at {edge} now, it ended at {e.edge} before"
        if surely_later or f.t - e.edge_t > flow.slack:
            flow.find("window-shrunk", e, f, reason, near=None if surely_later else e)
        e.shrunk = True
    elif edge > e.edge and 0 < f.window < e.most_window // 2 and p.syn is not None and e.syn is not None:
        segment = min(mss_of(e.syn), mss_of(p.syn)) - _MOST_OPTIONS
        step = edge - e.edge
        if grain <= step and f.window + grain < segment and step < segment and e.window < segment:
            reason = f"the window opens by {step} to {f.window} octets, less than a segment of {segment}"
            flow.find("silly-window", e, f, reason, near=e)


def _blocks(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """A SACK block reports what has come and is held (RFC 2018), the first may report a duplicate (RFC 2883)."""
    ack = f.ack
    assert ack is not None
    inside = len(f.sack) > 1 and f.sack[1][0] <= f.sack[0][0] and f.sack[0][1] <= f.sack[1][1]
    if f.sack[0][0] < f.sack[0][1] and (f.sack[0][1] <= ack or inside):
        _duplicate(flow, e, f, *f.sack[0])
    for place, (left, right) in enumerate(f.sack):
        block = f"block {left}:{right}"
        if right <= left:
            flow.find("sack-format", e, f, block)
        elif right <= ack:
            if place:
                flow.find("sack-of-acknowledged", e, f, f"{block} in place {place + 1}, though ack is {ack} already")
        elif left <= ack and place == 0 and len(f.sack) > 1 and f.sack[1][0] <= left and right <= f.sack[1][1]:
            pass  # a duplicate inside of the second block
        elif left <= ack:
            flow.find("sack-not-isolated", e, f, f"{block} touches ack {ack}")
        elif right > p.top:
            flow.suspect(e, f, right, "sack-of-unsent", f"{block}, though the peer has sent up to {p.top} only", p.top)
        elif not e.got.covers(left, right):
            flow.missed()
            flow.find("sack-of-unsent", e, f, f"{block} has octets that never came", near=e, sure=False)
    if e.ahead and _alone(flow, e, f):
        left, right, _, _ = e.ahead[-1]
        first = f.sack[0]
        if len(f.sack) > 1 and f.sack[1][0] <= first[0] and first[1] <= f.sack[1][1]:  # a duplicate: what has it follows
            first = f.sack[1]
        if not (first[0] <= left and right <= first[1]):
            reason = f"the first block is {first[0]}:{first[1]}, not the one with {left}:{right}, which came last"
            flow.find("sack-first-block", e, f, reason, near=e)


def _congestion_echo(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """ECE from CE until CWR, and not otherwise (RFC 3168, section 6.1.3)."""
    if e.syn is None or p.syn is None or not ((e.syn.flags | p.syn.flags) & ECE and ecn(e, p)):
        return
    if e.congested is not None and not f.flags & ECE and f.t - e.congested >= flow.slack:
        rule = "echo-ends-early" if e.echoed else "no-echo-of-congestion"
        flow.find(rule, e, f, "no ECE, though CE came and no CWR since", near=e)
    elif f.flags & ECE and not e.had_congestion and f.t - e.cwr_came > flow.slack:
        flow.find("echo-after-cwr", e, f, "ECE, though no CE has come since CWR", near=e)
    e.echoed = bool(f.flags & ECE)


def _duplicate(flow: Flow, e: Side, f: Fact, left: int, right: int) -> None:
    """A D-SACK block reports octets that came again, and each time once (RFC 2883, section 4)."""
    if e.came_again.covers(left, right):
        if e.reported == (left, right) and not f.data:
            flow.find("dsack-repeated", e, f, f"D-SACK {left}:{right} again, though nothing has come again since", near=e)
        e.reported = left, right
    elif e.came_again.touches(left, right) and all(left != first for first, _ in e.blocks):
        flow.find("dsack-edges", e, f, f"D-SACK {left}:{right} has more than what came again", near=e, sure=not flow.slack)
    elif any(left == first for first, _ in e.blocks):
        flow.find("sack-of-acknowledged", e, f, f"block {left}:{right} again, though ack is {f.ack} already", near=e)
    else:
        flow.find("dsack-of-single", e, f, f"D-SACK {left}:{right}, which came once", near=e, sure=not flow.slack)


def _alone(flow: Flow, e: Side, f: Fact) -> bool:
    """Does it answer one segment, the one that came ahead of a gap last, and none that came before that?"""
    if e.shift is None or e.since != 1 or not e.balanced or f.data:  # without a shift it is Multipath TCP
        return False
    return e.ahead[-1][3] > e.spoke and e.news_t - e.news_before > flow.slack


def _settle(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """``e`` answers: what it owed is paid, and what comes late is late."""
    ack = f.ack
    assert ack is not None
    if e.after_idle is not None:
        came, e.after_idle = e.after_idle, None
        if ack <= came.seq and f.t - came.t >= flow.slack:
            days = (came.t - e.last_sent.t) / _DAY if e.last_sent is not None else 0
            flow.find("refused-after-idle", e, f, f"ack {ack}, though {came.seq} to {came.end} came, after {days:.0f} idle days", near=e)
    if e.early:
        _stretched(flow, e, p, f)
    if e.arrivals:
        first = e.arrivals[0]
        came = first.fact
        if ack >= first.end:
            if f.t - came.t > _DELAYED_ACK + 2 * flow.slack:
                flow.find("late-ack", e, f, f"packet {came.number} is acknowledged after {(f.t - came.t) / _MS:.0f} ms", near=e)
        elif f.t - came.t > flow.slack + _MS * bool(f.data) or (not flow.slack and not f.data):
            e.deaf = True  # it would have said so, had it come
            if not flow.slack or f.t - came.t > _BUSY:
                reason = f"ack {ack}, though {first.end} had come in packet {came.number}, {(f.t - came.t) / _MS:.0f} ms before"
                flow.find("not-current", e, f, reason, near=e)
        while e.arrivals and e.arrivals[0].end <= ack:
            first = e.arrivals.popleft()
        took = f.t - first.fact.t
        if ack >= first.end and (e.reaction is None or took < e.reaction):
            e.reaction = took
    while e.ahead and e.ahead[0][1] <= ack:
        e.ahead.popleft()
    e.owed.clear()
    _unprovoked(flow, e, f)
    e.balanced = not e.arrivals
    e.got.forget_below(min(ack, e.acked or 0))
    while e.refused and e.refused[0].right <= ack:
        e.refused.popleft()


def _stretched(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """More than two full-sized segments have waited for the first ACK after the handshake (RFC 9293, SHLD-19)."""
    most, waiting, early, e.early = 2 * full_sized(e, p), 0, e.early, []
    for came in early:
        waiting += came.data
        if waiting > most:
            break
    passed = f.t - came.t
    if waiting > most and passed > _PROMPT + 4 * flow.slack and (f.ack or 0) >= came.end and not p.recover:
        reason = f"the first ACK after {passed / _MS:.0f} ms, though {waiting} octets had come, more than two segments of {most // 2}"
        flow.find("stretch-ack", e, came, reason, near=e)


def full_sized(e: Side, p: Side) -> int:
    """Octets of data of a segment that ``e`` has to take for full-sized: as large as it asked for, or as large as any that came."""
    return max(p.most_data, mss_of(e.syn) - _MOST_OPTIONS if e.syn is not None else 0)


def _unprovoked(flow: Flow, e: Side, f: Fact) -> None:
    """An ACK that says nothing new answers some segment (RFC 5681, 4.2): never more of them than segments have come."""
    if f.data or f.flags & (SYN | FIN) or f.ack != e.acked or f.seq != e.top:
        return
    if e.edge is not None and (f.ack or 0) + f.window != e.edge_last:
        return
    if e.credit > 0:
        e.credit -= 1
    else:
        flow.find("unprovoked-ack", e, f, f"another ACK of {f.ack}, though nothing has come since the one before", near=e)
