"""What a stack did is played again: against the same stack nothing differs, against another all that differs is explained."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import pytest

from conformance.capture.exchange import exchange_of_trace
from conformance.case.case import MS, Case
from conformance.case.loader import load_suite
from conformance.engine.replay_capture import Captured
from conformance.engine.replay_case import ReplayOptions, replay_case
from conformance.engine.replay_compare import explained, until_the_end
from conformance.engine.replay_play import END
from conformance.engine.runner import Runner, RunnerOptions
from conformance.oracle.finding import Finding, Rule
from conformance.report.replaying import Explained, Meaning
from conformance.result import CaseResult, Verdict
from conformance.sut.reference import Reference
from conformance.trace import Called, Note, Received, Returned, Sent, Trace
from conformance.wire.options import TIMESTAMP, timestamps
from conformance.wire.read import read_frame
from conformance.wire.segment import Segment

from .desk import Read
from .harness import CASES

SAMPLE = [
    "backlog/cookie-timestamp", "close/simultaneous-close", "close/abort-late", "data/fast-retransmit", "data/retransmission",
    "data/rto-backoff", "ecn/ece-halves", "fast-open/server-takes-data", "fast-open/client-uses-cookie", "handshake/simultaneous-open",
    "ip/fragments-in-any-order", "ip/fragments-tiny-ipv4", "isn/clock-driven", "options/malformed-in-syn", "reset/all-flags-outside",
    "sack/delivered-once", "sockets/other-family", "time-wait/port-reused", "timestamps/paws-syn-received", "reset/blocked-recv",
]  # fmt: skip
"""Beginnings of ids; ``python -m tests.engine.replay_all`` plays the whole suite."""


def played(cases: Iterable[Case], seed: int) -> dict[str, CaseResult]:
    results: list[CaseResult] = []
    asyncio.run(Runner(Reference(), RunnerOptions(seed=seed), results.append).run(list(cases)))
    return {result.case.id: result for result in results}


@cache
def recorded() -> dict[str, CaseResult]:
    files = {path for name in SAMPLE for path in CASES.glob(f"{name}*.yaml")}
    found = played(load_suite(CASES, sorted(files)).cases, 1)
    return {name: result for name, result in found.items() if result.verdict is Verdict.PASS}


def again(trace: Trace, seed: int = 2, *, keep: bool = True, config: dict[str, object] | None = None) -> CaseResult:
    case = replay_case(trace, ReplayOptions(id="replay", judged=False, config=config or {}, keep=keep))
    (result,) = played([case], seed).values()
    assert result.verdict is Verdict.PASS, result.failure
    return result


def weighty(trace: Trace, result: CaseResult) -> list[Explained]:
    """The differences that are more than harmless; what the oracle says of the stack is another matter."""
    found = explained(Captured("it", trace, recorded=True), result.trace, slack=0)
    return [one for one in found if one.meaning is not Meaning.HARMLESS and not one.requirement]


def sent_by_peer(trace: Trace) -> list[Segment]:
    packets = (read_frame(event.frame) for event in trace.sorted() if isinstance(event, Sent))
    return [packet for packet in packets if isinstance(packet, Segment)]


def sent_by_sut(trace: Trace) -> list[Segment]:
    return [event.packet for event in trace.sorted() if isinstance(event, Received) and isinstance(event.packet, Segment)]


def test_against_the_same_stack_nothing_differs_though_it_chooses_other_numbers() -> None:
    results = recorded()
    assert len(results) > 60
    cases = {
        name: replay_case(result.trace, ReplayOptions(id=f"replay/{name}", config=result.case.config, judged=False))
        for name, result in results.items()
    }
    differ = {}
    moved = 0
    for name, result in played(cases.values(), 2).items():
        before = results[name.removeprefix("replay/")]
        found = weighty(before.trace, result) if result.verdict is Verdict.PASS else [result.failure]
        differ.update({name: found} if found else {})
        moved += [one.seq for one in sent_by_sut(before.trace)] != [one.seq for one in sent_by_sut(result.trace)]
    assert not differ
    assert moved > len(results) // 2, "the ISNs were the same, so this shows nothing"


BULK = """
  - call: s = socket()
  - call: bind(s, port)
  - call: listen(s, 8)
  - inject: S 0:0(0) win 65535 <mss 1000,sackOK,TS val 100 ecr 0>
  - expect: "S. 0:0(0) ack 1 <mss *,sackOK,TS val $a ecr 100>"
  - inject: . 1:1(0) ack 1 win 65535 <nop,nop,TS val 101 ecr $a>
  - call: c = accept(s)
  - inject: P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 2000 ecr $a>
    after: 3s
  - expect: . 1:1(0) ack 11 <nop,nop,TS val * ecr 2000>
  - call: setsockopt(c, TCP_NODELAY, 1)
  - call: send(c, 3000) = 3000
  - expect: "* 1:989(988) ack 11 <nop,nop,TS val $b ecr 2000>"
  - expect: "* 989:1977(988) ack 11 <nop,nop,TS val $b ecr 2000>"
  - expect: "* 1977:2965(988) ack 11 <nop,nop,TS val $b ecr 2000>"
  - expect: "* 2965:3001(36) ack 11 <nop,nop,TS val $b ecr 2000>"
  - inject: . 11:11(0) ack 989 win 65535 <nop,nop,TS val 2010 ecr $b>
  - inject: . 11:11(0) ack 3001 win 65535 <nop,nop,TS val 2020 ecr $b,nop,nop,sack 1:989>
  - call: recv(c, 100) = 10
  - call: close(c)
    after: 50ms
  - expect: "F. 3001:3001(0) ack 11 <nop,nop,TS val $c ecr *>"
  - inject: . 11:11(0) ack 3002 win 65535 <nop,nop,TS val 2030 ecr $c>
