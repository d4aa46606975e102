"""A capture file → what is replayed of it: a trace that this program recorded, with its calls, or a connection of any other capture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from conformance.engine.replay_judge import findings_about_sut
from conformance.oracle.finding import Connection, Finding, Vantage, Verdict
from conformance.trace import Seen, Trace
from conformance.wire.segment import Family

__all__ = ["Captured", "read_captured"]


@dataclass(frozen=True, slots=True)
class Captured:
    """What a capture holds."""

    name: str
    """For people: the file, and what of it."""
    trace: Trace
    config: Mapping[str, object] = field(default_factory=dict)
    """The settings that the stack had, as far as its packets tell."""
    octets: Mapping[str, bytes] = field(default_factory=dict)
    """What the SUT sent, by the names of its sockets, for calls of which only the length is known."""
    recorded: bool = False
    """The calls were recorded, and not inferred."""
    numbers: Sequence[int] = ()
    """Of the trace's packets in the capture; none: from 1."""
    faults: Sequence[Finding] = ()
    """What the SUT in the capture breaks for certain."""
    lost: Sequence[int] = ()
    """Packets of the peer's that the SUT in the capture never got, so that they are not in the trace."""
    left_out: int = 0
    """Packets at the end that are too many to replay."""


@dataclass(slots=True)
class _Choice:
    """The connection that was asked for, else the first with a violation, else the first."""

    number: int | None
    found: Connection | None = None
    count: int = 0

    def see(self, connection: Connection) -> None:
        """One more; they come in the order in which they end."""
        self.count += 1
        if self.number is not None:
            self.found = connection if connection.number == self.number else self.found
        elif self.found is None or _rank(connection) < _rank(self.found):
            self.found = connection


def _rank(connection: Connection) -> tuple[bool, int]:
    return connection.verdict is not Verdict.VIOLATION, connection.number


def read_captured(path: Path, connection: int | None = None, sut_side: str = "", family: Family | None = None) -> Captured:
    """What is to be replayed.

    Args:
        path: a capture.
        connection: its number, as ``conformance check`` counts; None: the only one, or the first in which the oracle finds a violation.
        sut_side: ``client`` or ``server``: whose place the SUT takes; empty: that of who breaks a rule, else the server's. A trace
            that this program recorded has a SUT of its own.
        family: replay it over another family than it has.

    Raises:
        CaptureError: the file is no capture.
        ValueError: it has no such connection, or one that cannot be replayed.
    """
    from conformance.capture.trace_file import TraceFileError, read_trace

    if connection is None and family is None:
        try:
            read = read_trace(path)
        except TraceFileError:
            pass
        else:
            return Captured(str(path), read.trace, read.config, recorded=True, faults=_certain(findings_about_sut(read.trace)))
    return _connection(path, _Choice(connection), sut_side, family)


def _connection(path: Path, choice: _Choice, sut_side: str, family: Family | None) -> Captured:
    from conformance.capture.import_conversations import conversations
    from conformance.capture.import_infer import infer_calls
    from conformance.capture.import_links import incarnate
    from conformance.capture.import_packets import MOST_PACKETS, story_of_packets
    from conformance.engine.checking import judge_file
    from conformance.engine.import_choice import side_of
    from conformance.engine.replay_losses import lost_on_the_way
    from conformance.engine.replay_story import octets_sent, trace_of_story

    summary = judge_file(path, None, choice.see)
    chosen = choice.found
    if summary.error:
        raise ValueError(summary.error)
    if chosen is None:
        asked = f"connection {choice.number}" if choice.number is not None else "a connection"
        raise ValueError(f"{asked} was asked for, and it has {choice.count}")
    side = sut_side or side_of(chosen)
    packets = list(islice(_packets(path, chosen), MOST_PACKETS))
    story = story_of_packets(conversations(packets)[:1], side)
    lost = lost_on_the_way(story.moments, story.links[0]) if chosen.vantage not in (side, Vantage.BOTH) else []
    story.moments = [moment for moment in story.moments if not any(moment is one for one in lost)]
    incarnate(story.links, story.moments)
    infer_calls(story)
    trace, numbers = trace_of_story(story, family)
    return Captured(
        name=f"{path}, connection {chosen.number}" if choice.count > 1 else str(path),
        trace=trace,
        config=_parsed(story.config),
        octets=octets_sent(story),
        numbers=numbers,
        faults=_certain(finding for finding in chosen.findings if finding.endpoint == getattr(chosen, side)),
        lost=[moment.numbers[0] for moment in lost],
        left_out=chosen.packets - len(packets) if len(packets) == MOST_PACKETS else 0,
    )


def _certain(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.certain]


def _packets(path: Path, connection: Connection) -> Iterator[Seen]:
    """Those of one connection."""
    from conformance.capture.reader import CaptureReader
    from conformance.engine.import_choice import ends_of
    from conformance.oracle.judge import endpoint_name

    names = {connection.client, connection.server}
    with CaptureReader(path) as reader:
        for seen in reader.packets():
            if seen.number > connection.last:
                return
            if seen.number >= connection.first and (ends := ends_of(seen)) and {endpoint_name(*end) for end in ends} == names:
                yield seen


def _parsed(config: Mapping[str, object]) -> dict[str, object]:
    """Settings as a case is given them, from those that a file would have."""
    from conformance.case.settings import SETTINGS

    return {name: SETTINGS[name].kind.parse(value) for name, value in config.items()}
