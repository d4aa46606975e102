"""Rules about how much may be under way after a pause, after a timeout, and after fast recovery (RFC 5681, RFC 6582).

What is allowed is the most that any window can be: the initial one of RFC 6928 and all that was acknowledged. A loss leaves at most 0.7 of
it (CUBIC, RFC 9438; RFC 5681 says half), and above that threshold it grows by at most half of what is acknowledged (RFC 9438, section 4.2).
Where timestamps or SACK can tell that a loss was none, the window may be as it was before (RFC 4015), and nothing is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.oracle.fact import Fact
from conformance.oracle.opening import initial_window, mss_of
from conformance.oracle.side import Burst, Reduced, Side, Transmission

if TYPE_CHECKING:
    from conformance.oracle.flow import Flow

__all__ = ["fast_retransmit", "judge", "timeout"]

_MS = 1_000_000
_SECOND = 1000 * _MS
_IDLE = 2 * _SECOND
"""ns without a segment after which a pause is looked at."""
_AT_ONCE = 2 * _MS
"""ns: what leaves in a shorter time than this is not paced."""
_USUAL = 20
"""Segments: twice the initial window of RFC 6928, for there are stacks that begin with more than that."""


def judge(flow: Flow, e: Side, p: Side, f: Fact, new: bool) -> None:
    """``e`` sends data: ``new``, or after a timeout what was sent before."""
    if new:
        if e.last_sent is not None and f.t - e.last_sent.t > _IDLE:
            _pause(flow, e, p, f, f.t - e.last_sent.t)
        if e.burst is not None:
            _after_pause(flow, e, f, e.burst)
        if e.recovery is not None and e.una >= e.recovery.una:
            _after_recovery(flow, e, p, f, e.recovery)
    if e.collapsed is not None:
        _after_timeout(flow, e, p, f, e.collapsed)


def timeout(flow: Flow, e: Side, p: Side, f: Fact, known: Transmission) -> None:
    """The timer, and nothing else, has made ``e`` send its left edge again. In parts: it may have probed the path's MTU (RFC 4821)."""
    e.recovery = None
    if f.seq == e.una and f.end >= known.end and (threshold := _threshold(flow, e, p)):
        e.collapsed = Reduced(e.una, threshold)


def fast_retransmit(flow: Flow, e: Side, p: Side, f: Fact, known: Transmission) -> None:
    """Duplicate ACKs have made ``e`` send its left edge again."""
    if e.recovery is None and f.end >= known.end and (threshold := _threshold(flow, e, p)):
        e.recovery = Reduced(e.top, threshold)


def _threshold(flow: Flow, e: Side, p: Side) -> int:
    """The most that a loss leaves of a window now, in octets; 0 where nobody can say."""
    if e.ts_ok or e.sack_ok or p.syn is None or e.syn is None or not flow.begun or e.syn_again or e.told:
        return 0  # what a path is too narrow for is sent again without a loss (RFC 1191, section 6.4)
    return max(7 * (initial_window(p.syn) + e.una - 1) // 10, 2 * mss_of(p.syn))


def _pause(flow: Flow, e: Side, p: Side, f: Fact, idle: int) -> None:
    """After a pause of more than an RTO the window is the initial one at most (RFC 5681, section 4.1); some halve it for each RTO."""
    known = e.syn is not None and p.syn is not None and e.samples and not (e.recover or e.syn_again)
    if not known or p.syn is None or not e.una == e.top == f.seq or e.zero_since is not None or f.t - e.cramped_t <= idle + flow.slack:
        return  # it may have waited for the peer's window, and then a window that was earned before the pause is taken up again
    high, low = e.rtt_high, e.rtt_low or 0
    rto = high + max(_SECOND, 4 * (high - low), 2 * high) + flow.slack  # the longest that RFC 6298, section 2, makes of these
    mss, left = mss_of(p.syn), (initial_window(p.syn) + e.una) >> max(idle // rto - 1, 0)
    e.burst = Burst(f.t, e.news_number, f.seq, max(_USUAL * mss, left) + mss, idle)


def _after_pause(flow: Flow, e: Side, f: Fact, burst: Burst) -> None:
    if e.news_number > burst.number or f.t - burst.t > _AT_ONCE:
        e.burst = None
    elif f.last - burst.seq > burst.most:
        octets = f.last - burst.seq
        reason = f"{octets} octets at once after a pause of {burst.idle / _SECOND:.1f} s; no window is larger than {burst.most} then"
        flow.find("restart-after-idle", e, f, reason, near=e)
        e.burst = None


def _after_timeout(flow: Flow, e: Side, p: Side, f: Fact, reduced: Reduced) -> None:
    """Slow start up to the threshold, and no faster than CUBIC above it."""
    reduced.sent += f.data
    acknowledged, threshold = e.una - reduced.una, reduced.threshold
    if p.syn is None or acknowledged > 2 * threshold:
        e.collapsed = None
        return
    mss = mss_of(p.syn)
    window = min(mss + acknowledged, threshold) + max(mss + acknowledged - threshold, 0) // 2
    under_way = reduced.sent - acknowledged
    if acknowledged > threshold - mss and under_way > window + mss:
        reason = f"{under_way} octets under way when {acknowledged} have been acknowledged since the timeout: {window} would be the most"
        flow.find("threshold-after-timeout", e, f, reason, near=e)
        e.collapsed = None


def _after_recovery(flow: Flow, e: Side, p: Side, f: Fact, reduced: Reduced) -> None:
    """The ACK of all that was under way ends fast recovery, and the window is the threshold again (RFC 6582, section 3.2)."""
    acknowledged = e.una - reduced.una
    if p.syn is None or acknowledged > 2 * reduced.threshold:
        e.recovery = None
        return
    window = reduced.threshold + acknowledged // 2
    under_way = f.last - e.una
    if under_way > window + 3 * mss_of(p.syn):  # limited transmit sends two more (RFC 3042)
        reason = f"{under_way} octets under way after fast recovery; {window} would be the most"
        flow.find("after-recovery", e, f, reason, near=e)
        e.recovery = None
