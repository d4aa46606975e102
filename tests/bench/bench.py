"""``make bench``: how fast the tester is, with the machine's facts, beside its peers where there are any, and the bounds that it keeps.

Run it on an idle machine. Exit status 1 if a bound does not hold.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import platform
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from conformance.case.case import Case
from conformance.case.loader import load_suite
from conformance.case.steps import ExpectStep, InjectStep
from conformance.engine.runner import Runner, RunnerOptions
from conformance.link.addressing import PEER_MAC, SUT_MAC
from conformance.link.veth import VethPair
from conformance.result import CaseResult, Verdict
from conformance.sut.registry import make
from conformance.trace import Received, Sent
from tests.traffic.scenarios import CALM, MIXTURE

from .bulk import bulk_transfer
from .captures import PEERS, bench_capture, longer, speed

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "cases"
HANDSHAKES = Path(__file__).parent / "cases"
TIMERS = Path(__file__).parent / "timers"
REPEATS = 5

HANDSHAKE_AND_CLOSE = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+0 < . 1:1(0) ack 1 win 512
+0 accept(3, ..., ...) = 4
+0 close(4) = 0
+0 > F. 1:1(0) ack 1 <...>
+0 < F. 1:1(0) ack 2 win 512
+0 > . 2:2(0) ack 2 <...>
"""
"""The case of :data:`HANDSHAKES` as packetdrill has it, but for timestamps, whose echo it cannot take from a variable."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, its unit, and the bound that it must keep, if there is one."""

    what: str
    value: float
    unit: str
    bound: float | None = None
    note: str = ""
    least: bool = False
    """The bound is the least that it may be, not the most."""

    @property
    def holds(self) -> bool:
        """Is the bound kept?"""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.least else self.value <= self.bound


def main() -> int:
    """Measure everything, print it, and give the exit status."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 130
    facts = f"{platform.system()} {platform.release()}, {_processor()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    console.print(f"{facts}, load {os.getloadavg()[0]:.2f}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for measure in (_handshakes, _latency, _suite, _reference, _bulk, _captures, _start):
            with console.status(measure.__name__.strip("_")):
                rows += measure(Path(scratch))
    table = Table("what", "median", "bound", "", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:.3g} {row.unit}"
        mark = "" if row.bound is None else "[green]holds[/]" if row.holds else "[red]does not hold[/]"
        value = "" if math.isnan(row.value) else f"{row.value:.3g} {row.unit}"
        table.add_row(row.what, value, bound, mark + (f" {row.note}" if row.note else ""))
    console.print(table)
    return 0 if all(row.holds for row in rows) else 1


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _command(*arguments: str) -> float:
    """Seconds that a ``conformance`` command takes, process start included."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "conformance", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


# A handshake and a close ------------------------------------------------------------------------------------------------


def _handshakes(scratch: Path) -> list[Row]:
    """What a case costs in a run of 200, captures and results written; process start apart."""
    per_case, whole = [], []
    for repeat in range(REPEATS):
        results, captures = scratch / f"{repeat}.jsonl", scratch / f"captures-{repeat}"
        command = ["run", "--sut", "linux", "--cases", str(HANDSHAKES), "--json", str(results), "--captures", str(captures)]
        whole.append(_command(*command))
        summary = json.loads(results.read_text().splitlines()[-1])
        runs = sum(summary["verdicts"].values())
        assert summary["verdicts"]["pass"] == runs == 200, summary
        per_case.append(summary["seconds"] / runs * 1000)
    rows = [
        Row("handshake and close, a case of 200", statistics.median(per_case), "ms", 3.0),
        Row("  the same with the start of the process", statistics.median(whole) / 200 * 1000, "ms"),
    ]
    if packetdrill := shutil.which("packetdrill"):
        rows.append(Row("  packetdrill, a script", _packetdrill(packetdrill, scratch), "ms"))
    return rows


def _packetdrill(program: str, scratch: Path) -> float:
    """Milliseconds a script in a namespace of its own, as its test runner does it."""
    script = scratch / "handshake.pkt"
    script.write_text(HANDSHAKE_AND_CLOSE)
    took = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        subprocess.run(["unshare", "-n", program, str(script)], check=True, capture_output=True)
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


