"""net/ipv4/tcp_input.c, SYN-SENT: the answer to our SYN (RFC 9293, section 3.10.7.3), or a SYN that crosses it."""

from __future__ import annotations

from conformance.stack import tcp_cong, tcp_fastopen, tcp_input, tcp_timer
from conformance.stack.tcp_ack import tcp_init_metrics, tcp_rtt_sample
from conformance.stack.tcp_data import tcp_data_queue
from conformance.stack.tcp_output import tcp_default_mss, tcp_send_ack, tcp_sync_mss, tcp_transmit_skb
from conformance.stack.tcp_sock import MASK, CaState, OptionsReceived, TcpSock, after
from conformance.stack.tcp_states import TcpState, tcp_set_state
from conformance.stack.tcp_write_queue import tcp_synack_options
from conformance.wire.segment import ACK, CWR, ECE, FIN, RST, SYN, Segment

__all__ = ["tcp_finish_connect", "tcp_rcv_synsent_state_process"]


def tcp_rcv_synsent_state_process(sk: TcpSock, skb: Segment, options: OptionsReceived) -> bool:
    """RFC 9293, 3.10.7.3. True: answer with a RST."""
    flags = skb.flags
    if flags & ACK:
        if not after(skb.ack, sk.snd_una) or after(skb.ack, sk.snd_nxt):
            return not flags & RST
        if flags & RST:
            tcp_input.tcp_reset(sk)
            return False
    elif flags & RST:
        return False
    if not flags & SYN:
        return False
    _take_syn(sk, skb, options)
    if flags & ACK:
        _syn_ack_received(sk, skb, options)
    else:
        _crossed_syn(sk)
    return False


def _take_syn(sk: TcpSock, skb: Segment, options: OptionsReceived) -> None:
    """The peer's SYN: its number, and what it offers of what we have offered."""
    sysctl = sk.net.sysctl
    sk.first_una = sk.iss
    sk.rcv_nxt = sk.rcv_wup = sk.copied_seq = (skb.seq + 1) & MASK
    sk.tstamp_ok = sysctl.timestamps and options.tsval is not None
    sk.sack_ok = sysctl.sack and options.sack_ok
    sk.wscale_ok = sysctl.window_scaling and options.wscale is not None
    sk.snd_wscale = options.wscale or 0 if sk.wscale_ok else 0
    if not sk.wscale_ok:
        sk.rcv_wscale = 0
    if sk.tstamp_ok:
        sk.ts_recent, sk.ts_recent_stamp = options.tsval, sk.net.now
    announced = options.mss or tcp_default_mss(sk)
    sk.mss_clamp = min(announced, sk.user_mss) if sk.user_mss else announced
    tcp_sync_mss(sk, sk.pmtu)
    sk.rcv_mss = min(sk.mss_cache, tcp_default_mss(sk))
    sk.snd_wnd = sk.max_window = skb.window
    sk.snd_wl1, sk.snd_wl2 = skb.seq, skb.ack if skb.flags & ACK else sk.iss


def _syn_ack_received(sk: TcpSock, skb: Segment, options: OptionsReceived) -> None:
    """The second step of the handshake: all three are done for us when its acknowledgment leaves."""
    # Who has sent a SYN that does not ask sets no ECT (RFC 3168, section 6.1.1); Linux forgets what it has sent again.
    asked_ecn = sk.net.sysctl.ecn == "on" if sk.net.sysctl.linux else bool(sk.rtx_queue and sk.rtx_queue[0].flags & ECE)
    sk.ecn_ok = asked_ecn and skb.flags & (ECE | CWR) == ECE
    sk.accecn = asked_ecn and bool(skb.flags & CWR) and sk.net.sysctl.linux
    sent = sk.rtx_queue[0] if sk.rtx_queue else None
    sk.rtx_queue, sk.snd_una = type(sk.rtx_queue)(skb for skb in sk.rtx_queue if not skb.flags & SYN), (sk.iss + 1) & MASK
    if sent is not None:
        tcp_rtt_sample(sk, sent.sent, sent.retrans > 0, options)
    sk.retransmits = 0
    sk.retrans_stamp = 0
    sk.ca_state = CaState.OPEN
    tcp_finish_connect(sk)
    tcp_init_metrics(sk)
    tcp_fastopen.tcp_rcv_fastopen_synack(sk, skb, options)  # what that sends again carries an ACK, as the connection is there
    tcp_timer.tcp_rearm_rto(sk)
    if (skb.payload or skb.flags & FIN) and not sk.net.sysctl.linux:
        tcp_data_queue(sk, skb)  # RFC 9293, 3.10.7.3: data that comes with the SYN,ACK is processed (Linux frees it)
    if sk.rcv_wup != sk.rcv_nxt or sk.snd_nxt == (sk.iss + 1) & MASK or sk.ack_pending:
        tcp_send_ack(sk)


def tcp_finish_connect(sk: TcpSock) -> None:
    """SYN-SENT is over (tcp_finish_connect)."""
    tcp_set_state(sk, TcpState.ESTABLISHED)
    tcp_cong.tcp_init_transfer(sk)
    sk.rcv_tstamp = sk.net.now
    if sk.sk_keepalive:
        tcp_timer.tcp_reset_keepalive_timer(sk, sk.keepidle)
    sk.sk_wake()


def _crossed_syn(sk: TcpSock) -> None:
    """Simultaneous open (RFC 9293, 3.5; MUST-10): answer the SYN with SYN,ACK, and wait in SYN-RECEIVED."""
    tcp_set_state(sk, TcpState.SYN_RECEIVED)
    head = sk.rtx_queue[0]
    head.flags &= ~(ECE | CWR)
    sk.retransmits = 0
    sk.retrans_stamp = sk.net.now
    tcp_transmit_skb(sk, head, tcp_synack_options(sk))
    tcp_timer.tcp_reset_xmit_timer(sk, sk.rto)
