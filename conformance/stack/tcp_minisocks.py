"""net/ipv4/tcp_minisocks.c: the small sockets that stand for a connection before it is one and after it was one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack.inet_connection_sock import inet_csk_reqsk_queue_add
from conformance.stack.inet_hashtables import inet_put_port
from conformance.stack.request_sock import RequestSock, inet_csk_reqsk_queue_drop, tcp_rtx_synack
from conformance.stack.sock import Sock
from conformance.stack.sysctl import MS, SECOND
from conformance.stack.tcp_options import tcp_parse_options, ts_older
from conformance.stack.tcp_output import tcp_options_bytes, tcp_send_segment
from conformance.stack.tcp_sock import MASK, OptionsReceived, TcpSock, after, before
from conformance.stack.tcp_states import TcpState, tcp_adopt_state, tcp_set_state
from conformance.wire.segment import ACK, ECE, FIN, RST, SYN, Segment

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = [
    "TimeWaitSock", "inet_twsk_deschedule_put", "tcp_check_req", "tcp_create_openreq_child", "tcp_time_wait",
    "tcp_timewait_state_process", "tcp_twsk_forget", "tcp_twsk_unique",
]  # fmt: skip

_2MSL, _2MSL_LINUX = 240 * SECOND, 60 * SECOND
"""RFC 9293, section 3.4.2: an MSL of two minutes; Linux: TCP_TIMEWAIT_LEN."""
_INHERITED = (
    "sk_rcvbuf", "sk_sndbuf", "rcvbuf_locked", "sndbuf_locked", "sk_keepalive", "oobinline", "linger", "sk_rcvtimeo", "sk_sndtimeo",
    "ttl", "tos", "v6only", "recverr", "pmtudisc", "sk_reuse", "sk_reuseport", "user_mss", "nodelay", "cork", "user_timeout", "linger2",
    "keepidle", "keepintvl", "keepcnt", "notsent_lowat", "congestion", "window_clamp", "quickack",
)  # fmt: skip
"""What an accepted socket has from its listener (sk_clone_lock)."""


# SYN-RECEIVED -------------------------------------------------------------------------------------------------------------


def tcp_in_window(seq: int, end: int, low: int, high: int) -> bool:
    """Does a segment begin or end between ``low`` and ``high`` (net/ipv4/tcp_minisocks.c)?"""
    if seq == low:
        return True
    if after(end, low) and before(seq, high):
        return True
    return seq == high and seq == end


def _acceptable(req: RequestSock, seq: int, length: int) -> bool:
    """The table of RFC 9293, 3.10.7.4, first. Linux takes what begins at the right edge, too."""
    offset = (seq - req.rcv_nxt) & MASK
    if req.net.sysctl.linux:
        return tcp_in_window(seq, (seq + length) & MASK, req.rcv_nxt, (req.rcv_nxt + req.rcv_wnd) & MASK)
    return not offset or offset < req.rcv_wnd or (length > 0 and (offset + length - 1) & MASK < req.rcv_wnd)


def tcp_check_req(req: RequestSock, skb: Segment) -> TcpSock | None:
    """A segment for a request (RFC 9293, 3.10.7.4, SYN-RECEIVED): the connection if it is one now, else None; answers leave from here."""
    from conformance.stack.tcp_ipv4 import tcp_v4_send_reset

    options, flags = tcp_parse_options(skb), skb.flags
    length = len(skb.payload) + (flags & FIN) + (flags >> 1 & 1)
    paws = (
        req.tstamp_ok
        and options.tsval is not None
        and req.ts_recent is not None
        and ts_older(options.tsval, req.ts_recent)
        and not flags & RST
    )
    if skb.seq == req.irs and flags & (SYN | RST | ACK) == SYN and not paws:
        if not flags & ECE and not req.net.sysctl.linux:
            req.ecn_ok = False  # the peer asks without now (RFC 3168, section 6.1.1)
        if not _oow_rate_limited(req, skb):  # the same SYN again: our answer was lost
            tcp_rtx_synack(req)
        return None
    wrong_ack = flags & ACK and not flags & RST and skb.ack != (req.iss + 1) & MASK
    if wrong_ack and req.net.sysctl.linux:
        tcp_v4_send_reset(req.net, skb)
        return None
    if req.tstamp_ok and options.tsval is None and not flags & RST and not req.net.sysctl.linux:
        return None  # RFC 7323, section 3.2; the connection would drop it, too, and be there all the same
    if paws or not _acceptable(req, skb.seq, length):
        if not flags & RST and not _oow_rate_limited(req, skb):
            _reqsk_send_ack(req)
        return None
    if flags & RST:
        if skb.seq == req.rcv_nxt:
            inet_csk_reqsk_queue_drop(req)
            if req.reopens is not None:
                tcp_timewait_again(req.reopens)
        elif not _oow_rate_limited(req, skb):
            _reqsk_send_ack(req)  # RFC 5961, section 3.2
        return None
    if flags & SYN:  # the peer has begun anew: back to LISTEN (RFC 9293, 3.10.7.4, fourth); Linux says so with a RST
        if req.net.sysctl.linux:
            tcp_v4_send_reset(req.net, skb)
        inet_csk_reqsk_queue_drop(req)
        return None
    if wrong_ack:  # fifth; Linux looks first of all
        tcp_v4_send_reset(req.net, skb)
        return None
    if not flags & ACK:
        return None
    return _accept(req, skb)


def _accept(req: RequestSock, skb: Segment) -> TcpSock | None:
    """The handshake is complete. TCP_DEFER_ACCEPT waits for data; a full queue has no place for it yet."""
    from conformance.stack.tcp_ipv4 import tcp_v4_send_reset, tcp_v4_syn_recv_sock

    listener = req.listener
    if listener.defer_accept and not skb.payload and not skb.flags & FIN and req.net.now - req.sent < listener.defer_accept:
        req.acked = True
        return None
    if listener.acceptq_is_full:
        req.net.count(("ListenOverflows", "ListenDrops"))
        req.acked = True
        if req.net.sysctl.abort_on_overflow:
            tcp_v4_send_reset(req.net, skb)
            inet_csk_reqsk_queue_drop(req)
        return None
    req.timer.stop()
    listener.requests -= 1
    child = tcp_v4_syn_recv_sock(listener, req)
    if not req.retrans:
        from conformance.stack.tcp_ack import tcp_ack_update_rtt

        tcp_ack_update_rtt(child, req.net.now - req.sent)
    inet_csk_reqsk_queue_add(listener, child)
    return child


def _reqsk_send_ack(req: RequestSock) -> None:
    """tcp_v4_reqsk_send_ack()."""
    options = b""
    if req.tstamp_ok:
        options = tcp_options_bytes(stamps=(req.time_stamp(), req.ts_recent or 0))
    window = req.rcv_wnd >> req.rcv_wscale
    tcp_send_segment(
        req.net, (req.saddr, req.num, req.daddr, req.dport), req.iss + 1, req.rcv_nxt, ACK, window, options, inet_opt=req.inet_opt
    )


def _oow_rate_limited(entry: RequestSock | TimeWaitSock, skb: Segment) -> bool:
    """tcp_oow_rate_limited(): Linux answers such segments now and then only, unless they carry data."""
    if (skb.payload or skb.flags & FIN) and not skb.flags & SYN:
        return False
    if entry.net.sysctl.linux and 0 <= entry.net.now - entry.last_oow_ack < entry.net.sysctl.invalid_ratelimit:
        return True
    entry.last_oow_ack = entry.net.now
    return False


def inet_csk_clone_lock(listener: TcpSock, req: RequestSock) -> TcpSock:
    """A socket with the listener's options, which is where the request was: in SYN-RECEIVED."""
    sk = TcpSock(listener.net, listener.sk_family, listener.sk_type, listener.sk_protocol, listener.sk_prot)
    for name in _INHERITED:
        setattr(sk, name, getattr(listener, name))
    sk.saddr = sk.rcv_saddr = req.saddr
    sk.num, sk.daddr, sk.dport = req.num, req.daddr, req.dport
    tcp_adopt_state(sk, req)
    return sk


