"""Validated steps → the steps of :mod:`conformance.case.steps`, with their places; repetitions are unrolled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from conformance.case import step_models as models
from conformance.case import steps
from conformance.case.document import Data, Document, Path
from conformance.case.errors import CaseError
from conformance.case.fields import given_fields
from conformance.case.parameters import Substitution
from conformance.case.problems import problems
from conformance.case.steps import Source, Step

__all__ = ["StepBuilder"]

_STEPS: TypeAdapter[list[Any]] = TypeAdapter(list[models.StepModel])

_LEAVES: Mapping[type[models.StepBase], Callable[[Any, dict[str, Any]], Step]] = {
    models.CallModel: lambda m, c: steps.CallStep(call=m.call, **c),
    models.StartModel: lambda m, c: steps.StartStep(call=m.start, **c),
    models.FinishModel: lambda m, c: steps.FinishStep(name=m.finish[0], result=m.finish[1], **c),
    models.InjectModel: lambda m, c: steps.InjectStep(segment=m.inject, fields=given_fields(m.with_), **c),
    models.ExpectModel: lambda m, c: steps.ExpectStep(segment=m.expect, fields=given_fields(m.with_), **c),
    models.InjectIcmpModel: lambda m, c: steps.InjectIcmpStep(icmp=m.inject_icmp, fields=given_fields(m.with_), **c),
    models.ExpectIcmpModel: lambda m, c: steps.ExpectIcmpStep(icmp=m.expect_icmp, fields=given_fields(m.with_), **c),
    models.SilenceModel: lambda m, c: steps.SilenceStep(duration=m.silence, **c),
    models.StateModel: lambda m, c: steps.StateStep(socket=m.state[0], state=m.state[1], **c),
    models.StatesModel: lambda m, c: steps.StatesStep(socket=m.states[0], states=m.states[1], **c),
    models.SockoptModel: lambda m, c: steps.SockoptStep(socket=m.sockopt[0], name=m.sockopt[1], value=m.sockopt[2], **c),
    models.InfoModel: lambda m, c: steps.InfoStep(socket=m.info[0], values=m.info[1], **c),
    models.CheckModel: lambda m, c: steps.CheckStep(check=m.check, **c),
}
"""From a model and what all steps have in common."""

_FIRST: Mapping[str, tuple[type[Step], ...]] = {
    "any_order": (steps.ExpectStep,),
    "optional": (steps.ExpectStep,),
    "either": (steps.ExpectStep, steps.ExpectIcmpStep, steps.SilenceStep),
}
"""What a group may begin with, since that decides whether and how it is done; ``any_order`` holds nothing else."""
_KIND_OF_STEP: Mapping[type[Step], str] = {
    steps.ExpectStep: "expect", steps.ExpectIcmpStep: "expect_icmp", steps.SilenceStep: "silence",
}  # fmt: skip


@dataclass(slots=True)
class StepBuilder:
    """Builds the steps of one file, as one combination of parameters has them."""

    document: Document
    errors: list[CaseError]
    preamble: bool = False
    left: int = models.MAX_STEPS
    """How many steps the case may still have."""

    def build(self, step_models: Sequence[models.StepBase], data: Sequence[Data], path: Path) -> tuple[Step, ...]:
        """The steps; ``data`` is what the file says of them at ``path``, parameters replaced."""
        built = []
        for index, (model, raw) in enumerate(zip(step_models, data, strict=True)):
            self.left -= 1
            if self.left < 0:
                if self.left == -1:
                    limit = models.MAX_STEPS
                    error = CaseError("too many steps", found=f"more than {limit}", expected=f"at most {limit} a case")
                    self.errors.append(self.document.error((*path, index), error))
                break
            built.append(self._step(model, raw, (*path, index)))
        return tuple(step for step in built if step is not None)

    def _step(self, model: models.StepBase, raw: dict[str, Any], path: Path) -> Step | None:
        kind = next(key for key in raw if key in models.STEP_MODELS)
        common = self._common(model, raw, kind, path)
        inner = (*path, kind)
        match model:
            case models.AnyOrderModel():
                members = self.build(model.any_order, raw[kind], inner)
                self._check_first("any_order", members, inner)
                return steps.AnyOrderStep(steps=members, **common)
            case models.OptionalModel():
                members = self.build(model.optional, raw[kind], inner)
                self._check_first("optional", members[:1], inner)
                return steps.OptionalStep(steps=members, **common)
            case models.EitherModel():
                branches = []
                for index, branch in enumerate(model.either):
                    branches.append(self.build(branch, raw[kind][index], (*inner, index)))
                    self._check_first("either", branches[-1][:1], (*inner, index))
                return steps.EitherStep(branches=tuple(branches), **common)
            case models.RepeatModel():
                return steps.RepeatStep(rounds=self._rounds(model.repeat, inner), **common)
        return _LEAVES[type(model)](model, common)

    def _common(self, model: models.StepBase, raw: dict[str, Any], kind: str, path: Path) -> dict[str, Any]:
        line, column = self.document.place(path)
        said = raw[kind] if not isinstance(raw[kind], (dict, list)) else "…"
        return {
            "source": Source(self.document.relative, line, column, f"{kind}: {said}"),
            "on": getattr(model, "on", "default"),
            "after": getattr(model, "after", None),
            "within": getattr(model, "within", None),
            "why": model.why,
            "preamble": self.preamble,
        }

    def _check_first(self, group: str, members: Sequence[Step], path: Path) -> None:
        allowed = _FIRST[group]
        for index, member in enumerate(members):
            if not isinstance(member, allowed):
                where = "holds only" if group == "any_order" else "begins with"
                names = tuple(_KIND_OF_STEP[kind] for kind in allowed)
                error = CaseError(f"{group} {where} what it can compare", found=member.source.text.split(":")[0], allowed=names)
                self.errors.append(self.document.error((*path, index), error))

    def _rounds(self, body: models.RepeatBody, path: Path) -> tuple[tuple[Step, ...], ...]:
        """Each round's steps, read anew with its ``$i``."""
        rounds = []
        for number in range(body.times):
            if self.left < 0:
                break
            substitution = Substitution({"i": number}, shadowed=True)
            data = substitution.data(body.steps, (*path, "steps"))
            self.errors.extend(self.document.error(where, mistake) for where, mistake in substitution.mistakes)
            try:
                rounds.append(self.build(_STEPS.validate_python(data), data, (*path, "steps")))
            except ValidationError as invalid:
                self.errors.extend(problems(invalid, models.RepeatBody, self.document, data, (*path, "steps")))
                break
        return tuple(rounds)
