"""Ctrl-C, and being asked to end: a run ends in good order, and its reports are written."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interruption"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Inside of a ``with`` block none of these signals breaks off what goes on; the first is kept here and told to whoever listens.

    Once one has come they change nothing any more, to the end of the process: what is left to do is soon done. Main thread only.
    """

    def __init__(self) -> None:
        self.signal = 0
        """The signal that came, if one did."""
        self._listener: Callable[[], object] | None = None
        self._before: dict[int, Any] = {}

    def listen(self, listener: Callable[[], object] | None) -> None:
        """Call ``listener`` as soon as a signal comes, between any two instructions of this thread; None: nobody listens any more."""
        self._listener = listener
        if self.signal and listener:
            listener()

    def _come(self, number: int, _: FrameType | None) -> None:
        self.signal = self.signal or number
        if self._listener:
            self._listener()

    def __enter__(self) -> Interruption:
        self._before = {number: signal.signal(number, self._come) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.signal else before)
