"""The closer look: the judge, and which packets it is to see."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.fact import Fact
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.flow import Flow
from conformance.oracle.isns import Broken
from conformance.oracle.judge import Judge, Key
from conformance.oracle.screen_ends import name_of
from conformance.oracle.screen_table import Packets
from conformance.trace import Seen
from conformance.wire.segment import Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["Closely", "named"]


class Closely(Judge):
    """The judge of the connections that get the closer look."""

    def __init__(self, done: Callable[[Connection], None], vantage: Vantage | None) -> None:
        super().__init__(done, vantage)
        self.awake: set[bytes] = set()
        """What names the connections that it knows."""
        self.numbers: dict[int, int] = {}
        """By the number of its first packet the number of a connection that has one already."""
        self.broken: dict[int, Sequence[Broken]] = {}
        """What is wrong with the ISNs of SYNs, by their packets' numbers."""

    def count(self) -> int:
        """A number for a connection."""
        self._number += 1
        return self._number

    def forget(self, names: Container[bytes]) -> None:
        """Say nothing of these connections."""
        for key in [key for key in self._flows if name_of(key) in names]:
            del self._flows[key]

    def _next_number(self, seen: Seen) -> int:
        return self.numbers.pop(seen.number, None) or self.count()

    def _held_against(self, syn: Fact, _key: Key, /) -> Sequence[Broken]:
        return self.broken.pop(syn.number, ())

    def _begin(self, key: Key, seen: Seen, segment: Segment) -> Flow:
        flow = super()._begin(key, seen, segment)
        self.awake.add(name_of(key))
        return flow

    def _end(self, key: Key, t: int) -> None:
        super()._end(key, t)
        self.awake.discard(name_of(key))


def named(packets: Packets, rows: Numbers, firsts: Mapping[bytes, int]) -> Numbers:
    """Those of the rows that are of these connections, from their first packets on. (Others may have the same key.)"""
    groups = packets.take(rows).groups()
    mine = np.zeros(len(rows), np.bool_)
    for name, begin, end in zip(groups.ids, groups.starts[:-1].tolist(), groups.starts[1:].tolist(), strict=True):
        if (first := firsts.get(name)) is not None:
            of = groups.order[begin:end]
            mine[of] = packets.number[rows[of]] >= first
    return rows[mine]
