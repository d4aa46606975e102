"""net/ipv4/tcp_fastopen.c: data with the SYN for a peer that has shown a cookie (RFC 7413)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2s
from typing import TYPE_CHECKING

from conformance.stack.errors import SocketError
from conformance.stack.in6 import on_wire
from conformance.stack.sock import Address, Sock, SocketState
from conformance.stack.sysctl import SECOND
from conformance.stack.tasks import Call
from conformance.stack.tcp_sock import MASK, OptionsReceived, Skb, TcpSock, after
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import MSG_DONTWAIT
from conformance.wire.segment import Segment

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = [
    "FastopenMetrics", "tcp_fastopen_connect", "tcp_fastopen_cookie_gen", "tcp_fastopen_defer_connect", "tcp_passive_fastopen",
    "tcp_rcv_fastopen_synack", "tcp_send_syn_data", "tcp_sendmsg_fastopen", "tcp_try_fastopen",
]  # fmt: skip

_COOKIE = 8
_CACHED = 1024
"""Servers that are remembered."""
_MAX_TCP_OPTION_SPACE = 40
_WITHOUT = 600 * SECOND
"""For how long a server whose path has lost a SYN with data gets none."""
_RESET_WAITS = 60 * SECOND
"""For how long a connection that was reset in SYN-RECEIVED counts against the listener's limit."""


@dataclass(slots=True)
class FastopenMetrics:
    """``struct tcp_fastopen_metrics``: what a client remembers of a server."""

    cookie: bytes = b""
    mss: int = 0
    without_until: int = 0
    """Until then a SYN carries neither cookie nor data (RFC 7413, section 4.1.3.1). Linux does not remember that."""


def tcp_fastopen_cookie_gen(net: Net, peer: bytes, own: bytes) -> bytes:
    """The cookie for a peer: a keyed hash of the addresses (RFC 7413, section 4.1.2)."""
    return blake2s(peer + own, key=net.secret, digest_size=_COOKIE).digest()


# The client -------------------------------------------------------------------------------------------------------------


def tcp_sendmsg_fastopen(sk: TcpSock, data: bytes, flags: int, address: Address | None) -> Call:
    """Connect and send in one call; returns how many octets went with the SYN. EOPNOTSUPP where the client side is off."""
    from conformance.stack.inet_stream import inet_stream_connect

    if sk.net.sysctl.fast_open not in ("client", "both"):
        raise SocketError("EOPNOTSUPP")
    if sk.defer_connect:  # TCP_FASTOPEN_CONNECT: everything but the SYN is done
        from conformance.stack.tcp_write_queue import tcp_connect

        sk.defer_connect, sk.fastopen_data = False, bytes(data)
        tcp_connect(sk)
        return sk.syn_sent
    if sk.sk_state is not TcpState.CLOSED:
        raise SocketError("EALREADY" if sk.sk_state in (TcpState.SYN_SENT, TcpState.SYN_RECEIVED) else "EISCONN")
    if address is None:
        raise SocketError("EINVAL")
    sk.fastopen_data, sk.fastopen_cookie = bytes(data), tcp_fastopen_cookie_check(sk, on_wire(address.host))
    sock = sk.sk_socket
    assert sock is not None
    sock.state = SocketState.SS_UNCONNECTED
    try:
        yield from inet_stream_connect(sock, address, bool(flags & MSG_DONTWAIT))
    except SocketError as error:
        if error.name != "EINPROGRESS" or not sk.syn_sent:
            raise
    return sk.syn_sent


def tcp_fastopen_defer_connect(sk: TcpSock) -> bool:
    """TCP_FASTOPEN_CONNECT: may connect return at once, and the SYN wait for the first data? Without a cookie the SYN asks for one."""
    if not sk.fastopen_connect or sk.net.sysctl.fast_open not in ("client", "both"):
        return False
    sk.fastopen_cookie = tcp_fastopen_cookie_check(sk, sk.daddr)
    sk.defer_connect = bool(sk.fastopen_cookie)
    return sk.defer_connect


def tcp_fastopen_cookie_check(sk: TcpSock, server: bytes) -> bytes | None:
    """The server's cookie; empty: to be asked for; None: this server is better off without."""
    known = sk.net.fastopen_metrics.get(server, FastopenMetrics())
    return None if sk.net.now < known.without_until else known.cookie


def tcp_fastopen_cache_set(sk: TcpSock, cookie: bytes | None, lost: bool) -> None:
    """Remember the cookie that has come, and the MSS with it; or that a SYN with data got lost."""
    cache = sk.net.fastopen_metrics
    known = cache.pop(sk.daddr, FastopenMetrics())
    if cookie:
        known.cookie, known.mss = cookie, sk.mss_clamp
    if not sk.net.sysctl.linux:
        known.without_until = sk.net.now + _WITHOUT if lost else 0
    cache[sk.daddr] = known
    while len(cache) > _CACHED:
        del cache[next(iter(cache))]