def tcp_create_openreq_child(listener: TcpSock, req: RequestSock) -> TcpSock:
    """What the handshake has settled goes from the request to the connection."""
    sk = inet_csk_clone_lock(listener, req)
    sk.iss = req.iss
    sk.rcv_nxt = sk.rcv_wup = sk.copied_seq = req.rcv_nxt
    sk.snd_una = req.iss
    sk.first_una = (req.iss + 1) & MASK
    sk.snd_nxt = sk.write_seq = sk.pushed_seq = sk.snd_sml = (req.iss + 1) & MASK
    sk.rcv_wnd, sk.rcv_wscale = req.rcv_wnd, req.rcv_wscale
    sk.rcv_ssthresh = req.rcv_wnd
    sk.snd_wnd = sk.max_window = req.snd_wnd
    sk.snd_wl1, sk.snd_wl2 = req.irs, req.iss
    sk.tstamp_ok, sk.sack_ok, sk.wscale_ok, sk.ecn_ok = req.tstamp_ok, req.sack_ok, req.wscale_ok, req.ecn_ok
    sk.snd_wscale, sk.ts_offset = req.snd_wscale, req.ts_offset
    if req.tstamp_ok:
        sk.ts_recent, sk.ts_recent_stamp = req.ts_recent, sk.net.now
    sk.advmss = req.advmss
    sk.mss_clamp = min(req.peer_mss, listener.user_mss) if listener.user_mss else req.peer_mss
    sk.total_retrans = req.retrans
    sk.inet_opt, sk.passive = req.inet_opt, True
    return sk


