"""What is known to deviate: ``expectations/<sut>.yaml``, a list of cases whose verdict on that SUT is not pass, and why."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, RootModel, ValidationError

from conformance.case.base import Base
from conformance.case.document import shown
from conformance.case.errors import CaseError
from conformance.case.problems import problems
from conformance.case.yaml_reader import read_file

__all__ = ["Expectation", "Expectations", "ExpectationsFile", "KnownInvariant", "load_expectations"]


class ExpectationModel(Base):
    """Cases that are known to end otherwise than with pass."""

    case: str = Field(min_length=1, description="a case's id, or a pattern in which * is anything", examples=["handshake/passive-open[*]"])
    verdict: Literal["pass", "fail", "inconclusive", "error", "skipped"] = Field(description="how it ends")
    step: str = Field("", description="the step at which it fails, as the case writes it")
    reason: str = Field(min_length=1, description="why, in one sentence")
    source: str = Field("", description="where that is said: a document, a line of the stack's source")


class InvariantModel(Base):
    """A rule of the oracle that the stack is known to break in cases that pass: what their authors did not ask for."""

    invariant: str = Field(
        min_length=1, description="the rule's name, as a failure and `conformance check` print it", examples=["window-shrunk"]
    )
    case: str = Field(min_length=1, description="a case's id, or a pattern in which * is anything", examples=["handshake/passive-open[*]"])
    reason: str = Field(min_length=1, description="why, in one sentence")
    source: str = Field("", description="where that is said: a document, a line of the stack's source")


class LikeModel(Base):
    """Another file, of a stack that does mostly the same: what it says holds here, too, where no entry here says otherwise."""

    like: str = Field(pattern=r"^[\w.-]+$", description="the other stack's name", examples=["linux"])


class ExpectationsFile(RootModel[list[ExpectationModel | InvariantModel | LikeModel]]):
    """What is known of one stack."""


def _pattern(case: str) -> re.Pattern[str]:
    """Of ids of cases: ``*`` is anything, brackets are only brackets."""
    return re.compile(".*".join(map(re.escape, case.split("*"))))


@dataclass(frozen=True)
class _AboutCases:
    """What an entry of the file is about, and where it stands."""

    case: str
    """An id, or a pattern in which ``*`` is anything; brackets are only brackets."""
    file: str
    line: int

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _pattern(self.case)

    def covers(self, case_id: str) -> bool:
        """Is it about this case?"""
        return self._pattern.fullmatch(case_id) is not None


@dataclass(frozen=True)
class Expectation(_AboutCases):
    """One entry."""

    verdict: str
    step: str
    reason: str
    source: str

    def foretells(self, verdict: str, step: str) -> bool:
        """Is this how a case ends that got ``verdict`` at ``step``? An entry that names no step means any."""
        return verdict == self.verdict and (not self.step or self.step.split() == step.split())


@dataclass(frozen=True)
class KnownInvariant(_AboutCases):
    """A rule that is known to be broken in some cases."""

    rule: str


@dataclass(frozen=True, slots=True)
class Expectations:
    """The entries of one file, in order, and what is wrong in it; an entry that is wrong is not among them."""

    entries: tuple[Expectation, ...] = ()
    errors: tuple[CaseError, ...] = ()
    invariants: tuple[KnownInvariant, ...] = ()
    like: Expectations | None = None
    """Those of another stack, for cases of which there is nothing here."""
    _exact: dict[str, Expectation] = field(default_factory=dict)
    _patterns: list[Expectation] = field(default_factory=list)

    def __post_init__(self) -> None:
        for entry in self.entries:
            if "*" in entry.case:
                self._patterns.append(entry)
            else:
                self._exact[entry.case] = entry

    def lookup(self, case_id: str) -> Expectation | None:
        """The entry for a case: that with its id, or else the first pattern that covers it."""
        own = self._exact.get(case_id) or next((entry for entry in self._patterns if entry.covers(case_id)), None)
        return own or (self.like.lookup(case_id) if self.like is not None else None)

    def knows(self, rule: str, case_id: str) -> bool:
        """Is the stack known to break this rule of the oracle in this case?"""
        own = any(known.rule == rule and known.covers(case_id) for known in self.invariants)
        return own or (self.like is not None and self.like.knows(rule, case_id))

    def unused(self, case_ids: Collection[str]) -> list[Expectation | KnownInvariant]:
        """Entries of this file itself that apply to none of these cases: left over, or misspelt."""
        used = {id(entry) for entry in map(self.lookup, case_ids) if entry is not None}
        invariants = [entry for entry in self.invariants if not any(map(entry.covers, case_ids))]
        return [*(entry for entry in self.entries if id(entry) not in used), *invariants]


def load_expectations(path: Path) -> Expectations:
    """Read a file of expectations. What is wrong with it is in ``errors``, each with its place."""
    return _load(path, frozenset())


def _load(path: Path, within: frozenset[Path]) -> Expectations:
    """``within``: the files that are like this one."""
    errors: list[CaseError] = []
    entries: dict[str, Expectation] = {}
    invariants: list[KnownInvariant] = []
    like: Expectations | None = None
    try:
        document = read_file(path)
    except CaseError as error:
        return Expectations(errors=(error,))
    listed = [] if document.data is None else document.data
    if not isinstance(listed, list):
        return Expectations(errors=(document.error((), CaseError("expectations", found=shown(listed), expected="a list of entries")),))
    for index, data in enumerate(listed):
        model = _model(data)
        try:
            entry = model.model_validate(data)
        except ValidationError as error:
            errors.extend(problems(error, model, document, data, (index,)))
            continue
        if isinstance(entry, LikeModel):
            other = path.with_name(f"{entry.like}.yaml")
            if like is not None or other in within | {path} or not other.is_file():
                wrong = CaseError("like", found=entry.like, expected="the name of one other file here, that is not like this one itself")
                errors.append(document.error((index, "like"), wrong))
                continue
            like = _load(other, within | {path})
            errors.extend(like.errors)
            continue
        line, _ = document.place((index, "case"))
        if isinstance(entry, InvariantModel):
            invariants.append(KnownInvariant(entry.case, document.file, line, entry.invariant))
            continue
        if (first := entries.get(entry.case)) is not None:
            twice = CaseError("a case that is there twice", found=entry.case, expected=f"one entry for it, that of line {first.line}")
            errors.append(document.error((index, "case"), twice))
            continue
        entries[entry.case] = Expectation(entry.case, document.file, line, entry.verdict, entry.step, entry.reason, entry.source)
    return Expectations(tuple(entries.values()), tuple(errors), tuple(invariants), like)


def _model(data: object) -> type[ExpectationModel | InvariantModel | LikeModel]:
    names = data if isinstance(data, dict) else {}
    return LikeModel if "like" in names else InvariantModel if "invariant" in names else ExpectationModel
