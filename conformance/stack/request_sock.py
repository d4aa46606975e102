"""include/net/request_sock.h: what stands for a connection in SYN-RECEIVED that came to a listener, and the listener's queue of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack import route
from conformance.stack.ip_options import IpOptions, ip_options_echo
from conformance.stack.sysctl import MS
from conformance.stack.tcp_output import tcp_select_initial_window
from conformance.stack.tcp_sock import DEFAULT_MSS, MASK, TIMEOUT_INIT, OptionsReceived, TcpSock
from conformance.stack.tcp_states import TcpState, tcp_set_state
from conformance.wire.segment import Segment

if TYPE_CHECKING:
    from conformance.stack.sock import ConnectionSock
    from conformance.stack.tcp_minisocks import TimeWaitSock

__all__ = [
    "RequestSock", "inet_csk_reqsk_queue_drop", "inet_csk_reqsk_queue_hash_add", "reqsk_drop", "tcp_rtx_synack", "tcp_v4_save_options",
]  # fmt: skip


def tcp_v4_save_options(skb: Segment) -> IpOptions | None:
    """The way back for a segment that came along a source route (RFC 9293, 3.9.2.1; MUST-53)."""
    return ip_options_echo(skb.ip_options, skb.src) if skb.ip_options else None


class RequestSock:
    """``struct tcp_request_sock``: a connection in SYN-RECEIVED that came to a listener. Addresses are our own and the peer's."""

    def __init__(self, listener: TcpSock, skb: Segment, options: OptionsReceived) -> None:
        net, sysctl = listener.net, listener.net.sysctl
        self.net, self.listener = net, listener
        self.saddr, self.num, self.daddr, self.dport = skb.dst, skb.dport, skb.src, skb.sport
        self.sk_state = TcpState.LISTEN
        self.irs, self.iss = skb.seq, 0
        self.rcv_nxt = (skb.seq + 1) & MASK
        self.peer_mss = options.mss or DEFAULT_MSS[len(skb.src)]
        self.tstamp_ok = sysctl.timestamps and options.tsval is not None
        self.sack_ok = sysctl.sack and options.sack_ok
        self.wscale_ok = sysctl.window_scaling and options.wscale is not None
        self.snd_wscale = options.wscale or 0 if self.wscale_ok else 0
        self.ecn_ok = False
        self.ts_recent = options.tsval
        self.ts_offset = 0
        self.snd_wnd = skb.window
        advmss = route.dst_advmss(net, route.ip_route_output(net, self.daddr, self.saddr))
        self.advmss = min(advmss, listener.user_mss) if listener.user_mss else advmss
        self.rcv_wnd, shift = tcp_select_initial_window(listener, self.advmss)
        self.rcv_wscale = shift if self.wscale_ok else 0
        self.timer = net.timer(lambda: _reqsk_timer_handler(self))
        self.retrans = 0
        self.sent = net.now
        self.last_oow_ack = -(10**18)
        self.acked = False
        """The handshake's last ACK came, but there was no room for the connection, or it waits for data (TCP_DEFER_ACCEPT)."""
        self.inet_opt = tcp_v4_save_options(skb)
        self.cookie: bytes | None = None
        """To send (TCP Fast Open)."""
        self.reopens: TimeWaitSock | None = None
        """The old incarnation, which was in TIME-WAIT when this SYN came."""

    def time_stamp(self) -> int:
        """TSval."""
        return (self.net.now // MS + self.ts_offset) & MASK


def tcp_rtx_synack(req: RequestSock) -> None:
    """Send the SYN,ACK again, without a cookie: that may be why it got lost (RFC 7413, section 4.2.1)."""
    from conformance.stack.tcp_ipv4 import tcp_v4_send_synack

    req.cookie = None
    tcp_v4_send_synack(req)


def inet_csk_reqsk_queue_hash_add(req: RequestSock) -> None:
    """From now on the segments of this connection find the request."""
    req.net.hashinfo.insert(req)
    req.listener.requests += 1
    tcp_set_state(req, TcpState.SYN_RECEIVED)  # type: ignore[arg-type]
    req.timer.reset(req.net.now + TIMEOUT_INIT)


def inet_csk_reqsk_queue_drop(req: RequestSock) -> None:
    """The request is no more; its listener goes on listening (RFC 9293, 3.10.7.4: "return to the LISTEN state")."""
    req.timer.stop()
    req.net.hashinfo.remove(req)
    req.listener.requests -= 1
    tcp_set_state(req, TcpState.LISTEN)  # type: ignore[arg-type]


def reqsk_drop(listener: ConnectionSock) -> None:
    """All requests of a listener that is closed."""
    for entry in listener.net.hashinfo.entries():
        if isinstance(entry, RequestSock) and entry.listener is listener:
            inet_csk_reqsk_queue_drop(entry)


def _reqsk_timer_handler(req: RequestSock) -> None:
    """No ACK has come: send the SYN,ACK again, or give up (RFC 9293, 3.8.3)."""
    listener = req.listener
    most = listener.syn_count or req.net.sysctl.synack_retries
    if req.retrans >= most:
        inet_csk_reqsk_queue_drop(req)
        return
    deferred = req.acked and listener.defer_accept and req.net.now - req.sent < listener.defer_accept
    req.retrans += 1
    if not deferred:
        tcp_rtx_synack(req)
    req.timer.reset(req.net.now + min(TIMEOUT_INIT << req.retrans, req.net.sysctl.rto_max))
