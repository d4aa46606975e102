"""What ``conformance check --json`` writes: JSON Lines, one for each connection, finding and file, and a last one for all.

==============  ============================================================================================================
type            fields
==============  ============================================================================================================
``connection``  ``file``, ``number``, ``client`` and ``server`` (address and port), ``packets``, ``first`` and ``last`` (numbers of
                packets), ``vantage`` (client, server, both, middle: where it was captured), ``verdict`` (violation, deviation,
                ambiguous, conforms), ``unjudged`` (why some of it could not be judged; empty if all could)
``finding``     of the connection above. ``file``, ``connection`` (its number), ``endpoint`` (who broke the rule), ``packet``
                (number), ``time`` (seconds since 1970, with nine decimals, as text), ``requirement`` (id in the registers),
                ``rule`` (name), ``level`` (MUST, SHOULD), ``certainty`` (certain, ambiguous), ``reason``
``file``        when it is read. ``file``, ``packets``, ``connections``, ``violations``, ``deviations``, ``ambiguous`` (findings),
                ``unread`` (packets), ``unread_reasons`` (reason → packets), ``offloaded`` and ``wrong_checksums`` (packets),
                ``truncated`` (where it ends too early; empty if it does not), ``error`` (why it cannot be read; empty if it can)
``summary``     last, once, unless the program was killed. ``schema`` (1), ``version``, ``files``, ``broken_files``, and of all
                files ``packets``, ``connections``, ``violations``, ``deviations``, ``ambiguous``, ``unread``, ``vantages``
                (vantage → connections), ``seconds``, ``interrupted``
==============  ============================================================================================================

All but ASCII is written as escapes, so a file that is shown on a terminal does nothing to it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from conformance import __version__
from conformance.oracle.finding import Connection, Finding, Vantage, Verdict
from conformance.report.check.summary import FileSummary
from conformance.report.lines import Lines

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["CheckLines", "CheckRecord", "CheckSummary", "ConnectionRecord", "FileRecord", "FindingRecord", "check_schema"]

SCHEMA = 1
"""Goes up when a reader of the old schema would misread the new one; a field more is no reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRecord:
    """A connection of a capture; see :class:`conformance.oracle.finding.Connection`."""

    type: Literal["connection"] = "connection"
    file: str
    number: int
    client: str
    server: str
    packets: int
    first: int
    last: int
    vantage: Vantage
    verdict: Verdict
    unjudged: str

    @classmethod
    def of(cls, file: str, connection: Connection) -> ConnectionRecord:
        """The record of ``connection``."""
        return cls(
            file=file,
            number=connection.number,
            client=connection.client,
            server=connection.server,
            packets=connection.packets,
            first=connection.first,
            last=connection.last,
            vantage=connection.vantage,
            verdict=connection.verdict,
            unjudged=connection.unjudged,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRecord:
    """A rule that an endpoint broke; see :class:`conformance.oracle.finding.Finding`."""

    type: Literal["finding"] = "finding"
    file: str
    connection: int
    endpoint: str
    packet: int
    time: str
    requirement: str
    rule: str
    level: str
    certainty: Literal["certain", "ambiguous"]
    reason: str

    @classmethod
    def of(cls, file: str, finding: Finding) -> FindingRecord:
        """The record of ``finding``."""
        return cls(
            file=file,
            connection=finding.connection,
            endpoint=finding.endpoint,
            packet=finding.packet,
            time=_seconds(finding.t),
            requirement=finding.rule.requirement,
            rule=finding.rule.name,
            level=finding.rule.level,
            certainty="certain" if finding.certain else "ambiguous",
            reason=finding.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A capture that has been read, or could not be."""

    type: Literal["file"] = "file"
    file: str
    packets: int
    connections: int
    violations: int
    deviations: int
    ambiguous: int
    unread: int
    unread_reasons: dict[str, int]
    offloaded: int
    wrong_checksums: int
    truncated: str
    error: str

    @classmethod
    def of(cls, file: str, summary: FileSummary) -> FileRecord:
        """The record of the file that ``summary`` is of."""
        return cls(
            file=file,
            unread_reasons=dict(summary.unread.most_common()),
            offloaded=summary.offloaded,
            wrong_checksums=summary.wrong,
            truncated=summary.truncated,
            error=summary.error,
            **_counts(summary),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """The last line."""

    type: Literal["summary"] = "summary"
    schema: int = SCHEMA
    version: str = __version__
    files: int
    broken_files: int
    packets: int
    connections: int
    violations: int
    deviations: int
    ambiguous: int
    unread: int
    vantages: dict[Vantage, int]
    seconds: float
    interrupted: bool = False

    @classmethod
    def of(cls, summary: FileSummary, files: int, broken: int, seconds: float, interrupted: bool = False) -> CheckSummary:
        """Of all ``files``, ``broken`` of which could not be read; ``summary`` has them all."""
        return cls(
            files=files,
            broken_files=broken,
            vantages={vantage: summary.vantages[vantage] for vantage in Vantage},
            seconds=round(seconds, 3),
            interrupted=interrupted,
            **_counts(summary),
        )


CheckRecord = ConnectionRecord | FindingRecord | FileRecord | CheckSummary


class CheckLines(Lines):
    """Writes the lines of ``check``; ``-`` is standard output."""

    def connection(self, file: str, connection: Connection) -> None:
        """A connection has been judged."""
        self._line(_values(ConnectionRecord.of(file, connection)), flush=False)
        for finding in connection.findings:
            self._line(_values(FindingRecord.of(file, finding)))

    def file(self, record: FileRecord) -> None:
        """A file has been read."""
        self._line(_values(record))

    def finish(self, summary: CheckSummary) -> None:
        """The last line."""
        self._line(_values(summary))
        self.close()


def _values(record: CheckRecord) -> dict[str, Any]:
    """The fields. (A capture can have a hundred thousand connections, and ``asdict`` copies all that it sees.)"""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _counts(summary: FileSummary) -> dict[str, Any]:
    return {
        "packets": summary.packets,
        "connections": summary.connections,
        "violations": summary.findings[Verdict.VIOLATION],
        "deviations": summary.findings[Verdict.DEVIATION],
        "ambiguous": summary.findings[Verdict.AMBIGUOUS],
        "unread": summary.unread.total(),
    }


def _seconds(ns: int) -> str:
    """``1700000000.000000100``, as tshark prints ``frame.time_epoch``: a JSON number would lose the nanoseconds."""
    seconds, rest = divmod(abs(ns), 1_000_000_000)
    return f"{'-' if ns < 0 else ''}{seconds}.{rest:09}"


@cache
def check_record_type() -> TypeAdapter[CheckRecord]:
    """Reads a line of any type. (pydantic is not needed to write.)"""
    from typing import Annotated

    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[CheckRecord, Field(discriminator="type")])


def check_schema() -> dict[str, Any]:
    """The JSON Schema of a line. Every field is always written, so all are required."""
    from conformance.report.records import line_schema

    return line_schema(check_record_type(), "A line of what conformance check --json writes")
