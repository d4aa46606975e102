"""Ids and titles of a case folder, without checking what the cases say: no pydantic, no grammar, tens of milliseconds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.case.discovery import CaseFilePath, discover
from conformance.case.document import Data, Document, shown
from conformance.case.errors import CaseError
from conformance.case.parameters import Combination, Substitution, case_id, combinations
from conformance.case.yaml_reader import read_head
from conformance.wire.segment import Family

__all__ = ["ListedCase", "Listing", "list_suite"]


@dataclass(frozen=True, slots=True)
class ListedCase:
    """What can be said of a case without loading it."""

    id: str
    title: str
    file: str
    """Relative to the case folder."""
    path: Path
    family: Family
    requirements: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(slots=True)
class Listing:
    """The cases of a folder, in the order of :func:`conformance.case.loader.load_suite`, and the files that cannot be listed."""

    cases: list[ListedCase] = field(default_factory=list)
    errors: list[CaseError] = field(default_factory=list)


def list_suite(root: Path = Path("cases"), paths: Sequence[Path] = (), *, families: Collection[Family | str] | None = None) -> Listing:
    """List the cases of a folder; the arguments are those of ``load_suite``. A file may be listed and still not load."""
    files, errors = discover(root, paths)
    listing = Listing(errors=errors)
    for file in files:
        try:
            document = read_head(file.path, str(file.path), file.relative)
        except CaseError as unreadable:
            errors.append(unreadable)
            continue
        if not isinstance(document.data, dict):
            error = CaseError("a case", found=shown(document.data), expected="a mapping: title, requirements, steps")
            errors.append(document.error((), error))
            continue
        listing.cases += (case for case in _cases(file, document, errors) if families is None or case.family in families)
    errors.sort(key=lambda error: error.order)
    return listing


def _cases(file: CaseFilePath, document: Document, errors: list[CaseError]) -> Iterator[ListedCase]:
    families = [Family(name) for name in _texts(document.data.get("families")) if name in list(Family)] or list(Family)
    tags, name = _texts(document.data.get("tags")), file.name
    for combination in combinations(document, errors):
        said = _said(document, combination)
        title, requirements = str(said["title"]), _texts(said["requirements"])
        for family in families:
            yield ListedCase(case_id(name, combination, family), title, file.relative, file.path, family, requirements, tags)


def _said(document: Document, combination: Combination) -> dict[str, Data]:
    """Title and requirements, parameters replaced; a name that cannot be is left as it is."""
    said = {"title": document.data.get("title", ""), "requirements": document.data.get("requirements")}
    if not combination.values or "$" not in str(said):
        return said
    substituted: dict[str, Data] = Substitution(combination.values).data(said)
    return substituted


def _texts(value: Data) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
