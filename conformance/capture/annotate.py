"""A capture written out again as pcapng, whole, with comments beside the packets that somebody should look at.

Every packet keeps its place, so that a number means the same packet in both files; its interface keeps link type and name, times are in
nanoseconds. Nothing is kept in memory but the comments.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from conformance.capture import pcapng
from conformance.capture.reader import CaptureReader
from conformance.capture.records import Frame, Interface

__all__ = ["annotate"]

EVERY = 4096
"""Packets between two looks at how far it is."""
IF_DESCRIPTION = 3
UNKNOWN_LINK = 147
"""LINKTYPE_USER0, of packets whose own link type the file does not say."""
_LAST = (1 << 64) - 1
_WORD = (1 << 32) - 1
_FLAGS = {
    None: b"",
    True: pcapng._option(pcapng.EPB_FLAGS, pcapng.OUTBOUND.to_bytes(4, "little")),
    False: pcapng._option(pcapng.EPB_FLAGS, pcapng.INBOUND.to_bytes(4, "little")),
}


def annotate(
    source: str | os.PathLike[str],
    target: BinaryIO,
    comments: Mapping[int, Sequence[str]],
    about: str = "",
    reached: Callable[[int], object] | None = None,
) -> None:
    """Write the capture ``source`` to ``target``, with ``comments`` by the numbers of their packets behind those that are there already.

    ``about`` is a comment on the whole; ``reached`` is told now and then how many octets of ``source`` are read. Raises CaptureError if it
    is no capture.
    """
    with Path(source).open("rb") as file, CaptureReader(file) as reader:
        writer = _Writer(target, reader, about)
        for frame in reader.frames():
            writer.write(frame, comments.get(frame.number, ()))
            if reached and not frame.number % EVERY:
                reached(file.tell())
        writer.begin()


class _Writer:
    """Writes frames, and each interface before its first one."""

    def __init__(self, target: BinaryIO, reader: CaptureReader, about: str) -> None:
        self._write, self._reader, self._about = target.write, reader, about
        self._begun = False
        self._written: dict[tuple[int, int], int] = {}
        """The number of an interface in the new file, by that in the old one and its link type."""

    def begin(self) -> None:
        """The section header, with what the old one says, which is known once there is a frame."""
        if self._begun:
            return
        self._begun = True
        said = dict.fromkeys(text for section in self._reader.sections for text in section.comments)
        self._write(pcapng._section_header(b"".join(map(pcapng._comment, filter(None, [*said, _shown(self._about)])))))

    def write(self, frame: Frame, comments: Sequence[str]) -> None:
        """The next one."""
        key = frame.interface, frame.link
        number = self._written.get(key)
        if number is None:
            self.begin()
            number = self._written[key] = len(self._written)
            self._write(self._described(frame))
        options = b"".join(pcapng._comment(text) for text in (*frame.comments, *map(_shown, comments))) + _FLAGS[frame.outbound]
        if options:
            options += pcapng.END_OF_OPTIONS
        data, t = frame.data, min(max(frame.t, 0), _LAST)
        captured = len(data)
        padding = pcapng.PADDING[captured & 3]
        length = 32 + captured + len(padding) + len(options)
        head = pcapng._packet_head(pcapng.ENHANCED_PACKET, length, number, t >> 32, t & _WORD, captured, min(max(frame.size, 0), _WORD))
        self._write(b"".join((head, data, padding, options, pcapng._block_tail(length))))

    def _described(self, frame: Frame) -> bytes:
        """The block that describes the interface of ``frame``."""
        interfaces = self._reader.interfaces
        interface = interfaces[frame.interface] if 0 <= frame.interface < len(interfaces) else Interface(0, frame.link, 0)
        link = frame.link if 0 <= frame.link <= 0xFFFF else UNKNOWN_LINK
        texts = ((pcapng.IF_NAME, interface.name), (IF_DESCRIPTION, interface.description))
        options = [pcapng._option(code, text.encode(errors="replace")) for code, text in texts if text]
        options += map(pcapng._comment, interface.comments)
        options += pcapng._option(pcapng.IF_TSRESOL, bytes([pcapng.NANOSECONDS])), pcapng.END_OF_OPTIONS
        return pcapng._block(pcapng.INTERFACE, pcapng._interface(link, 0, min(max(interface.snap, 0), _WORD)) + b"".join(options))


def _shown(text: str) -> str:
    """Programs print comments, so what would steer a terminal is replaced."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
