"""The least of a capture that it takes for the oracle to find the same fault of a stack when that is replayed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from conformance.case.case import SECOND, Case
from conformance.engine.replay_capture import Captured
from conformance.engine.replay_case import ReplayOptions, replay_case
from conformance.engine.replay_judge import findings_about_sut
from conformance.engine.replay_suite import LINGER
from conformance.engine.shrink import most
from conformance.engine.shrink_play import Control, Judge, Limits, Player, passed
from conformance.oracle.finding import Finding, Verdict
from conformance.result import CaseResult
from conformance.sut.base import AnySut, VirtualSut
from conformance.trace import Called, Event, Received, Sent, Trace

__all__ = ["Fault", "Replays", "actions"]

Fault = tuple[str, str]
"""A requirement, and the rule of the oracle that is about it."""

_TIMES = 3
_LONGEST = 10 * SECOND
"""In real time."""


@dataclass(frozen=True, slots=True)
class Replays:
    """A capture as a case, whole or with some of it left out. Its verdict is pass: what counts is what the oracle says of its trace."""

    captured: Captured
    name: str
    """Of the file."""
    keep: bool = True
    """The peer and the callers wait as long as they did in the capture."""

    def case(self, trace: Trace, *, linger: int = LINGER) -> Case | None:
        """What replays ``trace``, which is some of the capture's; None if there is nothing left to play."""
        options = ReplayOptions(
            id=f"replay/{self.name}",
            title=f"A replay of {self.captured.name}",
            file=self.name,
            config=self.captured.config,
            octets=self.captured.octets,
            keep=self.keep,
            linger=linger,
            judged=False,
        )
        try:
            return replay_case(trace, options)
        except ValueError:
            return None

    def fault(self, result: CaseResult, sut: AnySut) -> Fault | None:
        """What is to be shown: a violation, one that the capture has too if there is such; else what is less, but in the capture."""
        known = {_fault(finding) for finding in self.captured.faults}
        found = _certain(result, sut)
        wanted = [one for one in found if one.verdict is Verdict.VIOLATION or _fault(one) in known]
        best = min(wanted, key=lambda one: (one.verdict is not Verdict.VIOLATION, _fault(one) not in known), default=None)
        return None if best is None else _fault(best)

    def smallest(
        self,
        fault: Fault,
        player: Player,
        controls: Callable[[Case, Callable[[CaseResult], bool]], Sequence[Control]],
        limits: Limits,
        better: Callable[[int], object],
    ) -> tuple[Trace, Control | None]:
        """What of the capture is needed, and a control that does not have the fault; None: there is none."""
        case = self.case(self.captured.trace)
        right = controls(case, lambda result: passed(result) and not has(result, fault, None)) if case else ()
        events = actions(self.captured.trace)

        def left(gone: Collection[int]) -> Trace:
            dropped = {id(events[index]) for index in gone}
            return replace(self.captured.trace, events=[event for event in self.captured.trace.events if id(event) not in dropped])

        judge: Judge[tuple[int, ...]] = Judge(
            lambda gone: self.case(left(gone)),
            player,
            right,
            lambda result: has(result, fault, player.sut),
            limits,
            lambda gone: better(len(events) - len(gone)),
            lambda result: passed(result) and not has(result, fault, None),
        )

        def first(choices: Iterable[Sequence[int]]) -> int | None:
            won = judge.first(tuple(sorted(one)) for one in choices)
            return None if won is None else won[0]

        return left(most(range(len(events) - 1, -1, -1), first)), (right[0] if right else None)

    def done_by(self, control: Control, trace: Trace) -> Trace | None:
        """What a stack that is right does with ``trace``, given the time for it."""
        case = self.case(trace, linger=_patience(trace, control.player.sut))
        result = control.result(case) if case else None
        return result.trace if result is not None and passed(result) else None


def has(result: CaseResult, fault: Fault, sut: AnySut | None) -> bool:
    """Does the oracle find it? With the usual slack if it is not known for what stack."""
    return any(_fault(one) == fault for one in _certain(result, sut))


def _certain(result: CaseResult, sut: AnySut | None) -> list[Finding]:
    if not passed(result):
        return []
    slack = 0 if isinstance(sut, VirtualSut) else None
    return [finding for finding in findings_about_sut(result.trace, slack) if finding.certain]


def _fault(finding: Finding) -> Fault:
    return finding.rule.requirement, finding.rule.name


def _patience(trace: Trace, sut: AnySut) -> int:
    """ns that are left to a stack that is right after the end of a capture: it may be one that takes twice as long for the next thing."""
    times = [event.t for event in trace.sorted()]
    longest = _TIMES * max((after - before for before, after in itertools.pairwise(times)), default=0)
    return LINGER + (longest if isinstance(sut, VirtualSut) else min(longest, _LONGEST))


def actions(trace: Trace) -> list[Event]:
    """What a trace can do without, in order."""
    return [event for event in trace.sorted() if isinstance(event, Sent | Received | Called)]
