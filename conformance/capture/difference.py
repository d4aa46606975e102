"""What a comparison of two exchanges finds; see :mod:`conformance.capture.compare`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Difference", "Kind"]


class Kind(IntEnum):
    """How much a difference means, the weightiest last."""

    HARMLESS = 1
    """A choice that each stack makes for itself and that changes nothing in the exchange: a TTL, a window, the order of options."""
    ALLOWED = 2
    """Other segments, or at other times, though in the end the same is sent and acknowledged."""
    VIOLATION = 3
    """One of the two cannot be right, or they did not do the same."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the SUT's packets differ."""

    kind: Kind
    what: str
    """A few words, the same for all of its sort, to count by: ``window``, ``extra ACK``, ``timing``."""
    reason: str
    """What was, and what was expected, in one sentence."""
    expected: str = ""
    """The value or the packet there, in the notation of cases; empty: there is none."""
    actual: str = ""
    expected_packet: int | None = None
    """The number of the packet there, as Wireshark counts."""
    actual_packet: int | None = None
    connection: str = ""
