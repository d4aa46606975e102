"""Parameters of a case: their combinations, and the substitution of ``$name`` in what a file says.

In a text, ``$name``, ``${name}`` and ``$name.field`` stand for the value; ``$name+1``, ``$name-1`` and ``${name*N+M}`` for a number that is
reckoned from it, where the value is a whole number. A text that is nothing else becomes the value itself, with its type.
Only names that are declared are replaced: other ``$x`` are variables of the notations.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.case.document import Data, Document, Path, WrittenInt, shown
from conformance.case.errors import CaseError

__all__ = ["MAX_COMBINATIONS", "Combination", "Scalar", "Substitution", "Value", "case_id", "combinations"]

MAX_COMBINATIONS = 5_000
"""Of a file's parameters, the address families not counted."""

Scalar = str | int | float | bool | None
Value = Scalar | Mapping[str, Scalar]
"""Of a parameter; a mapping has fields."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNREADABLE = re.compile(r"[^A-Za-z0-9_.:+=-]+")
_RESERVED = ("i",)
"""``$i`` is the round of a ``repeat``."""
_USE = re.compile(
    r"\$(?:\{\s*(?P<braced>[A-Za-z_]\w*)(?:\.(?P<inner>[A-Za-z_]\w*))?\s*(?:\*\s*(?P<times>\d{1,12}))?\s*(?P<plus>[+-]\s*\d{1,12})?\s*\}"
    r"|(?P<name>[A-Za-z_]\w*)(?P<dotted>\.[A-Za-z_]\w*)?(?P<add>[+-]\d{1,12}(?!\d))?)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Combination:
    """One value for each parameter, and the labels that tell it from the others."""

    labels: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)


def case_id(name: str, combination: Combination, family: str) -> str:
    """``reset/in-window[FIN-WAIT-1,ipv6]``"""
    return f"{name}[{','.join((*combination.labels, family))}]"


# Combinations ---------------------------------------------------------------------------------------------------------


def combinations(document: Document, errors: list[CaseError]) -> list[Combination]:
    """The cross product of the parameters of a file, in the order in which they stand there; mistakes go to ``errors``."""
    declared = document.data.get("parameters") if isinstance(document.data, dict) else None
    if declared is None:
        return [Combination()]
    if not isinstance(declared, dict):
        errors.append(document.error(("parameters",), CaseError("parameters", found=shown(declared), expected="name: list of values")))
        return []
    before = len(errors)
    axes = [list(_axis(document, name, choices, errors)) for name, choices in declared.items()]
    count = math.prod(map(len, axes))
    if count > MAX_COMBINATIONS:
        too_many = CaseError("too many combinations of parameters", found=str(count), expected=f"at most {MAX_COMBINATIONS}")
        errors.append(document.error(("parameters",), too_many, key=True))
    if len(errors) > before:
        return []
    return [_combination(tuple(declared), choice) for choice in itertools.product(*axes)]


def _combination(names: Sequence[str], choice: Sequence[tuple[str, Value]]) -> Combination:
    labels, values = zip(*choice, strict=True) if choice else ((), ())
    return Combination(labels, dict(zip(names, values, strict=True)))


def _axis(document: Document, name: Data, choices: Data, errors: list[CaseError]) -> Iterator[tuple[str, Value]]:
    """A parameter's labels and values."""
    path: Path = ("parameters", name)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        expected = "a name of letters, digits and _, other than i, the round of a repeat"
        errors.append(document.error(path, CaseError("a parameter", found=str(name), expected=expected), key=True))
    if not choices or not isinstance(choices, (list, dict)):
        expected = "a list of values, or a mapping of label to value"
        errors.append(document.error(path, CaseError(f"values of {name}", found=shown(choices), expected=expected)))
        return
    items = choices.items() if isinstance(choices, dict) else enumerate(choices)
    labels: set[str] = set()
    for key, value in items:
        label = (
            _UNREADABLE.sub("_", str(key) if isinstance(choices, dict) else str(value) if isinstance(value, WrittenInt) else _text(value))
            or "_"
        )
        fields = value.values() if isinstance(value, dict) and isinstance(choices, dict) else (value,)
        if any(isinstance(part, (dict, list)) for part in fields):
            errors.append(document.error((*path, key), CaseError(f"a value of {name}", found=shown(value), expected="text or a number")))
        elif label in labels:
            error = CaseError(f"a label of {name}", found=label, expected="another label than that of a value before it")
            errors.append(document.error((*path, key), error, key=True))
        labels.add(label)
        yield label, value


# Substitution ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Substitution:
    """Replaces names by values in plain data. Mistakes are collected with their paths."""

    values: Mapping[str, Value]
    mistakes: list[tuple[Path, CaseError]] = field(default_factory=list)
    shadowed: bool = False
    """A ``repeat`` inside keeps its own ``$i``: its steps are left alone."""

    def data(self, data: Data, path: Path = ()) -> Data:
        """A copy of ``data`` with the names replaced, in keys too."""
        if isinstance(data, str):
            return self._whole(data, path) if "$" in data else data
        if isinstance(data, list):
            return [self.data(item, (*path, index)) for index, item in enumerate(data)]
        if not isinstance(data, dict):
            return data
        if self.shadowed and path[-1:] == ("repeat",):
            return {key: value if key == "steps" else self.data(value, (*path, key)) for key, value in data.items()}
        return {self._key(key, path): self.data(value, (*path, key)) for key, value in data.items()}

    def _key(self, key: str | int, path: Path) -> str | int:
        if not isinstance(key, str) or "$" not in key:
            return key
        value = self._whole(key, (*path, key))
        return value if isinstance(value, (str, int)) and not isinstance(value, bool) else _text(value)

    def _whole(self, text: str, path: Path) -> Scalar:
        """The text with its names replaced; a value with its type if the text is one name."""
        match = _USE.fullmatch(text)
        try:
            if match and self._declared(match) and (value := self._value(match))[1] == "":
                return value[0]
            return _USE.sub(self._replacement, text)
        except CaseError as error:
            self.mistakes.append((path, error))
            return text

    def _declared(self, use: re.Match[str]) -> bool:
        return (use["braced"] or use["name"]) in self.values

    def _replacement(self, use: re.Match[str]) -> str:
        if not self._declared(use):
            return use[0]
        value, rest = self._value(use)
        return _text(value) + rest

    def _value(self, use: re.Match[str]) -> tuple[Scalar, str]:
        """What a use stands for, and the rest of its text that is not part of it."""
        name = use["braced"] or use["name"]
        value = self.values[name]
        wanted = use["inner"] or (use["dotted"] or "")[1:]
        if isinstance(value, Mapping):
            if wanted not in value:
                raise CaseError(f"a field of ${name}", found=wanted or use[0], allowed=tuple(map(str, value)))
            value = value[wanted]
        elif use["inner"]:
            raise CaseError(f"${name} has no fields", found=use[0], expected=f"${name}")
        elif use["dotted"]:
            return value, use["dotted"] + (use["add"] or "")
        factor, term = use["times"], (use["plus"] or use["add"] or "").replace(" ", "")
        if isinstance(value, int) and not isinstance(value, bool):
            return (int(value) * int(factor or 1) + int(term or 0) if factor or term else value), ""
        if factor or use["plus"]:
            raise CaseError(f"${name} is no whole number", found=shown(value), expected="a whole number to reckon with")
        return value, term


def _text(value: Scalar) -> str:
    """As YAML writes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, WrittenInt) and not value.text.isdecimal():
        return str(int(value))  # the notations know no 0x1f
    return str(value)
