"""Kills ``conformance run`` in the middle, again and again, and looks whether anything is left of it.

What must be gone: its network devices and namespaces, the Unix socket by which it has its peers for itself, processes, temporary files.
Its tracing instance may stay until the next run, which removes it. Where the SUT had connections, Linux goes on to close them, as it
does for any program that is killed: their namespace, which has no device any more, must be gone once Linux has given them up. The
results file of a killed run can be read.

Usage: python tests/kill_nine.py [--times 20] [--seed N] [--patience SECONDS] [PATH]...
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path
from random import Random

from robustness.holdings import Holdings, host_devices
from robustness.program import Run, no_test_bed

from conformance.case.listing import list_suite
from conformance.report.json_lines import read_results

CASES = Path(__file__).resolve().parents[1] / "cases"
EARLY = 2.0
"""Seconds; about one kill in four comes so early, when cases are loaded and test beds are made."""
MOST_RESULTS = 300
"""The other kills come after so many results at most, or half of them, and a moment."""


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("paths", type=Path, nargs="*", metavar="PATH", help="the cases to run: all, if none is given")
    parser.add_argument("--patience", type=float, default=300, help="seconds that Linux has to close what was open, at the end")
    arguments = parser.parse_args()
    paths = [path.resolve() for path in arguments.paths]
    random = Random(arguments.seed)
    most = max(1, min(MOST_RESULTS, len(list_suite(CASES, paths).cases) // 2))
    print(f"seed {arguments.seed}")
    stale: list[Holdings] = []
    closing: list[Holdings] = []
    bad = removed = 0
    for number in range(1, arguments.times + 1):
        with Run("--cases", CASES, *paths, "--jobs", str(random.choice([16, 64]))) as run:
            when = _wait(run, random, most)
            if run.ended and (fault := no_test_bed(run.wait(), run.said)):
                print(f"nothing can be killed here: {fault}")
                return 3
            held = run.kill() if not run.ended else Holdings(run.pid, "0")
            left = [*held.left(killed=True), *host_devices(), *run.litter(), *_unreadable(run)]
            bad += bool(left)
            kept = held.instances()
            closing.append(held)
            print(f"kill {number} {when}: {_held(held)}; {_verdict(left, kept)}", flush=True)
        # The run has been there for long enough to have removed what was left before it, if it was there for any result.
        if "results" in when:
            removed += len(stale)
            bad += _still_there(stale)
            stale = []
        stale += [held] if kept else []
    bad += _last_run()
    removed += len(stale)
    bad += _still_there(stale)
    bad += _never_closed(closing, arguments.patience)
    words = f"something left after {bad}" if bad else "nothing left"
    print(f"{arguments.times} kills: {words}; {removed} tracing instances removed by a next run")
    return 1 if bad else 0


def _wait(run: Run, random: Random, most: int) -> str:
    """Until the moment has come; says which."""
    if random.random() < 0.25:
        moment = random.uniform(0, EARLY)
        _pause(run, moment)
        return f"after {moment:.3f} s"
    number = random.randint(1, most)
    run.until_results(number)
    _pause(run, random.uniform(0, 0.2))
    return f"after {number} results" if not run.ended else "too late, it was over"


def _pause(run: Run, seconds: float) -> None:
    over = time.monotonic() + seconds
    run.until(lambda: time.monotonic() >= over, "a moment")


def _unreadable(run: Run) -> list[str]:
    """What is wrong with the results file, if there is one that has begun."""
    if not run.lines:
        return []
    try:
        read_results(run.json)
    except ValueError as error:
        return [f"a results file that cannot be read: {error}"]
    return []


def _held(held: Holdings) -> str:
    return f"{len(held.namespaces)} namespaces ({len(held.closing())} still close connections), {len(held.sockets)} sockets"


def _verdict(left: list[str], kept: list[str]) -> str:
    words = f"LEFT {', '.join(left)}" if left else "nothing left"
    return words + (f" but {', '.join(kept)} for the next run to remove" if kept else "")


def _still_there(stale: list[Holdings]) -> int:
    """How many tracing instances the next run has not removed."""
    found = [name for held in stale for name in held.instances()]
    if found:
        print(f"LEFT by the next run: {', '.join(found)}")
    return len(found)


def _never_closed(killed: list[Holdings], patience: float) -> int:
    """How many runs have a namespace that does not go away; not asked if there is no patience."""
    if not patience:
        return 0
    begun = time.monotonic()
    found = [name for held in killed for name in held.left(begun + patience - time.monotonic())]
    print(f"namespaces that Linux kept to close connections: {', '.join(found) or 'all gone'} after {time.monotonic() - begun:.0f} s more")
    return len(found)


def _last_run() -> int:
    """A run that is not killed."""
    with Run("--cases", CASES, CASES / "handshake/passive-open.yaml") as run:
        status = run.wait()
        print(f"a run that is not killed: exit status {status}")
        return int(status != 0)


if __name__ == "__main__":
    sys.exit(main())
