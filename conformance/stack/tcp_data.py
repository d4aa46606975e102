"""net/ipv4/tcp_input.c, what a segment brings: data in order and out of order, urgent data, the FIN, and when that is acknowledged."""

from __future__ import annotations

from conformance.stack.sock import Shutdown
from conformance.stack.tcp_output import MAX_BLOCKS, tcp_send_ack, tcp_win_from_space, tcp_window_to_offer
from conformance.stack.tcp_sock import ATO, MASK, TcpSock, after, before
from conformance.stack.tcp_states import TcpState, tcp_set_state
from conformance.wire.segment import CWR, FIN, URG, Segment

__all__ = [
    "tcp_ack_snd_check", "tcp_data_queue", "tcp_ecn_check_ce", "tcp_enter_quickack", "tcp_event_data_recv", "tcp_fin", "tcp_queue_rcv",
    "tcp_urg",
]  # fmt: skip

_QUICK_ACKS = 16
_OFO_BLOCK = 512
"""Octets of buffer for which one more hole in the data is remembered: a block costs memory beside its octets."""


# What is acknowledged, and when -----------------------------------------------------------------------------------------


def tcp_enter_quickack(sk: TcpSock, most: int = _QUICK_ACKS) -> None:
    """Acknowledge at once for a while: the peer is beginning, or has lost something (tcp_enter_quickack_mode)."""
    _incr_quickack(sk, most)
    sk.pingpong = False


def _incr_quickack(sk: TcpSock, most: int) -> None:
    quick = tcp_win_from_space(sk) // (2 * max(sk.rcv_mss, 1)) or 2
    sk.quick_acks = max(sk.quick_acks, min(quick, most))


def tcp_event_data_recv(sk: TcpSock, length: int) -> None:
    """Data came: an acknowledgment is due (tcp_event_data_recv, tcp_measure_rcv_mss)."""
    sk.ack_pending = True
    if length >= sk.rcv_mss:
        sk.rcv_mss = min(length, max(sk.advmss, sk.rcv_mss))
    if not sk.lrcvtime and sk.net.sysctl.linux:
        sk.window_clamp = 0  # tcp_measure_rcv_mss() sets another one with the first data, whatever the caller had set
    if sk.rcv_ssthresh < (space := tcp_win_from_space(sk)):
        sk.rcv_ssthresh = min(sk.rcv_ssthresh + 2 * sk.advmss, space)
    if not sk.lrcvtime:  # the peer is beginning, and wants its window to grow
        _incr_quickack(sk, _QUICK_ACKS)
    sk.lrcvtime = sk.net.now


def tcp_ack_snd_check(sk: TcpSock) -> None:
    """Acknowledge now, or soon (RFC 9293, 3.8.6.3; RFC 5681, section 4.2): every second full segment, and at once what is out of order."""
    if not sk.ack_pending:
        return
    unacknowledged = (sk.rcv_nxt - sk.rcv_wup) & MASK
    quick = sk.quickack is True or (sk.quick_acks > 0 and not sk.pingpong)
    full = unacknowledged > sk.rcv_mss and tcp_window_to_offer(sk) >= sk.rcv_wnd
    if unacknowledged >= 2 * sk.rcv_mss and not sk.net.sysctl.linux:  # Linux waits for a read if the right edge would not advance
        full = True
    if quick or full or sk.ofo_queue or sk.dsack is not None:
        tcp_send_ack(sk)
    elif not sk.delack_timer.pending:
        sk.delack_timer.reset(sk.net.now + ATO)


def tcp_ecn_check_ce(sk: TcpSock, skb: Segment) -> None:
    """Congestion experienced: say so until the peer says CWR (RFC 3168, section 6.1.3)."""
    if skb.flags & CWR:
        sk.ecn_demand_cwr = False
    if skb.tos & 3 == 3 and skb.payload:
        sk.ecn_demand_cwr = True


# Data -------------------------------------------------------------------------------------------------------------------


