"""A run on a terminal or in a log: how far it is, then what needs a look, then what it came to.

rich leaves out colours where ``NO_COLOR`` is set, and all control codes where the stream is no terminal.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from conformance.report.amounts import counted
from conformance.report.comparison_table import comparison_blocks
from conformance.report.judgement import Judgement, judge, topic
from conformance.report.ladder import MARKS, Rerun, ladder, rerun
from conformance.report.layout import BROADEST, rich_console
from conformance.report.progress import LineProgress, LiveProgress, Progress
from conformance.report.safe_text import printable, sentence
from conformance.report.words import summary_sentence
from conformance.result import CaseResult, SutFacts

if TYPE_CHECKING:
    from conformance.case.errors import CaseError
    from conformance.report.comparison import Comparison

__all__ = ["Console"]

LIMIT = 5

EXPLAINED = (Judgement.VIOLATION, Judgement.DEVIATION, Judgement.ERROR, Judgement.INCONCLUSIVE)
"""What is shown with its exchange, the weightiest first."""

COLUMNS = {
    "pass": (Judgement.PASS, Judgement.UNEXPECTED_PASS),
    "fail": (Judgement.VIOLATION, Judgement.DEVIATION),
    "as expected": (Judgement.AS_EXPECTED,),
    "inconclusive": (Judgement.INCONCLUSIVE,),
    "error": (Judgement.ERROR,),
    "skipped": (Judgement.SKIPPED,),
}
"""Of the table by topic."""


class Console:
    """Shows a run as it goes, and what came of it.

    ``limit`` is the number of failures that are shown in full (None: all), ``command`` gives the command that runs a case
    alone, ``expectations`` the file with what is expected of a SUT, by its name. Use it as a context manager: then the
    terminal is left as it was however the run ends.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        width: int | None = None,
        limit: int | None = LIMIT,
        command: Rerun = rerun,
        expectations: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        stream = stream or sys.stdout
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._console = rich_console(stream, width)
        self._width = min(self._console.width, BROADEST)
        self._limit = limit
        self._command = command
        self._expectations = dict(expectations or {})
        self._clock = clock
        self._suts: list[str] = []
        self._progress: Progress | None = None

    # While it goes ----------------------------------------------------------------------------------------------------

    def start(self, total: int, suts: Sequence[SutFacts], seed: int | None = None, chosen: str = "") -> None:
        """``total`` case runs will follow; ``chosen`` says why on these stacks. Starts a thread; see :mod:`conformance.report.progress`."""
        if chosen:
            self._print(Text(printable(chosen), "dim"))
        self._suts = [sut.name for sut in suts]
        for sut in suts:
            chosen = "" if seed is None else f", seed {seed}"
            self._print(Text(f"{printable(sut.name)}: {printable(sut.version)}, states from {printable(sut.states_from)}{chosen}", "dim"))
        self._progress = (LiveProgress if self._live else LineProgress)(self._console, total, self._clock)
        self._progress.start()

    def running(self, case_id: str, sut: str) -> None:
        """This case run has begun."""
        if self._progress:
            self._progress.running(case_id, sut)

    def result(self, result: CaseResult) -> None:
        """This case run is over."""
        if self._progress:
            self._progress.result(result)

    def close(self) -> None:
        """Stop the display."""
        if self._progress:
            self._progress.stop()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Once it is over --------------------------------------------------------------------------------------------------

    def finish(
        self,
        results: Sequence[CaseResult],
        broken: Sequence[CaseError] = (),
        *,
        seconds: float,
        interrupted: bool = False,
        requirement_texts: Mapping[str, str] | None = None,
    ) -> None:
        """Show what the run came to."""
        self.close()
        self._explain(results, requirement_texts or {})
        self._unexpected_passes(results)
        for error in broken:
            self._print(Text.assemble(("✗ broken case file  ", "bold red"), printable_lines(str(error))))
        if results:
            self._console.print(_table(results, several=len(self._suts) > 1))
        total = self._progress.total if self._progress else None
        suts = self._suts or sorted({result.sut for result in results})
        words = summary_sentence(
            results,
            seconds,
            suts=suts,
            total=total,
            broken={error.file for error in broken},
            interrupted=interrupted,
            expectations=self._expectations,
        )
        self._print(Text(words, _style(results, broken, interrupted)))

    def compared(self, comparisons: Sequence[Comparison], sut: str, golden: str, errors: Sequence[str] = ()) -> None:
        """Show how the run compares with a recording; ``errors`` are what could not be read of it."""
        for block in comparison_blocks(comparisons, sut, golden, self._limit):
            self._console.print(block, width=self._width)
        for error in errors:
            self._print(Text.assemble(("✗ broken recording  ", "bold red"), printable(error)))

    def recorded(self, folder: str, runs: int, files: int, octets: int, unchanged: int, unjudged: int) -> None:
        """Say what was recorded; ``unchanged`` case runs are as they were, ``unjudged`` ones could not be judged and are not recorded."""
        left = f"; {unchanged} of them as they were" if unchanged else ""
        left += f"; {counted(unjudged, 'case run', 'case runs')} could not be judged and so not recorded" if unjudged else ""
        size = f"{octets / 1e6:.1f} MB" if octets >= 100_000 else f"{octets / 1e3:.1f} kB"
        words = f"{counted(runs, 'case run', 'case runs')} recorded in {counted(files, 'file', 'files')}, {size}: {printable(folder)}{left}"
        self._print(Text(words, "bold yellow" if unjudged else "bold"))

    def show(self, result: CaseResult, requirement_texts: Mapping[str, str] | None = None, *, most: int | None = None) -> None:
        """One case run in full."""
        self._console.print(ladder(result, requirement_texts, self._width, command=self._command, most=most), crop=False)

    def _explain(self, results: Sequence[CaseResult], requirement_texts: Mapping[str, str]) -> None:
        weighty = [result for judgement in EXPLAINED for result in results if judge(result) is judgement]
        shown = weighty[: self._limit]
        for result in shown:
            self._console.print(Rule(style="dim"), width=self._width)
            self._console.print(ladder(result, requirement_texts, self._width, command=self._command), crop=False)
        if len(shown) < len(weighty):
            self._print(Text(f"\n… and {counted(len(weighty) - len(shown), 'more', 'more')}, which --all shows.", "dim"))

    def _unexpected_passes(self, results: Sequence[CaseResult]) -> None:
        mark, style = MARKS[Judgement.UNEXPECTED_PASS]
        for result in results:
            if judge(result) is Judgement.UNEXPECTED_PASS:
                reason = f": {sentence(result.explanation)}" if result.explanation else ""
                self._print(
                    Text.assemble(
                        (f"{mark} passes, though expected not to  ", style),
                        f"{printable(result.case.id)} on {printable(result.sut)}{reason}",
                    )
                )

    def _print(self, text: Text) -> None:
        """A line that the terminal may break, but nobody else does."""
        self._console.print(text, soft_wrap=True)


