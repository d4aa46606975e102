"""What the packets of an annotated capture say: each finding, beside the packet that shows it first."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.oracle.finding import Connection, Finding

__all__ = ["MOST", "Notes"]

MOST = 50_000
"""Findings that are remembered until the capture is written: some 50 MB."""

MOST_OF_A_PACKET = 50
"""Of them, what one packet shows; Wireshark takes no block of any size."""


@dataclass(slots=True)
class Notes:
    """The comments, by the number of their packets."""

    texts: dict[int, list[str]] = field(default_factory=dict)
    taken: int = 0
    dropped: int = 0
    """Findings that were too many."""

    def take(self, connection: Connection) -> None:
        """What was found in ``connection``."""
        for finding in connection.findings:
            if self.taken >= MOST or len(self.texts.get(finding.packet, ())) >= MOST_OF_A_PACKET:
                self.dropped += 1
                continue
            self.taken += 1
            self.texts.setdefault(finding.packet, []).append(_text(finding))


def _text(finding: Finding) -> str:
    """``RFC9293/MUST-11 (violation) ack-of-unsent by 192.0.2.2:80: …``."""
    rule = finding.rule
    return f"{rule.requirement} ({finding.verdict}) {rule.name} by {finding.endpoint}: {finding.reason}"