def tcp_data_queue(sk: TcpSock, skb: Segment) -> None:
    """The text and the FIN of an acceptable segment (RFC 9293, 3.10.7.4, seventh and eighth)."""
    seq, data, fin = skb.seq + (skb.flags >> 1 & 1) & MASK, skb.payload, bool(skb.flags & FIN)
    end = (seq + len(data) + fin) & MASK
    if seq == end:
        return
    window = sk.receive_window
    if sk.net.sysctl.linux and not after(end, sk.rcv_nxt):  # by the RFC such a segment is not acceptable, and does not come here
        _duplicate(sk, seq, end)
        return
    if sk.net.sysctl.linux and not before(seq, sk.rcv_nxt + max(window, 1) & MASK):  # nor does one at the right edge
        tcp_enter_quickack(sk)
        sk.ack_pending = True
        return
    if window or not sk.net.sysctl.linux:  # what is outside of the window counts for nothing, but for probes (RFC 3168, 6.1.5, 6.1.6)
        tcp_ecn_check_ce(sk, skb)
    if before(seq, sk.rcv_nxt):  # the front of it is here already
        gone = (sk.rcv_nxt - seq) & MASK
        _tell_twice(sk, seq, sk.rcv_nxt)
        data, seq = data[gone:], sk.rcv_nxt
    room = window - ((seq - sk.rcv_nxt) & MASK)
    if len(data) + fin > room and not sk.net.sysctl.linux:  # what is beyond the window is not taken; what _sequence_linux lets pass is
        data, fin = data[:room], False
        if not data:
            tcp_enter_quickack(sk)
            sk.ack_pending = True
            return
    if seq == sk.rcv_nxt:
        _queue_in_order(sk, data, fin)
    else:
        _queue_out_of_order(sk, seq, data, fin)


def _duplicate(sk: TcpSock, seq: int, end: int) -> None:
    """All of it is here: the peer lacks our acknowledgment. A D-SACK tells what came twice (RFC 2883)."""
    _tell_twice(sk, seq, end)
    tcp_enter_quickack(sk)
    sk.ack_pending = True
    tcp_send_ack(sk)


def _tell_twice(sk: TcpSock, seq: int, end: int) -> None:
    """These octets came again: the next acknowledgment says so; of several rows of them the first (RFC 2883, section 4)."""
    if sk.sack_ok and sk.net.sysctl.dsack and sk.dsack is None and before(seq, end):
        sk.dsack = seq, end


def tcp_queue_rcv(sk: TcpSock, data: bytes) -> None:
    """Data in order, for the caller."""
    sk.receive_queue += data
    sk.rcv_nxt = (sk.rcv_nxt + len(data)) & MASK
    tcp_event_data_recv(sk, len(data))
    sk.sk_wake()


def _queue_in_order(sk: TcpSock, data: bytes, fin: bool) -> None:
    if data:
        tcp_queue_rcv(sk, data)
    if sk.ofo_queue and not fin:
        fin = _take_from_ofo(sk)
    if fin:
        sk.ofo_queue.clear()
        sk.sack_blocks.clear()
        sk.ofo_size = 0
        tcp_fin(sk)


def _take_from_ofo(sk: TcpSock) -> bool:
    """What has become in order joins the rest (tcp_ofo_queue). Was there a FIN behind it?"""
    fin = False
    came_to = sk.rcv_nxt
    while sk.ofo_queue and not after(sk.ofo_queue[0][0], sk.rcv_nxt) and not fin:
        seq, data, fin = sk.ofo_queue.pop(0)
        sk.ofo_size -= len(data)
        end = (seq + len(data)) & MASK
        _tell_twice(sk, seq, end if before(end, came_to) else came_to)
        new = data[(sk.rcv_nxt - seq) & MASK :] if seq != sk.rcv_nxt else data
        sk.receive_queue += new
        sk.rcv_nxt = (sk.rcv_nxt + len(new)) & MASK
    sk.sack_blocks = [block for block in sk.sack_blocks if after(block[1], sk.rcv_nxt)]
    if not sk.ofo_queue:
        tcp_enter_quickack(sk, 1)
    return fin