def tcp_fastopen_connect(sk: TcpSock) -> None:
    """Before the SYN leaves: without a cookie no data goes with it (RFC 7413, section 4.2.1)."""
    if not sk.fastopen_cookie:
        sk.fastopen_data = b""


def tcp_send_syn_data(sk: TcpSock, syn: Skb) -> None:
    """The SYN with cookie and data, as much as a segment to this server took last time (RFC 7413, section 4.2.2)."""
    from conformance.stack.tcp_output import tcp_transmit_skb
    from conformance.stack.tcp_write_queue import tcp_syn_options

    options = tcp_syn_options(sk)
    known = sk.net.fastopen_metrics[sk.daddr]
    space = _MAX_TCP_OPTION_SPACE if sk.net.sysctl.linux else len(options)  # Linux: for what is put in on the way
    data = sk.fastopen_data[: max(min(sk.mss_cache, known.mss) - space, 0)]
    rest = Skb((syn.seq + 1) & MASK, bytearray(data), sent=sk.net.now, first_sent=sk.net.now)
    sk.rtx_queue.append(syn)
    if data:
        sk.rtx_queue.append(rest)
        sk.queued += len(data)
    sk.write_seq = sk.snd_nxt = rest.end_seq
    sk.syn_sent, sk.syn_data = len(data), True
    tcp_transmit_skb(sk, Skb(syn.seq, bytes(data), syn.flags), options)


def tcp_rcv_fastopen_synack(sk: TcpSock, skb: Segment, options: OptionsReceived) -> None:
    """What the SYN,ACK says: a cookie for the next time, and whether it took the data; else that is sent again at once."""
    from conformance.stack.tcp_output import tcp_sync_mss
    from conformance.stack.tcp_write_queue import tcp_retransmit_skb

    if sk.fastopen_cookie is None:
        return  # nobody asked
    if sk.net.sysctl.linux and options.mss is None:
        sk.mss_clamp = sk.advmss  # tcp_send_syn_data() has put that there, and no option is nothing to put in its place
        tcp_sync_mss(sk, sk.pmtu)
    lost = sk.syn_data and sk.total_retrans > 0 and not options.fast_open and skb.ack == (sk.iss + 1) & MASK
    tcp_fastopen_cache_set(sk, options.fast_open, lost)
    sk.ack_pending = True
    while sk.rtx_queue and not after(sk.rtx_queue[0].end_seq, skb.ack):
        sk.queued -= len(sk.rtx_queue.popleft().data)
    sk.snd_una = skb.ack
    if sk.rtx_queue:
        tcp_retransmit_skb(sk, sk.rtx_queue[0])


# The server -------------------------------------------------------------------------------------------------------------


def tcp_passive_fastopen(sk: TcpSock) -> bool:
    """Is it a server's end that has the SYN's data, and may answer them before the handshake is over (RFC 7413, section 4.2.2)?"""
    return sk.sk_state is TcpState.SYN_RECEIVED and sk.syn_data and not sk.syn_sent


def tcp_try_fastopen(listener: TcpSock, skb: Segment, options: OptionsReceived) -> tuple[bool, bytes | None]:
    """May this SYN's data be taken now? And the cookie to send with the SYN,ACK, if one was asked for or a bad one shown."""
    if options.fast_open is None or not listener.fastopen_backlog or listener.net.sysctl.fast_open not in ("server", "both"):
        return False, None
    if not tcp_fastopen_queue_check(listener):
        return False, None
    cookie = tcp_fastopen_cookie_gen(listener.net, skb.src, skb.dst)
    if options.fast_open == cookie:
        return True, None
    return False, cookie


def tcp_fastopen_queue_check(listener: TcpSock) -> bool:
    """Is there room for another connection that takes data before its handshake is over (RFC 7413, section 5.1)?"""
    listener.fastopen_children = [(child, since) for child, since in listener.fastopen_children if _waits(child, since)]
    return len(listener.fastopen_children) < listener.fastopen_backlog


def _waits(child: Sock, since: int) -> bool:
    """Its SYN has not been acknowledged. One that was reset counts on; for Linux, unless it waits in the accept queue."""
    assert isinstance(child, TcpSock)
    if child.sk_state is not TcpState.CLOSED:
        return child.snd_una == child.iss
    waiting = child.listener is not None
    return child.net.now < since + _RESET_WAITS and not (waiting and child.net.sysctl.linux)
