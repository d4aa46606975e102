"""The sockets of both Internet families: how they are made, and what the calls do before TCP, UDP or raw IP comes in.

net/ipv4/af_inet.c, and net/ipv6/af_inet6.c where the families differ. Calls that the two families share go by IPv4's name, as in Linux.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack.errors import SocketError
from conformance.stack.in6 import INADDR_ANY, address_of, in6addr_any, ipv6_addr_v4mapped, is_any, on_wire
from conformance.stack.inet_connection_sock import inet_csk_listen_start
from conformance.stack.inet_stream import inet_dgram_connect, inet_stream_connect
from conformance.stack.proto import InetProtoOps, InetProtosw
from conformance.stack.route import inet_addr_type, is_multicast
from conformance.stack.sock import Address, ConnectionSock, Shutdown, Sock, Socket, SocketState
from conformance.stack.sock_core import sk_alloc, sock_graft, sock_init_data, sock_orphan
from conformance.stack.tasks import Call
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import (
    AF_INET,
    AF_INET6,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_RAW,
    IPPROTO_TCP,
    IPPROTO_UDP,
    MSG_ERRQUEUE,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
)  # fmt: skip

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["inet6_family_ops", "inet_autobind", "inet_family_ops", "inetsw", "inetsw6"]

_IPPROTO_MAX = 263
"""One more than IPPROTO_MPTCP (include/uapi/linux/in.h)."""


# Making ---------------------------------------------------------------------------------------------------------------


def inetsw() -> list[InetProtosw]:
    """Type and protocol to operations, for IPv4; protocol 0 is whatever is asked for."""
    from conformance.stack import ping, raw, tcp_ipv4, udp  # they need this module

    return [
        InetProtosw(SOCK_STREAM, IPPROTO_TCP, tcp_ipv4.tcp_prot, inet_stream_ops),
        InetProtosw(SOCK_DGRAM, IPPROTO_UDP, udp.udp_prot, inet_dgram_ops),
        InetProtosw(SOCK_DGRAM, IPPROTO_ICMP, ping.ping_prot, inet_sockraw_ops),
        InetProtosw(SOCK_RAW, IPPROTO_IP, raw.raw_prot, inet_sockraw_ops),
    ]


def inetsw6() -> list[InetProtosw]:
    """The same for IPv6."""
    from conformance.stack import ping, raw, tcp_ipv4, udp  # they need this module

    return [
        InetProtosw(SOCK_STREAM, IPPROTO_TCP, tcp_ipv4.tcpv6_prot, inet6_stream_ops),
        InetProtosw(SOCK_DGRAM, IPPROTO_UDP, udp.udpv6_prot, inet6_dgram_ops),
        InetProtosw(SOCK_DGRAM, IPPROTO_ICMPV6, ping.pingv6_prot, inet6_sockraw_ops),
        InetProtosw(SOCK_RAW, IPPROTO_IP, raw.rawv6_prot, inet6_sockraw_ops),
    ]


def inet_create(net: Net, sock: Socket, protocol: int) -> None:
    """The IPv4 side of socket(2)."""
    _create(net, sock, AF_INET, protocol, inetsw())


def inet6_create(net: Net, sock: Socket, protocol: int) -> None:
    """The IPv6 side of socket(2)."""
    _create(net, sock, AF_INET6, protocol, inetsw6())


inet_family_ops, inet6_family_ops = inet_create, inet6_create


def _create(net: Net, sock: Socket, family: int, protocol: int, table: list[InetProtosw]) -> None:
    if not 0 <= protocol < _IPPROTO_MAX:
        raise SocketError("EINVAL")
    sock.state = SocketState.SS_UNCONNECTED
    answer, protocol = _lookup_protocol(table, sock.type, protocol, net.sysctl.linux)
    sock.ops = answer.ops
    sk = sk_alloc(net, family, sock.type, protocol, answer.prot)
    sock_init_data(sock, sk)
    if sock.type == SOCK_RAW:
        sk.num = protocol
        sk.options["IP_HDRINCL"] = protocol == IPPROTO_RAW
        sk.sk_prot.hash(sk)
    sk.sk_prot.init(sk)


def _lookup_protocol(table: list[InetProtosw], kind: int, protocol: int, linux: bool) -> tuple[InetProtosw, int]:
    """ESOCKTNOSUPPORT if there is nothing of this type, EPROTONOSUPPORT if nothing of it has this protocol; EPROTOTYPE if another type has.

    Linux knows no difference between the last two.
    """
    error = "ESOCKTNOSUPPORT"
    others = {answer.protocol for answer in table if answer.type != kind}
    for answer in table:
        if answer.type != kind:
            continue
        if protocol == answer.protocol:
            if protocol != IPPROTO_IP:
                return answer, protocol
        elif protocol == IPPROTO_IP:
            return answer, answer.protocol
        elif answer.protocol == IPPROTO_IP:
            return answer, protocol
        error = "EPROTOTYPE" if protocol in others and not linux else "EPROTONOSUPPORT"
    raise SocketError(error)


def inet_release(sock: Socket) -> Call:
    """The last descriptor is closed; the protocol goes on alone, if it has something left to do."""
    sk = sock.sk
    if sk is None:
        return
    sock.sk = None
    sock_orphan(sk)
    yield from sk.sk_prot.close(sk, sk.linger or 0)


def inet6_release(sock: Socket) -> Call:
    """The same for IPv6."""
    yield from inet_release(sock)


# bind -----------------------------------------------------------------------------------------------------------------


def sk_of(sock: Socket) -> Sock:
    """The network's side of an open socket."""
    assert sock.sk is not None
    return sock.sk