# TIME-WAIT ----------------------------------------------------------------------------------------------------------------


class TimeWaitSock:
    """``struct tcp_timewait_sock``: what is remembered of a connection for twice the maximum segment lifetime."""

    def __init__(self, sk: TcpSock) -> None:
        self.net, self.sk = sk.net, sk
        self.saddr, self.num, self.daddr, self.dport = sk.saddr, sk.num, sk.daddr, sk.dport
        self.rcv_saddr, self.sk_family, self.sk_reuse, self.sk_reuseport = sk.rcv_saddr, sk.sk_family, sk.sk_reuse, sk.sk_reuseport
        self.v6only = sk.v6only
        self.sk_state = TcpState.TIME_WAIT
        self.rcv_nxt, self.snd_nxt = sk.rcv_nxt, sk.snd_nxt
        self.rcv_wnd, self.rcv_wscale = sk.receive_window, sk.rcv_wscale
        self.tstamp_ok, self.ts_recent, self.ts_recent_stamp, self.ts_offset = sk.tstamp_ok, sk.ts_recent, sk.ts_recent_stamp, sk.ts_offset
        self.last_oow_ack = -(10**18)
        self.ttl, self.tos = sk.ttl, sk.tos
        self.timer = self.net.timer(lambda: inet_twsk_deschedule_put(self))


def _length(net: Net) -> int:
    return _2MSL_LINUX if net.sysctl.linux else _2MSL


def tcp_time_wait(sk: TcpSock) -> None:
    """Both sides have closed: the connection is over for its owner, and the port stays taken for a while (RFC 9293, 3.6.1; MUST-13)."""
    from conformance.stack.tcp import tcp_done
    from conformance.stack.tcp_timer import tcp_clear_xmit_timers

    net = sk.net
    tcp_clear_xmit_timers(sk)
    if net.tw_count >= net.sysctl.max_tw_buckets:
        net.count("TCPTimeWaitOverflow")
        tcp_done(sk)
        return
    tcp_set_state(sk, TcpState.TIME_WAIT)
    tw = TimeWaitSock(sk)
    net.hashinfo.insert(tw)
    net.tw_count += 1
    tw.timer.reset(net.now + _length(net))
    sk.sk_wake()


def inet_twsk_deschedule_put(tw: TimeWaitSock) -> None:
    """TIME-WAIT is over."""
    tw.timer.stop()
    tw.net.tw_count -= 1
    tw.net.hashinfo.remove(tw)
    sk = tw.sk
    if sk.sk_state is TcpState.TIME_WAIT:
        tcp_set_state(sk, TcpState.CLOSED)
        if sk.num and (sk.sk_dead or not sk.bound_by_user):
            inet_put_port(sk)


def tcp_twsk_forget(sk: TcpSock) -> None:
    """The caller wants its socket back (connect to AF_UNSPEC); what waits goes on waiting."""
    tcp_set_state(sk, TcpState.CLOSED)


def tcp_twsk_unique(sk: Sock, tw: TimeWaitSock) -> bool:
    """May a new connection take over (RFC 6191, section 2)? Only if timestamps tell its segments from old ones, and the settings let it."""
    if not tw.net.sysctl.tw_reuse or not tw.tstamp_ok or tw.net.now - tw.ts_recent_stamp <= SECOND:
        return False
    if isinstance(sk, TcpSock):
        sk.write_seq = (tw.snd_nxt + 65535 + 2) & MASK
        if tw.net.sysctl.linux:
            sk.ts_recent, sk.ts_recent_stamp = tw.ts_recent, tw.ts_recent_stamp
    return True


