"""net/ipv4/tcp_input.c, the way of one segment up: is it acceptable, and what does it change (RFC 9293, section 3.10.7)."""

from __future__ import annotations

from conformance.stack import tcp_cong, tcp_synsent, tcp_timer
from conformance.stack.sock import Shutdown
from conformance.stack.sysctl import SECOND
from conformance.stack.tcp import tcp_done, tcp_write_queue_purge
from conformance.stack.tcp_ack import oow_rate_limited, tcp_ack, tcp_init_metrics, tcp_send_challenge_ack
from conformance.stack.tcp_data import tcp_ack_snd_check, tcp_data_queue, tcp_queue_rcv, tcp_urg
from conformance.stack.tcp_minisocks import tcp_time_wait
from conformance.stack.tcp_options import tcp_parse_options, ts_older
from conformance.stack.tcp_output import tcp_send_ack, tcp_sync_mss
from conformance.stack.tcp_send import tcp_check_space
from conformance.stack.tcp_sock import MASK, CaState, OptionsReceived, TcpSock, after, before
from conformance.stack.tcp_states import TcpState, tcp_set_state
from conformance.stack.tcp_write_queue import tcp_push_pending_frames
from conformance.wire.segment import ACK, FIN, PSH, RST, SYN, Segment

__all__ = ["tcp_data_snd_check", "tcp_rcv_established", "tcp_rcv_state_process", "tcp_reset"]

_PAWS_24DAYS = 24 * 24 * 3600 * SECOND
"""RFC 7323, section 5.5: what was heard so long ago says nothing."""
_S = TcpState


# Is it acceptable? ------------------------------------------------------------------------------------------------------


def _seg_len(skb: Segment) -> int:
    return len(skb.payload) + (skb.flags & FIN) + (skb.flags >> 1 & 1)


def tcp_sequence(sk: TcpSock, skb: Segment) -> bool:
    """RFC 9293, 3.10.7.4, first: the table of four rows. With a closed window an acknowledgment at RCV.NXT still counts (MUST-66)."""
    window, length, seq, nxt = sk.receive_window, _seg_len(skb), skb.seq, sk.rcv_nxt
    if sk.net.sysctl.linux:
        return _sequence_linux(sk, seq, seq + length & MASK, skb.flags & FIN)
    if not window:
        return seq == nxt
    if (seq - nxt) & MASK < window:
        return True
    return length > 0 and (seq + length - 1 - nxt) & MASK < window


def _sequence_linux(sk: TcpSock, seq: int, end: int, fin: int) -> bool:
    """Linux counts both edges to the window, forgives a FIN behind it, and data that reaches over it while nothing is unread."""
    edge = (sk.rcv_nxt + sk.receive_window) & MASK
    if before(end, sk.rcv_wup):
        return False
    if not after((end - fin) & MASK, edge):
        return True
    return not after(seq, edge) and not sk.receive_queue and not sk.fin_received


def tcp_paws_reject(sk: TcpSock, options: OptionsReceived) -> bool:
    """RFC 7323, section 5.3, R1: a timestamp from before the newest means an old duplicate."""
    if sk.ts_recent is None or options.tsval is None or sk.net.now - sk.ts_recent_stamp > _PAWS_24DAYS:
        return False
    slack = 1 if sk.net.sysctl.linux else 0  # TCP_PAWS_WINDOW
    return ts_older(options.tsval, sk.ts_recent, slack)


def tcp_validate_incoming(sk: TcpSock, skb: Segment, options: OptionsReceived) -> bool:
    """May the segment be processed? What must be answered nevertheless is, here: duplicates, RST and SYN that may be forged (RFC 5961)."""
    flags = skb.flags
    if sk.tstamp_ok and not flags & RST:
        if options.tsval is None:
            if not sk.net.sysctl.linux:
                return False  # RFC 7323, section 3.2: silently
        elif tcp_paws_reject(sk, options):
            sk.net.count("PAWSEstab")
            if flags & SYN:
                tcp_send_challenge_ack(sk)
            else:
                _send_dupack(sk, skb)
            return False
    if not tcp_sequence(sk, skb):
        if flags & RST:
            _late_rst(sk, skb)
        elif flags & SYN and not _crossed_syn_ack(sk, skb):
            tcp_send_challenge_ack(sk)
        elif _crossed_syn_ack(sk, skb):
            return True
        else:
            _send_dupack(sk, skb)
        return False
    if flags & RST:
        if skb.seq == sk.rcv_nxt or _rst_at_sack(sk, skb):
            tcp_reset(sk)
        elif (skb.seq - sk.rcv_nxt) & MASK < sk.receive_window or sk.net.sysctl.linux:  # it is the number that counts, not the text
            tcp_send_challenge_ack(sk)
        return False
    if flags & SYN and not _crossed_syn_ack(sk, skb):
        tcp_send_challenge_ack(sk)
        return False
    return True


