"""UDP (RFC 768, RFC 8200 section 8.1): net/ipv4/udp.c and net/ipv6/udp.c."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conformance.stack.datagram import (
    DATAGRAM,
    datagram_disconnect,
    datagram_err,
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
from conformance.stack.route import inet_addr_type
from conformance.stack.sock import Address, Shutdown, Sock
from conformance.stack.tasks import Call
from conformance.stack.uapi import AF_INET, IPPROTO_UDP
from conformance.wire.checksum import finish, ones_sum, pseudo_sum, verify
from conformance.wire.segment import Icmp

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["udp_err", "udp_prot", "udp_rcv", "udpv6_prot"]

_HEADER = struct.Struct(">HHHH")
_PORT_UNREACHABLE = {4: (3, 3), 16: (1, 4)}


# Ports ----------------------------------------------------------------------------------------------------------------


def udp_lib_get_port(sk: Sock, port: int) -> None:
    """A port, any for 0; EADDRINUSE if another socket has it and SO_REUSEADDR or SO_REUSEPORT does not allow both."""
    if port:
        if udp_lib_lport_inuse(sk, port):
            raise SocketError("EADDRINUSE")
    else:
        low, high = sk.net.sysctl.ports
        count = high - low + 1
        start = sk.net.rng.randrange(count)
        ports = (low + (start + step) % count for step in range(count))
        port = next((port for port in ports if port not in sk.net.hashinfo.udp), 0)
        if not port:
            raise SocketError("EADDRINUSE")
    sk.num = port
    sk.net.hashinfo.udp.setdefault(port, []).append(sk)


def udp_lib_lport_inuse(sk: Sock, port: int) -> bool:
    """Does another socket keep this one from the port?"""
    return any(
        other is not sk
        and not (sk.sk_reuse and other.sk_reuse)
        and not (sk.sk_reuseport and other.sk_reuseport)
        and inet_rcv_saddr_equal(sk, other)
        for other in sk.net.hashinfo.udp.get(port, ())
    )


def udp_lib_unhash(sk: Sock) -> None:
    """Give the port back."""
    there = sk.net.hashinfo.udp.get(sk.num, [])
    if sk in there:
        there.remove(sk)
        if not there:
            del sk.net.hashinfo.udp[sk.num]
    sk.num = 0


def udp_lib_hash(_sk: Sock) -> None:
    """Not reached: ``get_port`` enters the socket (udp_lib_hash)."""


# Calls ----------------------------------------------------------------------------------------------------------------


def udp_sendmsg(sk: Sock, data: bytes, flags: int, address: Address | None) -> Call:
    """Send one datagram."""
    yield from ()
    daddr, dport = destination(sk, len(data), flags, address)
    if not dport:
        raise SocketError("EINVAL")
    dst = route_to(sk, daddr)
    length = _HEADER.size + len(data)
    if length > 0xFFFF:
        raise SocketError("EMSGSIZE")
    header = _HEADER.pack(sk.num, dport, length, 0)
    checksum = finish(ones_sum(header + data) + pseudo_sum(dst.saddr, dst.daddr, IPPROTO_UDP, length))
    udp_send_skb = header[:6] + (checksum or 0xFFFF).to_bytes(2, "big") + data
    ip_send_skb(sk, udp_send_skb, dst, IPPROTO_UDP)
    sk.net.count("UdpOutDatagrams")
    return len(data)


def udpv6_sendmsg(sk: Sock, data: bytes, flags: int, address: Address | None) -> Call:
    """The same for IPv6, or for IPv4 from an IPv6 socket."""
    return (yield from udp_sendmsg(sk, data, flags, address))


def udp_recvmsg(sk: Sock, size: int, flags: int) -> Call:
    """The next datagram and where it came from."""
    return (yield from skb_recv_datagram(sk, size, flags))


def udpv6_recvmsg(sk: Sock, size: int, flags: int) -> Call:
    """The same for IPv6."""
    return (yield from udp_recvmsg(sk, size, flags))


def udp_disconnect(sk: Sock) -> None:
    """No peer any more; a port that ``bind`` did not ask for is given back."""
    datagram_disconnect(sk)
    if not sk.bound_by_user:
        udp_lib_unhash(sk)


def udp_lib_close(sk: Sock, _timeout: int) -> Call:
    """Gone at once; whoever sleeps on it is told."""
    yield from ()
    udp_lib_unhash(sk)
    sk.datagrams.clear()
    sk.sk_shutdown = Shutdown.BOTH
    sk.sk_wake()


# In -------------------------------------------------------------------------------------------------------------------


def udp_rcv(net: Net, packet: bytes, src: bytes, dst: bytes) -> None:
    """A datagram, in a whole IP packet without extension headers: to its socket, to all for a group, else ICMP port unreachable."""
    datagram = packet[(packet[0] & 0xF) * 4 :] if len(src) == 4 else packet[40:]
    if len(datagram) < _HEADER.size:
        net.count("UdpInErrors")
        return
    sport, dport, length, checksum = _HEADER.unpack_from(datagram)
    if not _HEADER.size <= length <= len(datagram):
        net.count("UdpInErrors")
        return
    datagram = datagram[:length]
    if not _checksum_ok(datagram, checksum, src, dst):
        net.count(("UdpInCsumErrors", "UdpInErrors"))
        return
    data = datagram[_HEADER.size :]
    if inet_addr_type(net, dst) in ("broadcast", "multicast"):
        __udp4_lib_mcast_deliver(net, data, src, sport, dst, dport)
        return
    sk = __udp4_lib_lookup(net, src, sport, dst, dport)
    if sk is None:
        net.count("UdpNoPorts")
        from conformance.stack.icmp import icmp_send  # which needs the protocols

        icmp_send(net, packet, *_PORT_UNREACHABLE[len(dst)])
        return
    udp_queue_rcv_skb(sk, data, src, sport)


def _checksum_ok(datagram: bytes, checksum: int, src: bytes, dst: bytes) -> bool:
    """0 is "not computed" in IPv4, and wrong in IPv6 (RFC 8200, section 8.1)."""
    if not checksum:
        return len(src) == 4
    return verify(datagram, pseudo_sum(src, dst, IPPROTO_UDP, len(datagram)))


def __udp4_lib_lookup(net: Net, saddr: bytes, sport: int, daddr: bytes, dport: int) -> Sock | None:
    best, found = 0, list[Sock]()
    for sk in net.hashinfo.udp.get(dport, ()):
        score = compute_score(sk, saddr, sport, daddr)
        if score > best:
            best, found = score, [sk]
        elif score and score == best and sk.sk_reuseport:
            found.append(sk)
    if len(found) < 2:
        return found[0] if found else None
    return found[net.hashinfo.keyed_hash(saddr, sport.to_bytes(2, "big"), daddr) % len(found)]


def compute_score(sk: Sock, saddr: bytes, sport: int, daddr: bytes) -> int:
    """How well a socket fits a datagram; 0: not at all."""
    if not matches(sk, saddr, daddr) or (sk.dport and sk.dport != sport):
        return 0
    return 1 + (sk.sk_family == AF_INET) + 4 * (bool(any(sk.rcv_saddr)) + bool(sk.daddr) + bool(sk.dport))


def __udp4_lib_mcast_deliver(net: Net, data: bytes, saddr: bytes, sport: int, daddr: bytes, dport: int) -> None:
    for sk in list(net.hashinfo.udp.get(dport, ())):
        if compute_score(sk, saddr, sport, daddr):
            udp_queue_rcv_skb(sk, data, saddr, sport)


def udp_queue_rcv_skb(sk: Sock, data: bytes, saddr: bytes, sport: int) -> None:
    """Queue it; what finds no room is dropped."""
    if sk.sk_shutdown & Shutdown.RCV or not sock_queue_rcv_skb(sk, data, address_of(sk, saddr, sport)):
        sk.net.count(("UdpRcvbufErrors", "UdpInErrors"))
    else:
        sk.net.count("UdpInDatagrams")


def udp_err(net: Net, message: Icmp) -> None:
    """An ICMP error that quotes a datagram of ours."""
    quote = message.quote
    ports = _quoted_ports(message)
    if ports is None:
        return
    src, dst = (quote.src, quote.dst) if quote is not None else _quoted_addresses(message)
    sk = __udp4_lib_lookup(net, dst, ports[1], src, ports[0])
    if sk is None:
        net.count("IcmpInErrors")
    else:
        datagram_err(sk, message, dst)


def _quoted_ports(message: Icmp) -> tuple[int, int] | None:
    """Source and destination port of the datagram that is quoted."""
    if message.quote is not None:
        return message.quote.sport, message.quote.dport
    body = message.body
    at = ((body[0] & 0xF) * 4 if body[0] >> 4 == 4 else 40) if body else 0
    if not at or len(body) < at + 4:
        return None
    return int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")


def _quoted_addresses(message: Icmp) -> tuple[bytes, bytes]:
    body = message.body
    return (body[12:16], body[16:20]) if body[0] >> 4 == 4 else (body[8:24], body[24:40])


udp_prot = InetProto(
    name="UDP", close=udp_lib_close, connect=ip4_datagram_connect, disconnect=udp_disconnect, sendmsg=udp_sendmsg, recvmsg=udp_recvmsg,
    hash=udp_lib_hash, unhash=udp_lib_unhash, get_port=udp_lib_get_port, **DATAGRAM,
)  # fmt: skip
udpv6_prot = InetProto(
    name="UDPv6", close=udp_lib_close, connect=ip6_datagram_connect, disconnect=udp_disconnect, sendmsg=udpv6_sendmsg,
    recvmsg=udpv6_recvmsg, hash=udp_lib_hash, unhash=udp_lib_unhash, get_port=udp_lib_get_port, **DATAGRAM,
)  # fmt: skip
