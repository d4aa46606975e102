"""What a run says beside a recording of another stack, case run by case run; lines of a results file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from conformance.result import Verdict

__all__ = ["Comparison", "DifferenceRecord", "Outcome"]


class Outcome(StrEnum):
    """How a case run compares, from the least to the most."""

    SAME = "same"
    HARMLESS = "harmless"
    """It differs in choices that each stack makes for itself and that change nothing: windows, TTL, the order of options."""
    OTHER = "other"
    """Other segments, or at other times, and the same verdict."""
    VERDICT = "verdict"
    """Another verdict."""
    ONLY_HERE = "only here"
    """The recording does not have it."""
    ONLY_THERE = "only there"
    """The recording has it, and it is skipped here, or there is no such case any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRecord:
    """See :class:`conformance.capture.difference.Difference`."""

    kind: Literal["harmless", "allowed", "violation"]
    what: str
    reason: str
    expected: str
    """There."""
    actual: str
    """Here."""
    expected_packet: int | None
    actual_packet: int | None
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A case run beside the recording of it."""

    type: Literal["comparison"] = "comparison"
    id: str
    sut: str
    golden: str
    """The recording: its folder's name."""
    outcome: Outcome
    verdict: Verdict | None
    golden_verdict: Verdict | None
    changed: bool = False
    """The case has other steps or settings than when it was recorded: what differs may be the case's."""
    reason: str = ""
    """Why the verdict here is not pass."""
    golden_reason: str = ""
    """Why that of the recording is not."""
    varies: str = ""
    """Why it may differ from run to run in what it differs, on the stack that was recorded; empty: nothing is known of that."""
    differences: tuple[DifferenceRecord, ...] = ()
    more: int = 0
    """Further differences, of which no more is said."""
