"""Octets to packets: what came from the wire, read once and for all.

Nothing that can be in a frame makes these functions raise. What is no whole TCP segment or ICMP message comes back as
:class:`~conformance.wire.segment.Unreadable` with the reason; a wrong checksum is no such reason but a fact about the packet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from conformance.wire.checksum import pseudo_sum, verify
from conformance.wire.headers import Icmp4Header, Icmp6Header, Ip6Header, UnpackError
from conformance.wire.icmp import quote_of, quotes
from conformance.wire.options import parse_options
from conformance.wire.segment import Family, Icmp, Packet, Segment, Unreadable
from conformance.wire.spec import ETHERNET

__all__ = ["read_frame", "read_ip"]

_TCP, _ICMP4, _ICMP6 = 6, 1, 58
_FRAGMENT_BITS = 0x3FFF
"""IPv4's more-fragments flag and fragment offset."""
_IP6_HEADER = 40
_IPV4_FIELDS = struct.Struct(">BBHHHBBH4s4s").unpack_from
_TCP_FIELDS = struct.Struct(">HHIIBBHHH").unpack_from
"""IPv4's and TCP's fixed fields. dpkt reads everything else; these stand between a segment and the answer to it, and dpkt's objects
take 9 µs where this takes one."""


class _Datagram(NamedTuple):
    """What the IP header says, and what it carries."""

    family: Family
    src: bytes
    dst: bytes
    protocol: int
    ttl: int
    tos: int
    ip_id: int
    df: bool
    checksum_ok: bool
    data: bytes


_Reader = Callable[[bytes], _Datagram]


def read_frame(frame: bytes) -> Packet:
    """An Ethernet II frame, padded or not."""
    reader = _BY_ETHERTYPE.get(frame[12:ETHERNET])
    if reader is None:
        reason = f"ethertype 0x{frame[12:ETHERNET].hex()}" if len(frame) >= ETHERNET else "shorter than an Ethernet header"
        return Unreadable(reason, frame)
    return _read(reader, frame[ETHERNET:], frame)


def read_ip(packet: bytes) -> Packet:
    """An IP packet without a link header, as captures of type RAW hold it."""
    version = packet[0] >> 4 if packet else 0
    reader = _BY_VERSION.get(version)
    return Unreadable(f"IP version {version}", packet) if reader is None else _read(reader, packet, packet)


def _read(reader: _Reader, packet: bytes, frame: bytes) -> Packet:
    layer = "IP"
    try:
        datagram = reader(packet)
        layer, transport = _TRANSPORTS.get((datagram.family, datagram.protocol), ("IP", _other))
        return transport(datagram)
    except UnpackError as error:
        return Unreadable(f"{layer}: {error}", frame)


# The network layer ----------------------------------------------------------------------------------------------------


def _ipv4(packet: bytes) -> _Datagram:
    """RFC 791, section 3.1."""
    if len(packet) < 20:
        raise UnpackError(f"header cut off after {len(packet)} octets")
    version_size, tos, length, ip_id, fragment, ttl, protocol, _, src, dst = _IPV4_FIELDS(packet)
    size = (version_size & 0xF) * 4
    if version_size >> 4 != 4:
        raise UnpackError(f"version {version_size >> 4} in an IPv4 frame")
    if size < 20:
        raise UnpackError(f"header length of {size} octets")
    if not size <= length <= len(packet):
        raise UnpackError(f"total length {length}, with a header of {size} and {len(packet)} octets there")
    if fragment & _FRAGMENT_BITS:
        raise UnpackError("fragment")
    df = bool(fragment & 0x4000)
    return _Datagram(Family.IPV4, src, dst, protocol, ttl, tos, ip_id, df, verify(packet[:size]), packet[size:length])


