"""JSON Schemas of the files of a case folder, for editors that complete and check while somebody types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from conformance.case.expectations import ExpectationsFile
from conformance.case.model import CaseFile, PreambleFile
from conformance.case.register import RegisterFile

__all__ = ["case_schema", "expectations_schema", "preamble_schema", "register_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARAMETER = {"type": "string", "pattern": r"\$", "description": "a parameter: $name"}
_KEPT = ("families", "tags", "parameters", "arguments", "connections")
"""Fields in which no parameter is replaced, or whose parts have fields of their own."""


def case_schema() -> dict[str, Any]:
    """Of a case."""
    return _schema(CaseFile, parameters=True)


def preamble_schema() -> dict[str, Any]:
    """Of a file in ``preambles/``."""
    return _schema(PreambleFile, parameters=True)


def register_schema() -> dict[str, Any]:
    """Of a file in ``requirements/``."""
    return _schema(RegisterFile)


def expectations_schema() -> dict[str, Any]:
    """Of a file in ``expectations/``."""
    return _schema(ExpectationsFile)


def _schema(model: type[BaseModel], *, parameters: bool = False) -> dict[str, Any]:
    schema = {"$schema": _DIALECT, **model.model_json_schema()}
    for mapping in (schema, *schema.get("$defs", {}).values()):
        properties = mapping.get("properties", {})
        for name, field in properties.items():
            # pydantic's titles only repeat the names, and a default of null is one that YAML should not hold.
            field.pop("title", None)
            if field.get("default", "") is None:
                del field["default"]
            if parameters and name not in _KEPT and not _takes_text(field):
                properties[name] = _or_parameter(field)
    return schema


def _takes_text(field: dict[str, Any]) -> bool:
    """Are there texts that fit already, or none that should? A name (``on: c$i``) or a choice leaves no room for a parameter."""
    kinds = [field, *field.get("anyOf", ())]
    narrow = "examples" not in field and any("pattern" in kind or "enum" in kind for kind in kinds)
    return not narrow and any(kind.get("type") in ("string", "array", "object") or "$ref" in kind for kind in kinds)


def _or_parameter(field: dict[str, Any]) -> dict[str, Any]:
    """The same field, or a parameter in its place."""
    outer = {key: field.pop(key) for key in ("description", "default") if key in field}
    return outer | {"anyOf": [*(field.get("anyOf") or [field]), _PARAMETER]}
