"""In what a stack differs from itself, from run to run: ``varies.yaml`` in a folder of recordings.

Of another stack, which has reasons of its own, it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from conformance.case.base import Base
from conformance.case.problems import problems
from conformance.case.yaml_reader import read_file

__all__ = ["FILE", "Varying", "load_varying"]

FILE = "varies.yaml"


class VariesModel(Base):
    """Case runs, the sorts of differences that may as well not be there, and why."""

    cases: list[str] = Field(min_length=1, description="ids of case runs, or patterns in which * is anything")
    differs: list[str] = Field(min_length=1, description="in what, as a comparison says it; * is anything: extra ACK, timing")
    reason: str = Field(min_length=1, description="what it depends on, in one sentence")


_MODEL = TypeAdapter(list[VariesModel])


@dataclass(frozen=True, slots=True)
class Varying:
    """One entry."""

    cases: re.Pattern[str]
    differs: re.Pattern[str]
    reason: str

    def explains(self, case: str, sorts: Collection[str]) -> bool:
        """Is it about this case run, and may all of this differ there?"""
        return self.cases.fullmatch(case) is not None and all(map(self.differs.fullmatch, sorts))


def load_varying(folder: Path) -> list[Varying]:
    """The entries of a folder's file; none if it has no such file. Raises :class:`~conformance.case.errors.CaseError` if it is wrong."""
    path = folder / FILE
    if not path.is_file():
        return []
    document = read_file(path)
    try:
        entries = _MODEL.validate_python(document.data or [])
    except ValidationError as error:
        raise next(problems(error, VariesModel, document, document.data)) from None
    return [Varying(_pattern(one.cases), _pattern(one.differs), one.reason) for one in entries]


def _pattern(texts: list[str]) -> re.Pattern[str]:
    """Any of these: ``*`` is anything, brackets are only brackets."""
    return re.compile("|".join(".*".join(map(re.escape, text.split("*"))) for text in texts))
