"""``python -m tests.mutants``: plant the bugs, run the suite against each, say which survived. Exit status 1 if too many did."""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from . import curated, equivalent
from .hunt import Hunt, Outcome
from .infection import instrumented
from .lines import differing, measured, stack_hash
from .loading import Compiled
from .mutant import Mutant
from .report import Report
from .results import Results
from .subject import ROOT, StackAndSuite, Subject

__all__ = ["hunt", "main"]

_WRONG = 2
_MOST_ERRORS = 10
_MALLOC = {"PYTHONMALLOC": "malloc", "MALLOC_TOP_PAD_": str(64 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""Memory that a run gives back is what the next one takes; else the kernel hands it out anew each time, for a quarter of the time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    options = _parser().parse_args(arguments)
    tell = _teller(options.quiet)
    try:
        subject = StackAndSuite(cases=options.cases, only=options.runs)
        mutants, claims, lost = _mutants(subject, options.which)
    except ValueError as error:
        print(error, file=sys.stderr)
        return _WRONG
    if subject.errors:
        print("\n".join(subject.errors), file=sys.stderr)
        return _WRONG
    found, errors = equivalent.claimed(claims, mutants)
    chosen = [number for number, mutant in enumerate(mutants) if _chosen(mutant, number, options)]
    if options.list:
        for number in chosen:
            print(f"{mutants[number].name}: {mutants[number].before} → {mutants[number].after}")
        return 0
    chosen.sort(key=found.__contains__)  # what should survive, and takes longest, comes last
    report = hunt(subject, mutants, chosen, options.folder, options.jobs, tell, options.most)
    report.claims, report.errors = found, [*lost, *report.errors, *errors]
    if options.json:
        options.json.write_text(json.dumps(report.json(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(report.text())
    return 1 if report.mistakes else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="Are bugs that are planted in the reference stack noticed?"
    )
    parser.add_argument("which", nargs="?", choices=["curated", "generated", "all"], default="all", help="default: all")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="those whose name or file holds this (* is anything)")
    parser.add_argument("--shard", metavar="I/N", type=_shard, default=(1, 1), help="only the I-th of N parts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--cases", type=Path, help="default: the suite")
    parser.add_argument("--runs", type=Path, action="append", default=[], metavar="PATH", help="play only the cases of this file or folder")
    parser.add_argument("--most", type=int, default=0, metavar="N", help="play only the N likeliest runs, for a first impression")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutants", help="for what is remembered between runs")
    parser.add_argument("--list", action="store_true", help="print the mutants and play none")
    parser.add_argument("--quiet", action="store_true", help="say nothing on the way")
    return parser


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError("two numbers, such as 1/4")
    return int(part), int(parts)


def _chosen(mutant: Mutant, number: int, options: argparse.Namespace) -> bool:
    part, parts = options.shard
    if number % parts != part - 1:
        return False
    return not options.only or any(fnmatch(text, f"*{only}*") for only in options.only for text in (mutant.name, mutant.file))


def _mutants(subject: StackAndSuite, which: str) -> tuple[list[Mutant], list[equivalent.Claim], list[str]]:
    """All mutants, what is said of them, and the curated ones whose place is not there any more."""
    mutants: list[Mutant] = []
    lost: list[str] = []
    for bug in curated.read() if which != "generated" else ():
        try:
            mutants.append(curated.apply(bug, subject.sources))
        except ValueError as error:
            lost.append(str(error))
    if which == "curated":
        return mutants, [], lost
    try:
        from .generated import generate
    except ImportError as error:
        raise ValueError(f"{error}: generated mutants need `pip install -e '.[mutants]'`, which `make mutants` does") from None
    return mutants + generate(subject.sources), equivalent.read(), lost


def hunt(
    subject: Subject, mutants: Sequence[Mutant], chosen: Sequence[int], folder: Path, jobs: int, tell: Callable[[str], None], most: int = 0
) -> Report:
    """Play runs against the chosen mutants, but for what is known."""
    compiled = Compiled(subject.sources, subject.modules)
    own = compiled.with_texts({})
    played = measured(subject, own, folder, jobs, tell)
    errors = [
        f"{run.name} does not end as expected on the stack without a bug, and was not played: {now.wrong}"
        for run, now in zip(subject.runs, played, strict=True)
        if now.wrong is not None
    ]
    if len(errors) > _MOST_ERRORS:
        errors[_MOST_ERRORS:] = [f"and {len(errors) - _MOST_ERRORS} more do not end as expected on the stack without a bug"]
    results = Results(folder, stack_hash(subject), subject.runs, [now.wrong is None for now in played], most)
    hunter = Hunt(subject, compiled, played, jobs, most)
    outcomes: dict[int, Outcome] = {}
    waiting, before = [], {}
    for number in chosen:
        known = results.known(mutants[number])
        if known.outcome is not None:
            outcomes[number] = known.outcome
            if known.outcome.by is not None:
                hunter.learn(mutants[number], known.outcome.by)
        else:
            waiting.append((mutants[number], known.hint, known.skip))
            before[id(mutants[number])] = (number, known.of)
    if waiting:
        _narrow(hunter, subject, compiled, mutants, folder, jobs, tell)
    gc.collect()
    gc.freeze()  # what is loaded stays, and the children share it
    for count, (mutant, outcome) in enumerate(hunter.run(waiting), 1):
        number, of = before[id(mutant)]
        results.add(mutant, outcome, of if not outcome.killed else 0)
        outcomes[number] = outcome if outcome.killed else replace(outcome, played=outcome.played + of)
        alive = sum(not outcome.killed for outcome in outcomes.values())
        tell(f"mutants: {count} of {len(waiting)} played, {len(outcomes)} of {len(chosen)} known, {alive} of them alive")
    if len(chosen) == len(mutants) and {mutant.curated for mutant in mutants} == {True, False}:
        results.tidy(mutants)
    return Report(subject.runs, mutants, outcomes, errors=errors)


def _narrow(
    hunter: Hunt,
    subject: Subject,
    compiled: Compiled,
    mutants: Sequence[Mutant],
    folder: Path,
    jobs: int,
    tell: Callable[[str], None],
) -> None:
    """Find out which runs can notice which generated mutants, so that the others need not be played for them."""
    tell("probes")
    probes = instrumented(mutants, subject.sources)
    if probes.numbers:
        what = hashlib.sha256("\0".join(f"{number} {mutants[number].key}" for number in sorted(probes.numbers)).encode()).hexdigest()[:16]
        bits = differing(subject, compiled.with_texts(probes.texts), what, folder, jobs, tell)
        hunter.narrow({number: mutants[number] for number in probes.numbers}, bits)


def _teller(quiet: bool) -> Callable[[str], None]:
    """To standard error: in place on a terminal, else now and then."""
    last = [0.0]
    screen = sys.stderr.isatty()

    def tell(text: str) -> None:
        now = time.monotonic()
        if quiet or now - last[0] < (0.1 if screen else 15):
            return
        last[0] = now
        print(f"\r\x1b[K{text}" if screen else text, end="" if screen else "\n", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    if "PYTHONMALLOC" not in os.environ:
        os.execve(sys.executable, [sys.executable, "-m", "tests.mutants", *sys.argv[1:]], {**os.environ, **_MALLOC})
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nended; what is known is kept, and the next run goes on from there")
