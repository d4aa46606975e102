"""The octets of a capture file from front to back, inflated if it is gzip'd, and the stretch of them that is being read."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import BinaryIO

from conformance.capture.errors import CaptureError
from conformance.capture.inflate import GZIP, Inflater

__all__ = ["CHUNK", "PADDING", "Source", "Window"]

CHUNK = 4 << 20
"""Octets that are read at a time: some ten thousands of packets whose payload was not kept."""
PADDING = 128
"""Zeros behind a window's octets, so that as many can be looked at from each of them on."""
_OPEN = "name a pcap or pcapng file that can be read"


class Source:
    """A file, or what is open already, read in chunks; what is wrong with it on the way ends it early and is said in ``broken``."""

    def __init__(self, source: str | os.PathLike[str] | BinaryIO) -> None:
        self._owned = isinstance(source, (str, os.PathLike))
        if isinstance(source, (str, os.PathLike)):
            self.name = os.fsdecode(source)
            try:
                self._file: BinaryIO = Path(source).open("rb")  # noqa: SIM115  (closed by `close`)
            except (OSError, ValueError) as error:
                raise CaptureError(self.name, 0, f"it cannot be opened ({_reason(error)})", _OPEN) from None
        else:
            self.name, self._file = str(getattr(source, "name", "-")), source
        self._start = self._place()
        self._error = ""
        self._inflater: Inflater | None = None
        self._head = self._begin()
        self._used = False

    @property
    def head(self) -> bytes:
        """What the file begins with, enough to tell what it is."""
        return self._head

    @property
    def gzipped(self) -> bool:
        """Is what is read not what the file holds, but inflated from it?"""
        return self._inflater is not None

    @property
    def broken(self) -> str:
        """Why nothing more could be read, if that was not the end of the file."""
        return self._error or (self._inflater.broken if self._inflater else "")

    def read(self) -> bytes:
        """The next octets; empty at the end, or where the file cannot be read any further."""
        if not self._used:
            self._used = True
            return self._head
        return self._inflater.read() if self._inflater else self._raw()

    def rewind(self) -> None:
        """Back to where it began; a CaptureError if this is a pipe of which something was read."""
        if not self._used:
            return
        try:
            if self._start is None:
                raise OSError("a pipe can be read once")
            self._file.seek(self._start)
        except (OSError, ValueError) as error:
            raise CaptureError(self.name, 0, f"it cannot be read a second time ({_reason(error)})", "name a file") from None
        self._error, self._inflater, self._used = "", None, False
        self._head = self._begin()

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()

    def _begin(self) -> bytes:
        """The first octets."""
        data = self._raw()
        if not data.startswith(GZIP):
            return data
        self._inflater = Inflater(data, self._raw, CHUNK)
        return self._inflater.read()

    def _raw(self) -> bytes:
        """The next octets of the file; a pipe may give few at a time."""
        parts, size = [], 0
        try:
            while size < CHUNK and not self._error and (part := self._file.read(CHUNK - size)):
                parts.append(part)
                size += len(part)
        except (OSError, ValueError, EOFError, zlib.error) as error:
            self._error = f"the file cannot be read any further ({_reason(error)})"
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _place(self) -> int | None:
        try:
            return self._file.tell() if self._file.seekable() else None
        except (OSError, ValueError, AttributeError):
            return None


class Window:
    """The stretch of a source that is being read: ``data[at:end]`` is what is known and not yet done with."""

    __slots__ = ("_source", "at", "data", "end", "offset")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.data, self.at, self.end = bytes(PADDING), 0, 0
        self.offset = 0
        """Where ``data[0]`` stands in the file, inflated."""

    @property
    def place(self) -> int:
        """Where ``data[at]`` stands in the file."""
        return self.offset + self.at

    @property
    def left(self) -> int:
        """Octets that are known and not yet done with."""
        return self.end - self.at

    def more(self) -> bool:
        """Forget what is before ``at`` and read on; False if there is no more."""
        chunk = self._source.read()
        if not chunk:
            return False
        self.data = b"".join((memoryview(self.data)[self.at : self.end], chunk, bytes(PADDING)))
        self.offset += self.at
        self.at, self.end = 0, len(self.data) - PADDING
        return True


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
