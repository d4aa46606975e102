"""One case run explained: what was exchanged, what was expected and came instead, which rule says so, how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from conformance.report.exchange import draw_exchange
from conformance.report.judgement import Judgement, judge
from conformance.report.layout import indented, labelled, one_line
from conformance.report.safe_text import printable, sentence
from conformance.result import CaseResult, Failure

__all__ = ["MARKS", "Rerun", "ladder", "ladder_text", "rerun"]

MARKS = {
    Judgement.PASS: ("✓", "green"),
    Judgement.AS_EXPECTED: ("✓", "cyan"),
    Judgement.SKIPPED: ("-", "dim"),
    Judgement.UNEXPECTED_PASS: ("!", "bold yellow"),
    Judgement.INCONCLUSIVE: ("?", "yellow"),
    Judgement.ERROR: ("✗", "bold yellow"),
    Judgement.DEVIATION: ("✗", "bold red"),
    Judgement.VIOLATION: ("✗", "bold red"),
}
"""The sign and the style of each judgement."""

MOST_ROWS = 60

Rerun = Callable[[CaseResult], str]


def rerun(result: CaseResult) -> str:
    """The command that runs this case alone."""
    return f"conformance run cases -k {shlex.quote(result.case.id)}"


def ladder(
    result: CaseResult,
    requirement_texts: Mapping[str, str] | None = None,
    width: int = 80,
    *,
    command: Rerun = rerun,
    most: int | None = MOST_ROWS,
) -> RenderableType:
    """``result`` for a rich console, laid out for ``width`` columns.

    ``requirement_texts`` says in a sentence what each requirement asks; ``most`` limits the rows of the exchange.
    Print it with ``crop=False``: the command is one line however long it is, so that it can be copied.
    """
    failure = result.failure
    parts: list[RenderableType] = list(_heading(result))
    if result.trace.events:
        missing = f"line {failure.line}: {sentence(failure.step)}" if failure else ""
        parts += ["", *draw_exchange(result.trace, width, missing=missing, most=most)]
    if failure:
        parts += ["", *_failure(failure)]
    parts += ["", *_references(result, requirement_texts or {}, command)]
    return Group(*parts)


def ladder_text(result: CaseResult, requirement_texts: Mapping[str, str] | None = None, width: int = 80, *, command: Rerun = rerun) -> str:
    """The same as plain text."""
    console = Console(file=StringIO(), width=width, force_terminal=False, color_system=None, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(ladder(result, requirement_texts, width, command=command), crop=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _heading(result: CaseResult) -> Iterator[RenderableType]:
    judgement = judge(result)
    mark, style = MARKS[judgement]
    line = Text.assemble((f"{mark} {printable(result.case.id)}", f"bold {style}"), f"   {judgement}", overflow="fold")
    level = result.failure.level if result.failure and result.failure.level else result.case.level
    details = [level, f"on {printable(result.sut)}"]
    if result.attempts > 1:
        details.append(f"{result.attempts} attempts")
    yield line.append("   " + "   ".join(details), "dim")
    yield indented(Text(sentence(result.case.title)))


def _failure(failure: Failure) -> Iterator[RenderableType]:
    step = Text.assemble((f"✗ line {failure.line}: ", "bold red"), (sentence(failure.step), "bold"), overflow="fold")
    yield indented(step)
    yield indented(Text(sentence(failure.reason)))
    if failure.why:
        yield indented(Text(f"why: {sentence(failure.why)}", "italic"))
    for label, text in (("expected", failure.expected), ("actual", failure.actual)):
        if text:
            yield labelled(label, printable(text))
    if failure.differences:
        yield ""
        yield _differences(failure)


def _differences(failure: Failure) -> RenderableType:
    """What was expected against what came, field by field."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("field", "expected", "actual"):
        table.add_column(heading, overflow="fold")
    for difference in failure.differences:
        table.add_row(
            Text(printable(difference.field)), Text(printable(difference.expected), "green"), Text(printable(difference.actual), "red")
        )
    return indented(table)


def _references(result: CaseResult, requirement_texts: Mapping[str, str], command: Rerun) -> Iterator[RenderableType]:
    rules = Table.grid(padding=(0, 2, 0, 0))
    rules.add_column(style="bold", no_wrap=True)
    rules.add_column(overflow="fold")
    for requirement in result.case.requirements:
        rules.add_row(Text(printable(requirement)), Text(sentence(requirement_texts.get(requirement, ""))))
    yield indented(rules)
    failure = result.failure
    place = f"{failure.file}:{failure.line}" if failure else result.case.file
    yield labelled("case", printable(place))
    for label, value in (("explained", sentence(result.explanation)), ("capture", printable(result.capture or ""))):
        if value:
            yield labelled(label, value)
    yield one_line("again", printable(command(result)))
