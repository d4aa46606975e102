"""Link types: what stands before the IP header in a frame, by the numbers of tcpdump's list (draft-ietf-opsawg-pcaplinktype)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ETHERNET", "LINK_TYPES", "MAX_TAGS", "OUTGOING", "PPP", "TAGS", "LinkType", "network"]

_IPV4, _IPV6 = 4, 6
_ETHERTYPES = {0x0800: _IPV4, 0x86DD: _IPV6}
TAGS = (0x8100, 0x88A8, 0x9100, 0x9200)
"""Ethertypes of VLAN tags: 802.1Q, 802.1ad, and two from before that."""
MAX_TAGS = 8
_TAG = 4
OUTGOING = 4
"""PACKET_OUTGOING, a packet type of Linux."""
_PPP_ALL_STATIONS = b"\xff\x03"
"""Address and control field (RFC 1662), which may have been agreed away."""


def _either_order(families: dict[int, int]) -> dict[int, int]:
    """The same numbers as a machine of the other byte order writes them."""
    return families | {int.from_bytes(number.to_bytes(4, "little"), "big"): version for number, version in families.items()}


_FAMILIES = _either_order({2: _IPV4, 10: _IPV6, 23: _IPV6, 24: _IPV6, 28: _IPV6, 30: _IPV6})
"""AF_INET, and AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS."""


@dataclass(frozen=True, slots=True)
class LinkType:
    """A kind of link header."""

    name: str
    size: int = 0
    """Octets before the IP header."""
    at: int = 0
    """Where it says what follows."""
    width: int = 0
    """Octets of that; 0: it does not say, so that the IP header must."""
    versions: Mapping[int, int] = field(default_factory=dict)
    """The numbers that stand for IP, and its version."""
    tags: bool = False
    """May VLAN tags follow?"""
    direction: tuple[int, int] | None = None
    """Where a packet type of Linux says whether the packet was sent, and in how many octets."""


ETHERNET = 1
_RAW = LinkType("raw IP")
PPP = LinkType("PPP", 2, 0, 2, {0x0021: _IPV4, 0x0057: _IPV6})
_LOOPBACK = LinkType("BSD loopback", 4, 0, 4, _FAMILIES)
LINK_TYPES: Mapping[int, LinkType] = {
    0: _LOOPBACK,
    ETHERNET: LinkType("Ethernet", 14, 12, 2, _ETHERTYPES, tags=True),
    9: PPP,
    12: _RAW,
    14: _RAW,
    101: _RAW,
    108: _LOOPBACK,
    113: LinkType("Linux cooked", 16, 14, 2, _ETHERTYPES, tags=True, direction=(0, 2)),
    228: _RAW,
    229: _RAW,
    276: LinkType("Linux cooked v2", 20, 0, 2, _ETHERTYPES, tags=True, direction=(10, 1)),
}


def network(number: int, data: bytes) -> tuple[int, int] | str:
    """Which version of IP begins where in a frame; else why none does."""
    link = LINK_TYPES.get(number)
    if link is None:
        return f"link type {number}"
    at, size = link.at, link.size
    if link is PPP and data.startswith(_PPP_ALL_STATIONS):
        at, size = at + len(_PPP_ALL_STATIONS), size + len(_PPP_ALL_STATIONS)
    if len(data) <= size:
        return f"{link.name}: header cut off"
    if not link.width:
        version = data[0] >> 4
        return (version, 0) if version in (_IPV4, _IPV6) else f"IP version {version}"
    follows = _number(data, at, link.width)
    for _ in range(MAX_TAGS if link.tags else 0):
        if follows not in TAGS:
            break
        size += _TAG
        follows = _number(data, size - 2, 2)
    version = link.versions.get(follows, 0)
    if not version:
        return f"{link.name}: protocol 0x{follows:04x}" if len(data) > size else f"{link.name}: header cut off"
    return version, size


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "big")
