"""Frames in and out of one interface: a packet socket that sends, and a memory-mapped ring of everything that passes.

The ring (TPACKET_V2, kernel documentation ``networking/packet_mmap``) holds both directions in the order of the kernel's time stamps.
So a frame that the tester sends comes back as "outgoing" with the time at which it really left, and a frame is read
without a system call, which is what keeps the tester's answers within tens of microseconds.
"""

from __future__ import annotations

import mmap
import socket
import struct
import sys
from collections.abc import Iterator

from conformance.link.clock import FrameClock

__all__ = ["PacketRing"]

_SOL_PACKET, _PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION, _TPACKET_V2 = 263, 5, 6, 10, 1
_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_STATUS_USER, _STATUS_KERNEL = 1, b"\0\0\0\0"
_STATUS = 0 if sys.byteorder == "little" else 3
"""Whose a slot is says the lowest bit of its first word, which is in this octet."""
_HEADER = struct.Struct("=IIIHHII")  # struct tpacket2_hdr: status, len, snaplen, mac, net, sec, nsec
_PKTTYPE = 32 + 10  # struct sockaddr_ll follows the header at 32; sll_pkttype is its tenth octet
_BLOCK = 1 << 16


class PacketRing:
    """Raw frames on the interface ``name`` of the thread's current network namespace.

    Args:
        name: the interface.
        frame_size: the longest frame that must fit, in octets.
        frames: how many frames the ring holds; more than that between two reads are lost, and :meth:`lost` says so.
    """

    def __init__(self, name: str, frame_size: int = 1600, frames: int = 1024) -> None:
        slot = 1 << (frame_size + 128 - 1).bit_length()
        per_block = _BLOCK // slot
        blocks = -(-frames // per_block)
        self._slot, self._count, self._next = slot, blocks * per_block, 0
        self.rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self.rx.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            self.rx.setsockopt(_SOL_PACKET, _PACKET_RX_RING, struct.pack("=IIII", _BLOCK, blocks, slot, self._count))
            self._ring = mmap.mmap(self.rx.fileno(), blocks * _BLOCK)
            self.rx.bind((name, _ETH_P_ALL))
            self.rx.setblocking(False)
            self.tx.bind((name, 0))
            self.tx.setblocking(False)
        except BaseException:
            self.rx.close()
            self.tx.close()
            raise
        self.send = self.tx.send
        self.clock = FrameClock()

    def fileno(self) -> int:
        """Becomes readable when a frame is there."""
        return self.rx.fileno()

    def read(self) -> Iterator[tuple[int, bytes, bool]]:
        """All frames that are there: time (monotonic ns), octets, and whether it is one that went out."""
        ring, slot, unpack, to_monotonic = self._ring, self._slot, _HEADER.unpack_from, self.clock.to_monotonic
        while ring[(at := self._next * slot) + _STATUS] & _STATUS_USER:
            _, _, length, mac, _, sec, nsec = unpack(ring, at)
            frame = ring[at + mac : at + mac + length]
            outgoing = ring[at + _PKTTYPE] == _PACKET_OUTGOING
            ring[at : at + 4] = _STATUS_KERNEL
            self._next = (self._next + 1) % self._count
            yield sec * 1_000_000_000 + nsec + to_monotonic, frame, outgoing

    def lost(self) -> int:
        """How many frames the ring had no room for since the last call."""
        return int(struct.unpack("=II", self.rx.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1])

    def close(self) -> None:
        """Give the descriptors and the memory back."""
        self._ring.close()
        self.rx.close()
        self.tx.close()
