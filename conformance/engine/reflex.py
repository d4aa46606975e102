"""An answer that leaves as soon as the segment which it answers is recognised, before the executor has heard of that segment.

Linux answers a segment within the call that sends it. Where a case says inject, expect, inject, the second answer is known but for a
number or two by then, and whether the segment is the expected one shows in its octets. So the driver compares those and answers; the
executor judges afterwards, at leisure, and comes to the same conclusion: a reflex never recognises what the executor would not accept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.case.steps import ExpectStep, InjectStep, Step
from conformance.engine.connections import Connection, Connections
from conformance.engine.outgoing import OutgoingSegment
from conformance.engine.quick import Quick
from conformance.engine.variables import Unbound, Variables
from conformance.sut.base import Places
from conformance.wire.checksum import pseudo_sum
from conformance.wire.options import parse_options, well_formed
from conformance.wire.segment import SYN, Family
from conformance.wire.spec import ETHERNET

__all__ = ["Reflex", "awaited", "make_reflexes"]

_MASK32 = 0xFFFF_FFFF
_ONES = 0xFFFF
_TCP = 6

_IP_HEADERS = {
    Family.IPV4: ("450000000000000000060000", "ff00000000003fff00ff0000", 20, 2, 0),
    Family.IPV6: ("6000000000000600", "f00000000000ff00", 40, 4, 40),
}
"""An IP header up to the addresses: its octets and which of them must be so (version, header length, no fragment, TCP); how long the whole
header is; where its length field is, and how many octets that does not count."""
_ETHERTYPES = {Family.IPV4: b"\x08\x00", Family.IPV6: b"\x86\xdd"}


def awaited(steps: Sequence[Step], at: int) -> tuple[ExpectStep, InjectStep] | None:
    """The expectation and the answer to it that follow the step at ``at``, if they can be played by reflex."""
    if at + 2 >= len(steps):
        return None
    stimulus, expected, answer = steps[at : at + 3]
    if not (isinstance(stimulus, InjectStep) and isinstance(expected, ExpectStep) and isinstance(answer, InjectStep)):
        return None
    if "fragments" in stimulus.fields or "fragments" in answer.fields:
        return None
    timed = expected.after or expected.within is not None or answer.after
    return None if timed or not stimulus.on == expected.on == answer.on else (expected, answer)


def make_reflexes(
    steps: Sequence[Step], expected: Mapping[int, Quick], prepared: Mapping[int, OutgoingSegment], connections: Connections, places: Places,
    variables: Variables,
) -> dict[int, Reflex]:  # fmt: skip
    """What can be answered by reflex, by the identity of the step that brings it about; so are what is expected and what is prepared."""
    reflexes = {}
    for at, step in enumerate(steps):
        if (found := awaited(steps, at)) is not None and id(found[0]) in expected and id(found[1]) in prepared:
            fast, answer = expected[id(found[0])], prepared[id(found[1])]
            reflexes[id(step)] = Reflex(fast, answer, connections[step.on], places, variables)
    return reflexes


class Reflex:
    """Recognises one segment of the SUT's on a connection, and makes the answer to it."""

    def __init__(self, expected: Quick, answer: OutgoingSegment, connection: Connection, places: Places, variables: Variables) -> None:
        self._expected, self._answer, self._ends, self._variables = expected, answer, connection.ends, variables
        ends = connection.ends
        self._sut_port = ends.sut_port or places.ports[connection.spec.port]
        head, care, size, self._length_at, uncounted = _IP_HEADERS[places.family]
        ports = self._sut_port.to_bytes(2, "big") + ends.peer_port.to_bytes(2, "big")
        ack = (0 if expected.ack is None else expected.ack + ends.peer_isn & _MASK32).to_bytes(4, "big")
        same = b"\xff"
        parts = [
            (_ETHERTYPES[places.family], same * 2),
            (bytes.fromhex(head), bytes.fromhex(care)),
            (ends.sut + ends.peer, same * 2 * len(ends.sut)),
            (ports, same * 4),
            (bytes(4), bytes(4)),  # the sequence number is relative to an ISN that may not be known yet
            (ack, bytes(4) if expected.ack is None else same * 4),
            (bytes(1), bytes(1)),
            (bytes((expected.flags & expected.care,)), bytes((expected.care,))),
        ]
        self._mask = int.from_bytes(b"".join(mask for _, mask in parts), "big")
        self._value = int.from_bytes(b"".join(value for value, _ in parts), "big") & self._mask
        self._tcp = ETHERNET + size
        self._start, self._end = ETHERNET - 2, self._tcp + 14
        self._length_at += ETHERNET
        self._uncounted = ETHERNET + uncounted
        self._checks_ip = places.family is Family.IPV4
        self._pseudo = pseudo_sum(ends.sut, ends.peer, _TCP, 0)

    @property
    def is_ready(self) -> bool:
        """Are the ends of the connection those that were foreseen?"""
        return self._ends.sut_port == self._sut_port and self._answer.is_ready(self._ends)

    def answer(self, frame: bytes) -> bytes | None:
        """The answer, if this is the segment; then variables are bound, too."""
        tcp, size = self._tcp, len(frame)
        if int.from_bytes(frame[self._start : self._end], "big") & self._mask != self._value or size < tcp + 20:
            return None
        length_at = self._length_at
        if frame[length_at] << 8 | frame[length_at + 1] != size - self._uncounted or (frame[tcp + 12] >> 4) * 4 != size - tcp:
            return None
        if (int.from_bytes(frame[tcp:], "big") + self._pseudo + size - tcp) % _ONES:
            return None
        if self._checks_ip and int.from_bytes(frame[ETHERNET:tcp], "big") % _ONES:
            return None
        seq, isn = int.from_bytes(frame[tcp + 4 : tcp + 8], "big"), self._ends.sut_isn
        if isn is None:
            if not frame[tcp + 13] & SYN:
                return None
            isn = seq
        if (seq - isn - self._expected.seq) & _MASK32 or not self._options_fit(frame[tcp + 20 :]):
            return None
        try:
            return self._answer.ready(isn, self._variables)
        except Unbound:  # the executor says where
            return None

    def _options_fit(self, data: bytes) -> bool:
        expected = self._expected.options
        if expected is not None:
            return expected.fit(data, self._variables)
        return not data or well_formed(parse_options(data))