def _queue_out_of_order(sk: TcpSock, seq: int, data: bytes, fin: bool) -> None:
    """Keep what came early, joined to what it touches; the newest block is told first (RFC 2018, section 4)."""
    tcp_enter_quickack(sk)
    sk.ack_pending = True
    segment, end = seq, (seq + len(data)) & MASK
    segment_end = (end + fin) & MASK
    keep_before, touching, keep_after = [], [], []
    for block in sk.ofo_queue:
        if before((block[0] + len(block[1])) & MASK, seq):
            keep_before.append(block)
        elif after(block[0], end):
            keep_after.append(block)
        else:
            touching.append(block)
    for start, held, _ in touching:
        stop = (start + len(held)) & MASK
        _tell_twice(sk, start if after(start, seq) else seq, stop if before(stop, end) else end)
    if not touching and len(sk.ofo_queue) >= max(16, tcp_win_from_space(sk) // _OFO_BLOCK):
        return  # so many holes that remembering one more would cost more than its octets
    seq, data, fin = _joined(seq, data, fin, touching)
    sk.ofo_queue = [*keep_before, (seq, data, fin), *keep_after]
    sk.ofo_size = sum(len(block[1]) for block in sk.ofo_queue)
    if sk.sack_ok:
        _sack_new(sk, segment, segment_end)


def _sack_new(sk: TcpSock, seq: int, end: int) -> None:
    """The block to report first. Linux remembers four, and joins a segment to those only (tcp_sack_new_ofo_skb)."""
    apart = []
    for block in sk.sack_blocks:
        if before(block[1], seq) or after(block[0], end):
            apart.append(block)
        else:
            seq = block[0] if before(block[0], seq) else seq
            end = block[1] if after(block[1], end) else end
    sk.sack_blocks = [(seq, end), *apart]
    if sk.net.sysctl.linux:
        del sk.sack_blocks[MAX_BLOCKS:]


def _joined(seq: int, data: bytes, fin: bool, touching: list[tuple[int, bytes, bool]]) -> tuple[int, bytes, bool]:
    """One block of what touches; where two say different things of an octet the older counts."""
    if not touching:
        return seq, data, fin
    first = touching[0][0]
    start = first if before(first, seq) else seq
    whole = bytearray((seq - start) & MASK) + data
    for block_seq, block, block_fin in touching:
        at = (block_seq - start) & MASK
        whole[at : at + len(block)] = block
        fin |= block_fin
    return start, bytes(whole), fin


# The end, and what is urgent --------------------------------------------------------------------------------------------


def tcp_fin(sk: TcpSock) -> None:
    """The peer has no more data (RFC 9293, 3.10.7.4, eighth)."""
    from conformance.stack.tcp_minisocks import tcp_time_wait

    sk.rcv_nxt = (sk.rcv_nxt + 1) & MASK
    sk.ack_pending = sk.fin_received = True
    sk.sk_shutdown |= Shutdown.RCV
    state = sk.sk_state
    if state in (TcpState.SYN_RECEIVED, TcpState.ESTABLISHED):
        tcp_set_state(sk, TcpState.CLOSE_WAIT)
        sk.pingpong = True  # the caller will soon close, too
    elif state is TcpState.FIN_WAIT_1:
        tcp_send_ack(sk)
        tcp_set_state(sk, TcpState.CLOSING)
    elif state is TcpState.FIN_WAIT_2:
        tcp_send_ack(sk)
        tcp_time_wait(sk)
    sk.sk_wake()


def tcp_urg(sk: TcpSock, skb: Segment) -> None:
    """The urgent pointer names the octet after the last urgent one (RFC 9293, 3.8.5), and that is kept aside unless SO_OOBINLINE is on."""
    if skb.flags & URG and skb.urgent:
        _check_urg(sk, (skb.seq + skb.urgent - 1) & MASK)
    if sk.urg_seq is not None and sk.urg_data is None:
        at = (sk.urg_seq - skb.seq) & MASK
        if at < len(skb.payload):
            sk.urg_data = skb.payload[at]
            sk.sk_wake()


def _check_urg(sk: TcpSock, at: int) -> None:
    """tcp_check_urg(): a new urgent octet; an old one that was not read is ordinary data from now on."""
    if before(at, sk.rcv_nxt):
        return
    if sk.urg_seq is not None and not after(at, sk.urg_seq):
        return
    if sk.urg_seq == sk.copied_seq and sk.urg_data is not None and not sk.oobinline and sk.copied_seq != sk.rcv_nxt and sk.receive_queue:
        del sk.receive_queue[:1]
        sk.copied_seq = (sk.copied_seq + 1) & MASK
    sk.urg_seq, sk.urg_data = at, None
    sk.sk_wake()
