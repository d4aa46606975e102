"""Congestion control: RFC 5681, 6582 (NewReno), 6675 (with SACK), 6928 (initial window), 3042 (limited transmit), 3168 (ECN).

The window counts segments, as Linux's does. What has left the network is known from SACK, or guessed from duplicate acknowledgments;
the rest is one rule for both: a segment may leave while fewer are under way than the window says (RFC 6675's pipe).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack import tcp_write_queue
from conformance.stack.tcp_sock import CWND_INFINITE, MASK, CaState, after, before
from conformance.wire.segment import ECE

if TYPE_CHECKING:
    from conformance.stack.tcp_sock import Skb, TcpSock

__all__ = [
    "DUP_THRESH", "tcp_cong_avoid", "tcp_cwnd_restart_after_idle", "tcp_ecn_ack", "tcp_enter_loss",
    "tcp_fastretrans_alert", "tcp_init_transfer", "tcp_last_resort", "tcp_rearms_rto",
]  # fmt: skip

DUP_THRESH = 3
_LEAST = 2
"""Segments; RFC 5681, equation (4)."""


def _initial_window(sk: TcpSock) -> int:
    """RFC 6928, section 2. Linux takes as many segments whatever their size (TCP_INIT_CWND)."""
    most, mss = sk.net.sysctl.initial_window, sk.mss_cache
    return most if sk.net.sysctl.linux else min(most, max(2, 14600 // mss))


def tcp_init_transfer(sk: TcpSock) -> None:
    """The initial window of RFC 6928; of one segment if the SYN was lost more than once (RFC 5681, section 3.1)."""
    sk.snd_cwnd = _initial_window(sk)
    if sk.total_retrans > 1:
        sk.snd_cwnd = 1
    sk.snd_ssthresh = CWND_INFINITE
    sk.recover = (sk.snd_una - 1) & MASK
    sk.first_window = (sk.snd_una + sk.snd_cwnd * sk.mss_cache) & MASK


def _ssthresh(sk: TcpSock) -> int:
    """Half of what is under way, limited transmit's segments not counted (RFC 5681, equation (4)). Linux halves the window."""
    flight = sk.snd_cwnd if sk.net.sysctl.linux else min(len(sk.rtx_queue), sk.snd_cwnd)
    return max(flight >> 1, _LEAST)


