"""What UDP, raw and echo sockets have in common: a peer, a queue, readiness (net/core/datagram.c, net/ipv4/datagram.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from conformance.stack.errors import SocketError
from conformance.stack.icmp_errors import icmp_err_convert, ip_icmp_error
from conformance.stack.in6 import INADDR_ANY, ipv6_addr_v4mapped, on_wire
from conformance.stack.ip_output import ip_queue_xmit
from conformance.stack.route import Dst, dst_mtu, ip_route_output, is_multicast, update_pmtu
from conformance.stack.sock import Address, Shutdown, Sock, sk_wait
from conformance.stack.tasks import Call, Woken
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import (
    AF_INET,
    AF_INET6,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
)  # fmt: skip
from conformance.wire.segment import Icmp

_LARGEST = 0xFFFF
_OVERHEAD = 768
"""What a queued datagram counts beside its data (skb->truesize), so that empty ones are bounded too."""
IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE, IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT = range(6)


# Peers ----------------------------------------------------------------------------------------------------------------


def peer_of(sk: Sock, address: Address) -> bytes:
    """The address on the wire. EAFNOSUPPORT for the other family, ENETUNREACH for IPv4 on a socket that is v6only or bound to IPv6."""
    host = address.host
    if sk.sk_family == AF_INET:
        if address.family != AF_INET:
            raise SocketError("EAFNOSUPPORT")
        return host
    if address.family not in (AF_INET, AF_INET6):
        raise SocketError("EAFNOSUPPORT")
    wire = on_wire(host)
    if len(wire) == 4 and (sk.v6only or len(sk.rcv_saddr) == 16):
        raise SocketError("ENETUNREACH")
    if len(wire) == 16 and len(sk.rcv_saddr) == 4:
        raise SocketError("EINVAL" if sk.rcv_saddr == INADDR_ANY else "EAFNOSUPPORT")
    return wire


def route_to(sk: Sock, daddr: bytes) -> Dst:
    """The route; ENETUNREACH without one, EACCES for a broadcast that SO_BROADCAST does not allow."""
    saddr = sk.saddr if len(sk.saddr) == len(daddr) else b""
    dst = ip_route_output(sk.net, daddr, saddr)
    if dst.kind == "broadcast" and not sk.options.get("SO_BROADCAST"):
        raise SocketError("EACCES")
    return dst


def ip4_datagram_connect(sk: Sock, address: Address) -> None:
    """Name the peer: only its datagrams are received from now on, and errors about what was sent to it are told."""
    daddr = peer_of(sk, address)
    sk.dst = None
    dst = route_to(sk, daddr)
    sk.saddr = sk.saddr or dst.saddr
    if not any(sk.rcv_saddr):
        sk.rcv_saddr = dst.saddr
    sk.daddr, sk.dport, sk.dst = dst.daddr, address.port, dst
    sk.sk_state = TcpState.ESTABLISHED  # no connection, and no state machine: the kernel uses the name only


def ip6_datagram_connect(sk: Sock, address: Address) -> None:
    """The same for IPv6; a mapped address makes it an IPv4 socket in all but its names."""
    if ipv6_addr_v4mapped(address.host) or address.family == AF_INET:
        if sk.v6only:
            raise SocketError("ENETUNREACH")
        address = Address(on_wire(address.host), address.port)
    ip4_datagram_connect(sk, address)


def datagram_disconnect(sk: Sock) -> None:
    """No peer any more; what ``bind`` has not asked for goes as well (__udp_disconnect)."""
    sk.sk_state = TcpState.CLOSED
    sk.daddr, sk.dport, sk.dst = b"", 0, None
    if not sk.addr_bound_by_user:
        sk.rcv_saddr = sk.saddr = b""


def matches(sk: Sock, saddr: bytes, daddr: bytes) -> bool:
    """Does a socket take what comes from ``saddr`` to ``daddr``, by the addresses alone?"""
    if len(daddr) == 4:
        if sk.sk_family == AF_INET6 and (sk.v6only or len(sk.rcv_saddr) == 16 or len(sk.daddr) == 16):
            return False
    elif sk.sk_family == AF_INET or len(sk.rcv_saddr) == 4:
        return False
    own_fits = not any(sk.rcv_saddr) or sk.rcv_saddr == daddr
    return own_fits and (not sk.daddr or sk.daddr == saddr)


# Sending --------------------------------------------------------------------------------------------------------------


def destination(sk: Sock, size: int, flags: int, address: Address | None) -> tuple[bytes, int]:
    """Where to, and which port. EMSGSIZE, EOPNOTSUPP, EDESTADDRREQ, then errors that wait, EPIPE."""
    if size > _LARGEST:
        raise SocketError("EMSGSIZE")
    if flags & MSG_OOB:
        raise SocketError("EOPNOTSUPP")
    if address is not None and address.host:
        where = peer_of(sk, address), address.port
    elif sk.sk_state is not TcpState.ESTABLISHED:
        raise SocketError("EDESTADDRREQ")
    else:
        where = sk.daddr, sk.dport
    sk.raise_error()
    if sk.sk_shutdown & Shutdown.SEND:
        raise SocketError("EPIPE")
    return where


def ip_send_skb(sk: Sock, transport: bytes, dst: Dst, protocol: int) -> None:
    """Send; EMSGSIZE if it cannot be sent whole and may not be sent in pieces (IP_MTU_DISCOVER)."""
    net, header = sk.net, 20 if len(dst.daddr) == 4 else 0
    if header + len(transport) > _LARGEST:
        raise SocketError("EMSGSIZE")
    wanted = sk.pmtudisc
    if wanted is None:
        wanted = IP_PMTUDISC_WANT if net.sysctl.pmtu_discovery else IP_PMTUDISC_DONT
    whole = len(transport) + (20 if header else 40) <= dst_mtu(net, dst.daddr)
    df = wanted in (IP_PMTUDISC_DO, IP_PMTUDISC_PROBE) or (whole and wanted == IP_PMTUDISC_WANT)
    ttl = sk.options.get("IP_MULTICAST_TTL", 1) if is_multicast(dst.daddr) else sk.ttl
    ip_queue_xmit(net, transport, dst.saddr, dst.daddr, protocol, tos=sk.tos, ttl=ttl, df=df, quiet=False)


# Receiving ------------------------------------------------------------------------------------------------------------


def sock_queue_rcv_skb(sk: Sock, data: bytes, source: Address) -> bool:
    """Queue a datagram and wake; False if the buffer is full."""
    used = sum(len(queued) + _OVERHEAD for queued, _ in sk.datagrams) if sk.datagrams else 0
    if used > sk.sk_rcvbuf:
        return False
    sk.datagrams.append((data, source))
    sk.sk_wake()
    return True


def skb_recv_datagram(sk: Sock, size: int, flags: int) -> Call:
    """A datagram, cut off at ``size``, and its source. An error that waits comes first; b"" and no source after SHUT_RD."""
    if flags & MSG_OOB:
        raise SocketError("EOPNOTSUPP")
    sk.raise_error()
    if not sk.datagrams:
        deadline = sk.net.now if flags & MSG_DONTWAIT else sk.deadline(sk.sk_rcvtimeo)
        ended = yield from sk_wait(sk, deadline, lambda: bool(sk.datagrams or sk.sk_err or sk.sk_shutdown & Shutdown.RCV))
        sk.raise_error()
        if not sk.datagrams:
            if sk.sk_shutdown & Shutdown.RCV:
                return b"", None
            raise SocketError("EINTR" if ended is Woken.SIGNAL else "EAGAIN")
    data, source = sk.datagrams[0] if flags & MSG_PEEK else sk.datagrams.popleft()
    return data if flags & MSG_TRUNC else data[:size], source


def datagram_poll(sk: Sock) -> int:
    """Always writable: what cannot be sent is lost."""
    mask = POLLOUT
    if sk.sk_err is not None or sk.error_queue:
        mask |= POLLERR
    if sk.sk_shutdown & Shutdown.RCV:
        mask |= POLLRDHUP | POLLIN
    if sk.sk_shutdown == Shutdown.BOTH:
        mask |= POLLHUP
    if sk.datagrams:
        mask |= POLLIN
    return mask


# Errors ---------------------------------------------------------------------------------------------------------------


def datagram_err(sk: Sock, message: Icmp, daddr: bytes) -> None:
    """An ICMP error about what this socket sent. Told to a connected socket if it is fatal, with IP_RECVERR to any, whatever it is."""
    converted = icmp_err_convert(message)
    if converted is None:
        return
    error, hard = converted
    if error == "EMSGSIZE":
        update_pmtu(sk.net, daddr, message.mtu)
        if sk.pmtudisc == IP_PMTUDISC_DONT:
            return
        hard = True
    ip_icmp_error(sk, error, message)
    if sk.recverr or (hard and sk.sk_state is TcpState.ESTABLISHED):
        sk.sk_error_report(error)


# The rest of struct proto ---------------------------------------------------------------------------------------------


def unused_init(_sk: Sock) -> None:
    """Nothing to prepare."""


def unused_accept(_sk: Sock, _nonblock: bool) -> Call:
    """Not reached: ``proto_ops`` refuses first."""
    yield from ()
    raise SocketError("EOPNOTSUPP")


def unused_shutdown(_sk: Sock, _how: int) -> None:
    """Nothing is sent."""


def no_setsockopt(_sk: Sock, _name: str, _value: int | bytes) -> None:
    """No options of its own."""
    raise SocketError("ENOPROTOOPT")


def no_getsockopt(_sk: Sock, _name: str) -> int | bytes:
    """No options of its own."""
    raise SocketError("ENOPROTOOPT")


class DatagramEntries(TypedDict):
    """What the datagram protocols have in common of ``struct proto``."""

    obj: type[Sock]
    init: Callable[[Sock], None]
    accept: Callable[[Sock, bool], Call]
    shutdown: Callable[[Sock, int], None]
    setsockopt: Callable[[Sock, str, int | bytes], None]
    getsockopt: Callable[[Sock, str], int | bytes]
    poll: Callable[[Sock], int]


DATAGRAM = DatagramEntries(
    obj=Sock, init=unused_init, accept=unused_accept, shutdown=unused_shutdown, setsockopt=no_setsockopt, getsockopt=no_getsockopt,
    poll=datagram_poll,
)  # fmt: skip
