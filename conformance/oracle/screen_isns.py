"""Initial sequence numbers as the screen looks at them: all that a host has chosen in a run at once.

Apart from :mod:`conformance.oracle.isns`, which a live run needs: numpy starts threads, and a process that has some can make no user
namespace.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import islice, repeat
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.isns import CLOCK_TOLERANCE, TICK, Broken, Isns
from conformance.oracle.side import MOST_KEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["BulkIsns"]

_FEW = 8
"""ISNs that are sooner looked at one by one."""
_HALF, _MASK = 1 << 31, 0xFFFF_FFFF


class BulkIsns(Isns):
    """The ISNs of all hosts, the latest of each."""

    def several(self, host: Hashable, isns: Numbers, ts: Numbers, connections: Numbers) -> list[tuple[int, Sequence[Broken]]]:
        """``host`` has chosen these, one after the other: the places of those that something is wrong with, and what."""
        known = self.hosts.get(host)
        numbers, keys = isns.tolist(), connections.tolist()
        if len(numbers) < _FEW or known is None or not self._distinct(host, known, isns, ts, numbers):
            found = (self.chosen(host, *choice) for choice in zip(numbers, ts.tolist(), keys, strict=True))
            return [(place, broken) for place, broken in enumerate(found) if broken]
        known.update(zip(numbers, zip(keys, ts.tolist(), repeat(1)), strict=True))
        for old in list(islice(known, max(0, len(known) - MOST_KEPT))):
            del known[old]
        self.clocks[host] = int(ts[-1]), numbers[-1], keys[-1], 0
        return []

    def _distinct(
        self, host: Hashable, known: dict[int, tuple[Hashable, int, int]], isns: Numbers, ts: Numbers, numbers: list[int]
    ) -> bool:
        """Has the host chosen none of them before, and none as a clock would?"""
        if len(set(numbers)) < len(numbers) or any(number in known for number in numbers):
            return False
        then, before, _, _ = self.clocks[host]
        ticks = np.diff(ts, prepend=then) // TICK
        off = (np.diff(isns, prepend=before) - ticks + _HALF & _MASK) - _HALF
        return not (np.abs(off) <= ticks // 100 + CLOCK_TOLERANCE).any()
