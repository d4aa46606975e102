"""Case folders → :class:`Case`: every file read, its parameters multiplied out, its preambles put in front, everything checked.

What is wrong in a file costs its own cases and no others: errors are collected, each with its place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from pydantic import ValidationError

from conformance.case.case import MS, USUAL_TIMEOUT, Case
from conformance.case.checks import check_families, check_names, count_steps
from conformance.case.discovery import CaseFilePath, discover
from conformance.case.document import Data, Document, shown
from conformance.case.errors import CaseError
from conformance.case.fields import given_fields
from conformance.case.model import CaseFile, ConnectionModel
from conformance.case.parameters import Combination, Substitution, case_id, combinations
from conformance.case.preambles import Giver, Preambles
from conformance.case.problems import problems
from conformance.case.register import Register, load_register
from conformance.case.step_builder import StepBuilder
from conformance.case.steps import ConnectionSpec, Step
from conformance.case.yaml_reader import read_file
from conformance.wire.segment import Family

__all__ = ["Suite", "load_document", "load_suite"]

_MAX_ERRORS = 50
"""Of one file: more says nothing new, and each combination of parameters may have its own."""
_NOT_REPLACED = ("parameters", "families", "tags")
_TOLERANCE, _IPV6_MTU = 20 * MS, 1280


@dataclass(slots=True)
class Suite:
    """What a case folder holds. ``errors`` are in the order of files and lines; a file that has one gives no cases."""

    root: FilePath
    cases: list[Case] = field(default_factory=list)
    errors: list[CaseError] = field(default_factory=list)
    register: Register = field(default_factory=Register)


def load_suite(
    root: FilePath = FilePath("cases"),
    paths: Sequence[FilePath] = (),
    *,
    families: Collection[Family | str] | None = None,
    fallback: FilePath | None = None,
) -> Suite:
    """Load the cases of a folder.

    Args:
        root: the case folder, with ``preambles/`` and ``requirements/`` in it.
        paths: only these files and folders. One that is outside of ``root`` belongs to the nearest folder around it that
            holds ``preambles/`` or ``requirements/``, or else to its own.
        families: only these address families.
        fallback: a case folder whose preambles and registers serve where a case folder's own do not have a name.
    """
    suite = Suite(root)
    files, suite.errors = discover(root, paths)
    libraries = {root: _Library.of(root, fallback)}
    owners: dict[str, str] = {}
    for file in files:
        if file.root not in libraries:
            libraries[file.root] = _Library.of(file.root, fallback)
        cases, errors = _load_file(file, libraries[file.root], families)
        for case in cases:
            if (owner := owners.setdefault(case.id, str(file.path))) != str(file.path):
                expected = f"another name than {owner}"
                errors = [CaseError("a case id that is there twice", str(file.path), 1, found=case.id, expected=expected)]
        suite.errors += errors
        suite.cases += [] if errors else cases
    if not paths:
        libraries[root].preambles.check()
    suite.register = libraries[root].register
    for library in libraries.values():
        suite.errors += [*library.register.errors, *library.preambles.errors]
    distinct = {error.order: error for error in reversed(suite.errors)}
    suite.errors = sorted(distinct.values(), key=lambda error: error.order)
    return suite


@dataclass(frozen=True, slots=True)
class _Library:
    """What the cases of one folder share."""

    preambles: Preambles
    register: Register

    @classmethod
    def of(cls, root: FilePath, fallback: FilePath | None) -> _Library:
        folders = [root] if fallback is None or fallback.resolve() == root.resolve() else [root, fallback]
        return cls(Preambles(folders), load_register(folders))


def _load_file(file: CaseFilePath, library: _Library, families: Collection[Family | str] | None) -> tuple[list[Case], list[CaseError]]:
    """A file's cases, or what is wrong with it."""
    try:
        document = read_file(file.path, str(file.path), file.relative)
    except CaseError as error:
        return [], [error]
    return _load(file, document, library, families)


def load_document(document: Document, register: Register) -> tuple[list[Case], list[CaseError]]:
    """The cases of a document that is no file, or what is wrong with it. It has no preambles to ask for."""
    path = FilePath(document.relative)
    return _load(CaseFilePath(path, path.parent, document.relative), document, _Library(Preambles([]), register), None)


def _load(
    file: CaseFilePath, document: Document, library: _Library, families: Collection[Family | str] | None
) -> tuple[list[Case], list[CaseError]]:
    cases: list[Case] = []
    errors: list[CaseError] = []
    if not isinstance(document.data, dict):
        return [], [document.error((), CaseError("a case", found=shown(document.data), expected="a mapping: title, requirements, steps"))]
    complete = True
    for combination in combinations(document, errors):
        run = _CombinationLoader(file, document, combination, library).load()
        errors += run.errors
        complete = complete and run.complete
        cases += [case for case in run.cases if families is None or case.family in families]
        if len(errors) > _MAX_ERRORS:
            break
    return (cases if complete and not errors else []), errors


