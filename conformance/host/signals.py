"""SIGINT and SIGTERM for a loop that waits in poll(2)."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from types import FrameType, TracebackType

__all__ = ["Signals"]

_WANTED = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Inside of a ``with`` block these signals only count, and make :meth:`fileno` readable. Main thread only."""

    def __init__(self) -> None:
        self.first = self.count = 0
        """The number of the first that came, and how many came."""
        self._reading = -1
        self._undo = ExitStack()

    def fileno(self) -> int:
        """Becomes readable when a signal comes."""
        return self._reading

    def clear(self) -> None:
        """Be readable only when another comes."""
        try:
            while os.read(self._reading, 64):
                pass
        except BlockingIOError:
            return

    def _came(self, number: int, _: FrameType | None) -> None:
        self.first = self.first or number
        self.count += 1

    def __enter__(self) -> Signals:
        self._reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._undo.callback(os.close, self._reading)
        self._undo.callback(os.close, writing)
        self._undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writing, warn_on_full_buffer=False))
        for number in _WANTED:
            self._undo.callback(signal.signal, number, signal.signal(number, self._came))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._undo.close()