def _ipv6(packet: bytes) -> _Datagram:
    """RFC 8200, section 3. A fragment header around a whole packet (RFC 6946) is skipped like other extension headers."""
    ip = Ip6Header(packet)
    if ip.v != 6:
        raise UnpackError(f"version {ip.v} in an IPv6 frame")
    if not 0 < ip.plen <= len(packet) - _IP6_HEADER:
        raise UnpackError(f"payload length {ip.plen}, with {len(packet) - _IP6_HEADER} octets there")
    if ip.offset or ip.mf:
        raise UnpackError("fragment")
    return _Datagram(Family.IPV6, ip.src, ip.dst, ip.p, ip.hlim, ip.fc, 0, False, True, ip.data)


# The transport layer --------------------------------------------------------------------------------------------------


def _tcp(ip: _Datagram) -> Segment:
    """RFC 9293, section 3.1."""
    family, src, dst, _, ttl, tos, ip_id, df, ip_checksum_ok, data = ip
    size = len(data)
    if size < 20:
        raise UnpackError(f"header cut off after {size} octets")
    sport, dport, seq, ack, offset_reserved, flags, window, _, urgent = _TCP_FIELDS(data)
    offset = (offset_reserved >> 4) * 4
    if offset < 20:
        raise UnpackError(f"data offset of {offset} octets")
    if offset > size:
        raise UnpackError(f"data offset of {offset} octets in a segment of {size}")
    options = parse_options(data[20:offset]) if offset > 20 else ()
    checksum_ok = verify(data, pseudo_sum(src, dst, _TCP, size))
    return Segment(
        family, src, dst, sport, dport, seq, ack, flags, window, urgent, options, data[offset:], offset_reserved & 0xF, ttl, tos, ip_id, df,
        checksum_ok, ip_checksum_ok,
    )  # fmt: skip


def _icmp4(ip: _Datagram) -> Icmp:
    """RFC 792; the MTU is RFC 1191's."""
    icmp = Icmp4Header(ip.data)
    return _icmp(ip, icmp, mtu=0xFFFF if (icmp.type, icmp.code) == (3, 4) else 0, checksum_ok=verify(ip.data))


def _icmp6(ip: _Datagram) -> Icmp:
    """RFC 4443, section 2.1; unlike ICMP's, its checksum covers a pseudo header."""
    icmp = Icmp6Header(ip.data)
    checksum_ok = verify(ip.data, pseudo_sum(ip.src, ip.dst, _ICMP6, len(ip.data)))
    return _icmp(ip, icmp, mtu=0xFFFF_FFFF if icmp.type == 2 else 0, checksum_ok=checksum_ok)


def _icmp(ip: _Datagram, icmp: Icmp4Header | Icmp6Header, mtu: int, checksum_ok: bool) -> Icmp:
    """What the two have in common. ``mtu`` masks the MTU out of the header's second word."""
    if len(ip.data) < 8:
        raise UnpackError(f"header cut off after {len(ip.data)} octets")
    body = ip.data[8:]
    return Icmp(
        ip.family, ip.src, ip.dst, icmp.type, icmp.code, int.from_bytes(ip.data[4:8], "big") & mtu, body,
        quote_of(body) if quotes(ip.family, icmp.type) else None, checksum_ok, ip.ttl,
    )  # fmt: skip


def _other(ip: _Datagram) -> Packet:
    raise UnpackError(f"protocol {ip.protocol}")


_BY_ETHERTYPE = {b"\x08\x00": _ipv4, b"\x86\xdd": _ipv6}
_BY_VERSION = {4: _ipv4, 6: _ipv6}
_TRANSPORTS: dict[tuple[Family, int], tuple[str, Callable[[_Datagram], Packet]]] = {
    (Family.IPV4, _TCP): ("TCP", _tcp),
    (Family.IPV6, _TCP): ("TCP", _tcp),
    (Family.IPV4, _ICMP4): ("ICMP", _icmp4),
    (Family.IPV6, _ICMP6): ("ICMPv6", _icmp6),
}
