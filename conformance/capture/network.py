"""IP as a capture has it: headers with what stands between them and TCP, cut short by snap lengths, lengths that hardware fills in."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from conformance.wire.checksum import verify
from conformance.wire.segment import Family

__all__ = ["EXTENSIONS", "ICMP", "ICMPV6", "TCP", "Fragment", "Network", "Unread", "ipv4", "ipv6", "skip_extensions"]

TCP, ICMP, ICMPV6 = 6, 1, 58
_DF, _MF, _OFFSET = 0x4000, 0x2000, 0x1FFF
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_IPV4_FIELDS = Struct(">BBHHHBBH4s4s").unpack_from
_IPV6_FIELDS = Struct(">IHBB16s16s").unpack_from
_FLOW = 0xF_FFFF
_HOP_BY_HOP, _ROUTING, FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
EXTENSIONS = {_HOP_BY_HOP: (8, 8), _ROUTING: (8, 8), FRAGMENT: (0, 8), _AUTHENTICATION: (4, 8), _DESTINATION: (8, 8)}
"""IPv6's extension headers: the unit of their length, and what it leaves out (RFC 8200, section 4; RFC 4302, section 2.2)."""
_MOST_EXTENSIONS = 64


class Unread(Exception):
    """Why a frame is neither a TCP segment nor an ICMP message that can be read."""


@dataclass(slots=True)
class Fragment:
    """What makes a packet a fragment of one."""

    key: tuple[bytes, bytes, int, int]
    """What all fragments of the packet have in common: addresses, identification, protocol."""
    start: int
    """Its place in the packet's payload, in octets."""
    more: bool


@dataclass(slots=True)
class Network:
    """An IP packet: what TCP needs to know of its header, and what it carries."""

    family: Family
    src: bytes
    dst: bytes
    ttl: int
    tos: int
    ip_id: int
    df: bool
    checksum_ok: bool
    offloaded: bool
    """Was its checksum left to the hardware?"""
    options: bytes
    flow_label: int
    protocol: int
    data: bytes
    """Its payload, as far as it was captured."""
    size: int
    """Octets that its payload had."""
    header: int
    """Octets of its header, with extension headers."""
    fragment: Fragment | None = None


def ipv4(data: bytes, wire: int) -> Network:
    """RFC 791, section 3.1: ``data`` is what was captured of a frame from the header on, ``wire`` the octets that it had."""
    if len(data) < _IPV4_HEADER:
        raise Unread("IP: header cut off")
    version_size, tos, length, ip_id, fragment, ttl, protocol, checksum, src, dst = _IPV4_FIELDS(data)
    header = (version_size & 0xF) * 4
    if version_size >> 4 != 4:
        raise Unread(f"IP version {version_size >> 4}")
    if header < _IPV4_HEADER:
        raise Unread("IP: wrong header length")
    length = length or wire  # TSO of some systems; more than the field can hold (Linux, BIG TCP)
    if not header <= length <= wire:
        raise Unread("IP: wrong total length")
    if len(data) < header:
        raise Unread("IP: header cut off")
    right = verify(data[:header])
    start, more = (fragment & _OFFSET) * 8, bool(fragment & _MF)
    piece = Fragment((src, dst, ip_id, protocol), start, more) if start or more else None
    return Network(
        Family.IPV4, src, dst, ttl, tos, ip_id, bool(fragment & _DF), right or checksum == 0, checksum == 0 and not right,
        data[_IPV4_HEADER:header], 0, protocol, data[header:length], length - header, header, piece,
    )  # fmt: skip


def ipv6(data: bytes, wire: int) -> Network:
    """RFC 8200, section 3; a payload length of 0 is a jumbogram's (RFC 2675), or was left to the hardware."""
    if len(data) < _IPV6_HEADER:
        raise Unread("IP: header cut off")
    word, length, protocol, ttl, src, dst = _IPV6_FIELDS(data)
    if word >> 28 != 6:
        raise Unread(f"IP version {word >> 28}")
    length = length or wire - _IPV6_HEADER
    if not 0 < length <= wire - _IPV6_HEADER:
        raise Unread("IP: wrong payload length")
    rest = data[_IPV6_HEADER : _IPV6_HEADER + length]
    packet = Network(
        Family.IPV6, src, dst, ttl, word >> 20 & 0xFF, 0, False, True, False, b"", word & _FLOW, protocol, rest, length, _IPV6_HEADER
    )
    skip_extensions(packet)
    return packet


def skip_extensions(packet: Network) -> None:
    """In IPv6, go on to what its extension headers stand before, or to the fragment of that."""
    if packet.family is Family.IPV4:
        return
    for _ in range(_MOST_EXTENSIONS):
        if packet.protocol not in EXTENSIONS or packet.fragment:
            return
        _skip_extension(packet)


def _skip_extension(packet: Network) -> None:
    unit, added = EXTENSIONS[packet.protocol]
    data = packet.data
    if len(data) < 2 or len(data) < (length := data[1] * unit + added):
        raise Unread("IP: extension header cut off")
    if packet.protocol == FRAGMENT:
        bits, identification = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big")
        start, more = bits & 0xFFF8, bool(bits & 1)
        if start or more:  # else it is around a whole packet (RFC 6946)
            packet.fragment = Fragment((packet.src, packet.dst, identification, -1), start, more)
    packet.protocol, packet.data = data[0], data[length:]
    packet.size, packet.header = packet.size - length, packet.header + length
