"""What a case file and a preamble look like, as pydantic models: they check, and they give the JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, create_model

from conformance.case.base import Base, Name, Scalar, Validated, text_like, whole
from conformance.case.document import shown
from conformance.case.errors import CaseError
from conformance.case.notation_types import Duration
from conformance.case.settings import SETTINGS
from conformance.case.step_models import StepModel

__all__ = ["CaseFile", "ConfigModel", "ConnectionModel", "GivenModel", "PreambleFile"]


def _setting(name: str) -> tuple[Any, Any]:
    """A field of :class:`ConfigModel`."""
    setting = SETTINGS[name]
    field = Field(None, description=f"{setting.meaning} (usually {setting.default})")
    return Annotated[Any, PlainValidator(setting.kind.parse), WithJsonSchema(setting.kind.schema())], field


_CONFIG_FIELDS: dict[str, Any] = {name: _setting(name) for name in SETTINGS}
ConfigModel: Any = create_model("ConfigModel", __base__=Base, __doc__="Neutral settings of the stack.", **_CONFIG_FIELDS)


def _isn() -> Validated:
    expected = "0..4294967295, or +N relative to the connection that it reuses"

    def parse(value: Any) -> tuple[int, bool]:
        """The number, and whether it is relative. YAML reads +5 as a number, whose text still says so."""
        text = str(value)
        digits = text.removeprefix("+")
        number = value if isinstance(value, int) else int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else -1
        if isinstance(value, bool | float) or not 0 <= number < 2**32:
            raise CaseError(found=shown(value), expected=expected)
        return int(number), text.startswith("+")

    number = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    return PlainValidator(parse), WithJsonSchema({"anyOf": [number, {"type": "string", "pattern": r"^\+[0-9]+$|\$"}]})


class ConnectionModel(Base):
    """What differs from the default connection."""

    peer: Literal["peer", "peer2"] = Field("peer", description="the host of the peer")
    port: Literal["port", "port2", "port3"] = Field("port", description="the port of the SUT")
    peer_port: Annotated[int | str | None, *whole(65535, "peer_port", "peer_port2")] = Field(
        None, description="the port of the peer; unless it says otherwise one of its own"
    )
    isn: Annotated[tuple[int, bool] | None, *_isn()] = Field(None, description="the peer's initial sequence number")
    count: int = Field(0, ge=1, le=1000, description="so many of them, called c0, c1 … where this one is c")
    reuse: Name | None = Field(None, description="a new incarnation of this connection: the same addresses and ports")


class GivenModel(Base):
    """A preamble by name, with arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, Scalar]

    preamble: str = Field(description="a file in preambles/, without its suffix")

    @property
    def arguments(self) -> dict[str, Scalar]:
        """By name, those that the file gives."""
        return dict(self.__pydantic_extra__ or {})


def _given(value: Any) -> Any:
    return {"preamble": value} if isinstance(value, str) else value


_Given = Annotated[GivenModel | None, BeforeValidator(_given, json_schema_input_type=str | GivenModel | None)]
_Id = Annotated[str, *text_like(r"[A-Za-z0-9_.-]+/\S+", "an id such as RFC9293/MUST-11")]
_Capability = Annotated[str, *text_like(r"[a-z0-9][a-z0-9_.-]*", "a capability: small letters, digits, - and _")]
_Parameter = list[Scalar] | dict[str, Scalar | dict[str, Scalar]]


def _once(values: list[Any]) -> list[Any]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise CaseError(found=f"{value} twice", expected="each once")
    return values


_Once = AfterValidator(_once)


class CaseFile(Base):
    """A conformance case: what a peer sends to a TCP/IP stack, and what the stack must answer."""

    title: str = Field(min_length=1, description="one sentence that is true of a stack that passes")
    requirements: Annotated[list[_Id], _Once] = Field(
        min_length=1, description="ids of the registers in requirements/", examples=[["RFC9293/MUST-11"]]
    )
    description: str = Field("", description="a paragraph for the reader: the rule, and why it is there")
    families: Annotated[list[Literal["ipv4", "ipv6"]], _Once] = Field(
        ["ipv4", "ipv6"], min_length=1, description="the address families it runs over"
    )
    config: ConfigModel | None = Field(None, description="neutral settings of the stack")
    needs: list[_Capability] = Field([], description="capabilities that a SUT must have, else the case is skipped")
    tags: list[Literal["slow"]] = Field([], description="slow: needs many seconds in real time, where it runs on request only")
    parameters: dict[Name, _Parameter] | None = Field(None, description="the case runs for each combination; $name stands for the value")
    given: _Given = Field(None, description="the preamble that brings the SUT to where the case starts")
    connections: dict[Name, ConnectionModel] = Field({}, description="more connections than the default one, or how that one differs")
    timeout: Duration = Field(None, description="the longest that a step waits for a segment, 5s unless it says otherwise")
    tolerance: Duration = Field(
        None, description="how late the tester may be before a failure is inconclusive, 20ms unless it says otherwise"
    )
    steps: list[StepModel] = Field(min_length=1, description="what happens")


class PreambleFile(Base):
    """Steps that bring a SUT to where cases start."""

    title: str = Field(min_length=1, description="where it leads")
    description: str = Field("", description="a paragraph for the reader")
    arguments: dict[Name, Scalar] = Field({}, description="name to default value, used as $name")
    given: _Given = Field(None, description="another preamble, that comes first")
    steps: list[StepModel] = Field(description="what happens")
