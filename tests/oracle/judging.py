"""A film, judged: what the oracle finds against the stack under test."""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.capture.pcapng import write_pcapng
from conformance.capture.reader import CaptureReader
from conformance.oracle.finding import Connection, Finding, Vantage
from conformance.oracle.judge import Judge
from conformance.trace import Received, Seen, Sent, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Segment

from .tolerant import Film, Frame

__all__ = ["against_sut", "endpoint", "judged", "seen", "written"]


def seen(frames: Iterable[Frame]) -> list[Seen]:
    """As a capture has it, taken by the tester's machine: read back from a file, so that fragments are put together."""
    file = io.BytesIO()
    write_pcapng(file, _trace(frames), "")
    file.seek(0)
    with CaptureReader(file) as reader:
        return list(reader.packets())


def _trace(frames: Iterable[Frame]) -> Trace:
    trace = Trace()
    for t, frame, outbound in frames:
        trace.add(
            Sent(t=t, frame=frame, connection="") if outbound else Received(t=t, frame=frame, packet=read_frame(frame), connection=None)
        )
    return trace


def judged(packets: Iterable[Seen], vantage: Vantage | None = Vantage.BOTH, slack: int = 0, strict: bool = False) -> list[Connection]:
    """All connections."""
    connections: list[Connection] = []
    judge = Judge(connections.append, vantage, slack, strict, whole=True)
    for packet in packets:
        judge.see(packet)
    judge.end()
    return connections


def against_sut(packets: Sequence[Seen], vantage: Vantage | None = Vantage.BOTH, slack: int = 0, strict: bool = False) -> list[Finding]:
    """What is found against an endpoint from which the stack under test sent something."""
    own = {endpoint(packet.packet) for packet in packets if not packet.outbound and isinstance(packet.packet, Segment)}
    found = (finding for connection in judged(packets, vantage, slack, strict) for finding in connection.findings)
    return [finding for finding in found if finding.endpoint in own]


def endpoint(segment: Segment) -> str:
    """Who sent it, as findings name it."""
    address = ipaddress.ip_address(segment.src)
    return f"[{address}]:{segment.sport}" if segment.family is Family.IPV6 else f"{address}:{segment.sport}"


def written(film: Film, path: Path) -> None:
    """As a capture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_pcapng(path, _trace(film.frames), film.case, verdict="fail" if film.failed else "pass", reason=film.failed)
