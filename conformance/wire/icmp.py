"""ICMP (RFC 792) and ICMPv6 (RFC 4443) messages: their names, how to build them, and the packets that they quote."""

from __future__ import annotations

import struct

from conformance.wire.checksum import finish, mangled, ones_sum, pseudo_sum
from conformance.wire.headers import Ip4Header, Ip6Header, UnpackError
from conformance.wire.segment import Family, Quote
from conformance.wire.spec import ETHERNET, RawWrites, check_limits, resolve_raw

__all__ = ["NAMES", "build_icmp", "name_of", "quote_of", "quoted", "quotes", "type_and_code"]

NAMES: dict[Family, dict[str, tuple[int, int]]] = {
    Family.IPV4: {
        "net-unreachable": (3, 0),
        "host-unreachable": (3, 1),
        "protocol-unreachable": (3, 2),
        "port-unreachable": (3, 3),
        "frag-needed": (3, 4),
        "packet-too-big": (3, 4),
        "source-route-failed": (3, 5),
        "admin-prohibited": (3, 13),  # RFC 1812, section 5.2.7.1
        "source-quench": (4, 0),
        "redirect": (5, 1),  # for the host: RFC 1812, section 5.2.7.2 forbids routers the others
        "time-exceeded": (11, 0),
        "reassembly-time-exceeded": (11, 1),
        "parameter-problem": (12, 0),
        "echo-request": (8, 0),
        "echo-reply": (0, 0),
    },
    Family.IPV6: {
        "net-unreachable": (1, 0),
        "host-unreachable": (1, 3),
        "protocol-unreachable": (4, 1),  # "unrecognized next header": RFC 4443, section 3.4
        "port-unreachable": (1, 4),
        "packet-too-big": (2, 0),
        "frag-needed": (2, 0),
        "admin-prohibited": (1, 1),
        "time-exceeded": (3, 0),
        "reassembly-time-exceeded": (3, 1),
        "parameter-problem": (4, 0),
        "echo-request": (128, 0),
        "echo-reply": (129, 0),
    },
}
"""Neutral names to type and code; where two names share one, the first is the one to display.

ICMPv6's redirect is missing because it is another thing: a message of neighbour discovery, that does not start with a quote.
"""

_QUOTING = {Family.IPV4: (3, 4, 5, 11, 12), Family.IPV6: (1, 2, 3, 4)}
"""The types of message whose body is the start of a packet."""
_PROTOCOLS = {Family.IPV4: 1, Family.IPV6: 58}
_HEADERS = {Family.IPV4: 20, Family.IPV6: 40}
_TCP = 6
_BY_VERSION: dict[int, type[Ip4Header | Ip6Header]] = {4: Ip4Header, 6: Ip6Header}
_QUOTED_BEYOND_HEADER = 8
"""RFC 792: the header and 64 bits."""
_QUOTED_IPV6 = 1280 - 40 - 8
"""RFC 4443, section 2.4 (c): as much as fits into the minimum MTU."""


def type_and_code(family: Family, name: str) -> tuple[int, int]:
    """What ``name`` stands for; a ValueError names the family if it has no such message."""
    try:
        return NAMES[family][name]
    except KeyError:
        known = "has no such message" if any(name in names for names in NAMES.values()) else "knows " + ", ".join(NAMES[family])
        raise ValueError(f"{name}: {family} {known}") from None


def name_of(family: Family, type: int, code: int) -> str:
    """The neutral name, or ``type N code N``."""
    return next((name for name, numbers in NAMES[family].items() if numbers == (type, code)), f"type {type} code {code}")


def quotes(family: Family, type: int) -> bool:
    """Does a message of this type quote the packet that it is about, as an echo does not?"""
    return type in _QUOTING[family]


