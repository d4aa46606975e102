"""A capture that shows a failure → a case that fails in the same way, to be shrunk as any other.

Two kinds of captures lead there. If the oracle finds a fault on the SUT's side when the capture is replayed against the stack, packets and
calls are left out of it as long as the oracle still finds that; the control plays what is left, and what it does makes the case, because
what the capture's own stack did is what is wrong. Else the capture itself makes the case: it is one of a stack that is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.capture.errors import CaptureError
from conformance.capture.import_settings import written_settings
from conformance.capture.import_story import StoryError
from conformance.capture.import_trace import story_of_trace
from conformance.capture.importing import case_data
from conformance.case.case import Case
from conformance.case.document import Document
from conformance.case.loader import load_document
from conformance.case.register import Register, load_register
from conformance.case.yaml_reader import read_yaml
from conformance.engine.import_session import ImportRequest, import_capture
from conformance.engine.replay_capture import Captured, read_captured
from conformance.engine.shrink_find import Failing
from conformance.engine.shrink_numbers import rewritten
from conformance.engine.shrink_play import Control, Limits, Player, passed
from conformance.engine.shrink_replay import Fault, Replays, actions
from conformance.engine.shrink_tree import Tree, mapped
from conformance.engine.signature import signature
from conformance.engine.status import UsageError
from conformance.report.amounts import counted
from conformance.result import CaseResult, Verdict
from conformance.trace import Trace

__all__ = ["CaptureShrinking"]

_QUIET = "300ms"
"""After what the control does last it is silent."""


@dataclass(slots=True)
class CaptureShrinking:
    """What it takes to come from a capture to a case."""

    file: Path
    cases: Path
    """The case folder, for its registers."""
    player: Player
    controls: Callable[[Case, Callable[[CaseResult], bool]], Sequence[Control]]
    """Those on which a case has a result as it has to be."""
    control: str
    """Their name, or ``none``."""
    limits: Limits
    better: Callable[[int], object]
    """Is told how many packets and calls are left."""
    connection: int | None = None
    sut_side: str = ""

    def failing(self) -> Failing:
        """The case that fails. Raises UsageError if the stack does nothing wrong with this capture, or nothing that a case could show."""
        captured = self._captured()
        register = load_register(self.cases)
        replays = Replays(captured, self.file.name)
        whole = replays.case(captured.trace)
        if whole is None:
            raise UsageError(f"{captured.name} cannot be replayed: there is nothing in it that a peer sent")
        fault = replays.fault(self._played(whole), self.player.sut)
        if fault is None:
            return self._as_it_is(captured, register)
        return self._by_oracle(captured, register, replays, fault)

    def _as_it_is(self, captured: Captured, register: Register) -> Failing:
        """The stack has to do what the capture shows."""
        if captured.faults:
            rule = captured.faults[0].rule
            said = f"the stack in it breaks {rule.requirement} ({rule.name}), and {self._sut} does not when it is replayed"
            raise UsageError(f"{captured.name} shows nothing that {self._sut} does wrong: {said}")
        imported = import_capture(ImportRequest(self.file, self.cases, self.connection, self.sut_side))
        failing = self._failing(read_yaml(imported.text).data, captured, register)
        if failing is None:
            raise UsageError(f"{captured.name} shows nothing that {self._sut} does wrong: it breaks no rule, and does the same")
        if self.control != "none" and not self.controls(failing.case, passed):
            other = f"{self._sut} does something else than {captured.name} shows, but so does {self.control}"
            raise UsageError(f"{other}: perhaps the stack took the other side (--sut-side), or the capture is right (--control none)")
        return failing

    def _by_oracle(self, captured: Captured, register: Register, replays: Replays, fault: Fault) -> Failing:
        """The stack has to do what the control does with what it takes for the oracle to find the same."""
        hurried = replace(replays, keep=False)
        case = hurried.case(captured.trace)
        if case is not None and hurried.fault(self._played(case), self.player.sut) == fault:
            replays = hurried
        small, control = replays.smallest(fault, self.player, self.controls, self.limits, self.better)
        right = None if control is None else replays.done_by(control, small)
        found = f"{self._sut} breaks {fault[0]} ({fault[1]}) with {captured.name}"
        if right is None:
            raise UsageError(f"{found}, but no control does what is right: so there is nothing that a case could expect")
        title = register[fault[0]].text if fault[0] in register else fault[1]
        for tree in _variants(self._written(right, captured, fault[0], title)):
            failing = self._failing(tree, captured, register)
            if failing is not None and self.controls(failing.case, passed):
                return failing
        raise UsageError(f"{found}, but what the control does instead makes no case that shows it")

    @property
    def _sut(self) -> str:
        return self.player.sut.name

    def _captured(self) -> Captured:
        try:
            return read_captured(self.file, self.connection, self.sut_side)
        except CaptureError as error:
            raise UsageError(str(error)) from None
        except ValueError as error:
            raise UsageError(f"{self.file}: {error}") from None

    def _played(self, case: Case) -> CaseResult:
        result = self.player.play([case])[0]
        if result is None or result.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.SKIPPED):
            why = f": its verdict is {result.verdict}: {result.failure.reason}" if result and result.failure else ""
            raise UsageError(f"{self.file} cannot be judged on {self._sut}{why}")
        return result

    def _written(self, trace: Trace, captured: Captured, requirement: str, title: str) -> Tree:
        """The case that expects what a trace shows."""
        try:
            tree, _ = case_data(story_of_trace(trace, written_settings(captured.config)), title, [requirement])
        except StoryError as error:
            raise UsageError(f"{captured.name}: {error}") from None
        return tree

    def _failing(self, tree: Tree, captured: Captured, register: Register) -> Failing | None:
        """How a case fails; None if it does not."""
        cases, errors = load_document(Document("import.yaml", "import.yaml", tree, {}, {}), register)
        if errors:
            raise UsageError(f"{captured.name} makes no case that can be played: {errors[0]}")
        (case,) = cases
        result = self._played(case)
        kind = signature(result)
        size = counted(len(actions(captured.trace)), "packet or call", "packets and calls")
        return None if kind is None else Failing(case, tree, result, kind, register, captured.name, size)


def _variants(tree: Tree) -> Iterator[Tree]:
    """A case, and cases that ask for more of what the control did: silence at the end, no options where there were none."""
    for one in (tree, mapped(tree, _without_options)):
        yield one
        yield {**one, "steps": [*one["steps"], {"silence": _QUIET}]}


def _without_options(step: Tree) -> Tree:
    if "expect" not in step:
        return step
    return rewritten(step, lambda segment: replace(segment, options=()) if segment.options is None else segment)
