"""The options of pcapng blocks (draft-ietf-opsawg-pcapng, section 3.5): code, length and value, padded to four octets."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COMMENT", "directions", "options"]

END, COMMENT = 0, 1
_EPB_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2
_DIRECTION = 3
"""The bits of ``epb_flags`` that say it."""
_MOST = 64
"""Options of a block that are looked at; a block that has more is there to cost time."""
_HEADS = {"<": Struct("<HH").unpack_from, ">": Struct(">HH").unpack_from}


def options(data: bytes, at: int, end: int, mark: str) -> Iterator[tuple[int, bytes]]:
    """Code and value of each, up to the first that does not fit."""
    head = _HEADS[mark]
    for _ in range(_MOST):
        if at + 4 > end:
            return
        code, length = head(data, at)
        if code == END or at + 4 + length > end:
            return
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + (length + 3 & ~3)


def directions(data: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], mark: str) -> NDArray[np.int8]:
    """What ``epb_flags`` says in each of these lists of options: 1 outbound, 0 inbound, -1 nothing."""
    found = np.full(len(starts), -1, np.int8)
    words = np.ndarray((len(data) - 1,), f"{mark}u2", data, strides=(1,))
    flags = np.ndarray((len(data) - 3,), f"{mark}u4", data, strides=(1,))
    rows, at = np.arange(len(starts)), starts
    for _ in range(_MOST):
        inside = at + 4 <= ends[rows]
        rows, at = rows[inside], at[inside]
        if not len(rows):
            break
        codes, lengths = words[at], words[at + 2].astype(np.int64)
        following = at + 4 + (lengths + 3 & ~3)
        here = (codes == _EPB_FLAGS) & (lengths == 4) & (following <= ends[rows])
        if here.any():
            bits = flags[at[here] + 4] & _DIRECTION
            found[rows[here]] = np.select([bits == _OUTBOUND, bits == _INBOUND], [1, 0], -1)
        on = ~here & (codes != END)
        rows, at = rows[on], following[on]
    return found
