"""net/ipv4/tcp_output.c, from the queue to the segment: when data may leave, and what is sent again."""

from __future__ import annotations

from conformance.stack import tcp_cong, tcp_fastopen, tcp_timer
from conformance.stack.route import dst_advmss, dst_mtu
from conformance.stack.tcp_output import (
    tcp_current_mss,
    tcp_options_bytes,
    tcp_select_initial_window,
    tcp_sync_mss,
    tcp_time_stamp,
    tcp_transmit_skb,
    tcp_xmit_probe_skb,
)  # fmt: skip
from conformance.stack.tcp_sock import MASK, Skb, TcpSock, after, before
from conformance.stack.tcp_states import TcpState
from conformance.wire.segment import CWR, ECE, FIN, PSH, SYN

__all__ = [
    "NAGLE_CORK", "NAGLE_OFF", "NAGLE_PUSH", "tcp_connect", "tcp_fragment", "tcp_push", "tcp_push_one", "tcp_push_pending_frames",
    "tcp_retransmit_skb", "tcp_send_fin", "tcp_send_probe0", "tcp_syn_options", "tcp_synack_options", "tcp_write_wakeup",
    "tcp_write_xmit", "tcp_xmit_retransmit_queue",
]  # fmt: skip

NAGLE_OFF, NAGLE_CORK, NAGLE_PUSH = 1, 2, 4
"""TCP_NAGLE_OFF (TCP_NODELAY), TCP_NAGLE_CORK, TCP_NAGLE_PUSH."""


def _nonagle(sk: TcpSock) -> int:
    return (NAGLE_OFF if sk.nodelay else 0) | (NAGLE_CORK if sk.cork else 0)


# Opening --------------------------------------------------------------------------------------------------------------


def tcp_syn_options(sk: TcpSock) -> bytes:
    """All that we can do is offered (RFC 7323, 2018); what the settings forbid is not."""
    sysctl = sk.net.sysctl
    return tcp_options_bytes(
        mss=sk.advmss,
        sack_ok=sysctl.sack,
        stamps=(tcp_time_stamp(sk), sk.ts_recent or 0) if sysctl.timestamps else None,
        wscale=sk.rcv_wscale if sysctl.window_scaling else None,
        cookie=sk.fastopen_cookie if sk.sk_state is TcpState.SYN_SENT and not sk.retransmits else None,
    )


def tcp_connect_init(sk: TcpSock) -> None:
    """What a connection starts with (tcp_connect_init)."""
    assert sk.dst is not None
    tcp_sync_mss(sk, dst_mtu(sk.net, sk.daddr))
    mss = dst_advmss(sk.net, sk.dst)
    sk.advmss = min(sk.user_mss, mss) if sk.user_mss else mss
    sk.rcv_wnd, sk.rcv_wscale = tcp_select_initial_window(sk, sk.advmss)
    sk.rcv_ssthresh = sk.rcv_wnd
    sk.snd_una = sk.snd_nxt = sk.iss = sk.write_seq


def tcp_connect(sk: TcpSock) -> None:
    """Build a SYN and send it off."""
    tcp_connect_init(sk)
    skb = Skb(sk.write_seq, flags=SYN)
    if sk.net.sysctl.ecn == "on":
        skb.flags |= ECE | CWR
    sk.write_seq = (sk.write_seq + 1) & MASK
    tcp_fastopen.tcp_fastopen_connect(sk)
    sk.retrans_stamp = sk.net.now
    skb.sent = skb.first_sent = sk.net.now
    if sk.fastopen_data:
        tcp_fastopen.tcp_send_syn_data(sk, skb)
    else:
        sk.rtx_queue.append(skb)
        sk.snd_nxt = sk.write_seq
        tcp_transmit_skb(sk, skb, tcp_syn_options(sk))
    tcp_timer.tcp_reset_xmit_timer(sk, sk.rto)


# Data -----------------------------------------------------------------------------------------------------------------


def tcp_fragment(skb: Skb, size: int) -> Skb:
    """Cut ``skb`` after ``size`` octets; returns the rest, which the caller puts behind it."""
    rest = Skb((skb.seq + size) & MASK, skb.data[size:], skb.flags & (FIN | PSH), skb.sent, skb.first_sent, skb.retrans)
    rest.sacked, rest.lost, rest.in_retrans, rest.urgent = skb.sacked, skb.lost, skb.in_retrans, skb.urgent
    skb.data, skb.flags, skb.urgent = skb.data[:size], skb.flags & ~(FIN | PSH), False
    return rest


