"""``python -m tests.oracle.mutants``: does the oracle find each curated bug in the packets of case runs that notice it?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from conformance.oracle.finding import Finding
from tests.mutants import curated

from . import notes
from .films import FOLDER, Suite, hunted, plain, teller
from .judging import against_sut, seen, written
from .tolerant import Film

__all__ = ["Score", "main", "scored"]

FOUND, OTHERWISE, NOT = "found", "found otherwise", "not found"


@dataclass(slots=True)
class Score:
    """What the oracle makes of one bug."""

    bug: curated.Bug
    films: list[Film]
    note: notes.Note
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    """With the number of the film, from 1."""
    right: list[tuple[int, Finding]] = field(default_factory=list)
    """Those that name what it breaks, for certain."""
    strict: bool = False
    """They are from rules of which nearly every stack thinks otherwise: where these are not asked for nothing is found."""

    @property
    def status(self) -> str:
        """How well it is found."""
        return FOUND if self.right else OTHERWISE if self.findings else NOT


def scored(bug: curated.Bug, films: Sequence[Film], known: notes.Notes) -> Score:
    """Judge the films of a bug."""
    score = Score(bug, list(films), known.bugs.get(bug.name, notes.Note()))
    score.findings = _findings(films, strict=False)
    score.right = [found for found in score.findings if _right(found, bug, known)]
    if not score.right and not score.note.invisible:
        score.right = [found for found in _findings(films, strict=True) if _right(found, bug, known)]
        score.strict, score.findings = bool(score.right), score.right or score.findings
    return score


def _findings(films: Sequence[Film], strict: bool) -> list[tuple[int, Finding]]:
    numbered = enumerate(films, 1)
    return [(number, finding) for number, film in numbered for finding in against_sut(seen(film.frames), strict=strict)]


def _right(found: tuple[int, Finding], bug: curated.Bug, known: notes.Notes) -> bool:
    _, finding = found
    return finding.certain and known.right(finding.rule.requirement, bug.name, bug.breaks)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    options = _parser().parse_args(arguments)
    tell, suite, known = teller(), Suite(), notes.read()
    bugs = [bug for bug in curated.read() if not options.only or any(fnmatch(bug.name, f"*{only}*") for only in options.only)]
    scores = []
    for bug, films in hunted(suite, bugs, options.most, options.jobs, tell, options.fresh):
        scores.append(scored(bug, films, known))
        for number, film in enumerate(films, 1) if options.out else ():
            written(film, options.out / bug.name / f"{number}-{film.case.replace('/', '-')}.pcapng")
    alarms = _alarms(suite, scores, options)
    for score in scores:
        _print(score, options.verbose)
    _summary(scores, alarms)
    if options.json:
        options.json.write_text(json.dumps([_json(score) for score in scores], indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 1 if alarms or any(score.status != FOUND and not score.note.invisible for score in scores) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.mutants", description="Does the oracle find the planted bugs?")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="bugs whose name holds this (* is anything)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the captures there, a folder for each bug")
    parser.add_argument("--most", type=int, default=12, metavar="N", help="case runs for each bug")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help=f"play all anew; else what {FOLDER.name} remembers is judged")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every finding")
    return parser


def _alarms(suite: Suite, scores: Sequence[Score], options: argparse.Namespace) -> list[tuple[Film, Finding]]:
    """What is found where there is no bug: the same runs on the stack as it is, but for those with Linux's choices, which deviate."""
    numbers = {(suite.case(number).id, suite.profile(number)): number for number in range(len(suite.runs))}
    wanted = {(film.case, film.profile) for score in scores for film in score.films}
    chosen = sorted(numbers[run] for run in wanted if run in numbers)
    films = [film for film in plain(suite, chosen, options.jobs, teller(), options.fresh).values() if film.profile == "rfc"]
    alarms = [(film, finding) for film in films for finding in against_sut(seen(film.frames))]
    rules = {(film.case, finding.rule) for score in scores if score.strict for film in score.films for _, finding in score.right}
    cases = {case for case, _ in rules}
    found = [(film, finding) for film in films if film.case in cases for finding in against_sut(seen(film.frames), strict=True)]
    return alarms + [(film, finding) for film, finding in found if (film.case, finding.rule) in rules]


def _print(score: Score, verbose: bool) -> None:
    mark = {FOUND: "✓", OTHERWISE: "~", NOT: "✗"}[score.status] if not score.note.invisible or score.findings else "-"
    status = f"{score.status} by a strict judge only" if score.strict else score.status
    print(f"{mark} {score.bug.name}: {status}   breaks {', '.join(score.bug.breaks)}   {len(score.films)} runs")
    if score.note.invisible:
        print(f"    invisible: {score.note.invisible}")
    if score.status == NOT and not score.note.invisible:
        if score.note.shows:
            print(f"    shows: {score.note.shows}")
        for film in score.films:
            print(f"    {film.profile} {film.case}: {film.failed}")
    shown = score.findings if verbose or score.status == OTHERWISE else score.right[:1]
    for number, finding in shown:
        rule = f"{finding.rule.name} {finding.rule.requirement}{'' if finding.certain else ' (ambiguous)'}"
        print(f"    {number} {score.films[number - 1].case} #{finding.packet} {rule}: {finding.reason}")


def _summary(scores: Sequence[Score], alarms: Sequence[tuple[Film, Finding]]) -> None:
    counted = Counter(score.status if not score.note.invisible else "invisible" for score in scores)
    print("\n" + f"{len(scores)} bugs: " + ", ".join(f"{count} {status}" for status, count in counted.most_common()))
    if wrong := [score.bug.name for score in scores if score.note.invisible and score.right]:
        print(f"found, though mutants.yaml says that they are invisible: {', '.join(wrong)}")
    if none := [score.bug.name for score in scores if not score.films]:
        print(f"no run notices: {', '.join(none)}")
    if alarms:
        print(f"\n*** {len(alarms)} FALSE ALARMS on the stack without a bug ***")
        for film, finding in alarms:
            print(f"    {film.case} #{finding.packet} {finding.rule.name} {finding.rule.requirement}: {finding.reason}")
    else:
        print("no false alarm on the same runs without a bug")


def _json(score: Score) -> dict[str, object]:
    return {
        "name": score.bug.name, "status": score.status, "strict": score.strict, "breaks": score.bug.breaks,
        "invisible": score.note.invisible,
        "runs": [{"case": film.case, "profile": film.profile, "failed": film.failed} for film in score.films],
        "findings": [
            {"run": number, "rule": finding.rule.name, "requirement": finding.rule.requirement, "packet": finding.packet,
             "certain": finding.certain, "reason": finding.reason, "right": (number, finding) in score.right}
            for number, finding in score.findings
        ],
    }  # fmt: skip


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.exit(1)