def printable_lines(text: str) -> str:
    """``text``, which may have several lines, with escapes for control characters."""
    return "\n".join(map(printable, text.split("\n")))


def _style(results: Sequence[CaseResult], broken: Sequence[CaseError], interrupted: bool) -> str:
    judgements = {judge(result) for result in results}
    if broken or judgements & {Judgement.VIOLATION, Judgement.DEVIATION, Judgement.ERROR}:
        return "bold red"
    well = all(judgement.well for judgement in judgements) and not interrupted
    return "bold green" if well else "bold yellow"


def _table(results: Sequence[CaseResult], *, several: bool) -> Table:
    """The results by topic folder, and by SUT if there are several."""
    counts: dict[tuple[str, str], Counter[Judgement]] = {}
    for result in results:
        key = (result.sut if several else "", topic(result.case.id)[0] or ".")
        counts.setdefault(key, Counter())[judge(result)] += 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=len(counts) > 1, header_style="bold", footer_style="bold")
    whole: Counter[Judgement] = sum(counts.values(), Counter())
    if several:
        table.add_column("stack", footer="")
    table.add_column("topic", footer="all", overflow="fold")
    for heading, judgements in COLUMNS.items():
        table.add_column(heading, footer=_cell(whole, judgements), justify="right")
    for sut, folder in sorted(counts):
        names = [Text(printable(name)) for name in ((sut, folder) if several else (folder,))]
        table.add_row(*names, *(_cell(counts[sut, folder], judgements) for judgements in COLUMNS.values()))
    return table


def _cell(counts: Counter[Judgement], judgements: Sequence[Judgement]) -> Text:
    number = sum(counts[judgement] for judgement in judgements)
    return Text(str(number), MARKS[judgements[0]][1]) if number else Text("·", "dim")
