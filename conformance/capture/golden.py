"""Recordings of a whole suite: a folder for each stack and version, in it a file for each case file, in that a section for each case run.

``golden/linux-6.18/handshake/passive-open.pcapng.gz`` has every case run of ``handshake/passive-open.yaml``, sorted by their ids, each a
pcapng of its own (:mod:`conformance.capture.pcapng`), one behind the other; so what the runs have in common takes next to no room.
A folder that ``conformance run --captures`` has written, with a file for each case run, is read as well.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from struct import Struct, error
from typing import TYPE_CHECKING

from conformance.capture.annotations import joined, unquoted
from conformance.capture.errors import CaptureError
from conformance.capture.pcapng import BYTE_ORDER_MAGIC, COMMENT, SECTION_HEADER
from conformance.capture.source import Source
from conformance.result import SutFacts

if TYPE_CHECKING:
    from conformance.capture.trace_file import TraceFile

__all__ = ["SUFFIX", "Golden", "golden_name", "packed", "recording_of", "sections_of"]

SUFFIX = ".pcapng.gz"
_CASE = "case: "
_block = Struct("<II").unpack_from
_order = Struct("<I").unpack_from
_option = Struct("<HH").unpack_from
_SECTION_FIXED, _SMALLEST = 24, 12
_MOST = 256 << 20
"""Octets of a recording; one of a case file of a thousand runs has some four million."""
_RIGHT = "a recording is what `conformance record` wrote, whole"


def golden_name(sut: SutFacts) -> str:
    """``linux-6.18``: the name of a stack's folder. The parts of a version after the second say little about what it does."""
    version = re.match(r"\d+(\.\d+)?", sut.version)
    return f"{sut.name}-{version.group() if version else 'unknown'}"


def recording_of(case_file: str) -> str:
    """Where the runs of a case file are, below the folder: ``handshake/passive-open.pcapng.gz``."""
    inside = [part for part in PurePath(case_file).with_suffix("").parts if part not in ("/", "..")]
    return str(PurePath(*inside)) + SUFFIX


def packed(sections: Mapping[str, bytes]) -> bytes:
    """A file of these sections, by the ids of their case runs; the same sections give the same octets."""
    return gzip.compress(b"".join(sections[case] for case in sorted(sections)), 9, mtime=0)


def sections_of(path: Path) -> dict[str, bytes]:
    """The sections of a recording as they lie in it, by the ids of their case runs. Raises CaptureError if it is damaged."""
    try:
        return {_case_of(section): section for section in _split(str(path), _octets(path))}
    except error:
        raise CaptureError(str(path), 0, "a block of its ends before its options do", _RIGHT) from None


def _octets(path: Path) -> bytes:
    """All of a file, inflated."""
    source, chunks, size = Source(path), [], 0
    try:
        while chunk := source.read():
            chunks.append(chunk)
            size += len(chunk)
            if size > _MOST:
                raise CaptureError(str(path), size, f"it is larger than {_MOST} octets", _RIGHT)
        if source.broken:
            raise CaptureError(str(path), size, source.broken, _RIGHT)
    finally:
        source.close()
    return b"".join(chunks)


def _split(name: str, data: bytes) -> Iterator[bytes]:
    begin = at = 0
    while at < len(data):
        kind, length = _block(data, at) if at + 8 <= len(data) else (0, 0)
        if length < _SMALLEST or at + length > len(data):
            raise CaptureError(name, at, "a block ends beyond the file", _RIGHT)
        if kind == SECTION_HEADER:
            if _order(data, at + 8) != (BYTE_ORDER_MAGIC,):
                raise CaptureError(name, at, "the section is of another byte order", _RIGHT)
            if at > begin:
                yield data[begin:at]
            begin = at
        at += length
    if at > begin:
        yield data[begin:at]


def _case_of(section: bytes) -> str:
    comments = []
    at = _SECTION_FIXED
    code, length = _option(section, at)
    while code:
        if code == COMMENT:
            comments.append(section[at + 4 : at + 4 + length].decode(errors="replace"))
        at += 4 + (length + 3 & ~3)
        code, length = _option(section, at)
    return next((unquoted(one.removeprefix(_CASE)) for one in joined(comments) if one.startswith(_CASE)), "")


class Golden:
    """A folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    def traces(self, case_file: str, captures: Iterable[str]) -> dict[str, TraceFile]:
        """The runs of a case file, by their ids; ``captures`` are the files that they have where each has its own.

        Raises CaptureError.
        """
        from conformance.capture.trace_file import read_traces  # with numpy, which those who write recordings need not load

        recording = self.folder / recording_of(case_file)
        paths = [recording] if recording.is_file() else [self.folder / name for name in captures]
        return {one.case: one for path in paths if path.is_file() for one in read_traces(path)}

    def cases(self) -> set[str]:
        """The ids of all runs that are recorded. Raises CaptureError if a file is damaged."""
        return {case for path in self.folder.rglob("*.pcapng*") for case in sections_of(path)}
