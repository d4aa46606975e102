"""pcap files, as tcpdump writes them (draft-ietf-opsawg-pcap): a header, and a record for each packet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from struct import Struct, error
from typing import TYPE_CHECKING

import numpy as np

from conformance.capture.link_types import OUTGOING
from conformance.capture.records import MAX_CAPTURED, MAX_DAMAGE, MOST, Counts, Interface, Records, Section

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from conformance.capture.source import Window

__all__ = ["MAGICS", "PcapReader"]

_MICRO, _NANO, _MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
"""The last is Alexey Kuznetzov's, which keeps direction and interface of each packet."""
MAGICS = {magic.to_bytes(4, order): (order, magic) for magic in (_MICRO, _NANO, _MODIFIED) for order in ("little", "big")}
_FILE_HEADER = 24
_RECORD_HEADER, _MODIFIED_HEADER = 16, 24
_LINK_BITS = 0x03FF_FFFF
"""Above them stands how long the frame check sequence is that the frames end with."""
_DAY = 86_400
_CHAIN = 3
"""Headers that must follow each other before what stands behind a damaged place is taken for records."""
_SPAN, _AHEAD = 1 << 12, 1 << 20
"""Octets in which they are looked for at first, and how many are known beyond these if the file has them."""


class PcapReader:
    """The records of a pcap file."""

    format = "pcap"

    def __init__(self, window: Window, counts: Counts) -> None:
        self._window, self._counts = window, counts
        self.sections: list[Section] = []
        self.interfaces: list[Interface] = []

    def runs(self) -> Iterator[Records]:
        """All that can be read, in order."""
        if not self._open():
            return
        window, number, damage = self._window, 1, 0
        while True:
            run = self._run(number)
            if len(run):
                number += len(run)
                yield run
            if len(run) == MOST:
                continue
            if self._absurd():
                damage += 1
                if damage > MAX_DAMAGE:
                    self._counts.truncated = (
                        f"octet {window.place}: this is the damaged place number {damage:,}, and the last one looked at"
                    )
                    return
                if not self._resume():
                    return
            elif not window.more():
                if window.left:
                    self._counts.truncated = f"octet {window.place}: the file ends {window.left} octets into a record"
                return

    def _open(self) -> bool:
        """Read the file's header."""
        window = self._window
        while window.left < _FILE_HEADER and window.more():
            pass
        if window.left < _FILE_HEADER:
            self._counts.truncated = f"octet {window.end}: the file ends within its header of {_FILE_HEADER} octets"
            return False
        order, magic = MAGICS[window.data[:4]]
        mark = "<" if order == "little" else ">"
        _, _, _, _, snap, link = Struct(f"{mark}HHiIII").unpack_from(window.data, 4)
        window.at = _FILE_HEADER
        self._header = _MODIFIED_HEADER if magic == _MODIFIED else _RECORD_HEADER
        self._nano = magic == _NANO
        self._word = np.dtype(f"{mark}u4")
        self._captured_length = Struct(f"{mark}I").unpack_from
        self._fields = Struct(f"{mark}IIII").unpack_from
        self._last = 0
        self.sections.append(Section(order))
        self.interfaces.append(Interface(0, link & _LINK_BITS, snap, resolution=9 if self._nano else 6))
        return True

    def _run(self, number: int) -> Records:
        """The records that the window holds whole, at most MOST."""
        window, header = self._window, self._header
        heads = np.array(self._walk(), dtype=np.int64) - 8
        headers = np.ndarray((window.end,), f"V{_RECORD_HEADER}", window.data, strides=(1,))[heads]
        seconds, fractions, captured, sizes = headers.view(self._word).reshape(-1, 4).T.astype(np.int64, order="C")
        ends = heads + header + captured
        good = (ends <= window.end) & (captured <= MAX_CAPTURED)
        if (captured == 0).any():
            good &= (seconds | fractions | captured | sizes) != 0
        whole = len(heads) if good.all() else int(np.argmin(good))
        heads, captured, sizes, seconds, fractions = heads[:whole], captured[:whole], sizes[:whole], seconds[:whole], fractions[:whole]
        if whole:
            window.at, self._last = int(ends[whole - 1]), int(seconds[-1])
        outbound = np.full(whole, -1, np.int8)
        if header == _MODIFIED_HEADER:
            types = np.frombuffer(window.data, np.uint8)[heads + 22]
            outbound[:] = types == OUTGOING
        return Records(
            window.data, np.arange(number, number + whole), heads + header, captured, np.maximum(sizes, captured),
            seconds * 1_000_000_000 + fractions * (1 if self._nano else 1000), np.zeros(whole, np.int64),
            np.full(whole, self.interfaces[0].link, np.int64), outbound, np.zeros(whole, np.int8),
        )  # fmt: skip

    def _walk(self) -> list[int]:
        """Where records say how long they are, each found by the one before: the only step that packets take one by one."""
        window, captured_length, header = self._window, self._captured_length, self._header
        data, at = memoryview(window.data)[: window.end], window.at + 8
        lengths: list[int] = []
        append = lengths.append
        try:
            for _ in repeat(None, MOST):
                append(at)
                at += captured_length(data, at)[0] + header
        except error:  # the last one is beyond the end
            lengths.pop()
        return lengths

    # Damage ---------------------------------------------------------------------------------------------------------

    def _absurd(self) -> bool:
        """Does a record begin here that is longer than any packet, or nothing but zeros?"""
        window = self._window
        if window.left < self._header:
            return False
        fields = self._fields(window.data, window.at)
        return fields[2] > MAX_CAPTURED or not any(fields)

    def _resume(self) -> bool:
        """On to the next place from which several records follow each other; False if there is none."""
        window, span = self._window, _SPAN
        place, length = window.place, self._fields(window.data, window.at)[2]
        while window.left > _RECORD_HEADER:
            window.at += 1
            while window.left < _AHEAD and window.more():
                pass
            stop = max(window.at, min(window.at + span, window.end - self._header + 1))
            lengths = np.ndarray((stop - window.at,), self._word, window.data, window.at + 8, strides=(1,))
            positions = window.at + np.flatnonzero((lengths > 0) & (lengths <= MAX_CAPTURED))
            found = positions[self._chained(positions)]
            window.at = int(found[0]) if len(found) else max(stop - 1, window.at)
            if len(found):
                self._counts.unread["damaged record, and what follows up to the next one"] += 1
                return True
            span = min(span * 4, _AHEAD)
        self._counts.truncated = f"octet {place}: a record of {length} octets, and nothing that can be read behind it"
        return False

    def _chained(self, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """At which of these does a record seem to begin that others follow, or the end?"""
        end, alive = self._window.end, np.arange(len(positions))
        found = np.zeros(len(positions), np.bool_)
        for depth in range(_CHAIN):
            good, following = self._plausible(positions)
            alive, positions = alive[good], following[good]
            beyond = positions > end - self._header
            found[alive[beyond & ((positions == end) | (depth > 0))]] = True
            alive, positions = alive[~beyond], positions[~beyond]
        found[alive] = True
        return found

    def _plausible(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which can be records' headers, and where the next one would be."""
        words = np.ndarray((self._window.end,), self._word, self._window.data, strides=(1,))
        seconds, fractions, captured, sizes = (words[positions + at].astype(np.int64) for at in (0, 4, 8, 12))
        good = (
            (fractions < (1_000_000_000 if self._nano else 1_000_000)) & (captured > 0) & (captured <= MAX_CAPTURED) & (captured <= sizes)
        )
        good &= (np.abs(seconds - self._last) < _DAY) if self._last else seconds > 0
        return good, positions + captured + self._header
