"""What all pydantic models of this package share, and the types that several of them use."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema

from conformance.case.document import shown
from conformance.case.errors import CaseError

__all__ = ["Base", "Name", "Scalar", "Validated", "notation_type", "text_like", "whole"]

Validated = tuple[PlainValidator, WithJsonSchema]
"""To be unpacked into ``Annotated[…]``: how a value is read, and its JSON Schema."""


class Base(BaseModel):
    """A mapping in a file: no other keys than these, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def notation_type(parse: Callable[[str], Any], description: str, examples: list[str], pattern: str = "") -> Validated:
    """A text in one of the notations. What ``parse`` gives is the value of the field."""

    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            raise CaseError(found=shown(value), expected=f"a text such as {examples[0]}")
        return parse(value)

    schema = {"type": "string", "description": description, "examples": examples}
    return PlainValidator(validate), WithJsonSchema(schema | ({"pattern": rf"{pattern}|\$"} if pattern else {}))


def whole(high: int, *words: str) -> Validated:
    """A number from 0, or one of some words, which stay what they are."""
    expected = f"0..{high}" + (f" or one of {', '.join(words)}" if words else "")

    def parse(value: Any) -> object:
        if isinstance(value, str) and value in words:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
            raise CaseError(found=shown(value), expected=expected)
        return int(value)

    number = {"type": "integer", "minimum": 0, "maximum": high}
    return PlainValidator(parse), WithJsonSchema({"anyOf": [number, {"enum": list(words)}]} if words else number)


def text_like(pattern: str, words: str) -> Validated:
    """A text that fits a pattern; ``words`` say what that means."""
    fits = re.compile(pattern)

    def parse(value: Any) -> str:
        if not isinstance(value, str) or not fits.fullmatch(value):
            raise CaseError(found=shown(value), expected=words)
        return value

    return PlainValidator(parse), WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _scalar(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        raise CaseError(found=shown(value), expected="a text or a number")
    return value


Name = Annotated[str, *text_like(r"[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and _, such as c2")]
"""Of a connection, a parameter, an argument."""
Scalar = Annotated[
    str | int | float | bool | None, PlainValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]
