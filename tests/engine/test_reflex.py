"""Reflexes: what they recognise the executor accepts, and the answer is the executor's."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.case import notation
from conformance.case.steps import ConnectionSpec, ExpectStep, InjectStep, Source
from conformance.engine.connections import Connections
from conformance.engine.outgoing import OutgoingSegment
from conformance.engine.quick import quick
from conformance.engine.reflex import Reflex, awaited
from conformance.engine.variables import Variables
from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Segment

from .desk import places

SOURCE = Source("case.yaml", 1, 1, "")
EXPECTED = {
    "S. 0:0(0) ack 1 <mss 1460,sackOK,TS val $t ecr 100,nop,wscale *>": "S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 77 ecr 100,nop,wscale 7>",
    ". 5:5(0) ack 7 <nop,nop,TS val $t ecr *>": ". 5:5(0) ack 7 <nop,nop,TS val 5 ecr 100>",
    "F. 5:5(0) ack 7": "F. 5:5(0) ack 7 <nop,nop,TS val 5 ecr 100>",
    "R 5:5(0)": "R 5:5(0)",
}
"""What a case expects, and a segment that fits."""


def inject(text: str, **more: object) -> InjectStep:
    return InjectStep(source=SOURCE, segment=notation.inject_segment(text), **more)  # type: ignore[arg-type]


def expect(text: str, **more: object) -> ExpectStep:
    return ExpectStep(source=SOURCE, segment=notation.expect_segment(text), **more)  # type: ignore[arg-type]


@settings(max_examples=3000, deadline=None)
@given(
    st.sampled_from(list(Family)), st.sampled_from(list(EXPECTED)), st.booleans(), st.integers(0, 0xFFFFFFFF),
    st.lists(st.tuples(st.integers(6, 60), st.integers(0, 0xFFFF)), max_size=2), st.booleans(),
)  # fmt: skip
def test_what_a_reflex_recognises_is_what_is_expected(
    family: Family, text: str, isn_known: bool, isn: int, changes: list[tuple[int, int]], compensated: bool
) -> None:
    where = places(family)
    connections, variables = Connections([ConnectionSpec("default")], where, Random(isn)), Variables()
    connection = connections["default"]
    ends = connection.ends
    ends.sut_port = where.ports["port"]
    fast = quick(expect(text))
    stamps = "<nop,nop,TS val 110 ecr $t>" if "$t" in text else ""
    answer = OutgoingSegment(inject(f". 7:7(0) ack 6 {stamps}").segment, {}, where)
    answer.bind(ends, ends.sut_port)
    assert fast is not None
    reflex = Reflex(fast, answer, connection, where, variables)
    assert reflex.is_ready

    ends.sut_isn = isn
    reply = OutgoingSegment(notation.inject_segment(EXPECTED[text]), {}, where, from_sut=True)
    frame = bytearray(reply.frame(connection, Variables()))
    ends.sut_isn = isn if isn_known or "S." not in text else None
    for number, (at, delta) in enumerate(changes):  # octets that change by the same amount, up and down, leave the checksum right
        word = int.from_bytes(frame[2 * at % len(frame) :][:2], "big") + (-changes[0][1] if compensated and number else delta)
        frame[2 * at % len(frame) : 2 * at % len(frame) + 2] = (word % 0x10000).to_bytes(2, "big")

    early = reflex.answer(bytes(frame))
    packet = read_frame(bytes(frame))
    known = connections.of(packet) is connection and isinstance(packet, Segment)
    fits = known and fast.fits(packet, connection, variables)
    assert early is None or fits
    assert early is not None or changes
    if early is not None:
        assert early == answer.frame(connection, variables)


def test_an_octet_too_many_or_too_few_is_not_recognised() -> None:
    where = places(Family.IPV6)
    connection = Connections([ConnectionSpec("default")], where, Random(1))["default"]
    connection.ends.sut_port, connection.ends.sut_isn = where.ports["port"], 5
    answer = OutgoingSegment(notation.inject_segment(". 1:1(0) ack 1"), {}, where)
    answer.bind(connection.ends, connection.ends.sut_port)
    fast = quick(expect(". 1:1(0) ack 1"))
    assert fast is not None
    reflex = Reflex(fast, answer, connection, where, Variables())
    frame = OutgoingSegment(notation.inject_segment(". 1:1(0) ack 1"), {}, where, from_sut=True).frame(connection, Variables())
    assert reflex.answer(frame) is not None
    assert [reflex.answer(frame[:size]) for size in range(len(frame))] == [None] * len(frame)
    assert reflex.answer(frame + b"\0") is None


@pytest.mark.parametrize(
    "steps",
    [
        [inject("S 0:0(0)"), expect("S. 0:0(0) ack 1")],
        [inject("S 0:0(0)"), expect("S. 0:0(0) ack 1", within=5), inject(". 1:1(0) ack 1")],
        [inject("S 0:0(0)"), expect("S. 0:0(0) ack 1"), inject(". 1:1(0) ack 1", on="other")],
        [expect("S. 0:0(0) ack 1"), inject(". 1:1(0) ack 1"), expect(". 1:1(0) ack 1")],
    ],
)
def test_steps_that_are_not_played_by_reflex(steps: list[InjectStep | ExpectStep]) -> None:
    assert awaited(steps, 0) is None


def test_steps_that_are() -> None:
    steps = [inject("S 0:0(0)"), expect("S. 0:0(0) ack 1"), inject(". 1:1(0) ack 1")]
    assert awaited(steps, 0) == (steps[1], steps[2])
