"""Verdicts, and what is known about a case run once it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from conformance.case.case import Case
from conformance.trace import Trace

if TYPE_CHECKING:
    from conformance.case.expectations import Expectation  # pydantic, which writers of results need not load

__all__ = ["CaseResult", "Difference", "Failure", "SutFacts", "Verdict"]


class Verdict(StrEnum):
    """ISO 9646's verdicts."""

    PASS = "pass"
    FAIL = "fail"
    """The SUT broke the requirement."""
    INCONCLUSIVE = "inconclusive"
    """Nothing can be said: the tester was late, or a preamble did not reach its state."""
    ERROR = "error"
    """The case, the SUT's program or the machine broke."""
    SKIPPED = "skipped"
    """The SUT lacks a feature that the case needs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which what came differs from what was expected."""

    field: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a verdict is not pass: the step, and what was expected and came instead."""

    file: str
    line: int
    step: str
    """The step as it is written in the case."""
    reason: str
    """One sentence."""
    expected: str = ""
    actual: str = ""
    why: str = ""
    """The case's own sentence (``why:``)."""
    differences: tuple[Difference, ...] = ()
    level: str = ""
    """``MUST`` or ``SHOULD``, where it is not the case's requirement that was broken; empty: the case's."""
    index: int | None = None
    """The step's index, as the events of the trace carry it."""


@dataclass(slots=True)
class CaseResult:
    """A case run and its verdict: that of the last attempt."""

    case: Case
    sut: str
    verdict: Verdict
    seconds: float
    attempts: int = 1
    failure: Failure | None = None
    trace: Trace = field(default_factory=Trace)
    expected: bool = True
    """Is this verdict what the expectations for this SUT say (without an entry: pass or skipped)?"""
    explanation: str = ""
    """The reason that the expectations give, if there is an entry; where that stands, if it is wrong."""
    capture: str | None = None
    """The pcapng of this run, if one was written."""

    def hold_against(self, expectation: Expectation | None) -> None:
        """Say whether this verdict is the one that the expectations for the SUT list; without an entry pass and skipped are expected."""
        if expectation is None:
            self.expected, self.explanation = self.verdict in (Verdict.PASS, Verdict.SKIPPED), ""
        else:
            step = self.failure.step if self.failure else ""
            self.expected, self.explanation = expectation.foretells(self.verdict, step), expectation.reason
            if self.verdict is Verdict.PASS and not self.expected:
                self.explanation = f"{expectation.file}:{expectation.line} expects {expectation.verdict}: {expectation.reason}"

    @property
    def violation(self) -> bool:
        """A failed MUST that the expectations do not list."""
        return self.verdict is Verdict.FAIL and self._level == "MUST" and not self.expected

    @property
    def deviation(self) -> bool:
        """A failed SHOULD or MAY that the expectations do not list."""
        return self.verdict is Verdict.FAIL and self._level != "MUST" and not self.expected

    @property
    def _level(self) -> str:
        return self.failure.level if self.failure and self.failure.level else self.case.level


@dataclass(frozen=True, slots=True)
class SutFacts:
    """What a result says of a SUT: its name, version, where its states come from, and its settings."""

    name: str
    version: str
    states_from: str
    settings: dict[str, str] = field(default_factory=dict)
