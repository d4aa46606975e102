"""pcapng files, as Wireshark writes them (draft-ietf-opsawg-pcapng): sections, interfaces, and packets of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from conformance.capture.pcapng_about import MAX_INTERFACES, About
from conformance.capture.pcapng_blocks import MAGIC, SECTION, BlockReader, Blocks
from conformance.capture.pcapng_options import COMMENT, directions, options
from conformance.capture.records import Counts, Interface, Records, Section, Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from conformance.capture.source import Window

__all__ = ["MAGIC", "PcapngReader"]

_INTERFACE, _OBSOLETE, _SIMPLE, _STATISTICS, _ENHANCED = 1, 2, 3, 5, 6
_JOURNAL, _CUSTOM, _NOT_COPIED = 9, 0x0BAD, 0x4000_0000
"""Entries of systemd's journal and custom blocks, with the bit that some of these have: no packets, but Wireshark counts them too."""
_SIMPLE_DATA, _DATA = 12, 28
"""Where in its block a packet begins."""


class PcapngReader:
    """The packets of a pcapng file."""

    format = "pcapng"

    def __init__(self, window: Window, counts: Counts) -> None:
        self._blocks = BlockReader(window, counts)
        self._about = About()
        self._number = 0

    @property
    def sections(self) -> list[Section]:
        """Those read so far."""
        return self._about.sections

    @property
    def interfaces(self) -> list[Interface]:
        """Those of all sections read so far."""
        return self._about.interfaces

    @property
    def statistics(self) -> list[Statistics]:
        """What was said of interfaces between the packets read so far."""
        return self._about.statistics

    def runs(self) -> Iterator[Records]:
        """All that can be read, in order."""
        for blocks in self._blocks.blocks():
            kinds = blocks.kinds
            here = (kinds == _ENHANCED) | (kinds == _SIMPLE) | (kinds == _OBSOLETE)
            numbers = self._number + np.cumsum(here | (kinds == _JOURNAL) | (kinds & ~_NOT_COPIED == _CUSTOM))
            self._number = int(numbers[-1])
            bases, known = self._describe(blocks, numbers)
            if here.any():
                yield self._packets(blocks.take(here), numbers[here], bases[here], known[here])

    def _describe(self, blocks: Blocks, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Read what is no packet; ``numbers`` are those of the last packet up to each block. For each block: the section's first
        interface, and how many are known by then."""
        about, kinds = self._about, blocks.kinds
        since, bases, known = [0], [about.base], [about.known]
        for index in np.flatnonzero((kinds == SECTION) | (kinds == _INTERFACE) | (kinds == _STATISTICS)).tolist():
            place = blocks.buffer, int(blocks.heads[index]), int(blocks.words[1, index]), blocks.mark
            if kinds[index] == _STATISTICS:
                about.statistic(*place, int(numbers[index]))
                continue
            read = about.section if kinds[index] == SECTION else about.interface
            read(*place)
            since.append(index)
            bases.append(about.base)
            known.append(about.known)
        spans = np.diff([*since, len(blocks)])
        return np.repeat(bases, spans), np.repeat(known, spans)

    def _packets(self, blocks: Blocks, numbers: NDArray[np.int64], bases: NDArray[np.int64], known: NDArray[np.int64]) -> Records:
        """The packets in these blocks, all of which have one."""
        about, ends = self._about, blocks.ends
        kinds, _, ids, high, low, captured, sizes, _ = blocks.words
        simple, obsolete = kinds == _SIMPLE, kinds == _OBSOLETE
        starts = blocks.heads + np.where(simple, _SIMPLE_DATA, _DATA)
        room = ends - starts
        if obsolete.any():
            ids = np.where(obsolete, ids & 0xFFFF if blocks.mark == "<" else ids >> 16, ids)
        if simple.any():
            ids, sizes = np.where(simple, 0, ids), np.where(simple, ids, sizes)
        described = ids < known - bases
        interfaces = np.where(described & (bases + ids < MAX_INTERFACES), bases + ids, -1)
        times = about.times(high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64), interfaces)
        if simple.any():
            snaps = about.snaps(interfaces)
            kept = np.minimum(np.where(snaps > 0, np.minimum(sizes, snaps), sizes), room)
            captured, times = np.where(simple, kept, captured), np.where(simple, 0, times)
        flaws = np.select([captured > room, ~described, interfaces < 0], [2, 1, 3], 0).astype(np.int8)
        captured = np.maximum(np.minimum(captured, room), 0)
        rest = starts + (captured + 3 & ~3)
        last = np.where(simple, rest, ends)
        return Records(
            blocks.buffer, numbers, starts, captured, np.maximum(sizes, captured), times, interfaces, about.links(interfaces),
            directions(blocks.buffer, rest, last, blocks.mark), flaws, _commenter(blocks, rest, last),
        )  # fmt: skip


def _commenter(blocks: Blocks, begin: NDArray[np.int64], end: NDArray[np.int64]) -> Callable[[int], tuple[str, ...]]:
    """What finds the comments of a packet among its options."""
    data, mark = blocks.buffer, blocks.mark

    def comments(index: int) -> tuple[str, ...]:
        found = options(data, int(begin[index]), int(end[index]), mark)
        return tuple(value.decode(errors="replace") for code, value in found if code == COMMENT)

    return comments
