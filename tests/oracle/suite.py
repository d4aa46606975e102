"""``python -m tests.oracle.suite``: what the oracle finds against a stack in all of the suite's case runs.

Traces are remembered in ``build/oracle``: a second call only judges, and plays what is new. The reference stack is filmed as its own
interface sees the wire, and watched for a while after each case; ``--live`` takes the traces of ``conformance run`` instead, as for Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pickle
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from conformance.case.case import Case
from conformance.case.loader import load_suite
from conformance.case.selection import selector
from conformance.engine.ready import build_packets
from conformance.engine.runner import Runner, RunnerOptions
from conformance.oracle.finding import Finding, Vantage
from conformance.oracle.judge import SLACK
from conformance.result import CaseResult, Verdict
from conformance.sut import registry
from conformance.trace import Received, Sent, Trace
from conformance.wire.segment import Family
from tests.mutants.subject import ROOT

from .dump import dump
from .films import FOLDER, Suite, plain, teller
from .judging import against_sut, seen, written
from .tolerant import Film, Frame

__all__ = ["frames_of", "main"]

_CASES = 12
"""Case ids that are printed of a rule."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit status 1 if anything is found."""
    options = _parser().parse_args(arguments)
    wanted, families = selector(options.keyword), {Family(name) for name in options.family.split(",")}
    films = _films(options) if options.sut == "reference" and not options.live else _live(options)
    ids = {case.id for case in load_suite(ROOT / "cases", families=tuple(families)).cases if wanted(case.id)}
    films = [film for film in films if film.case in ids]
    begun, packets = time.perf_counter(), 0
    found: defaultdict[tuple[str, str, str, bool], list[tuple[Film, Finding]]] = defaultdict(list)
    for film in films:
        packets += len(film.frames)
        vantage = None if options.vantage == "auto" else Vantage(options.vantage)
        for finding in against_sut(seen(film.frames), vantage, 0 if options.sut == "reference" else SLACK):
            rule = finding.rule
            if options.rule in f"{rule.name} {rule.requirement}":
                found[rule.name, rule.requirement, rule.level, finding.certain].append((film, finding))
    _print(found, options)
    seconds = time.perf_counter() - begun
    total = sum(map(len, found.values()))
    print(f"{len(films)} case runs on {options.sut}, {packets} packets, {total} findings, judged in {seconds:.1f} s")
    return 1 if total else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.suite", description=__doc__)
    parser.add_argument("--sut", choices=list(registry.SUTS), default="reference")
    parser.add_argument("-k", dest="keyword", default="", metavar="EXPRESSION", help="case runs, as for conformance run")
    parser.add_argument("--family", default="ipv4,ipv6")
    parser.add_argument("--rule", default="", metavar="TEXT", help="only rules whose name or requirement holds this")
    parser.add_argument("--vantage", default="both", choices=["auto", *Vantage])
    parser.add_argument("--fresh", action="store_true", help="play all anew")
    parser.add_argument("--live", action="store_true", help="of the reference stack too: the traces of conformance run")
    parser.add_argument("--slow", action="store_true", help="also the cases that take minutes in real time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that play the reference stack's")
    parser.add_argument("--all", action="store_true", help=f"print every case, not {_CASES} of each rule")
    parser.add_argument("--dump", action="store_true", help="print the packets of each case with a finding")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the captures of the cases with a finding there")
    return parser


def _films(options: argparse.Namespace) -> list[Film]:
    suite = Suite()
    numbers = [number for number in range(len(suite.runs)) if suite.profile(number) == "rfc"]
    return list(plain(suite, numbers, options.jobs, teller(), options.fresh).values())


def _live(options: argparse.Namespace) -> list[Film]:
    """The traces of ``conformance run``: those that are remembered, and of the other cases new ones."""
    cache = FOLDER / f"live-{options.sut}.pickle"
    known: dict[str, Film] = pickle.loads(cache.read_bytes()) if cache.is_file() else {}
    wanted, virtual = selector(options.keyword), registry.SUTS[options.sut].virtual
    cases = [case for case in load_suite(ROOT / "cases").cases if wanted(case.id)]
    cases = [case for case in cases if options.slow or virtual or "slow" not in case.tags]
    if missing := [case for case in cases if options.fresh or case.id not in known]:
        known |= {film.case: film for film in _played(missing, options.sut)}
        FOLDER.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(pickle.dumps(known))
    return [known[case.id] for case in cases if case.id in known]


def _played(cases: Sequence[Case], name: str) -> list[Film]:
    results: list[CaseResult] = []
    good, errors = build_packets(cases)
    for error in errors:
        print(error, file=sys.stderr)
    sut = registry.make(name)
    with contextlib.closing(sut):
        asyncio.run(Runner(sut, RunnerOptions(), results.append).run(good))
    return [
        Film(result.case.id, name, "" if result.verdict is Verdict.PASS else f"{result.verdict}", frames_of(result.trace))
        for result in results
        if result.verdict is not Verdict.SKIPPED
    ]


def frames_of(trace: Trace) -> tuple[Frame, ...]:
    """The frames of a case run, in the order of their times."""
    return tuple((event.t, event.frame, isinstance(event, Sent)) for event in trace.sorted() if isinstance(event, Sent | Received))


def _print(found: dict[tuple[str, str, str, bool], list[tuple[Film, Finding]]], options: argparse.Namespace) -> None:
    shown: set[str] = set()
    for (name, requirement, level, certain), those in sorted(found.items(), key=lambda item: -len(item[1])):
        cases = {film.case for film, _ in those}
        print(f"{name}   {requirement} {level}{'' if certain else '   ambiguous'}   {len(those)} findings in {len(cases)} case runs")
        for film, finding in those[: None if options.all else _CASES]:
            print(f"    {film.case} #{finding.packet}: {finding.reason}{f'   [{film.failed}]' if film.failed else ''}")
            if film.case not in shown:
                shown.add(film.case)
                if options.dump:
                    print("\n".join("        " + line for line in dump(film)))
                if options.out:
                    written(film, options.out / f"{film.case.replace('/', '-')}.pcapng")
        if len(those) > _CASES and not options.all:
            print(f"    … and {len(those) - _CASES} more (--all)")
        print()


if __name__ == "__main__":
    sys.exit(main())
