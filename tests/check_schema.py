"""``make lint``: every file of a case folder fits its JSON Schema, the loader takes it, and what it refers to is there.

The schemas are those that ``conformance schema`` gives to editors. A file that they refuse though the loader takes it (or the other way
round) is a mistake in one of the two, so both look at every file. The README's numbers of files are looked at too. Problems are one line
each, ``file:line: what``; exit status 1.

Usage: python tests/check_schema.py [CASE_FOLDER]
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from conformance.case.case import Case
from conformance.case.checks import walk
from conformance.case.document import Data, Document
from conformance.case.errors import CaseError
from conformance.case.expectations import Expectation, Expectations, load_expectations
from conformance.case.loader import Suite, load_suite
from conformance.case.schema import case_schema, expectations_schema, preamble_schema, register_schema
from conformance.case.step_models import STEP_MODELS, kind_of
from conformance.case.yaml_reader import read_file
from conformance.engine.replay_suite import all_ids
from conformance.sut.registry import SUTS

CASES = Path(__file__).resolve().parents[1] / "cases"
YAML = (".yaml", ".yml")
KINDS = {"preambles": preamble_schema(), "requirements": register_schema(), "expectations": expectations_schema()}
"""The folders beside the cases, and what their files look like."""
CASE = case_schema()
FOLDER = re.compile(r"\| \[(?P<folder>[^]]+)\]\((?P=folder)/\) \|.*\| (?P<files>\d+) \|")
"""A line of the README's tables."""
FAILING = ("fail", "inconclusive", "error")
"""Verdicts that say something of a stack or of the tester, so that somebody must have looked why."""


@dataclass(slots=True)
class Problems:
    """What is wrong, one line a problem and one problem a line of a file."""

    found: dict[tuple[str, int], str] = field(default_factory=dict)

    def add(self, file: str, line: int, what: str) -> None:
        """Of several problems in a line, the first that was found is kept."""
        self.found.setdefault((file, max(line, 1)), what)

    def error(self, error: CaseError) -> None:
        """What the loader says, without the place in front."""
        place = ":".join(str(part) for part in (error.file or "case", error.line, error.column) if part)
        self.add(error.file, error.line, str(error).removeprefix(f"{place}: "))

    def lines(self) -> list[str]:
        """In the order of files and lines."""
        return [f"{file}:{line}: {what}" for (file, line), what in sorted(self.found.items())]


def main(folder: Path) -> int:
    """Check a case folder, print what was found, and give the exit status."""
    root = Path(os.path.relpath(folder))
    problems = Problems()
    suite = load_suite(root)
    for error in suite.errors:
        problems.error(error)
    entries = 0
    for path in sorted(path for path in (root / "expectations").glob("*") if path.suffix in YAML):
        expectations = load_expectations(path)
        entries += len(expectations.entries)
        for error in expectations.errors:
            problems.error(error)
        if not suite.errors:  # else an entry's case may only be one that cannot be loaded
            check_expectations(path, expectations, suite, problems)
    files = 0
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")):
        if path.suffix in YAML:
            files += 1
            check_file(path, root, problems)
        elif path.suffix != ".md":
            problems.add(str(path), 1, f"neither YAML nor Markdown: a case is a file *{YAML[0]}")
    check_readme(root, problems)
    named = check_requirements(suite, problems)
    for line in (lines := problems.lines()):
        print(line)
    if not lines:
        covered = f"{named} of {len(suite.register)} requirements named"
        print(f"{root}: {files} files, {len(suite.cases)} case runs, {covered}, {entries} expectations: all is as it should be")
    return 1 if lines else 0


# A file and its schema ------------------------------------------------------------------------------------------------


def check_file(path: Path, root: Path, problems: Problems) -> None:
    """Does the file fit the schema of its kind?"""
    relative = path.relative_to(root)
    schema = KINDS.get(relative.parts[0], CASE) if len(relative.parts) > 1 else CASE
    try:
        document = read_file(path, str(path), relative.as_posix())
    except CaseError as error:
        problems.error(error)
        return
    for whole in Draft202012Validator(schema).iter_errors(as_json(document.data)):
        for mistake in narrow(whole):
            line, _ = document.place(written_path(document, mistake), key=mistake.validator == "additionalProperties")
            problems.add(str(path), line, f"the schema does not allow it: {brief(mistake.message)}")


def as_json(data: Data) -> Any:
    """The same data as JSON has it: keys are text."""
    if isinstance(data, dict):
        return {str(key): as_json(value) for key, value in data.items()}
    return [as_json(item) for item in data] if isinstance(data, list) else data