def _says_nothing(sk: TcpSock, skb: Segment) -> bool:
    """Linux drops a segment without ACK, SYN and RST before it looks at its sequence number; by the RFC that comes after it (fifth)."""
    return sk.net.sysctl.linux and not skb.flags & (ACK | SYN | RST)


def _crossed_syn_ack(sk: TcpSock, skb: Segment) -> bool:
    """The SYN,ACK of a simultaneous open (RFC 9293, figure 8): its SYN is known, its ACK is news."""
    return (
        sk.sk_state is _S.SYN_RECEIVED
        and skb.flags & (SYN | ACK) == SYN | ACK
        and (skb.seq + 1) & MASK == sk.rcv_nxt
        and skb.ack == sk.snd_nxt
        and not skb.payload
    )


def _rst_at_sack(sk: TcpSock, skb: Segment) -> bool:
    """Linux takes a RST right behind the newest SACK block for one from the peer, which has no other number to give (tcp_reset_check)."""
    return (
        sk.net.sysctl.linux
        and sk.sack_ok
        and bool(sk.sack_blocks)
        and skb.seq == max(sk.sack_blocks, key=lambda block: (block[1] - sk.rcv_nxt) & MASK)[1]
    )


def _late_rst(sk: TcpSock, skb: Segment) -> None:
    """Linux obeys a RST with the number of the FIN before it (tcp_reset_check); others are dropped (RFC 9293, 3.10.7.4, second)."""
    after_fin = sk.sk_state in (_S.CLOSE_WAIT, _S.LAST_ACK, _S.CLOSING)
    if sk.net.sysctl.linux and after_fin and skb.seq == (sk.rcv_nxt - 1) & MASK:
        tcp_reset(sk)


def _send_dupack(sk: TcpSock, skb: Segment) -> None:
    """Tell the peer where we are (RFC 9293, 3.10.7.4, first). Linux answers what carries no data now and then only."""
    if not skb.payload and not skb.flags & FIN and sk.net.sysctl.linux and oow_rate_limited(sk):
        return
    if sk.sack_ok and sk.net.sysctl.dsack and skb.payload and before(skb.seq, sk.rcv_nxt):
        end = (skb.seq + len(skb.payload)) & MASK
        sk.dsack = (skb.seq, sk.rcv_nxt if after(end, sk.rcv_nxt) else end)
    tcp_send_ack(sk)


def tcp_replace_ts_recent(sk: TcpSock, skb: Segment, options: OptionsReceived) -> None:
    """RFC 7323, section 4.3, (2): the timestamp of a segment that reaches to the last acknowledgment, and not beyond it.

    It is not older than what is known, or PAWS would not have let it pass. Linux lets pass what is a tick older, and does not keep it.
    """
    if options.tsval is None or not sk.tstamp_ok or after(skb.seq, sk.rcv_wup):
        return
    if (
        sk.net.sysctl.linux
        and sk.ts_recent is not None
        and sk.net.now - sk.ts_recent_stamp <= _PAWS_24DAYS
        and ts_older(options.tsval, sk.ts_recent)
    ):
        return
    sk.ts_recent, sk.ts_recent_stamp = options.tsval, sk.net.now


