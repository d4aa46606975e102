"""net/ipv4/tcp_input.c, what an acknowledgment says: what has arrived, how long it took, what the peer can take, what is lost."""

from __future__ import annotations

from conformance.stack import tcp_cong, tcp_timer, tcp_write_queue
from conformance.stack.sysctl import MS, SECOND
from conformance.stack.tcp_output import tcp_send_ack, tcp_sync_mss, tcp_time_stamp
from conformance.stack.tcp_sock import MASK, CaState, OptionsReceived, TcpSock, after, before
from conformance.wire.segment import ECE, FIN, SYN, Segment

__all__ = ["tcp_ack", "tcp_ack_update_rtt", "tcp_init_metrics", "tcp_rtt_sample", "tcp_send_challenge_ack", "tcp_set_rto"]

_GRANULARITY = MS
"""The clock's, G of RFC 6298."""
_TIMEOUT_FALLBACK = 3 * SECOND
"""TCP_TIMEOUT_FALLBACK."""


def tcp_send_challenge_ack(sk: TcpSock) -> None:
    """An ACK for what might be forged (RFC 5961, section 7: at most so many a second, for the whole stack)."""
    net = sk.net
    if not (net.sysctl.linux and oow_rate_limited(sk)):
        second = net.now // 1_000_000_000
        since, count = net.challenges
        count = count + 1 if since == second else 1
        net.challenges = second, count
        if count <= net.sysctl.challenge_ack_limit:
            net.count("TCPChallengeACK")
            tcp_send_ack(sk)


def oow_rate_limited(sk: TcpSock) -> bool:
    """Linux: was such an answer sent just now (tcp_oow_rate_limited)? Two ends that disagree would else answer each other for ever."""
    now = sk.net.now
    if now - sk.last_oow_ack < sk.net.sysctl.invalid_ratelimit:
        return True
    sk.last_oow_ack = now
    return False


# Round trips ----------------------------------------------------------------------------------------------------------


def tcp_set_rto(sk: TcpSock) -> None:
    """RFC 6298, (2.2) to (2.5)."""
    sysctl, srtt = sk.net.sysctl, sk.srtt
    assert srtt is not None
    if sysctl.linux:  # there it is the variation that has a floor, so that the RTO stays above the RTT by it
        sk.rto = min(srtt + sk.rtt_dev, sysctl.rto_max)
    else:
        variation = max(4 * sk.rttvar, _GRANULARITY)
        sk.rto = min(max(srtt + variation, sysctl.rto_min), sysctl.rto_max)


def tcp_ack_update_rtt(sk: TcpSock, rtt: int) -> None:
    """A round trip of ``rtt`` ns was measured."""
    if sk.net.sysctl.linux:
        _tcp_rtt_estimator(sk, rtt)
    elif sk.srtt is None:
        sk.srtt, sk.rttvar = rtt, rtt // 2
    else:
        sk.rttvar += (abs(sk.srtt - rtt) - sk.rttvar) // 4
        sk.srtt += (rtt - sk.srtt) // 8
    tcp_set_rto(sk)
    sk.backoff = 0


def _tcp_rtt_estimator(sk: TcpSock, rtt: int) -> None:
    """Linux's: a shorter round trip hardly moves the deviation, and what counts is the largest one of a flight, which wears off slowly.

    ``mdev`` is RFC 6298's RTTVAR. ``mdev_max`` and ``rtt_dev`` (the kernel's ``rttvar_us``) are four times as large, as there.
    """
    floor = sk.net.sysctl.rto_min
    if sk.srtt is None:
        sk.srtt, sk.rttvar = rtt, rtt // 2
        sk.rtt_dev = sk.mdev_max = max(4 * sk.rttvar, floor)
        sk.rtt_seq = sk.snd_nxt
        return
    error = rtt - sk.srtt
    sk.srtt += error // 8
    move = abs(error) - sk.rttvar
    sk.rttvar += move // 32 if error < 0 < move else move // 4
    if 4 * sk.rttvar > sk.mdev_max:
        sk.mdev_max = 4 * sk.rttvar
        sk.rtt_dev = max(sk.rtt_dev, sk.mdev_max)
    if after(sk.snd_una, sk.rtt_seq):
        if sk.mdev_max < sk.rtt_dev:
            sk.rtt_dev -= (sk.rtt_dev - sk.mdev_max) // 4
        sk.rtt_seq = sk.snd_nxt
        sk.mdev_max = floor


