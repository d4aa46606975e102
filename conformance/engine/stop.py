"""How a step says that the case cannot go on."""

from __future__ import annotations

from conformance.case.steps import Step
from conformance.result import Verdict


class Stop(Exception):
    """``step`` did not hold.

    ``late`` is by how many ns the tester may have made it look so, ``margin`` how many ns lie between what came and what
    would have held, if time is all that is wrong: a tester that was late by less is not to blame.
    """

    def __init__(self, step: Step, verdict: Verdict, reason: str, details: dict[str, object], late: int = 0, margin: int = 0) -> None:
        super().__init__(reason)
        self.step, self.verdict, self.reason, self.details = step, verdict, reason, details
        self.late, self.margin = late, margin
