"""What the oracle says of a live trace: the SUT's side only, because the peer may do as the capture did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.capture.packets import PacketReader
from conformance.capture.pcapng import LINKTYPE_ETHERNET
from conformance.capture.records import Counts, Frame
from conformance.engine.replay_steps import JudgeStep
from conformance.oracle.finding import Connection, Finding, Vantage, Verdict
from conformance.oracle.judge import SLACK, Judge, endpoint_name
from conformance.result import Verdict as CaseVerdict
from conformance.trace import Received, Seen, Sent, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import Unreadable

if TYPE_CHECKING:
    from conformance.engine.executor import Executor, Playing

__all__ = ["findings_about_sut", "judge"]


def findings_about_sut(trace: Trace, slack: int | None = None) -> list[Finding]:
    """What the oracle finds on the SUT's side, with the numbers that packets have in the trace's capture; ``slack`` is the judge's."""
    connections: list[Connection] = []
    judge = Judge(connections.append, Vantage.BOTH, SLACK if slack is None else slack, whole=True)
    reader, number = PacketReader(Counts()), 0
    for event in trace.sorted():
        if isinstance(event, Sent | Received):
            number += 1
            packet = (event.packet or read_frame(event.frame)) if isinstance(event, Sent) else event.packet
            seen: Seen | None = Seen(number, event.t, packet)
            if isinstance(packet, Unreadable):  # a fragment, perhaps the last of a packet
                size = len(event.frame)
                seen = reader.read(Frame(number, event.t, event.frame, size, LINKTYPE_ETHERNET, 0))
            if seen is not None:
                judge.see(seen)
    judge.end()
    suts = {endpoint_name(ends.sut, ends.sut_port) for ends in trace.connections.values() if ends.sut}
    return [finding for connection in connections for finding in connection.findings if finding.endpoint in suts]


def judge(play: Executor, step: JudgeStep) -> Playing:
    """The case fails if the oracle finds a violation, or anything against the requirements that the case names."""
    for finding in findings_about_sut(play.trace):
        if finding.verdict is Verdict.VIOLATION or (finding.certain and finding.rule.requirement in step.requirements):
            raise play.stop(
                step,
                f"{finding.rule.requirement}, {finding.rule.name}: {finding.reason}",
                verdict=CaseVerdict.FAIL,
                expected=finding.rule.says,
                actual=f"packet {finding.packet}",
            )
    yield from ()
