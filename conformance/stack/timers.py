"""Timers on whatever clock the stack is told of. A timer that is set anew or stopped costs nothing until its old time comes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

__all__ = ["Timer", "Timers"]

_LEAST_SWEPT = 64


class Timer:
    """Calls ``fire`` once its time has come. Made by :meth:`Timers.timer`."""

    __slots__ = ("_timers", "expires", "fire", "queued")

    def __init__(self, timers: Timers, fire: Callable[[], None]) -> None:
        self._timers, self.fire = timers, fire
        self.expires: int | None = None
        """When, in ns; None: it is stopped."""
        self.queued: int | None = None
        """The earliest time for which it is in the queue."""

    def reset(self, expires: int) -> None:
        """Go off at ``expires``, and not when it was to go off before (mod_timer)."""
        self.expires = expires
        if self.queued is None or expires < self.queued:
            self._timers.add(expires, self)

    def stop(self) -> None:
        """Do not go off (del_timer)."""
        self.expires = None

    @property
    def pending(self) -> bool:
        """Will it go off?"""
        return self.expires is not None


class Timers:
    """All timers of one stack."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._sweep_at = _LEAST_SWEPT

    def timer(self, fire: Callable[[], None]) -> Timer:
        """A timer that is stopped."""
        return Timer(self, fire)

    def add(self, expires: int, timer: Timer) -> None:
        """Put a timer into the queue."""
        timer.queued = expires
        if len(self._queue) >= self._sweep_at:
            self._sweep()
        heapq.heappush(self._queue, (expires, next(self._order), timer))

    def _sweep(self) -> None:
        """Forget what was stopped: keepalive's timer, and all that it holds, would else stay for hours after its connection."""
        kept = []
        for entry in self._queue:
            at, _, timer = entry
            if timer.queued == at and timer.expires is not None:
                kept.append(entry)
            elif timer.queued == at:
                timer.queued = None
        heapq.heapify(kept)
        self._queue[:] = kept
        self._sweep_at = max(2 * len(kept), _LEAST_SWEPT)

    def next(self) -> int | None:
        """When the next timer goes off, in ns."""
        queue = self._queue
        while queue:
            at, _, timer = queue[0]
            if timer.expires == at and timer.queued == at:
                return at
            heapq.heappop(queue)
            if timer.queued == at:  # what was moved to a later time is queued for that only now
                timer.queued = None
                if timer.expires is not None:
                    self.add(timer.expires, timer)
        return None

    def due(self, now: int) -> tuple[int, Timer] | None:
        """A timer whose time has come, and that time, the earliest first; it is stopped now, and wants to be fired."""
        at = self.next()
        if at is None or at > now:
            return None
        timer = heapq.heappop(self._queue)[2]
        timer.queued = timer.expires = None
        return at, timer
