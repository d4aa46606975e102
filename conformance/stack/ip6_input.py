"""The way in for IPv6: the header, extension headers, fragments (RFC 8200; net/ipv6/ip6_input.c, exthdrs.c, reassembly.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack.icmp import icmp_send, icmpv6_rcv, ipv6_skip_exthdr
from conformance.stack.protocol import inet_protos
from conformance.wire.read import read_frame, read_ip
from conformance.wire.segment import Segment
from conformance.wire.spec import ETHERNET

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net

__all__ = ["ipv6_rcv"]

_HOP_BY_HOP, _TCP, _UDP, _ROUTING, _FRAGMENT, _ICMPV6, _NONE, _DESTINATION = 0, 6, 17, 43, 44, 58, 59, 60
_EXTENSIONS = (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION)
_HEADER = 40
_MAX_PAYLOAD = 65535
_CE = 3
_PARAMETER = 4
_ERRONEOUS, _UNKNOWN_HEADER, _UNKNOWN_OPTION, _INCOMPLETE_CHAIN = 0, 1, 2, 3
"""Codes of a parameter problem: RFC 4443, section 3.4, and RFC 7112."""
_UPPER_LEAST = {_TCP: 20, _UDP: 8, _ICMPV6: 8}
_ROUTER_ALERT = 5


def ipv6_rcv(net: Net, device: Device, frame: bytes, unicast: bool) -> None:
    """A frame of ethertype 0x86dd. ``unicast``: it was sent to this host alone."""
    if frame[20:21] == b"\x06" and unicast and not net.hashinfo.raw:
        skb = read_frame(frame)
        if type(skb) is Segment and (
            skb.dst in net.fib.local and net.fib.valid_source(skb.src) and any(skb.src) if device.mac else net.fib.is_local(skb.dst)
        ):
            inet_protos().tcp_v4_rcv(net, skb, True)
            return
    packet = frame[ETHERNET:]
    length = _HEADER + int.from_bytes(packet[4:6], "big")
    if len(packet) < length or packet[0] >> 4 != 6:
        net.count("Ip6InHdrErrors")
        return
    src, dst = packet[8:24], packet[24:40]
    if device.mac:
        host = dst in net.fib.local
        acceptable = net.fib.valid_source(src) and ((host and unicast) or net.fib.joined(dst))
    else:
        host = acceptable = net.fib.is_local(dst)
    if acceptable:
        _ip6_input(net, device, packet[:length], host)
    else:
        net.count("Ip6InAddrErrors")


def _ip6_input(net: Net, device: Device, packet: bytes, host: bool) -> None:
    """ip6_protocol_deliver_rcu(): one extension header after the other, then the protocol."""
    where, at = 6, _HEADER  # the octet that names the header, and where that is
    fragmented = False
    while (protocol := packet[where]) in _EXTENSIONS:
        end = at + 8 + (packet[at + 1] * 8 if protocol != _FRAGMENT and at + 1 < len(packet) else 0)
        if end > len(packet):
            net.count("Ip6InTruncatedPkts")
            return
        if protocol == _FRAGMENT:
            if fragmented:  # there can be one only (RFC 8200, section 4.1)
                net.count("Ip6InHdrErrors")
                return
            fragmented = True
            whole = _ipv6_frag_rcv(net, packet, where, at)
            if whole is None:
                return
            packet, where, at = whole
            continue
        if not _extension(net, packet, protocol, where, at, end, host):
            return
        where, at = at, end
    if protocol == _NONE:
        net.count("Ip6InDelivers")
    else:
        _deliver(net, device, packet, where, at, host)


def _deliver(net: Net, device: Device, packet: bytes, where: int, at: int, host: bool) -> None:
    """Hand the packet over as if it had had no extension headers."""
    protocol, src, dst, payload = packet[where], packet[8:24], packet[24:40], packet[at:]
    plain = (
        packet if at == _HEADER else packet[:4] + len(payload).to_bytes(2, "big") + packet[where : where + 1] + packet[7:_HEADER] + payload
    )
    if not any(src) and protocol != _ICMPV6:  # nobody to answer
        net.count("Ip6InAddrErrors")
        return
    taken = inet_protos().raw_rcv(net, protocol, src, dst, payload, plain)
    net.count("Ip6InDelivers")
    if protocol == _TCP:
        skb = read_ip(plain)
        if isinstance(skb, Segment):
            inet_protos().tcp_v4_rcv(net, skb, host)
        else:
            net.count("TcpInErrs")
    elif protocol == _UDP:
        inet_protos().udp_rcv(net, plain, src, dst)
    elif protocol == _ICMPV6:
        icmpv6_rcv(net, device, plain, host)
    elif not taken:
        net.count("Ip6InUnknownProtos")
        icmp_send(net, packet, _PARAMETER, _UNKNOWN_HEADER, where)


def _extension(net: Net, packet: bytes, protocol: int, where: int, at: int, end: int, host: bool) -> bool:
    """ipv6_parse_hopopts(), ipv6_destopt_rcv(), ipv6_rthdr_rcv(): may the packet go on after this header?"""
    if protocol == _ROUTING:
        if packet[at + 3] == 0:
            return True
        net.count("Ip6InHdrErrors")  # it wants to go on to others: no type does that here (RFC 8200, section 4.4; RFC 5095)
        icmp_send(net, packet, _PARAMETER, _ERRONEOUS, at + 2)
        return False
    if protocol == _HOP_BY_HOP and at != _HEADER:  # RFC 8200, section 4.1
        net.count("Ip6InHdrErrors")
        icmp_send(net, packet, _PARAMETER, _UNKNOWN_HEADER, where)
        return False
    return _options(net, packet, at + 2, end, protocol == _HOP_BY_HOP, host)


def _options(net: Net, packet: bytes, at: int, end: int, hop_by_hop: bool, host: bool) -> bool:
    """ip6_parse_tlv(): options that are not known say themselves what is to be done (RFC 8200, section 4.2)."""
    while at < end:
        kind = packet[at]
        if kind == 0:
            at += 1
            continue
        if at + 2 > end or at + 2 + packet[at + 1] > end:
            net.count("Ip6InHdrErrors")
            return False
        known = kind == 1 or (kind == _ROUTER_ALERT and hop_by_hop)
        if not known and kind >> 6:
            net.count("Ip6InHdrErrors")
            if kind >> 6 == 2 or (kind >> 6 == 3 and host):
                icmp_send(net, packet, _PARAMETER, _UNKNOWN_OPTION, at)
            return False
        at += 2 + packet[at + 1]
    return True


def _ipv6_frag_rcv(net: Net, packet: bytes, where: int, at: int) -> tuple[bytes, int, int] | None:
    """ipv6_frag_rcv(): the packet without its fragment header once it is whole, where its next header is named, and where that is."""
    net.count("Ip6ReasmReqds")
    bits, payload = int.from_bytes(packet[at + 2 : at + 4], "big"), packet[at + 8 :]
    start, last = bits & 0xFFF8, not bits & 1
    if start == 0 and last:  # all of it: by itself, whatever else has this identification (RFC 6946)
        return _without_fragment_header(packet, where, at, payload, False)
    if not last and len(payload) & 7:
        _fragment_error(net, packet, _ERRONEOUS, 4)
        return None
    if at - _HEADER + start + len(payload) > _MAX_PAYLOAD:
        _fragment_error(net, packet, _ERRONEOUS, at + 2)
        return None
    if not payload:
        net.count("Ip6ReasmFails")
        return None
    if start == 0 and not _chain_is_whole(packet):
        _fragment_error(net, packet, _INCOMPLETE_CHAIN, 0)
        return None
    traffic_class = packet[1] >> 4
    key = (packet[8:24], packet[24:40], packet[at + 4 : at + 8])
    whole = net.frags.defragment(key, packet, start, payload, last, traffic_class & _CE)
    if whole is None:
        return None
    first, payload, congested = whole
    found = _find_fragment_header(first)
    if found is None or found[1] - _HEADER + len(payload) > _MAX_PAYLOAD:
        net.count("Ip6ReasmFails")
        return None
    return _without_fragment_header(first, *found, payload, congested)


def _fragment_error(net: Net, packet: bytes, code: int, pointer: int) -> None:
    net.count(("Ip6ReasmFails", "Ip6InHdrErrors"))
    icmp_send(net, packet, _PARAMETER, code, pointer)


def _chain_is_whole(packet: bytes) -> bool:
    """RFC 8200, section 4.5, and RFC 7112: the first fragment has all headers."""
    protocol, at, _ = ipv6_skip_exthdr(packet)
    return protocol == _NONE or (protocol not in _EXTENSIONS and len(packet) - at >= _UPPER_LEAST.get(protocol, 1))


def _find_fragment_header(packet: bytes) -> tuple[int, int] | None:
    """The octet that names it, and where it is."""
    where, at = 6, _HEADER
    while packet[where] != _FRAGMENT:
        if packet[where] not in _EXTENSIONS or at + 8 > len(packet):
            return None
        where, at = at, at + 8 + packet[at + 1] * 8
    return where, at


def _without_fragment_header(packet: bytes, where: int, at: int, payload: bytes, congested: bool) -> tuple[bytes, int, int]:
    """The part before the fragment header, and the payload behind it."""
    head = bytearray(packet[:at])
    head[where] = packet[at]
    head[4:6] = (at - _HEADER + len(payload)).to_bytes(2, "big")
    head[1] |= _CE << 4 if congested else 0
    return bytes(head) + payload, where, at