def tcp_reset(sk: TcpSock) -> None:
    """The peer has reset the connection (RFC 9293, 3.10.7.4, second): all that was queued is flushed."""
    refused = (_S.SYN_SENT,) if sk.net.sysctl.linux else (_S.SYN_SENT, _S.SYN_RECEIVED)
    if sk.sk_state in refused:
        error = "ECONNREFUSED"
    elif sk.sk_state is _S.CLOSE_WAIT:
        error = "EPIPE"
    elif sk.sk_state is _S.CLOSED:
        return
    else:
        error = "ECONNRESET"
    sk.sk_err = error
    tcp_write_queue_purge(sk)
    tcp_done(sk)


# ESTABLISHED ------------------------------------------------------------------------------------------------------------


def tcp_rcv_established(sk: TcpSock, skb: Segment) -> None:
    """The common case. Data in order that says nothing else takes a short way (header prediction)."""
    options = tcp_parse_options(skb)
    if skb.payload and _predicted(sk, skb, options):
        if not sk.net.sysctl.linux:  # the peer is there; of Linux only tcp_ack() notes it
            sk.rcv_tstamp = sk.net.now
            sk.probes_out = 0
        sk.snd_wl1, sk.snd_wl2 = skb.seq, skb.ack
        tcp_queue_rcv(sk, skb.payload)
        tcp_ack_snd_check(sk)
        return
    if _says_nothing(sk, skb) or not tcp_validate_incoming(sk, skb, options) or not skb.flags & ACK:
        return
    tcp_replace_ts_recent(sk, skb, options)
    if not tcp_ack(sk, skb, options):
        if after(skb.ack, sk.snd_nxt):
            tcp_send_challenge_ack(sk)
        return
    _step6(sk, skb)


def _predicted(sk: TcpSock, skb: Segment, options: OptionsReceived) -> bool:
    """Is it data in order, that fits, and acknowledges nothing new with the same window? Most of a transfer's segments are (pred_flags)."""
    if (
        skb.seq != sk.rcv_nxt
        or skb.ack != sk.snd_una
        or skb.flags & ~PSH != ACK
        or sk.ofo_queue
        or sk.urg_seq is not None
        or skb.window << sk.snd_wscale != sk.snd_wnd
        or len(skb.payload) > sk.receive_window
        or options.sacks
        or skb.tos & 3 == 3
        or sk.sk_err_soft
    ):
        return False
    if not sk.tstamp_ok:
        return True
    if options.tsval is None or sk.ts_recent is None or ts_older(options.tsval, sk.ts_recent):
        return False
    tcp_replace_ts_recent(sk, skb, options)
    return True


def _step6(sk: TcpSock, skb: Segment) -> None:
    """Urgent data, data, and what can be sent now."""
    tcp_urg(sk, skb)
    tcp_data_queue(sk, skb)
    tcp_data_snd_check(sk)
    tcp_ack_snd_check(sk)


def tcp_data_snd_check(sk: TcpSock) -> None:
    """The window or the congestion window may have opened, and the caller may have room to write."""
    if sk.write_queue:
        tcp_push_pending_frames(sk)
    if sk.ca_state == CaState.RECOVERY:
        tcp_cong.tcp_last_resort(sk)
    tcp_check_space(sk)


# The other states -------------------------------------------------------------------------------------------------------


def tcp_rcv_state_process(sk: TcpSock, skb: Segment) -> bool:
    """A segment in any state but ESTABLISHED and TIME-WAIT. True: answer it with a RST, unless it is one."""
    if sk.sk_state is _S.CLOSED:
        return False
    if sk.sk_state is _S.LISTEN:  # RFC 9293, 3.10.7.2; Linux drops a SYN with FIN, which can only be a scan
        if skb.flags & (SYN | ACK | RST) == SYN and not (skb.flags & FIN and sk.net.sysctl.linux):
            from conformance.stack.tcp_ipv4 import tcp_v4_conn_request  # which needs this module

            tcp_v4_conn_request(sk, skb)
        return bool(skb.flags & ACK)
    options = tcp_parse_options(skb)
    if sk.sk_state is _S.SYN_SENT:
        return tcp_synsent.tcp_rcv_synsent_state_process(sk, skb, options)
    if _says_nothing(sk, skb) or not tcp_validate_incoming(sk, skb, options) or not skb.flags & ACK:
        return False
    tcp_replace_ts_recent(sk, skb, options)
    if sk.sk_state is _S.SYN_RECEIVED:
        if not _acceptable_in_syn_received(sk, skb):
            return True
        _syn_received_acked(sk, skb, options)
    elif not tcp_ack(sk, skb, options):
        if after(skb.ack, sk.snd_nxt):
            tcp_send_challenge_ack(sk)
        return False
    if not _after_ack(sk):
        return False
    open_for_data = sk.sk_state in (_S.ESTABLISHED, _S.FIN_WAIT_1, _S.FIN_WAIT_2)
    if open_for_data or sk.net.sysctl.linux:  # the sixth step ignores URG behind the peer's FIN, Linux does not
        tcp_urg(sk, skb)
    if _data_after_close(sk, skb):
        sk.net.count("TCPAbortOnData")
        tcp_reset(sk)
        return True
    if open_for_data or (before(skb.seq, sk.rcv_nxt) and sk.net.sysctl.linux):
        tcp_data_queue(sk, skb)
    if sk.sk_state not in (_S.CLOSED, _S.TIME_WAIT):
        tcp_data_snd_check(sk)
        tcp_ack_snd_check(sk)
    return False


