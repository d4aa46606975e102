"""How far the reading of a long file is: a bar at the foot of a terminal, and nothing in a log."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from conformance.report.safe_text import printable

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ReadingProgress"]

PATIENCE = 0.5
"""Seconds before anything is shown: most files are read by then."""
LONGEST = 40
"""Columns of a file's name."""


class ReadingProgress:
    """Shows one file; use it as a context manager, and tell it how many of its ``size`` octets are read. No stream: it shows nothing."""

    def __init__(self, stream: TextIO | None, name: str, size: int, what: str = "reading") -> None:
        self._stream, self._size = stream, size
        shown = printable(name)
        self._title = f"{what} {shown if len(shown) <= LONGEST else '…' + shown[-LONGEST:]}"
        self._shown = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._started = time.monotonic()
        self._bar: Progress | None = None

    def __call__(self, octets: int) -> None:
        """So many octets are read."""
        if not self._shown:
            return
        if self._bar is None:
            if time.monotonic() - self._started < PATIENCE:
                return
            self._bar = self._start()
        self._bar.update(self._bar.task_ids[0], completed=octets)

    def _start(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn()
        bar = Progress(*columns, console=Console(file=self._stream), transient=True, redirect_stdout=False, redirect_stderr=False)
        bar.add_task(self._title, total=self._size or None)
        bar.start()
        return bar

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
