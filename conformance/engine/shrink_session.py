"""``conformance shrink``: from what was asked for on the command line to the smallest case that still fails, and an exit status."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.case.case import Case
from conformance.case.yaml_writer import write_case
from conformance.engine.interruption import Interruption
from conformance.engine.shrink import shrink
from conformance.engine.shrink_find import Failing, cut, find_failing, is_capture
from conformance.engine.shrink_play import Control, Judge, Limits, Player, like, passed, patience_of, tree_loader
from conformance.engine.shrink_tree import Tree, count_played, plain
from conformance.engine.status import Exit, UsageError
from conformance.report.amounts import counted
from conformance.report.files import unwritable, write_report
from conformance.report.safe_text import sentence
from conformance.report.shrinking import ShrinkProgress
from conformance.result import CaseResult
from conformance.sut import registry
from conformance.sut.base import VirtualSut

__all__ = ["ShrinkRequest", "run"]

_PROFILES = ("rfc", "linux")
"""Of the reference stack: where an RFC leaves a choice both are right."""
_NO_FILE = "FILE"
"""The name of a case that goes to standard output."""


@dataclass(frozen=True, slots=True)
class ShrinkRequest:
    """What to shrink, and how long to try."""

    what: str
    """A case's id or file, or a capture."""
    cases: Path
    """The case folder."""
    sut: str = ""
    control: str = "reference"
    """The stack on which the smaller case has to pass; ``none``: there is none."""
    output: str = "-"
    most_runs: int = 2000
    minutes: float = 5
    jobs: int = 16
    seed: int = 0
    connection: int | None = None
    """Of a capture, from 1."""
    sut_side: str = ""
    """Of a capture: ``client`` or ``server``; empty: as it says, else the server."""


def run(request: ShrinkRequest) -> int:
    """Shrink, write the smallest case, and give the exit status.

    Raises UsageError, CaseError and EnvironmentFault before there is anything to write.
    """
    _check(request)
    with Interruption() as interruption, contextlib.ExitStack() as stack:
        # Both stacks before any thread: Linux may need a user namespace, which a process with threads does not get.
        sut = registry.make(request.sut) if request.sut else registry.choose()[0]
        stack.callback(sut.close)
        other = None if request.control in (sut.name, "none") else registry.make(request.control)
        if other is not None:
            stack.callback(other.close)
        player = stack.enter_context(Player(sut, jobs=request.jobs, seed=request.seed))
        control = player if other is None else stack.enter_context(Player(other, jobs=request.jobs, seed=request.seed))
        limits = Limits(request.most_runs, request.minutes * 60)
        failing = _failing(request, player, control, limits, interruption)
        return _Shrinking(request, player, _controls(request, control, failing.case), failing, interruption, limits).run()


def _check(request: ShrinkRequest) -> None:
    if request.sut and (reason := registry.unknown(request.sut)):
        raise UsageError(reason)
    if request.control != "none" and (reason := registry.unknown(request.control)):
        raise UsageError(f"the control: {reason}, or none")
    if request.sut_side not in ("", "client", "server"):
        raise UsageError(f"--sut-side {request.sut_side}: client or server")
    if request.output != "-" and (reason := unwritable(request.output)):
        raise UsageError(f"-o {request.output} cannot be written: {reason}")


def _controls(request: ShrinkRequest, player: Player, case: Case, passes: Callable[[CaseResult], bool] = passed) -> list[Control]:
    """The control as often as it may make other choices, where the case passes on it."""
    if request.control == "none":
        return []
    profiles = _PROFILES if request.control == "reference" and "profile" not in case.config else (None,)
    results = ((control := Control(player, profile), control.result(case)) for profile in profiles)
    return [control for control, result in results if result is not None and passes(result)]


def _failing(request: ShrinkRequest, player: Player, control: Player, limits: Limits, interruption: Interruption) -> Failing:
    """The case to shrink."""
    file = Path(request.what)
    if not file.is_file() or not is_capture(file):
        return find_failing(request.cases, request.what, player)
    from conformance.engine.shrink_capture import CaptureShrinking  # numpy and much else, which a case does without

    progress = ShrinkProgress("packets and calls")

    def stop() -> None:
        limits.stopped = True  # what is played is soon over, and a case has still to be made of what is left

    interruption.listen(stop)
    found = CaptureShrinking(
        file,
        request.cases,
        player,
        lambda case, passes: _controls(request, control, case, passes),
        request.control,
        limits,
        lambda left: progress.show(left, limits.runs),
        request.connection,
        request.sut_side,
    ).failing()
    progress.end()
    return found


