"""``conformance show``: a case as it is played."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.case.case import Case
from conformance.case.loader import Suite
from conformance.case.selection import selector
from conformance.case.steps import AnyOrderStep, EitherStep, OptionalStep, RepeatStep, SeriesStep, Step
from conformance.report.safe_text import printable

__all__ = ["show_cases"]


def show_cases(suite: Suite, expression: str) -> int:
    """Print the cases whose id fits ``expression``. Returns an exit status: 2 if there is none."""
    wanted = selector(expression)
    cases = [case for case in suite.cases if wanted(case.id)]
    console = Console(highlight=False, markup=False)
    for number, case in enumerate(cases):
        if number:
            console.rule(style="dim")
        _show(console, case, suite)
    if not cases:
        errors = Console(stderr=True, highlight=False, markup=False)
        for error in suite.errors:
            errors.print(printable(str(error)), soft_wrap=True)
        errors.print(f"conformance: no case fits {expression!r}; `conformance list` shows them all", soft_wrap=True)
    return 0 if cases else 2


def _show(console: Console, case: Case, suite: Suite) -> None:
    console.print(Text(case.id, "bold"), Text(case.file, "dim"))
    console.print(Text(case.title))
    if case.description:
        console.print()
        console.print(Text(case.description.strip()))
    console.print()
    for identity in case.requirements:
        requirement = suite.register[identity]
        console.print(Text(f"{identity}  {requirement.level}  ", "cyan").append(requirement.text, "default"))
    for name, value in case.config.items():
        console.print(Text(f"config  {name}: {value}", "yellow"))
    console.print()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for step in case.steps:
        _rows(table, step, 0)
    console.print(table)


def _rows(table: Table, step: Step, depth: int) -> None:
    where = f"{step.source.file}:{step.source.line}"
    table.add_row(Text(where, "dim"), Text("  " * depth + step.source.text, "dim" if step.preamble else ""), Text(step.why, "italic"))
    match step:
        case AnyOrderStep() | OptionalStep() | SeriesStep():
            inner: tuple[Step, ...] = step.steps
        case EitherStep():
            inner = tuple(one for branch in step.branches for one in branch)
        case RepeatStep():
            inner = step.rounds[0] if step.rounds else ()
        case _:
            inner = ()
    for one in inner:
        _rows(table, one, depth + 1)
