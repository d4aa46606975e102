"""An adapter's process of which all that it says, and all that is said to it, is kept for whoever wants to see it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.sut.program import AdapterProcess
from conformance.wire.segment import Segment
from conformance.wire.text import segment_text

__all__ = ["HeardProcess", "told"]

_KEPT = 400
"""Lines of a dialogue: those of one check."""
_LENGTH = 160


class HeardProcess(AdapterProcess):
    """The same, and its dialogue."""

    def __init__(self, command: Sequence[str], folder: Path | None = None, link: str | None = None) -> None:
        super().__init__(command, folder, link)
        self.dialogue: deque[str] = deque(maxlen=_KEPT)

    def ask(self, method: str, params: Mapping[str, Any]) -> int:
        id = super().ask(method, params)
        self._say(f"→ {id} {told(method, params)}")
        return id

    def _take(self, line: bytes) -> None:
        self._say(f"← {line.decode(errors='replace').rstrip()}")
        super()._take(line)

    @property
    def stdin(self) -> int:
        """The descriptor, for what is no ordinary request."""
        return self._in

    def farewell(self, seconds: float) -> bool:
        """End standard input. Does it end then?"""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def note(self, segment: Segment, *, received: bool) -> None:
        """A segment passed the link."""
        self._say(f"{'  ←' if received else '  →'} {segment.sport} > {segment.dport}: {segment_text(segment, None, None)}")

    def _say(self, line: str) -> None:
        self.dialogue.append(line if len(line) <= _LENGTH else f"{line[:_LENGTH]}…")


def told(method: str, params: Mapping[str, Any]) -> str:
    """``listen(socket=3, backlog=1)``"""
    shown = {name: value for name, value in params.items() if name not in ("blocking", "next")}
    written = ", ".join(f"{name}={json.dumps(value)}" for name, value in shown.items())
    return f"{method}({written if len(written) <= _LENGTH else f'{written[:_LENGTH]}…'})"