def inet_bind(sock: Socket, address: Address) -> None:
    """EAFNOSUPPORT, EADDRNOTAVAIL, EINVAL when bound, EADDRINUSE, in this order."""
    sk = sk_of(sock)
    own = getattr(sk.sk_prot, "bind", None)
    if own is not None:
        own(sk, address)
        return
    if address.family != AF_INET and address.host:
        raise SocketError("EAFNOSUPPORT")
    host = address.host or INADDR_ANY
    if not _valid_to_bind(sk, host):
        raise SocketError("EADDRNOTAVAIL")
    if sk.sk_state is not TcpState.CLOSED or sk.num:
        raise SocketError("EINVAL")
    _bind(sk, b"" if is_any(host) else host, address.port)


def inet6_bind(sock: Socket, address: Address) -> None:
    """The same for IPv6; a mapped address binds to IPv4 alone."""
    sk = sk_of(sock)
    own = getattr(sk.sk_prot, "bind", None)
    if own is not None:
        own(sk, address)
        return
    if address.family != AF_INET6:
        raise SocketError("EINVAL" if address.host else "EAFNOSUPPORT")  # a sockaddr_in is too short
    if is_multicast(address.host) and sock.type == SOCK_STREAM:
        raise SocketError("EINVAL")
    if sk.sk_state is not TcpState.CLOSED or sk.num:
        raise SocketError("EINVAL")
    if ipv6_addr_v4mapped(address.host) and sk.v6only:
        raise SocketError("EINVAL")
    host = on_wire(address.host)
    if not _valid_to_bind(sk, host):
        raise SocketError("EADDRNOTAVAIL")
    v6only = sk.v6only
    sk.v6only = v6only or (len(host) == 16 and not is_any(host))
    try:
        _bind(sk, b"" if host == in6addr_any else host, address.port)
    except SocketError:
        sk.v6only = v6only
        raise


def _valid_to_bind(sk: Sock, host: bytes) -> bool:
    """inet_addr_valid_or_nonlocal(); IPv6 has no broadcast."""
    free = sk.options.get("IP_FREEBIND") or sk.options.get("IPV6_FREEBIND")
    return bool(free) or inet_addr_type(sk.net, host) != "unicast"


def _bind(sk: Sock, host: bytes, port: int) -> None:
    """The second half of __inet_bind: the port, and what the socket keeps."""
    sk.rcv_saddr = host
    sk.saddr = host if host and inet_addr_type(sk.net, host) in ("local", "unicast") else b""
    if port or not sk.options.get("IP_BIND_ADDRESS_NO_PORT"):
        try:
            sk.sk_prot.get_port(sk, port)
        except SocketError:
            sk.rcv_saddr = sk.saddr = b""
            raise
    sk.addr_bound_by_user = bool(host)
    sk.bound_by_user = bool(port)
    sk.daddr, sk.dport, sk.dst = b"", 0, None


