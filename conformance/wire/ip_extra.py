"""What may stand between a plain IP header and TCP: IPv4's options, IPv6's extension headers, and the cutting into fragments."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from conformance.wire.checksum import finish, ones_sum

__all__ = ["BROADCAST_MAC", "EXTENSIONS", "Cut", "extension_chain", "fragments", "group_mac", "padded_options"]

_ETHERNET = 14
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION, _MORE = 0, 43, 44, 60, 0x2000
EXTENSIONS = {"hop-by-hop": _HOP_BY_HOP, "routing": _ROUTING, "destination": _DESTINATION}
"""Extension headers of one layout (RFC 8200, section 4): next header, length in units of 8 octets after the first 8, data."""
_MOST_OPTIONS = 40
BROADCAST_MAC = b"\xff" * 6

Cut = tuple[int, int | None]
"""A fragment: from which octet of what is cut to which, that one not included; None: to the end."""


def padded_options(octets: bytes) -> bytes:
    """IPv4's options with their padding of zeros (RFC 791, section 3.1)."""
    if len(octets) > _MOST_OPTIONS:
        raise ValueError(f"{len(octets)} octets of IP options: a header holds {_MOST_OPTIONS}")
    return octets + bytes(-len(octets) % 4)


def extension_chain(headers: Sequence[tuple[int, bytes]], last: int) -> tuple[int, bytes]:
    """Extension headers of these kinds with this data, before a ``last`` one: the kind of the first, and all octets.

    What does not fill eight octets is padded: with PadN where there are options (RFC 8200, section 4.2), else with zeros.
    """
    octets = b""
    following = last
    for kind, data in reversed(headers):
        lacks = -(len(data) + 2) % 8
        if kind in (_HOP_BY_HOP, _DESTINATION) and lacks:
            data += b"\0" if lacks == 1 else bytes((1, lacks - 2)) + bytes(lacks - 2)
        else:
            data += bytes(lacks)
        if len(data) > 255 * 8 + 6:
            raise ValueError(f"{len(data)} octets do not fit into an extension header")
        octets = bytes((following, (len(data) + 2) // 8 - 1)) + data + octets
        following = kind
    return following, octets


def group_mac(address: bytes) -> bytes:
    """The Ethernet address of an IP multicast group (RFC 1112, section 6.4; RFC 2464, section 7)."""
    if len(address) == 16:
        return b"\x33\x33" + address[12:]
    return b"\x01\x00\x5e" + bytes((address[1] & 0x7F,)) + address[2:]


def fragments(frame: bytes, cuts: Sequence[Cut], identification: int) -> list[bytes]:
    """The IP packet of a frame as fragments, in the order of ``cuts``; the one that ends at None says that it is the last.

    IPv4's own identification stays if it is not 0. ValueError for a cut outside of the packet.
    """
    if frame[12:14] == b"\x08\x00":
        start = _ETHERNET + (frame[_ETHERNET] & 0xF) * 4
        make = _ipv4
    else:
        start = _fragmentable(frame)
        make = _ipv6
    data = frame[start:]
    made = []
    for low, high in cuts:
        end = len(data) if high is None else high
        if not low < end <= len(data):
            raise ValueError(f"a fragment {low}:{'*' if high is None else high} of {len(data)} octets")
        made.append(make(frame[:start], data[low:end], low // 8, high is not None, identification))
    return made


def _ipv4(head: bytes, data: bytes, offset: int, more: bool, identification: int) -> bytes:
    header = bytearray(head)
    own = struct.unpack_from(">H", header, _ETHERNET + 4)[0] or identification & 0xFFFF
    size = len(header) - _ETHERNET
    struct.pack_into(">HHH", header, _ETHERNET + 2, size + len(data), own, offset | (_MORE if more else 0))
    struct.pack_into(">H", header, _ETHERNET + 10, 0)
    struct.pack_into(">H", header, _ETHERNET + 10, finish(ones_sum(header[_ETHERNET:])))
    return bytes(header) + data


def _ipv6(head: bytes, data: bytes, offset: int, more: bool, identification: int) -> bytes:
    header = bytearray(head)
    at = _last_next_header(header)
    following, header[at] = header[at], _FRAGMENT
    struct.pack_into(">H", header, _ETHERNET + 4, len(header) - _ETHERNET - 40 + 8 + len(data))
    return bytes(header) + struct.pack(">BBHI", following, 0, offset << 3 | more, identification & 0xFFFF_FFFF) + data


def _headers(frame: bytes | bytearray) -> list[tuple[int, int]]:
    """Where each extension header that has options or a route begins, and which it is."""
    found = []
    kind, at = frame[_ETHERNET + 6], _ETHERNET + 40
    while kind in EXTENSIONS.values() and at + 8 <= len(frame):
        found.append((at, kind))
        kind, at = frame[at], at + (frame[at + 1] + 1) * 8
    return [*found, (at, kind)]


def _fragmentable(frame: bytes) -> int:
    """Where the part begins that may be cut: behind a routing header, else behind hop-by-hop options (RFC 8200, section 4.5)."""
    headers = _headers(frame)
    kinds = [kind for _, kind in headers[:-1]]
    if _ROUTING in kinds:
        return headers[len(kinds) - kinds[::-1].index(_ROUTING)][0]
    return headers[1][0] if kinds[:1] == [_HOP_BY_HOP] else headers[0][0]


def _last_next_header(head: bytearray) -> int:
    """Where the header before the cut says what follows."""
    at, following = _ETHERNET + 6, _ETHERNET + 40
    while following < len(head):
        at, following = following, following + (head[following + 1] + 1) * 8
    return at
