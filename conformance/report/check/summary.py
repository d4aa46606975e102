"""What there was in a capture and what was found in it, counted while it is read, so that nothing of it need be kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from conformance.oracle.finding import Connection, Vantage, Verdict

__all__ = ["FileSummary"]


@dataclass(slots=True)
class FileSummary:
    """Of one capture, or of several."""

    packets: int = 0
    """All that are in the file, as Wireshark counts them."""
    connections: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    """Connections, by the worst of what was found in each."""
    findings: Counter[Verdict] = field(default_factory=Counter)
    vantages: Counter[Vantage] = field(default_factory=Counter)
    """Connections, by where they were captured."""
    unjudged: Counter[str] = field(default_factory=Counter)
    """Connections of which some could not be judged, by why."""
    unread: Counter[str] = field(default_factory=Counter)
    """Packets that the oracle can say nothing about, by why."""
    offloaded: int = 0
    """Packets whose checksum was left to the hardware."""
    wrong: int = 0
    """Packets whose checksum is wrong."""
    truncated: str = ""
    """Where and how the file ends too early; empty if it does not."""
    error: str = ""
    """Why it could not be read, or not to its end."""

    def take(self, connection: Connection, times: int = 1) -> None:
        """Count a connection, or several that are like it, of which nothing was found."""
        self.connections += times
        self.verdicts[connection.verdict] += times
        self.vantages[connection.vantage] += times
        if connection.findings:
            self.findings.update(finding.verdict for finding in connection.findings)
        if connection.unjudged:
            self.unjudged[connection.unjudged] += times

    def add(self, other: FileSummary) -> None:
        """Count what was counted of another file."""
        self.packets += other.packets
        self.connections += other.connections
        self.offloaded += other.offloaded
        self.wrong += other.wrong
        self.verdicts.update(other.verdicts)
        self.findings.update(other.findings)
        self.vantages.update(other.vantages)
        self.unjudged.update(other.unjudged)
        self.unread.update(other.unread)
