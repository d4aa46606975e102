"""Which case to shrink: from an id or a file to the case run that fails, its data, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conformance.case.case import Case
from conformance.case.discovery import CaseFilePath, discover
from conformance.case.loader import load_suite
from conformance.case.register import Register
from conformance.case.steps import RepeatStep, flatten
from conformance.case.written_out import written_out
from conformance.engine.ready import build_packets
from conformance.engine.shrink_play import Player
from conformance.engine.shrink_tree import Tree, changed, count_played
from conformance.engine.signature import Signature, signature
from conformance.engine.status import UsageError
from conformance.link.errors import EnvironmentFault
from conformance.report.amounts import counted
from conformance.result import CaseResult, Verdict

__all__ = ["Failing", "case_runs", "cut", "find_failing", "is_capture"]

_MAGICS = (b"\xa1\xb2", b"\xd4\xc3", b"\x4d\x3c", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b")
"""What pcap (both orders, µs and ns), pcapng and gzip files begin with."""


def is_capture(path: Path) -> bool:
    """Is it one, by what it begins with? What is neither that nor YAML is for the reader of cases to refuse."""
    with path.open("rb") as file:
        return file.read(4).startswith(_MAGICS)


@dataclass(frozen=True, slots=True)
class Failing:
    """A case run that fails."""

    case: Case
    tree: Tree
    """Its data, preambles and parameters filled in."""
    result: CaseResult
    signature: Signature
    register: Register
    name: str
    """What it was, for people: a case's id, or a capture and what of it."""
    size: str
    """How large it was, the same: ``34 steps``."""


def case_runs(cases: Path, what: str) -> tuple[list[Case], dict[str, CaseFilePath], Register]:
    """The case runs that ``what`` names: a file, an id, or an id without its brackets; with the files that they are from.

    Raises CaseError for the first mistake in their file, UsageError if there is none.
    """
    path = Path(what)
    if path.is_file():
        files = [path]
    else:
        found, _ = discover(cases)
        files = [file.path for file in found if file.name == what.partition("[")[0]]
    if not files:
        raise UsageError(f"there is no file and no case {what!r}; `conformance list` shows the cases")
    suite = load_suite(cases, files, fallback=cases)
    if suite.errors:
        raise suite.errors[0]
    playable, errors = build_packets(suite.cases)
    if errors:
        raise errors[0]
    runs = [case for case in playable if path.is_file() or what in (case.id, case.id.partition("[")[0])]
    if not runs:
        known = ", ".join(case.id for case in playable[:8]) + (", …" if len(playable) > 8 else "")
        raise UsageError(f"there is no case {what!r}; of this name there are {known}")
    return runs, {file.relative: file for file in discover(cases, files)[0]}, suite.register


def find_failing(cases: Path, what: str, player: Player) -> Failing:
    """Play what ``what`` names; the first case run that fails. Raises UsageError if none does."""
    runs, files, register = case_runs(cases, what)
    results = [result for result in player.play(runs) if result is not None]
    for result in results:
        if (kind := signature(result)) is not None:
            case = result.case
            tree = written_out(files[case.file], case.id, case.family)
            return Failing(case, tree, result, kind, register, case.id, counted(count_played(tree["steps"]), "step", "steps"))
    raise _none_fails(results, player.sut.name)


def _none_fails(results: list[CaseResult], sut: str) -> Exception:
    unclear = [result for result in results if result.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE)]
    shown = (unclear or results)[0]
    reason = f": {shown.failure.reason}" if shown.failure else ""
    more = f" (and so do {len(results) - 1} more)" if len(results) > 1 and not unclear else ""
    said = f"{shown.case.id} does not fail on {sut}, its verdict is {shown.verdict}{reason}{more}"
    return EnvironmentFault(said) if unclear else UsageError(f"{said}; only a case that fails can be shrunk")


def cut(failing: Failing) -> Tree:
    """The case without what comes after the step that fails."""
    index, tree = failing.result.failure.index if failing.result.failure else None, failing.tree
    assert index is not None
    for position, step in enumerate(failing.case.steps):
        size = len(flatten((step,)))
        if index < size:
            tree = {**tree, "steps": tree["steps"][: position + 1]}
            if isinstance(step, RepeatStep):
                round_size = (size - 1) // max(len(step.rounds), 1)
                tree = changed(tree, ("steps", position, "repeat", "times"), (index - 1) // max(round_size, 1) + 1)
            return tree
        index -= size
    return tree
