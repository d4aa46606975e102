"""The results file: JSON Lines, written and flushed a line at a time, so that a run that is killed leaves what it found.

==============  =============================================================================================================
type            fields
==============  =============================================================================================================
``run``         first, once. ``schema`` (1), ``version`` of the tester, ``started`` (ISO 8601), ``suts`` (each ``name``,
                ``version``, ``states_from``, ``settings``), ``machine`` (``python``, ``kernel``, ``architecture``, ``cpus``,
                ``root``), ``seed``, ``arguments``
``case``        a case run. ``id``, ``sut``, ``family``, ``verdict`` (pass, fail, inconclusive, error, skipped), ``expected``
                (is it what the expectations say), ``level``, ``requirements``, ``seconds``, ``attempts``, ``states_from``,
                ``failure`` (null, or ``file``, ``line``, ``step``, ``expected``, ``actual``, ``reason``, ``why``,
                ``differences``: each ``field``, ``expected``, ``actual``), ``explanation`` (the expectations' reason),
                ``capture`` (a pcapng file, or null)
``comparison``  a case run beside a recording (``--against``), behind all case runs. ``id``, ``sut``, ``golden`` (the recording),
                ``outcome`` (same, harmless, other, verdict, only here, only there), ``verdict`` and ``golden_verdict`` (or null),
                ``reason`` and ``golden_reason`` (why they are not pass), ``differences`` (each ``kind``: harmless, allowed,
                violation, ``what``, ``reason``, ``expected``: there, ``actual``: here, ``expected_packet``, ``actual_packet``,
                ``connection``), ``more`` (differences that are not listed)
``broken``      a case file that cannot be read. ``file``, ``line``, ``column``, ``message``
``summary``     last, once, unless the run was killed. ``verdicts`` (verdict → number), ``violations``, ``deviations``,
                ``unexpected``, ``broken_cases``, ``seconds``, ``interrupted``
==============  =============================================================================================================

All but ASCII is written as escapes, so a file that is shown on a terminal does nothing to it. The same as JSON Schema:
:func:`conformance.report.records.results_schema`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.report.comparison import Comparison
from conformance.report.lines import Lines
from conformance.report.records import SCHEMA, Broken, CaseRecord, Record, Run, Summary, record_type
from conformance.result import CaseResult

if TYPE_CHECKING:
    from conformance.case.errors import CaseError

__all__ = ["JsonLines", "Results", "ResultsError", "read_results"]


class ResultsError(ValueError):
    """A file is not a results file that this version can read; says which line, and why."""


class JsonLines(Lines):
    """Writes a results file; ``-`` is standard output."""

    def start(self, run: Run) -> None:
        """The first line."""
        self._write(run)

    def case(self, result: CaseResult) -> None:
        """A case run is over."""
        self._write(CaseRecord.of(result))

    def comparison(self, comparison: Comparison) -> None:
        """A case run, held beside a recording."""
        self._write(comparison)

    def broken(self, error: CaseError) -> None:
        """A case file cannot be read."""
        self._write(Broken.of(error))

    def finish(self, summary: Summary) -> None:
        """The last line."""
        self._write(summary)
        self.close()

    def _write(self, record: Record) -> None:
        self._line(asdict(record))


@dataclass(slots=True)
class Results:
    """A results file, read."""

    run: Run
    cases: list[CaseRecord] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    summary: Summary | None = None
    """None: the run was killed."""
    truncated: bool = False
    """The last line was cut off, and left out."""

    def add(self, record: Record, where: str) -> None:
        """Take in the record that stands at ``where``."""
        match record:
            case CaseRecord():
                self.cases.append(record)
            case Comparison():
                self.comparisons.append(record)
            case Broken():
                self.broken.append(record)
            case Summary():
                self.summary = record
            case Run():
                raise ResultsError(f"{where}: a second run begins here; each run needs a results file of its own")


def read_results(path: str | os.PathLike[str]) -> Results:
    """Read a results file, of a run that was killed as well."""
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        return _read(os.fspath(path), file)


def _read(name: str, lines: Iterable[str]) -> Results:
    values = _values(name, lines)
    try:
        where, first = next(values)
    except StopIteration:
        raise ResultsError(f"{name}: holds no results") from None
    run = _run(where, first)
    results = Results(run)
    for where, value in values:
        if value is _CUT_OFF:
            results.truncated = True
        else:
            results.add(_record(where, value), where)
    return results


_CUT_OFF = object()


def _values(name: str, lines: Iterable[str]) -> Iterator[tuple[str, object]]:
    """Each line's place and value; ``_CUT_OFF`` for a last line that lacks its end."""
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        try:
            value = json.loads(line)
        except ValueError as error:
            if line.endswith("\n"):
                raise ResultsError(f"{where}: not a line of JSON: {error}") from None
            value = _CUT_OFF
        yield where, value


def _run(where: str, value: object) -> Run:
    if not isinstance(value, dict) or value.get("type") != "run":
        raise ResultsError(f"{where}: not a results file: its first line is not the one that says type: run")
    schema = value.get("schema")
    if schema != SCHEMA:
        raise ResultsError(
            f"{where}: schema {schema}, written by conformance {value.get('version')}; this version reads schema {SCHEMA} only"
        )
    run = _record(where, value)
    assert isinstance(run, Run)
    return run


def _record(where: str, value: object) -> Record:
    from pydantic import ValidationError

    try:
        return record_type().validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{where}: {place or 'line'}: {first['msg']}, found {first['input']!r:.60}") from None
