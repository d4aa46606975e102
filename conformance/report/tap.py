"""TAP 14 (testanything.org): a test point for each case run, what failed in a YAML block, expected failures as ``TODO``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import yaml

from conformance.report.files import write_report
from conformance.report.judgement import Judgement, judge
from conformance.report.records import CaseRecord, Run
from conformance.report.safe_text import printable, sentence
from conformance.result import CaseResult

if TYPE_CHECKING:
    from conformance.case.errors import CaseError

__all__ = ["tap_text", "write_tap"]

_POINTS = {
    Judgement.PASS: ("ok", ""),
    Judgement.AS_EXPECTED: ("not ok", "TODO"),
    Judgement.SKIPPED: ("ok", "SKIP"),
}
"""All others are ``not ok``, without a directive."""


def write_tap(
    path: str | os.PathLike[str], results: Sequence[CaseResult], run: Run, broken: Sequence[CaseError] = (), interrupted: bool = False
) -> None:
    """Write the report; ``-`` is standard output."""
    write_report(path, tap_text(results, run, broken, interrupted))


def tap_text(results: Sequence[CaseResult], run: Run, broken: Sequence[CaseError] = (), interrupted: bool = False) -> str:
    """The report."""
    return "\n".join(_lines(results, run, broken, interrupted)) + "\n"


def _lines(results: Sequence[CaseResult], run: Run, broken: Sequence[CaseError], interrupted: bool) -> Iterator[str]:
    yield "TAP version 14"
    yield f"1..{len(results) + len(broken)}"
    yield f"# conformance {run.version}, seed {run.seed}"
    for sut in run.suts:
        yield f"# {printable(sut.name)}: {printable(sut.version)}"
    for number, result in enumerate(results, 1):
        yield from _point(number, result, name_sut=len(run.suts) > 1)
    for number, error in enumerate(broken, len(results) + 1):
        yield f"not ok {number} - {_escaped(error.file)}"
        yield from _diagnostics({"message": str(error), "severity": "broken case file", "at": {"file": error.file, "line": error.line}})
    if interrupted:
        yield "Bail out! interrupted"


def _point(number: int, result: CaseResult, name_sut: bool) -> Iterator[str]:
    judgement = judge(result)
    word, directive = _POINTS.get(judgement, ("not ok", ""))
    name = f"{result.sut}: {result.case.id}" if name_sut else result.case.id
    line = f"{word} {number} - {_escaped(name)}"
    reason = result.failure.reason if result.failure else ""
    if directive:
        line += f" # {directive} {_escaped(sentence(result.explanation or reason))}".rstrip()
    yield line
    if judgement not in (Judgement.PASS, Judgement.SKIPPED):
        yield from _diagnostics(_facts(result, judgement))


def _facts(result: CaseResult, judgement: Judgement) -> dict[str, object]:
    """What the YAML block says; the names that the specification gives come first."""
    record = CaseRecord.of(result)
    facts: dict[str, object] = {"message": result.case.title, "severity": str(judgement)}
    if record.failure:
        failure = asdict(record.failure)
        facts |= {
            "at": {"file": failure.pop("file"), "line": failure.pop("line")},
            **failure,
        }
    facts |= {
        "explanation": record.explanation,
        "level": record.level,
        "requirements": list(record.requirements),
        "capture": record.capture,
        "attempts": record.attempts,
        "duration_ms": round(record.seconds * 1000, 3),
    }
    return {name: value for name, value in facts.items() if value not in ("", None, (), [])}


def _diagnostics(facts: dict[str, object]) -> Iterator[str]:
    yield "  ---"
    for line in yaml.safe_dump(_shown(facts), sort_keys=False, allow_unicode=True, width=1 << 20).splitlines():
        yield "  " + line
    yield "  ..."


def _shown(value: object) -> object:
    """``value`` with every text in it on one line and without control characters."""
    match value:
        case str():
            return sentence(value)
        case dict():
            return {name: _shown(item) for name, item in value.items()}
        case list() | tuple():
            return [_shown(item) for item in value]
        case _:
            return value


def _escaped(text: str) -> str:
    """A description: ``#`` begins a directive, and a backslash escapes."""
    return printable(text).replace("\\", "\\\\").replace("#", "\\#")
