"""Congestion control: RFC 5681, 6582 (NewReno), 6675 (with SACK), 6928 (initial window), 3042 (limited transmit), 3168 (ECN).

The window counts segments, as Linux's does. What has left the network is known from SACK, or guessed from duplicate acknowledgments;
the rest is one rule for both: a segment may leave while fewer are under way than the window says (RFC 6675's pipe).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack import tcp_write_queue
from conformance.stack.tcp_sock import CWND_INFINITE, CaState, after, before
from conformance.wire.segment import ECE

if TYPE_CHECKING:
    from conformance.stack.tcp_sock import TcpSock

__all__ = [
    "DUP_THRESH", "tcp_cong_avoid", "tcp_cwnd_restart_after_idle", "tcp_ecn_ack", "tcp_enter_loss",
    "tcp_fastretrans_alert", "tcp_init_transfer",
]  # fmt: skip

DUP_THRESH = 3
_LEAST = 2
"""Segments; RFC 5681, equation (4)."""


def tcp_init_transfer(sk: TcpSock) -> None:
    """The initial window of RFC 6928; of one segment if the SYN was lost (RFC 5681, section 3.1)."""
    mss = max(sk.mss_cache, 1)
    sk.snd_cwnd = max(min(10 * mss, max(2 * mss, 14600)) // mss, 1)
    if sk.total_retrans > 1 or (sk.total_retrans and not sk.tstamp_ok):
        sk.snd_cwnd = 1
    sk.snd_ssthresh = CWND_INFINITE
    sk.high_seq = sk.snd_una


def _ssthresh(sk: TcpSock) -> int:
    """Half of what is under way (RFC 5681, equation (4); of the window in Linux)."""
    flight = sk.snd_cwnd if sk.net.sysctl.linux else min(len(sk.rtx_queue), sk.snd_cwnd)
    return max(flight >> 1, _LEAST)


def tcp_cwnd_restart_after_idle(sk: TcpSock) -> None:
    """RFC 5681, section 4.1: after an idle RTO the window is the restart window again."""
    if not sk.net.sysctl.slow_start_after_idle or sk.rtx_queue or not sk.lsndtime or sk.net.now - sk.lsndtime <= sk.rto:
        return
    restart = 10
    if sk.snd_cwnd > restart:
        sk.snd_ssthresh = max(sk.snd_ssthresh, (sk.snd_cwnd * 3) >> 2) if sk.snd_ssthresh != CWND_INFINITE else sk.snd_ssthresh
        sk.snd_cwnd = restart
        sk.snd_cwnd_cnt = 0


def tcp_cong_avoid(sk: TcpSock, acked: int, flight: int) -> None:
    """The window grows by what was acknowledged, if it was the window that held back (RFC 5681, section 3.1; RFC 7661's concern)."""
    limited = sk.cwnd_limited or flight >= sk.snd_cwnd
    if sk.snd_cwnd < sk.snd_ssthresh:
        if not limited and 2 * flight <= sk.snd_cwnd:
            return
        grow = min(acked, sk.snd_ssthresh - sk.snd_cwnd)
        sk.snd_cwnd += grow
        acked -= grow
    if not limited or not acked:
        return
    sk.snd_cwnd_cnt += acked
    if sk.snd_cwnd_cnt >= sk.snd_cwnd:
        sk.snd_cwnd_cnt -= sk.snd_cwnd
        sk.snd_cwnd += 1


def tcp_enter_loss(sk: TcpSock) -> None:
    """The retransmission timer went off: all that SACK does not vouch for is lost (RFC 5681, section 3.1; RFC 6675, section 5.1)."""
    if sk.ca_state < CaState.LOSS or not after(sk.high_seq, sk.snd_una):
        sk.snd_ssthresh = _ssthresh(sk)
    sk.snd_cwnd, sk.snd_cwnd_cnt = 1, 0
    sk.dupacks = 0
    for skb in sk.rtx_queue:
        skb.lost, skb.in_retrans = not skb.sacked, False
    sk.ca_state = CaState.LOSS
    sk.high_seq = sk.snd_nxt
    sk.ecn_queue_cwr = False


def _enter_recovery(sk: TcpSock) -> None:
    sk.snd_ssthresh = _ssthresh(sk)
    sk.snd_cwnd, sk.snd_cwnd_cnt = sk.snd_ssthresh, 0
    sk.ca_state = CaState.RECOVERY
    sk.high_seq = sk.snd_nxt
    sk.ecn_queue_cwr = sk.ecn_ok
    sk.net.count("TCPSackRecovery" if sk.sack_ok else "TCPRenoRecovery")


def _leave(sk: TcpSock) -> None:
    """Recovery is over (RFC 6582, section 3.2, step 3; RFC 6675, section 5)."""
    if sk.ca_state == CaState.RECOVERY:
        sk.snd_cwnd = min(sk.snd_ssthresh, max(len(sk.rtx_queue), 1) + 1) if sk.rtx_queue else sk.snd_ssthresh
    sk.ca_state = CaState.OPEN
    sk.dupacks = 0
    for skb in sk.rtx_queue:
        skb.lost = skb.in_retrans = False
    if any(skb.sacked for skb in sk.rtx_queue):
        sk.ca_state = CaState.DISORDER


def _mark_lost(sk: TcpSock) -> bool:
    """RFC 6675's IsLost(): three segments above it, or more than two segments' octets, have arrived. Is the head lost?"""
    above = octets = 0
    mss = max(sk.mss_cache, 1)
    for skb in reversed(sk.rtx_queue):
        if skb.sacked:
            above += 1
            octets += len(skb.data)
        elif not skb.lost and (above >= DUP_THRESH or octets > (DUP_THRESH - 1) * mss):
            skb.lost = True
    return bool(sk.rtx_queue) and sk.rtx_queue[0].lost


def tcp_fastretrans_alert(sk: TcpSock, advanced: bool, duplicate: bool) -> None:
    """What an acknowledgment says of loss. ``advanced``: SND.UNA moved; ``duplicate``: it is a duplicate (RFC 5681, section 2)."""
    if not sk.rtx_queue:
        if sk.ca_state != CaState.OPEN and (sk.ca_state == CaState.CWR or not before(sk.snd_una, sk.high_seq)):
            _leave(sk)
        sk.dupacks = 0
        return
    if (sk.ca_state in (CaState.RECOVERY, CaState.LOSS) and not before(sk.snd_una, sk.high_seq)) or (
        sk.ca_state == CaState.CWR and after(sk.snd_una, sk.high_seq)
    ):
        _leave(sk)
    if advanced and sk.ca_state in (CaState.OPEN, CaState.CWR, CaState.DISORDER):
        sk.dupacks = 0
        if sk.ca_state == CaState.DISORDER and not any(skb.sacked for skb in sk.rtx_queue):
            sk.ca_state = CaState.OPEN
    if duplicate and sk.ca_state != CaState.LOSS:
        sk.dupacks += 1
    if sk.ca_state == CaState.LOSS:
        if sk.sack_ok:
            _mark_lost(sk)
    elif sk.ca_state == CaState.RECOVERY:
        _in_recovery(sk, advanced)
    else:
        _before_recovery(sk)
    tcp_write_queue.tcp_xmit_retransmit_queue(sk)


def _before_recovery(sk: TcpSock) -> None:
    sacked = sk.sack_ok and any(skb.sacked for skb in sk.rtx_queue)
    if sacked and sk.ca_state == CaState.OPEN:
        sk.ca_state = CaState.DISORDER
    reno = sk.dupacks >= DUP_THRESH and not before(sk.snd_una, sk.high_seq)  # RFC 6582, section 3.2, step 2
    if not (_mark_lost(sk) if sk.sack_ok else reno):
        return
    head = sk.rtx_queue[0]
    _enter_recovery(sk)
    head.lost = True
    tcp_write_queue.tcp_retransmit_skb(sk, head)  # whatever the window says (RFC 6675, section 5, (4.3))


def _in_recovery(sk: TcpSock, advanced: bool) -> None:
    head = sk.rtx_queue[0]
    if sk.sack_ok:
        _mark_lost(sk)
        return
    if advanced:  # a partial acknowledgment: the next hole is known (RFC 6582, section 3.2, step 3)
        sk.dupacks = max(sk.dupacks - 1, 0)
        if not head.in_retrans:
            head.lost = True
            tcp_write_queue.tcp_retransmit_skb(sk, head)


def tcp_ecn_ack(sk: TcpSock, flags: int) -> None:
    """An ECE halves the window, once a round trip, and is answered with CWR (RFC 3168, section 6.1.2)."""
    if not sk.ecn_ok or not flags & ECE or sk.ca_state in (CaState.CWR, CaState.RECOVERY, CaState.LOSS) or not sk.rtx_queue:
        return
    sk.snd_ssthresh = _ssthresh(sk)
    sk.snd_cwnd, sk.snd_cwnd_cnt = sk.snd_ssthresh, 0
    sk.ca_state = CaState.CWR
    sk.high_seq = sk.snd_nxt
    sk.ecn_queue_cwr = True
