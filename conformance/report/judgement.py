"""What a verdict means once the expectations for its SUT have been asked: the one classification that all reports share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from conformance.result import CaseResult, Verdict

__all__ = ["Judgement", "judge", "tally", "topic"]


class Judgement(StrEnum):
    """Ordered from what is well to what needs a look first."""

    PASS = "pass"
    AS_EXPECTED = "as expected"
    """Does not pass, and the expectations say so."""
    SKIPPED = "skipped"
    UNEXPECTED_PASS = "unexpected pass"
    """Passes, but the expectations say that it does not."""
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    DEVIATION = "deviation"
    """A SHOULD or a MAY failed that the expectations do not list."""
    VIOLATION = "violation"
    """A MUST failed that the expectations do not list."""

    @property
    def well(self) -> bool:
        """Nothing to look at."""
        return self in (Judgement.PASS, Judgement.AS_EXPECTED, Judgement.SKIPPED)


_UNEXPECTED = {
    Verdict.PASS: Judgement.UNEXPECTED_PASS,
    Verdict.FAIL: Judgement.DEVIATION,
    Verdict.INCONCLUSIVE: Judgement.INCONCLUSIVE,
    Verdict.ERROR: Judgement.ERROR,
    Verdict.SKIPPED: Judgement.SKIPPED,
}
_EXPECTED = {Verdict.PASS: Judgement.PASS, Verdict.SKIPPED: Judgement.SKIPPED}


def judge(result: CaseResult) -> Judgement:
    """Where ``result`` stands."""
    if result.violation:
        return Judgement.VIOLATION
    if result.expected:
        return _EXPECTED.get(result.verdict, Judgement.AS_EXPECTED)
    return _UNEXPECTED[result.verdict]


def tally(results: Iterable[CaseResult]) -> Counter[Judgement]:
    """How many results there are of each judgement."""
    return Counter(map(judge, results))


def topic(case_id: str) -> tuple[str, str]:
    """The folder of a case and its name in it. Parameters, in brackets, may hold slashes too."""
    path, bracket, parameters = case_id.partition("[")
    folder, _, name = path.rpartition("/")
    return folder, name + bracket + parameters
