"""What each kind of step looks like in a file, as pydantic models: they check, and they give the JSON Schema.

A notation's field holds what it means, not its text: ``InjectModel.inject`` is a :class:`SegmentPattern`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, SkipValidation, Tag

from conformance.case import notation_types as types
from conformance.case.base import Base, Name
from conformance.case.document import shown
from conformance.case.errors import CaseError
from conformance.case.fields import ExpectFields, ExpectIcmpFields, InjectFields, InjectIcmpFields

__all__ = [
    "MAX_STEPS", "STEP_MODELS", "AnyOrderModel", "CallModel", "CheckModel", "EitherModel", "ExpectIcmpModel", "ExpectModel", "FinishModel",
    "InfoModel", "InjectIcmpModel", "InjectModel", "OptionalModel", "RepeatBody", "RepeatModel", "SilenceModel", "SockoptModel",
    "StartModel", "StateModel", "StatesModel", "StepBase", "StepModel", "kind_of",
]  # fmt: skip

MAX_STEPS = 5_000
"""In a case, its preambles and each round of its repetitions counted."""

# Steps: siblings ------------------------------------------------------------------------------------------------------


class StepBase(Base):
    """What every step may say."""

    why: str = Field("", description="the sentence that a failure prints")


class _OnConnection(StepBase):
    on: Name = Field("default", description="the connection, if it is not the default one")


class _Done(_OnConnection):
    after: types.Wait = None


class _Within(_OnConnection):
    within: types.Duration = Field(None, description="it happens at most that long after the event before")


class _Awaited(_Within):
    after: types.Timing = None


# Steps: kinds ---------------------------------------------------------------------------------------------------------


class CallModel(_Done):
    """A socket call that must not block."""

    call: types.Call


class StartModel(_Done):
    """A socket call that blocks; the step ends when the caller sleeps in it."""

    start: types.Start


class FinishModel(_Awaited):
    """What a call that was started returns."""

    finish: types.Finish


class InjectModel(_Done):
    """A segment from the peer."""

    inject: types.Inject
    with_: InjectFields | None = Field(None, alias="with", description="fields that differ from a healthy peer's")


class ExpectModel(_Awaited):
    """The next segment from the SUT on this connection."""

    expect: types.Expect
    with_: ExpectFields | None = Field(None, alias="with", description="fields below and around TCP to compare")


class InjectIcmpModel(_Done):
    """An ICMP or ICMPv6 message to the SUT."""

    inject_icmp: types.InjectIcmp
    with_: InjectIcmpFields | None = Field(None, alias="with", description="fields that differ from a healthy host's")


class ExpectIcmpModel(_Awaited):
    """The next ICMP or ICMPv6 message from the SUT."""

    expect_icmp: types.ExpectIcmp
    with_: ExpectIcmpFields | None = Field(None, alias="with", description="fields around the message to compare")


class SilenceModel(_OnConnection):
    """The SUT sends nothing on this connection for that long."""

    silence: types.Silence


class StateModel(_Within):
    """The state of a socket, or of the connection."""

    state: types.State
    after: types.Wait = None


class StatesModel(_Done):
    """The transitions made since the step before, in order."""

    states: types.States


class SockoptModel(StepBase):
    """A socket option's value."""

    sockopt: types.Sockopt
    after: types.Wait = None


class InfoModel(StepBase):
    """Figures of TCP_INFO."""

    info: types.Info
    after: types.Wait = None


class CheckModel(StepBase):
    """What holds of the variables that steps before bound."""

    check: types.Check


class AnyOrderModel(StepBase):
    """Expected segments that may come in any order."""

    any_order: list[StepModel] = Field(min_length=1, description="expect steps, matched in whatever order the segments come")


class EitherModel(StepBase):
    """The first branch whose first step fits."""

    either: list[Annotated[list[StepModel], Field(min_length=1)]] = Field(
        min_length=2, description="branches: the first counts whose first step (expect, expect_icmp, silence) fits"
    )


class OptionalModel(StepBase):
    """Done if the next segment fits the first step."""

    optional: list[StepModel] = Field(min_length=1, description="steps that are done if the next segment fits the first, an expect")


def _steps_to_repeat(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        raise CaseError(found=shown(value), expected="a list of steps")
    return value


class RepeatBody(Base):
    """How often, and what."""

    times: int = Field(ge=1, le=MAX_STEPS, description="how often")
    steps: Annotated[SkipValidation[list[StepModel]], BeforeValidator(_steps_to_repeat)] = Field(description="what; $i counts from 0")
    """As the file says it: each round is checked once ``$i`` has its value."""


class RepeatModel(StepBase):
    """Steps over and over; ``$i`` counts from 0."""

    repeat: RepeatBody = Field(description="how often, and what; $i counts from 0")


STEP_MODELS: dict[str, type[StepBase]] = {
    "call": CallModel, "start": StartModel, "finish": FinishModel, "inject": InjectModel, "expect": ExpectModel,
    "inject_icmp": InjectIcmpModel, "expect_icmp": ExpectIcmpModel, "silence": SilenceModel, "state": StateModel, "states": StatesModel,
    "sockopt": SockoptModel, "info": InfoModel, "check": CheckModel, "any_order": AnyOrderModel, "either": EitherModel,
    "optional": OptionalModel, "repeat": RepeatModel,
}  # fmt: skip
"""The key that names a kind of step, and its model."""


def kind_of(value: Any) -> str | None:
    """The kind of a step in a file: the one key of :data:`STEP_MODELS` that it has."""
    kinds = [key for key in value if key in STEP_MODELS] if isinstance(value, dict) else []
    return f"{kinds[0]} step" if len(kinds) == 1 else None


StepModel = Annotated[
    Annotated[CallModel, Tag("call step")]
    | Annotated[StartModel, Tag("start step")]
    | Annotated[FinishModel, Tag("finish step")]
    | Annotated[InjectModel, Tag("inject step")]
    | Annotated[ExpectModel, Tag("expect step")]
    | Annotated[InjectIcmpModel, Tag("inject_icmp step")]
    | Annotated[ExpectIcmpModel, Tag("expect_icmp step")]
    | Annotated[SilenceModel, Tag("silence step")]
    | Annotated[StateModel, Tag("state step")]
    | Annotated[StatesModel, Tag("states step")]
    | Annotated[SockoptModel, Tag("sockopt step")]
    | Annotated[InfoModel, Tag("info step")]
    | Annotated[CheckModel, Tag("check step")]
    | Annotated[AnyOrderModel, Tag("any_order step")]
    | Annotated[EitherModel, Tag("either step")]
    | Annotated[OptionalModel, Tag("optional step")]
    | Annotated[RepeatModel, Tag("repeat step")],
    Discriminator(kind_of),
]
for _model in STEP_MODELS.values():
    _model.model_rebuild()
RepeatBody.model_rebuild()
