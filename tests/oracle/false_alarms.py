"""What the oracle says of a capture of Linux with Linux, and what of that is neither ambiguous nor known to be so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.capture.reader import CaptureReader
from conformance.engine.checking import judge_file
from conformance.oracle.finding import Connection, Finding, Vantage
from conformance.oracle.judge import Judge
from conformance.report.check.summary import FileSummary
from tests.traffic.scenario import Capture

from .known import known

__all__ = ["Alarm", "Judged", "judged", "judged_all_ways"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A finding that is certain, and the ends of its connection."""

    client: str
    server: str
    finding: Finding


@dataclass(slots=True)
class Judged:
    """What was said of a capture."""

    capture: Capture
    vantage: Vantage | None
    """Where it was taken, if the oracle was told."""
    packets: int = 0
    connections: int = 0
    certain: list[Alarm] = field(default_factory=list)
    ambiguous: Counter[str] = field(default_factory=Counter)
    """Findings by rule."""
    error: str = ""
    """Why it was not judged, or not all of it."""

    def alarms(self) -> list[Alarm]:
        """What is certain, and not known to be so."""
        return [alarm for alarm in self.certain if known(alarm.finding, self.capture.scenario) is None]

    def lines(self, folder: Path) -> Iterator[str]:
        """For people, what is left: a line each."""
        path = f"{folder / self.capture.file}{f' --vantage {self.vantage}' if self.vantage else ''}"
        if self.error:
            yield f"  {path}: {self.error}"
        for alarm in self.alarms():
            found = alarm.finding
            where = f"connection {found.connection} {alarm.client} > {alarm.server}, packet {found.packet}"
            yield f"  {path}: {where}: {found.endpoint} {found.rule.name} ({found.rule.requirement}, {found.verdict}): {found.reason}"


def judged(folder: Path, capture: Capture, vantage: Vantage | None, closely: bool = False) -> Judged:
    """Judge a capture as ``conformance check`` does; ``closely``: every connection packet by packet, as a live trace is."""
    said = Judged(capture, vantage)

    def take(connection: Connection) -> None:
        end = connection.client if vantage is Vantage.CLIENT else connection.server if vantage is Vantage.SERVER else ""
        if end and capture.near and end.rpartition(":")[0].strip("[]") != capture.near:
            return  # with a simultaneous open each end sees itself as the client
        for finding in connection.findings:
            if finding.certain:
                said.certain.append(Alarm(connection.client, connection.server, finding))
            else:
                said.ambiguous[finding.rule.name] += 1

    summary = (_closely if closely else judge_file)(folder / capture.file, vantage, take)
    said.packets, said.connections = summary.packets, summary.connections
    said.error = summary.error or summary.truncated
    if not said.error and said.packets != capture.packets:
        said.error = f"{said.packets} packets were judged, it has {capture.packets}"
    return said


def _closely(path: Path, vantage: Vantage | None, done: Callable[[Connection], None]) -> FileSummary:
    summary = FileSummary()

    def take(connection: Connection) -> None:
        summary.take(connection)
        done(connection)

    judge = Judge(take, vantage)
    with CaptureReader(path) as reader:
        for seen in reader.packets():
            judge.see(seen)
    judge.end()
    summary.packets, summary.truncated = reader.counts.frames, reader.counts.truncated
    return summary


def judged_all_ways(folder: Path, captures: Sequence[Capture], closely: bool = False) -> list[Judged]:
    """Each capture, judged with where it was taken, without, and as one machine's if nothing lies between the ends."""
    return [
        judged(folder, capture, vantage, closely)
        for capture in captures
        for vantage in (Vantage(capture.vantage), None, *(() if capture.forwarder else (Vantage.BOTH,)))
    ]
