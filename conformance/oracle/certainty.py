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
    "options-not-counted", "isn-from-clock", "isn-constant", "isn-reused", "isn-changed", "syn-ack-number",
    "ack-goes-back", "timestamp-goes-back", "window-shrunk", "changed-retransmission", "fin-moved", "data-after-fin",
    "ack-of-missing", "sack-of-unsent",  # which are not certain at all if the capture may have missed something
})  # fmt: skip
"""Rules that a packet shows by itself, or with another one that is there."""
LATER = frozenset({
    "ack-of-unsent", "not-current", "retransmitted-acknowledged", "beyond-window", "beyond-shrunk-window", "sack-not-isolated",
    "sack-of-acknowledged", "sack-unasked", "timestamp-missing", "timestamp-rate", "echo-of-unsent", "echo-not-recent", "late-ack",
    "stretch-ack", "no-duplicate-ack", "unanswered-segment", "no-backoff", "keepalive-with-data", "ect-on-pure-ack",
})  # fmt: skip
"""Rules that can be judged without the beginning, or after a gap, as soon as nothing before has a say any more."""
ONCE = frozenset({
    "data-before-handshake", "unprovoked-ack", "beyond-window", "beyond-shrunk-window", "slow-start-growth", "initial-window",
    "threshold-after-timeout", "after-recovery", "echo-of-unsent", "echo-not-recent", "took-beyond-window",
})  # fmt: skip
"""Rules that somebody seems to break who does not, as soon as the capture has missed one ordinary packet, or some in a row: what opened
the window, was answered, or is echoed."""
TWICE = frozenset({
    "late-ack", "stretch-ack", "no-duplicate-ack", "unanswered-segment", "time-wait-silent", "no-echo-of-congestion", "silly-window",
    "no-fast-retransmit", "early-fast-retransmit", "no-backoff", "syn-no-backoff", "probe-backoff", "probe-missing", "not-retransmitted",
    "too-early", "timer-not-restarted", "not-left-edge", "timeout-left-edge", "loss-window", "after-timeout", "restart-after-idle",
    "dsack-of-single", "dsack-edges", "dsack-repeated", "sack-first-block", "sack-missing", "no-cwr", "cwr-again", "echo-after-cwr",
})  # fmt: skip
"""Rules of which the same is true, but not time and again."""

_ROUNDS = 2
"""How often both ends have to speak, and all that was under way to be acknowledged, until nothing before has a say."""


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
    since: int = 0
    """When the round began: the number of a packet."""

    def begin(self) -> None:
        """The capture has the SYN that opens the connection."""
        self.intact, self.rounds, self.watching = True, 0, False

    def watch(self, a: Side, b: Side) -> None:
        """Something was found: nothing may turn out to be missing until what is under way now has been acknowledged."""
        self.watching, self.since, a.mark, b.mark = True, max(a.spoke, b.spoke), a.top, b.top

    def missed(self, a: Side, b: Side) -> None:
        """The capture has missed something."""
        self.intact, self.rounds = False, max(self.rounds, _ROUNDS)
        self.watch(a, b)

    def see(self, number: int, a: Side, b: Side) -> None:
        """Packet ``number`` has arrived: is a round over?"""
        if a.una < a.mark or b.una < b.mark or a.spoke <= self.since or b.spoke <= self.since:
            return
        if self.rounds:
            self.rounds -= 1
            self.watch(a, b)
        else:
            self.checked, self.watching = number, False

    def shows(self, rule: str, again: bool, plain: bool) -> bool:
        """Can it be said for certain that ``rule`` is broken?

        Args:
            again: it seems so, and not for the first time.
            plain: it cannot be that a packet is missing, whatever the rule.
        """
        if self.complete or rule in ALONE:
            return True
        if not self.intact and (self.rounds or rule not in LATER):
            return False
        return plain or (rule not in ONCE and (again or rule not in TWICE))
