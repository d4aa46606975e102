"""A case run as a document of its own: one combination of parameters, one family, its preambles' steps before its own."""

from __future__ import annotations

from pathlib import Path as FilePath

from conformance.case.discovery import CaseFilePath
from conformance.case.document import Data
from conformance.case.errors import CaseError
from conformance.case.parameters import Combination, Substitution, case_id, combinations
from conformance.case.yaml_reader import read_file
from conformance.wire.segment import Family

__all__ = ["written_out"]

_FILLED_IN = ("parameters", "given")
_SUFFIXES = (".yaml", ".yml")


def written_out(file: CaseFilePath, case: str, family: Family) -> dict[str, Data]:
    """What ``file`` says of the case run with this id, as data that needs no other file but the registers.

    The file has been loaded before, and has this case. Raises CaseError if it does not any more.
    """
    document = read_file(file.path, str(file.path), file.relative)
    errors: list[CaseError] = []
    chosen = next((one for one in combinations(document, errors) if case_id(file.name, one, family) == case), None)
    if chosen is None:
        raise CaseError("the file has changed", str(file.path), found="another file", expected=f"the case {case}")
    data = _filled_in(document.data, chosen)
    steps = [*_given(file.root, data.get("given")), *data["steps"]]
    return {**{key: value for key, value in data.items() if key not in _FILLED_IN}, "families": [str(family)], "steps": steps}


def _filled_in(data: Data, combination: Combination) -> dict[str, Data]:
    substitution = Substitution(combination.values)
    kept = ("parameters", "families", "tags")
    return {key: value if key in kept or not combination.values else substitution.data(value, (key,)) for key, value in data.items()}


def _given(root: FilePath, given: Data) -> list[Data]:
    """The steps of a preamble, those of its own preambles first, its arguments put in."""
    if given is None:
        return []
    asked = given if isinstance(given, dict) else {"preamble": given}
    name = str(asked["preamble"])
    paths = [path for suffix in _SUFFIXES if (path := root / "preambles" / f"{name}{suffix}").is_file()]
    if not paths:
        raise CaseError("a preamble", str(root), found=name, expected="a file in preambles/")
    data = read_file(paths[0]).data
    arguments = {**(data.get("arguments") or {}), **{key: value for key, value in asked.items() if key != "preamble"}}
    substitution = Substitution(arguments)
    before = _given(root, substitution.data(data.get("given")))
    return [*before, *substitution.data(data["steps"], ("steps",))]