def tcp_init_metrics(sk: TcpSock) -> None:
    """RFC 6298, (5.7): the handshake gave no sample, as a SYN was sent again, so one second is too short a guess."""
    if sk.srtt is None:
        sk.rto = max(sk.rto, _TIMEOUT_FALLBACK)


def tcp_rtt_sample(sk: TcpSock, sent: int, retransmitted: bool, options: OptionsReceived) -> None:
    """Karn's rule (RFC 6298, section 3): what was sent again is timed only with the help of timestamps (RFC 7323, section 4)."""
    if not retransmitted:
        tcp_ack_update_rtt(sk, sk.net.now - sent)
    elif sk.tstamp_ok and options.tsval is not None and options.tsecr:
        ticks = (tcp_time_stamp(sk) - options.tsecr) & MASK
        if ticks < 1 << 31:
            tcp_ack_update_rtt(sk, max(ticks * MS, MS))


# Queues ---------------------------------------------------------------------------------------------------------------


def _clean_rtx_queue(sk: TcpSock, options: OptionsReceived) -> int:
    """Take off what is acknowledged; how many segments that is. The newest of them that was sent once gives the round trip."""
    acked, una, queue = 0, sk.snd_una, sk.rtx_queue
    newest_sent, retransmitted = 0, False
    while queue:
        skb = queue[0]
        if after(skb.end_seq, una):
            if after(una, skb.seq):
                gone = (una - skb.seq) & MASK
                skb.data, skb.seq = skb.data[gone:], una
                sk.queued -= gone
            break
        queue.popleft()
        acked += 1
        sk.queued -= len(skb.data)
        retransmitted |= skb.retrans > 0
        if not skb.sacked:
            newest_sent = skb.sent
    if acked and newest_sent:
        tcp_rtt_sample(sk, newest_sent, retransmitted, options)
    return acked


def tcp_sacktag_write_queue(sk: TcpSock, blocks: tuple[tuple[int, int], ...]) -> bool:
    """Note what the peer has beyond its acknowledgment (RFC 2018, section 5). Was any of it news? A D-SACK or a lie is not."""
    news = False
    for start, end in blocks:
        if not before(start, end) or after(end, sk.snd_nxt) or before(start, sk.snd_una):
            continue
        for sent in sk.rtx_queue:
            if not before(sent.seq, end):
                break
            if not sent.sacked and not before(sent.seq, start) and not after(sent.end_seq, end):
                sent.sacked, sent.lost, sent.in_retrans = True, False, False
                news = True
    return news


def _update_window(sk: TcpSock, skb: Segment) -> bool:
    """RFC 9293, 3.10.7.4, fifth, "update the send window": by the newest segment. Linux keeps the larger of two of an age, but for 0."""
    window = skb.window if skb.flags & SYN else skb.window << sk.snd_wscale
    seq, ack = skb.seq, skb.ack
    if sk.net.sysctl.linux:
        newer = after(ack, sk.snd_una) or after(seq, sk.snd_wl1) or (seq == sk.snd_wl1 and (window > sk.snd_wnd or not window))
    else:
        newer = after(seq, sk.snd_wl1) or (seq == sk.snd_wl1 and not before(ack, sk.snd_wl2))
    if not newer:
        return False
    sk.snd_wl1, sk.snd_wl2 = seq, ack
    if window == sk.snd_wnd:
        return sk.net.sysctl.linux  # for which a newer sequence number alone makes it an update (tcp_may_update_window)
    sk.snd_wnd = window
    if window > sk.max_window:
        sk.max_window = window
        tcp_sync_mss(sk, sk.pmtu)
    return True


def _ack_probe(sk: TcpSock) -> None:
    """Does the window take what waits (tcp_ack_probe)? If not, the next probe is due; every answer counts as a sign of life."""
    if not sk.write_queue:
        return
    head = sk.write_queue[0]
    if not after((head.seq + min(len(head.data), sk.mss_cache)) & MASK, sk.wnd_end):
        sk.backoff = 0
        sk.probes_since = 0
        if sk.probing:
            sk.probing = False
            sk.retransmit_timer.stop()
    elif sk.probing:
        tcp_timer.tcp_reset_probe_timer(sk)


