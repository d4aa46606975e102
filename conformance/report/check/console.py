"""A check on a terminal or in a log: a line for each capture, then the connections that need a look, then what it came to."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from rich.rule import Rule
from rich.text import Text

from conformance.oracle.finding import Verdict
from conformance.report.amounts import counted, duration
from conformance.report.check.account import Account
from conformance.report.check.block import MARKS, VANTAGES, account_block, account_line, number
from conformance.report.check.excerpt import Excerpt
from conformance.report.check.summary import FileSummary
from conformance.report.layout import BROADEST, one_line, rich_console
from conformance.report.safe_text import printable, sentence

__all__ = ["CheckConsole"]

LISTED = 20
"""Connections that get a line each after those that are shown in full."""
REASONS = 4
"""Kinds of packets that were not read, by number."""

_WORDS = {
    Verdict.VIOLATION: ("violation", "violations"),
    Verdict.DEVIATION: ("deviation", "deviations"),
    Verdict.AMBIGUOUS: ("ambiguous", "ambiguous"),
}

Command = Callable[[Account], str]


class CheckConsole:
    """Shows a check. ``every``: all that is held against a connection that is shown, and what is ambiguous too."""

    def __init__(self, stream: TextIO | None = None, *, width: int | None = None, every: bool = False) -> None:
        self._console = rich_console(stream or sys.stdout, width)
        self._width = min(self._console.width, BROADEST)
        self._every = every

    def file(self, name: str, summary: FileSummary) -> None:
        """A capture has been read."""
        mark, style = MARKS[_worst(summary)]
        line = Text.assemble((f"{mark} {printable(name)}", style), f"  {_what(summary)}")
        if words := _findings(summary):
            line.append(f": {words}")
        self._print(line)
        for what in filter(None, (summary.truncated, summary.error)):
            self._print(Text(f"  {sentence(what)}", "bold yellow"))

    def connections(self, shown: Iterable[tuple[Account, Excerpt | None]], *, show: Command, again: Command) -> None:
        """Those that are shown in full; ``show`` and ``again`` give the commands that say more about one."""
        for account, excerpt in shown:
            self._console.print(Rule(style="dim"), width=self._width)
            block = account_block(account, excerpt, self._width, show=show(account), again=again(account), every=self._every)
            self._console.print(block, crop=False)

    def others(self, accounts: Sequence[Account], forgotten: int) -> None:
        """Those that are not: a line for each of the first, and their number. ``forgotten`` are further ones of which no more is known."""
        if not accounts and not forgotten:
            return
        self._console.print(Rule(style="dim"), width=self._width)
        for account in accounts[:LISTED]:
            self._print(account_line(account))
        if more := len(accounts[LISTED:]) + forgotten:
            self._print(Text(f"… and {number(more)} more, which --json FILE has in full.", "dim"))

    def finish(
        self, total: FileSummary, files: int, broken: int, seconds: float, *, interrupted: bool = False, asked: bool = False,
        commands: Sequence[tuple[str, str]] = (),
    ) -> None:  # fmt: skip
        """What it came to. ``asked``: the vantage was given, not told from the packets; ``commands`` say more, each with what it is for."""
        self._console.print(Rule(style="dim"), width=self._width)
        for label, value in _facts(total, asked):
            self._print(Text.assemble((f"  {label:<11}", "dim"), value))
        for label, command in commands:
            self._print(one_line(label, printable(command)))
        words = f"{'interrupted: ' * interrupted}{_what(total)} of {counted(files, 'file', 'files')} in {duration(seconds)}: "
        parts = [_findings(total) or "nothing found"]
        if broken:
            parts.append(counted(broken, "file cannot be read", "files cannot be read"))
        bad = broken or total.findings[Verdict.VIOLATION] or total.findings[Verdict.DEVIATION]
        style = "bold red" if bad else "bold yellow" if interrupted or total.findings[Verdict.AMBIGUOUS] else "bold green"
        self._print(Text(words + ", ".join(parts), style))

    def _print(self, text: Text) -> None:
        """A line that the terminal may break, but nobody else does."""
        self._console.print(text, soft_wrap=True)


def _worst(summary: FileSummary) -> Verdict:
    return next((verdict for verdict in Verdict if summary.verdicts[verdict]), Verdict.CONFORMS)


def _what(summary: FileSummary) -> str:
    """``1,204 packets, 3 connections``."""
    packets = f"{number(summary.packets)} {'packet' if summary.packets == 1 else 'packets'}"
    return f"{packets}, {number(summary.connections)} {'connection' if summary.connections == 1 else 'connections'}"


def _findings(summary: FileSummary) -> str:
    """``2 violations and 1 deviation in 1 connection, 4 ambiguous``; empty if there are none."""
    certain = [f"{number(count)} {_WORDS[verdict][count != 1]}" for verdict in list(_WORDS)[:2] if (count := summary.findings[verdict])]
    parts = []
    if certain:
        connections = summary.verdicts[Verdict.VIOLATION] + summary.verdicts[Verdict.DEVIATION]
        parts.append(f"{' and '.join(certain)} in {number(connections)} {'connection' if connections == 1 else 'connections'}")
    if count := summary.findings[Verdict.AMBIGUOUS]:
        parts.append(f"{number(count)} ambiguous")
    return ", ".join(parts)


def _facts(total: FileSummary, asked: bool) -> Iterable[tuple[str, str]]:
    """What somebody who reads the verdicts should know about the captures."""
    if total.connections:
        places = [f"{VANTAGES[vantage]} {number(total.vantages[vantage])}" for vantage in VANTAGES if total.vantages[vantage]]
        yield "captured", ", ".join(places) + (" (as asked)" if asked else " (as the packets suggest; --vantage says otherwise)")
    if total.unjudged:
        yield "in part", f"{number(total.unjudged.total())} not judged in full: {_most(total.unjudged)}"
    if total.unread:
        yield "unread", f"{number(total.unread.total())} packets: {_most(total.unread)}"
    if total.offloaded or total.wrong:
        yield "checksums", f"{number(total.wrong)} wrong, {number(total.offloaded)} left to the hardware that sent them"


def _most(counts: Counter[str]) -> str:
    """``10 not TCP, 2 cut off``: the most frequent."""
    named = counts.most_common(REASONS)
    rest = counts.total() - sum(count for _, count in named)
    return ", ".join([f"{number(count)} {sentence(reason)}" for reason, count in named] + ([f"{number(rest)} others"] if rest else []))
