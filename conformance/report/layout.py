"""How blocks of text are laid out on a terminal and in a log: the console, what is indented, and a label with what it is about."""

from __future__ import annotations

import io
import os
from typing import TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = ["BROADEST", "LABEL", "indented", "labelled", "one_line", "rich_console"]

LOG_WIDTH, BROADEST = 120, 140
"""Columns of a log that does not say how wide it is, and of ladders at most."""
LABEL = 11
"""Columns of a label such as ``expected``, with the blanks behind it."""


def rich_console(stream: TextIO, width: int | None = None) -> Console:
    """A console on ``stream`` that takes nothing for markup."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a locale without arrows gets question marks, not a traceback
    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = LOG_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def indented(what: RenderableType) -> RenderableType:
    """``what``, two columns in."""
    return Padding(what, (0, 0, 0, 2), expand=False)


def labelled(label: str, value: str) -> RenderableType:
    """A label and its value, which may take several lines."""
    grid = Table.grid()
    grid.add_column(width=LABEL, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(Text(label), Text(value, overflow="fold"))
    return indented(grid)


def one_line(label: str, value: str) -> Text:
    """A label and a value that is copied from here, so that it is never broken. Print it with ``crop=False``."""
    return Text(f"  {label:<{LABEL}}", "dim", no_wrap=True, overflow="ignore").append(value, "not dim")