def _restart_window(sk: TcpSock) -> int:
    """RFC 6928, section 2: the initial window, or that of RFC 3390 once a window of more than 4 KB has lost something."""
    if not sk.fall_back:
        return _initial_window(sk)
    return min(4, max(2, 4380 // sk.mss_cache))


def tcp_cwnd_restart_after_idle(sk: TcpSock) -> None:
    """RFC 5681, section 4.1: after an idle RTO the window is the restart window. Linux halves it for each such time that has passed."""
    idle = sk.net.now - sk.lsndtime
    if not sk.net.sysctl.slow_start_after_idle or not sk.lsndtime or idle <= sk.rto:
        return
    restart = min(_restart_window(sk), sk.snd_cwnd)
    if sk.net.sysctl.linux:
        restart = max(sk.snd_cwnd >> min(idle // sk.rto, 31), restart)
    sk.snd_cwnd = restart
    sk.first_window = (sk.snd_nxt + restart * sk.mss_cache) & MASK


def tcp_cong_avoid(sk: TcpSock, acked: int, flight: int) -> None:
    """The window grows by what was acknowledged, if it was the window that held back (RFC 5681, section 3.1; RFC 7661's concern)."""
    limited = sk.cwnd_limited or flight >= sk.snd_cwnd
    if sk.snd_cwnd < sk.snd_ssthresh:
        if not limited and 2 * flight <= sk.snd_cwnd:
            return
        if not sk.net.sysctl.linux:
            sk.snd_cwnd += 1  # equation (2): one segment for an acknowledgment, however many it covers
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


def _loss_seen(sk: TcpSock) -> None:
    """RFC 6928, section 2: an initial window that loses something was too large, and is not used again."""
    sk.fall_back |= not sk.net.sysctl.linux and before(sk.snd_una, sk.first_window)


def tcp_enter_loss(sk: TcpSock) -> None:
    """The retransmission timer went off, so what is under way is lost (RFC 5681, section 3.1).

    What SACK has vouched for is sent again, too, as the peer may have thrown it away (RFC 2018, section 8). Linux does so only if the
    first of it is what the peer asks for (tcp_is_sack_reneging), and takes what was a loss in fast recovery for the same loss still.
    """
    linux = sk.net.sysctl.linux
    if sk.retransmits == 0 and (not linux or sk.ca_state not in (CaState.CWR, CaState.RECOVERY) or not after(sk.high_seq, sk.snd_una)):
        sk.snd_ssthresh = _ssthresh(sk)
    _loss_seen(sk)
    reneged = not linux or (bool(sk.rtx_queue) and sk.rtx_queue[0].sacked)
    sk.snd_cwnd, sk.snd_cwnd_cnt = 1, 0
    sk.dupacks = 0
    for skb in sk.rtx_queue:
        if reneged:
            skb.sacked = False
        skb.lost, skb.in_retrans = not skb.sacked, False
    sk.ca_state = CaState.LOSS
    sk.high_seq = sk.recover = sk.snd_nxt
    sk.ecn_queue_cwr = sk.ecn_ok


def _enter_recovery(sk: TcpSock, head: Skb) -> None:
    """RFC 6675, section 5, (4); RFC 5681, section 3.2, step 2. If ECN has just halved the window, that was for the same congestion.

    The loss of what was sent since is another one (RFC 3168, section 6.1.2, "If that data packet is dropped"). Not so for Linux.
    """
    if sk.ca_state != CaState.CWR or not (before(sk.snd_una, sk.high_seq) or sk.net.sysctl.linux):
        sk.snd_ssthresh = _ssthresh(sk)
        sk.ecn_queue_cwr = sk.ecn_ok
    sk.prior_cwnd, sk.prr_delivered, sk.prr_out = sk.snd_cwnd, 0, 0
    sk.snd_cwnd_cnt = 0
    if not sk.net.sysctl.linux:
        sk.snd_cwnd = sk.snd_ssthresh
    _loss_seen(sk)
    sk.ca_state = CaState.RECOVERY
    sk.high_seq = sk.recover = sk.snd_nxt
    sk.rescue_rxt = head.end_seq
    sk.partial_acks = 0
    sk.net.count("TCPSackRecovery" if sk.sack_ok else "TCPRenoRecovery")


def _cwnd_reduction(sk: TcpSock, delivered: int, advanced: bool) -> None:
    """Linux's tcp_cwnd_reduction(): proportional rate reduction (RFC 6937), where the window follows what has arrived down to ssthresh."""
    if not delivered:
        return
    flight = sk.in_flight
    room = sk.snd_ssthresh - flight
    sk.prr_delivered += delivered
    if room < 0:
        send = -(-sk.snd_ssthresh * sk.prr_delivered // sk.prior_cwnd) - sk.prr_out
    else:
        send = min(room, max(sk.prr_delivered - sk.prr_out, delivered) + advanced)
    sk.snd_cwnd = flight + max(send, 0 if sk.prr_out else 1)


def _leave(sk: TcpSock) -> None:
    """Recovery is over: without SACK not even what little is under way lets a burst out (RFC 6582, section 3.2, step 3, (1))."""
    if sk.ca_state == CaState.RECOVERY:
        sk.snd_cwnd = sk.snd_ssthresh if sk.sack_ok or sk.net.sysctl.linux else min(sk.snd_ssthresh, max(len(sk.rtx_queue), 1) + 1)
    sk.ca_state = CaState.OPEN


def _mark_lost(sk: TcpSock) -> bool:
    """RFC 6675's IsLost(): three runs above it, or more than two segments' octets, have arrived. Is the head lost?"""
    if sk.net.sysctl.linux:
        return _mark_lost_rack(sk)
    runs = octets = 0
    run = False
    for skb in reversed(sk.rtx_queue):
        if skb.sacked:
            runs += not run
            octets += len(skb.data)
        elif runs >= DUP_THRESH or octets > (DUP_THRESH - 1) * sk.mss_cache:
            skb.lost = True
        run = skb.sacked
    return bool(sk.rtx_queue) and sk.rtx_queue[0].lost


def _mark_lost_rack(sk: TcpSock) -> bool:
    """Linux: with three segments SACKed, or in recovery, all is lost that was sent before them (RFC 8985; tcp_rack_mark_lost)."""
    sacked = [at for at, skb in enumerate(sk.rtx_queue) if skb.sacked]
    if sacked and (len(sacked) >= DUP_THRESH or sk.ca_state == CaState.RECOVERY):
        for at, skb in enumerate(sk.rtx_queue):
            skb.lost |= at < sacked[-1] and not skb.sacked
    return bool(sk.rtx_queue) and sk.rtx_queue[0].lost


def _is_over(sk: TcpSock) -> bool:
    """Is what began at ``high_seq`` over? Linux waits without SACK for something beyond it (tcp_try_undo_recovery)."""
    if sk.ca_state == CaState.CWR or (sk.net.sysctl.linux and not sk.sack_ok and sk.ca_state in (CaState.RECOVERY, CaState.LOSS)):
        return after(sk.snd_una, sk.high_seq)
    return sk.ca_state in (CaState.RECOVERY, CaState.LOSS) and not before(sk.snd_una, sk.high_seq)


def tcp_fastretrans_alert(sk: TcpSock, advanced: bool, duplicate: bool, acked: int, delivered: int) -> None:
    """What an acknowledgment says of loss.

    Args:
        advanced: SND.UNA has moved, and ``acked`` segments with it.
        duplicate: it is a duplicate: RFC 5681, section 2, says which are; with SACK each that reports something new (RFC 6675, section 2).
        delivered: so many segments have arrived that were not known to have.
    """
    if not sk.rtx_queue:
        if _is_over(sk):
            _leave(sk)
        elif sk.net.sysctl.linux and sk.ca_state == CaState.RECOVERY:
            _cwnd_reduction(sk, delivered, advanced)
        sk.dupacks = 0
        return
    if _is_over(sk):
        _leave(sk)
    if sk.net.sysctl.linux and sk.ca_state in (CaState.RECOVERY, CaState.LOSS) and not before(sk.snd_una, sk.high_seq):
        sk.dupacks = 0
        if sk.ca_state == CaState.RECOVERY:
            _cwnd_reduction(sk, delivered if advanced else 0, advanced)
        return
    if advanced and sk.ca_state in (CaState.OPEN, CaState.CWR, CaState.DISORDER):
        sk.dupacks = 0
        if sk.ca_state == CaState.DISORDER and not any(skb.sacked for skb in sk.rtx_queue):
            sk.ca_state = CaState.OPEN
    if duplicate and sk.ca_state != CaState.LOSS:
        sk.dupacks += 1
    if sk.ca_state == CaState.RECOVERY:
        _in_recovery(sk, advanced, acked)
    elif sk.ca_state != CaState.LOSS:
        _before_recovery(sk, duplicate)
    if sk.ca_state == CaState.RECOVERY and sk.net.sysctl.linux:
        _cwnd_reduction(sk, delivered, advanced)


def _before_recovery(sk: TcpSock, duplicate: bool) -> None:
    if sk.ca_state == CaState.OPEN and any(skb.sacked for skb in sk.rtx_queue):
        sk.ca_state = CaState.DISORDER
    if not duplicate:
        return
    lost = sk.sack_ok and _mark_lost(sk)
    enough = sk.dupacks >= DUP_THRESH and (sk.sack_ok or after(sk.snd_una, sk.recover))  # RFC 6582, section 3.2, step 2
    if not lost and not enough:
        return
    head = sk.rtx_queue[0]
    _enter_recovery(sk, head)
    head.lost = True
    if not sk.net.sysctl.linux:
        tcp_write_queue.tcp_retransmit_skb(sk, head)  # whatever the window says (RFC 6675, section 5, (4.3))


def _in_recovery(sk: TcpSock, advanced: bool, acked: int) -> None:
    head = sk.rtx_queue[0]
    if sk.sack_ok:
        _mark_lost(sk)
    elif advanced:
        # A partial acknowledgment: the next hole is known. The window shrinks by what was acknowledged, less a segment (RFC 6582,
        # section 3.2, step 3), which is as if so many duplicates had not come; below zero they were lost on their way.
        sk.partial_acks += 1
        sk.dupacks -= max(acked - 1, 0)
        if sk.net.sysctl.linux:
            sk.dupacks = max(sk.dupacks, 0)
        if not head.in_retrans:
            head.lost = True
            if not sk.net.sysctl.linux:
                tcp_write_queue.tcp_retransmit_skb(sk, head)


def tcp_rearms_rto(sk: TcpSock) -> bool:
    """Does an acknowledgment of new data restart the timer? Without SACK only the first in recovery (RFC 6582, section 3.2, step 3)."""
    partial = sk.ca_state == CaState.RECOVERY and not sk.sack_ok and before(sk.snd_una, sk.high_seq)
    return not partial or not sk.partial_acks or sk.net.sysctl.linux


def tcp_last_resort(sk: TcpSock) -> None:
    """RFC 6675, section 4, NextSeg(), rules (3) and (4): the pipe has room, but there is nothing lost and nothing new to fill it with."""
    if sk.ca_state != CaState.RECOVERY or not sk.sack_ok or sk.net.sysctl.linux or not sk.rtx_queue:
        return
    queue = sk.rtx_queue
    highest = next((at for at in range(len(queue) - 1, -1, -1) if queue[at].sacked), 0)
    for skb in [skb for at, skb in enumerate(queue) if at < highest and not skb.sacked and not skb.in_retrans]:
        if sk.in_flight >= sk.snd_cwnd:
            return
        tcp_write_queue.tcp_retransmit_skb(sk, skb)
    if sk.in_flight < sk.snd_cwnd and after(sk.snd_una, sk.rescue_rxt):
        last = next((skb for skb in reversed(sk.rtx_queue) if not skb.sacked), None)
        if last is not None:
            sk.rescue_rxt = sk.high_seq
            again = last.in_retrans
            tcp_write_queue.tcp_retransmit_skb(sk, last)
            last.in_retrans = again  # HighRxt stays: the pipe does not count it


def tcp_ecn_ack(sk: TcpSock, flags: int, flight: int) -> None:
    """An ECE halves the window, once a round trip, and is answered with CWR (RFC 3168, section 6.1.2). ``flight``: before it came."""
    if not sk.ecn_ok or not flags & ECE or not flight:
        return
    if sk.snd_cwnd == 1 and not sk.net.sysctl.linux:  # whose window is never halved to less than two
        sk.ecn_wait = True
    if sk.ca_state in (CaState.RECOVERY, CaState.LOSS) or (sk.ca_state == CaState.CWR and not after(sk.snd_una, sk.high_seq)):
        return
    sk.snd_ssthresh = max((sk.snd_cwnd if sk.net.sysctl.linux else min(flight, sk.snd_cwnd)) >> 1, _LEAST)
    sk.snd_cwnd, sk.snd_cwnd_cnt = sk.snd_ssthresh, 0
    sk.ca_state = CaState.CWR
    sk.high_seq = sk.snd_nxt
    sk.ecn_queue_cwr = True
