"""What a packet says, once read: a TCP segment, an ICMP message, or something else.

All values are in host order and absolute, as they were on the wire; what is relative to an ISN is
the business of the matcher.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conformance.wire.options import Option, parse_options

__all__ = [
    "ACK", "CWR", "ECE", "FIN", "PSH", "RST", "SYN", "URG", "Family", "Icmp", "Packet", "Quote", "Segment", "Unreadable",
    "final_destination",
]  # fmt: skip

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))

_SOURCE_ROUTES = (131, 137)
"""The options Loose and Strict Source Route (RFC 791)."""


class Family(StrEnum):
    """The network layer below the segment."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


@dataclass(slots=True)
class Segment:
    """A TCP segment (RFC 9293, section 3.1) and what its IP header says of interest.

    Nothing changes one; it is not frozen because that makes the making of one four times as long.
    """

    family: Family
    src: bytes
    dst: bytes
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    """As it stands in the header: not scaled."""
    urgent: int
    options_data: bytes
    """The octets between the fixed header and the data."""
    payload: bytes
    reserved: int = 0
    """The four bits after the data offset."""
    ttl: int = 0
    """IPv4's time to live, IPv6's hop limit."""
    tos: int = 0
    """IPv4's type of service octet, IPv6's traffic class; the ECN field is its two low bits."""
    ip_id: int = 0
    """IPv4's identification; 0 in IPv6."""
    df: bool = False
    checksum_ok: bool = True
    """False if it is known to be wrong. In a capture it may be neither: cut off, or left to the hardware."""
    ip_checksum_ok: bool = True
    ip_size: int = 0
    """Octets of the whole IP packet."""
    ip_options: bytes = b""
    """IPv4's options, with their padding."""
    flow_label: int = 0
    """IPv6's; 0 in IPv4."""
    cut: int = 0
    """Octets of data behind ``payload`` that a capture did not keep; 0 for what is live."""

    @property
    def options(self) -> tuple[Option, ...]:
        """The options, split when somebody asks for them: not all do, and between a segment and the answer to it that counts."""
        return parse_options(self.options_data)

    @property
    def destination(self) -> bytes:
        """Where it goes in the end, which TCP's checksum covers: along a source route the IP header names the next hop only."""
        return final_destination(self.dst, self.ip_options) if self.ip_options else self.dst

    @property
    def length(self) -> int:
        """SEG.LEN: the octets of data, and one each for SYN and FIN."""
        return len(self.payload) + self.cut + bool(self.flags & SYN) + bool(self.flags & FIN)


def final_destination(dst: bytes, ip_options: bytes) -> bytes:
    """The last address of a source route that is not at its end (RFC 791, section 3.1), else ``dst``."""
    at = 0
    while at < len(ip_options) and ip_options[at]:
        length = 1 if ip_options[at] == 1 else ip_options[at + 1] if at + 1 < len(ip_options) else 0
        if not length:
            break
        if ip_options[at] in _SOURCE_ROUTES and 7 <= length <= len(ip_options) - at and ip_options[at + 2] < length:
            return ip_options[at + length - 4 : at + length]
        at += length
    return dst


@dataclass(frozen=True, slots=True)
class Quote:
    """The start of the packet that an ICMP error quotes: enough to tell which segment caused it."""

    src: bytes
    dst: bytes
    sport: int
    dport: int
    seq: int


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP (RFC 792) or ICMPv6 (RFC 4443) message."""

    family: Family
    src: bytes
    dst: bytes
    type: int
    code: int
    mtu: int
    """The MTU field of IPv4's type 3 code 4 and IPv6's packet too big, else 0."""
    body: bytes
    """What follows the first eight octets: for an error, the packet that it quotes."""
    quote: Quote | None
    checksum_ok: bool = True
    ttl: int = 0
    tos: int = 0
    rest: int = 0
    """The second word of the header: an MTU, a pointer, an identifier and a number."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame that is none of the above, and why."""

    reason: str
    frame: bytes


Packet = Segment | Icmp | Unreadable
