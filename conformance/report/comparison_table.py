"""A run beside a recording on a terminal: how many case runs are the same, in what the others differ, and the first of these in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich import box
from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from conformance.report.amounts import counted
from conformance.report.comparison import Comparison, DifferenceRecord, Outcome
from conformance.report.layout import indented, labelled
from conformance.report.safe_text import printable, sentence

__all__ = ["comparison_blocks"]

_WORDS = {
    Outcome.SAME: ("the same", "green"),
    Outcome.HARMLESS: ("differ harmlessly", "green"),
    Outcome.OTHER: ("other segments or times, same verdict", "cyan"),
    Outcome.VERDICT: ("another verdict", "bold yellow"),
    Outcome.ONLY_HERE: ("only here", "dim"),
    Outcome.ONLY_THERE: ("only in the recording", "dim"),
}
_SHOWN = (Outcome.VERDICT, Outcome.OTHER)
"""What is shown in full, the weightiest first."""
_KINDS = 8
"""Sorts of differences that are counted by name."""
_CASES = 4
"""Cases that are named of those that say nothing but that they are there."""
_ROWS = 6
"""Sorts of differences of a case run that are shown."""


def comparison_blocks(comparisons: Sequence[Comparison], sut: str, golden: str, limit: int | None) -> Iterator[RenderableType]:
    """What to print; ``limit`` is the number of case runs that are shown side by side."""
    weighty = [one for outcome in _SHOWN for one in comparisons if one.outcome is outcome and not one.varies]
    for one in weighty[:limit]:
        yield Rule(style="dim")
        yield from _side_by_side(one)
    if weighty:
        yield Rule(style="dim")
    if limit is not None and len(weighty) > limit:
        yield Text(f"… and {len(weighty) - limit} more that differ, which --all shows and --json has.", "dim")
    yield Text(f"\n{printable(sut)} beside {printable(golden)}", "bold")
    yield _outcomes(comparisons)


def _outcomes(comparisons: Sequence[Comparison]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for outcome, (words, style) in _WORDS.items():
        these = [one for one in comparisons if one.outcome is outcome and not one.varies]
        if these:
            table.add_row(Text(str(len(these)), style), words, _TOLD.get(outcome, _sorts)(these))
    if varying := [one for one in comparisons if one.varies]:
        table.add_row(Text(str(len(varying)), "green"), "differ as the recorded stack does from run to run", _names(varying))
    if changed := [one for one in comparisons if one.changed]:
        table.add_row(Text(str(len(changed)), "bold yellow"), "of these have changed since they were recorded", _names(changed))
    return table


def _sorts(comparisons: Sequence[Comparison]) -> str:
    """``window 1900, PSH 210``: in how many case runs each differs."""
    counts = Counter(what for one in comparisons for what in sorted({difference.what for difference in one.differences}))
    named = ", ".join(f"{printable(what)} {number}" for what, number in counts.most_common(_KINDS))
    return named + (f", {counted(len(counts) - _KINDS, 'other', 'others')}" if len(counts) > _KINDS else "")


def _names(comparisons: Sequence[Comparison]) -> str:
    """``data/a, data/b, 3 others``: whose runs they are."""
    names = list(dict.fromkeys(one.id.partition("[")[0] for one in comparisons))
    shown = ", ".join(map(printable, names[:_CASES]))
    return shown + (f", {counted(len(names) - _CASES, 'other', 'others')}" if len(names) > _CASES else "")


def _verdicts(comparisons: Sequence[Comparison]) -> str:
    """``fail there and pass here 318``."""
    counts = Counter(f"{one.golden_verdict or 'none'} there and {one.verdict or 'none'} here" for one in comparisons)
    return ", ".join(f"{words} {number}" for words, number in counts.most_common())


_TOLD: Mapping[Outcome, Callable[[Sequence[Comparison]], str]] = {
    Outcome.VERDICT: _verdicts,
    Outcome.ONLY_HERE: _names,
    Outcome.ONLY_THERE: _names,
}
"""What is said of an outcome but for the sorts of differences."""


def _side_by_side(one: Comparison) -> Iterator[RenderableType]:
    words = f"{one.golden_verdict} there, {one.verdict} here" if one.outcome is Outcome.VERDICT else f"{one.verdict} on both"
    style = "bold yellow" if one.outcome is Outcome.VERDICT else "bold cyan"
    yield Text.assemble((f"≠ {printable(one.id)}", style), f"   {words}", overflow="fold")
    if one.changed:
        yield indented(Text("The case has changed since it was recorded.", "bold yellow"))
    for name, reason in ((one.golden, one.golden_reason), (one.sut, one.reason)):
        if reason:
            yield labelled(printable(name), sentence(reason))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("difference", one.golden, one.sut):
        table.add_column(printable(heading), overflow="fold")
    sorts: dict[str, list[DifferenceRecord]] = {}
    for difference in one.differences:
        sorts.setdefault(difference.what, []).append(difference)
    for what, (first, *others) in list(sorts.items())[:_ROWS]:
        there, here = (_place(text, number) for text, number in _sides(first))
        table.add_row(Text(printable(what) + (f" ×{len(others) + 1}" if others else ""), _STYLES[first.kind]), Text(there), Text(here))
    if sorts:
        yield indented(table)
    if len(sorts) > _ROWS:
        yield indented(Text(f"… and {counted(len(sorts) - _ROWS, 'other sort', 'other sorts')}", "dim"))


_STYLES = {"harmless": "", "allowed": "cyan", "violation": "yellow"}


def _sides(difference: DifferenceRecord) -> Iterator[tuple[str, int | None]]:
    yield difference.expected, difference.expected_packet
    yield difference.actual, difference.actual_packet


def _place(text: str, number: int | None) -> str:
    """``#4 window 65160``: the packet's number, and what it has."""
    return printable(f"{'' if number is None else f'#{number} '}{text}") if text else "–"
