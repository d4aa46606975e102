"""Captures that come through a pipe, put where they can be read a second time."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from conformance.capture.errors import CaptureError
from conformance.capture.reader import CaptureReader

__all__ = ["spooled"]

HEAD = 1 << 16
"""Octets by which it is told whether a stream is a capture at all; one that is not may have no end."""
_CHUNK = 1 << 20
_LOOK = 0.2
"""Seconds between two looks whether to go on where nothing comes."""


@contextlib.contextmanager
def spooled(name: str, enough: Callable[[], object]) -> Iterator[Path]:
    """The path of a file that holds what ``name`` does: itself, or a copy if it is a pipe or ``-``, standard input.

    Once there is ``enough``, what is there already is copied, and what may still come is not waited for. Raises OSError if ``name`` cannot
    be opened.
    """
    path = Path(name)
    if name != "-" and (path.is_file() or path.is_dir() or not path.exists()):
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="conformance-") as copy:
        if name == "-":
            _copy(sys.stdin.buffer.fileno(), copy.file, enough)
        else:
            stream = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # which does not wait for whoever will write
            try:
                _copy(stream, copy.file, enough)
            finally:
                os.close(stream)
        copy.flush()
        yield Path(copy.name)


def _copy(stream: int, copy: IO[bytes], enough: Callable[[], object]) -> None:
    head: bytes | None = b""
    while True:
        ready, _, _ = select.select([stream], [], [], _LOOK)
        if not ready:
            if enough():
                return
            continue
        data = os.read(stream, _CHUNK)
        copy.write(data)
        if head is not None and len(head := head + data) >= HEAD:
            if not _is_capture(head):
                return
            head = None
        if not data:
            return


def _is_capture(head: bytes) -> bool:
    try:
        CaptureReader(io.BytesIO(head)).close()
    except CaptureError:
        return False
    return True