@dataclass(slots=True)
class _Shrinking:
    """A search that is going on."""

    request: ShrinkRequest
    player: Player
    controls: Sequence[Control]
    failing: Failing
    interruption: Interruption
    limits: Limits
    best: Tree = field(init=False)
    progress: ShrinkProgress = field(init=False)
    steady: bool = True
    """It fails each time."""

    def __post_init__(self) -> None:
        self.best = self.failing.tree
        self.progress = ShrinkProgress("steps", count_played(self.best["steps"]))

    def run(self) -> int:
        """The search, and what comes of it."""
        self._warn()
        load = tree_loader(f"{self._name()}.yaml", self.failing.register)
        judge = Judge(load, self.player, self.controls, like(self.failing.signature, self.controls), self.limits, self._better)
        if not isinstance(self.player.sut, VirtualSut):
            judge.patience = patience_of(self.failing.result)
        self.interruption.listen(self._stop)
        self._begin(judge)
        judge.know(self.best)
        shrink(self.best, judge.first)
        self.interruption.listen(None)
        self.progress.end()
        write_report(self.request.output, write_case(self.best, self._comment()))
        self._say_what_was_done()
        if self.interruption.signal:
            return 128 + self.interruption.signal
        return Exit.VIOLATIONS if self._in_doubt else Exit.AS_REQUIRED

    def _begin(self, judge: Judge[Tree]) -> None:
        """What is behind the step that fails goes at once, and what is for readers of the whole."""
        tree = self.failing.tree
        if judge.first([plain(cut(self.failing)), plain(tree), tree]) is None and not self.limits.over:
            self.steady = False
            _say(f"{self.failing.name} does not fail in the same way every time, so that hardly anything can be left out")

    @property
    def _in_doubt(self) -> bool:
        """Does nothing show that the failure is the stack's, though it should: the case fails on the control, or not every time?"""
        return not self.steady or (not self.controls and self.request.control not in ("none", self.player.sut.name))

    def _warn(self) -> None:
        if not self.controls and self.request.control != "none":
            why = "is the stack that fails" if self.request.control == self.player.sut.name else "does not pass it either"
            _say(f"{self.request.control} {why}: nothing shows that the smaller case would pass on a stack that is right")

    def _better(self, tree: Tree) -> None:
        self.best = tree
        self.progress.show(count_played(tree["steps"]), self.limits.runs)

    def _stop(self) -> None:
        self.limits.stopped = True
        for player in (self.player, *(control.player for control in self.controls)):
            player.stop()

    def _name(self) -> str:
        """What the case will be called, without its suffix: its random choices depend on it."""
        return Path(self.request.output).stem if self.request.output != "-" else _NO_FILE

    def _comment(self) -> str:
        """What stands at the top of the file: what it was, how it fails, who vouches for it, and how to run it."""
        failing, facts = self.failing, self.player.sut.facts()
        failure = failing.result.failure
        assert failure is not None
        differences = ", ".join(f"{one.field}: expected {one.expected}, got {one.actual}" for one in failure.differences)
        lines = [
            f"Shrunk from {failing.name}: {self._steps}.",
            f"That fails on {facts.name} {facts.version} at `{failure.step}`: {failure.reason}"
            + (f" ({differences})" if differences else "")
            + "; this fails in the same way.",
            *([f"It passes on {' and on '.join(control.name for control in self.controls)}."] if self.controls else []),
            self._command(),
        ]
        return "\n".join(sentence(line) for line in lines)

    @property
    def _steps(self) -> str:
        return f"{self.failing.size} → {count_played(self.best['steps'])}" + (" steps" if "step" not in self.failing.size else "")

    def _command(self) -> str:
        """What plays the case that is written."""
        words = ["conformance", "run"]
        if self.request.cases != Path("cases"):
            words += ["--cases", str(self.request.cases)]
        words += ["--sut", self.player.sut.name, "--slow" * ("slow" in self.best.get("tags", ()))]
        return shlex.join([*filter(None, words), _NO_FILE if self.request.output == "-" else self.request.output])

    def _say_what_was_done(self) -> None:
        why = "interrupted: " if self.interruption.signal else "" if not self.limits.over else "the search was ended: "
        where = "" if self.request.output == "-" else f"; {self._command()}"
        _say(f"{why}{self._steps}, {counted(self.limits.runs, 'run', 'runs')} in {self.limits.took:.1f} s{where}")


def _say(text: str) -> None:
    print(f"conformance: {sentence(text)}", file=sys.stderr)
