"""Echo sockets, socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP): a process may send echo requests and nothing else (net/ipv4/ping.c).

The "port" of such a socket is the identifier of its requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack.datagram import (
    DATAGRAM,
    datagram_disconnect,
    destination,
    ip4_datagram_connect,
    ip6_datagram_connect,
    ip_send_skb,
    matches,
    route_to,
    skb_recv_datagram,
    sock_queue_rcv_skb,
)  # fmt: skip
from conformance.stack.errors import SocketError
from conformance.stack.in6 import address_of
from conformance.stack.inet_hashtables import inet_rcv_saddr_equal
from conformance.stack.proto import InetProto
from conformance.stack.sock import Address, Shutdown, Sock
from conformance.stack.tasks import Call
from conformance.stack.uapi import AF_INET, IPPROTO_ICMP, IPPROTO_ICMPV6
from conformance.wire.checksum import finish, ones_sum, pseudo_sum, verify

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["ping_prot", "ping_rcv", "pingv6_prot"]

_ECHO, _REPLY = {4: 8, 16: 128}, {4: 0, 16: 129}
_HEADER = 8


def ping_get_port(sk: Sock, ident: int) -> None:
    """An identifier, any for 0; EADDRINUSE."""
    table = sk.net.hashinfo.ping
    if not ident:
        start = sk.net.rng.randrange(1, 0x10000)
        ident = next((number for step in range(0xFFFF) if (number := (start + step) % 0xFFFF + 1) not in table), 0)
        if not ident:
            raise SocketError("EADDRINUSE")
    elif any(
        other is not sk and not (sk.sk_reuse and other.sk_reuse) and inet_rcv_saddr_equal(sk, other) for other in table.get(ident, ())
    ):
        raise SocketError("EADDRINUSE")
    sk.num = ident
    table.setdefault(ident, []).append(sk)


def ping_unhash(sk: Sock) -> None:
    """Give the identifier back."""
    there = sk.net.hashinfo.ping.get(sk.num, [])
    if sk in there:
        there.remove(sk)
        if not there:
            del sk.net.hashinfo.ping[sk.num]
    sk.num = 0


def ping_hash(_sk: Sock) -> None:
    """Not reached: ``get_port`` enters the socket."""


def ping_v4_sendmsg(sk: Sock, data: bytes, flags: int, address: Address | None) -> Call:
    """Send an echo request, ``data`` from its type on; identifier and checksum are the stack's. EINVAL for anything else."""
    yield from ()
    if len(data) < _HEADER:
        raise SocketError("EINVAL")
    daddr, _ = destination(sk, len(data), flags, address)
    own = 4 if sk.sk_family == AF_INET else 16
    if len(daddr) != own:
        raise SocketError("EINVAL")
    if data[0] != _ECHO[own] or data[1]:
        raise SocketError("EINVAL")
    dst = route_to(sk, daddr)
    message = data[:2] + b"\0\0" + sk.num.to_bytes(2, "big") + data[6:]
    protocol = IPPROTO_ICMP if own == 4 else IPPROTO_ICMPV6
    total = ones_sum(message) + (pseudo_sum(dst.saddr, dst.daddr, protocol, len(message)) if own == 16 else 0)
    ip_send_skb(sk, message[:2] + finish(total).to_bytes(2, "big") + message[4:], dst, protocol)
    return len(data)


def ping_recvmsg(sk: Sock, size: int, flags: int) -> Call:
    """The next reply, from its type on."""
    return (yield from skb_recv_datagram(sk, size, flags))


def ping_close(sk: Sock, _timeout: int) -> Call:
    """Gone at once."""
    yield from ()
    ping_unhash(sk)
    sk.datagrams.clear()
    sk.sk_shutdown = Shutdown.BOTH
    sk.sk_wake()


def ping_disconnect(sk: Sock) -> None:
    """No peer any more."""
    datagram_disconnect(sk)
    if not sk.bound_by_user:
        ping_unhash(sk)


def ping_rcv(net: Net, src: bytes, dst: bytes, message: bytes) -> bool:
    """An ICMP message: if it is the reply to a socket's request it gets it. Did one?"""
    four = len(dst) == 4
    if len(message) < _HEADER or message[0] != _REPLY[len(dst)]:
        return False
    if not verify(message, 0 if four else pseudo_sum(src, dst, IPPROTO_ICMPV6, len(message))):
        return False
    ident = int.from_bytes(message[4:6], "big")
    for sk in net.hashinfo.ping.get(ident, ()):
        if (sk.sk_family == AF_INET) == four and matches(sk, src, dst) and not sk.sk_shutdown & Shutdown.RCV:
            return sock_queue_rcv_skb(sk, message, address_of(sk, src, 0))
    return False


ping_prot = InetProto(
    name="PING", close=ping_close, connect=ip4_datagram_connect, disconnect=ping_disconnect, sendmsg=ping_v4_sendmsg,
    recvmsg=ping_recvmsg, hash=ping_hash, unhash=ping_unhash, get_port=ping_get_port, **DATAGRAM,
)  # fmt: skip
pingv6_prot = InetProto(
    name="PINGv6", close=ping_close, connect=ip6_datagram_connect, disconnect=ping_disconnect, sendmsg=ping_v4_sendmsg,
    recvmsg=ping_recvmsg, hash=ping_hash, unhash=ping_unhash, get_port=ping_get_port, **DATAGRAM,
)  # fmt: skip
