"""net/ipv4/tcp_timer.c: retransmission, zero-window probe, delayed acknowledgment, keepalive and FIN-WAIT-2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack import tcp_cong, tcp_write_queue
from conformance.stack.sysctl import MS
from conformance.stack.tcp_sock import TIMEOUT_INIT
from conformance.stack.tcp_states import TcpState

if TYPE_CHECKING:
    from conformance.stack.tcp_sock import TcpSock

__all__ = [
    "tcp_check_probe_timer", "tcp_clear_xmit_timers", "tcp_delack_timer", "tcp_keepalive_timer", "tcp_rearm_rto",
    "tcp_reset_keepalive_timer", "tcp_reset_probe_timer", "tcp_reset_xmit_timer", "tcp_write_err", "tcp_write_timer",
]  # fmt: skip

_RTO_MIN = 200 * MS
"""Linux's TCP_RTO_MIN, from which it reckons how long so many retransmissions would take, whatever rto_min is set to."""
_SYN = (TcpState.SYN_SENT, TcpState.SYN_RECEIVED)


def tcp_reset_xmit_timer(sk: TcpSock, after: int) -> None:
    """Retransmit ``after`` ns from now (inet_csk_reset_xmit_timer, ICSK_TIME_RETRANS)."""
    sk.probing = False
    sk.retransmit_timer.reset(sk.net.now + min(after, sk.net.sysctl.rto_max))


def tcp_rearm_rto(sk: TcpSock) -> None:
    """RFC 6298, section 5, (5.1) to (5.3)."""
    if sk.rtx_queue:
        tcp_reset_xmit_timer(sk, sk.rto)
    elif sk.ecn_wait:
        tcp_reset_xmit_timer(sk, sk.rto)  # RFC 3168, section 6.1.2: it starts anew with each ECE, and lets the next segment out
    elif not sk.probing:
        sk.retransmit_timer.stop()


def tcp_clear_xmit_timers(sk: TcpSock) -> None:
    """Stop them all."""
    for timer in (sk.retransmit_timer, sk.delack_timer, sk.keepalive_timer):
        timer.stop()


def tcp_write_err(sk: TcpSock) -> None:
    """The connection has failed: by what the network said, else for lack of an answer."""
    from conformance.stack.tcp import tcp_done, tcp_write_queue_purge

    sk.sk_err = sk.sk_err_soft or "ETIMEDOUT"
    tcp_write_queue_purge(sk)
    tcp_done(sk)


# Retransmission -------------------------------------------------------------------------------------------------------


def tcp_write_timer(sk: TcpSock) -> None:
    """The retransmission timer went off, as such or as that of the window probe."""
    if sk.probing:
        _probe_timer(sk)
    else:
        _retransmit_timer(sk)


def _orphan_retries(sk: TcpSock, alive: bool) -> int:
    """tcp_orphan_retries(): what the network has refused is not tried long."""
    return 0 if sk.sk_err_soft and not alive else sk.net.sysctl.orphan_retries


