"""Any capture, packet by packet: the front of what reads pcap and pcapng files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from conformance.capture.columns_link import directions
from conformance.capture.errors import CaptureError
from conformance.capture.packets import PacketReader
from conformance.capture.read_pcap import MAGICS, PcapReader
from conformance.capture.read_pcapng import MAGIC, PcapngReader
from conformance.capture.records import Counts, Frame, Interface, Records, Section, Statistics
from conformance.capture.source import Source, Window
from conformance.trace import Seen

if TYPE_CHECKING:
    from conformance.capture.columns import Columns

__all__ = ["CaptureError", "CaptureReader", "Counts", "Frame", "Interface", "Section", "Statistics"]

_OTHERS = {
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd",
    b"\xfd7zXZ": "it is compressed with xz",
    b"BZh": "it is compressed with bzip2",
    b"\x04\x22\x4d\x18": "it is compressed with lz4",
    b"PK\x03\x04": "it is a zip archive",
    b"\x1f\x8b": "it is gzip'd twice",
    b"snoop\0\0\0": "it is a snoop capture",
    b"GMBU": "it is a Network Monitor capture",
    b"RTSS": "it is a Network Monitor capture",
}
"""What people have instead, and what would not tell them much in hexadecimal."""
_RIGHT = "a capture is pcap (it begins with d4 c3 b2 a1 or the like) or pcapng (0a 0d 0d 0a), as it is or gzip'd"


class CaptureReader:
    """Reads a capture; a context manager.

    The methods that read begin at the start each time they are called, and ``counts`` is about the latest call; a pipe can be
    read once.

    Args:
        source: pcap or pcapng, either gzip'd or not, whatever its name.

    Raises:
        CaptureError: it cannot be opened, or is no capture. Nothing that comes later raises: it is counted.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO) -> None:
        self.counts = Counts()
        self._source = Source(source)
        try:
            self._reader = self._begin()
        except CaptureError:
            self._source.close()
            raise

    def __enter__(self) -> CaptureReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, unless it was given open."""
        self._source.close()

    @property
    def name(self) -> str:
        """The file's name."""
        return self._source.name

    @property
    def format(self) -> str:
        """``pcap`` or ``pcapng``."""
        return self._reader.format

    @property
    def sections(self) -> list[Section]:
        """The sections that have been read so far."""
        return self._reader.sections

    @property
    def interfaces(self) -> list[Interface]:
        """The interfaces of all sections that have been read so far."""
        return self._reader.interfaces

    @property
    def statistics(self) -> list[Statistics]:
        """What the file says of its interfaces between the packets that have been read so far."""
        return self._reader.statistics if isinstance(self._reader, PcapngReader) else []

    def frames(self) -> Iterator[Frame]:
        """Every packet as the file holds it, in the order of the file."""
        for run in self._runs():
            yield from run.frames()

    def packets(self) -> Iterator[Seen]:
        """Every TCP segment and ICMP message, in the order of the file; one that came in fragments with the last of them."""
        runs = self._runs()
        reader = PacketReader(self.counts)
        for run in runs:
            for index, frame in enumerate(run.frames()):
                if (seen := reader.read(frame, int(run.flaws[index]))) is not None:
                    yield seen
        reader.end()

    def columns(self) -> Iterator[Columns]:
        """The same as :meth:`packets`, some ten thousands at a time as numpy columns."""
        from conformance.capture.column_reader import ColumnReader

        runs = self._runs()
        reader = ColumnReader(self.counts)
        for run in runs:
            columns = reader.read(run)
            if len(columns):
                yield columns
        reader.end()

    def _begin(self) -> PcapReader | PcapngReader:
        head = self._source.head
        kind = PcapngReader if head.startswith(MAGIC) else PcapReader if head[:4] in MAGICS else None
        if kind is None:
            found = next((words for magic, words in _OTHERS.items() if head.startswith(magic)), "")
            found = found or (f"it begins with {head[:4].hex(' ')}" if head else self._source.broken or "it is empty")
            raise CaptureError(self._source.name, 0, found, _RIGHT)
        return kind(Window(self._source), self.counts)

    def _runs(self) -> Iterator[Records]:
        """All records, from the start."""
        self._source.rewind()
        self.counts = Counts()
        self._reader = self._begin()
        return self._counted(self._reader, self.counts)

    def _counted(self, reader: PcapReader | PcapngReader, counts: Counts) -> Iterator[Records]:
        for run in reader.runs():
            run.outbound = directions(run)
            counts.frames += len(run)
            counts.bytes += int(run.captured.sum())
            yield run
        if self._source.broken:
            counts.truncated = self._source.broken + (f"; {counts.truncated}" if counts.truncated else "")
