"""How a step says that the case cannot go on."""

from __future__ import annotations

from conformance.case.steps import Step
from conformance.result import Verdict


class Stop(Exception):
    """``step`` did not hold. ``late``: ns by which the tester may have made it look so."""

    def __init__(self, step: Step, verdict: Verdict, reason: str, details: dict[str, object], late: int = 0) -> None:
        super().__init__(reason)
        self.step, self.verdict, self.reason, self.details, self.late = step, verdict, reason, details, late