def tcp_nagle_test(sk: TcpSock, skb: Skb, mss: int, nonagle: int) -> bool:
    """May a segment that is not full leave (RFC 9293, 3.7.4; SHLD-7)? Linux waits only for small ones to be acknowledged (Minshall)."""
    if len(skb.data) >= mss or skb.flags & FIN or sk.snd_up is not None or nonagle & NAGLE_PUSH:
        return True
    if nonagle & NAGLE_CORK:
        return False
    if nonagle & NAGLE_OFF or not sk.rtx_queue:
        return True
    return sk.net.sysctl.linux and not (after(sk.snd_sml, sk.snd_una) and not after(sk.snd_sml, sk.snd_nxt))


def tcp_cwnd_test(sk: TcpSock, skb: Skb) -> bool:
    """Has the congestion window room for a segment? A FIN alone needs none."""
    return sk.in_flight < sk.snd_cwnd or not skb.data


def tcp_snd_wnd_test(sk: TcpSock, skb: Skb, nonagle: int, after_full: bool) -> bool:
    """Does the peer's window take this segment? Half of the largest window takes part of it (RFC 9293, 3.8.6.2.1, (3))."""
    usable = (sk.wnd_end - skb.seq) & MASK if not after(skb.seq, sk.wnd_end) else 0  # after it: the window has shrunk
    if len(skb.data) <= usable:
        return True
    if not usable or nonagle & NAGLE_CORK:
        return False
    # Linux cuts a row of segments at the edge of the window, however little is left of it (tcp_mss_split_point).
    enough = after_full and bool(nonagle & NAGLE_OFF) if sk.net.sysctl.linux else usable >= sk.max_window >> 1 and not sk.rtx_queue
    if not enough:
        return False
    sk.write_queue.insert(1, tcp_fragment(skb, usable))
    return True


def tcp_write_xmit(sk: TcpSock, mss: int, nonagle: int) -> bool:
    """Send what the congestion window, the peer's window and Nagle's rule let leave. Is anything left?"""
    sent = False
    queue = sk.write_queue
    while queue:
        skb = queue[0]
        if sk.ecn_wait or not tcp_cwnd_test(sk, skb):
            sk.cwnd_limited = True
            break
        if len(skb.data) > mss:
            queue.insert(1, tcp_fragment(skb, mss))
        if not tcp_snd_wnd_test(sk, skb, nonagle, sent):
            break
        if not tcp_nagle_test(sk, skb, mss, nonagle if len(queue) == 1 else nonagle | NAGLE_PUSH):
            break
        queue.popleft()
        small = len(skb.data) < mss
        skb.sent = skb.first_sent = sk.net.now
        if not sk.rtx_queue:
            tcp_cong.tcp_cwnd_restart_after_idle(sk)
        tcp_transmit_skb(sk, skb)
        tcp_event_new_data_sent(sk, skb)
        if small:
            sk.snd_sml = skb.end_seq
        sent = True
    return bool(queue)


def tcp_event_new_data_sent(sk: TcpSock, skb: Skb) -> None:
    """It is under way now, and waits for its acknowledgment."""
    first = not sk.rtx_queue
    sk.rtx_queue.append(skb)
    sk.snd_nxt = skb.end_seq
    sk.prr_out += 1
    if first:
        tcp_timer.tcp_rearm_rto(sk)


def tcp_push_pending_frames(sk: TcpSock, nonagle: int | None = None) -> None:
    """Send what may leave, if there is anything."""
    if sk.write_queue:
        __tcp_push_pending_frames(sk, tcp_current_mss(sk), _nonagle(sk) if nonagle is None else nonagle)


def __tcp_push_pending_frames(sk: TcpSock, mss: int, nonagle: int) -> None:
    """If nothing may leave though nothing is under way, the window will be probed."""
    if tcp_write_xmit(sk, mss, nonagle):
        tcp_timer.tcp_check_probe_timer(sk)


def tcp_push_one(sk: TcpSock, mss: int) -> None:
    """So much stands in the queue that it need not wait for the rest of the call."""
    tcp_write_xmit(sk, mss, _nonagle(sk) | NAGLE_PUSH)


def tcp_push(sk: TcpSock, more: bool) -> None:
    """A send call is done: its last segment is pushed (RFC 9293, 3.9.1; MUST-60), and leaves unless MSG_MORE says that more comes."""
    if not sk.write_queue:
        return
    tail = sk.write_queue[-1]
    if not more and not sk.cork:
        tail.flags |= PSH
        sk.pushed_seq = sk.write_seq
    __tcp_push_pending_frames(sk, tcp_current_mss(sk), _nonagle(sk) | (NAGLE_CORK if more else 0))


def tcp_send_fin(sk: TcpSock) -> None:
    """The FIN goes with the last data if that has not left yet."""
    if sk.write_queue:
        sk.write_queue[-1].flags |= FIN
    else:
        sk.write_queue.append(Skb(sk.write_seq, flags=FIN))
    sk.write_seq = (sk.write_seq + 1) & MASK
    tcp_push_pending_frames(sk, NAGLE_OFF)


# Again ----------------------------------------------------------------------------------------------------------------


