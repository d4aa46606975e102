"""A trace drawn as a ladder: the peer on the left, the stack under test on the right, time downward.

Segments are arrows between the two, with the numbers relative to the ISNs. What the stack did otherwise, its calls and its
states, stands on its side; what the tester has to say about itself, on the peer's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rich.text import Text

from conformance.report.rows import Row, Side, chosen, draw_rows
from conformance.report.safe_text import printable
from conformance.trace import Called, Endpoints, Event, Note, Received, Returned, Sent, StateChanged, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import Icmp, Packet, Segment, Unreadable
from conformance.wire.text import icmp_text, segment_text

__all__ = ["draw_exchange"]


def draw_exchange(trace: Trace, width: int, *, missing: str = "", most: int | None = None) -> Iterator[Text]:
    """The lines of the ladder, ``width`` columns wide.

    ``missing`` is what the failed step waited for, and is drawn at the end if nothing in the trace is what failed it.
    ``most`` limits the rows: the first few, and those up to the failure.
    """
    rows = list(_rows(trace))
    if missing and not any(row.failed for row in rows):
        rows.append(Row(None, Side.AT_RIGHT, missing, "bold red", failed=True))
    yield from draw_rows(chosen(rows, most), width, left="peer", right="SUT", start=trace.start)


def _rows(trace: Trace) -> Iterator[Row]:
    events = list(trace.sorted())
    for event, following in pairwise([*events, None]):
        if event is not None and not _said_by(event, following):
            yield _row(trace, event)


def _said_by(event: Event, following: Event | None) -> bool:
    """A call that returned at once is one row: the return says what the call was."""
    return isinstance(event, Called) and isinstance(following, Returned) and event.step == following.step and not event.failed


def _row(trace: Trace, event: Event) -> Row:
    ambient = event.step is None
    match event:
        case Sent():
            packet = event.packet or read_frame(event.frame)
            side, text, style = Side.RIGHTWARD, _packet(trace, packet, event.connection, from_peer=True), "cyan"
        case Received():
            side, text, style = Side.LEFTWARD, _packet(trace, event.packet, event.connection, from_peer=False), "green"
        case Called():
            side, text, style = Side.AT_RIGHT, f"{event.text} …", ""
        case Returned():
            side, text, style = Side.AT_RIGHT, event.text, ""
        case StateChanged():
            side, text, style = Side.AT_RIGHT, f"{event.who}: {event.old} → {event.new}", "magenta"
        case Note():
            side, text, style = Side.AT_LEFT, event.text, "italic dim"
        case _:
            side, text, style = Side.AT_LEFT, type(event).__name__, "dim"
    if ambient and side in (Side.RIGHTWARD, Side.LEFTWARD):
        style = "dim"
    return Row(event.t, side, printable(text), "bold red" if event.failed else style, ambient, event.failed)


def _packet(trace: Trace, packet: Packet, connection: str | None, *, from_peer: bool) -> str:
    ends = trace.connections.get(connection) if connection else None
    match packet:
        case Segment():
            text = segment_text(packet, *_isns(ends, from_peer))
        case Icmp():
            text = icmp_text(packet)
        case Unreadable():
            text = f"{len(packet.frame)} bytes: {packet.reason}"
    if connection is None:
        return f"(no connection) {text}"
    return text if connection == "default" else f"{connection}: {text}"


def _isns(ends: Endpoints | None, from_peer: bool) -> tuple[int | None, int | None]:
    if ends is None:
        return None, None
    return (ends.peer_isn, ends.sut_isn) if from_peer else (ends.sut_isn, ends.peer_isn)
