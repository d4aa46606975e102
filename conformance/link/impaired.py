"""A link that is not what it should be: frames are lost, come twice, late, in another order, or with a bit turned over.

No I/O and no clock: what becomes of a frame follows from the frames before it, the times and the seeded :class:`~random.Random` alone, so
that a schedule that shows a mistake can be played again.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass
from random import Random

__all__ = ["ImpairedLink", "Impairment"]

_MS = 1_000_000
_ETHERNET = 14
_IP = (b"\x08\x00", b"\x86\xdd")


@dataclass(frozen=True, slots=True)
class Impairment:
    """What is wrong with a link, in one direction. The first four are probabilities, for each frame by itself; the others ns."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """That a frame is held back, for a random time up to ``hold_back``: those after it overtake it."""
    corrupt: float = 0.0
    """That one bit of a packet is turned over, which the check sums of TCP, UDP and ICMP notice where it is theirs.

    It is a bit behind the Ethernet header of a frame that carries IP: nothing above Ethernet protects its header, and nothing protects ARP.
    """
    delay: int = 0
    jitter: int = 0
    """At most so much more delay. Without ``reorder`` a frame still does not overtake another."""
    hold_back: int = 2 * _MS

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, from 0 to 1, not {getattr(self, name)}")
        for name in ("delay", "jitter", "hold_back"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is a time, not {getattr(self, name)}")


class ImpairedLink:
    """One direction of a link: frames are put in at one end, and taken out at the other when they are due.

    Args:
        impairment: what is wrong with it.
        rng: decides; nobody else may take numbers from it.
        capacity: how many frames are on their way at most; more are lost, as in a router's full queue.
    """

    def __init__(self, impairment: Impairment, rng: Random, capacity: int = 1000) -> None:
        self.impairment, self.rng, self.capacity = impairment, rng, capacity
        self.counts: Counter[str] = Counter()
        """How often what was done: put, lost, full, duplicated, reordered, corrupted, taken."""
        self._latest = 0
        """When the last frame that keeps its place is due."""
        self._queue: list[tuple[int, int, bytes]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        """How many frames are on their way."""
        return len(self._queue)

    def put(self, now: int, frame: bytes) -> list[tuple[int, bytes]]:
        """A frame goes in; what will come of it, and when: nothing if it is lost."""
        self.counts["put"] += 1
        wrong, rng = self.impairment, self.rng
        if wrong.loss and rng.random() < wrong.loss:
            self.counts["lost"] += 1
            return []
        copies = 1
        if wrong.duplicate and rng.random() < wrong.duplicate:
            self.counts["duplicated"] += 1
            copies = 2
        coming = []
        for _ in range(copies):
            if len(self._queue) >= self.capacity:
                self.counts["full"] += 1
                continue
            due = self._due(now)
            octets = self._corrupted(frame) if wrong.corrupt and rng.random() < wrong.corrupt else frame
            heapq.heappush(self._queue, (due, next(self._order), octets))
            coming.append((due, octets))
        return coming

    def take(self, now: int) -> list[bytes]:
        """The frames that are out by now, in the order in which they come out."""
        queue = self._queue
        out = []
        while queue and queue[0][0] <= now:
            out.append(heapq.heappop(queue)[2])
        self.counts["taken"] += len(out)
        return out

    def next(self) -> int | None:
        """When :meth:`take` gives the next frame, if nothing more is put in; None: never."""
        return self._queue[0][0] if self._queue else None

    def _due(self, now: int) -> int:
        wrong, rng = self.impairment, self.rng
        due = now + wrong.delay
        if wrong.jitter:
            due += rng.randrange(wrong.jitter + 1)
        due = max(due, self._latest)
        if wrong.reorder and rng.random() < wrong.reorder:
            self.counts["reordered"] += 1
            return due + rng.randrange(wrong.hold_back + 1)
        self._latest = due
        return due

    def _corrupted(self, frame: bytes) -> bytes:
        if frame[12:_ETHERNET] not in _IP or len(frame) == _ETHERNET:
            return frame
        self.counts["corrupted"] += 1
        octets = bytearray(frame)
        bit = self.rng.randrange(8 * _ETHERNET, 8 * len(octets))
        octets[bit >> 3] ^= 1 << (bit & 7)
        return bytes(octets)
