"""A connection and what is held against it, the worst first: as little as can be kept of many."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from conformance.oracle.finding import Connection, Finding, Verdict

__all__ = ["Account"]

_WEIGHT = {verdict: weight for weight, verdict in enumerate(Verdict)}


@dataclass(slots=True)
class Account:
    """What is to be said of a connection."""

    file: str
    connection: Connection
    """Its own findings are empty: not all of them may be held against it."""
    verdict: Verdict
    findings: list[Finding]

    @classmethod
    def of(cls, file: str, connection: Connection, *, ambiguous: bool) -> Account:
        """The account of ``connection``; ``ambiguous``: what may also be the capture's fault is held against it too."""
        held = [finding for finding in connection.findings if ambiguous or finding.certain]
        held.sort(key=lambda finding: (_WEIGHT[finding.verdict], finding.packet))
        return cls(file, dataclasses.replace(connection, findings=[]), connection.verdict, held)

    @property
    def weight(self) -> int:
        """The lower, the sooner somebody should look at it."""
        return _WEIGHT[self.verdict]

    @property
    def focus(self) -> int | None:
        """The packet to look at: the first that shows the worst; None if nothing was found."""
        return self.findings[0].packet if self.findings else None
