"""Packets that a peer sent in fragments: which fragments belong together, and each with what a replay changes in the whole."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.capture.network import Network, Unread, ipv4, ipv6
from conformance.wire.spec import ETHERNET

__all__ = ["Piece", "pieces_of"]

_READERS = {b"\x08\x00": ipv4, b"\x86\xdd": ipv6}
_FRAGMENT_HEADER = 8
_LARGEST = 65535


@dataclass(slots=True)
class _Packet:
    """The fragments of one packet."""

    head: bytes = b""
    """The first fragment's headers."""
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """A fragment's place in its packet."""

    packet: _Packet
    start: int
    """The place of its data in that of the packet, in octets."""
    begin: int
    """Where its data begins in its own frame."""

    @property
    def whole(self) -> bytes | None:
        """The frame of the packet, if it had not been cut, with zeros for what nobody sent; None without the first fragment."""
        if not self.packet.head:
            return None
        parts = self.packet.parts
        data = bytearray(max(start + len(part) for start, part in parts.items()))
        for start, part in reversed(parts.items()):  # of two that overlap, the one that was sent first
            data[start : start + len(part)] = part
        return _uncut(self.packet.head, bytes(data))

    def patched(self, frame: bytes, old: bytes, new: bytes) -> bytes:
        """The fragment, its data changed where the whole packet has been changed from ``old`` to ``new``."""
        patched, shift = bytearray(frame), len(self.packet.head) + self.start - self.begin
        for at in range(self.begin, len(frame)):
            if at + shift < len(old) and old[at + shift] != new[at + shift] and frame[at] == old[at + shift]:
                patched[at] = new[at + shift]
        return bytes(patched)


def pieces_of(frames: Iterable[bytes]) -> list[Piece | None]:
    """For each frame its place in a packet; None if it is no fragment."""
    open_: dict[object, _Packet] = {}
    return [_piece(frame, open_) for frame in frames]


def _piece(frame: bytes, known: dict[object, _Packet]) -> Piece | None:
    read = _READERS.get(frame[12:ETHERNET])
    if read is None:
        return None
    try:
        network: Network = read(frame[ETHERNET:], len(frame) - ETHERNET)
    except Unread:
        return None
    cut = network.fragment
    if cut is None or cut.start + len(network.data) > _LARGEST:
        return None
    packet = known.get(cut.key)
    if packet is None or packet.parts.get(cut.start, network.data) != network.data:  # another packet that has the same identification
        packet = known[cut.key] = _Packet()
    packet.parts[cut.start] = network.data
    begin = ETHERNET + network.header
    if not cut.start:
        packet.head = frame[:begin]
    return Piece(packet, cut.start, begin)


def _uncut(head: bytes, data: bytes) -> bytes:
    """Headers that do not say that there is more."""
    frame = bytearray(head + data)
    if head[12:ETHERNET] == b"\x08\x00":
        struct.pack_into(">H", frame, ETHERNET + 2, len(frame) - ETHERNET)
        frame[ETHERNET + 6 : ETHERNET + 8] = bytes(2)
    else:
        struct.pack_into(">H", frame, ETHERNET + 4, len(frame) - ETHERNET - 40)
        frame[len(head) - _FRAGMENT_HEADER + 2 : len(head) - _FRAGMENT_HEADER + 4] = bytes(2)
    return bytes(frame)