def tcp_retransmit_skb(sk: TcpSock, skb: Skb) -> bool:
    """Send a segment of the retransmission queue again; False if the peer's window has closed over it."""
    if skb.flags & SYN:
        _transmit_again(sk, skb, tcp_syn_options(sk) if sk.sk_state is TcpState.SYN_SENT else tcp_synack_options(sk))
        return True
    if before(skb.seq, sk.snd_una):
        gone = (sk.snd_una - skb.seq) & MASK
        skb.data, skb.seq = skb.data[gone:], sk.snd_una
    usable = (sk.wnd_end - skb.seq) & MASK if not after(skb.seq, sk.wnd_end) else 0
    if not usable and skb.seq != sk.snd_una:
        return False
    mss = tcp_current_mss(sk)
    size = min(mss, usable) if usable else mss
    place = sk.rtx_queue.index(skb)
    if len(skb.data) > size:
        sk.rtx_queue.insert(place + 1, tcp_fragment(skb, size))
    elif not skb.urgent:
        _collapse(sk, skb, place, size)
    _transmit_again(sk, skb, None)
    return True


def _collapse(sk: TcpSock, skb: Skb, place: int, size: int) -> None:
    """Small segments that follow go with it (tcp_retrans_try_collapse; RFC 9293, 3.8.6.2.1 leaves that open)."""
    queue = sk.rtx_queue
    while place + 1 < len(queue) and not skb.flags & FIN:
        following = queue[place + 1]
        if following.sacked or following.urgent or len(skb.data) + len(following.data) > size or not following.data:
            return
        skb.data = bytes(skb.data) + bytes(following.data)
        skb.flags |= following.flags
        following.in_retrans = True  # it is: tcp_xmit_retransmit_queue, which may be on its way to it, has nothing left to do
        del queue[place + 1]


def tcp_synack_options(sk: TcpSock) -> bytes:
    """Of the SYN,ACK of a simultaneous open: what both have offered. (A request socket has its own.)"""
    stamps = (tcp_time_stamp(sk), sk.ts_recent or 0) if sk.tstamp_ok else None
    return tcp_options_bytes(mss=sk.advmss, sack_ok=sk.sack_ok, stamps=stamps, wscale=sk.rcv_wscale if sk.wscale_ok else None)


def _transmit_again(sk: TcpSock, skb: Skb, options: bytes | None) -> None:
    skb.flags &= ~(ECE | CWR)  # of a SYN; RFC 3168, section 6.1.1.1: the path may drop SYNs that ask for ECN
    if not sk.retrans_stamp:  # of the first transmission; Linux takes that of the first retransmission (tcp_retransmit_skb)
        sk.retrans_stamp = sk.net.now if sk.net.sysctl.linux else skb.first_sent
    skb.retrans += 1
    skb.in_retrans = True
    sk.prr_out += 1
    skb.sent = sk.net.now
    sk.total_retrans += 1
    sk.net.count("RetransSegs")
    tcp_transmit_skb(sk, skb, options, retransmission=True)


def tcp_xmit_retransmit_queue(sk: TcpSock) -> None:
    """Send again what is lost, as far as the congestion window lets it (RFC 6675, section 5, (C))."""
    for skb in list(sk.rtx_queue):
        if skb.lost and not skb.in_retrans and not skb.sacked and sk.in_flight < sk.snd_cwnd and not tcp_retransmit_skb(sk, skb):
            break


# Probes ---------------------------------------------------------------------------------------------------------------


def tcp_write_wakeup(sk: TcpSock) -> None:
    """Make the peer say something: with new data if its window takes some, else with an old octet's number."""
    if sk.write_queue and before(sk.write_queue[0].seq, sk.wnd_end):
        skb, mss = sk.write_queue[0], tcp_current_mss(sk)
        usable = (sk.wnd_end - skb.seq) & MASK
        size = min(usable, mss)
        if size < len(skb.data):
            sk.write_queue.insert(1, tcp_fragment(skb, size))
        sk.write_queue.popleft()
        skb.flags |= PSH
        skb.sent = skb.first_sent = sk.net.now
        tcp_event_new_data_sent(sk, skb)
        tcp_transmit_skb(sk, skb)
        return
    if sk.snd_up is not None:
        tcp_xmit_probe_skb(sk, urgent=True)
    tcp_xmit_probe_skb(sk)


def tcp_send_probe0(sk: TcpSock) -> None:
    """Probe a closed window (RFC 9293, 3.8.6.1; MUST-36): at the RTO first, then at growing intervals (SHLD-30)."""
    tcp_write_wakeup(sk)
    if sk.rtx_queue:
        sk.probes_out = sk.backoff = 0
        sk.probes_since = 0
        return
    sk.probes_out += 1
    if sk.backoff < sk.net.sysctl.retries2:
        sk.backoff += 1
    tcp_timer.tcp_reset_probe_timer(sk)
