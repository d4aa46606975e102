"""How far a run is: a live display on a terminal, lines in a log. Both say at once what needs a look.

Either has a thread of its own, so that time passes on the screen while the run waits. It starts in :meth:`Progress.start`: what
must be done while the process has one thread only, such as entering a user namespace, comes before that.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from threading import Event, Thread

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from conformance.report.amounts import duration
from conformance.report.judgement import Judgement, judge
from conformance.report.ladder import MARKS
from conformance.report.safe_text import printable, sentence
from conformance.report.words import tally_words
from conformance.result import CaseResult

__all__ = ["LineProgress", "LiveProgress", "Progress"]

LINE_EVERY = 5.0
REFRESHES = 4
"""A second. Drawing takes time from the tester, whose own lateness makes verdicts inconclusive."""
BAR = 24


class Progress(ABC):
    """What the two displays have in common: the count, and what is being waited for."""

    def __init__(self, console: Console, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._started = clock()
        self._running: dict[tuple[str, str], float] = {}
        self.total = total
        self.counts: Counter[Judgement] = Counter()

    @abstractmethod
    def start(self) -> None:
        """Begin to show."""

    @abstractmethod
    def stop(self) -> None:
        """Show no more; may be called twice."""

    def running(self, case_id: str, sut: str) -> None:
        """This case run has begun."""
        self._running[case_id, sut] = self._clock()

    def result(self, result: CaseResult) -> None:
        """This case run is over."""
        self._running.pop((result.case.id, result.sut), None)
        judgement = judge(result)
        self.counts[judgement] += 1
        if not judgement.well:
            self._console.print(_line(result, judgement), soft_wrap=True)

    def _so_far(self) -> str:
        words = ", ".join(tally_words(dict(self.counts)))
        so_far = f"{self.counts.total()} of {self.total} in {duration(self._clock() - self._started)}"
        return f"{so_far}: {words}" if words else so_far

    def _waiting(self) -> str:
        """What has been running for the longest, and for how long. (Copied first: another thread may be at it.)"""
        running = list(self._running.items())
        if not running:
            return ""
        (case_id, sut), since = running[0]
        others = f", and {len(running) - 1} more" if len(running) > 1 else ""
        return f"waiting for {printable(case_id)} on {printable(sut)} ({duration(self._clock() - since)}){others}"


class LiveProgress(Progress):
    """A bar and two lines that stay at the foot of a terminal, and go away."""

    def start(self) -> None:
        """Begin to show."""
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def stop(self) -> None:
        """Show no more."""
        self._live.stop()

    def _render(self) -> Group:
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_row(
            ProgressBar(total=max(self.total, 1), completed=self.counts.total(), width=BAR),
            Text(self._so_far(), no_wrap=True, overflow="ellipsis"),
        )
        return Group(line, Text(self._waiting(), "dim", no_wrap=True, overflow="ellipsis"))


class LineProgress(Progress):
    """A line every few seconds, without control codes."""

    def start(self) -> None:
        """Begin to show."""
        self._over = Event()
        Thread(target=self._tick, name="progress", daemon=True).start()

    def stop(self) -> None:
        """Show no more."""
        self._over.set()

    def _tick(self) -> None:
        while not self._over.wait(LINE_EVERY):
            self.line()

    def line(self) -> None:
        """Print where the run is."""
        self._console.print(Text("; ".join(filter(None, (self._so_far(), self._waiting())))), soft_wrap=True)


def _line(result: CaseResult, judgement: Judgement) -> Text:
    mark, style = MARKS[judgement]
    reason = sentence(result.failure.reason if result.failure else result.explanation)
    text = Text.assemble((f"{mark} {judgement}", style), f"  {printable(result.case.id)} on {printable(result.sut)}")
    return text.append(f": {reason}") if reason else text
