"""A frame that a peer sent, read by somebody who does not give up: what of it a case writes as a segment, and what as ``with:``.

The readers of :mod:`conformance.wire.read` say of a packet that lies about itself that it is none. Here what lies is told from what is
there, so that the same octets can be sent again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.capture.import_names import octets_text
from conformance.wire.checksum import LESS, finish, ones_sum, pseudo_sum, verify
from conformance.wire.icmp import quote_of, quotes
from conformance.wire.ip_extra import BROADCAST_MAC, EXTENSIONS, group_mac
from conformance.wire.segment import Family, Icmp, Segment, final_destination

__all__ = ["Fragment", "Known", "Read", "dissect", "is_whole", "whole"]

_ETHERNET, _IPV4_SIZE, _IPV6_SIZE, _TCP_SIZE = 14, 20, 40, 20
_TCP, _UDP, _FRAGMENT = 6, 17, 44
_BELOW = struct.pack(">HHIIBBHHH", 0, 0, 0, 0, _TCP_SIZE << 2, 0, 0xFFFF, 0, 0)
"""The header of the segment over which a case writes another protocol, but for its ports and its checksum."""
_ICMP = {Family.IPV4: 1, Family.IPV6: 58}
_TTL = 64
_SHORTEST = 60
"""Octets of the shortest Ethernet frame, without its checksum: what is shorter is padded with zeros."""
_LARGEST = 9100
"""A fragment that ends beyond is no part of a packet that any link here takes."""
_SOMEONE_ELSE = bytes.fromhex("0200000000fe")
_EXTENSION_NAMES = {number: name for name, number in EXTENSIONS.items()}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the exchange beforehand."""

    hosts: Mapping[bytes, str]
    sut_mac: bytes
    ports: Callable[[int, int], bool]
    """Do these two, of source and destination, belong to a connection?"""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a packet: the headers before what was cut, and the cut."""

    key: tuple[object, ...]
    """The same for all parts of a packet."""
    identification: int
    head: bytes
    """The frame up to there, as if nothing had been cut."""
    data: bytes
    offset: int
    more: bool


@dataclass(frozen=True, slots=True)
class Read:
    """A packet that a case can send, or a part of one."""

    packet: Segment | Icmp | None
    """None: only a part."""
    fields: dict[str, object]
    fragment: Fragment | None = None
    varies: bool = False
    """Its data holds a checksum that is another one in each run."""


def dissect(frame: bytes, known: Known) -> Read | None:
    """Read it; None if it is no IP packet with TCP or ICMP in it, or what a case could send as one."""
    kind, packet = frame[12:_ETHERNET], frame[_ETHERNET:]
    if kind == b"\x08\x00" and len(packet) >= _IPV4_SIZE:
        read = _ipv4(frame, packet, known)
    elif kind == b"\x86\xdd" and len(packet) >= _IPV6_SIZE:
        read = _ipv6(frame, packet, known)
    else:
        return None
    if read is not None and frame[:6] != known.sut_mac:
        read.fields.update(_mac(frame[:6], packet))
    return read


def is_whole(parts: list[Fragment]) -> bool:
    """Is every octet of the packet there?"""
    end = 0
    for part in sorted(parts, key=lambda part: part.offset):
        if part.offset > end:
            return False
        end = max(end, part.offset + len(part.data))
    return any(not part.more and part.offset + len(part.data) == end for part in parts)


def whole(parts: list[Fragment]) -> bytes:
    """The frame that would have been, with zeros for what no part has."""
    first = next((part for part in parts if part.offset == 0), None)
    last = next((part for part in parts if not part.more), None)
    size = last.offset + len(last.data) if last else max(part.offset + len(part.data) for part in parts) + 8
    data = bytearray(max(size, _TCP_SIZE))
    if first is None or len(first.data) <= 12:
        data[12] = 5 << 4  # a TCP header without options
    for part in reversed(parts):
        data[part.offset : part.offset + len(part.data)] = part.data
    head = bytearray((first or parts[0]).head)
    if head[12:_ETHERNET] == b"\x08\x00":
        struct.pack_into(">H", head, _ETHERNET + 2, len(head) - _ETHERNET + len(data))
        struct.pack_into(">H", head, _ETHERNET + 10, 0)
        struct.pack_into(">H", head, _ETHERNET + 10, finish(ones_sum(head[_ETHERNET:])))
    else:
        struct.pack_into(">H", head, _ETHERNET + 4, len(head) - _ETHERNET - _IPV6_SIZE + len(data))
    return bytes(head + data)


# The network layer ----------------------------------------------------------------------------------------------------


def _mac(address: bytes, packet: bytes) -> dict[str, object]:
    dst = packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]
    names = {BROADCAST_MAC: "broadcast", _SOMEONE_ELSE: "other", group_mac(dst): "multicast"}
    return {"dst_mac": names[address]} if address in names else {"raw": {"0": address.hex()}}


def _ipv4(frame: bytes, packet: bytes, known: Known) -> Read | None:
    fields: dict[str, object] = {}
    first, tos, total, identification, cut, ttl, protocol, checksum = struct.unpack_from(">BBHHHBBH", packet)
    src, dst = packet[12:16], packet[16:20]
    size = (first & 0xF) * 4
    if first >> 4 != 4:
        fields["ip_version"] = first >> 4
    if not _IPV4_SIZE <= size <= len(packet) or (
        size > _IPV4_SIZE and _ports(packet[_IPV4_SIZE:], known) and not _ports(packet[size:], known)
    ):
        fields["header_length"], size = first & 0xF, _IPV4_SIZE
    packet = _length(frame, packet, total, "ip_length", total, fields)
    if not verify(packet[:size]):
        fields["ip_checksum"] = "bad" if checksum else "zero"
    if size > _IPV4_SIZE:
        fields["ip_options"] = octets_text(known.hosts, _unpadded(packet[_IPV4_SIZE:size]))
    fields.update(_ttl_and_tos(ttl, tos))
    offset, more = (cut & 0x1FFF) * 8, bool(cut & 0x2000)
    if offset or more:
        head = bytearray(frame[: _ETHERNET + size])
        head[_ETHERNET + 4 : _ETHERNET + 8] = b"\0\0\x40\0"  # no identification, not to be fragmented
        key = (src, dst, protocol, identification)
        return Read(None, fields, Fragment(key, identification, bytes(head), packet[size:], offset, more))
    if identification:
        fields["id"] = identification
    if not cut & 0x4000:
        fields["df"] = False
    around = _Around(Family.IPV4, src, dst, ttl, tos, packet[_IPV4_SIZE:size], total - size, len(packet))
    return _transport(protocol, packet[size:], around, fields)


def _ipv6(frame: bytes, packet: bytes, known: Known) -> Read | None:
    fields: dict[str, object] = {}
    word, length, protocol, ttl = struct.unpack_from(">IHBB", packet)
    src, dst = packet[8:24], packet[24:40]
    if word >> 28 != 6:
        fields["ip_version"] = word >> 28
    packet = _length(frame, packet, length + _IPV6_SIZE, "ip_length", length, fields)
    fields.update(_ttl_and_tos(ttl, word >> 20 & 0xFF))
    at, before = _IPV6_SIZE, 6
    headers: list[tuple[int, bytes]] = []
    while protocol in (*_EXTENSION_NAMES, _FRAGMENT) and len(packet) >= at + 8:
        end = at + (8 if protocol == _FRAGMENT else (packet[at + 1] + 1) * 8)
        if end > len(packet):
            break
        if protocol == _FRAGMENT and (part := _part(frame, packet, at, before)) is not None:
            fields.update(_extensions(headers, known))
            return Read(None, fields, part)
        headers.append((protocol, packet[at + 2 : end]))
        protocol, before, at = packet[at], at, end
    fields.update(_extensions(headers, known))
    around = _Around(Family.IPV6, src, dst, ttl, word >> 20 & 0xFF, b"", length + _IPV6_SIZE - at, len(packet))
    return _transport(protocol, packet[at:], around, fields)


def _part(frame: bytes, packet: bytes, at: int, before: int) -> Fragment | None:
    """The fragment whose header is there, if it can be a part of a packet."""
    following, _, cut, identification = struct.unpack_from(">BBHI", packet, at)
    offset, data = cut & 0xFFF8, packet[at + 8 :]
    if offset + len(data) > _LARGEST or not data:
        return None
    head = bytearray(frame[: _ETHERNET + at])
    head[_ETHERNET + before] = following
    return Fragment((packet[8:40], identification), identification, bytes(head), data, offset, bool(cut & 1))


def _extensions(headers: list[tuple[int, bytes]], known: Known) -> dict[str, object]:
    if not headers:
        return {}
    return {"ext": [{_EXTENSION_NAMES.get(kind, kind): octets_text(known.hosts, data)} for kind, data in headers]}


def _length(frame: bytes, packet: bytes, claimed: int, name: str, value: int, fields: dict[str, object]) -> bytes:
    """The packet without what is only there because Ethernet frames have a least length; notes a length that is not the packet's."""
    if len(frame) == _SHORTEST and claimed < len(packet) and not any(packet[claimed:]):
        return packet[:claimed]
    if claimed != len(packet):
        fields[name] = value
    return packet


