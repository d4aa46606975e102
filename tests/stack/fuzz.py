"""The property tests of the stack, again and again with other seeds, for as long as one likes: ``make fuzz``.

``python -m tests.stack.fuzz --minutes 30`` plays rounds, each a property with a seed, and says what each has played. A round that fails
ends with the smallest example that Hypothesis has found, and with the command that plays this round again.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from random import SystemRandom

PROPERTIES = {
    "delivery": ("tests.stack.test_delivery", "test_every_stream_arrives"),
    "hostile": ("tests.stack.test_hostile", "test_nothing_that_is_sent_raises_loops_or_stays"),
    "cutting": ("tests.stack.test_any_peer", "test_a_stream_is_read_as_it_was_however_it_was_cut"),
    "acknowledging": ("tests.stack.test_any_peer", "test_a_stream_is_sent_as_it_was_however_it_is_acknowledged"),
    "calls": ("tests.stack.test_any_calls", "test_a_call_returns_sleeps_or_has_an_errno"),
}
LONGEST_ROUND = 1800
"""Seconds; a round takes one or two minutes, and one that finds something, and looks for a smaller example, ten at most."""


@dataclass(frozen=True)
class Round:
    """One property with one seed: what it has played, and what it has found."""

    name: str
    seed: int
    counts: Counter[str]
    failure: str = ""


def play(name: str, seed: int) -> Round:
    """A round, in this process."""
    os.environ["HYPOTHESIS_PROFILE"] = "fuzz"
    faulthandler.dump_traceback_later(LONGEST_ROUND, exit=True)
    import importlib

    import hypothesis

    from tests.stack.world import COUNTS

    COUNTS.clear()
    module, function = PROPERTIES[name]
    test: Callable[[], None] = hypothesis.seed(seed)(getattr(importlib.import_module(module), function))
    try:
        test()
    except BaseException as error:
        return Round(name, seed, Counter(COUNTS), "".join(traceback.format_exception(error)))
    finally:
        faulthandler.cancel_dump_traceback_later()
    return Round(name, seed, Counter(COUNTS))


def rounds(names: list[str], first: int) -> Iterator[tuple[str, int]]:
    """The properties in turn, each with the next seed."""
    seed = first
    while True:
        for name in names:
            yield name, seed
        seed += 1


def said(counts: Counter[str]) -> str:
    """What was played."""
    return f"{counts['schedules']:,} schedules, {counts['segments']:,} segments, {counts['calls']:,} calls"


def told(done: Round) -> None:
    """A line for each round, and all that is known of one that failed."""
    print(f"{done.name} {done.seed}: {said(done.counts)}{', and a find' if done.failure else ''}", flush=True)
    if done.failure:
        print(done.failure)
        print(f"again: python -m tests.stack.fuzz --only {done.name} --seed {done.seed} --rounds 1", flush=True)


def main() -> int:
    """1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5, help="how long rounds are begun")
    parser.add_argument("--rounds", type=int, default=sys.maxsize, help="how many at most")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9), help="the first round's; the others count from it")
    parser.add_argument("--only", choices=sorted(PROPERTIES), action="append", help="of this property")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    todo, began, total, finds, begun = rounds(options.only or sorted(PROPERTIES), options.seed), time.monotonic(), Counter[str](), 0, 0
    with ProcessPoolExecutor(options.jobs) as pool:
        running: set[Future[Round]] = set()
        while True:
            while len(running) < options.jobs and begun < options.rounds and time.monotonic() - began < 60 * options.minutes:
                running.add(pool.submit(play, *next(todo)))
                begun += 1
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                done = future.result()
                total.update(done.counts)
                finds += bool(done.failure)
                told(done)
    print(f"{begun} rounds from seed {options.seed} on: {said(total)}; {finds} rounds with a find")
    return min(finds, 1)


if __name__ == "__main__":
    sys.exit(main())
