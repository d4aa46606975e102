"""Captures made wrong in thousands of ways, read and judged: ``make fuzz``.

``python -m tests.capture.fuzz --minutes 30`` makes capture after capture, each by a seed of its own, reads it in every way that there is
and shows it to the oracle. None may raise, none may cost more time or memory than its size explains, and all ways must say the same. A
find ends with the command that makes this capture again.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import signal
import sys
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random, SystemRandom
from types import FrameType

from conformance.capture.reader import CaptureReader
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.screen import Screen
from tests.oracle.screening import fully

from .agreement import agree
from .mutate import mutated
from .samples import FILES, samples

__all__ = ["look_at", "made"]

CAPTURES = Path(__file__).parents[2] / "captures"
LONGEST = 10
"""Seconds of processor time that a capture of a few kilobytes may take in all."""
MOST_MEMORY = 96 << 20
"""Octets that may be held at a time for it: a chunk of the file, and columns for as many packets as that has."""
MOST_GROWTH = 300 << 20
"""Octets by which the process may have grown after all captures."""
WEIGHED = 20
"""One capture of so many is read with every allocation counted, which takes several times as long."""
BATCH = 50
LARGEST = 200_000
"""Octets of a file of ``captures/`` that is used."""


@cache
def kept() -> tuple[Path, ...]:
    """The captures that the project has, as far as they are small; not its recordings, which are a thousand of the same kind."""
    found = [path for path in sorted(CAPTURES.rglob("*")) if path.suffix in (".pcap", ".pcapng", ".cap", ".gz")]
    return tuple(path for path in found if CAPTURES / "golden" not in path.parents and path.stat().st_size <= LARGEST)


def made(seed: int) -> bytes:
    """The capture of this seed: one of this folder, or of those that the project has, made wrong."""
    random = Random(seed)
    own = random.random() < 0.5 or not kept()
    return mutated(samples()[random.choice(FILES)] if own else random.choice(kept()).read_bytes(), random)


def look_at(data: bytes, weigh: bool = False) -> int:
    """Read and judge a capture; the number of packets in it. Whatever is wrong raises."""
    if weigh:
        tracemalloc.start()
    try:
        found = agree(data)
        packets = found[0] if found else []
        vantage = tuple(Vantage)[len(data) % len(Vantage)]
        slowly = _found(fully(packets, vantage))
        assert not found or slowly == _found(_screened(data, vantage)), "the screen finds something else than the judge"
        if weigh:
            peak = tracemalloc.get_traced_memory()[1]
            assert peak <= MOST_MEMORY, f"{peak} octets of memory for a capture of {len(data)}"
    finally:
        if weigh:
            tracemalloc.stop()
    return len(packets)


def _screened(data: bytes, vantage: Vantage) -> list[Connection]:
    """What ``check`` says of the capture."""
    over: list[Connection] = []
    with CaptureReader(io.BytesIO(data)) as reader:
        screen = Screen(over.append, vantage)
        for columns in reader.columns():
            screen.see(columns)
        screen.end(reader.columns)
    return over


def _found(connections: Iterable[Connection]) -> set[tuple[str, str, int, bool]]:
    return {(one.rule.name, one.endpoint, one.packet, one.certain) for connection in connections for one in connection.findings}


@dataclass(frozen=True)
class Batch:
    """What some captures gave."""

    counts: Counter[str]
    finds: list[tuple[int, str]]
    """The seed, and what happened."""
    memory: int
    """Octets that the process has had at most."""


def run(first: int, count: int) -> Batch:
    """Captures of consecutive seeds, in this process."""
    signal.signal(signal.SIGPROF, _too_long)
    counts, finds = Counter[str](), []
    for seed in range(first, first + count):
        data = made(seed)
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            counts["packets"] += look_at(data, seed % WEIGHED == 0)
        except Exception as error:
            finds.append((seed, "".join(traceback.format_exception(error))))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        counts["captures"] += 1
        counts["octets"] += len(data)
    return Batch(counts, finds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"a capture took {LONGEST} s of processor time")


def _batches(first: int, captures: int, minutes: float) -> Iterator[tuple[int, int]]:
    """As many as were asked for, and then more until the time is over."""
    began, done = time.monotonic(), 0
    while done < captures or time.monotonic() - began < 60 * minutes:
        count = min(BATCH, captures - done) if done < captures else BATCH
        yield first + done, count
        done += count


def main() -> int:
    """1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.capture.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--captures", type=int, default=10_000, help="how many at least")
    parser.add_argument("--minutes", type=float, default=0, help="for how long at least")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9), help="the first capture's; the others count from it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the first capture here, and read it")
    options = parser.parse_args()
    if options.keep:
        options.keep.write_bytes(made(options.seed))
    print(f"seed {options.seed}", flush=True)
    run(options.seed, 1)
    usual = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    total, finds, todo = Counter[str](), 0, _batches(options.seed, options.captures, options.minutes)
    with ProcessPoolExecutor(options.jobs) as pool:
        running: set[Future[Batch]] = set()
        while True:
            while len(running) < options.jobs and (batch := next(todo, None)):
                running.add(pool.submit(run, *batch))
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for done in (future.result() for future in ended):
                total.update(done.counts)
                for seed, trace in done.finds:
                    finds += 1
                    print(f"{trace}again: python -m tests.capture.fuzz --seed {seed} --captures 1 --keep find.pcap", flush=True)
                if done.memory > usual + MOST_GROWTH:
                    finds += 1
                    print(f"{done.memory} octets of memory, {usual} after the first capture", flush=True)
    said = f"{total['packets']:,} packets, {total['octets']:,} octets; {finds} finds"
    print(f"{total['captures']:,} captures from seed {options.seed} on: {said}")
    return min(finds, 1)


if __name__ == "__main__":
    sys.exit(main())
