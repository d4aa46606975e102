"""What holds on every trace, whatever its case asks for: the oracle judges each case run that passes, so that a case also checks what its
author did not think of."""

from __future__ import annotations

from conformance.case.errors import CaseError
from conformance.case.expectations import Expectations
from conformance.engine.replay_judge import findings_about_sut
from conformance.oracle.rules import RULES
from conformance.result import CaseResult, Failure, Verdict
from conformance.trace import Received, Sent

__all__ = ["LONG", "hold", "is_long", "unknown_rules"]

LONG = 60
"""Frames from which on to judge a trace takes so long that cases which are being played would notice."""


def is_long(result: CaseResult) -> bool:
    """Should it be judged when no case is being played?"""
    return result.verdict is Verdict.PASS and sum(isinstance(event, Sent | Received) for event in result.trace.events) > LONG


def unknown_rules(expectations: Expectations) -> list[CaseError]:
    """What is wrong with entries about rules that the oracle has not."""
    return [
        CaseError("an invariant", entry.file, entry.line, found=entry.rule, expected="a rule of the oracle", allowed=tuple(RULES))
        for entry in expectations.invariants
        if entry.rule not in RULES
    ]


def hold(result: CaseResult, expectations: Expectations, slack: int | None = None) -> None:
    """Fail a case run that passed, if the oracle is certain that the stack broke a rule which it is not known to break there.

    Args:
        result: becomes a fail, with the rule's level.
        expectations: of the SUT.
        slack: as :class:`~conformance.oracle.judge.Judge` has it; 0 on a virtual clock.
    """
    if result.verdict is not Verdict.PASS:
        return
    case = result.case
    for finding in findings_about_sut(result.trace, slack):
        rule = finding.rule
        if finding.certain and not expectations.knows(rule.name, case.id):
            result.verdict = Verdict.FAIL
            result.failure = Failure(
                case.file, 1, f"invariant: {rule.name}", f"{rule.requirement}: {finding.reason}",
                expected=rule.says, actual=f"packet {finding.packet}", level=rule.level,
            )  # fmt: skip
            return
