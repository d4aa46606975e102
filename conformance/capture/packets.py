"""Frames to packets, one by one, whatever is in them."""

from __future__ import annotations

from conformance.capture.fragments import Fragments
from conformance.capture.link_types import network
from conformance.capture.network import EXTENSIONS, ICMP, ICMPV6, TCP, Unread, ipv4, ipv6
from conformance.capture.records import FLAWS, Counts, Frame
from conformance.capture.transport import read_transport
from conformance.trace import Seen
from conformance.wire.segment import Family, Segment

__all__ = ["PacketReader"]

_BY_VERSION = {4: ipv4, 6: ipv6}
_FRAGMENTS_OF = {Family.IPV4: {TCP, ICMP}, Family.IPV6: {TCP, ICMPV6, *EXTENSIONS}}
"""What may come of fragments with these protocols is waited for."""


class PacketReader:
    """Reads the frames of one capture, in its order: fragments wait here for each other."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._fragments = Fragments(counts)

    def read(self, frame: Frame, flaw: int = 0) -> Seen | None:
        """The packet in ``frame``; None if there is none, or not yet, which is counted. ``flaw`` is one of FLAWS."""
        try:
            if flaw:
                raise Unread(FLAWS[flaw])
            return self._read(frame)
        except Unread as unread:
            self._counts.unread[str(unread)] += 1
            return None

    def end(self) -> None:
        """There are no more frames."""
        self._fragments.end()

    def _read(self, frame: Frame) -> Seen | None:
        found = network(frame.link, frame.data)
        if isinstance(found, str):
            raise Unread(found)
        version, at = found
        packet = _BY_VERSION[version](frame.data[at:], frame.size - at)
        if packet.fragment is not None:
            if packet.protocol not in _FRAGMENTS_OF[packet.family]:
                raise Unread(f"protocol {packet.protocol}")
            if (whole := self._fragments.add(packet, packet.fragment, frame.t)) is None:
                return None
            packet = whole
        read, offloaded = read_transport(packet)
        counts = self._counts
        counts.packets += 1
        counts.offloaded += offloaded + packet.offloaded
        counts.wrong_checksums += (not read.checksum_ok) + (isinstance(read, Segment) and not read.ip_checksum_ok)
        return Seen(frame.number, frame.t, read, frame.outbound, offloaded)