def _ports(transport: bytes, known: Known) -> bool:
    return len(transport) >= 4 and known.ports(*struct.unpack_from(">HH", transport))


def _unpadded(options: bytes) -> bytes:
    """Without the zeros that only fill the last word."""
    short = options.rstrip(b"\0")
    return options[: max(len(short), len(options) - 3)]


def _ttl_and_tos(ttl: int, tos: int) -> dict[str, object]:
    fields: dict[str, object] = {} if ttl == _TTL else {"ttl": ttl}
    if tos:
        fields["tos"] = tos
    return fields


# The transport layer --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Around:
    """What the IP header says."""

    family: Family
    src: bytes
    dst: bytes
    ttl: int
    tos: int
    ip_options: bytes
    length: int
    """Octets that it says follow it."""
    ip_size: int


def _transport(protocol: int, data: bytes, around: _Around, fields: dict[str, object]) -> Read | None:
    if protocol == _ICMP[around.family] and len(data) >= 8:
        return Read(_icmp(data, around, fields), fields)
    if protocol != _TCP:
        return _other(protocol, data, around, fields)
    if len(data) < _TCP_SIZE:
        return None
    sport, dport, seq, ack, word, flags, window, checksum, urgent = struct.unpack_from(">HHIIBBHHH", data)
    size = (word >> 4) * 4
    if not _TCP_SIZE <= size <= len(data):
        fields["data_offset"], size = word >> 4, _TCP_SIZE
    if word & 0xF:
        fields["reserved"] = word & 0xF
    covered = max(around.length, size)
    how = _wrong_checksum(data[:covered], checksum, around, covered)
    if how:
        fields["checksum"] = how
    segment = Segment(
        around.family, around.src, around.dst, sport, dport, seq, ack, flags, window, urgent, data[_TCP_SIZE:size], data[size:],
        word & 0xF, around.ttl, around.tos, 0, True, not how, True, around.ip_size, around.ip_options,
    )  # fmt: skip
    return Read(segment, fields)