def inet_autobind(sk: Sock) -> None:
    """A port for a socket that has none; EAGAIN if there is none."""
    if not sk.num:
        try:
            sk.sk_prot.get_port(sk, 0)
        except SocketError as error:
            raise SocketError("EAGAIN") from error


# listen and accept ----------------------------------------------------------------------------------------------------


def inet_listen(sock: Socket, backlog: int) -> None:
    """Listen, or change the backlog. EINVAL in any state but CLOSED and LISTEN."""
    sk = sk_of(sock)
    if sock.state is not SocketState.SS_UNCONNECTED or sock.type != SOCK_STREAM:
        raise SocketError("EINVAL")
    __inet_listen_sk(sk, backlog)


def __inet_listen_sk(sk: Sock, backlog: int) -> None:
    if sk.sk_state not in (TcpState.CLOSED, TcpState.LISTEN):
        raise SocketError("EINVAL")
    assert isinstance(sk, ConnectionSock)
    sk.sk_max_ack_backlog = backlog
    if sk.sk_state is not TcpState.LISTEN:
        inet_csk_listen_start(sk)


def inet_accept(sock: Socket, newsock: Socket, nonblock: bool) -> Call:
    """Join the next connection to ``newsock``. ECONNABORTED if it was reset while it waited, but for Linux, which hands it over dead."""
    sk = sk_of(sock)
    newsk: Sock = yield from sk.sk_prot.accept(sk, nonblock)
    if newsk.sk_state is TcpState.CLOSED and not sk.net.sysctl.linux:
        from conformance.stack import tcp  # it needs this module

        assert isinstance(newsk, ConnectionSock)
        tcp.inet_child_forget(newsk)
        raise SocketError("ECONNABORTED")
    __inet_accept(newsock, newsk)


def __inet_accept(newsock: Socket, newsk: Sock) -> None:
    sock_graft(newsk, newsock)
    newsock.state = SocketState.SS_CONNECTED


# Names, data, shutdown ------------------------------------------------------------------------------------------------


def inet_getname(sock: Socket, peer: int) -> Address:
    """``peer``: 0 for its own name, 1 for getpeername, 2 for accept, which wants the name of a connection that is gone, too. ENOTCONN."""
    sk = sk_of(sock)
    if not peer:
        own = sk.rcv_saddr
        return address_of(sk, sk.saddr if is_any(own) and sk.saddr else own, sk.num)
    if not sk.dport or (peer == 1 and sk.sk_state in (TcpState.CLOSED, TcpState.SYN_SENT)):
        raise SocketError("ENOTCONN")
    return address_of(sk, sk.daddr, sk.dport)


def inet6_getname(sock: Socket, peer: int) -> Address:
    """The same for IPv6; an IPv4 address comes out mapped."""
    return inet_getname(sock, peer)


def inet_send_prepare(sk: Sock) -> None:
    """A datagram socket is bound by its first datagram. TCP says itself that it is not connected."""
    if sk.sk_type != SOCK_STREAM:
        inet_autobind(sk)


def inet_sendmsg(sock: Socket, data: bytes, flags: int, address: Address | None) -> Call:
    """To the protocol; returns how many octets it took."""
    sk = sk_of(sock)
    inet_send_prepare(sk)
    return (yield from sk.sk_prot.sendmsg(sk, data, flags, address))


def inet6_sendmsg(sock: Socket, data: bytes, flags: int, address: Address | None) -> Call:
    """The same for IPv6."""
    return (yield from inet_sendmsg(sock, data, flags, address))


