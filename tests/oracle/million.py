"""``python -m tests.oracle.million``: a million packets of Linux with Linux, in which the oracle must find only what is so.

Every scenario of :mod:`tests.traffic` is captured at each end and between them, and each capture is judged with where it was taken
given, without, and as that of one machine if nothing lies between the ends. What is certain and not among the known deviations of
Linux (:mod:`tests.oracle.known`) is printed, and its capture kept. A seed makes the scenarios and the links do the same again, but
not the kernel: no two runs are alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from conformance.link.errors import EnvironmentFault
from tests.traffic.making import Made, chosen, made, runs
from tests.traffic.privilege import acquire_for_children
from tests.traffic.scenario import Capture

from .false_alarms import Judged, judged_all_ways
from .known import Known, known

__all__ = ["main"]

_AHEAD = 4
"""Scenarios whose captures may wait to be judged: what disk use is bounded by."""
_TRIES = 3
"""A scenario may come to nothing: sockets that wait for each other, a capture that has missed packets."""
_OTHER = 1_000_000
"""What another try adds to a seed."""


@dataclass(slots=True)
class Total:
    """Of all captures."""

    captures: int = 0
    made: int = 0
    """Packets in them."""
    judged: int = 0
    connections: int = 0
    left: int = 0
    """What is certain and not known to be so."""
    failed: int = 0
    """Scenarios without captures, and captures that were not judged to their end."""
    certain: dict[Known, Counter[str]] = field(default_factory=dict)
    """What is known to be so, and where, by scenario."""
    ambiguous: Counter[str] = field(default_factory=Counter)
    """By rule."""

    def take(self, result: Made, said: Sequence[Judged]) -> None:
        """Count a scenario."""
        self.captures += len(result.captures)
        self.made += sum(capture.packets for capture in result.captures)
        self.failed += bool(result.error)
        for one in said:
            self.judged += one.packets
            self.connections += one.connections
            self.left += len(one.alarms())
            self.failed += bool(one.error)
            self.ambiguous += one.ambiguous
            for alarm in one.certain:
                if entry := known(alarm.finding, one.capture.scenario):
                    self.certain.setdefault(entry, Counter())[one.capture.scenario] += 1

    def lines(self) -> Iterator[str]:
        """What the command ends with."""
        for entry, where in self.certain.items():
            yield f"{where.total():,} × {entry.rule}: {entry.why} ({', '.join(sorted(where))})"
        if self.ambiguous:
            yield "ambiguous: " + ", ".join(f"{count:,} × {rule}" for rule, count in self.ambiguous.most_common())
        yield f"{self.made:,} packets in {self.captures} captures; {self.judged:,} packets of {self.connections:,} connections judged"
        known_so = sum(where.total() for where in self.certain.values())
        yield f"{known_so:,} certain findings are known to be so; left: {self.left}, failed: {self.failed}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit status 1 if anything is left, or was not made or judged; 3 if this machine makes no captures."""
    options = _parser().parse_args(arguments)
    if not options.judge:
        try:
            acquire_for_children()
        except EnvironmentFault as fault:
            print(fault, file=sys.stderr)
            return 3
    total, began = Total(), time.monotonic()
    results = _given(options.judge) if options.judge else _fresh(options)
    for folder, result, said in _judged(results, options.jobs, options.closely):
        total.take(result, said)
        left = sum(len(one.alarms()) for one in said)
        captures = result.error or ", ".join(f"{capture.vantage} {capture.packets:,}" for capture in result.captures)
        print(
            f"{total.made:11,} {time.monotonic() - began:6.0f} s  {result.scenario} {result.family}: {captures}; left: {left}", flush=True
        )
        for line in (line for one in said for line in one.lines(folder)):
            print(line, flush=True)
        if not (options.keep or options.judge):
            _tidy(folder, said)
    print("\n".join(total.lines()))
    return 1 if total.left or total.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.million", description="Is the oracle never wrong about Linux?")
    parser.add_argument("--packets", type=int, default=1_000_000, metavar="N", help="about as many in all captures together")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this scenario; * is anything")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what the scenarios and the links leave to chance")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="so often, each with another seed and N packets")
    parser.add_argument("--out", type=Path, default=Path("build/million"), metavar="FOLDER", help="default: build/million")
    parser.add_argument("--keep", action="store_true", help="also captures in which nothing is left, and a manifest.json")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="make none, but judge those of its manifest.json")
    parser.add_argument("--closely", action="store_true", help="judge all packet by packet, also what check clears in bulk")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that judge while more captures are made")
    return parser


def _fresh(options: argparse.Namespace) -> Iterator[tuple[Path, Made]]:
    """Captures as they are made, in a folder for each round that has its seed for a name."""
    for seed in range(options.seed, options.seed + options.rounds):
        folder = options.out / str(seed)
        print(f"seed {seed}", flush=True)
        kept: list[Capture] = []
        for scenario, family, wanted in runs(chosen(options.only), options.packets, everywhere=True):
            folder.mkdir(parents=True, exist_ok=True)  # again: it is deleted when nothing is left in it
            for attempt in range(_TRIES):
                result = made(scenario, family, folder, wanted, seed + attempt * _OTHER)
                if not result.error:
                    break
            kept += result.captures
            yield folder, result
        if options.keep:
            (folder / "manifest.json").write_text(json.dumps([asdict(capture) for capture in kept], indent=1) + "\n")


def _given(folder: Path) -> Iterator[tuple[Path, Made]]:
    """Captures that were made before."""
    captures = [Capture(**entry) for entry in json.loads((folder / "manifest.json").read_text())]
    for scenario, family in dict.fromkeys((capture.scenario, capture.family) for capture in captures):
        those = [capture for capture in captures if (capture.scenario, capture.family) == (scenario, family)]
        yield folder, Made(scenario, family, 0, those)


def _judged(results: Iterator[tuple[Path, Made]], jobs: int, closely: bool) -> Iterator[tuple[Path, Made, list[Judged]]]:
    """Each with what is said of its captures, in other processes; not many are waited for at once."""
    waiting: deque[tuple[Path, Made, Future[list[Judged]]]] = deque()
    # Not forked: a child would hold namespaces open.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for folder, result in results:
            waiting.append((folder, result, pool.submit(judged_all_ways, folder, result.captures, closely)))
            while waiting and (len(waiting) > _AHEAD or waiting[0][2].done()):
                yield _next(waiting)
        while waiting:
            yield _next(waiting)


def _next(waiting: deque[tuple[Path, Made, Future[list[Judged]]]]) -> tuple[Path, Made, list[Judged]]:
    folder, result, future = waiting.popleft()
    return folder, result, future.result()


def _tidy(folder: Path, said: Sequence[Judged]) -> None:
    """Delete the captures in which nothing is left, and a folder that is empty."""
    bad = {one.capture.file for one in said if one.error or one.alarms()}
    for one in said:
        if one.capture.file not in bad:
            (folder / one.capture.file).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