@dataclass(slots=True)
class _CombinationLoader:
    """One combination of a file's parameters, over all its families."""

    file: CaseFilePath
    document: Document
    combination: Combination
    library: _Library
    cases: list[Case] = field(default_factory=list)
    errors: list[CaseError] = field(default_factory=list)
    complete: bool = True
    """False if a preamble is broken, which is an error of the preamble's file."""

    def load(self) -> _CombinationLoader:
        data = self._data()
        try:
            model = CaseFile.model_validate(data)
        except ValidationError as error:
            self.errors += problems(error, CaseFile, self.document, data)
            return self
        before = self._preamble(model)
        builder = StepBuilder(self.document, self.errors)
        builder.left -= count_steps(before)
        steps = (*before, *builder.build(model.steps, data["steps"], ("steps",)))
        connections = self._connections(model)
        self._check(model, steps, connections)
        if not self.errors and self.complete:
            self.cases = [self._case(model, steps, connections, Family(family)) for family in model.families]
        return self

    def _data(self) -> dict[str, Data]:
        """The file's data with the parameters replaced by this combination's values."""
        substitution = Substitution(self.combination.values)
        data: dict[str, Data] = {}
        for key, value in self.document.data.items():
            if key != "parameters":
                data[key] = value if key in _NOT_REPLACED or not self.combination.values else substitution.data(value, (key,))
        self.errors += [self.document.error(path, mistake) for path, mistake in substitution.mistakes]
        return data

    def _preamble(self, model: CaseFile) -> tuple[Step, ...]:
        if model.given is None:
            return ()
        steps = self.library.preambles.steps(model.given, Giver(self.document, self.errors))
        self.complete = steps is not None
        return steps or ()

    def _connections(self, model: CaseFile) -> tuple[ConnectionSpec, ...]:
        """The default connection first."""
        declared = {"default": _DEFAULT}
        for name, connection in model.connections.items():
            several = [f"{name}{number}" for number in range(connection.count)]
            declared.update(dict.fromkeys(several or [name], connection))
        for name, connection in declared.items():
            path = ("connections", name if name in model.connections else name.rstrip("0123456789"))
            others = tuple(other for other in declared if other != name)
            if connection.reuse is not None and connection.reuse not in others:
                error = CaseError("a connection to reuse", found=connection.reuse, allowed=others)
                self.errors.append(self.document.error((*path, "reuse"), error))
            if connection.isn and connection.isn[1] and connection.reuse is None:
                error = CaseError("a relative isn", found=f"+{connection.isn[0]}", expected="reuse: the connection that it is relative to")
                self.errors.append(self.document.error((*path, "isn"), error))
        return tuple(_connection(name, connection) for name, connection in declared.items())

    def _check(self, model: CaseFile, steps: Sequence[Step], connections: Sequence[ConnectionSpec]) -> None:
        """What the model alone cannot know."""
        register = self.library.register
        for index, requirement in enumerate(model.requirements):
            if requirement not in register:
                known = tuple(register.requirements)
                error = CaseError("a requirement", found=requirement, expected="one of the registers:", allowed=known)
                if not len(register):
                    error = CaseError("a requirement", found=requirement, expected="a register in requirements/; there is none")
                self.errors.append(self.document.error(("requirements", index), error))
        mtu = given_fields(model.config).get("mtu", _IPV6_MTU)
        if Family.IPV6 in model.families and mtu < _IPV6_MTU:
            error = CaseError("an MTU that IPv6 does not allow", found=str(mtu), expected=f"at least {_IPV6_MTU}, or families: [ipv4]")
            self.errors.append(self.document.error(("config", "mtu"), error))
        if self.complete:
            self.errors += check_names(self.document, steps, [connection.name for connection in connections])
            self.errors += check_families(self.document, steps, map(Family, model.families))

    def _case(self, model: CaseFile, steps: tuple[Step, ...], connections: tuple[ConnectionSpec, ...], family: Family) -> Case:
        return Case(
            id=case_id(self.file.name, self.combination, family),
            title=model.title,
            file=self.file.relative,
            family=family,
            requirements=tuple(model.requirements),
            level=self.library.register.level(model.requirements),
            steps=steps,
            description=model.description,
            config=given_fields(model.config),
            needs=tuple(model.needs),
            tags=tuple(model.tags),
            connections=connections,
            given=model.given.preamble if model.given else None,
            timeout=USUAL_TIMEOUT if model.timeout is None else model.timeout,
            tolerance=_TOLERANCE if model.tolerance is None else model.tolerance,
        )


_DEFAULT = ConnectionModel.model_validate({})


def _connection(name: str, model: ConnectionModel) -> ConnectionSpec:
    number, relative = model.isn or (None, False)
    return ConnectionSpec(
        name=name,
        peer=model.peer,
        port=model.port,
        peer_port=model.peer_port,
        isn=None if relative else number,
        isn_offset=number if relative else None,
        reuse=model.reuse,
    )
