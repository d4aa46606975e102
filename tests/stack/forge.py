"""Frames that somebody means harm with: any field as one likes it, the check sums right all the same."""

from __future__ import annotations

import struct

from conformance.wire.checksum import finish, ones_sum, pseudo_sum

__all__ = ["icmp_error", "ip_packet", "tcp_frame", "tcp_header"]

_TCP, _ICMP, _ICMPV6 = 6, 1, 58


def tcp_header(
    ends: tuple[bytes, int, bytes, int], seq: int, ack: int, flags: int, window: int, urgent: int, options: bytes, payload: bytes
) -> bytes:
    """A segment; options are padded, and cut after 40 octets."""
    src, sport, dst, dport = ends
    options = options[:40]
    options += bytes(-len(options) % 4)
    words = sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (20 + len(options)) << 2, flags, window & 0xFFFF, 0, urgent & 0xFFFF
    segment = struct.pack("!HHIIBBHHH", *words) + options + payload
    checksum = finish(ones_sum(segment) + pseudo_sum(src, dst, _TCP, len(segment)))
    return segment[:16] + checksum.to_bytes(2, "big") + segment[18:]


def ip_packet(src: bytes, dst: bytes, protocol: int, payload: bytes, tos: int = 0) -> bytes:
    """A packet of whichever family the addresses are of."""
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, len(payload), protocol, 64) + src + dst + payload
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), 1, 0, 64, protocol, 0) + src + dst
    return header[:10] + finish(ones_sum(header)).to_bytes(2, "big") + header[12:] + payload


def tcp_frame(
    macs: tuple[bytes, bytes],
    ends: tuple[bytes, int, bytes, int],
    seq: int,
    ack: int,
    flags: int,
    *,
    window: int = 0xFFFF,
    urgent: int = 0,
    options: bytes = b"",
    payload: bytes = b"",
    tos: int = 0,
) -> bytes:
    """``macs``: to whom, and from whom. ``ends``: source address and port, destination address and port."""
    segment = tcp_header(ends, seq, ack, flags, window, urgent, options, payload)
    return framed(macs, ip_packet(ends[0], ends[2], _TCP, segment, tos))


def icmp_error(macs: tuple[bytes, bytes], src: bytes, dst: bytes, kind: int, code: int, word: int, about: bytes) -> bytes:
    """An ICMP error of ``src`` about a packet that ``dst`` sent; ``word``: the MTU, or a pointer."""
    message = struct.pack("!BBHI", kind, code, 0, word & 0xFFFFFFFF) + about
    protocol = _ICMP if len(src) == 4 else _ICMPV6
    total = ones_sum(message) + (pseudo_sum(src, dst, protocol, len(message)) if protocol == _ICMPV6 else 0)
    return framed(macs, ip_packet(src, dst, protocol, message[:2] + finish(total).to_bytes(2, "big") + message[4:]))


def framed(macs: tuple[bytes, bytes], packet: bytes) -> bytes:
    """In an Ethernet frame."""
    return macs[0] + macs[1] + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet
