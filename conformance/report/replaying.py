"""What ``conformance replay`` says: on a terminal, and as JSON Lines.

==============  ============================================================================================================
type            fields
==============  ============================================================================================================
``difference``  ``meaning`` (harmless, allowed, different, deviation, violation), ``what`` (its sort in a few words, or the rule that
                the SUT breaks), ``reason``, ``requirement`` (id in the registers; empty if no rule is broken), ``captured`` and
                ``replayed`` (numbers of the packets in the capture and in the replay, or null), ``expected``, ``actual``,
                ``connection``
``summary``     last. ``schema`` (1), ``version``, ``file``, ``sut``, ``sut_version``, ``verdict`` (pass, fail, inconclusive, error,
                skipped: was it played, and what came of it), ``reason`` (why that is not pass), ``packets`` (of the capture),
                ``replayed`` (packets of the replay), ``harmless``, ``allowed``, ``different``, ``deviations``, ``violations``,
                ``seconds``
==============  ============================================================================================================
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TextIO

from rich.console import RenderableType
from rich.text import Text

from conformance import __version__
from conformance.report.amounts import counted, duration
from conformance.report.exchange import draw_exchange
from conformance.report.layout import BROADEST, indented, labelled, rich_console
from conformance.report.lines import Lines
from conformance.report.safe_text import printable
from conformance.result import CaseResult, SutFacts, Verdict
from conformance.trace import Received, Sent, Trace

__all__ = ["Explained", "Meaning", "ReplayLines", "ReplaySummary", "show_replay"]

SCHEMA = 1
"""Goes up when a reader of the old schema would misread the new one; a field more is no reason."""
MOST_ROWS = 60
"""Of the exchange."""
MOST_ALIKE = 2
"""Differences of one sort."""


class Meaning(StrEnum):
    """How much a difference means, the weightiest last."""

    HARMLESS = "harmless"
    """A choice that each stack makes for itself: a window, a TTL, where segments end."""
    ALLOWED = "allowed"
    """Something else, that the RFCs leave open, or that is right where the capture is wrong."""
    DIFFERENT = "different"
    """The two did not do the same, and nothing says which of them is right."""
    DEVIATION = "deviation"
    """The SUT does not keep a SHOULD."""
    VIOLATION = "violation"
    """The SUT breaks a MUST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One thing in which a replay differs from its capture, or from what the RFCs ask for."""

    meaning: Meaning
    what: str
    """A few words, the same for all of its sort: ``extra ACK``; a rule's name where the SUT breaks it."""
    reason: str
    """One sentence."""
    requirement: str = ""
    """Which the SUT breaks; empty: it is a difference."""
    captured: int | None = None
    """The number of the packet in the capture."""
    replayed: int | None = None
    """The number of the packet in the replay."""
    expected: str = ""
    actual: str = ""
    connection: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySummary:
    """The last line."""

    type: Literal["summary"] = "summary"
    schema: int = SCHEMA
    version: str = __version__
    file: str
    sut: str
    sut_version: str
    verdict: str
    reason: str
    packets: int
    replayed: int
    harmless: int
    allowed: int
    different: int
    deviations: int
    violations: int
    seconds: float

    @classmethod
    def of(cls, file: str, sut: SutFacts, captured: Trace, result: CaseResult, differences: Sequence[Explained]) -> ReplaySummary:
        """All of a replay."""
        counts = Counter(one.meaning for one in differences)
        return cls(
            file=file,
            sut=sut.name,
            sut_version=sut.version,
            verdict=result.verdict,
            reason=result.failure.reason if result.failure else "",
            packets=_packets(captured),
            replayed=_packets(result.trace),
            harmless=counts[Meaning.HARMLESS],
            allowed=counts[Meaning.ALLOWED],
            different=counts[Meaning.DIFFERENT],
            deviations=counts[Meaning.DEVIATION],
            violations=counts[Meaning.VIOLATION],
            seconds=round(result.seconds, 3),
        )


def _packets(trace: Trace) -> int:
    return sum(isinstance(event, Sent | Received) for event in trace.events)


_STYLES = {
    Meaning.VIOLATION: "bold red",
    Meaning.DEVIATION: "red",
    Meaning.DIFFERENT: "yellow",
    Meaning.ALLOWED: "cyan",
    Meaning.HARMLESS: "dim",
}


class ReplayLines(Lines):
    """Writes the lines."""

    def replay(self, differences: Sequence[Explained], summary: ReplaySummary) -> None:
        """All of a replay."""
        for one in differences:
            self._line({"type": "difference", **dataclasses.asdict(one)}, flush=False)
        self._line(dataclasses.asdict(summary))


def show_replay(stream: TextIO, summary: ReplaySummary, result: CaseResult, differences: Sequence[Explained], every: bool = False) -> None:
    """Say what came of it: the exchange where something is wrong, each difference that is more than harmless, and a sentence."""
    console = rich_console(stream)
    width = min(console.width, BROADEST)
    wrong = [one for one in differences if one.meaning in (Meaning.VIOLATION, Meaning.DIFFERENT)]
    if wrong or every or result.verdict is not Verdict.PASS:
        for line in draw_exchange(result.trace, width, most=None if every else MOST_ROWS):
            console.print(line, crop=False)
        console.print()
    for text in _differences(differences, every):
        console.print(text)
    if result.failure and result.verdict not in (Verdict.PASS, Verdict.FAIL):
        console.print(indented(Text(printable(result.failure.reason), "bold yellow")))
    console.print(_sentence(summary))


def _differences(differences: Sequence[Explained], every: bool) -> Iterator[RenderableType]:
    """The first of each sort, the weightiest sorts first, and how many more there are."""
    shown: Counter[tuple[Meaning, str]] = Counter()
    left: Counter[tuple[Meaning, str]] = Counter()
    for one in differences:
        sort = one.meaning, one.what
        if not every and (one.meaning is Meaning.HARMLESS or shown[sort] == MOST_ALIKE):
            left[sort] += one.meaning is not Meaning.HARMLESS
            continue
        shown[sort] += 1
        head = f"{one.meaning} · {one.what}" + (f" · {one.requirement}" if one.requirement else "")
        yield Text(printable(f"{head}{_places(one)}"), _STYLES[one.meaning])
        yield indented(Text(printable(one.reason)))
        yield from (labelled(label, printable(value)) for label, value in (("expected", one.expected), ("actual", one.actual)) if value)
    if more := [f"{number} × {what}" for (_, what), number in left.items() if number]:
        yield Text(f"and {', '.join(more)}: --all shows them", "dim")


def _places(one: Explained) -> str:
    """Where to look."""
    places = [f"packet {one.captured} of the capture"] if one.captured else []
    places += [f"packet {one.replayed} of the replay"] if one.replayed else []
    return f" ({', '.join(places)})" if places else ""


def _sentence(summary: ReplaySummary) -> str:
    """``captures/x.pcap replayed on linux 6.18 in 2.1 s: 14 packets, 1 violation, 2 allowed differences``."""
    counts = (
        (summary.violations, "violation", "violations"),
        (summary.deviations, "deviation", "deviations"),
        (summary.different, "difference that nothing explains", "differences that nothing explains"),
        (summary.allowed, "allowed difference", "allowed differences"),
        (summary.harmless, "harmless difference", "harmless differences"),
    )
    said = [counted(number, one, many) for number, one, many in counts if number] or ["no difference"]
    where = printable(f"{summary.file} replayed on {summary.sut} {summary.sut_version}")
    packets = f"{counted(summary.replayed, 'packet', 'packets')}, {summary.packets} in the capture"
    return f"{where} in {duration(summary.seconds)}: {packets}; {', '.join(said)}"
