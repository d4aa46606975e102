"""The way out: headers, fragments, the next hop (net/ipv4/ip_output.c, net/ipv6/ip6_output.c, drivers/net/loopback.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conformance.stack.errors import SocketError
from conformance.stack.ip_options import IpOptions, ip_options_build
from conformance.stack.route import Dst, dst_mtu, ip_route_output
from conformance.wire.checksum import finish, ones_sum

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net

__all__ = ["ip_local_out", "ip_queue_xmit", "loopback_device"]

_IPV4 = struct.Struct(">HHHHHH4s4s").pack
_IPV6 = struct.Struct(">IHBB16s16s").pack
_FRAGMENT6 = struct.Struct(">BBHI").pack
_DF, _MF = 0x4000, 0x2000
_MAX_PACKET = 65535
_FRAGMENT_HEADER = 44
_LEAST_MTU = {4: 68, 16: 1280}
"""What fragments are made for at the least, whatever a device says."""
_BACKLOG = 1000
"""net.core.netdev_max_backlog: packets that the loopback device holds."""


def ip_queue_xmit(
    net: Net, transport: bytes, saddr: bytes, daddr: bytes, protocol: int, *,
    tos: int = 0, ttl: int | None = None, df: bool = True, quiet: bool = True, options: IpOptions | None = None,
) -> None:  # fmt: skip
    """Send ``transport`` in an IP packet, which is fragmented if that must be and ``df`` is off (ip_queue_xmit(), ip6_xmit()).

    An empty ``saddr`` leaves the choice to the routing. ENETUNREACH and EMSGSIZE are raised unless it is to be ``quiet``: then the
    sender hears of a packet that is too long for the path as if a router on it had said so.
    """
    fib = net.fib
    if options is not None and len(daddr) == 4:
        _xmit_with_options(net, transport, saddr, daddr, protocol, tos, ttl, df, options)
        return
    dst = fib.cache.get((daddr, saddr))
    if dst is None:
        try:
            dst = ip_route_output(net, daddr, saddr)
        except SocketError:
            net.count("IpOutNoRoutes")
            if quiet:
                return
            raise
    if ttl is None:
        ttl = 1 if dst.kind == "multicast" else net.sysctl.ttl  # RFC 1112, section 6.1
    size = len(transport)
    if fib.paths:
        mtu = dst_mtu(net, daddr)
        df = df and not (daddr in fib.paths and fib.paths[daddr].locked)
    else:
        mtu = dst.device.mtu
    if len(daddr) == 4:
        size += 20
        if size > mtu or size > _MAX_PACKET:
            _too_long(net, dst, transport, protocol, tos, ttl, df, mtu, quiet)
            return
        fib.ip_id = ip_id = fib.ip_id + 1 & 0xFFFF
        flags, word = _DF if df else 0, ttl << 8 | protocol
        checksum = -(0x4500 + tos + size + ip_id + flags + word + dst.sum) % 0xFFFF
        header = _IPV4(0x4500 | tos, size, ip_id, flags, word, checksum, dst.saddr, dst.daddr)
    else:
        if size + 40 > mtu or size > _MAX_PACKET:
            _too_long(net, dst, transport, protocol, tos, ttl, df, mtu, quiet)
            return
        header = _IPV6(6 << 28 | tos << 20, size, protocol, ttl, dst.saddr, dst.daddr)
    neighbour = dst.neighbour
    if net.now < neighbour.until:
        dst.device.transmit(neighbour.header + header + transport)
    else:
        neighbour.output(header + transport)


def _xmit_with_options(
    net: Net, transport: bytes, saddr: bytes, daddr: bytes, protocol: int, tos: int, ttl: int | None, df: bool, options: IpOptions
) -> None:
    """The same with a longer header; along a source route the packet is first for its first hop. What is too long is lost."""
    try:
        dst = ip_route_output(net, options.faddr or daddr, saddr)
    except SocketError:
        net.count("IpOutNoRoutes")
        return
    octets = ip_options_build(options, daddr)
    size = 20 + len(octets) + len(transport)
    if size > dst_mtu(net, dst.daddr):
        net.count("IpFragFails")
        return
    net.fib.ip_id = ip_id = net.fib.ip_id + 1 & 0xFFFF
    first = 0x4000 + (20 + len(octets) << 6) | tos
    word = (net.sysctl.ttl if ttl is None else ttl) << 8 | protocol
    header = _IPV4(first, size, ip_id, _DF if df else 0, word, 0, dst.saddr, dst.daddr) + octets
    dst.neighbour.output(header[:10] + finish(ones_sum(header)).to_bytes(2, "big") + header[12:] + transport)


def ip_local_out(net: Net, packet: bytes) -> None:
    """Send a packet that has its header already (IP_HDRINCL); raises ENETUNREACH, EMSGSIZE, and EINVAL for what is no packet."""
    if len(packet) < 20 or packet[0] >> 4 not in (4, 6) or (packet[0] >> 4 == 6 and len(packet) < 40):
        raise SocketError("EINVAL")
    saddr, daddr = (packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40])
    dst = ip_route_output(net, daddr, saddr)
    if len(packet) > dst.device.mtu:
        raise SocketError("EMSGSIZE")
    dst.neighbour.output(packet)


def _too_long(net: Net, dst: Dst, transport: bytes, protocol: int, tos: int, ttl: int, df: bool, mtu: int, quiet: bool) -> None:
    """ip_fragment(), ip6_fragment(): in pieces, or not at all."""
    four = len(dst.daddr) == 4
    if not df and len(transport) + (20 if four else 0) <= _MAX_PACKET:
        (_ip_fragment if four else _ip6_fragment)(net, dst, transport, protocol, tos, ttl, max(mtu, _LEAST_MTU[len(dst.daddr)]))
        return
    net.count("IpFragFails")
    if not quiet:
        raise SocketError("EMSGSIZE")
    from conformance.stack.icmp import icmp_send  # late: it imports this module

    if four:
        header = _header4(dst, min(20 + len(transport), _MAX_PACKET), 0, _DF, ttl, protocol, tos)
        icmp_send(net, header + transport, 3, 4, mtu)
    else:
        header = _IPV6(6 << 28 | tos << 20, min(len(transport), _MAX_PACKET), protocol, ttl, dst.saddr, dst.daddr)
        icmp_send(net, header + transport, 2, 0, mtu)


def _header4(dst: Dst, size: int, ip_id: int, fragment: int, ttl: int, protocol: int, tos: int) -> bytes:
    checksum = -(0x4500 + tos + size + ip_id + fragment + (ttl << 8 | protocol) + dst.sum) % 0xFFFF
    return _IPV4(0x4500 | tos, size, ip_id, fragment, ttl << 8 | protocol, checksum, dst.saddr, dst.daddr)


def _ip_fragment(net: Net, dst: Dst, transport: bytes, protocol: int, tos: int, ttl: int, mtu: int) -> None:
    """RFC 791, section 3.2."""
    net.fib.ip_id = ip_id = net.fib.ip_id + 1 & 0xFFFF
    step = mtu - 20 & ~7
    for at in range(0, len(transport), step):
        piece = transport[at : at + step]
        more = _MF if at + step < len(transport) else 0
        net.count("IpFragCreates")
        dst.neighbour.output(_header4(dst, 20 + len(piece), ip_id, more | at >> 3, ttl, protocol, tos) + piece)


def _ip6_fragment(net: Net, dst: Dst, transport: bytes, protocol: int, tos: int, ttl: int, mtu: int) -> None:
    """RFC 8200, section 4.5; an identification that nobody can foresee (RFC 7739)."""
    ident = net.rng.getrandbits(32)
    step = mtu - 48 & ~7
    for at in range(0, len(transport), step):
        piece = transport[at : at + step]
        more = 1 if at + step < len(transport) else 0
        header = _IPV6(6 << 28 | tos << 20, 8 + len(piece), _FRAGMENT_HEADER, ttl, dst.saddr, dst.daddr)
        net.count("Ip6FragCreates")
        dst.neighbour.output(header + _FRAGMENT6(protocol, 0, at | more, ident) + piece)


def loopback_device(net: Net, mtu: int) -> Device:
    """A device whose frames come back to it, once what is being done is done (loopback_xmit())."""
    from conformance.stack.ip import netif_receive_skb  # late: it imports this module
    from conformance.stack.net import Device

    waiting = 0

    def receive(frame: bytes) -> None:
        nonlocal waiting
        waiting -= 1
        netif_receive_skb(net, device, frame)

    def transmit(frame: bytes) -> None:
        nonlocal waiting
        if waiting >= _BACKLOG:
            net.count("LoopbackBacklogDrop")
            return
        waiting += 1
        net.later(lambda: receive(frame))

    device = Device("lo", b"", mtu, transmit)
    return device
