"""``tcpdump`` where there is none: writes what passes an interface to standard output, as pcap, until it is interrupted.

``python -m tests.traffic.sniffer INTERFACE SNAP`` says on standard error what tcpdump says, as far as :mod:`tests.traffic.tap` reads it.
"""

from __future__ import annotations

import select
import signal
import sys
from collections.abc import Iterator
from struct import Struct

from conformance.link.packet_ring import PacketRing

from .pcap import header, record

__all__ = ["main"]

_LONGEST = (1 << 16) - 256
"""What fits into a block of the ring."""
_RING = 1 << 28
"""Octets: more packets than a machine makes while it does something else for a second."""
_SLOT_HEAD = Struct("=IIIHHII")
"""struct tpacket2_hdr: whose the slot is, octets that came, octets that were kept, where they begin, -, seconds, ns."""
_USER, _KERNEL = 1, b"\0\0\0\0"


class _Ring(PacketRing):
    """The ring, but it keeps the wall clock's times, and says how long a frame was that has been cut."""

    def records(self, snap: int) -> Iterator[bytes]:
        """All packets that are there, as a file has them."""
        ring, slot, unpack = self._ring, self._slot, _SLOT_HEAD.unpack_from
        while (fields := unpack(ring, at := self._next * slot))[0] & _USER:
            _, length, kept, start, _, seconds, ns = fields
            frame = ring[at + start : at + start + min(kept, snap)]
            ring[at : at + 4] = _KERNEL
            self._next = (self._next + 1) % self._count
            yield record(seconds * 1_000_000_000 + ns, frame, length)


def main(interface: str, snap: int) -> None:
    """Until SIGINT; what has come by then is written."""
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    longest = min(snap, _LONGEST)
    ring = _Ring(interface, longest, _RING // (longest + 256))
    out = sys.stdout.buffer
    out.write(header(snap))
    print(f"listening on {interface}", file=sys.stderr, flush=True)
    captured = 0
    while True:
        last = bool(stopped)
        for packet in ring.records(snap):
            out.write(packet)
            captured += 1
        out.flush()
        if last:
            break
        select.select([ring], [], [], 0.05)
    lost = ring.lost()
    for text in (f"{captured} packets captured", f"{captured + lost} packets received by filter", f"{lost} packets dropped by kernel"):
        print(text, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
