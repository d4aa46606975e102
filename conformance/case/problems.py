"""What pydantic says of a file → :class:`CaseError`, in its place and in the words of the language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from conformance.case.document import Data, Document, Path, shown
from conformance.case.errors import CaseError
from conformance.case.step_models import STEP_MODELS

__all__ = ["problems"]

_EXPECTED: Mapping[str, str] = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "string_too_short": "a text",
    "too_short": "a list of at least {min_length}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
}
"""pydantic's types of errors, and what would have been right; ``{…}`` is what pydantic knows of it."""


def problems(error: ValidationError, model: type[BaseModel], document: Document, data: Data, base: Path = ()) -> Iterator[CaseError]:
    """Each mistake, placed.

    Args:
        error: what came of validating ``data``.
        model: the model, of which ``data`` is an instance or, for steps, a list of instances.
        document: where ``data`` comes from; its texts may have been replaced since.
        base: the path that leads to ``data`` in the document.
    """
    for detail in error.errors(include_url=False):
        path, value = _descend(detail["loc"], data)
        allowed = _keys(model, detail["loc"])
        yield _problem(dict(detail), document, base + path, value, allowed)


def _descend(location: tuple[int | str, ...], data: Data) -> tuple[Path, Data]:
    """The path in the data, without what pydantic adds for the branches of unions, and what stands there."""
    path: list[int | str] = []
    for part in location:
        is_index = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if is_index or (isinstance(data, dict) and part in data):
            path.append(part)
            data = data[part]
    return tuple(path), data


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys of the mapping that holds what ``location`` leads to."""
    for part in location[:-1]:
        kind = part.removesuffix(" step") if isinstance(part, str) else ""
        if kind != part and kind in STEP_MODELS:
            model = STEP_MODELS[kind]
        else:
            fields = [field for name, field in model.model_fields.items() if (field.alias or name) == part]
            model = next((inner for field in fields for inner in _models(field.annotation)), model)
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _problem(detail: dict[str, Any], document: Document, path: Path, value: Data, allowed: tuple[str, ...]) -> CaseError:
    kind, context = detail["type"], detail.get("ctx", {})
    subject = str(path[-1]) if path else "the file"
    if kind == "extra_forbidden":
        return document.error(path, CaseError("a key that is not known here", found=subject, allowed=allowed), key=True)
    if kind == "missing":
        missing = str(detail["loc"][-1])
        return document.error(path, CaseError(f"{missing} is missing", expected=f"{missing}: …"))
    if kind == "invalid_key":
        return document.error(path, CaseError("a key", found=subject, expected="text"), key=True)
    if kind == "union_tag_not_found":
        return document.error(path, _no_step(value))
    if kind == "value_error" and isinstance(context.get("error"), CaseError):
        inner: CaseError = context["error"]
        if detail["loc"][-1] == "[key]":
            return document.error(path, replace(inner, message="a key"), key=True)
        # A column inside a text says nothing once parameters have been replaced in it.
        column = inner.column if document.written(path) == value else 0
        return document.error(path, replace(inner, message=inner.message or subject, column=column))
    expected = _EXPECTED.get(kind, detail["msg"]).format(**context)
    return document.error(path, CaseError(subject, found=shown(value), expected=expected))


def _no_step(value: Data) -> CaseError:
    """A step that is of no kind, or of several."""
    kinds = tuple(STEP_MODELS)
    if not isinstance(value, dict):
        return CaseError("a step", found=shown(value), expected="a mapping such as call: s = socket()")
    several = [key for key in value if key in STEP_MODELS]
    if several:
        return CaseError("a step that does several things", found=" and ".join(several), expected="one of them a step")
    return CaseError("a step of no known kind", found=shown(next(iter(value), None)), allowed=kinds)
