"""The blocks of a pcapng file (draft-ietf-opsawg-pcapng, section 3.1), and how to get on where they are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from struct import Struct, error
from typing import TYPE_CHECKING

import numpy as np

from conformance.capture.records import MAX_DAMAGE, MOST, Counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from conformance.capture.source import Window

__all__ = ["MAGIC", "SECTION", "BlockReader", "Blocks"]

MAGIC = b"\x0a\x0d\x0d\x0a"
"""The type of a section header block, which reads the same in both byte orders."""
SECTION = 0x0A0D0D0A
_BYTE_ORDER = 0x1A2B3C4D
_MARKS = {_BYTE_ORDER.to_bytes(4, "little"): "<", _BYTE_ORDER.to_bytes(4, "big"): ">"}
_SWAPPED = int.from_bytes(_BYTE_ORDER.to_bytes(4, "little"), "big")
_WORDS = 8
_SMALLEST = 12
_MAX_BLOCK = 16 << 20
"""Octets of a block; what claims more is damaged."""
_FEW = 256
"""Blocks that are walked through at first behind a damaged place: there may be another."""
_MAX_TURNS = 256
"""Changes of the byte order; a file that has more is there to cost time."""
_KNOWN_KINDS = 12
"""Block types up to this are looked for behind a damaged place."""
_SPAN, _AHEAD = 1 << 12, 1 << 20
"""Octets in which blocks are looked for at first, and how many are known beyond these if the file has them."""


@dataclass(slots=True)
class Blocks:
    """Some blocks of one byte order, one after the other; positions are such in ``buffer``."""

    buffer: bytes
    mark: str
    """Their byte order, as :mod:`struct` has it."""
    heads: NDArray[np.int64]
    words: NDArray[np.int64]
    """A row for each of the first eight 32-bit words, a column for each block; nonsense behind the end of a short one."""

    @property
    def kinds(self) -> NDArray[np.int64]:
        """Their types."""
        kinds: NDArray[np.int64] = self.words[0]
        return kinds

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where the length stands that a block ends with."""
        ends: NDArray[np.int64] = self.heads + self.words[1] - 4
        return ends

    def __len__(self) -> int:
        return len(self.heads)

    def take(self, which: NDArray[np.bool_] | slice) -> Blocks:
        """These of them."""
        return Blocks(self.buffer, self.mark, self.heads[which], self.words[:, which])


