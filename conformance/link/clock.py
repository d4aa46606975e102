"""From the clock in which the kernel stamps frames to the one of the traces."""

from __future__ import annotations

import time

__all__ = ["FrameClock", "clock_offset"]

_JUMP = 1_000_000
"""ns by which the offset may seem to change."""


def clock_offset() -> int:
    """Nanoseconds from ``CLOCK_REALTIME``, in which the kernel stamps frames, to ``CLOCK_MONOTONIC``.

    It changes only when somebody sets the clock: adjustments slew both.
    """
    samples = []
    for _ in range(3):  # of which one at least is not torn apart by another process
        before, real, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        samples.append((after - before, (before + after) // 2 - real))
    return min(samples)[1]


class FrameClock:
    """The offset, and whether it still holds."""

    def __init__(self) -> None:
        self.to_monotonic = clock_offset()
        """ns to add to a stamp."""

    def was_set(self) -> bool:
        """Was the wall clock set since the last look? Then times taken across it mean nothing."""
        offset = clock_offset()
        jumped = abs(offset - self.to_monotonic) > _JUMP
        if jumped:
            self.to_monotonic = offset
        return jumped
