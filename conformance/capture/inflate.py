"""gzip (RFC 1952) read as it comes, member after member, keeping whatever can be inflated of a file that is cut off or damaged."""

from __future__ import annotations

import zlib
from collections.abc import Callable

__all__ = ["GZIP", "Inflater"]

GZIP = b"\x1f\x8b"
_WINDOW = 31
"""zlib's largest window, 15, and 16 for header and trailer of RFC 1952."""
_SLICE = 16 << 10
"""Octets that zlib gets at a time. It hands back a copy of what is behind a member, and a file may be nothing but tiny members."""


class Inflater:
    """Inflates what ``raw`` gives, after the octets ``first``, in pieces of about ``chunk`` octets, however much comes of how little."""

    def __init__(self, first: bytes, raw: Callable[[], bytes], chunk: int) -> None:
        self._raw, self._chunk = raw, chunk
        self._file, self._at = first, 0
        self._input = b""
        self._zlib = zlib.decompressobj(_WINDOW)
        self.broken = ""
        """Why it ended where no member ends; empty if it did not."""

    def read(self) -> bytes:
        """The next octets; empty at the end, or where nothing more can be inflated."""
        parts, size = [], 0
        while size < self._chunk and not self.broken and (self._input or self._refill()):
            piece = self._piece()
            parts.append(piece)
            size += len(piece)
        return b"".join(parts)

    def _refill(self) -> bool:
        """Another slice to inflate; False if the file has no more."""
        if self._at == len(self._file):
            self._file, self._at = self._raw(), 0
        more = self._file[self._at : self._at + _SLICE]
        self._at += len(more)
        self._input += more
        if not more and not self._zlib.eof:
            self.broken = "the gzip stream is cut off"
        return bool(more)

    def _piece(self) -> bytes:
        if self._zlib.eof and not self._next_member():
            return b""
        before = self._zlib.copy()
        try:
            data = self._zlib.decompress(self._input, self._chunk)
        except zlib.error as error:
            self.broken = f"the gzip stream is damaged ({error})"
            return _undamaged(before, self._input)
        self._input = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
        return data

    def _next_member(self) -> bool:
        """Is there one behind the one that has ended? Tapes, and some programs, pad with zeros."""
        self._input = self._input.lstrip(b"\0")
        if len(self._input) == 1 and self._input == GZIP[:1]:
            self._refill()
        if not self._input:
            return False
        if not self._input.startswith(GZIP):
            self.broken = "behind the gzip stream is something else"
            return False
        self._zlib = zlib.decompressobj(_WINDOW)
        return True


def _undamaged(before: zlib._Decompress, data: bytes) -> bytes:
    """What can be inflated of ``data`` up to the octet that shows the damage: of a call that fails zlib gives nothing."""
    parts, at, size = [], 0, len(data)
    while size and at < len(data):
        trial = before.copy()
        try:
            parts.append(trial.decompress(data[at : at + size]))
        except zlib.error:
            size //= 2
        else:
            before, at = trial, at + size
    return b"".join(parts)
