"""Captures that once showed a bug, as cases: each is replayed, and passes if the stack does what the capture's did wrong no more.

A YAML file beside the capture says what it is about::

    title: A RST inside the window does not end a connection
    requirements: [RFC5961/3.2-rst-in-window-dropped]
    description: Whose bug it was, how the capture came about
    sut_side: server
    expected: {requirement: RFC5961/3.2-rst-in-window-dropped, packet: 10}   # what `conformance check` finds; or conforms
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from conformance.capture.errors import CaptureError
from conformance.case.base import Base, text_like
from conformance.case.case import Case
from conformance.case.document import Document
from conformance.case.errors import CaseError
from conformance.case.fields import given_fields
from conformance.case.loader import Suite, load_suite
from conformance.case.model import ConfigModel
from conformance.case.problems import problems
from conformance.case.register import Register, load_register
from conformance.case.yaml_reader import read_file
from conformance.engine.replay_capture import read_captured
from conformance.engine.replay_case import ReplayOptions, replay_case
from conformance.engine.replay_files import capture_of, sort_paths
from conformance.wire.segment import Family

__all__ = ["LINGER", "ExpectedModel", "RegressionFile", "all_ids", "load_all", "read_regression", "regression_ids"]

LINGER = 300_000_000
"""ns after a capture's end in which what the SUT still does is looked at: an acknowledgement that was delayed, a RST."""
_Id = Annotated[str, *text_like(r"[A-Za-z0-9_.-]+/\S+", "an id such as RFC9293/MUST-11")]


class ExpectedModel(Base):
    """What the oracle finds in the capture."""

    requirement: _Id = Field(description="that the capture's SUT breaks")
    packet: int = Field(ge=1, description="the first packet that shows it")


class RegressionFile(Base):
    """A capture that is part of the suite."""

    title: str = Field(min_length=1, description="one sentence that is true of a stack that passes")
    requirements: list[_Id] = Field(min_length=1, description="ids of the registers that the stack must keep in the replay")
    description: str = Field("", description="what the capture once showed, and how it came about")
    sut_side: Literal["client", "server"] = Field(description="whose place the stack takes")
    connection: int | None = Field(None, ge=1, description="its number in the capture; unless it says otherwise the only one")
    expected: Literal["conforms"] | ExpectedModel = Field(description="what `conformance check` finds in the capture on the SUT's side")
    families: list[Literal["ipv4", "ipv6"]] | None = Field(None, min_length=1, description="to replay it over; else the capture's own")
    config: ConfigModel | None = Field(None, description="neutral settings of the stack")
    waits: Literal["keep", "compress"] = Field("keep", description="compress: the peer waits no longer than it must")
    tags: list[Literal["slow"]] = Field([], description="slow: needs many seconds in real time, where it runs on request only")


def load_all(
    root: Path,
    paths: Sequence[Path] = (),
    *,
    families: Collection[Family] | None = None,
    fallback: Path | None = None,
    wanted: Callable[[str], bool] = lambda _: True,
) -> Suite:
    """:func:`conformance.case.loader.load_suite`, and the captures that belong to the suite or are among ``paths``.

    Only those captures are read of whose cases some id is ``wanted``.
    """
    asked = sort_paths(root, list(paths))
    if asked.cases or not paths:
        suite = load_suite(root, asked.cases, families=families, fallback=fallback)
    else:
        suite = Suite(root, register=load_register(root))
    for file in asked.regressions:
        if any(map(wanted, regression_ids(file))):
            _add(suite, file, families)
    return suite


def all_ids(suite: Suite) -> Iterator[str]:
    """The ids of all its cases, and of captures that belong to it though they were not wanted."""
    yield from (case.id for case in suite.cases)
    for file in sort_paths(suite.root, ()).regressions:
        yield from regression_ids(file)


def regression_ids(file: Path) -> list[str]:
    """The ids that the cases of a capture may have."""
    return [f"regressions/{file.stem}", *(f"regressions/{file.stem}[{family}]" for family in Family)]


def read_regression(file: Path) -> tuple[RegressionFile, Document]:
    """What a capture's file says. Raises CaseError, or a ValidationError of pydantic's."""
    document = read_file(file, str(file), file.name)
    return RegressionFile.model_validate(document.data), document


def _add(suite: Suite, file: Path, families: Collection[Family] | None) -> None:
    try:
        document = read_file(file, str(file), file.name)
        model = RegressionFile.model_validate(document.data)
        suite.cases += [case for case in _cases(suite, file, model, document) if families is None or case.family in families]
    except CaseError as error:
        suite.errors.append(error)
    except ValidationError as error:
        suite.errors += problems(error, RegressionFile, document, document.data)


def _cases(suite: Suite, file: Path, model: RegressionFile, document: Document) -> list[Case]:
    capture = capture_of(file)
    assert capture is not None
    _check(model, document, suite.register)
    chosen: list[Family | None] = [Family(name) for name in model.families] if model.families else [None]
    options = ReplayOptions(
        id=f"regressions/{file.stem}",
        title=model.title,
        file=os.path.relpath(file, suite.root).replace(os.sep, "/"),
        capture=str(capture),
        requirements=tuple(model.requirements),
        level=suite.register.level(model.requirements),
        description=model.description,
        tags=tuple(model.tags),
        keep=model.waits == "keep",
        linger=LINGER,
    )
    try:
        return [_case(capture, model, options, family, alone=len(chosen) == 1) for family in chosen]
    except (CaptureError, ValueError) as error:
        expected = f"another one: {error}"
        raise CaseError("a capture that cannot be replayed", str(file), 1, found=capture.name, expected=expected) from None


def _case(capture: Path, model: RegressionFile, options: ReplayOptions, family: Family | None, *, alone: bool) -> Case:
    captured = read_captured(capture, model.connection, model.sut_side, family)
    config = {**captured.config, **given_fields(model.config)}
    id = options.id if alone else f"{options.id}[{family}]"
    return replay_case(captured.trace, replace(options, id=id, config=config, octets=captured.octets))


def _check(model: RegressionFile, document: Document, register: Register) -> None:
    for index, requirement in enumerate(model.requirements):
        if requirement not in register:
            wrong = CaseError("a requirement", found=requirement, expected="one of the registers:", allowed=tuple(register.requirements))
            raise document.error(("requirements", index), wrong)
