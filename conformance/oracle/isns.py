"""Initial sequence numbers: what a host has chosen, held against what it chose for other connections (RFC 9293, section 3.4.1)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from conformance.oracle.side import MOST_KEPT

__all__ = ["CLOCK_TOLERANCE", "TICK", "Broken", "Isns"]

Broken = tuple[str, str]
"""A rule, and how it was broken."""
TICK, _TELLING, CLOCK_TOLERANCE = 4_000, 4, 300
"""The ns of a tick (RFC 9293, section 3.4.1); how many ISNs tell that there is nothing but a clock; by how many ticks they may be off."""
_NO_CHANCE = 3
"""Connections with the same ISN. Of two among ten thousands it may be chance, unless one follows the other."""
_SAME_TICK, _WRAP = 1_000_000, 3600 * 10**9
"""ns between which a clock of 4 µs has gone on, and has not come round."""

_HALF, _MASK = 1 << 31, 0xFFFF_FFFF
_MOST_HOSTS = 16_384
"""That are remembered: which was heard of first is forgotten for another."""


class Isns:
    """The ISNs of all hosts, the latest of each."""

    def __init__(self) -> None:
        self.hosts: dict[Hashable, dict[int, tuple[Hashable, int, int]]] = {}
        """Of each host its ISNs: for which connection each was chosen last, when, and for how many."""
        self.clocks: dict[Hashable, tuple[int, int, Hashable, int]] = {}
        """Of each host: when it chose which ISN last, for which connection, and how many in a row a clock alone would have chosen."""

    def chosen(self, host: Hashable, isn: int, t: int, connection: Hashable) -> Sequence[Broken]:
        """``host`` has chosen it at ``t`` for a connection: what is wrong with that?"""
        known = self.hosts.get(host)
        if known is None:
            if len(self.hosts) >= _MOST_HOSTS:
                oldest = next(iter(self.hosts))
                del self.hosts[oldest], self.clocks[oldest]
            known = self.hosts[host] = {}
            self.clocks[host] = t, isn, connection, 0
        other = known.get(isn)
        times = 1 if other is None else other[2] + (other[0] != connection)
        known[isn] = connection, t, times
        if len(known) > MOST_KEPT:
            del known[next(iter(known))]
        then, before, last, run = self.clocks[host]
        ticks = (t - then) // TICK
        off = (isn - before - ticks + _HALF & _MASK) - _HALF
        run = run + 1 if last != connection and abs(off) <= ticks // 100 + CLOCK_TOLERANCE else 0
        self.clocks[host] = t, isn, connection, run
        if run < _TELLING and other is None:
            return ()
        found = []
        again = isn == before or times >= _NO_CHANCE
        if other is not None and other[0] != connection and again and _SAME_TICK < t - other[1] < _WRAP:
            found.append(("isn-constant", f"the ISN {isn} again, which another connection had"))
        if run >= _TELLING:
            reason = f"the ISNs of {run + 1} connections differ by what a clock of 4 µs counts between them, and by nothing else"
            found.append(("isn-from-clock", reason))
        return found
