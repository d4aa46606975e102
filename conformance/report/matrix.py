"""Topics × stacks: what came of the same cases on several stacks, as a table and as lines of a results file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TextIO

from rich import box
from rich.table import Table
from rich.text import Text

from conformance.report.amounts import counted
from conformance.report.json_lines import Results
from conformance.report.judgement import topic
from conformance.report.layout import rich_console
from conformance.report.records import CaseRecord, Summary
from conformance.report.safe_text import printable
from conformance.result import Verdict

__all__ = ["Cell", "Matrix", "merge"]

_NOT_JUDGED = (Verdict.INCONCLUSIVE, Verdict.ERROR)


@dataclass(slots=True)
class Cell:
    """The case runs of a topic on a stack, counted."""

    passed: int = 0
    failed: int = 0
    """Whether the expectations know of it or not."""
    known: int = 0
    """Of those that failed, how many the expectations list."""
    not_judged: int = 0
    """Inconclusive or error."""
    skipped: int = 0

    def take(self, case: CaseRecord) -> None:
        """Count a case run."""
        if case.verdict is Verdict.PASS:
            self.passed += 1
        elif case.verdict is Verdict.SKIPPED:
            self.skipped += 1
        elif case.verdict in _NOT_JUDGED:
            self.not_judged += 1
        else:
            self.failed += 1
            self.known += case.expected

    def text(self) -> Text:
        """``265 ✗124 ?2``: passed, failed, not judged; ``–`` where all were skipped, ``·`` where there was none."""
        if not (self.passed or self.failed or self.not_judged):
            return Text("–" if self.skipped else "·", "dim")
        parts = [Text(str(self.passed), "green" if self.passed else "dim")]
        if self.failed:
            parts.append(Text(f"✗{self.failed}", "red" if self.failed > self.known else "yellow"))
        if self.not_judged:
            parts.append(Text(f"?{self.not_judged}", "yellow"))
        return Text(" ").join(parts)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The cells by stack and topic, and what is to be said of each stack."""

    suts: Mapping[str, str]
    """By name its version."""
    cells: Mapping[str, Mapping[str, Cell]]
    totals: Mapping[str, Cell]
    absent: Mapping[str, str]
    """Stacks whose run did not come about, and why."""

    @classmethod
    def of(cls, results: Mapping[str, Results], absent: Mapping[str, str]) -> Matrix:
        """Of the results of each stack."""
        suts = {sut: read.run.suts[0].version if read.run.suts else "" for sut, read in results.items()}
        cells: dict[str, dict[str, Cell]] = {}
        totals: dict[str, Cell] = {}
        for sut, read in results.items():
            totals[sut] = Cell()
            for case in read.cases:
                cells.setdefault(topic(case.id)[0], {}).setdefault(sut, Cell()).take(case)
                totals[sut].take(case)
        return cls(suts, cells, totals, dict(absent))

    def table(self) -> Table:
        """Topics down, stacks across."""
        table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
        table.add_column("topic")
        for sut in self.suts:
            table.add_column(printable(sut), justify="right", no_wrap=True)
        for name in sorted(self.cells):
            table.add_row(name, *(self.cells[name].get(sut, Cell()).text() for sut in self.suts))
        table.add_section()
        table.add_row("all", *(self.totals[sut].text() for sut in self.suts))
        table.add_row("skipped", *(Text(str(self.totals[sut].skipped) if self.totals[sut].skipped else "·", "dim") for sut in self.suts))
        return table

    def show(self, stream: TextIO, seconds: float, again: str, interrupted: bool = False) -> None:
        """The table, what its signs mean, the versions, and what became of stacks that are not in it."""
        console = rich_console(stream, None)
        if self.suts:
            console.print(self.table())
            console.print()
            console.print(Text("passed ✗failed ?not judged; – skipped: the stack has not got what it takes", "dim"))
            for sut, version in self.suts.items():
                console.print(Text(f"{printable(sut)}: {printable(version)}"))
        for sut, reason in self.absent.items():
            console.print(Text(f"{printable(sut)} did not run: {printable(reason)}", "bold red"))
        runs = sum(cell.passed + cell.failed + cell.not_judged + cell.skipped for cell in self.totals.values())
        played = f"{counted(runs, 'case run', 'case runs')} on {counted(len(self.suts), 'stack', 'stacks')} in {seconds:.0f} s"
        console.print(Text(f"{'interrupted after ' if interrupted else ''}{played}; {again} shows why", "bold"))


def merge(results: Collection[Results], arguments: Sequence[str], seconds: float, interrupted: bool) -> Iterator[dict[str, Any]]:
    """The lines of one results file for all."""
    runs = [read.run for read in results]
    if not runs:
        return
    suts = tuple(sut for run in runs for sut in run.suts)
    yield asdict(replace(runs[0], suts=suts, arguments=tuple(arguments)))
    broken = {(one.file, one.line, one.column, one.message): one for read in results for one in read.broken}
    for one in broken.values():
        yield asdict(one)
    for read in results:
        for case in read.cases:
            yield asdict(case)
    yield asdict(
        _summary([read.summary for read in results if read.summary], len({one.file for one in broken.values()}), seconds, interrupted)
    )


def _summary(parts: Sequence[Summary], broken: int, seconds: float, interrupted: bool) -> Summary:
    verdicts: Counter[Verdict] = Counter()
    for part in parts:
        verdicts.update(part.verdicts)
    return Summary(
        verdicts={verdict: verdicts[verdict] for verdict in Verdict},
        violations=sum(part.violations for part in parts),
        deviations=sum(part.deviations for part in parts),
        unexpected=sum(part.unexpected for part in parts),
        broken_cases=broken,
        seconds=round(seconds, 3),
        interrupted=interrupted,
    )
