"""JSON Lines, written a line at a time, so that a program that is killed leaves what it found."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

__all__ = ["Lines"]


class Lines:
    """Writes a file of JSON Lines; ``-`` is standard output. All but ASCII is written as escapes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._owned = os.fspath(path) != "-"
        self._file = _opened(path) if self._owned else sys.stdout

    def close(self) -> None:
        """Close the file, if it is ours."""
        if self._owned:
            self._file.close()

    def _line(self, value: dict[str, Any], *, flush: bool = True) -> None:
        self._file.write(json.dumps(value) + "\n")
        if flush:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _opened(path: str | os.PathLike[str]) -> TextIO:
    return Path(path).open("w", encoding="ascii")
