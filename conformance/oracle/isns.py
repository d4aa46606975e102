"""Initial sequence numbers: what a host has chosen, held against what it chose for other connections (RFC 9293, section 3.4.1)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.side import MOST_KEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["Broken", "Isns"]

Broken = tuple[str, str]
"""A rule, and how it was broken."""
_TICK, _TELLING, _NOTHING_ELSE = 4_000, 4, 300
"""The ns of a tick (RFC 9293, section 3.4.1); how many ISNs tell that there is nothing but a clock; by how many ticks they may be off."""
_SAME_TICK, _WRAP = 1_000_000, 3600 * 10**9
"""ns between which a clock of 4 µs has gone on, and has not come round."""

_HALF, _MASK = 1 << 31, 0xFFFF_FFFF
_FEW = 8
"""ISNs that are sooner looked at one by one."""
_MOST_HOSTS = 16_384
"""That are remembered: which was heard of first is forgotten for another."""


class Isns:
    """The ISNs of all hosts, the latest of each."""

    def __init__(self) -> None:
        self._chosen: dict[Hashable, dict[int, tuple[Hashable, int]]] = {}
        self._clocks: dict[Hashable, tuple[int, int, Hashable, int]] = {}
        """Of each host: when it chose which ISN last, for which connection, and how many in a row a clock alone would have chosen."""

    def chosen(self, host: Hashable, isn: int, t: int, connection: Hashable) -> Sequence[Broken]:
        """``host`` has chosen it at ``t`` for a connection: what is wrong with that?"""
        known = self._chosen.get(host)
        if known is None:
            if len(self._chosen) >= _MOST_HOSTS:
                oldest = next(iter(self._chosen))
                del self._chosen[oldest], self._clocks[oldest]
            known = self._chosen[host] = {}
            self._clocks[host] = t, isn, connection, 0
        other = known.get(isn)
        known[isn] = connection, t
        if len(known) > MOST_KEPT:
            del known[next(iter(known))]
        then, before, last, run = self._clocks[host]
        ticks = (t - then) // _TICK
        off = (isn - before - ticks + _HALF & _MASK) - _HALF
        run = run + 1 if last != connection and abs(off) <= ticks // 100 + _NOTHING_ELSE else 0
        self._clocks[host] = t, isn, connection, run
        if run < _TELLING and other is None:
            return ()
        found = []
        if other is not None and other[0] != connection and _SAME_TICK < t - other[1] < _WRAP:
            found.append(("isn-constant", f"the ISN {isn} again, which another connection had"))
        if run >= _TELLING:
            reason = f"the ISNs of {run + 1} connections differ by what a clock of 4 µs counts between them, and by nothing else"
            found.append(("isn-from-clock", reason))
        return found

    def several(self, host: Hashable, isns: Numbers, ts: Numbers, connections: Numbers) -> list[tuple[int, Sequence[Broken]]]:
        """``host`` has chosen these, one after the other: the places of those that something is wrong with, and what."""
        known = self._chosen.get(host)
        numbers, keys = isns.tolist(), connections.tolist()
        if len(numbers) < _FEW or known is None or not self._distinct(host, known, isns, ts, numbers):
            found = (self.chosen(host, *choice) for choice in zip(numbers, ts.tolist(), keys, strict=True))
            return [(place, broken) for place, broken in enumerate(found) if broken]
        known.update(zip(numbers, zip(keys, ts.tolist(), strict=True), strict=True))
        for old in list(islice(known, max(0, len(known) - MOST_KEPT))):
            del known[old]
        self._clocks[host] = int(ts[-1]), numbers[-1], keys[-1], 0
        return []

    def _distinct(self, host: Hashable, known: dict[int, tuple[Hashable, int]], isns: Numbers, ts: Numbers, numbers: list[int]) -> bool:
        """Has the host chosen none of them before, and none as a clock would?"""
        if len(set(numbers)) < len(numbers) or not known.keys().isdisjoint(numbers):
            return False
        then, before, _, _ = self._clocks[host]
        ticks = np.diff(ts, prepend=then) // _TICK
        off = (np.diff(isns, prepend=before) - ticks + _HALF & _MASK) - _HALF
        return not (np.abs(off) <= ticks // 100 + _NOTHING_ELSE).any()