def build_icmp(
    family: Family, src_mac: bytes, dst_mac: bytes, src: bytes, dst: bytes, type: int, code: int, rest: int, body: bytes, *,
    ttl: int = 64, tos: int = 0, checksum: int | str | None = None, raw: RawWrites = (), ip_version: int | None = None,
    header_length: int | None = None, protocol: int | None = None, ip_extra: bytes = b"",
) -> bytes:  # fmt: skip
    """A frame with one message. ``rest`` is the header's second word: an MTU, a pointer, or an identifier and a number.

    ``checksum`` and ``raw`` are those of the case language's ``with:``, and the rest what a :class:`~conformance.wire.spec.Spec` says.
    """
    check_limits({"ttl": ttl, "tos": tos, "checksum": checksum, "ip_version": ip_version, "header_length": header_length,
                  "protocol": protocol})  # fmt: skip
    message = bytearray(struct.pack(">BBHI", type, code, 0, rest) + body)
    pseudo = pseudo_sum(src, dst, _PROTOCOLS[family], len(message)) if family is Family.IPV6 else 0
    struct.pack_into(">H", message, 2, mangled(finish(ones_sum(message) + pseudo), checksum))
    follows = _PROTOCOLS[family] if protocol is None else protocol
    if family is Family.IPV4:
        words = 5 + len(ip_extra) // 4 if header_length is None else header_length
        version = 4 if ip_version is None else ip_version
        header = _ipv4_header(version << 4 | words, src, dst, follows, ttl, tos, len(message), ip_extra)
    else:
        header = _ipv6_header(6 if ip_version is None else ip_version, src, dst, follows, ttl, tos, len(message), ip_extra)
    frame = bytearray(dst_mac + src_mac + header + message)
    for offset, data in resolve_raw(raw, ETHERNET + _HEADERS[family] + len(ip_extra), len(frame)):
        frame[offset : offset + len(data)] = data
    return bytes(frame)


def _ipv4_header(first: int, src: bytes, dst: bytes, protocol: int, ttl: int, tos: int, size: int, options: bytes) -> bytes:
    """Ethertype and IPv4 header for ``size`` octets; ``first`` is the first one of the header."""
    length = _HEADERS[Family.IPV4] + len(options) + size
    header = bytearray(struct.pack(">BBHIBBH4s4s", first, tos, length, 0x4000, ttl, protocol, 0, src, dst) + options)
    struct.pack_into(">H", header, 10, finish(ones_sum(header)))
    return b"\x08\x00" + bytes(header)


def _ipv6_header(version: int, src: bytes, dst: bytes, protocol: int, ttl: int, tos: int, size: int, extensions: bytes) -> bytes:
    """Ethertype, IPv6 header and extension headers for ``size`` octets."""
    header = struct.pack(">IHBB16s16s", version << 28 | tos << 20, size + len(extensions), protocol, ttl, src, dst)
    return b"\x86\xdd" + header + extensions


def quoted(frame: bytes, octets: int | None = None) -> bytes:
    """The body of an error about ``frame``: the first ``octets`` of its IP packet, else as many as routers quote."""
    packet = frame[ETHERNET:]
    if packet[0] >> 4 == 4:
        length, usual = int.from_bytes(packet[2:4], "big"), (packet[0] & 0xF) * 4 + _QUOTED_BEYOND_HEADER
    else:
        length, usual = _HEADERS[Family.IPV6] + int.from_bytes(packet[4:6], "big"), _QUOTED_IPV6
    return packet[: min(length, usual if octets is None else octets)]


def quote_of(body: bytes) -> Quote | None:
    """Which TCP segment an error's body is about; None if that does not say, or is about no TCP segment."""
    header = _BY_VERSION.get(body[0] >> 4) if body else None
    if header is None:
        return None
    try:
        ip = header(body)
    except UnpackError:
        return None
    if ip.p != _TCP or ip.offset or len(ip.data) < _QUOTED_BEYOND_HEADER:
        return None
    sport, dport, seq = struct.unpack(">HHI", ip.data[:_QUOTED_BEYOND_HEADER])
    return Quote(ip.src, ip.dst, sport, dport, seq)
