"""What a run says of itself, as the lines of a results file (see :mod:`conformance.report.json_lines`).

The fields of these classes *are* the schema; :func:`results_schema` gives it as JSON Schema.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from conformance import __version__
from conformance.report.comparison import Comparison
from conformance.result import CaseResult, Difference, Failure, SutFacts, Verdict

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from conformance.case.errors import CaseError

__all__ = ["SCHEMA", "Broken", "CaseRecord", "FailureRecord", "Record", "Run", "Summary", "line_schema", "record_type", "results_schema"]

SCHEMA = 1
"""Goes up when a reader of the old schema would misread the new one; a field more is no reason."""


def _machine() -> dict[str, str | int | bool]:
    return {
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "root": os.geteuid() == 0,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The first line: who ran what, where and when."""

    type: Literal["run"] = "run"
    schema: int = SCHEMA
    version: str = __version__
    started: str = field(default_factory=_now)
    """ISO 8601, UTC."""
    suts: tuple[SutFacts, ...] = ()
    machine: dict[str, str | int | bool] = field(default_factory=_machine)
    seed: int = 0
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord:
    """Why a verdict is not pass; see :class:`conformance.result.Failure`."""

    file: str
    line: int
    step: str
    expected: str
    actual: str
    reason: str
    why: str
    differences: tuple[Difference, ...] = ()

    @classmethod
    def of(cls, failure: Failure) -> FailureRecord:
        """The record of ``failure``."""
        return cls(
            file=failure.file,
            line=failure.line,
            step=failure.step,
            expected=failure.expected,
            actual=failure.actual,
            reason=failure.reason,
            why=failure.why,
            differences=failure.differences,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """A case run; see :class:`conformance.result.CaseResult`."""

    type: Literal["case"] = "case"
    id: str
    sut: str
    family: str
    verdict: Verdict
    expected: bool
    level: str
    requirements: tuple[str, ...]
    seconds: float
    attempts: int
    states_from: str
    failure: FailureRecord | None = None
    explanation: str = ""
    capture: str | None = None

    @classmethod
    def of(cls, result: CaseResult) -> CaseRecord:
        """The record of ``result``."""
        case = result.case
        return cls(
            id=case.id,
            sut=result.sut,
            family=case.family,
            verdict=result.verdict,
            expected=result.expected,
            level=case.level,
            requirements=tuple(case.requirements),
            seconds=round(result.seconds, 6),
            attempts=result.attempts,
            states_from=result.trace.states_from,
            failure=FailureRecord.of(result.failure) if result.failure else None,
            explanation=result.explanation,
            capture=result.capture,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A case file that could not be read."""

    type: Literal["broken"] = "broken"
    file: str
    line: int
    column: int
    message: str

    @classmethod
    def of(cls, error: CaseError) -> Broken:
        """The record of ``error``."""
        return cls(file=error.file, line=error.line, column=error.column, message=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The last line."""

    type: Literal["summary"] = "summary"
    verdicts: dict[Verdict, int]
    """All five, those that did not occur as 0."""
    violations: int
    """Failed MUSTs that the expectations do not list."""
    deviations: int
    """Failed SHOULDs and MAYs that the expectations do not list."""
    unexpected: int
    """Case runs whose verdict is not what the expectations say; violations and deviations are among them."""
    broken_cases: int
    seconds: float
    interrupted: bool = False

    @classmethod
    def of(cls, results: Sequence[CaseResult], broken: Collection[object], seconds: float, interrupted: bool = False) -> Summary:
        """Of a whole run."""
        verdicts = Counter(result.verdict for result in results)
        return cls(
            verdicts={verdict: verdicts[verdict] for verdict in Verdict},
            violations=_count(result.violation for result in results),
            deviations=_count(result.deviation for result in results),
            unexpected=_count(not result.expected for result in results),
            broken_cases=len(broken),
            seconds=round(seconds, 3),
            interrupted=interrupted,
        )


Record = Run | CaseRecord | Comparison | Broken | Summary


def _count(flags: Iterable[bool]) -> int:
    return sum(flags)


@cache
def record_type() -> TypeAdapter[Record]:
    """Reads a line of any type. (pydantic is not needed to write.)"""
    from typing import Annotated

    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Record, Field(discriminator="type")])


def results_schema() -> dict[str, Any]:
    """The JSON Schema of a line."""
    return line_schema(record_type(), "A line of a conformance results file")


def line_schema(record: TypeAdapter[Any], title: str) -> dict[str, Any]:
    """The JSON Schema of a line that is one of several records. Every field is always written, so all are required."""
    schema = record.json_schema(mode="serialization")
    for definition in schema["$defs"].values():
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}
