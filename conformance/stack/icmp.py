"""ICMP (RFC 792, RFC 1122 section 3.2.2) and ICMPv6 (RFC 4443): errors both ways, and echo (net/ipv4/icmp.c, net/ipv6/icmp.c)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.stack.errors import SocketError
from conformance.stack.ip_output import ip_queue_xmit
from conformance.stack.ndisc import ndisc_rcv
from conformance.stack.protocol import inet_protos
from conformance.stack.route import IcmpLimit, ip_route_output, is_multicast
from conformance.stack.sysctl import SECOND
from conformance.wire.checksum import finish, ones_sum, pseudo_sum
from conformance.wire.read import read_ip
from conformance.wire.segment import Family, Icmp, Quote

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net

__all__ = ["icmp_rcv", "icmp_send", "icmpv6_rcv", "ipv6_skip_exthdr"]

_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_ECHO_REPLY, _UNREACHABLE, _QUENCH, _REDIRECT, _ECHO, _TIME_EXCEEDED, _PARAMETER = 0, 3, 4, 5, 8, 11, 12
_ECHO6, _ECHO_REPLY6, _NEIGHBOUR6, _REDIRECT6 = 128, 129, (135, 136), 137
_TOO_BIG6, _PARAMETER6 = 2, 4
_INFORMATION6 = 128
_ERRORS = (_UNREACHABLE, _QUENCH, _REDIRECT, _TIME_EXCEEDED, _PARAMETER)
_QUOTED, _QUOTED6 = 576 - 28, 1280 - 48
"""RFC 1812, section 4.3.2.3; RFC 4443, section 2.4 (c)."""
_PLATEAUS = (32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
"""RFC 1191, section 7.1."""
_EXTENSIONS = {0: 8, 43: 8, 44: 0, 60: 8, 51: 4}
"""Extension headers, and the unit of their length."""
_ECN = 3
_PORTS = struct.Struct(">HHI").unpack_from
"""Of TCP the sequence number too."""
_BURST_ALL, _RATE_ALL, _BURST_EACH, _RATE_EACH = 50, 1000, 6, 1
"""net.ipv4.icmp_msgs_burst, icmp_msgs_per_sec, XRLIM_BURST_FACTOR, icmp_ratelimit: errors, and errors a second."""
_LIMITS_KEPT = 1024


# In -------------------------------------------------------------------------------------------------------------------


def icmp_rcv(net: Net, packet: bytes, host: bool) -> None:
    """An ICMP message in a whole IPv4 packet. ``host``: it was sent to this host alone."""
    message = read_ip(packet)
    if not isinstance(message, Icmp) or not message.checksum_ok:
        net.count("IcmpInErrors")
        return
    net.count("IcmpInMsgs")
    if not host:
        return  # a broadcast echo request may be ignored (RFC 1122, 3.2.2.6), and is by Linux; errors are never broadcast
    if message.type == _ECHO:
        icmp_reply(net, message, message.dst, packet[1], _ECHO_REPLY, packet)
    elif message.type in (_QUENCH, _REDIRECT):
        net.count("IcmpInIgnored")  # RFC 6633; and anybody can send redirects
    elif message.type in _ERRORS:
        if (message.type, message.code) == (_TIME_EXCEEDED, 1) and net.sysctl.linux:
            return  # icmp_unreach(): ICMP_EXC_FRAGTIME goes no further
        if (message.type, message.code, message.mtu) == (_UNREACHABLE, 4, 0) and not net.sysctl.linux:
            message = replace(message, mtu=_guess_mtu(message.body))
        icmp_unreach(net, message)


def icmpv6_rcv(net: Net, device: Device, packet: bytes, host: bool) -> None:
    """An ICMPv6 message in a whole IPv6 packet, its extension headers taken off."""
    message = read_ip(packet)
    if not isinstance(message, Icmp) or not message.checksum_ok:
        net.count("Icmp6InErrors")
        return
    net.count("Icmp6InMsgs")
    if message.type in _NEIGHBOUR6:
        ndisc_rcv(net, device, message, int.from_bytes(packet[44:48], "big"))
    elif not any(message.src):
        net.count("Icmp6InErrors")  # who asks without an address can get no answer
    elif message.type == _ECHO6:
        traffic_class = (packet[0] << 4 | packet[1] >> 4) & 0xFF
        icmp_reply(net, message, message.dst if host else b"", traffic_class, _ECHO_REPLY6, packet)
    elif message.type < _INFORMATION6 and host:
        icmp_unreach(net, message)  # of an unknown type too (RFC 4443, section 2.4 (a))


def _guess_mtu(quote: bytes) -> int:
    """A router that does not know RFC 1191 told no MTU: the next plateau below what was too long for it (its section 5)."""
    size = int.from_bytes(quote[2:4], "big")
    return next((plateau for plateau in _PLATEAUS if plateau < size), _PLATEAUS[-1])


def icmp_unreach(net: Net, message: Icmp) -> None:
    """icmp_unreach(), icmpv6_notify(): an error about a packet of ours goes to the protocol that sent it."""
    about = _about(message)
    if about is None or not net.fib.is_local(about[1].src):
        net.count("IcmpInErrors")
        return
    protocol, quote = about
    if protocol == _TCP:
        inet_protos().tcp_v4_err(net, replace(message, quote=quote))
    elif protocol == _UDP:
        inet_protos().udp_err(net, replace(message, quote=quote))


def _about(message: Icmp) -> tuple[int, Quote] | None:
    """Protocol and start of the packet that an error quotes; None if there is too little of it, or it is of the other family."""
    body = message.body
    if message.family is Family.IPV4:
        if len(body) < 20 or body[0] >> 4 != 4:
            return None
        protocol, at, first = body[9], (body[0] & 0xF) * 4, not int.from_bytes(body[6:8], "big") & 0x1FFF
        src, dst = body[12:16], body[16:20]
    else:
        if len(body) < 40 or body[0] >> 4 != 6:
            return None
        protocol, at, first = ipv6_skip_exthdr(body)
        src, dst = body[8:24], body[24:40]
    if not first or at < 20 or len(body) < at + 8:
        return None
    return protocol, Quote(src, dst, *_PORTS(body, at))


# Out ------------------------------------------------------------------------------------------------------------------


def icmp_reply(net: Net, message: Icmp, saddr: bytes, tos: int, kind: int, packet: bytes) -> None:
    """Answer an echo request, from the address that it was sent to, with its type of service (RFC 1122, 3.2.2.6; RFC 4443, 4.2)."""
    at = (packet[0] & 0xF) * 4 if message.family is Family.IPV4 else 40
    _send(net, kind, 0, packet[at + 4 : at + 8] + message.body, saddr, message.src, tos & ~_ECN)


def icmp_send(net: Net, packet: bytes, type: int, code: int, mtu: int = 0) -> None:
    """icmp_send(), icmpv6_send(): tell the sender of ``packet``, a whole IP packet, what is wrong with it, unless the rules forbid.

    ``mtu`` is the header's second word: an MTU, or for a parameter problem the pointer (in IPv4 in its first octet).
    """
    four = packet[0] >> 4 == 4
    if not (_may_answer4(net, packet) if four else _may_answer6(net, packet, type, code)):
        return
    src, dst = (packet[12:16], packet[16:20]) if four else (packet[8:24], packet[24:40])
    if not _icmp_global_allow(net, src):
        net.count("IcmpOutRateLimitHost")
        return
    saddr = dst if net.fib.is_local(dst) else src if net.fib.is_local(src) else b""
    _send(net, type, code, mtu.to_bytes(4, "big") + packet[: _QUOTED if four else _QUOTED6], saddr, src, 0)


def _may_answer4(net: Net, packet: bytes) -> bool:
    """RFC 1122, section 3.2.2: no errors about errors, nor what was sent to or from several hosts, nor other than first fragments."""
    src, dst = packet[12:16], packet[16:20]
    if int.from_bytes(packet[6:8], "big") & 0x1FFF or is_multicast(dst) or dst in net.fib.addresses.broadcast:
        return False
    if packet[9] == _ICMP:
        at = (packet[0] & 0xF) * 4
        if at >= len(packet) or packet[at] in _ERRORS or packet[at] > 18:
            return False
    return net.fib.is_local(src) or net.fib.valid_source(src)


def _may_answer6(net: Net, packet: bytes, type: int, code: int) -> bool:
    """RFC 4443, section 2.4 (e). About multicasts only: packet too big, and an unrecognized option that asks for it."""
    src, dst = packet[8:24], packet[24:40]
    if is_multicast(dst) and type != _TOO_BIG6 and (type, code) != (_PARAMETER6, 2):
        return False
    protocol, at, first = ipv6_skip_exthdr(packet)
    if protocol == _ICMPV6 and (not first or at >= len(packet) or packet[at] < _INFORMATION6 or packet[at] == _REDIRECT6):
        return False
    return net.fib.is_local(src) or (net.fib.valid_source(src) and any(src))


def ipv6_skip_exthdr(packet: bytes) -> tuple[int, int, bool]:
    """Past the extension headers of an IPv6 packet: the protocol, where its header starts, and whether it starts in this fragment.

    Where a header is cut off, that header is the answer.
    """
    protocol, at = packet[6], 40
    while protocol in _EXTENSIONS and at + 8 <= len(packet):
        if protocol == 44 and int.from_bytes(packet[at + 2 : at + 4], "big") & 0xFFF8:
            return packet[at], at + 8, False
        unit = _EXTENSIONS[protocol]
        protocol, at = packet[at], at + 8 + packet[at + 1] * unit
    return protocol, at, True


def _icmp_global_allow(net: Net, peer: bytes) -> bool:
    """Is one more error within the limits, for all and for this peer (RFC 4443, section 2.4 (f); RFC 1812, section 4.3.2.8)?"""
    if not net.sysctl.icmp_ratelimit or net.fib.is_local(peer):
        return True
    limits = net.fib.icmp_limits
    if len(limits) >= _LIMITS_KEPT:
        del limits[next(key for key in limits if key)]
    return _take(net, b"", _BURST_ALL, _RATE_ALL) and _take(net, peer, _BURST_EACH, _RATE_EACH)


def _take(net: Net, key: bytes, burst: int, rate: int) -> bool:
    bucket = net.fib.icmp_limits.setdefault(key, IcmpLimit(burst, net.now))
    bucket.tokens = min(burst, bucket.tokens + (net.now - bucket.at) * rate / SECOND)
    bucket.at = net.now
    if bucket.tokens < 1:
        return False
    bucket.tokens -= 1
    return True


def _send(net: Net, type: int, code: int, rest: bytes, saddr: bytes, daddr: bytes, tos: int) -> None:
    """Send a message; ``rest`` is all from its second word on."""
    message = struct.pack(">BBH", type, code, 0) + rest
    total = ones_sum(message)
    if len(daddr) == 4:
        protocol = _ICMP
    else:
        protocol = _ICMPV6
        saddr = saddr or _source(net, daddr)
        if not saddr:
            return
        total += pseudo_sum(saddr, daddr, protocol, len(message))
    message = message[:2] + finish(total).to_bytes(2, "big") + message[4:]
    net.count("IcmpOutMsgs")
    ip_queue_xmit(net, message, saddr, daddr, protocol, tos=tos, df=False)


def _source(net: Net, daddr: bytes) -> bytes:
    """The address that the routing chooses; empty if there is no route."""
    try:
        return ip_route_output(net, daddr).saddr
    except SocketError:
        return b""