def inet_recvmsg(sock: Socket, size: int, flags: int) -> Call:
    """From the protocol; returns the data and whom they came from. TCP gives the data alone."""
    sk = sk_of(sock)
    if flags & MSG_ERRQUEUE:  # inet_recv_error()
        if not sk.error_queue:
            raise SocketError("EAGAIN")
        return sk.error_queue.popleft().encode(), None
    received: bytes | tuple[bytes, Address | None] = yield from sk.sk_prot.recvmsg(sk, size, flags)
    return received if isinstance(received, tuple) else (bytes(received), None)


def inet6_recvmsg(sock: Socket, size: int, flags: int) -> Call:
    """The same for IPv6."""
    return (yield from inet_recvmsg(sock, size, flags))


def inet_poll(sock: Socket) -> int:
    """tcp_poll, udp_poll or datagram_poll: whichever the protocol has."""
    sk = sk_of(sock)
    return sk.sk_prot.poll(sk)


def inet_shutdown(sock: Socket, how: int) -> None:
    """EINVAL for what is no direction, ENOTCONN in CLOSED; a listener or a connecting socket that is shut down goes back to CLOSED."""
    sk = sk_of(sock)
    how += 1  # SHUT_RD, SHUT_WR, SHUT_RDWR become bits
    if how & ~Shutdown.BOTH or not how:
        raise SocketError("EINVAL")
    if sock.state is SocketState.SS_CONNECTING:
        early = (TcpState.SYN_SENT, TcpState.SYN_RECEIVED, TcpState.CLOSED)
        sock.state = SocketState.SS_DISCONNECTING if sk.sk_state in early else SocketState.SS_CONNECTED
    was = sk.sk_state
    if was is TcpState.SYN_SENT or (was is TcpState.LISTEN and how & Shutdown.RCV):
        sk.sk_prot.disconnect(sk)
        sock.state = SocketState.SS_UNCONNECTED
    elif was is not TcpState.LISTEN:
        sk.sk_shutdown |= how
        sk.sk_prot.shutdown(sk, how)
    sk.sk_wake()
    if was is TcpState.CLOSED:
        raise SocketError("ENOTCONN")


# The tables -----------------------------------------------------------------------------------------------------------

inet_stream_ops = InetProtoOps(
    name="inet_stream_ops", release=inet_release, bind=inet_bind, connect=inet_stream_connect, accept=inet_accept, getname=inet_getname,
    poll=inet_poll, listen=inet_listen, shutdown=inet_shutdown, sendmsg=inet_sendmsg, recvmsg=inet_recvmsg,
)  # fmt: skip
inet_dgram_ops = InetProtoOps(
    name="inet_dgram_ops", release=inet_release, bind=inet_bind, connect=inet_dgram_connect, getname=inet_getname, poll=inet_poll,
    shutdown=inet_shutdown, sendmsg=inet_sendmsg, recvmsg=inet_recvmsg,
)  # fmt: skip
inet_sockraw_ops = InetProtoOps(
    name="inet_sockraw_ops", release=inet_release, bind=inet_bind, connect=inet_dgram_connect, getname=inet_getname, poll=inet_poll,
    shutdown=inet_shutdown, sendmsg=inet_sendmsg, recvmsg=inet_recvmsg,
)  # fmt: skip
inet6_stream_ops = InetProtoOps(
    name="inet6_stream_ops", release=inet6_release, bind=inet6_bind, connect=inet_stream_connect, accept=inet_accept, getname=inet6_getname,
    poll=inet_poll, listen=inet_listen, shutdown=inet_shutdown, sendmsg=inet6_sendmsg, recvmsg=inet6_recvmsg,
)  # fmt: skip
inet6_dgram_ops = InetProtoOps(
    name="inet6_dgram_ops", release=inet6_release, bind=inet6_bind, connect=inet_dgram_connect, getname=inet6_getname, poll=inet_poll,
    shutdown=inet_shutdown, sendmsg=inet6_sendmsg, recvmsg=inet6_recvmsg,
)  # fmt: skip
inet6_sockraw_ops = InetProtoOps(
    name="inet6_sockraw_ops", release=inet6_release, bind=inet6_bind, connect=inet_dgram_connect, getname=inet6_getname, poll=inet_poll,
    shutdown=inet_shutdown, sendmsg=inet6_sendmsg, recvmsg=inet6_recvmsg,
)  # fmt: skip