def narrow(error: ValidationError) -> Iterator[ValidationError]:
    """The mistakes themselves: of the kinds of steps only the one that the step's key names has something to say."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    kind = kind_of(error.instance) if error.validator == "oneOf" else None
    if kind is not None:
        model = STEP_MODELS[kind.removesuffix(" step")].__name__
        kinds: Any = error.validator_value
        index = next(index for index, branch in enumerate(kinds) if branch["$ref"].endswith(f"/{model}"))
        for inner in branches.get(index, ()):
            yield from narrow(inner)
        return
    deepest = max((inner for branch in branches.values() for inner in branch), key=depth, default=error)
    yield from narrow(deepest) if depth(deepest) > depth(error) else (error,)


def depth(error: ValidationError) -> int:
    """How far inside the file it is."""
    return len(error.absolute_path)


def written_path(document: Document, error: ValidationError) -> tuple[str | int, ...]:
    """Where the mistake is, with the keys as the file has them; of keys that are too many, the first."""
    parts: list[str | int] = list(error.absolute_path)
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        instance: Any = error.instance
        parts.append(next(key for key in instance if key not in schema.get("properties", ())))
    path: list[str | int] = []
    data = document.data
    for part in parts:
        key = part if not isinstance(data, dict) or part in data else next(key for key in data if str(key) == part)
        path.append(key)
        data = data[key]
    return tuple(path)


def brief(text: str) -> str:
    """On one line that can be read."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:159]}…"


# What refers to what --------------------------------------------------------------------------------------------------


def check_requirements(suite: Suite, problems: Problems) -> int:
    """How many requirements some case names; one that no case can observe is named by none."""
    named: dict[str, Case] = {}
    for case in suite.cases:
        for name in case.requirements:
            named.setdefault(name, case)
    for requirement in suite.register:
        if requirement.unobservable and requirement.id in named:
            what = f"{requirement.id} is said to be unobservable, but {named[requirement.id].id} names it"
            problems.add(requirement.file, requirement.line, what)
    return len(named)


def check_expectations(path: Path, expectations: Expectations, suite: Suite, problems: Problems) -> None:
    """Every entry is about a case run that there is, names a step of it, and says where its reason comes from."""
    if path.stem not in SUTS:
        problems.add(str(path), 1, f"there is no SUT {path.stem}: {', '.join(SUTS)}")
    unused = expectations.unused(list(all_ids(suite)))
    covered: dict[int, list[Case]] = {}
    for case in suite.cases:
        if (about := expectations.lookup(case.id)) is not None:
            covered.setdefault(id(about), []).append(case)
    for entry in expectations.entries:
        cases = covered.get(id(entry), [])
        overrides = expectations.like is not None and any(expectations.like.lookup(case.id) for case in cases)
        problem = what_is_wrong(entry, cases, entry in unused, overrides)
        if problem:
            problems.add(entry.file, entry.line, problem)
    for known in expectations.invariants:
        if known in unused:
            problems.add(known.file, known.line, f"{known.case}: no case run has this id")


def what_is_wrong(entry: Expectation, covered: list[Case], unused: bool, overrides: bool) -> str | None:
    """With an entry that covers these cases, perhaps in place of that of a stack that this one is like."""
    if unused:
        return f"{entry.case}: no case run has this id, or other entries come before this one for all that do"
    if entry.verdict == "pass" and not overrides:
        return f"{entry.case}: pass is what is expected without an entry"
    if entry.verdict in FAILING and not entry.source:
        return f"{entry.case}: no source; say where it is documented that the stack does this"
    if entry.step and covered and not any(entry.step == step.source.text for case in covered for step in walk(case.steps)):
        return f"{entry.case}: no step '{entry.step}' in {covered[0].file}"
    return None


# The list of folders --------------------------------------------------------------------------------------------------


def check_readme(root: Path, problems: Problems) -> None:
    """If the case folder has a README, it has a line for each folder, with the number of its files: ``| [close](close/) | … | 16 |``."""
    readme = root / "README.md"
    if not readme.is_file():
        return
    left = {path.name: sum(file.suffix in YAML for file in path.rglob("*")) for path in root.iterdir() if path.is_dir()}
    for number, line in enumerate(readme.read_text("utf-8").splitlines(), 1):
        row = FOLDER.fullmatch(line)
        if row and (files := left.pop(row["folder"], 0)) != int(row["files"]):
            problems.add(str(readme), number, f"{row['folder']} has {files} files")
    for folder in sorted(folder for folder, files in left.items() if files):
        problems.add(str(readme), 1, f"no line for the folder {folder}, which has {left[folder]} files")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else CASES))
