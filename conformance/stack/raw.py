"""Raw sockets: whole IPv4 packets or IPv6 payloads of one protocol, beside whoever else takes them (net/ipv4/raw.c, net/ipv6/raw.c)."""

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
from conformance.stack.in6 import address_of, is_any, on_wire
from conformance.stack.ip_output import ip_local_out
from conformance.stack.ping import ping_rcv
from conformance.stack.proto import InetProto
from conformance.stack.route import inet_addr_type
from conformance.stack.sock import Address, Shutdown, Sock
from conformance.stack.tasks import Call
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import AF_INET, AF_INET6, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_RAW
from conformance.wire.checksum import finish, ones_sum, pseudo_sum

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["raw_prot", "raw_rcv", "rawv6_prot"]


def raw_hash_sk(sk: Sock) -> None:
    """It receives from now on; its ``num`` is the protocol."""
    sk.net.hashinfo.raw.append(sk)


def raw_unhash_sk(sk: Sock) -> None:
    """No more."""
    if sk in sk.net.hashinfo.raw:
        sk.net.hashinfo.raw.remove(sk)


def raw_bind(sk: Sock, address: Address) -> None:
    """An address alone. EINVAL when connected, EAFNOSUPPORT, EADDRNOTAVAIL."""
    if sk.sk_state is not TcpState.CLOSED:
        raise SocketError("EINVAL")
    if address.family != sk.sk_family:
        raise SocketError("EAFNOSUPPORT")
    host = on_wire(address.host)
    if inet_addr_type(sk.net, host) == "unicast" or len(host) != len(address.host):
        raise SocketError("EADDRNOTAVAIL")
    sk.rcv_saddr = b"" if is_any(host) else host
    sk.saddr = sk.rcv_saddr if inet_addr_type(sk.net, host) == "local" else b""
    sk.addr_bound_by_user, sk.dst = bool(sk.rcv_saddr), None


def raw_get_port(_sk: Sock, _port: int) -> None:
    """Raw sockets have no ports."""


def raw_sendmsg(sk: Sock, data: bytes, flags: int, address: Address | None) -> Call:
    """Send ``data`` behind an IP header, or with the header that it has (IP_HDRINCL)."""
    yield from ()
    daddr, _ = destination(sk, len(data), flags, address)
    dst = route_to(sk, daddr)
    if sk.options.get("IP_HDRINCL"):
        raw_send_hdrinc(sk, data, dst.saddr)
    else:
        if sk.sk_family == AF_INET6 and sk.sk_protocol == IPPROTO_ICMPV6 and len(data) >= 4:  # RFC 3542, section 3.1: the stack's task
            total = ones_sum(data[:2] + b"\0\0" + data[4:]) + pseudo_sum(dst.saddr, dst.daddr, IPPROTO_ICMPV6, len(data))
            ip_send_skb(sk, data[:2] + finish(total).to_bytes(2, "big") + data[4:], dst, IPPROTO_ICMPV6)
        else:
            ip_send_skb(sk, data, dst, sk.num)
    return len(data)


def raw_send_hdrinc(sk: Sock, data: bytes, saddr: bytes) -> None:
    """The caller's header; of IPv4's the stack fills in source, length, identification and checksum."""
    if len(data) >= 20 and sk.sk_family == AF_INET:
        size = (data[0] & 0xF) * 4
        if data[0] >> 4 != 4 or not 20 <= size <= len(data):
            raise SocketError("EINVAL")
        source = data[12:16] if any(data[12:16]) else saddr
        ident = data[4:6] if any(data[4:6]) else sk.net.rng.randrange(1, 0x10000).to_bytes(2, "big")
        header = data[:2] + len(data).to_bytes(2, "big") + ident + data[6:10] + b"\0\0" + source + data[16:size]
        data = header[:10] + finish(ones_sum(header)).to_bytes(2, "big") + header[12:] + data[size:]
    elif len(data) < 20 or (sk.sk_family == AF_INET6 and data[0] >> 4 != 6):
        raise SocketError("EINVAL")
    ip_local_out(sk.net, data)


def raw_recvmsg(sk: Sock, size: int, flags: int) -> Call:
    """The next packet."""
    return (yield from skb_recv_datagram(sk, size, flags))


def raw_close(sk: Sock, _timeout: int) -> Call:
    """Gone at once."""
    yield from ()
    raw_unhash_sk(sk)
    sk.datagrams.clear()
    sk.sk_shutdown = Shutdown.BOTH
    sk.sk_wake()


def raw_rcv(net: Net, protocol: int, src: bytes, dst: bytes, payload: bytes, packet: bytes) -> bool:
    """A packet goes to all raw sockets of its protocol (raw_local_deliver). Did one want it? Echo replies also go to echo sockets."""
    wanted = False
    four = len(dst) == 4
    for sk in list(net.hashinfo.raw):
        if sk.num != protocol or sk.num == IPPROTO_RAW or (sk.sk_family == AF_INET) != four or not matches(sk, src, dst):
            continue
        wanted = True
        if sk.sk_shutdown & Shutdown.RCV or not sock_queue_rcv_skb(sk, packet if four else payload, address_of(sk, src, 0)):
            net.count("RawDrops")
    if protocol == (IPPROTO_ICMP if four else IPPROTO_ICMPV6):
        wanted |= ping_rcv(net, src, dst, payload)
    return wanted


raw_prot = InetProto(
    name="RAW", close=raw_close, connect=ip4_datagram_connect, disconnect=datagram_disconnect, sendmsg=raw_sendmsg, recvmsg=raw_recvmsg,
    hash=raw_hash_sk, unhash=raw_unhash_sk, get_port=raw_get_port, bind=raw_bind, **DATAGRAM,
)  # fmt: skip
rawv6_prot = InetProto(
    name="RAWv6", close=raw_close, connect=ip6_datagram_connect, disconnect=datagram_disconnect, sendmsg=raw_sendmsg, recvmsg=raw_recvmsg,
    hash=raw_hash_sk, unhash=raw_unhash_sk, get_port=raw_get_port, bind=raw_bind, **DATAGRAM,
)  # fmt: skip
