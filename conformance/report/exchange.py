"""A trace drawn as a ladder: the peer on the left, the stack under test on the right, time downward.

Segments are arrows between the two, with the numbers relative to the ISNs. What the stack did otherwise, its calls and its
states, stands on its side; what the tester has to say about itself, on the peer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from conformance.report.safe_text import printable
from conformance.trace import Called, Endpoints, Event, Note, Received, Returned, Sent, StateChanged, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import Icmp, Packet, Segment, Unreadable
from conformance.wire.text import icmp_text, segment_text

__all__ = ["draw_exchange"]

TIME, DELTA = 10, 11
MARGIN = 2 + TIME + 1 + DELTA + 1
"""What stands left of the peer's line: a mark, the time, and the time since the row above."""
NARROWEST = 24


class Side(Enum):
    """Where a row stands: an arrow, or text beside one of the lines."""

    FROM_PEER = auto()
    FROM_SUT = auto()
    AT_SUT = auto()
    AT_PEER = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the ladder, before it knows how wide it may be."""

    t: int | None
    side: Side
    text: str
    style: str = ""
    ambient: bool = False
    """No step asked for it."""
    failed: bool = False


def draw_exchange(trace: Trace, width: int, *, missing: str = "", most: int | None = None) -> Iterator[Text]:
    """The lines of the ladder, ``width`` columns wide.

    ``missing`` is what the failed step waited for, and is drawn at the end if nothing in the trace is what failed it.
    ``most`` limits the rows: the first few, and those up to the failure.
    """
    rows = list(_rows(trace))
    if missing and not any(row.failed for row in rows):
        rows.append(Row(None, Side.AT_SUT, missing, "bold red", failed=True))
    lane = max(width - MARGIN - 2, NARROWEST)
    yield Text(f"  {'time':>{TIME}} {'delta':>{DELTA}} peer{'':{lane - 5}}SUT", "dim", no_wrap=True)
    before: int | None = None
    for row in _chosen(rows, most):
        if isinstance(row, int):
            yield Text(" " * MARGIN + f"⋮ {row} more".ljust(lane), "dim", no_wrap=True)
            continue
        yield from _draw(row, lane, trace.start, before)
        before = row.t if row.t is not None else before


# What there is to draw ------------------------------------------------------------------------------------------------


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
            side, text, style = Side.FROM_PEER, _packet(trace, packet, event.connection, from_peer=True), "cyan"
        case Received():
            side, text, style = Side.FROM_SUT, _packet(trace, event.packet, event.connection, from_peer=False), "green"
        case Called():
            side, text, style = Side.AT_SUT, f"{event.text} …", ""
        case Returned():
            side, text, style = Side.AT_SUT, event.text, ""
        case StateChanged():
            side, text, style = Side.AT_SUT, f"{event.who}: {event.old} → {event.new}", "magenta"
        case Note():
            side, text, style = Side.AT_PEER, event.text, "italic dim"
        case _:
            side, text, style = Side.AT_PEER, type(event).__name__, "dim"
    if ambient and side in (Side.FROM_PEER, Side.FROM_SUT):
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


def _chosen(rows: Sequence[Row], most: int | None) -> Iterator[Row | int]:
    """At most ``most`` rows, with the number of those left out in their place."""
    if most is None or len(rows) <= most:
        yield from rows
        return
    focus = next((index for index, row in enumerate(rows) if row.failed), len(rows) - 1)
    head = most // 4
    end = min(len(rows), max(focus + most // 8 + 1, most))
    begin = max(head, end - (most - head))
    yield from rows[:head]
    if begin > head:
        yield begin - head
    yield from rows[begin:end]
    if end < len(rows):
        yield len(rows) - end


# How it is drawn ------------------------------------------------------------------------------------------------------


def _draw(row: Row, lane: int, start: int, before: int | None) -> Iterator[Text]:
    lines = _DRAWN[row.side](fold(row.text, lane - 6), lane, "╌" if row.ambient else "─")
    clock = "" if row.t is None else _clock(row.t - start)
    delta = "" if row.t is None or before is None else "+" + _clock(row.t - before)
    mark = "✗" if row.failed else " "
    margin = f"{mark} {clock:>{TIME}} {delta:>{DELTA}} "
    for line in lines:
        text = Text(no_wrap=True)
        text.append(margin, "bold red" if row.failed else "dim")
        text.append(line, row.style)
        yield text
        margin = " " * MARGIN


def _rightward(block: list[str], lane: int, dash: str) -> list[str]:
    """``├─ S 0:0(0) ─────▶│``, and what did not fit below."""
    first, *rest = block
    shaft = dash * (lane - cell_len(first) - 4)
    return [f"├{dash} {first} {shaft}▶│"] + [f"│{_padded('   ' + line, lane)}│" for line in rest]


def _leftward(block: list[str], lane: int, dash: str) -> list[str]:
    """``│◀───── S. 0:0(0) ─┤``, and what did not fit below."""
    first, *rest = block
    broad = max(map(cell_len, block))
    shaft = dash * (lane - broad - 4)
    behind = dash * (broad - cell_len(first) + 1)
    return [f"│◀{shaft} {first} {behind}┤"] + [f"│{_padded(' ' * (lane - broad - 2) + line, lane)}│" for line in rest]


def _at_sut(block: list[str], lane: int, _dash: str) -> list[str]:
    broad = max(map(cell_len, block))
    return [f"│{_padded(' ' * (lane - broad - 1) + line, lane)}│" for line in block]


def _at_peer(block: list[str], lane: int, _dash: str) -> list[str]:
    return [f"│{_padded(' ' + line, lane)}│" for line in block]


_DRAWN = {Side.FROM_PEER: _rightward, Side.FROM_SUT: _leftward, Side.AT_SUT: _at_sut, Side.AT_PEER: _at_peer}


def fold(text: str, room: int) -> list[str]:
    """``text`` in lines of at most ``room`` cells: the options of a segment begin a line, else it breaks behind commas and blanks."""
    if cell_len(text) <= room:
        return [text]
    head, options, tail = text.partition(" <")
    if options and head:
        return fold(head, room) + fold("<" + tail, room)
    lines = [""]
    for piece in re.findall(r"[^ ,]*[ ,]|[^ ,]+$", text):
        if lines[-1] and cell_len(lines[-1]) + cell_len(piece.rstrip()) > room:
            lines.append("")
        lines[-1] += piece
        while cell_len(lines[-1].rstrip()) > room:
            cut = len(set_cell_size(lines[-1], room).rstrip())
            lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
    return [line.rstrip() for line in lines]


def _padded(text: str, cells: int) -> str:
    return set_cell_size(text, cells)


def _clock(ns: int) -> str:
    """``0.112 ms``, ``1.000 s``."""
    return f"{ns / 1e6:.3f} ms" if abs(ns) < 1_000_000_000 else f"{ns / 1e9:.3f} s"