# The acknowledgment ---------------------------------------------------------------------------------------------------


def _oldest(sk: TcpSock) -> int:
    """How far below SND.UNA an acknowledgment may lie: MAX.SND.WND (RFC 5961, 5.2). Linux: no further than what was acknowledged."""
    if not sk.net.sysctl.linux:
        return sk.max_window
    return min(sk.max_window, (sk.snd_una - sk.first_una) & MASK)


def tcp_ack(sk: TcpSock, skb: Segment, options: OptionsReceived, *, challenge: bool = True) -> bool:
    """Take in the acknowledgment of an acceptable segment. False: it is none that can be (RFC 5961, section 5), so drop the segment."""
    ack, prior_una = skb.ack, sk.snd_una
    prior = sk.in_flight, sk.sacked_out
    if before(ack, prior_una):
        if (prior_una - ack) & MASK > _oldest(sk):
            if challenge:
                tcp_send_challenge_ack(sk)
            return False
        if sk.sack_ok and options.sacks and sk.rtx_queue and tcp_sacktag_write_queue(sk, options.sacks):
            delivered = sum(sent.sacked for sent in sk.rtx_queue) - prior[1]
            tcp_cong.tcp_fastretrans_alert(sk, advanced=False, duplicate=True, acked=0, delivered=delivered)
            tcp_write_queue.tcp_xmit_retransmit_queue(sk)
        return True
    if after(ack, sk.snd_nxt):
        return False
    advanced = ack != prior_una
    sk.rcv_tstamp = sk.net.now
    sk.probes_out = 0
    sk.sk_err_soft = None
    moved = _update_window(sk, skb)
    acked = 0
    if advanced:
        again = sk.retrans_stamp
        sk.retransmits = 0
        sk.retrans_stamp = 0
        sk.snd_una = ack
        if sk.snd_up is not None and not before(ack, sk.snd_up):
            sk.snd_up = None
        acked = _clean_rtx_queue(sk, options)
        if again and sk.rtx_queue:
            sk.retrans_stamp = next((sent.first_sent for sent in sk.rtx_queue if sent.retrans), 0)
    _congestion(sk, skb, options, advanced, acked, prior, quiet=moved)
    if not sk.rtx_queue:
        _ack_probe(sk)
    return True


def _congestion(
    sk: TcpSock, skb: Segment, options: OptionsReceived, advanced: bool, acked: int, before_it: tuple[int, int], *, quiet: bool
) -> None:
    """What the acknowledgment says of the network. ``before_it``: how many segments were under way, and how many SACKed."""
    flight, sacked = before_it
    news = sk.sack_ok and tcp_sacktag_write_queue(sk, options.sacks)
    bare = not skb.payload and not skb.flags & (SYN | FIN)
    duplicate = news if sk.sack_ok else not advanced and bare and not quiet and bool(sk.rtx_queue)
    if sk.ecn_ok:
        tcp_cong.tcp_ecn_ack(sk, skb.flags, flight)
    if advanced and tcp_cong.tcp_rearms_rto(sk):
        tcp_timer.tcp_rearm_rto(sk)
    recovering = sk.ca_state == CaState.RECOVERY
    delivered = acked
    if duplicate or news or sk.ca_state or sk.dupacks:
        if sk.sack_ok:
            delivered = acked + sum(sent.sacked for sent in sk.rtx_queue) - sacked
        else:
            delivered = max(acked - sk.dupacks, 1) if advanced else int(duplicate)
        tcp_cong.tcp_fastretrans_alert(sk, advanced, duplicate, acked, delivered)
    congested = sk.ecn_ok and bool(skb.flags & ECE)  # by such an acknowledgment the window does not grow (RFC 3168, section 6.1.2)
    if recovering and not sk.net.sysctl.linux:
        congested = True  # nor by one that ends recovery: that sets the window (RFC 5681, section 3.2, step 6)
    if acked and sk.ca_state in (CaState.OPEN, CaState.DISORDER, CaState.LOSS) and not congested:
        tcp_cong.tcp_cong_avoid(sk, delivered if sk.net.sysctl.linux else acked, flight)
        sk.cwnd_limited = False
    if sk.ca_state in (CaState.RECOVERY, CaState.LOSS):
        tcp_write_queue.tcp_xmit_retransmit_queue(sk)
