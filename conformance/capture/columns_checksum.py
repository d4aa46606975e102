"""Internet checksums (RFC 1071) in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_OCTETS", "ONES", "sums"]

ONES = 0xFFFF
MAX_OCTETS = 1 << 16
"""Of a part of the buffer: the sum of its words must fit into 32 bits."""


def sums(buffer: bytes, begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of the words of each part ``begin[i]:end[i]`` of the buffer, modulo 65535 what RFC 1071 adds up.

    The parts are in order, do not overlap, and are not empty. Behind the last there is an octet.

    numpy adds up words of the machine's alignment and byte order, and these need not be those of a part: what is too much at
    its ends is taken off again, and exchanging the octets of all words exchanges those of their sum, which is the same as
    multiplying by 256.
    """
    octets, words = np.frombuffer(buffer, np.uint8), np.frombuffer(buffer, "<u2", len(buffer) >> 1)
    bounds = np.empty(2 * len(begin), np.int64)
    bounds[::2], bounds[1::2] = begin >> 1, (end + 1) >> 1
    total = np.add.reduceat(words, bounds, dtype=np.uint32)[::2].astype(np.int64)
    starts_odd, ends_odd = begin & 1, end & 1
    total -= octets[begin - starts_odd] * starts_odd
    total -= octets[np.minimum(end, len(octets) - 1)] * (ends_odd << 8)
    return total << 8 * (1 - starts_odd)
