"""Rules about what a sender sends: numbers, windows, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle.fact import Fact
from conformance.oracle.opening import accurate_ecn, ecn, mss_of
from conformance.oracle.side import Side
from conformance.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["judge"]

_ECN = ECE | CWR
_PUSHED = PSH | FIN
_MS = 1_000_000
_OVERRIDE = 100 * _MS
"""The shortest time after which a sender may send whatever little the window takes (RFC 9293, section 3.8.6.2.1)."""
_LEAST_FRACTION = 4
"""Of the largest window, that a segment has to fill: half of it is recommended."""
_MOST_OPTIONS = 40
_MINUTE = 60_000_000_000
"""ns after which a path's MTU may be tried again (RFC 1191, section 3)."""


def judge(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """New data, in its order and inside what the peer takes."""
    if f.flags & RST:
        return
    if f.end > f.seq:
        _order(flow, e, f)
    if f.data and not f.flags & SYN:
        _window(flow, e, f)
        if (f.last == e.peer_edge_last or e.silly is not None) and f.seq == e.top:
            _silly(flow, e, p, f)
        _size(flow, e, p, f)
    _ecn(flow, e, p, f)
    known = flow.path_mtu.get(e.name)
    if known is not None and f.segment.ip_size > known[1] and flow.slack < f.t - known[0] < _MINUTE and not f.offloaded:
        flow.find("over-path-mtu", e, f, f"a datagram of {f.segment.ip_size} octets, though the path takes {known[1]}", near=e)
    if f.flags & URG:
        _urgent(flow, e, f)
    elif e.urgent is not None and f.data and f.seq >= e.una and f.last <= e.urgent:
        flow.find("urgent-flag", e, f, f"no URG on data up to {f.last}, though urgent data up to {e.urgent} is outstanding", near=e)


def _order(flow: Flow, e: Side, f: Fact) -> None:
    """What occupies sequence numbers follows what was sent before, and nothing follows a FIN."""
    if f.seq > e.top and (e.top or e.syn is not None):
        e.missing = True
        if e.synchronized and f.segment.flags & ACK:
            flow.find("sequence-gap", e, f, f"sent from {f.seq} on, though {e.top} would have been next", near=e, sure=False)
    if e.fin is not None and f.last > e.fin - 1 and f.data:
        sure = f.seq <= e.fin or flow.sight.complete  # else it may be of another connection
        flow.find("data-after-fin", e, f, f"data up to {f.last}, though the FIN was at {e.fin - 1}", sure=sure)
    if f.flags & 1 and e.fin is None and f.last < e.data_top:
        flow.find("fin-moved", e, f, f"FIN at {f.last}, though data up to {e.data_top} was sent")


def _window(flow: Flow, e: Side, f: Fact) -> None:
    """Data fits the window (RFC 9293, 3.8.6): of all windows that came the one that reaches furthest, and for what is new the latest."""
    if e.peer_edge is None:
        return
    probe = f.data == 1
    if f.last > e.peer_edge and not (probe and f.first <= e.peer_edge):
        reason = f"data up to {f.last}, though the window reached to {e.peer_edge} at most"
        flow.find("beyond-window", e, f, reason)
        e.beyond = f, reason
    elif f.last > e.top and not probe:
        if e.peer_edges and f.last <= e.peer_edges[-1][1]:
            return
        latest = max(edge for _, edge in e.peer_edges) if e.peer_edges else e.peer_edge
        if f.last > latest:
            reason = f"new data up to {f.last}, though the window had shrunk and reached to {latest} only"
            flow.find("beyond-shrunk-window", e, f, reason, near=e)


def _silly(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """A small segment fills a small window as soon as that comes, and the rest of the data waits for the next (RFC 9293, 3.8.6.2.1).

    That there is a rest shows by the missing PSH (MUST-61), and when it leaves as the window opens again.
    """
    silly, e.silly = e.silly, None
    at_once = f.t - e.news_t <= flow.slack // 10 + _MS
    if silly is not None and at_once and e.since:
        reason = f"{silly.data} octets at once into a window of as many, with more data waiting; it had been up to {p.most_window} before"
        flow.find("silly-segment", e, silly, reason, near=e)
    before, syn = e.last_sent, p.syn
    if before is None or syn is None or f.flags & _PUSHED or f.data == 1 or f.last != e.peer_edge_last or f.offloaded:
        return
    small = f.data < mss_of(syn) - _MOST_OPTIONS and f.data < p.most_window // _LEAST_FRACTION
    if small and at_once and e.since and f.t - before.t < _OVERRIDE - flow.slack:
        e.silly = f


def _size(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """No segment is larger than the peer can take (RFC 9293, 3.7.1)."""
    if p.syn is None or f.offloaded:
        return
    limit, has_option = mss_of(p.syn), p.syn.options.mss is not None
    if f.data + f.options.size <= limit or (not has_option and f.data <= limit):
        return
    sure = not f.segment.cut  # where the capture did not keep everything nobody knows what the hardware was left to do
    size = f"{f.data} octets of data" + (f" and {f.options.size} of options" if f.options.size else "")
    if not has_option:
        flow.find("over-default-mss", e, f, f"{size}, though the peer's SYN had no MSS option: {limit} would be right", sure=sure)
    elif f.data > limit:
        flow.find("over-mss", e, f, f"{size}, though the peer's MSS is {limit}", sure=sure)
    else:
        flow.find("options-not-counted", e, f, f"{size}, together more than the peer's MSS of {limit}", sure=sure)


def _ecn(flow: Flow, e: Side, p: Side, f: Fact) -> None:
    """ECT where both agreed on it, and on new data only; CWR once for a reduction (RFC 3168)."""
    if f.flags & SYN or e.syn is None or p.syn is None or not (f.segment.tos & 3 or (e.syn.flags | p.syn.flags) & _ECN):
        return
    if accurate_ecn(e, p):
        return
    ect, reflected = f.segment.tos & 3, any(side.syn.flags & _ECN == _ECN and side.syn.flags & ACK for side in (e, p) if side.syn)
    if ect and not ecn(e, p):
        rule = "ect-after-reflection" if reflected else "ect-not-negotiated"
        flow.find(rule, e, f, f"the ECN field is {ect}, though ECN was not agreed on", near=e)
    elif ect and not f.data:
        flow.find("ect-on-pure-ack", e, f, f"the ECN field of a segment without data is {ect}", near=e)
    elif ect and f.end <= e.top and ect != 3:
        flow.find("ect-on-retransmission", e, f, f"the ECN field of what was sent before is {ect}", near=e)
    if f.data and f.end > e.top and ecn(e, p):
        _reduced(flow, e, f)


def _reduced(flow: Flow, e: Side, f: Fact) -> None:
    """New data after an ECE: it tells by CWR that the window has been reduced (section 6.1.2)."""
    if f.flags & CWR:
        if e.cwr_end > e.una and not e.lost_since_cwr and f.t - e.cwr_t > flow.slack:
            flow.find("cwr-again", e, f, f"CWR again, though what carried it up to {e.cwr_end} is not acknowledged", near=e)
        e.slow, e.cwr_end, e.cwr_t, e.lost_since_cwr = None, f.end, f.t, False
    elif e.slow is not None and f.t - e.slow >= max(flow.slack, 1):
        flow.find("no-cwr", e, f, "new data without CWR, though ECE had come", near=e)
        e.slow = None


def _urgent(flow: Flow, e: Side, f: Fact) -> None:
    """The urgent pointer never goes back (RFC 9293, 3.8.5)."""
    mark = f.seq + f.segment.urgent
    if mark == f.seq >= e.top and f.data and e.syn is not None and (e.urgent is None or e.urgent <= e.una):
        flow.find("urgent-pointer-empty", e, f, f"URG with a pointer of 0, though no urgent data up to {f.seq} is outstanding", near=e)
    if e.urgent is not None and mark < e.urgent and f.seq >= e.top:
        flow.find("urgent-goes-back", e, f, f"the urgent pointer is at {mark}, it was at {e.urgent}", near=e)
    e.urgent = mark if e.urgent is None else max(mark, e.urgent)
