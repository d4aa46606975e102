"""TCP and ICMP as a capture has them: with data that was not kept, and checksums that were not worked out yet."""

from __future__ import annotations

from dataclasses import replace
from struct import Struct

from conformance.capture.network import ICMP, ICMPV6, TCP, Network, Unread
from conformance.wire.checksum import pseudo_sum, verify
from conformance.wire.headers import UnpackError
from conformance.wire.read import read_icmp
from conformance.wire.segment import Family, Icmp, Segment, final_destination

__all__ = ["read_transport"]

_FIELDS = Struct(">HHIIBBHHH").unpack_from
_HEADER = 20
_ONES = 0xFFFF


def read_transport(packet: Network) -> tuple[Segment | Icmp, bool]:
    """What an IP packet carries, and whether its checksum was left to the hardware; an Unread if that is neither."""
    if packet.protocol == TCP:
        return _tcp(packet)
    if packet.protocol == (ICMP if packet.family is Family.IPV4 else ICMPV6):
        return _icmp(packet), False
    raise Unread(f"protocol {packet.protocol}")


def _tcp(packet: Network) -> tuple[Segment, bool]:
    """RFC 9293, section 3.1."""
    data, size = packet.data, packet.size
    if size < _HEADER:
        raise Unread("TCP: segment shorter than a header")
    if len(data) < _HEADER:
        raise Unread("TCP: header cut off")
    sport, dport, seq, ack, offset_reserved, flags, window, checksum, urgent = _FIELDS(data)
    offset = (offset_reserved >> 4) * 4
    if not _HEADER <= offset <= size:
        raise Unread("TCP: wrong data offset")
    if len(data) < offset:
        raise Unread("TCP: header cut off")
    ok, offloaded = _checksum(packet, checksum)
    return Segment(
        packet.family, packet.src, packet.dst, sport, dport, seq, ack, flags, window, urgent, data[_HEADER:offset], data[offset:],
        offset_reserved & 0xF, packet.ttl, packet.tos, packet.ip_id, packet.df, ok, packet.checksum_ok, packet.header + size,
        packet.options, packet.flow_label, size - len(data),
    ), offloaded  # fmt: skip


def _checksum(packet: Network, checksum: int) -> tuple[bool, bool]:
    """Is it not wrong, and was it left to the hardware?

    Then Linux leaves the sum of the pseudo header there (CHECKSUM_PARTIAL), for some drivers without the length, since
    that is not the one of the segments that the hardware makes (TSO); others leave 0.
    """
    destination = final_destination(packet.dst, packet.options) if packet.options else packet.dst
    pseudo = pseudo_sum(packet.src, destination, TCP, packet.size)
    whole = len(packet.data) == packet.size
    if whole and verify(packet.data, pseudo):
        return True, False
    offloaded = checksum == 0 or checksum % _ONES in (pseudo % _ONES, (pseudo - packet.size) % _ONES)
    return offloaded or not whole, offloaded


def _icmp(packet: Network) -> Icmp:
    try:
        icmp = read_icmp(packet.family, packet.src, packet.dst, packet.ttl, packet.tos, packet.data)
    except UnpackError as error:
        raise Unread("ICMP: header cut off") from error
    cut = len(packet.data) < packet.size
    return replace(icmp, checksum_ok=True) if cut and not icmp.checksum_ok else icmp
