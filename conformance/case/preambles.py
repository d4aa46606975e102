"""``given:``: preambles by name, with their arguments and the preambles that they need themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from pydantic import ValidationError

from conformance.case.document import Data, Document, Path, shown
from conformance.case.errors import CaseError
from conformance.case.model import GivenModel, PreambleFile
from conformance.case.parameters import Scalar, Substitution
from conformance.case.problems import problems
from conformance.case.step_builder import StepBuilder
from conformance.case.steps import Step
from conformance.case.yaml_reader import read_file

__all__ = ["Giver", "Preambles"]

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Giver:
    """Who asks for a preamble, where its own mistakes go, and the preambles that are being built because of it."""

    document: Document
    errors: list[CaseError]
    chain: tuple[str, ...] = ()

    def complain(self, path: Path, error: CaseError, *, key: bool = False) -> None:
        """A mistake in how it asks."""
        self.errors.append(self.document.error(("given", *path), error, key=key))


@dataclass(slots=True)
class Preambles:
    """The preambles of one or more case folders; where a name is there twice, the first folder's counts."""

    folders: Sequence[FilePath]
    errors: list[CaseError] = field(default_factory=list)
    """What is wrong in the preambles' files, each mistake once however many cases ask for them."""
    _files: dict[str, tuple[FilePath, FilePath]] | None = None
    _documents: dict[str, Document | None] = field(default_factory=dict)
    _built: dict[object, tuple[Step, ...] | None] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All that there are."""
        return tuple(self._found())

    def _found(self) -> dict[str, tuple[FilePath, FilePath]]:
        """Names to case folder and file. A name is looked up here and never becomes a path."""
        if self._files is None:
            pairs = [(folder, file) for folder in self.folders for file in sorted((folder / "preambles").glob("*"))]
            self._files = {}
            for folder, file in pairs:
                if file.suffix in _SUFFIXES and not file.name.startswith(".") and self._stays(folder, file):
                    self._files.setdefault(file.stem, (folder, file))
        return self._files

    def _stays(self, folder: FilePath, file: FilePath) -> bool:
        if file.resolve().is_relative_to(folder.resolve()):
            return True
        self.errors.append(CaseError("a link that leads out of the case folder", str(file), found=str(file.resolve())))
        return False

    def check(self) -> None:
        """Build each preamble with its defaults, so that ``errors`` has what is wrong with those that no case asks for."""
        for name in self.names:
            document = self._document(name)
            if document is not None:
                self.steps(GivenModel.model_validate({"preamble": name}), Giver(document, self.errors))

    def steps(self, given: GivenModel, giver: Giver) -> tuple[Step, ...] | None:
        """The steps of a preamble, those of its own preambles first; None if something is wrong, and has been said."""
        name = given.preamble
        where: Path = ("preamble",) if isinstance(giver.document.written(("given",)), dict) else ()
        if name not in self._found():
            expected = "" if self.names else "none: there are no preambles"
            giver.complain(where, CaseError("a preamble", found=shown(name), allowed=self.names, expected=expected))
            return None
        if name in giver.chain:
            circle = " → ".join((*giver.chain, name))
            giver.complain(where, CaseError("preambles that need each other", found=circle, expected="a chain that ends"))
            return None
        document = self._document(name)
        defaults = document.data.get("arguments") if document and isinstance(document.data, dict) else None
        known = tuple(defaults) if isinstance(defaults, dict) else ()
        unknown = [argument for argument in given.arguments if argument not in known]
        for argument in unknown if document else ():
            error = CaseError(f"an argument of {name}", found=argument, allowed=known, expected="" if known else "no arguments")
            giver.complain((argument,), error, key=True)
        if document is None or unknown:
            return None
        key = name, giver.chain, tuple((argument, type(value), str(value)) for argument, value in sorted(given.arguments.items()))
        if key not in self._built:
            self._built[key] = self._build(document, given, giver)
        return self._built[key]

    def _document(self, name: str) -> Document | None:
        if name not in self._documents:
            folder, file = self._found()[name]
            self._documents[name] = None
            try:
                self._documents[name] = read_file(file, str(file), file.relative_to(folder).as_posix())
            except CaseError as error:
                self.errors.append(error)
        return self._documents[name]

    def _build(self, document: Document, given: GivenModel, giver: Giver) -> tuple[Step, ...] | None:
        """Read a preamble with these arguments."""
        errors: list[CaseError] = []
        steps: tuple[Step, ...] | None = None
        data = _with_arguments(document, given.arguments, errors)
        try:
            model = PreambleFile.model_validate(data)
        except ValidationError as error:
            errors.extend(problems(error, PreambleFile, document, data))
        else:
            before: tuple[Step, ...] | None = ()
            if model.given:
                before = self.steps(model.given, Giver(document, errors, (*giver.chain, given.preamble)))
            own = StepBuilder(document, errors, preamble=True).build(model.steps, data["steps"], ("steps",))
            steps = None if before is None else (*before, *own)
        if given.arguments:
            line, _ = giver.document.place(("given",))
            for problem in errors:
                problem.message += f" (as {giver.document.file}:{line} gives it)"
        self.errors.extend(errors)
        return None if errors else steps


def _with_arguments(document: Document, arguments: Mapping[str, Scalar], errors: list[CaseError]) -> Data:
    """A preamble's data with its arguments put in."""
    data = document.data
    if not isinstance(data, dict):
        return data
    defaults = data.get("arguments")
    values = {**(defaults if isinstance(defaults, dict) else {}), **arguments}
    scalars = {name: value for name, value in values.items() if isinstance(name, str) and not isinstance(value, (dict, list))}
    substitution = Substitution(scalars)
    result = {key: value if key == "arguments" else substitution.data(value, (key,)) for key, value in data.items()}
    errors.extend(document.error(path, mistake) for path, mistake in substitution.mistakes)
    return result
