"""What ``conformance coverage`` prints: a line a standard, then what no case covers."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.case.coverage import OUTCOMES, CoverageError, StandardCoverage, coverage, fallen
from conformance.case.listing import Listing, list_suite
from conformance.case.register import Register, load_register
from conformance.report.amounts import counted
from conformance.report.json_lines import Results, read_results
from conformance.report.safe_text import printable

__all__ = ["show_coverage"]


def show_coverage(cases: Path, results: Path | None, against: Path | None, *, as_json: bool, reasons: bool) -> int:
    """Print the coverage of a case folder. Returns 0; 1 if it fell below ``against``, 2 if a file of it is broken.

    Raises CoverageError and ResultsError for records that are none.
    """
    register, listing = load_register(cases), list_suite(cases)
    errors = [*register.errors, *listing.errors]
    for error in errors:
        print(error, file=sys.stderr)
    run = read_results(results) if results else None
    standards = coverage(register, listing.cases, run.cases if run else None)
    if as_json:
        print(json.dumps({standard.rfc: standard.record() for standard in standards}, indent=2))
    else:
        _show(standards, run, reasons)
    without = _without_requirement(register, listing)
    for id in without:
        print(f"conformance: {printable(id)} tests no requirement that a register has", file=sys.stderr)
    less = _less(against, standards) if against else []
    for line in less:
        print(f"conformance: {against}: coverage fell: {printable(line)}", file=sys.stderr)
    return 2 if errors or without else 1 if less else 0


def _without_requirement(register: Register, listing: Listing) -> list[str]:
    """Case runs that name no requirement of any register."""
    return [case.id for case in listing.cases if not any(id in register for id in case.requirements)]


def _less(earlier: Path, standards: Sequence[StandardCoverage]) -> list[str]:
    """What is covered less than in an earlier record."""
    try:
        return list(fallen(json.loads(earlier.read_text(encoding="utf-8")), standards))
    except ValueError as error:  # JSONDecodeError and CoverageError
        raise CoverageError(f"{earlier}: {error}") from None


def _show(standards: Sequence[StandardCoverage], run: Results | None, reasons: bool) -> None:
    console = Console(highlight=False)
    console.print(_table(standards, run))
    console.print()
    if run:
        suts = " and ".join(printable(f"{sut.name} {sut.version}") for sut in run.run.suts)
        console.print(Text(f"Outcomes: {suts}, {counted(len(run.cases), 'case run', 'case runs')}, {run.run.started[:16]}Z", "dim"))
    requirements = [requirement for standard in standards for requirement in standard.requirements]
    uncovered = {requirement.id for standard in standards for requirement in standard.uncovered}
    missing = [(one.id, one.level, one.text) for one in requirements if one.id in uncovered]
    _list(console, ("requirement has no case", "requirements have no case"), missing)
    if reasons:
        unobservable = [(one.id, one.level, one.unobservable) for one in requirements if one.unobservable]
        _list(console, ("requirement cannot be observed", "requirements cannot be observed"), unobservable)


def _table(standards: Sequence[StandardCoverage], run: Results | None) -> Table:
    outcomes = OUTCOMES if run else ()
    table = Table(box=None, padding=(0, 2, 0, 0) if not run else (0, 1, 0, 0))
    table.add_column("standard", no_wrap=True)
    for name in ("total", "observable", "covered", "", *outcomes):
        table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True)
    for standard in standards:
        _row(table, standard.rfc, [standard], outcomes)
    _row(table, "in all", standards, outcomes)
    return table


def _row(table: Table, name: str, standards: Sequence[StandardCoverage], outcomes: Sequence[str]) -> None:
    observable, covered = (sum(len(getattr(one, kind)) for one in standards) for kind in ("observable", "covered"))
    share = Text(f"{covered * 100 // observable} %" if observable else "-", "green" if covered == observable else "yellow")
    told = [(outcome, sum(one.count(outcome) for one in standards)) for outcome in outcomes]
    cells = [Text(str(number), _STYLES.get(outcome, "") if number else "dim") for outcome, number in told]
    table.add_row(name, str(sum(len(one.requirements) for one in standards)), str(observable), str(covered), share, *cells)


_STYLES = {"failed": "red", "not judged": "yellow"}


def _list(console: Console, what: tuple[str, str], lines: Sequence[tuple[str, str, str]]) -> None:
    """One line each, however long: in a log they are searched, not read."""
    if not lines:
        return
    console.print(Text(f"{counted(len(lines), *what)}:", "bold"))
    longest = max(len(id) for id, _, _ in lines)
    for id, level, text in lines:
        console.print(Text(f"{id:{longest}}  {level:10}  {text}"), soft_wrap=True)
