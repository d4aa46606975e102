"""What can be said for certain where the capture does not have all that passed: it begins late, or the machine that took it missed some.

That packets are missing shows when what they had is acknowledged, or echoed. It need not show: where a single packet that nobody would
have noticed explains what was found, that is not certain unless the capture is known to be complete, or it is found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.oracle.side import Side

__all__ = ["ALONE", "LATER", "ONCE", "TWICE", "Sight"]

ALONE = frozenset({
    "reserved-bits", "source-address", "bad-checksum", "no-ack-flag", "option-length", "option-after-end", "mss-without-syn",
    "sack-permitted-without-syn", "wscale-above-14", "ect-on-syn", "echo-without-ack", "sack-format", "over-mss", "over-default-mss",
    "options-not-counted", "isn-from-clock", "isn-constant", "isn-reused",
    "ack-of-unsent", "ack-of-missing", "sack-of-unsent",  # of these it is asked what the capture has missed
})  # fmt: skip
"""Rules that a packet shows by itself, or with a SYN that is there."""
LATER = frozenset({
    "ack-goes-back", "not-current", "changed-retransmission", "retransmitted-acknowledged", "data-after-fin", "fin-moved",
    "beyond-window", "beyond-shrunk-window", "window-shrunk", "sack-not-isolated", "sack-of-acknowledged", "sack-unasked",
    "timestamp-missing", "timestamp-goes-back", "timestamp-rate", "echo-of-unsent", "echo-not-recent", "late-ack", "stretch-ack",
    "no-duplicate-ack", "unanswered-segment", "no-backoff", "keepalive-with-data", "ect-on-pure-ack", "sends-after-reset",
})  # fmt: skip
"""Rules that can be judged without the beginning, or after a gap, as soon as nothing before has a say any more."""
ONCE = frozenset({
    # An ACK, or several, may have come that were missed: the acknowledgment that is asked for, what opened the window, duplicates.
    "data-before-handshake", "window-after-syn-loss", "slow-start-growth", "loss-window", "after-timeout", "threshold-after-timeout",
    "after-recovery", "restart-after-idle", "timer-not-restarted", "early-fast-retransmit", "too-early", "first-sample", "syn-too-early",
    "not-left-edge", "timeout-left-edge", "backoff-kept", "rto-far-below-second", "beyond-shrunk-window", "silly-segment",
    # The segment that is answered was missed.
    "unprovoked-ack", "rst-sequence", "rst-acknowledgment", "rst-answers-rst", "abort-elsewhere", "time-wait-short", "connection-exists",
    "simultaneous-open-refused", "dsack-of-single", "dsack-edges", "dsack-repeated", "sack-first-block", "sack-missing",
    "died-of-rst-outside", "died-of-rst-inside", "died-of-syn", "died-of-soft-error", "syn-ack-number", "wscale-unasked",
    "timestamps-unasked", "ecn-unasked", "cwr-again", "echo-after-cwr",
})  # fmt: skip
"""Rules that one missed packet, or some in a row, make somebody seem to break."""
TWICE = frozenset({
    "late-ack", "stretch-ack", "no-duplicate-ack", "unanswered-segment", "syn-challenge", "rst-challenge", "no-fast-retransmit",
    "no-backoff", "syn-no-backoff", "probe-backoff", "probe-missing", "not-retransmitted", "silly-window", "took-bad-checksum",
    "took-beyond-window", "took-without-ack", "took-old-timestamp", "took-no-timestamp", "took-syn", "time-wait-silent",
    "echo-not-recent", "no-echo-of-congestion", "echo-ends-early",
})  # fmt: skip
"""Rules of which the same is true, but not time and again."""

_ROUNDS = 2
"""How often all that was under way has to be acknowledged, both ways, until nothing before has a say."""


@dataclass(slots=True)
class Sight:
    """How much of a connection the capture has shown."""

    complete: bool
    """It has everything, as somebody knows who was there."""
    intact: bool = False
    """It has the first SYN, and nothing shows that it has missed anything since."""
    rounds: int = _ROUNDS + 1
    """To go."""
    checked: int = 0
    """Up to this packet nothing is missing that has not been noticed."""
    watching: bool = True
    """Something depends on that."""

    def begin(self) -> None:
        """The capture has the SYN that opens the connection."""
        self.intact, self.rounds, self.watching = True, 0, False

    def watch(self, a: Side, b: Side) -> None:
        """Something was found: nothing may turn out to be missing until what is under way now has been acknowledged."""
        self.watching, a.mark, b.mark = True, a.top, b.top

    def missed(self, a: Side, b: Side) -> None:
        """The capture has missed something."""
        self.intact, self.rounds = False, max(self.rounds, _ROUNDS)
        self.watch(a, b)

    def see(self, number: int, a: Side, b: Side) -> None:
        """Packet ``number`` has arrived: is a round over?"""
        if a.una < a.mark or b.una < b.mark or not (a.spoke and b.spoke):
            return
        if self.rounds:
            self.rounds -= 1
            self.watch(a, b)
        else:
            self.checked, self.watching = number, False

    def shows(self, rule: str, again: bool) -> bool:
        """Can it be said for certain that ``rule`` is broken, where it seems to be, ``again`` or for the first time?"""
        if self.complete or rule in ALONE:
            return True
        if not self.intact and (self.rounds or rule not in LATER):
            return False
        return rule not in ONCE and (again or rule not in TWICE)
