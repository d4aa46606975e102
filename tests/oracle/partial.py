"""``python -m tests.oracle.partial FILE…``: captures of which a part is gone; what is certain in one must be so in the whole one, too."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from conformance.capture.reader import CaptureReader
from conformance.oracle.finding import Connection, Finding, Vantage
from conformance.oracle.judge import SLACK, Judge
from conformance.trace import Seen
from conformance.wire.segment import Icmp, Segment

__all__ = ["CUTS", "Alarm", "alarms", "certain", "main"]

Cut = Callable[[Sequence[Seen], Random], list[Seen]]
"""Leaves out some packets."""


def _beginning(packets: Sequence[Seen], random: Random) -> list[Seen]:
    return list(packets[random.randrange(len(packets)) :])


def _end(packets: Sequence[Seen], random: Random) -> list[Seen]:
    return list(packets[: random.randrange(len(packets))])


def _few(packets: Sequence[Seen], random: Random) -> list[Seen]:
    return [packet for packet in packets if random.random() >= 0.001]


def _some(packets: Sequence[Seen], random: Random) -> list[Seen]:
    return [packet for packet in packets if random.random() >= 0.01]


def _one(packets: Sequence[Seen], random: Random) -> list[Seen]:
    gone = random.randrange(len(packets))
    return [*packets[:gone], *packets[gone + 1 :]]


def _bursts(packets: Sequence[Seen], random: Random) -> list[Seen]:
    """Three times up to fifty in a row."""
    begins = [random.randrange(len(packets)) for _ in range(3)]
    gone = {begin + step for begin in begins for step in range(random.randrange(1, 50))}
    return [packet for place, packet in enumerate(packets) if place not in gone]


def _upward(packets: Sequence[Seen], _random: Random) -> list[Seen]:
    return [packet for packet in packets if _is_upward(packet)]


def _downward(packets: Sequence[Seen], _random: Random) -> list[Seen]:
    return [packet for packet in packets if not _is_upward(packet)]


def _is_upward(packet: Seen) -> bool:
    """From the lower endpoint to the higher one?"""
    segment = packet.packet
    assert isinstance(segment, Segment | Icmp)
    if isinstance(segment, Segment):
        return (segment.src, segment.sport) < (segment.destination, segment.dport)
    return segment.src < segment.dst


def _middle(packets: Sequence[Seen], random: Random) -> list[Seen]:
    """Begins late, and misses some."""
    rest = packets[random.randrange(len(packets)) :]
    return [packet for packet in rest if random.random() >= 0.005]


CUTS: dict[str, Cut] = {
    "beginning": _beginning, "end": _end, "one": _one, "few": _few, "some": _some, "bursts": _bursts,
    "upward": _upward, "downward": _downward, "middle": _middle,
}  # fmt: skip
"""What may be missing of a capture."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A finding that is certain where a part of the capture is gone, and is not in the whole one."""

    cut: str
    seed: int
    vantage: Vantage | None
    finding: Finding

    def __str__(self) -> str:
        found, vantage = self.finding, self.vantage or "no vantage"
        return f"{self.cut} {self.seed} {vantage}: packet {found.packet}, {found.endpoint} {found.rule.name}: {found.reason}"


def certain(packets: Sequence[Seen], vantage: Vantage | None, slack: int = SLACK) -> dict[tuple[str, str], Finding]:
    """What is found for certain: by rule and endpoint, the first of each."""
    found: dict[tuple[str, str], Finding] = {}

    def take(connection: Connection) -> None:
        for finding in connection.findings:
            if finding.certain:
                found.setdefault((finding.rule.name, finding.endpoint), finding)

    judge = Judge(take, vantage, slack)
    for packet in packets:
        judge.see(packet)
    judge.end()
    return found


def alarms(
    packets: Sequence[Seen], vantages: Sequence[Vantage | None], seeds: Sequence[int], cuts: Sequence[str] = tuple(CUTS)
) -> Iterator[Alarm]:
    """What is said of such packets in vain: they are cut in each way, once for each seed."""
    for vantage in vantages:
        right = certain(packets, vantage).keys()
        for cut in cuts:
            for seed in seeds:
                rest = CUTS[cut](packets, Random(f"{cut} {seed}"))
                found = certain(rest, vantage)
                yield from (Alarm(cut, seed, vantage, finding) for key, finding in found.items() if key not in right)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    options = _parser().parse_args(arguments)
    counted: Counter[str] = Counter()
    seeds = range(options.seed, options.seed + options.times)
    for path in options.files:
        with path.open("rb") as file, CaptureReader(file) as reader:
            packets = list(islice(reader.packets(), options.packets))
        ends = [Vantage(name) for name in (path.stem.rpartition("-")[2],) if name in tuple(Vantage)]
        for alarm in alarms(packets, [None, *ends], seeds, options.cut or tuple(CUTS)) if packets else ():
            rule = alarm.finding.rule.name
            counted[rule] += 1
            if counted[rule] <= options.show:
                print(f"{path.name}: {alarm}", flush=True)
    print(f"{counted.total()} false alarms" + "".join(f", {count} {rule}" for rule, count in counted.most_common()))
    return 1 if counted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.oracle.partial",
        description="Cuts captures of which nothing is wrong: is anything found for certain that is not in the whole one?",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a capture; -client, -server, -middle at the end: its vantage")
    parser.add_argument("--packets", type=int, default=3000, metavar="N", help="of each file, at most")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="cuts of each kind")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first")
    parser.add_argument("--cut", action="append", choices=tuple(CUTS), help="only such")
    parser.add_argument("--show", type=int, default=3, metavar="N", help="alarms of each rule that are printed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
