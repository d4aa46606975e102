"""What is mutated and what judges it: the reference stack and the suite, or, in tests of this machinery, something small."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from conformance.case.case import Case
from conformance.case.expectations import Expectation, load_expectations
from conformance.case.loader import load_suite
from conformance.engine.ready import build_packets
from conformance.engine.virtual_run import play_virtual

__all__ = ["ROOT", "Judge", "Run", "StackAndSuite", "Subject"]

ROOT = Path(__file__).resolve().parents[2]

Judge = Callable[[int], str | None]
"""Plays the run with this number; None if it ends as expected, else what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Something that may notice a mutant."""

    name: str
    group: str
    """Runs of one group are much alike, so that one of each is played before the second of any."""
    key: str
    """A hash of all that it does and expects."""


class Subject(Protocol):
    """What is mutated, and what judges it."""

    sources: Mapping[str, str]
    """The text of each file that may be mutated, by its path from the root; read once, so that editing them disturbs nothing."""
    modules: Mapping[str, str]
    """By name: the file of each module that is loaded anew for each mutant, packages before what is in them."""
    runs: Sequence[Run]
    state: str
    """A hash of everything else that an outcome depends on."""

    def judge(self) -> Judge:
        """The judge; called once the modules are loaded."""
        ...


class StackAndSuite:
    """The stack in ``conformance/stack``; each case run as it is, and once more with Linux's choices, against Linux's known deviations."""

    def __init__(self, root: Path = ROOT, cases: Path | None = None, only: Sequence[Path] = ()) -> None:
        """``only``: files and folders; the other cases are not played."""
        self.modules = _modules(root)
        self.sources = {file: (root / file).read_text("utf-8") for file in self.modules.values()}
        folder = cases or root / "cases"
        suite = load_suite(folder, only)
        known = load_expectations(folder / "expectations" / "linux.yaml")
        good, errors = build_packets(suite.cases)
        self.errors = [str(error) for error in (*suite.errors, *known.errors, *errors)]
        linux = [replace(case, config={"profile": "linux", **case.config}) for case in good]
        self._cases: list[tuple[Case, Expectation | None]] = [
            *((case, None) for case in good),
            *((case, known.lookup(case.id)) for case in linux),
        ]
        half = len(good)
        self.runs = [_run(case, expectation, "rfc" if number < half else "linux") for number, (case, expectation) in enumerate(self._cases)]
        self.state = _state(root)

    def judge(self) -> Judge:
        from conformance.sut.reference import Reference  # which loads the stack

        sut = Reference()

        def play(number: int) -> str | None:
            case, expectation = self._cases[number]
            if sut.lacks(case.config) or any(need not in sut.capabilities for need in (case.family.value, *case.needs)):
                return None  # it is skipped, bug or not
            result = play_virtual(case, sut.name, sut.virtual_bed(case.config), seed=0)
            result.hold_against(expectation)
            if result.expected:
                return None
            failure = result.failure
            return f"{result.verdict}: {failure.step}: {failure.reason}" if failure else f"{result.verdict}"

        return play


def _modules(root: Path) -> dict[str, str]:
    """The stack's, and those that bind it to the tester."""
    files = sorted((root / "conformance" / "stack").glob("*.py"), key=lambda path: (path.name != "__init__.py", path.name))
    files += sorted((root / "conformance" / "sut").glob("reference*.py"))
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): str(path.relative_to(root))
        for path in files
        if path.name != "__main__.py"
    }


def _run(case: Case, expectation: Expectation | None, profile: str) -> Run:
    expected = f"{expectation.verdict} {expectation.step}" if expectation else "pass"
    key = hashlib.sha256(f"{case!r} {expected}".encode()).hexdigest()[:24]
    return Run(f"{case.id} {profile}", f"{profile} {case.file}", key)


def _state(root: Path) -> str:
    """Of the tester's own modules, as far as they are loaded by now."""
    digest = hashlib.sha256(f"{sys.version_info}".encode())
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.startswith("conformance") and Path(file).is_relative_to(root):
            digest.update(name.encode() + Path(file).read_bytes())
    for path in sorted((root / "conformance").glob("**/*.lark")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
