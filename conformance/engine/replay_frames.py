"""Frames of a capture with the numbers of its replay: addresses, ports, and what the peer says of the SUT's choices.

A frame is patched and not built anew, so that whatever is odd about it stays: options that nobody knows, lengths that lie, a header cut
off. A checksum is moved by what was patched (RFC 1624), so one that was right is right, and one that was wrong is as wrong as before.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from conformance.engine.replay_fragments import Piece
from conformance.wire.checksum import ones_sum
from conformance.wire.options import EOL, FAST_OPEN, NOP, SACK, TIMESTAMP
from conformance.wire.spec import ETHERNET

__all__ = ["Numbers", "translated"]

_ONES, _ACK = 0xFFFF, 0x10
_MASK32 = 0xFFFF_FFFF
_ICMP4, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
_CHECKSUMS = {_ICMP4: 2, _TCP: 16, _UDP: 6, _ICMP6: 2}
"""Where the checksum is in the header of each protocol."""
_FRAGMENT = 44
_EXTENSIONS = (0, 43, _FRAGMENT, 60)
_QUOTING = {_ICMP4: (3, 4, 5, 11, 12), _ICMP6: (1, 2, 3, 4)}
"""The messages that quote a packet behind their first eight octets (RFC 792; RFC 4443, section 2.1)."""
_FIRST_FRAGMENT = {4: 0x1FFF, 6: 0xFFF8}
"""The bits of a fragment's offset."""


@dataclass(slots=True)
class Numbers:
    """What the peer's numbers become. Its own sequence numbers and timestamps stay as they are."""

    macs: Mapping[bytes, bytes] = field(default_factory=dict)
    addresses: Mapping[bytes, bytes] = field(default_factory=dict)
    peer_ports: Mapping[int, int] = field(default_factory=dict)
    sut_ports: Mapping[int, int] = field(default_factory=dict)
    ack: Callable[[int], int] = lambda number: number
    """A number of the SUT's stream."""
    edge: Callable[[int], int] = lambda number: number
    """The edge of a SACK block."""
    ecr: Callable[[int], int] = lambda value: value
    """A value of the SUT's timestamp clock."""
    cookies: Mapping[bytes, bytes] = field(default_factory=dict)
    """Fast Open cookies that the SUT gave."""


class _Layout(NamedTuple):
    """Where things are in an IP packet, in octets of what it lies in."""

    version: int
    src: int
    dst: int
    width: int
    transport: int | None
    """None: it is not in this packet, or what leads there cannot be read."""
    protocol: int


def translated(frame: bytes, numbers: Numbers, piece: Piece | None = None) -> bytes:
    """The frame as the peer sends it in the replay. What a fragment has of its packet becomes what it has of the packet translated."""
    patched = bytearray(frame)
    for at in (0, 6):
        mac = bytes(frame[at : at + 6])
        patched[at : at + 6] = numbers.macs.get(mac, mac)
    whole = piece.whole if piece else None
    if piece is None or whole is None:
        _packet(patched, numbers)
        return bytes(patched)
    layout = _layout(patched, ETHERNET)
    if layout is not None:
        _network(patched, ETHERNET, layout, numbers)
    return piece.patched(bytes(patched), whole, translated(whole, numbers))


def _packet(frame: bytearray, numbers: Numbers, at: int = ETHERNET, *, from_peer: bool = True) -> None:
    """Patch the IP packet at ``at``: the peer's, or one of the SUT's that the peer quotes."""
    layout, before = _layout(frame, at), bytes(frame)
    if layout is None:
        return
    _network(frame, at, layout, numbers)
    if layout.transport is None:
        return
    if layout.protocol in _QUOTING and frame[layout.transport] in _QUOTING[layout.protocol] and from_peer:
        _packet(frame, numbers, layout.transport + 8, from_peer=False)
    elif layout.protocol in (_TCP, _UDP):
        _ports(frame, layout.transport, numbers, from_peer)
        if layout.protocol == _TCP:
            (_tcp_of_peer if from_peer else _tcp_of_sut)(frame, layout.transport, numbers)
    covered, more = [(layout.transport, len(frame))], 0
    if layout.protocol != _ICMP4:  # the pseudo header
        covered.append((layout.src, layout.dst + layout.width))
        more = layout.protocol + len(frame) - layout.transport
    if layout.protocol in _CHECKSUMS:
        _move_checksum(frame, before, layout.transport + _CHECKSUMS[layout.protocol], covered, more)


def _network(frame: bytearray, at: int, layout: _Layout, numbers: Numbers) -> None:
    """Addresses, and the header's checksum."""
    before = bytes(frame)
    for place in (layout.src, layout.dst):
        address = before[place : place + layout.width]
        frame[place : place + layout.width] = numbers.addresses.get(address, address)
    if layout.version == 4:
        end = at + (frame[at] & 0xF) * 4
        _routes(frame, at + 20, end, numbers)
        _move_checksum(frame, before, at + 10, [(at, end)])
    elif layout.transport is not None:
        _routes(frame, at + 40, layout.transport, numbers)


