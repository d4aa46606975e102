"""Record, import, run: each case of the suite is played, a case is made of its trace, and that is played on the same stack.

``python -m tests.capture.round_trip --sut reference|linux [-k EXPR] [--family ipv4] [--packets] [--json FILE]`` prints how many pass, and
the others by reason. ``--packets`` forgets the calls that were recorded, as if the capture came from outside; then they are inferred.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from conformance.capture.import_conversations import conversations
from conformance.capture.import_freedom import leave_open
from conformance.capture.import_infer import infer_calls
from conformance.capture.import_links import incarnate
from conformance.capture.import_packets import story_of_packets
from conformance.capture.import_settings import written_settings
from conformance.capture.import_story import Story, StoryError
from conformance.capture.import_trace import story_of_trace
from conformance.capture.importing import case_data
from conformance.capture.pcapng import pcapng_bytes
from conformance.capture.reader import CaptureReader
from conformance.capture.trace_file import read_traces
from conformance.case.case import Case
from conformance.case.loader import Suite, load_document, load_suite
from conformance.case.selection import selector
from conformance.case.yaml_reader import read_file, read_yaml
from conformance.case.yaml_writer import write_case
from conformance.engine.ready import build_packets
from conformance.engine.runner import Runner, RunnerOptions
from conformance.report.ladder import ladder_text
from conformance.result import CaseResult, Verdict
from conformance.sut import registry
from conformance.sut.base import AnySut, VirtualSut

CASES = Path(__file__).parents[2] / "cases"
_ALONE = 4
"""Cases at once, where a busy machine shall be no reason."""
EXCEPTIONS = Path(__file__).with_name("round_trip_exceptions.yaml")


@dataclass(frozen=True, slots=True)
class Exemption:
    """Cases that are known not to come back, on some stacks."""

    case: str
    suts: tuple[str, ...]
    reason: str
    at_times: bool = False
    """It may as well pass."""

    def covers(self, case_id: str, sut: str) -> bool:
        """Is it about this case run?"""
        pattern = ".*".join(map(re.escape, self.case.split("*")))
        return sut in self.suts and re.fullmatch(pattern, case_id) is not None


def exemptions() -> list[Exemption]:
    """All that are listed."""
    entries = read_file(EXCEPTIONS).data or []
    return [Exemption(one["case"], tuple(one["suts"]), one["reason"], one.get("at_times", False)) for one in entries]


@dataclass(slots=True)
class Outcome:
    """What became of a case."""

    id: str
    verdict: str
    """Of the imported case; ``import`` if none could be made, ``load`` if it could not be loaded."""
    reason: str = ""
    text: str = ""
    """The imported case."""
    ladder: str = ""
    explained: str = ""
    """Why it does not pass, if that is known."""

    @property
    def passed(self) -> bool:
        return self.verdict == Verdict.PASS


def play(sut: AnySut, cases: Sequence[Case], seed: int, jobs: int = 64) -> list[CaseResult]:
    """All results."""
    results: list[CaseResult] = []
    asyncio.run(Runner(sut, RunnerOptions(seed=seed, jobs=jobs), results.append).run(cases))
    return results


def imported(result: CaseResult, *, packets: bool = False) -> str:
    """The case that is made of a result's trace, by way of a file. Raises StoryError."""
    case = result.case
    file = io.BytesIO(pcapng_bytes(result.trace, case.id, config=case.config))
    if packets:
        story = packets_only(file, result)
        data, _ = case_data(story, f"As in {case.id}", case.requirements)
        return write_case(data)
    recorded = next(read_traces(file))
    story = story_of_trace(recorded.trace, written_settings(recorded.config))
    data, _ = case_data(story, f"As in {case.id}", case.requirements)
    return write_case(data)


def packets_only(file: io.BytesIO, result: CaseResult) -> Story:
    """As if nobody had recorded the calls."""
    with CaptureReader(file) as reader:
        talks = conversations(reader.packets())
    sut = next(iter(result.trace.connections.values())).sut
    talks = [talk for talk in talks if sut in (talk.client[0], talk.server[0])]
    if not talks:
        raise StoryError("there is no connection of the SUT's in it")
    story = story_of_packets(talks, "server" if talks[0].server[0] == sut else "client")
    incarnate(story.links, story.moments)
    infer_calls(story)
    leave_open(story)
    return story


