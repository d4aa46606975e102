"""The captures that ``make bench`` has judged, and what a process takes that judges them.

They are made in namespaces once (``python -m tests.traffic --only mixture``), and kept below ``build/``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from tests.traffic.mixture import CALM_ROUNDS, CALM_STREAMS, ROUNDS, STREAMS
from tests.traffic.scenarios import CALM, MIXTURE

__all__ = ["PEERS", "Capture", "Peer", "Speed", "bench_capture", "longer", "speed"]

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "bench"
PACKETS = 1_000_000
_HEADER = 24
_RECORD = Struct("<IIII")
_WORD = Struct("!H")
_SYN, _ACK = 2, 16


@dataclass(frozen=True, slots=True)
class Capture:
    """A file, and what it has."""

    path: Path
    packets: int
    connections: int
    """How many SYNs without ACK."""
    scenario: str
    """Its name."""

    @property
    def mix(self) -> str:
        """What it is a capture of."""
        calm = self.scenario == CALM.name
        setup = CALM.setup if calm else MIXTURE.setup
        bulk = 2 * (CALM_ROUNDS * CALM_STREAMS if calm else ROUNDS * STREAMS)
        wrong = setup.impairment
        path = f"{wrong.loss:.2%} lost, {wrong.reorder:.2%} reordered" if wrong else "nothing lost on the way"
        return (
            f"IPv4 and IPv6, {bulk} in bulk both ways, the others short and ended in every way, {path}, "
            f"{setup.snap} octets of each packet, at the client"
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that people use for this today."""

    name: str
    command: tuple[str, ...]
    """The file comes last."""
    least: float
    """How many times as fast ``check`` is at least."""
    packets: int | None = None
    """How many of the file's it reads, if not all."""


PEERS = (
    Peer("tcptrace -l", ("tcptrace", "-n", "-l"), 1),
    # It takes a minute for all of them, and no fewer packets a second.
    Peer(
        "tshark -Y tcp.analysis.flags, its first 100,000 packets",
        ("tshark", "-n", "-Y", "tcp.analysis.flags", "-c", "100000", "-r"),
        25,
        100_000,
    ),
)


@dataclass(frozen=True, slots=True)
class Speed:
    """What a whole process took, from its start to its end."""

    rate: float
    """Thousand packets a second."""
    megabytes: float
    """The most that was resident at a time."""
    status: int

    @property
    def note(self) -> str:
        """What is wrong."""
        return f"exit status {self.status}" if self.status else ""


def bench_capture(name: str, packets: int = PACKETS) -> Capture:
    """About so many packets, half of them IPv4, half IPv6; what is kept is taken if the generator is still the same."""
    sources = sorted((ROOT / "tests" / "traffic").glob("*.py"))
    key = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    path = KEPT / f"{name}-{packets}-{key}.pcap"
    if not path.exists():
        folder = KEPT / "parts"
        command = [sys.executable, "-m", "tests.traffic", "--only", name, "--packets", str(packets), "--out", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        for old in KEPT.glob(f"{name}-[0-9]*.pcap"):
            old.unlink()
        parts = [(folder / f"{name}-{family}-client.pcap").read_bytes() for family in ("ipv4", "ipv6")]
        _write(path, [parts[0], *(part[_HEADER:] for part in parts[1:])])
        shutil.rmtree(folder)
    return _count(path, name)


def longer(capture: Capture, times: int = 3) -> Capture:
    """A capture with the same packets so many times, each time later and between other hosts."""
    path = capture.path.with_name(f"{capture.path.stem}-{times}-times.pcap")
    if not path.exists():
        content = capture.path.read_bytes()
        seconds = [_RECORD.unpack_from(content, at)[0] for at, _ in _records(content)]
        span = seconds[-1] - seconds[0] + 1
        _write(path, [content, *(_moved(content, number, number * span) for number in range(1, times))])
    return _count(path, capture.scenario)


def _count(path: Path, scenario: str) -> Capture:
    """What a file of the generator's has."""
    content = path.read_bytes()
    packets = connections = 0
    for _, frame in _records(content):
        packets += 1
        tcp = _tcp(content, frame)
        connections += bool(tcp) and content[frame + tcp + 13] & (_SYN | _ACK) == _SYN
    return Capture(path, packets, connections, scenario)


def _write(path: Path, parts: Sequence[bytes | bytearray]) -> None:
    """All of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        file.writelines(parts)
    unfinished.replace(path)


def _records(content: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Where each record begins, and where its frame does."""
    at = _HEADER
    while at < len(content):
        yield at, at + _RECORD.size
        at += _RECORD.size + _RECORD.unpack_from(content, at)[2]


def _tcp(content: bytes | bytearray, frame: int) -> int:
    """Where in a frame TCP begins; 0: it is something else."""
    match content[frame + 12 : frame + 14]:
        case b"\x08\x00" if content[frame + 23] == 6:
            return 34
        case b"\x86\xdd" if content[frame + 20] == 6:
            return 54
    return 0


_CHANGED = {34: (28, 32, 29), 54: (26, 42, 37)}
"""By where TCP begins: the words that change of the source's address and of the destination's, and the octet that is 1 in the client's."""


def _moved(content: bytes, by: int, later: int) -> bytearray:
    """The records with other addresses: what is added to the client's is taken from the server's, so that every checksum stays right."""
    moved = bytearray(content)
    for at, frame in _records(content):
        seconds, *rest = _RECORD.unpack_from(content, at)
        _RECORD.pack_into(moved, at, seconds + later, *rest)
        if tcp := _tcp(content, frame):
            source, target, octet = (frame + place for place in _CHANGED[tcp])
            added = 16 * by if content[octet] == 1 else -16 * by
            for word, change in ((source, added), (target, -added)):
                _WORD.pack_into(moved, word, (_WORD.unpack_from(content, word)[0] + change - 1) % 0xFFFF + 1)
    return moved[_HEADER:]


# Programs -------------------------------------------------------------------------------------------------------------------


def speed(capture: Capture, command: Sequence[str], packets: int | None = None, repeats: int = 1) -> Speed:
    """The median of some runs, of which each reads all of the capture, or so many packets; what they print is thrown away."""
    seconds, most, status = [], 0, 0
    for _ in range(repeats):
        began = time.perf_counter()
        process = subprocess.Popen([*command, str(capture.path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        _, ended, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - began)
        process.returncode = status = os.waitstatus_to_exitcode(ended)
        most = max(most, usage.ru_maxrss)
    return Speed(min(packets or capture.packets, capture.packets) / statistics.median(seconds) / 1000, most / 1024, status)