class BlockReader:
    """Goes through a file block by block."""

    def __init__(self, window: Window, counts: Counts) -> None:
        self._window, self._counts = window, counts
        self._limit, self._damage, self._turns = MOST, 0, 0
        self._order("<")

    def blocks(self) -> Iterator[Blocks]:
        """All that can be read, in order."""
        while True:
            self._orient()
            blocks = self._next()
            if len(blocks):
                yield blocks
            elif not self._go_on():
                return

    def _order(self, mark: str) -> None:
        self._mark = mark
        self._word = np.dtype(f"{mark}u4")
        self._length = Struct(f"{mark}I").unpack_from

    def _next(self) -> Blocks:
        """Those of one byte order that the window holds whole."""
        window = self._window
        heads = np.array(self._walk(), dtype=np.int64)
        every = np.ndarray((window.end,), f"V{4 * _WORDS}", window.data, strides=(1,))[heads]
        blocks = Blocks(window.data, self._mark, heads, every.view(self._word).reshape(-1, _WORDS).T.astype(np.int64, order="C"))
        lengths = blocks.words[1]
        good = (lengths >= _SMALLEST) & (lengths <= _MAX_BLOCK) & (lengths & 3 == 0) & (heads + lengths <= window.end)
        good &= (blocks.kinds != SECTION) | (blocks.words[2] == _BYTE_ORDER)
        good[good] = self._words()[blocks.ends[good]] == lengths[good]
        if good.all():
            self._limit = min(self._limit * 4, MOST)
        else:
            blocks = blocks.take(slice(int(np.argmin(good))))
        if len(blocks):
            window.at = int(blocks.ends[-1]) + 4
        return blocks

    def _orient(self) -> None:
        """A section may begin here that is of the other byte order."""
        window = self._window
        mark = _MARKS.get(window.data[window.at + 8 : window.at + 12]) if window.data.startswith(MAGIC, window.at) else None
        if mark and mark != self._mark:
            self._turns += 1
            if self._turns <= _MAX_TURNS:
                self._order(mark)

    def _walk(self) -> list[int]:
        """Where blocks begin, one found by the length of the other: the only step that packets take one by one."""
        window, length = self._window, self._length
        data, at = memoryview(window.data)[: window.end], window.at
        heads: list[int] = []
        append = heads.append
        try:
            for _ in repeat(None, self._limit):
                append(at)
                at += length(data, at + 4)[0]
        except error:  # the last one's length is beyond the end
            heads.pop()
        return heads

    def _words(self) -> NDArray[np.uint32]:
        """The 32-bit word at each octet."""
        return np.ndarray((len(self._window.data) - 3,), self._word, self._window.data, strides=(1,))

    # Damage ---------------------------------------------------------------------------------------------------------

    def _go_on(self) -> bool:
        """No whole block begins here: read on, or look behind what is damaged. False: this is the end."""
        window = self._window
        flaw = self._flaw()
        if not flaw and window.more():
            return True
        if not window.left:
            return False
        flaw = flaw or f"the file ends {window.left} octets into a block"
        place = window.place
        if self._turns > _MAX_TURNS:
            self._counts.truncated = f"octet {place}: the byte order changes for the {self._turns}th time"
            return False
        self._damage, self._limit = self._damage + 1, _FEW
        if self._damage > MAX_DAMAGE or not self._resume():
            self._counts.truncated = f"octet {place}: {flaw}"
            return False
        self._counts.unread["damaged block, and what follows up to the next one"] += 1
        return True

    def _flaw(self) -> str:
        """What is wrong with the block that begins here; empty if only its end is not known yet."""
        window = self._window
        if window.left < _SMALLEST:
            return ""
        data, at = window.data, window.at
        (length,) = self._length(data, at + 4)
        if data.startswith(MAGIC, at) and data[at + 8 : at + 12] not in _MARKS:
            return "a section without its byte-order magic"
        if length < _SMALLEST or length & 3 or length > _MAX_BLOCK:
            return f"a block of {length} octets"
        if length <= window.left and self._length(data, at + length - 4)[0] != length:
            return f"a block that says {length} octets at its start and {self._length(data, at + length - 4)[0]} at its end"
        return ""

    def _resume(self) -> bool:
        """On to the next block whose two lengths agree; False if there is none."""
        window, span = self._window, _SPAN
        while window.left > _SMALLEST:
            window.at += 1
            while window.left < _AHEAD and window.more():
                pass
            stop = max(min(window.at + span, window.end - _SMALLEST + 1), window.at)
            kinds = np.ndarray((stop - window.at,), self._word, window.data, window.at, strides=(1,))
            positions = window.at + np.flatnonzero(((kinds > 0) & (kinds <= _KNOWN_KINDS)) | (kinds == SECTION))
            found = positions[self._plausible(positions)]
            window.at = int(found[0]) if len(found) else max(stop - 1, window.at)
            if len(found):
                return True
            span = min(span * 4, _AHEAD)
        return False

    def _plausible(self, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Where blocks may begin."""
        words, end = self._words(), self._window.end
        kinds, lengths = words[positions].astype(np.int64), words[positions + 4].astype(np.int64)
        good: NDArray[np.bool_] = (kinds != SECTION) & (lengths >= _SMALLEST) & (lengths & 3 == 0) & (positions + lengths <= end)
        good[good] = words[positions[good] + lengths[good] - 4] == lengths[good]
        magic = words[positions + 8]
        good |= (kinds == SECTION) & ((magic == _BYTE_ORDER) | (magic == _SWAPPED))
        return good
