"""The connections of some packets, in the order in which they begin."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.capture.import_packets import Conversation
from conformance.trace import Seen
from conformance.wire.segment import ACK, SYN, Icmp, Segment

__all__ = ["conversations"]


def conversations(packets: Iterable[Seen]) -> list[Conversation]:
    """By addresses and ports; who sent the first segment is the client, unless that is the answer to a SYN."""
    found: dict[frozenset[tuple[bytes, int]], Conversation] = {}
    for seen in packets:
        packet = seen.packet
        if isinstance(packet, Segment):
            here, there = (packet.src, packet.sport), (packet.destination, packet.dport)
            key = frozenset((here, there))
            if key not in found:
                client, server = (there, here) if packet.flags & (SYN | ACK) == SYN | ACK else (here, there)
                found[key] = Conversation(len(found) + 1, client, server)
            found[key].packets.append(seen)
        elif isinstance(packet, Icmp) and packet.quote is not None:
            quote = packet.quote
            key = frozenset(((quote.src, quote.sport), (quote.dst, quote.dport)))
            if key in found:
                found[key].packets.append(seen)
    return list(found.values())