def _wrong_checksum(data: bytes, checksum: int, around: _Around, length: int) -> str:
    """What is wrong with it, in the words of ``with:``; empty if nothing is."""
    final = final_destination(around.dst, around.ip_options) if around.ip_options else around.dst
    if verify(data, pseudo_sum(around.src, final, _TCP, length)):
        return ""
    if not checksum:
        return "zero"
    return next((less for less in LESS if verify(data, pseudo_sum(around.src, final, _TCP, length, less))), "bad")


def _icmp(data: bytes, around: _Around, fields: dict[str, object]) -> Icmp:
    kind, code, checksum, rest = struct.unpack_from(">BBHI", data)
    family, body = around.family, data[8:]
    pseudo = pseudo_sum(around.src, around.dst, _ICMP[family], len(data)) if family is Family.IPV6 else 0
    right = verify(data, pseudo)
    if not right:
        fields["checksum"] = "bad" if checksum else "zero"
    for name in ("df", "id", "ip_length", "ip_checksum"):
        fields.pop(name, None)  # a message has no such fields
    mtu = rest & 0xFFFF if (kind, code, family) == (3, 4, Family.IPV4) else rest if (kind, family) == (2, Family.IPV6) else 0
    quote = quote_of(body) if quotes(family, kind) else None
    return Icmp(family, around.src, around.dst, kind, code, mtu, body, quote, right, around.ttl, around.tos, rest)


def _other(protocol: int, data: bytes, around: _Around, fields: dict[str, object]) -> Read | None:
    """Another protocol, sent as a segment whose header is written over but for the ports."""
    if len(data) < _TCP_SIZE:
        return None
    sport, dport = struct.unpack_from(">HH", data)
    over = {4: data[4:_TCP_SIZE]}
    below = data[:4] + _BELOW[4:16] + data[16:18] + _BELOW[18:] + data[_TCP_SIZE:]
    varies = (protocol == _UDP and any(data[6:8])) and verify(below, pseudo_sum(around.src, around.dst, _TCP, len(data)))
    if varies:  # the segment's own checksum, which the datagram's makes use of, and so fits whatever the addresses and ports are
        end = next(end for end in range(16, 0, -1) if data[end - 1] != _BELOW[end - 1])
        over = {4: data[4:end]} | ({18: data[18:_TCP_SIZE]} if any(data[18:_TCP_SIZE]) else {})
    fields |= {"protocol": protocol, "raw": {f"tcp+{begin}": octets.hex() for begin, octets in over.items()}}
    segment = Segment(
        around.family, around.src, around.dst, sport, dport, 0, 0, 0, 0xFFFF, 0, b"", data[_TCP_SIZE:], 0, around.ttl, around.tos,
    )  # fmt: skip
    return Read(segment, fields, varies=varies)
