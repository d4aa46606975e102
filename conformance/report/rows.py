"""A ladder's rows and how they are drawn: two vertical lines, arrows and words between them, times on the left.

Who stands at the lines is for others to say: :mod:`conformance.report.exchange` has the peer and the stack under test,
:mod:`conformance.report.excerpt` the client and the server of a connection in a capture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from rich.cells import cell_len, set_cell_size
from rich.text import Text

__all__ = ["Row", "Side", "chosen", "draw_rows", "fold"]

TIME, DELTA = 10, 11
NUMBER = 6
"""Columns of a packet's number at least."""
MARGIN = 2 + TIME + 1 + DELTA + 1
"""What stands left of the left line: a mark, the time, and the time since the row above; the packet's number comes on top."""
NARROWEST = 24


class Side(Enum):
    """Where a row stands: an arrow, or text beside one of the lines."""

    RIGHTWARD = auto()
    LEFTWARD = auto()
    AT_RIGHT = auto()
    AT_LEFT = auto()


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
    number: int | None = None
    """The packet's in its capture. Rows with numbers get a column for them."""


def draw_rows(rows: Iterable[Row | int], width: int, *, left: str, right: str, start: int) -> Iterator[Text]:
    """The lines of the ladder, ``width`` columns wide; a number among the rows says how many are left out there.

    ``left`` and ``right`` stand above the two lines. Times are shown from ``start`` on.
    """
    rows = list(rows)
    numbers = [row.number for row in rows if isinstance(row, Row) and row.number is not None]
    column = max(NUMBER, len(str(max(numbers)))) if numbers else 0
    margin = MARGIN + column + bool(column)
    lane = max(width - margin - 2, NARROWEST)
    heading = f"{'packet':>{column}} " if column else ""
    yield Text(f"  {heading}{'time':>{TIME}} {'delta':>{DELTA}} {left}{_right(right, lane + 2 - cell_len(left))}", "dim", no_wrap=True)
    before: int | None = None
    for row in rows:
        if isinstance(row, int):
            yield Text(" " * margin + f"⋮ {row} more".ljust(lane), "dim", no_wrap=True)
            continue
        yield from _draw(row, lane, column, start, before)
        before = row.t if row.t is not None else before


def chosen(rows: Sequence[Row], most: int | None) -> Iterator[Row | int]:
    """At most ``most`` rows, the first few and those up to the failure, with the number of those left out in their place."""
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


def _draw(row: Row, lane: int, column: int, start: int, before: int | None) -> Iterator[Text]:
    lines = _DRAWN[row.side](fold(row.text, lane - 6), lane, "╌" if row.ambient else "─")
    clock = "" if row.t is None else _clock(row.t - start)
    delta = "" if row.t is None or before is None else ("+" if row.t >= before else "") + _clock(row.t - before)
    mark = "✗" if row.failed else " "
    number = f"{'' if row.number is None else row.number:>{column}} " if column else ""
    margin = f"{mark} {number}{clock:>{TIME}} {delta:>{DELTA}} "
    for line in lines:
        text = Text(no_wrap=True)
        text.append(margin, "bold red" if row.failed else "dim")
        text.append(line, row.style)
        yield text
        margin = " " * len(margin)


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


def _at_right(block: list[str], lane: int, _dash: str) -> list[str]:
    broad = max(map(cell_len, block))
    return [f"│{_padded(' ' * (lane - broad - 1) + line, lane)}│" for line in block]


def _at_left(block: list[str], lane: int, _dash: str) -> list[str]:
    return [f"│{_padded(' ' + line, lane)}│" for line in block]


_DRAWN = {Side.RIGHTWARD: _rightward, Side.LEFTWARD: _leftward, Side.AT_RIGHT: _at_right, Side.AT_LEFT: _at_left}


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


def _right(text: str, cells: int) -> str:
    return " " * (cells - cell_len(text)) + text


def _clock(ns: int) -> str:
    """``0.112 ms``, ``1.000 s``; in a capture it may be years."""
    seconds = ns / 1e9
    if abs(ns) < 1_000_000_000 and len(text := f"{ns / 1e6:.3f} ms") <= TIME:
        return text
    fit = (text for text in (f"{seconds:.3f} s", f"{seconds:.0f} s") if len(text) <= TIME)
    return next(fit, f"{seconds:.2g} s")