# From the SUT's segment to the tester's -----------------------------------------------------------------------------------


def _latency(_: Path) -> list[Row]:
    """Kernel time to kernel time, for steps that answer what the step before expected."""
    cases = load_suite(HANDSHAKES).cases
    rows: list[Row] = []
    for jobs in (1, 64):
        waits: list[int] = []
        for _repeat in range(REPEATS):
            waits += [wait for result in _played(cases, jobs) for wait in _reactions(result)]
        waits.sort()
        together = "one case at a time" if jobs == 1 else f"{jobs} cases at once"
        rows.append(Row(f"answer to a segment, {together}: median", statistics.median(waits) / 1000, "µs", 60))
        rows.append(Row(f"answer to a segment, {together}: 99th percentile", waits[len(waits) * 99 // 100] / 1000, "µs", 300))
    bare = _bare_loop()
    rows.append(Row("  a bare loop of Python: median", statistics.median(bare) / 1000, "µs"))
    rows.append(Row("  a bare loop of Python: 99th percentile", sorted(bare)[len(bare) * 99 // 100] / 1000, "µs"))
    return rows


def _played(cases: Sequence[Case], jobs: int) -> list[CaseResult]:
    results: list[CaseResult] = []

    async def play() -> None:
        sut = make("linux")
        try:
            await Runner(sut, RunnerOptions(jobs=jobs), results.append).run(cases)
        finally:
            sut.close()

    asyncio.run(play())
    assert all(result.verdict is Verdict.PASS for result in results)
    return results


def _reactions(result: CaseResult) -> list[int]:
    """ns from a segment of the SUT to the answer, where the SUT sent it in answer to a segment (and not within a socket call)."""
    steps = result.case.steps
    came = {event.step: event.t for event in result.trace.events if isinstance(event, Received) and event.step is not None}
    return [
        event.t - came[event.step - 1]
        for event in result.trace.events
        if isinstance(event, Sent)
        and event.step is not None
        and event.step >= 2
        and isinstance(steps[event.step - 1], ExpectStep)
        and isinstance(steps[event.step - 2], InjectStep)
    ]


def _bare_loop() -> list[int]:
    """The same exchange with nothing around it: ready frames, patched numbers, no checks."""
    from conformance.case.steps import Exact, FlagsPattern, OptionPattern, SegmentPattern
    from conformance.engine.packets import spec_from_pattern
    from conformance.wire.segment import ACK, SYN, Family
    from conformance.wire.template import build

    zero, one = Exact(0), Exact(1)
    syn = SegmentPattern(FlagsPattern(SYN), zero, zero, zero, options=(OptionPattern(2, (Exact(1460),)),))
    ack = SegmentPattern(FlagsPattern(ACK), one, one, zero, one)
    templates = [build(spec_from_pattern(Family.IPV4, pattern, b"", {})[0]) for pattern in (syn, ack)]
    pair = VethPair()
    took: list[int] = []
    try:
        with pair.sut.entered():
            listener = socket.create_server(("0.0.0.0", 5000), backlog=1024)
        for number in range(500):
            peer = bytes((198, 18, number >> 8, number & 255))
            first, second = (template.bind(PEER_MAC, SUT_MAC, peer, bytes((192, 0, 2, 1)), 40000, 5000) for template in templates)
            pair.ring.send(first.render(100, 0, [1460]))
            came = 0
            while not came:
                for t, frame, outgoing in pair.ring.read():
                    if not outgoing:
                        pair.ring.send(second.render(101, struct.unpack_from("!I", frame, 38)[0] + 1))
                        came = t
                        break
            took += [t - came for t, _, outgoing in pair.ring.read() if outgoing][:1]
        listener.close()
    finally:
        pair.close()
    return took


# The suite, and the start of the program -----------------------------------------------------------------------------------


def _suite(scratch: Path) -> list[Row]:
    results = scratch / "suite.jsonl"
    seconds, runs, passed = _run(SUITE, "linux", results)
    return [Row(f"the suite on Linux, {runs} case runs", seconds, "s", 60, f"{passed} pass")]


def _run(cases: Path, sut: str, results: Path) -> tuple[float, int, int]:
    """Seconds that a run takes by its own account, how many case runs it has, and how many pass."""
    command = [sys.executable, "-m", "conformance", "run", "--sut", sut, "--cases", str(cases), "--json", str(results)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    summary = json.loads(results.read_text().splitlines()[-1])
    return summary["seconds"], sum(summary["verdicts"].values()), summary["verdicts"]["pass"]


def _reference(scratch: Path) -> list[Row]:
    """The reference stack, on its virtual clock and one core."""
    seconds, runs, passed = _run(SUITE, "reference", scratch / "reference.jsonl")
    rows = [
        Row(f"the suite on the reference stack, {runs} case runs, the slow ones too", seconds, "s", 15, f"{passed} pass"),
        Row("  200 of them", seconds * 200 / runs, "s", 5),
    ]
    _run(TIMERS, "reference", scratch / "timers.jsonl")
    took: dict[str, list[float]] = {"exchange": [], "keepalive": []}
    for line in (scratch / "timers.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["type"] == "case":
            assert case["verdict"] == "pass", case
            took[case["id"].partition("[")[0]].append(case["seconds"] * 1000)
    exchange = statistics.median(took["exchange"])
    rows.append(Row("  a case of 12 steps", exchange, "ms"))
    rows.append(Row("  the same length with four hours of keepalive", statistics.median(took["keepalive"]), "ms", exchange * 1.5))
    return rows


def _bulk(_: Path) -> list[Row]:
    """Data from one reference stack to another, in memory."""
    return [
        Row(
            f"bulk transfer between two reference stacks, MTU {mtu}",
            statistics.median(bulk_transfer(mtu=mtu).rate for _ in range(3)),
            "MB/s",
            20,
            least=True,
        )
        for mtu in (1500, 9000)
    ]


# Captures ------------------------------------------------------------------------------------------------------------------


def _captures(_: Path) -> list[Row]:
    """The whole process, from a file to verdicts that nobody sees, beside what others do with the same file."""
    with ProcessPoolExecutor(1) as pool:  # what is in this process's memory would count as that of programs it starts
        capture, rough = pool.submit(bench_capture, CALM.name).result(), pool.submit(bench_capture, MIXTURE.name).result()
        three = pool.submit(longer, capture).result()
    command = [sys.executable, "-m", "conformance", "check"]
    check, slow, long = speed(capture, command, repeats=3), speed(rough, command), speed(three, command)
    rows = [
        Row(f"conformance check, {capture.packets:,} packets, {capture.connections:,} connections", check.rate, "k/s", note=capture.mix),
        Row("  its memory", check.megabytes, "MB", 200, check.note),
        Row("  its memory with 3 times the packets", long.megabytes, "MB", 200, long.note),
        Row(f"  another {rough.packets:,} packets, {rough.connections:,} connections", slow.rate, "k/s", note=rough.mix),
        Row("  its memory with these", slow.megabytes, "MB", 200),
    ]
    for peer in PEERS:
        if not shutil.which(peer.command[0]):
            rows.append(Row(f"  {peer.name}: not installed", math.nan, "k/s"))
            continue
        other = speed(capture, peer.command, peer.packets, repeats=3)
        rows.append(Row(f"  {peer.name}", other.rate, "k/s", note=f"{other.megabytes:.0f} MB"))
        rows.append(Row("  check beside it", check.rate / other.rate, "times", peer.least, least=True))
    return rows


def _start(_: Path) -> list[Row]:
    def median(*arguments: str) -> float:
        return statistics.median(_command(*arguments) for _ in range(REPEATS))

    return [
        Row("conformance --help", median("--help"), "s", 0.2),
        Row("conformance list", median("list", "--cases", str(SUITE)), "s", 0.5),
    ]


if __name__ == "__main__":
    sys.exit(main())
