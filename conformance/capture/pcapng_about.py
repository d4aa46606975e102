"""What a pcapng file says about itself: its sections, its interfaces, and how each of these counts time."""

from __future__ import annotations

from array import array
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from conformance.capture.pcapng_options import COMMENT, options
from conformance.capture.records import Interface, Section, Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_INTERFACES", "MAX_SECTIONS", "About"]

MAX_INTERFACES = MAX_SECTIONS = 1 << 16
"""As many are kept; a file that has more is there to cost memory."""
_ROOM_FOR_TEXTS = 1 << 23
"""Characters of names and comments that are kept of a file."""
_LONGEST_TEXT = 1 << 16
_HARDWARE, _OS, _APPLICATION = 2, 3, 4
_NAME, _DESCRIPTION, _RESOLUTION, _OFFSET = 2, 3, 9, 14
_MICROSECONDS = 6
_NANOSECONDS = 9
_BINARY = 0x80
"""The bit of ``if_tsresol`` that makes it a power of two."""
_SCALES = np.array([10 ** max(0, _NANOSECONDS - exponent) for exponent in range(_BINARY)], np.uint64)
"""ns in a unit of 10 to the power of minus the index."""
_LATEST = 1 << 62
"""ns: in the year 2116. What is later is as wrong, and sums of two such numbers still fit."""
_SECTION_FIXED, _INTERFACE_FIXED, _STATISTICS_FIXED = 24, 16, 20


class About:
    """Sections and interfaces as far as they have been read."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.interfaces: list[Interface] = []
        self.statistics: list[Statistics] = []
        self.base = 0
        """The index of the first interface of the section that is being read."""
        self.known = 0
        """How many interfaces were described, those that are not kept too."""
        self._room = _ROOM_FOR_TEXTS
        self._links, self._snaps, self._resolutions, self._offsets = (array("q", [number]) for number in (-1, 0, _MICROSECONDS, 0))
        """Of each interface, by its index plus one; the first are those of one that is not described."""

    def section(self, data: bytes, at: int, length: int, mark: str) -> None:
        """A section header block."""
        self.base = self.known
        if len(self.sections) == MAX_SECTIONS:
            return
        found = Section("little" if mark == "<" else "big")
        for code, value in options(data, at + _SECTION_FIXED, at + length - 4, mark):
            if code == COMMENT:
                found.comments += (self._text(value),)
            elif code in (_HARDWARE, _OS, _APPLICATION):
                setattr(found, {_HARDWARE: "hardware", _OS: "os", _APPLICATION: "application"}[code], self._text(value))
        self.sections.append(found)

    def interface(self, data: bytes, at: int, length: int, mark: str) -> None:
        """An interface description block."""
        self.known += 1
        if len(self.interfaces) == MAX_INTERFACES:
            return
        found = Interface(len(self.sections) - 1, -1, 0)
        if length >= _INTERFACE_FIXED + 4:
            self._describe(found, data, at, length, mark)
        self.interfaces.append(found)
        self._links.append(found.link)
        self._snaps.append(found.snap)
        self._resolutions.append(found.resolution)
        self._offsets.append(max(-_LATEST, min(found.offset * 1_000_000_000, _LATEST)))

    def _describe(self, found: Interface, data: bytes, at: int, length: int, mark: str) -> None:
        found.link, _, found.snap = Struct(f"{mark}HHI").unpack_from(data, at + 8)
        for code, value in options(data, at + _INTERFACE_FIXED, at + length - 4, mark):
            if code == COMMENT:
                found.comments += (self._text(value),)
            elif code in (_NAME, _DESCRIPTION):
                setattr(found, "name" if code == _NAME else "description", self._text(value))
            elif code == _RESOLUTION and len(value) == 1:
                found.resolution = value[0]
            elif code == _OFFSET and len(value) == 8:
                (found.offset,) = Struct(f"{mark}q").unpack(value)

    def statistic(self, data: bytes, at: int, length: int, mark: str, after: int) -> None:
        """An interface statistics block behind packet ``after``."""
        found = options(data, at + _STATISTICS_FIXED, at + length - 4, mark)
        comments = tuple(self._text(value) for code, value in found if code == COMMENT)
        if comments and self._room and len(self.statistics) < MAX_INTERFACES:
            self.statistics.append(Statistics(len(self.sections) - 1, after, comments))

    def links(self, interfaces: NDArray[np.int64]) -> NDArray[np.int64]:
        """The link types of these interfaces; an index of -1 is one that is not described."""
        return np.array(self._links)[interfaces + 1]

    def snaps(self, interfaces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Their snap lengths; 0: all octets are kept."""
        return np.array(self._snaps)[interfaces + 1]

    def times(self, raw: NDArray[np.uint64], interfaces: NDArray[np.int64]) -> NDArray[np.int64]:
        """ns since 1970 of what these interfaces counted; what no 64 bits hold is the latest that they do."""
        resolution, offset = np.array(self._resolutions), np.array(self._offsets)
        interfaces = interfaces + 1
        exponents = resolution[interfaces]
        scale = _SCALES[exponents & ~_BINARY]
        ns: NDArray[np.int64] = (np.minimum(raw, np.uint64(_LATEST) // scale) * scale).astype(np.int64)
        for row in np.flatnonzero(exponents > _NANOSECONDS):  # rare, so that exactness is worth more than speed
            exponent = int(exponents[row])
            divisor = 2 ** (exponent & ~_BINARY) if exponent & _BINARY else 10 ** (exponent - _NANOSECONDS)
            number = int(raw[row]) * (1_000_000_000 if exponent & _BINARY else 1)
            ns[row] = min(number // divisor, _LATEST)
        ns += offset[interfaces]
        return ns

    def _text(self, value: bytes) -> str:
        text = value[: min(_LONGEST_TEXT, self._room)].decode(errors="replace")
        self._room -= len(text)
        return text