def round_trip(sut: AnySut, suite: Suite, cases: Sequence[Case], *, packets: bool = False, jobs: int = 64) -> list[Outcome]:
    """Record, import, run. Cases that the stack lacks something for are left out."""
    outcomes: list[Outcome] = []
    again: dict[str, tuple[Case, Outcome]] = {}
    for result in play(sut, cases, 1, jobs):
        if result.verdict is Verdict.SKIPPED:
            continue
        outcome = Outcome(result.case.id, "import")
        outcomes.append(outcome)
        try:
            outcome.text = imported(result, packets=packets)
        except StoryError as error:
            outcome.reason = str(error)
            continue
        name = f"{len(again)}.yaml"
        loaded, errors = load_document(read_yaml(outcome.text, name, name), suite.register)
        ready, more = build_packets(loaded)
        if errors or more or len(ready) != 1:
            outcome.verdict, outcome.reason = "load", "; ".join(map(str, [*errors, *more]))
            continue
        again[ready[0].id] = (ready[0], outcome)
    for result in play(sut, [case for case, _ in again.values()], 2, jobs):
        _judge(again[result.case.id][1], result)
    doubtful = [case for case, outcome in again.values() if not outcome.passed]
    if not isinstance(sut, VirtualSut) and doubtful:  # a second time with less company: the machine may have been too busy
        for result in play(sut, doubtful, 3, _ALONE):
            _judge(again[result.case.id][1], result)
    known = [] if packets else exemptions()
    for outcome in outcomes:
        found = next((one for one in known if one.covers(outcome.id, sut.name)), None)
        outcome.explained = found.reason if found and not outcome.passed else ""
    return outcomes


def _judge(outcome: Outcome, result: CaseResult) -> None:
    outcome.verdict, outcome.reason, outcome.ladder = result.verdict, "", ""
    if result.failure is not None:
        outcome.reason = f"{result.failure.step} | {result.failure.reason}"
        outcome.ladder = ladder_text(result, {})


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="tests.capture.round_trip", description=__doc__)
    parser.add_argument("--sut", choices=registry.SUTS, default="reference")
    parser.add_argument("-k", dest="keyword", default="", metavar="EXPR")
    parser.add_argument("--family", choices=("ipv4", "ipv6"))
    parser.add_argument("--packets", action="store_true", help="do without the calls that were recorded")
    parser.add_argument("--slow", action="store_true", help="also the cases that take minutes in real time")
    parser.add_argument("--show", action="store_true", help="the imported cases, and the ladders of those that fail")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("-j", dest="jobs", type=int, default=64)
    options = parser.parse_args()
    suite = load_suite(CASES, families=[options.family] if options.family else None)
    wanted = selector(options.keyword)
    sut = registry.make(options.sut)
    virtual = registry.SUTS[options.sut].virtual
    chosen = [case for case in suite.cases if wanted(case.id) and (virtual or options.slow or "slow" not in case.tags)]
    with contextlib.closing(sut):
        outcomes = round_trip(sut, suite, build_packets(chosen)[0], packets=options.packets, jobs=options.jobs)
    report(outcomes, options.show)
    if options.json:
        Path(options.json).write_text("".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes))
    return 0 if all(outcome.passed or outcome.explained for outcome in outcomes) else 1


def report(outcomes: Iterable[Outcome], show: bool) -> None:
    """Print how many pass, and the others by folder and reason."""
    outcomes = list(outcomes)
    counts = Counter(outcome.verdict for outcome in outcomes)
    print(f"{len(outcomes)} cases: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
    reasons, explained = defaultdict(list), defaultdict(list)
    for outcome in outcomes:
        if show:
            print(f"--- {outcome.id}\n{outcome.text}\n{outcome.verdict}: {outcome.reason}\n{outcome.ladder}")
        if outcome.explained:
            explained[outcome.explained].append(outcome.id)
        elif not outcome.passed:
            reasons[outcome.verdict, outcome.reason.rpartition("|")[2].strip()[:100]].append(outcome.id)
    for (verdict, reason), ids in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"{len(ids):5} {verdict}: {reason}\n      {' '.join(ids[:6])}")
    for reason, ids in explained.items():
        print(f"{len(ids):5} explained: {' '.join(ids)}\n      {reason.strip()}")


if __name__ == "__main__":
    sys.exit(main())
