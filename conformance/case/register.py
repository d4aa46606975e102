"""The registers of requirements: ``requirements/*.yaml`` of a case folder, one file an RFC or other standard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from conformance.case.base import Base, text_like
from conformance.case.discovery import yaml_files
from conformance.case.document import Document
from conformance.case.errors import CaseError
from conformance.case.problems import problems
from conformance.case.yaml_reader import read_file

__all__ = ["LEVELS", "Register", "RegisterFile", "Requirement", "load_register", "strongest"]

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
_STRENGTHS: Mapping[str, str] = {"MUST": "MUST", "MUST NOT": "MUST", "SHOULD": "SHOULD", "SHOULD NOT": "SHOULD", "MAY": "MAY"}


class RequirementModel(Base):
    """One sentence of a standard that binds an implementation."""

    id: Annotated[str, *text_like(r"[A-Za-z0-9][A-Za-z0-9_.()-]*", "an id such as MUST-11 or 3.5, in quotes if it is a number")] = Field(
        description="MUST-11, or the section's number where it has none"
    )
    level: Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"] = Field(description="RFC 2119's word, if need be in lower case there")
    section: str = Field(min_length=1, description="where it stands, such as 3.10.7.4; in quotes")
    text: str = Field(min_length=1, description="what it asks, in one line")
    observe: str = Field("", description="how it can be observed from outside")
    unobservable: str = Field("", description="why no case can observe it")


class RegisterFile(Base):
    """The requirements of one standard."""

    rfc: Annotated[str, *text_like(r"[A-Z][A-Za-z0-9_.-]*", "a short name such as RFC9293")] = Field(
        description="the first part of the ids: RFC9293", examples=["RFC9293"]
    )
    title: str = Field(min_length=1, description="the standard's title")
    requirements: list[RequirementModel] = Field(description="in the order in which they stand there")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement under its full id, such as ``RFC9293/MUST-11``, and where the register has it."""

    id: str
    level: str
    """One of :data:`LEVELS`."""
    section: str
    text: str
    observe: str
    unobservable: str
    rfc: str
    title: str
    """Of the standard."""
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Register:
    """All requirements that cases may name, by id, and what is wrong in the files."""

    requirements: Mapping[str, Requirement] = field(default_factory=dict)
    errors: tuple[CaseError, ...] = ()

    def __contains__(self, id: str) -> bool:
        return id in self.requirements

    def __getitem__(self, id: str) -> Requirement:
        return self.requirements[id]

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.requirements.values())

    def __len__(self) -> int:
        return len(self.requirements)

    def level(self, ids: Sequence[str]) -> str:
        """The strongest level among requirements; unknown ones count as nothing."""
        return strongest(self.requirements[id].level for id in ids if id in self.requirements)


def strongest(levels: Iterator[str]) -> str:
    """``MUST``, ``SHOULD`` or ``MAY``, negations included; ``MAY`` of none."""
    found = {_STRENGTHS[level] for level in levels}
    return next((level for level in ("MUST", "SHOULD") if level in found), "MAY")


def load_register(roots: Path | Sequence[Path]) -> Register:
    """The registers of one or more case folders; where two have a standard, the first folder's counts."""
    errors: list[CaseError] = []
    requirements: dict[str, Requirement] = {}
    seen: set[str] = set()
    for root in [roots] if isinstance(roots, Path) else roots:
        here: dict[str, Requirement] = {}
        for path in yaml_files(root / "requirements", root, errors) if (root / "requirements").is_dir() else ():
            _add(path, root, here, errors)
        requirements.update({id: requirement for id, requirement in here.items() if requirement.rfc not in seen})
        seen |= {requirement.rfc for requirement in here.values()}
    return Register(requirements, tuple(errors))


def _add(path: Path, root: Path, requirements: dict[str, Requirement], errors: list[CaseError]) -> None:
    """Read one file of a register."""
    try:
        document = read_file(path, str(path), path.relative_to(root).as_posix())
        model = RegisterFile.model_validate(document.data)
    except CaseError as error:
        errors.append(error)
        return
    except ValidationError as error:
        errors.extend(problems(error, RegisterFile, document, document.data))
        return
    for index, entry in enumerate(model.requirements):
        place: tuple[Any, ...] = ("requirements", index, "id")
        requirement = _requirement(model, entry, document, document.place(place)[0])
        if (other := requirements.get(requirement.id)) is not None:
            expected = f"another id than at {other.file}:{other.line}"
            errors.append(document.error(place, CaseError("a requirement that is there twice", found=requirement.id, expected=expected)))
        requirements.setdefault(requirement.id, requirement)


def _requirement(model: RegisterFile, entry: RequirementModel, document: Document, line: int) -> Requirement:
    return Requirement(
        id=f"{model.rfc}/{entry.id}",
        level=entry.level,
        section=entry.section,
        text=entry.text,
        observe=entry.observe,
        unobservable=entry.unobservable,
        rfc=model.rfc,
        title=model.title,
        file=document.file,
        line=line,
    )
