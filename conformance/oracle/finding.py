"""What the oracle says: which endpoint of which connection broke which requirement, and the packet that shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Connection", "Finding", "Rule", "Vantage", "Verdict"]


class Vantage(StrEnum):
    """Where a capture was taken.

    What passed there is what the end that is near has seen by then; the other end sees it earlier or later.
    """

    CLIENT = "client"
    SERVER = "server"
    BOTH = "both"
    """One machine, or a link without loss and delay: what is captured has arrived."""
    MIDDLE = "middle"
    """Neither end is near, or nobody knows: only what holds wherever it was taken can be said for certain."""


class Verdict(StrEnum):
    """Of a connection: the worst of its findings."""

    VIOLATION = "violation"
    """A MUST was broken."""
    DEVIATION = "deviation"
    """A SHOULD was not kept."""
    AMBIGUOUS = "ambiguous"
    """One of them, or the capture does not show all that passed."""
    CONFORMS = "conforms"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that holds on every trace."""

    name: str
    """Short, for people: ``ack-of-unsent``."""
    requirement: str
    """Its id in the registers, such as ``RFC9293/MUST-11``."""
    level: str
    """``MUST`` or ``SHOULD``, as the register has it."""
    says: str
    """What the requirement asks for, in one line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that an endpoint broke."""

    rule: Rule
    connection: int
    """The :class:`Connection`'s number."""
    endpoint: str
    """Who broke it: ``192.0.2.1:8080``, ``[2001:db8::1]:8080``."""
    packet: int
    """The first packet that shows it, as Wireshark counts."""
    t: int
    """ns, that packet's."""
    certain: bool
    """False if it may also be the capture: packets that it missed, or an end too far away to know what it had seen."""
    reason: str
    """One sentence: what was there, and what would have been right; numbers relative to the ISNs."""

    @property
    def verdict(self) -> Verdict:
        """What it makes of its connection."""
        if not self.certain:
            return Verdict.AMBIGUOUS
        return Verdict.VIOLATION if self.rule.level == "MUST" else Verdict.DEVIATION


_ORDER = tuple(Verdict)


@dataclass(slots=True)
class Connection:
    """A connection of a capture, and what was found."""

    number: int
    """From 1, in the order in which they begin; one that takes over the ends of another may come later."""
    client: str
    """The endpoint that sent the first SYN; in a capture that begins later, the one whose packet comes first."""
    server: str
    client_isn: int | None = None
    """What reasons count from. Without a SYN it is a guess that makes the first number 1; None if it has sent nothing."""
    server_isn: int | None = None
    first: int = 0
    """The number of its first packet."""
    last: int = 0
    packets: int = 0
    vantage: Vantage = Vantage.MIDDLE
    findings: list[Finding] = field(default_factory=list)
    unjudged: str = ""
    """Why some of it could not be judged: ``begins in the middle``, ``one side only``; empty if all could."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings'."""
        return min((finding.verdict for finding in self.findings), key=_ORDER.index, default=Verdict.CONFORMS)
