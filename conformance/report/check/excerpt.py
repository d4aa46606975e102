"""Some packets of a connection in a capture, drawn as a ladder: the client on the left, the server on the right."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from rich.text import Text

from conformance.oracle.finding import Connection
from conformance.report.rows import Row, Side, draw_rows
from conformance.report.safe_text import printable
from conformance.trace import Seen
from conformance.wire.segment import ACK, RST, Icmp, Packet, Segment, Unreadable
from conformance.wire.text import icmp_text, segment_text

__all__ = ["Excerpt", "Passed", "draw_excerpt"]


@dataclass(frozen=True, slots=True)
class Passed:
    """A packet that the client of its connection sent, or the server."""

    seen: Seen
    from_client: bool


@dataclass(slots=True)
class Excerpt:
    """Packets in the order of the capture; a number stands for as many that are left out."""

    start: int = 0
    """ns, when the connection's first packet passed."""
    pieces: list[Passed | int] = field(default_factory=list)


def draw_excerpt(excerpt: Excerpt, connection: Connection, width: int, marked: Collection[int] = ()) -> Iterator[Text]:
    """The lines of the ladder, ``width`` columns wide; the packets with the numbers ``marked`` show what was found."""
    isns = _isns(excerpt, connection)
    rows = [piece if isinstance(piece, int) else _row(piece, isns, piece.seen.number in marked) for piece in excerpt.pieces]
    yield from draw_rows(rows, width, left="client", right="server", start=excerpt.start)


def _isns(excerpt: Excerpt, connection: Connection) -> tuple[int | None, int | None]:
    """What the numbers of client and server are counted from: the ISNs; without the SYN what passed first, as the oracle does it."""
    client, server = connection.client_isn, connection.server_isn
    for piece in excerpt.pieces:
        if isinstance(piece, int) or not isinstance(packet := piece.seen.packet, Segment):
            continue
        acks, resets = packet.flags & ACK, packet.flags & RST
        own = packet.seq - 1 if acks or not resets else None
        other = packet.ack - 1 if acks and not resets else None
        sent, acked = (own, other) if piece.from_client else (other, own)
        client, server = sent if client is None else client, acked if server is None else server
    return client, server


def _row(passed: Passed, isns: tuple[int | None, int | None], marked: bool) -> Row:
    side, style = (Side.RIGHTWARD, "cyan") if passed.from_client else (Side.LEFTWARD, "green")
    text = printable(_text(passed.seen.packet, *(isns if passed.from_client else reversed(isns))))
    return Row(passed.seen.t, side, text, "bold red" if marked else style, failed=marked, number=passed.seen.number)


def _text(packet: Packet, isn_src: int | None, isn_dst: int | None) -> str:
    match packet:
        case Segment():
            return segment_text(packet, isn_src, isn_dst)
        case Icmp():
            return icmp_text(packet)
        case Unreadable():
            return f"{len(packet.frame)} bytes: {packet.reason}"