"""
"""A peer that asks after three seconds, and acknowledges what it gets."""


BURST = """
  - call: s = socket()
  - call: bind(s, port)
  - call: listen(s, 8)
  - inject: S 0:0(0) win 65535 <mss 1000>
  - expect: S. 0:0(0) ack 1
  - inject: . 1:1(0) ack 1
  - call: c = accept(s)
  - call: send(c, 8000) = 8000
  - repeat:
      times: 8
      steps:
        - expect: "* ${i*1000+1}:${i*1000+1001}(1000) ack 1"
  - inject: . 1:1(0) ack 8001
"""
"""A peer that acknowledges all at once."""


@pytest.fixture
def captured(read: Read) -> Trace:
    (result,) = played([read(BULK)], 1).values()
    assert result.verdict is Verdict.PASS, result.failure
    return result.trace


def test_a_timestamp_that_the_peer_echoes_is_one_that_this_stack_sent(captured: Trace) -> None:
    result = again(captured)
    own = {value[0] for segment in sent_by_sut(result.trace) for value in _values(segment)} | {0}
    echoed = {value[1] for segment in sent_by_peer(result.trace) for value in _values(segment)}
    assert len(echoed) > 3
    assert echoed <= own
    assert [_values(one)[0][0] for one in sent_by_peer(captured)] == [_values(one)[0][0] for one in sent_by_peer(result.trace)]


def _values(segment: Segment) -> list[tuple[int, int]]:
    return [value for option in segment.options if option.kind == TIMESTAMP and (value := timestamps(option))]


def acknowledged(trace: Trace) -> list[int]:
    """The peer's acknowledgement numbers, relative to the SUT's ISN."""
    isn = trace.connections["default"].sut_isn
    assert isn is not None
    return [(segment.ack - isn) % 2**32 for segment in sent_by_peer(trace)[1:]]


def test_octets_are_acknowledged_however_they_are_cut(captured: Trace) -> None:
    result = again(captured, config={"mtu": 576})
    assert max(len(segment.payload) for segment in sent_by_sut(result.trace)) < 600
    assert acknowledged(result.trace) == acknowledged(captured)
    blocks = [option.data for segment in sent_by_peer(result.trace) for option in segment.options if option.kind == 5]
    isn = result.trace.connections["default"].sut_isn
    assert isn is not None
    assert blocks == [b"".join((isn + edge & 0xFFFF_FFFF).to_bytes(4, "big") for edge in (1, 989))]
    assert {one.meaning for one in weighty(captured, result)} == {Meaning.ALLOWED}


def test_what_this_stack_has_not_sent_is_not_acknowledged(captured: Trace) -> None:
    silent = replace(captured, events=[event for event in captured.events if not _is_send(event)])
    result = again(silent)
    assert set(acknowledged(result.trace)) == {1, 2}, "the SYN, and the FIN of a connection on which nothing was sent"
    found = weighty(silent, result)
    assert any(one.what == "replay" and "octets more than this SUT has sent" in one.reason for one in found)
    assert any(one.meaning is Meaning.DIFFERENT and one.captured is not None for one in found)


def _is_send(event: object) -> bool:
    return isinstance(event, Called | Returned) and "send(" in event.text


def test_a_stack_that_sends_less_at_a_time_is_let_go_on(read: Read) -> None:
    (result,) = played([read(BURST)], 1).values()
    assert result.verdict is Verdict.PASS, result.failure
    slow = again(result.trace, config={"initial_window": 1})
    assert sum(len(segment.payload) for segment in sent_by_sut(slow.trace)) == 8000
    assert acknowledged(slow.trace)[-1] == 8001
    assert {one.meaning for one in weighty(result.trace, slow)} == {Meaning.ALLOWED}
    assert _took(slow.trace) < 2000 * MS


def test_an_acknowledgement_of_what_was_never_sent_stays_one(read: Read) -> None:
    (result,) = played([read(BULK.replace("ack 3002 win", "ack 9002 win"))], 1).values()
    assert acknowledged(again(result.trace).trace)[-1] == 9002


@pytest.mark.parametrize(("keep", "least", "most"), [(True, 3000, 4000), (False, 0, 500)])
def test_waits_of_the_peer_are_kept_or_not(captured: Trace, keep: bool, least: int, most: int) -> None:
    result = again(captured, keep=keep)
    assert least * MS <= _took(result.trace) <= most * MS
    found = explained(Captured("it", captured, recorded=True), result.trace, times=keep, slack=0)
    assert not [one for one in found if one.meaning is not Meaning.HARMLESS]


def _took(trace: Trace) -> int:
    return next(event.t for event in trace.events if isinstance(event, Note) and event.text == END) - trace.start


def test_what_the_stack_waits_for_by_itself_is_waited_for(read: Read) -> None:
    steps = (
        BULK.partition("  - call: setsockopt")[0]
        + """\
  - call: send(c, 100) = 100
  - expect: "* 1:101(100) ack 11 <...>"
  - expect: "* 1:101(100) ack 11 <...>"
    after: 0.9s..1.1s
  - inject: . 11:11(0) ack 101 win 65535
    after: 500ms
