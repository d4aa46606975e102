"""The step that compares what other steps bound: check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.case.arithmetic import Rate
from conformance.case.steps import CheckStep
from conformance.result import Difference, Verdict

if TYPE_CHECKING:
    from conformance.engine.executor import Executor, Playing

__all__ = ["check"]


def check(play: Executor, step: CheckStep) -> Playing:
    """What the step says of its variables holds. It takes no time."""
    what, known = step.check, play.variables.grown()
    names = what.names.among(known)
    unbound = next((name for name in names if name not in known), None)
    if unbound is not None:
        raise play.stop(step, f"${unbound} has no value: nothing that came before bound it", verdict=Verdict.ERROR)
    used = {name: known[name] for name in names}
    problem = what.problem(used, play.case.tolerance) if isinstance(what, Rate) else what.problem(used)
    if problem is not None:
        wanted, actual = problem
        shown = ", ".join(f"${name} = {growth.value}" for name, growth in list(used.items())[:_SHOWN])
        reason = f"the variables say otherwise: {shown}" + (", …" if len(used) > _SHOWN else "")
        raise play.stop(step, reason, expected=wanted, actual=actual, differences=(Difference("check", wanted, actual),))
    yield from ()


_SHOWN = 16
"""Variables that a failure prints."""