def _routes(frame: bytearray, begin: int, end: int, numbers: Numbers) -> None:
    """Addresses in IPv4's options and IPv6's extension headers."""
    octets = bytes(frame[begin:end])
    for old, new in numbers.addresses.items():
        octets = octets.replace(old, new)
    frame[begin:end] = octets


def _layout(frame: bytearray, at: int) -> _Layout | None:
    version = frame[at] >> 4 if len(frame) > at else 0
    if version == 4 and len(frame) >= at + 20:
        first = not int.from_bytes(frame[at + 6 : at + 8], "big") & _FIRST_FRAGMENT[4]
        end = at + (frame[at] & 0xF) * 4
        return _Layout(4, at + 12, at + 16, 4, end if first and at + 20 <= end < len(frame) else None, frame[at + 9])
    if version == 6 and len(frame) >= at + 40:
        protocol, transport = _behind_extensions(frame, at)
        return _Layout(6, at + 8, at + 24, 16, transport, protocol)
    return None


def _behind_extensions(frame: bytearray, at: int) -> tuple[int, int | None]:
    """The protocol behind IPv6's extension headers, and where it begins."""
    kind, place = frame[at + 6], at + 40
    while kind in _EXTENSIONS and place + 8 <= len(frame):
        if kind == _FRAGMENT and int.from_bytes(frame[place + 2 : place + 4], "big") & _FIRST_FRAGMENT[6]:
            return kind, None
        kind, place = frame[place], place + (8 if kind == _FRAGMENT else (frame[place + 1] + 1) * 8)
    return kind, place if place < len(frame) else None


def _ports(frame: bytearray, at: int, numbers: Numbers, from_peer: bool) -> None:
    maps = (numbers.peer_ports, numbers.sut_ports) if from_peer else (numbers.sut_ports, numbers.peer_ports)
    ports = struct.unpack_from(">HH", frame, at)
    struct.pack_into(">HH", frame, at, *(known.get(port, port) for known, port in zip(maps, ports, strict=True)))


def _tcp_of_peer(frame: bytearray, at: int, numbers: Numbers) -> None:
    if len(frame) > at + 13 and (frame[at + 13] & _ACK or any(frame[at + 8 : at + 12])):
        _change(frame, at + 8, numbers.ack)
    for kind, begin, end in _options(frame, at):
        if kind == TIMESTAMP and end - begin == 8:
            _change(frame, begin + 4, numbers.ecr)
        elif kind == SACK and not (end - begin) % 8:
            for edge in range(begin, end, 4):
                _change(frame, edge, numbers.edge)
        elif kind == FAST_OPEN:
            cookie = bytes(frame[begin:end])
            live = numbers.cookies.get(cookie, cookie)
            frame[begin:end] = live if len(live) == len(cookie) else cookie


def _tcp_of_sut(frame: bytearray, at: int, numbers: Numbers) -> None:
    """A segment of the SUT's that the peer quotes, or what there is of it."""
    if len(frame) >= at + 8:
        _change(frame, at + 4, numbers.edge)
    for kind, begin, end in _options(frame, at):
        if kind == TIMESTAMP and end - begin == 8:
            _change(frame, begin, numbers.ecr)


def _options(frame: bytearray, at: int) -> Iterator[tuple[int, int, int]]:
    """The options of the TCP header at ``at``: kind, and where the data begins and ends."""
    end = min(at + (frame[at + 12] >> 4) * 4, len(frame)) if len(frame) > at + 12 else 0
    place = at + 20
    while place + 1 < end and frame[place] != EOL:
        if frame[place] == NOP:
            place += 1
            continue
        length = frame[place + 1]
        if length < 2 or place + length > end:
            return
        yield frame[place], place + 2, place + length
        place += length


def _change(frame: bytearray, at: int, change: Callable[[int], int]) -> None:
    (old,) = struct.unpack_from(">I", frame, at)
    struct.pack_into(">I", frame, at, change(old) & _MASK32)


def _move_checksum(frame: bytearray, before: bytes, at: int, covered: Sequence[tuple[int, int]], more: int = 0) -> None:
    """Add to the checksum at ``at`` by what the octets that it covers have changed. One of zero that was never reckoned stays."""
    if at + 2 > len(frame):
        return
    sums = [sum(ones_sum(octets[begin:end]) for begin, end in covered) for octets in (before, frame)]
    old, changed = int.from_bytes(frame[at : at + 2], "big"), (sums[0] - sums[1]) % _ONES
    if changed and (old or not (sums[0] + more) % _ONES):
        struct.pack_into(">H", frame, at, (old + changed) % _ONES)