def tcp_timewait_state_process(tw: TimeWaitSock, skb: Segment) -> int | None:
    """A segment in TIME-WAIT. Returns the ISN for a new connection if it is a SYN that may open one, else None."""
    options, flags = tcp_parse_options(skb), skb.flags
    linux = tw.net.sysctl.linux
    paws = _older(tw, options) and (linux or not flags & RST)
    if flags & (SYN | ACK | RST) == SYN and (_may_reopen_linux(tw, skb, options) if linux else _may_reopen(tw, skb, options)):
        return (tw.snd_nxt + 65535 + 2) & MASK
    if flags & RST:
        _rst_in_time_wait(tw, skb, paws)
        return None
    length = len(skb.payload) + (flags & FIN) + (flags >> 1 & 1)
    if skb.seq == tw.rcv_nxt and not length and not paws:  # an acceptable ACK that says nothing new; Linux waits for as long again
        if linux:
            tw.timer.reset(tw.net.now + _length(tw.net))
        if tw.tstamp_ok and options.tsval is not None:
            tw.ts_recent, tw.ts_recent_stamp = options.tsval, tw.net.now
    elif linux:
        if flags & ACK or paws:
            tw.timer.reset(tw.net.now + _length(tw.net))
        if not _oow_rate_limited(tw, skb):
            tcp_timewait_send_ack(tw)
    else:
        _other_in_time_wait(tw, skb, options, length, paws)
    return None


def _older(tw: TimeWaitSock, options: OptionsReceived) -> bool:
    return tw.tstamp_ok and options.tsval is not None and tw.ts_recent is not None and before(options.tsval, tw.ts_recent)


def _may_reopen(tw: TimeWaitSock, skb: Segment, options: OptionsReceived) -> bool:
    """RFC 6191, section 2. The last sequence number used was that of the FIN."""
    stamped = options.tsval is not None and tw.net.sysctl.timestamps
    if stamped and not tw.tstamp_ok:
        return True
    if stamped and options.tsval is not None and tw.ts_recent is not None and options.tsval != tw.ts_recent:
        return before(tw.ts_recent, options.tsval)
    return not before(skb.seq, tw.rcv_nxt)


def _may_reopen_linux(tw: TimeWaitSock, skb: Segment, options: OptionsReceived) -> bool:
    """A higher number or a newer timestamp; what had no timestamps before has none to compare."""
    if _older(tw, options):
        return False
    newer = tw.tstamp_ok and options.tsval is not None and tw.ts_recent is not None and before(tw.ts_recent, options.tsval)
    return newer or after(skb.seq, tw.rcv_nxt)


def _other_in_time_wait(tw: TimeWaitSock, skb: Segment, options: OptionsReceived, length: int, paws: bool) -> None:
    """The checks of RFC 9293, 3.10.7.4. What is in the window and has ACK is ignored: it comes after the peer's FIN."""
    flags, offset = skb.flags, (skb.seq - tw.rcv_nxt) & MASK
    last = (offset + length - 1) & MASK
    acceptable = offset < tw.rcv_wnd or (length > 0 and last < tw.rcv_wnd)
    if flags & (SYN | ACK) == SYN and options.tsval is not None:
        return  # RFC 6191: silently
    if flags & (FIN | ACK) == FIN | ACK and not paws and (skb.seq + length) & MASK == tw.rcv_nxt:
        tw.timer.reset(tw.net.now + _length(tw.net))  # the peer's FIN again
    if paws or not acceptable or flags & SYN:
        tcp_timewait_send_ack(tw)


def _rst_in_time_wait(tw: TimeWaitSock, skb: Segment, paws: bool) -> None:
    """RFC 5961 holds here too; RFC 1337 asks not to obey at all. Linux challenges nothing in TIME-WAIT."""
    if tw.net.sysctl.rfc1337 or paws:
        return
    if skb.seq == tw.rcv_nxt:
        inet_twsk_deschedule_put(tw)
    elif not tw.net.sysctl.linux and (skb.seq - tw.rcv_nxt) & MASK < tw.rcv_wnd:
        tcp_timewait_send_ack(tw)


def tcp_timewait_again(tw: TimeWaitSock) -> None:
    """The SYN that took over was an old duplicate: back to TIME-WAIT (RFC 9293, 3.6.1; MAY-2)."""
    tw.net.hashinfo.insert(tw)
    tw.net.tw_count += 1
    tw.timer.reset(tw.net.now + _length(tw.net))


def tcp_timewait_send_ack(tw: TimeWaitSock) -> None:
    """tcp_v4_timewait_ack()."""
    stamp = (tw.net.now // MS + tw.ts_offset) & MASK
    options = tcp_options_bytes(stamps=(stamp, tw.ts_recent or 0)) if tw.tstamp_ok else b""
    window = tw.rcv_wnd >> tw.rcv_wscale
    tcp_send_segment(
        tw.net, (tw.saddr, tw.num, tw.daddr, tw.dport), tw.snd_nxt, tw.rcv_nxt, ACK, window, options, tos=tw.tos & 0xFC, ttl=tw.ttl
    )
