"""What a replay brought about beside what its capture holds: each difference with how much it means, and why it need mean nothing.

Two exchanges alone do not say which of them is right. So what the oracle says of either side counts: a difference behind a packet with
which the capture itself breaks a rule is what a replay against a better stack should show, and what the SUT breaks in the replay is a
violation whether the capture has the same or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from conformance.capture.compare import Difference, Kind, compare
from conformance.capture.exchange import exchange_of_trace
from conformance.case.case import MS
from conformance.engine.replay_capture import Captured
from conformance.engine.replay_judge import findings_about_sut
from conformance.engine.replay_play import END
from conformance.oracle.finding import Finding
from conformance.oracle.finding import Verdict as Judged
from conformance.report.replaying import Explained, Meaning
from conformance.trace import Note, Received, Returned, Sent, Trace

__all__ = ["explained", "until_the_end"]

_AT_ONCE = 5 * MS
"""ns in which what answers the last packet comes, if it is no timer that sends it."""


_MEANINGS = {Kind.HARMLESS: Meaning.HARMLESS, Kind.ALLOWED: Meaning.ALLOWED, Kind.VIOLATION: Meaning.DIFFERENT}
_JUDGED = {Judged.VIOLATION: Meaning.VIOLATION, Judged.DEVIATION: Meaning.DEVIATION, Judged.AMBIGUOUS: Meaning.ALLOWED}


def explained(captured: Captured, played: Trace, *, times: bool = True, slack: int | None = None) -> list[Explained]:
    """All of them, the weightiest first, and by their packets.

    Args:
        captured: what was replayed.
        played: the trace of the replay.
        times: compare times, too: not where the replay did not keep waits.
        slack: see :class:`conformance.oracle.judge.Judge`.
    """
    known = {finding.rule.name for finding in captured.faults}
    ended = until_the_end(played)
    found = [_judged(finding, finding.rule.name in known) for finding in findings_about_sut(played, slack)]
    differences = compare(exchange_of_trace(captured.trace), exchange_of_trace(ended), times=times)
    if captured.recorded:
        differences += _returns(captured.trace, ended)
    found += [_weighed(_numbered(difference, captured.numbers), captured.faults) for difference in differences]
    found += _held_back(ended, captured)
    order = list(Meaning)
    return sorted(found, key=lambda one: (-order.index(one.meaning), one.replayed or one.captured or 0))


def until_the_end(trace: Trace) -> Trace:
    """A replay's trace as far as its capture goes: what comes later has nothing to be held against."""
    ends = [event.t for event in trace.events if isinstance(event, Note) and event.text == END]
    if not ends:
        return trace
    return replace(trace, events=[event for event in trace.events if event.t <= ends[0] + _AT_ONCE])


def _judged(finding: Finding, known: bool) -> Explained:
    """What the SUT broke in the replay."""
    also = ", as in the capture" if known else ", which it does not in the capture"
    return Explained(
        meaning=_JUDGED[finding.verdict],
        what=finding.rule.name,
        reason=finding.reason + (also if finding.certain else ""),
        requirement=finding.rule.requirement,
        replayed=finding.packet,
        expected=finding.rule.says,
    )


def _numbered(difference: Difference, numbers: Sequence[int]) -> Difference:
    """With the number that the packet has in the capture."""
    at = difference.expected_packet
    return difference if at is None or not numbers else replace(difference, expected_packet=numbers[at - 1])


def _weighed(difference: Difference, faults: Sequence[Finding]) -> Explained:
    """A difference, given what the capture itself has wrong."""
    meaning, reason = _MEANINGS[difference.kind], difference.reason
    at = difference.expected_packet
    before = [fault for fault in faults if at is None or fault.packet <= at]
    if meaning is Meaning.DIFFERENT and before:
        meaning = Meaning.ALLOWED
        reason += f"; the capture breaks {before[-1].rule.requirement} with packet {before[-1].packet}"
    return Explained(
        meaning=meaning,
        what=difference.what,
        reason=reason,
        captured=difference.expected_packet,
        replayed=difference.actual_packet,
        expected=difference.expected,
        actual=difference.actual,
        connection=difference.connection,
    )


def _returns(captured: Trace, played: Trace) -> Iterator[Difference]:
    """What calls returned, where the capture says that."""
    there, here = _results(captured.sorted()), _results(played.sorted())
    for call, expected in there.items():
        for before, after in zip(expected, here.get(call, ()), strict=False):
            if before != after:
                yield Difference(Kind.ALLOWED, "result of a call", f"{call} returned {after}, not {before}", before, after)


def _results(events: Iterable[object]) -> dict[str, list[str]]:
    """The results of each call, in their order."""
    results: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, Returned):
            call, _, result = event.text.rpartition(" = ")
            results.setdefault(call, []).append(result)
    return results


def _held_back(played: Trace, captured: Captured) -> Iterator[Explained]:
    """What the replay had to do otherwise than the capture."""
    if captured.left_out:
        reason = f"the last {captured.left_out} packets of the connection are not replayed: there are too many"
        yield Explained(meaning=Meaning.ALLOWED, what="left out", reason=reason)
    for number in captured.lost:
        reason = f"packet {number} of the capture never reached its SUT, which shows the hole: it is not sent"
        yield Explained(meaning=Meaning.ALLOWED, what="lost packet", reason=reason, captured=number)
    number = 0
    for event in played.sorted():
        if isinstance(event, Sent | Received):
            number += 1
        elif isinstance(event, Note) and event.text != END and not event.failed:
            yield Explained(meaning=Meaning.ALLOWED, what="replay", reason=event.text, replayed=number + 1)
