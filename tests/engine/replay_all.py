"""Records every case, replays the record against the same stack, and says where the two differ, by reason.

::

    python -m tests.engine.replay_all --sut reference
    python -m tests.engine.replay_all --sut linux -k 'sack or timestamps' --show 3

The exit status is 1 if something differs that :data:`EXCEPTIONS` do not explain. On a stack in real time each run differs a little: whose
segments meet which timer is a matter of microseconds there, and of who else uses the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from conformance.capture.compare import Difference, Kind, compare
from conformance.capture.exchange import exchange_of_trace
from conformance.capture.pcapng import write_pcapng
from conformance.case.case import Case
from conformance.case.loader import load_suite
from conformance.case.selection import selector
from conformance.engine.ready import build_packets
from conformance.engine.replay_capture import read_captured
from conformance.engine.replay_case import ReplayOptions, replay_case
from conformance.engine.replay_compare import until_the_end
from conformance.engine.runner import Runner, RunnerOptions
from conformance.report.exchange import draw_exchange
from conformance.result import CaseResult, Verdict
from conformance.sut import registry
from conformance.sut.base import AnySut, VirtualSut
from conformance.trace import Trace

CASES = Path(__file__).parents[2] / "cases"
_QUEUE = "when data leaves, and whether the window was in use when an ACK came, depends on when the queue below TCP was emptied"
_TIMER = "a timer goes off before the peer's segment comes, or does not"
EXCEPTIONS = (
    ("reset/challenge-limit-", "", "Linux draws how many challenge ACKs a second may have from a range (net/ipv4/tcp_input.c)"),
    (
        "sack/delivered-once",
        "",
        "Linux answers segments that follow each other within a part of the round-trip time once (tcp_comp_sack_delay_ns)",
    ),
    ("sockets/linger2", "", "the peer's FIN comes within a tick of the end of FIN-WAIT-2"),
    (
        "congestion/initial-window[",
        "",
        "the case ends in the middle of a burst that it does not allow, and more or less of that has come by then",
    ),
    ("ecn/", "", _QUEUE),
    ("options/mss-", "", _QUEUE),
    ("recovery/", "", _QUEUE),
    ("sockets/send-", "", _QUEUE),
    ("", "order", "an answer that waits for a timer, or for the queue below TCP, may come before or after the peer's next segment"),
    ("", "timing", "a machine that is in use is late"),
    ("", "extra ACK", "an ACK that is delayed meets the next segment, or does not"),
    (
        "",
        "extra retransmission of SYN",
        "Linux sends its SYN again two ticks after an ACK that it cannot use (tcp_input.c)",
    ),
    ("", "extra retransmission", _TIMER),
    ("", "missing retransmission", _TIMER),
    ("", "segmentation", _QUEUE),
)
"""How the id begins, what differs (empty: anything), and why it may on a stack in real time."""


def play(sut: AnySut, cases: Sequence[Case], seed: int, jobs: int) -> dict[str, CaseResult]:
    """The results of these cases."""
    results: list[CaseResult] = []
    asyncio.run(Runner(sut, RunnerOptions(jobs=jobs, seed=seed), results.append).run(cases))
    return {result.case.id: result for result in results}


def replayed(result: CaseResult, folder: Path | None) -> Case | str:
    """The case that replays what happened, or why there is none; by way of a file if there is a folder for it."""
    trace, config = result.trace, result.case.config
    if folder is not None:
        file = folder / "trace.pcapng"
        write_pcapng(file, trace, result.case.id, config=config)
        captured = read_captured(file)
        trace, config = captured.trace, captured.config
    try:
        return replay_case(trace, ReplayOptions(id=f"replay/{result.case.id}", file=result.case.id, config=config, judged=False))
    except ValueError as error:
        return str(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sut", choices=registry.SUTS, default="reference")
    parser.add_argument("-k", dest="keyword", default="", help="as for conformance run")
    parser.add_argument("--jobs", type=int, default=32)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--files", action="store_true", help="write each record to a file, and replay what is read from there")
    parser.add_argument("--show", type=int, default=0, help="draw so many of those that differ")
    parser.add_argument("--list", action="store_true", help="name all cases that differ")
    arguments = parser.parse_args()
    sut = registry.make(arguments.sut)
    wanted = selector(arguments.keyword)
    slow = arguments.slow or isinstance(sut, VirtualSut)
    cases, _ = build_packets(case for case in load_suite(CASES).cases if wanted(case.id) and (slow or "slow" not in case.tags))
    try:
        recorded = play(sut, cases, 1, arguments.jobs)
        again, skipped = turned_back(recorded, arguments.files)
        played = play(sut, again, 2, arguments.jobs)
    finally:
        sut.close()
    print(f"{len(recorded)} cases, {len(played)} replayed")
    for reason, count in skipped.most_common():
        print(f"  {count:6}  not replayed: {reason}")
    return report(recorded, played, arguments.show, every=arguments.list, explains=not isinstance(sut, VirtualSut))


def turned_back(recorded: dict[str, CaseResult], files: bool) -> tuple[list[Case], Counter[str]]:
    """The cases that replay these, and why some are not replayed."""
    again: list[Case] = []
    skipped: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="conformance-test-") as folder:
        for result in recorded.values():
            if result.verdict in (Verdict.SKIPPED, Verdict.ERROR, Verdict.INCONCLUSIVE):
                skipped[result.verdict] += 1
            elif isinstance(case := replayed(result, Path(folder) if files else None), str):
                skipped[case] += 1
            else:
                again.append(case)
    return again, skipped


def report(recorded: dict[str, CaseResult], played: dict[str, CaseResult], show: int, *, every: bool, explains: bool) -> int:
    """Say what differs."""
    sorts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for id, result in played.items():
        before = recorded[id.removeprefix("replay/")]
        found = weighty(before.trace, result.trace)
        if result.failure:
            sorts[f"{result.verdict}: {result.failure.reason}", ""].add(before.case.id)
        for one in found:
            sorts[f"{one.kind} {one.what}", reason_for(before.case.id, one) if explains else ""].add(before.case.id)
        if (found or result.failure) and show > 0:
            show -= 1
            draw(id, (before.trace, result.trace), found)
    differ = set[str]().union(*sorts.values())
    unexplained = set[str]().union(*(ids for (_, reason), ids in sorts.items() if not reason))
    print(f"{len(played) - len(differ)} without a difference that is more than harmless, {len(differ - unexplained)} with an exception")
    for (sort, reason), ids in sorted(sorts.items(), key=lambda item: (bool(item[0][1]), -len(item[1]))):
        names = sorted(ids)
        print(f"  {len(ids):6}  {sort}: {', '.join(names if every else names[:3])}" + (f" ({reason})" if reason else ""))
    return 1 if unexplained else 0


def weighty(before: Trace, after: Trace) -> list[Difference]:
    """What differs by more than is harmless."""
    differences = compare(exchange_of_trace(before), exchange_of_trace(until_the_end(after)))
    return [one for one in differences if one.kind is not Kind.HARMLESS]


def reason_for(id: str, difference: Difference) -> str:
    """Why it may differ; empty: nothing explains it."""
    fitting = (why for begin, what, why in EXCEPTIONS if id.startswith(begin) and what in ("", difference.what))
    return next(fitting, "")


def draw(id: str, traces: Sequence[Trace], found: Sequence[Difference]) -> None:
    print(f"\n=== {id}")
    for trace in traces:
        for line in draw_exchange(trace, 150):
            print(line.plain)
    for one in found:
        print(f"{one.kind} {one.what}: {one.reason} [{one.expected} | {one.actual}]")


if __name__ == "__main__":
    sys.exit(main())