"""
    )
    (result,) = played([read(steps)], 1).values()
    assert result.verdict is Verdict.PASS, result.failure
    assert 900 * MS <= _took(again(result.trace, keep=False).trace) <= 1200 * MS


def test_what_comes_after_the_end_is_not_compared(captured: Trace) -> None:
    short = replace(captured, events=list(captured.sorted())[:-3])
    result = again(short)
    case = replay_case(short, ReplayOptions(id="replay", judged=False, linger=60_000 * MS))
    (longer,) = played([case], 2).values()
    assert len(sent_by_sut(longer.trace)) > len(sent_by_sut(result.trace)), "the FIN is sent again and again"
    assert not weighty(short, longer)
    assert len(exchange_of_trace(until_the_end(longer.trace)).turns) == len(exchange_of_trace(short).turns)


def test_a_difference_behind_what_the_capture_has_wrong_is_allowed(captured: Trace) -> None:
    events = list(captured.sorted())
    last = next(event for event in reversed(events) if isinstance(event, Received))
    without = replace(captured, events=[event for event in events if event is not last])
    result = again(without)
    (one,) = weighty(without, result)
    assert one.meaning is Meaning.DIFFERENT
    rule = Rule("some-rule", "RFC9293/MUST-1", "MUST", "something is right")
    fault = Finding(rule, 1, "192.0.2.1:5000", 3, 0, True, "it is not")
    found = explained(Captured("it", without, recorded=True, faults=[fault]), result.trace, slack=0)
    (one,) = [one for one in found if one.meaning is not Meaning.HARMLESS]
    assert one.meaning is Meaning.ALLOWED
    assert "RFC9293/MUST-1" in one.reason


def test_whatever_is_missing_of_a_capture_it_can_be_played(captured: Trace) -> None:
    events = list(captured.sorted())
    for at in range(len(events)):
        again(replace(captured, events=events[:at] + events[at + 1 :]), keep=False)


def test_what_cannot_be_played_says_why(captured: Trace) -> None:
    with pytest.raises(ValueError, match="nothing to play"):
        replay_case(replace(captured, events=[]), ReplayOptions(id="replay"))
    with pytest.raises(ValueError, match="no connection"):
        replay_case(Trace(), ReplayOptions(id="replay"))
    captured.add(Called(t=0, text="what is this?"))
    with pytest.raises(ValueError, match="what is this"):
        replay_case(captured, ReplayOptions(id="replay"))
