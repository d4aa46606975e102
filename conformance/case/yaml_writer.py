"""A case's data as YAML, laid out as one writes it by hand: what :mod:`conformance.case.yaml_reader` reads back is the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from conformance.case.document import Data
from conformance.case.step_models import STEP_MODELS

__all__ = ["write_case"]

_ORDER = (
    "title", "requirements", "description", "families", "config", "needs", "tags", "parameters", "given", "connections", "timeout",
    "tolerance", "steps",
)  # fmt: skip
_GROUPS = ("any_order", "either", "optional", "repeat")
_KEY_WIDTH = len("inject: ")
"""Values of a step stand below each other."""

_LIKE_NO_TEXT = re.compile(r"[-+]?\.?[0-9]\S*|[-+]?\.(?:inf|nan)|~|null|true|false|---|\.\.\.", re.IGNORECASE)
"""What a reader may take for a number, a word with a meaning, or a mark."""
_DURATION = re.compile(r"[0-9.]+(?:ns|us|µs|ms|s|min|h)(?:\.\.[0-9.]+(?:ns|us|µs|ms|s|min|h))?")
_BREAKS_PLAIN = (": ", " #", "\t")
_FLOW_SIGNS = re.compile(r"[,\[\]{}:#\"']")
_BEGINS_NO_PLAIN = "-?:,[]{}#&*!|>'\"%@` "


def write_case(data: Mapping[str, Data], comment: str = "") -> str:
    """The text of a case file; ``comment`` stands at its top, a line each."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for key in sorted(data, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER)):
        value = data[key]
        if key == "steps":
            lines.append("steps:")
            lines += _steps(value, "  ")
        elif key == "connections":
            lines.append("connections:")
            lines += [f"  {_scalar(name, flow=True)}: {_flow(one)}" for name, one in value.items()]
        else:
            lines.append(f"{key}: {_value(value)}")
    return "\n".join(lines) + "\n"


def _steps(steps: list[Data], indent: str) -> Iterator[str]:
    for step in steps:
        yield from _step(step, indent)


def _step(step: Mapping[str, Data], indent: str) -> Iterator[str]:
    """The kind first, then what stands beside it, the sentence for people last."""
    keys = sorted(step, key=lambda key: (key not in STEP_MODELS, key == "why"))
    for position, key in enumerate(keys):
        begin = indent + ("- " if position == 0 else "  ")
        value = step[key]
        inner = indent + "    "
        if key not in _GROUPS:
            yield begin + f"{key}:".ljust(_KEY_WIDTH - 1) + " " + _value(value)
            continue
        yield f"{begin}{key}:"
        if key == "either":
            for branch in value:
                first, *rest = _steps(branch, inner + "  ")
                yield inner + "- " + first.lstrip()
                yield from rest
        elif key == "repeat":
            yield f"{inner}times: {_value(value['times'])}"
            yield f"{inner}steps:"
            yield from _steps(value["steps"], inner + "  ")
        else:
            yield from _steps(value, inner)


def _value(value: Data) -> str:
    return _flow(value) if isinstance(value, dict | list) else _scalar(value, flow=False)


def _flow(value: Data) -> str:
    """On one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key, flow=True)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value, flow=True)


def _scalar(value: Data, *, flow: bool) -> str:
    if isinstance(value, str):
        return value if _is_plain(value, flow) else json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _is_plain(text: str, flow: bool) -> bool:
    """May it stand without quotes? Where there is a doubt it may not."""
    if not text or text[0] in _BEGINS_NO_PLAIN or text[-1] in " :" or not text.isprintable():
        return False
    if _LIKE_NO_TEXT.fullmatch(text) and not _DURATION.fullmatch(text):
        return False
    return not any(sign in text for sign in _BREAKS_PLAIN) and not (flow and _FLOW_SIGNS.search(text))