def _timed_out(sk: TcpSock, boundary: int, base: int) -> bool:
    """Has R2 passed? By count; Linux takes the time that so many retransmissions from ``base`` on would take (retransmits_timed_out)."""
    sysctl = sk.net.sysctl
    if not sysctl.linux:
        return sk.retransmits >= boundary
    if not sk.retransmits:
        return False
    threshold = (sysctl.rto_max // base).bit_length() - 1
    most = ((2 << min(boundary, threshold)) - 1) * base + max(boundary - threshold, 0) * sysctl.rto_max
    return sk.net.now - sk.retrans_stamp >= most


def _write_timeout(sk: TcpSock) -> bool:
    """Is it time to give up (RFC 9293, 3.8.3; MUST-20 to MUST-23)?"""
    sysctl = sk.net.sysctl
    opening = sk.sk_state in _SYN
    if opening:
        tries = sk.syn_count or sysctl.syn_retries
        linear = sysctl.syn_linear_timeouts if sk.sk_state is TcpState.SYN_SENT else 0
        expired = sk.retransmits >= tries + linear or (sysctl.linux and not sk.user_timeout and _timed_out(sk, tries, TIMEOUT_INIT))
    else:
        boundary = sysctl.retries2
        if sk.sk_dead:
            boundary = min(_orphan_retries(sk, sk.rto < sysctl.rto_max), boundary)
        expired = not sk.user_timeout and _timed_out(sk, boundary, _RTO_MIN)
    if sk.user_timeout and sk.retransmits:  # the user's word counts (RFC 9293, 3.10.8; RFC 5482)
        expired |= sk.net.now - sk.retrans_stamp >= sk.user_timeout
    if expired:
        tcp_write_err(sk)
    return expired


def _retransmit_timer(sk: TcpSock) -> None:
    """RFC 6298, section 5, (5.4) to (5.7)."""
    sysctl, now = sk.net.sysctl, sk.net.now
    waited, sk.ecn_wait = sk.ecn_wait, False
    if not sk.rtx_queue:
        if waited:
            tcp_write_queue.tcp_push_pending_frames(sk)
        return
    head = sk.rtx_queue[0]
    shut = not sk.snd_wnd and not sk.sk_dead and sk.sk_state not in _SYN
    if shut:
        # The window has closed over what is under way. As long as the peer answers at all, that is probed (MUST-35, MUST-37).
        if now - max(sk.rcv_tstamp, sk.retrans_stamp or head.sent) > sysctl.rto_max:
            tcp_write_err(sk)
            return
    elif _write_timeout(sk):
        return
    tcp_cong.tcp_enter_loss(sk)
    if not shut:  # what is beyond the edge of a window that has shrunk does not count towards R2 (SHLD-17)
        sk.retransmits += 1
    tcp_write_queue.tcp_retransmit_skb(sk, head)
    linear = sk.sk_state is TcpState.SYN_SENT and sk.retransmits <= sysctl.syn_linear_timeouts
    if not linear:
        sk.backoff += 1
        sk.rto = min(sk.rto << 1, sysctl.rto_max)
    if sk.user_timeout:
        left = max(sk.retrans_stamp + sk.user_timeout - now, MS)
        tcp_reset_xmit_timer(sk, min(sk.rto, left))
    else:
        tcp_reset_xmit_timer(sk, sk.rto)


# The closed window ----------------------------------------------------------------------------------------------------


def tcp_check_probe_timer(sk: TcpSock) -> None:
    """Nothing is under way and nothing may leave: probe when the window has been closed for an RTO (RFC 9293, 3.8.6.1; SHLD-29)."""
    if not sk.retransmit_timer.pending:
        tcp_reset_probe_timer(sk)


def tcp_reset_probe_timer(sk: TcpSock) -> None:
    """The next probe, at an interval that grows (SHLD-30)."""
    sysctl = sk.net.sysctl
    if not sk.probing:
        sk.backoff = 0  # the first one comes after the RTO, however often that was doubled before
    base = max(sk.rto, sysctl.rto_min)
    interval = min(base << sk.backoff, sysctl.rto_max)
    if sk.user_timeout and sk.probes_since:
        interval = min(interval, max(sk.probes_since + sk.user_timeout - sk.net.now, MS))
    sk.probing = True
    sk.retransmit_timer.reset(sk.net.now + interval)


def _probe_timer(sk: TcpSock) -> None:
    now, sysctl = sk.net.now, sk.net.sysctl
    if not sk.probes_since:
        sk.probes_since = now
    expired = sk.probes_out >= sysctl.retries2
    if sk.user_timeout:
        expired = now - sk.probes_since >= sk.user_timeout
    elif sk.sk_dead:
        # Nobody is left who could end it, so not even answers keep it open for ever, as they keep others (MUST-37).
        alive = sk.rto << sk.backoff < sysctl.rto_max
        most = _orphan_retries(sk, alive)
        expired = sk.probes_out >= most or (not alive and sk.backoff >= most)
    if expired:
        tcp_write_err(sk)
        return
    tcp_write_queue.tcp_send_probe0(sk)


# Acknowledgments ------------------------------------------------------------------------------------------------------


def tcp_delack_timer(sk: TcpSock) -> None:
    """What waited for company goes alone."""
    from conformance.stack.tcp_output import tcp_send_ack

    if sk.ack_pending:
        sk.pingpong = False
        tcp_send_ack(sk)
        sk.net.count("DelayedACKs")


# Keepalive, and FIN-WAIT-2 without a caller -----------------------------------------------------------------------------


def tcp_reset_keepalive_timer(sk: TcpSock, after: int) -> None:
    """inet_csk_reset_keepalive_timer()."""
    sk.keepalive_timer.reset(sk.net.now + after)


def tcp_keepalive_timer(sk: TcpSock) -> None:
    """RFC 9293, section 3.8.4; an orphan in FIN-WAIT-2 ends here, as nobody would ever end it (Linux: tcp_fin_timeout)."""
    from conformance.stack.tcp import tcp_done
    from conformance.stack.tcp_output import tcp_send_active_reset

    if sk.sk_state is TcpState.FIN_WAIT_2 and sk.sk_dead:
        tcp_done(sk)
        return
    idle = sk.net.now - max(sk.rcv_tstamp, sk.lrcvtime)
    if sk.rtx_queue or sk.write_queue:
        again = sk.keepidle  # what is under way finds out by itself whether the peer is there
    elif idle < sk.keepidle:
        again = sk.keepidle - idle
    else:
        gone = idle >= sk.user_timeout and sk.probes_out > 0 if sk.user_timeout else sk.probes_out >= sk.keepcnt
        if gone:
            tcp_send_active_reset(sk)
            tcp_write_err(sk)
            return
        tcp_write_queue.tcp_write_wakeup(sk)
        sk.probes_out += 1
        again = sk.keepintvl
    tcp_reset_keepalive_timer(sk, again)