def _acceptable_in_syn_received(sk: TcpSock, skb: Segment) -> bool:
    """SND.UNA < SEG.ACK ≤ SND.NXT (RFC 9293, 3.10.7.4, fifth). Linux's tcp_ack() takes SND.UNA itself, too."""
    low = not before(skb.ack, sk.snd_una) if sk.net.sysctl.linux else after(skb.ack, sk.snd_una)
    return low and not after(skb.ack, sk.snd_nxt)


def _syn_received_acked(sk: TcpSock, skb: Segment, options: OptionsReceived) -> None:
    """Our SYN is acknowledged: the connection is established."""
    tcp_ack(sk, skb, options)
    unscaled = skb.flags & SYN and not sk.net.sysctl.linux  # RFC 7323, section 2.2; Linux scales that of a crossed SYN,ACK, too
    sk.snd_wnd = skb.window << (0 if unscaled else sk.snd_wscale)
    sk.max_window = max(sk.max_window, sk.snd_wnd)
    sk.snd_wl1, sk.snd_wl2 = skb.seq, skb.ack
    tcp_sync_mss(sk, sk.pmtu)
    tcp_init_metrics(sk)
    tcp_cong.tcp_init_transfer(sk)
    tcp_set_state(sk, _S.ESTABLISHED)
    if sk.sk_keepalive and (sk.passive or not sk.net.sysctl.linux):  # Linux forgets it after crossed SYNs
        tcp_timer.tcp_reset_keepalive_timer(sk, sk.keepidle)
    sk.sk_wake()


def _after_ack(sk: TcpSock) -> bool:
    """Is our FIN acknowledged? False: the connection is over, and the segment with it."""
    fin_acked = not sk.write_queue and not sk.rtx_queue  # it is the last that was queued
    if not fin_acked:
        return True
    if sk.sk_state is _S.FIN_WAIT_1:
        tcp_set_state(sk, _S.FIN_WAIT_2)
        sk.sk_wake()
        if sk.sk_dead:
            if sk.linger2 < 0:
                tcp_done(sk)
                return False
            tcp_timer.tcp_reset_keepalive_timer(sk, sk.linger2 or sk.net.sysctl.fin_timeout)
    elif sk.sk_state is _S.CLOSING:
        tcp_time_wait(sk)
        return False
    elif sk.sk_state is _S.LAST_ACK:
        tcp_done(sk)
        return False
    return True


def _data_after_close(sk: TcpSock, skb: Segment) -> bool:
    """New data for a caller who will never read it: the peer must hear that (RFC 9293, 3.6.1; RFC 1122, 4.2.2.13).

    Linux takes what reaches over the peer's own FIN for that, too.
    """
    over_fin = sk.net.sysctl.linux and sk.fin_received and before(skb.seq, sk.rcv_nxt)
    if sk.sk_state not in (_S.FIN_WAIT_1, _S.FIN_WAIT_2) and not over_fin:
        return False
    if not sk.sk_shutdown & Shutdown.RCV or not skb.payload:
        return False
    return after((skb.seq + len(skb.payload)) & MASK, sk.rcv_nxt)
