"""The executor alone: numbers near the wrap, incarnations, and which connection a frame belongs to."""

from __future__ import annotations

import struct

import pytest

from conformance.engine.events import Frame
from conformance.engine.stream import stream
from conformance.result import Verdict
from conformance.sut.base import Outcome
from conformance.trace import Received
from conformance.wire.icmp import quoted
from conformance.wire.read import read_frame
from conformance.wire.segment import Segment

from .desk import MS, SECOND, Desk, Read

HANDSHAKE = """
- inject: S 0:0(0)
- expect: S. 0:0(0) ack 1
- inject: . 1:1(0) ack 1
"""


def absolute(frame: bytes) -> tuple[int, int]:
    """Sequence and acknowledgement number as they are on the wire (IPv4 without options)."""
    return struct.unpack_from(">II", frame, 38)


# Numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sut_isn", [0, 2**31 - 3, 2**32 - 1, 2**32 - 9])
@pytest.mark.parametrize("isn", [0, 2**31 - 3, 2**32 - 1, 2**32 - 9])
def test_numbers_are_relative_across_the_wrap(read: Read, isn: int, sut_isn: int) -> None:
    steps = f"""{HANDSHAKE}
- inject: P. 1:21(20) ack 1
- expect: P. 1:31(30) ack 21
- inject: . 21:21(0) ack 31 <nop,nop,sack 41:51>
- expect: . 31:31(0) ack 21 <nop,nop,sack 31:41>
- inject: F. 21:21(0) ack 31
"""
    desk = Desk(read(steps, f"connections: {{default: {{isn: {isn}}}}}"))
    desk.isns["default"] = sut_isn
    for text in ("S. 0:0(0) ack 1", "P. 1:31(30) ack 21", ". 31:31(0) ack 21 <nop,nop,sack 31:41>"):
        assert desk.verdict is None
        desk.sut(text)
    assert desk.verdict is Verdict.PASS
    numbers = [(isn, 0), (isn + 1, sut_isn + 1), (isn + 1, sut_isn + 1), (isn + 21, sut_isn + 31), (isn + 21, sut_isn + 31)]
    assert [absolute(frame) for _, frame in desk.sent] == [(seq % 2**32, ack % 2**32) for seq, ack in numbers]
    assert desk.sent[2][1].endswith(stream(0, 20))


def test_numbers_before_the_isn_are_negative(read: Read) -> None:
    desk = Desk(read(f"{HANDSHAKE}\n- inject: . -1:-1(0) ack -5", "connections: {default: {isn: 0}}"))
    desk.isns["default"] = 3
    desk.sut("S. 0:0(0) ack 1")
    assert absolute(desk.sent[-1][1]) == (2**32 - 1, 2**32 - 2)


def test_without_a_syn_of_the_sut_its_numbers_are_absolute(read: Read) -> None:
    desk = Desk(read("- inject: . 5:5(0) ack 77\n- expect: R 77:77(0)"))
    desk.sut("R 77:77(0)")
    assert desk.verdict is Verdict.PASS
    assert absolute(desk.sent[0][1])[1] == 77


def test_data_that_is_not_what_was_sent_is_found(read: Read) -> None:
    desk = Desk(read(f"{HANDSHAKE}\n- expect: . 1:11(10) ack 1"))
    desk.sut("S. 0:0(0) ack 1")
    desk.sut('. 1:11(10) ack 1 "bcdefghijk"')
    assert (desk.verdict, desk.fields) == (Verdict.FAIL, ["data"])


# Incarnations ---------------------------------------------------------------------------------------------------------

AGAIN = "connections: {again: {reuse: default, isn: +100000}}"
TWICE = f"""{HANDSHAKE}
- {{inject: S 0:0(0), on: again}}
- {{expect: S. 0:0(0) ack 1, on: again}}
- {{silence: 1s}}
"""


def test_a_new_incarnation_has_the_ports_of_the_old_one(read: Read) -> None:
    desk = Desk(read(TWICE, AGAIN))
    old, new = desk.executor.connections["default"].ends, desk.executor.connections["again"].ends
    desk.sut("S. 0:0(0) ack 1")
    first, second = (read_frame(desk.sent[index][1]) for index in (0, 2))
    assert isinstance(first, Segment) and isinstance(second, Segment)
    assert (first.sport, first.dport, first.src) == (second.sport, second.dport, second.src)
    assert (second.seq - first.seq) % 2**32 == 100_000 == (new.peer_isn - old.peer_isn) % 2**32


def test_a_new_incarnation_takes_the_frames_over(read: Read) -> None:
    desk = Desk(read(TWICE, AGAIN))
    desk.isns["again"] = 5000
    desk.sut("S. 0:0(0) ack 1")
    desk.sut("S. 0:0(0) ack 1", on="again")
    assert [desk.executor.connections[name].ends.sut_isn for name in ("default", "again")] == [0, 5000]
    desk.sut(". 1:1(0) ack 1", on="again")
    assert desk.run(SECOND) is Verdict.PASS, "the silence is the old incarnation's"
    names = [event.connection for event in desk.executor.trace.events if isinstance(event, Received)]
    assert names == ["default", "again", "again"]


def test_answers_to_an_old_duplicate_belong_to_the_new_incarnation(read: Read) -> None:
    old = "- {inject: S 0:0(0), on: again}\n- inject: P. 1:11(10) ack 1\n- {expect: . 0:0(0) ack 1, on: again}\n- silence: 1s"
    desk = Desk(read(f"{HANDSHAKE}\n{old}", AGAIN))
    desk.sut("S. 0:0(0) ack 1")
    desk.sut(". 0:0(0) ack 1", on="again")
    assert desk.run(SECOND) is Verdict.PASS


def test_an_incarnation_goes_to_the_port_that_the_sut_chose(read: Read) -> None:
    steps = "- call: c = socket()\n- call: connect(c)\n- expect: S 0:0(0)\n- inject: R. 0:0(0) ack 1\n- {inject: S 0:0(0), on: again}"
    desk = Desk(read(steps, AGAIN))
    desk.executor.connections["default"].ends.sut_port = 50_123
    desk.sut("S 0:0(0)")
    assert [struct.unpack_from(">H", frame, 36)[0] for _, frame in desk.sent] == [50_123, 50_123]


def test_before_it_is_used_an_incarnation_gets_nothing(read: Read) -> None:
    desk = Desk(read(f"{HANDSHAKE}\n- {{silence: 1s, on: default}}\n- {{inject: S 0:0(0), on: again}}", AGAIN))
    desk.sut("S. 0:0(0) ack 1")
    desk.sut("R 1:1(0)", after=MS)
    assert (desk.verdict, desk.failure.step) == (Verdict.FAIL, "silence: 1s")


# Whose frame it is ----------------------------------------------------------------------------------------------------

MORE = "connections: {c2: {peer: peer2}, c3: {}, c4: {port: port2, peer_port: peer_port2}}"


@pytest.mark.parametrize("name", ["c2", "c3", "c4"])
def test_a_segment_belongs_to_the_connection_of_its_addresses(read: Read, name: str) -> None:
    desk = Desk(read(f"- {{inject: S 0:0(0), on: {name}}}\n- {{expect: S. 0:0(0) ack 1, on: {name}}}\n- silence: 1s", MORE))
    desk.sut("S. 0:0(0) ack 1", on="default")
    assert desk.verdict is None
    desk.sut("S. 0:0(0) ack 1", on=name)
    assert desk.run(2 * SECOND) is Verdict.FAIL, "the silence of the default connection was broken before"
    assert desk.failure.step == "silence: 1s"


def _foreign(desk: Desk) -> bytes:
    frame = bytearray(desk.frame("R 1:1(0)"))
    frame[36:38] = struct.pack(">H", 9)  # to a port of the peer that no connection has
    return bytes(frame)


def test_a_frame_of_no_connection_is_ambient(read: Read) -> None:
    desk = Desk(read("- expect: S. 0:0(0) ack 1\n- silence: 1s"))
    desk.tell(Frame(desk.now, _foreign(desk), False))
    desk.sut("S. 0:0(0) ack 1")
    desk.tell(Frame(desk.now + MS, _foreign(desk), False))
    assert desk.run() is Verdict.PASS
    received = [event for event in desk.executor.trace.events if isinstance(event, Received)]
    assert [(event.connection, event.step) for event in received] == [(None, None), ("default", 0), (None, None)]


def test_the_sut_s_own_port_is_learned_from_its_syn(read: Read) -> None:
    desk = Desk(read("- call: c = socket()\n- call: connect(c)\n- expect: S 0:0(0)\n- inject: S. 0:0(0) ack 1"))
    frame = bytearray(desk.frame("S 0:0(0)"))
    frame[34:36] = struct.pack(">H", 50_123)
    frame[50:52] = b"\0\0"
    desk.tell(Frame(desk.now, bytes(frame), False))
    assert desk.executor.connections["default"].ends.sut_port == 50_123


def test_an_unreadable_frame_fails_the_step_that_waits(read: Read) -> None:
    desk = Desk(read("- expect: S. 0:0(0) ack 1"))
    desk.tell(Frame(desk.now, desk.frame("S. 0:0(0) ack 1")[:40], False))
    assert (desk.verdict, desk.fields) == (Verdict.FAIL, ["frame"])
    assert desk.failure.actual.startswith("unreadable frame")


def test_a_bad_checksum_fails_the_step_that_waits(read: Read) -> None:
    desk = Desk(read("- expect: S. 0:0(0) ack 1"))
    frame = bytearray(desk.frame("S. 0:0(0) ack 1"))
    frame[50] ^= 0xFF
    desk.tell(Frame(desk.now, bytes(frame), False))
    assert (desk.verdict, desk.fields) == (Verdict.FAIL, ["checksum"])


@pytest.mark.parametrize("options", ["0200", "020405b4 05", "fe ff0000", "01 01 01 02", "020405b4 00 000001", "00 02 04 05"])
@pytest.mark.parametrize("text", ["S. 0:0(0) ack 1", "S. 0:0(0) ack 1 win *", "S. 0:0(0) ack 1 <any,...>"])
def test_options_that_nobody_can_read_fail_the_step_that_waits(read: Read, options: str, text: str) -> None:
    desk = Desk(read(f"- expect: {text}"))
    octets = bytes.fromhex(options)
    desk.tell(Frame(desk.now, desk.frame(f"S. 0:0(0) ack 1 <raw {octets.hex()}>"), False))
    assert desk.verdict is Verdict.FAIL
    assert desk.fields[-1:] == ["options"]


# ICMP -----------------------------------------------------------------------------------------------------------------

TO_TWO = "- {inject: S 0:0(0)}\n- {inject: S 0:0(0), on: c2}\n- {expect_icmp: port-unreachable, on: c2}\n- silence: 1s"


def test_a_message_belongs_to_the_connection_that_it_quotes(read: Read) -> None:
    desk = Desk(read(TO_TWO, MORE))
    desk.sut_icmp(3, 3, desk.sent[1][1])
    assert desk.run(SECOND) is Verdict.PASS


@pytest.mark.parametrize("about", [0, None])
def test_a_message_about_another_connection_or_none_is_not_its(read: Read, about: int | None) -> None:
    desk = Desk(read(TO_TWO, MORE))
    desk.sut_icmp(3, 3, None if about is None else desk.sent[about][1])
    assert desk.verdict is None
    desk.sut_icmp(3, 3, desk.sent[1][1])
    assert (desk.verdict, desk.failure.step) == (Verdict.FAIL, "silence: 1s"), "it is the default connection's"


def test_a_message_about_no_connection_of_the_case_is_ambient(read: Read) -> None:
    desk = Desk(read("- silence: 1s"))
    frame = bytearray(desk.frame("S 0:0(0)"))
    frame[26:30], frame[30:34] = frame[30:34], frame[26:30]
    desk.sut_icmp(3, 3, bytes(frame))
    assert desk.run(SECOND) is Verdict.PASS


def test_messages_and_segments_are_waited_for_apart(read: Read) -> None:
    desk = Desk(read("- inject: S 0:0(0)\n- expect: S. 0:0(0)\n- expect_icmp: port-unreachable"))
    desk.sut_icmp(3, 3, desk.sent[0][1])
    assert desk.verdict is None
    desk.sut("S. 0:0(0) ack 1")
    assert desk.verdict is Verdict.PASS


def test_a_message_to_the_sut_quotes_its_last_segment(read: Read) -> None:
    desk = Desk(read(f"{HANDSHAKE}\n- inject_icmp: port-unreachable"))
    frame = desk.sut("S. 0:0(0) ack 1")
    assert desk.sent[-1][1].endswith(quoted(frame))


def test_or_the_segment_that_is_written(read: Read) -> None:
    desk = Desk(read(f"{HANDSHAKE}\n- inject_icmp: port-unreachable [P. 1:101(100) ack 1]"))
    desk.sut("S. 0:0(0) ack 1")
    assert desk.sent[-1][1].endswith(quoted(desk.frame("P. 1:101(100) ack 1")))
    assert desk.verdict is Verdict.PASS


def test_a_message_can_quote_nothing_before_the_sut_has_sent_something(read: Read) -> None:
    desk = Desk(read("- inject_icmp: port-unreachable"))
    assert desk.verdict is Verdict.ERROR and "sent nothing yet" in desk.failure.reason


# What the SUT's sockets give ------------------------------------------------------------------------------------------

READS = """
- call: s = socket()
- inject: S 0:0(0)
- expect: S. 0:0(0) ack 1
- inject: . 1:1(0) ack 1
- call: c = accept(s)
- call: recv(c, 10) = 10
- call: recv(c, 10{peek}) = 10
- call: recv(c, 10) = 10
"""


@pytest.mark.parametrize(
    ("peek", "second", "third", "step"),
    [
        ("", (10, 10), (20, 10), None),
        ("", (11, 10), (21, 10), "call: recv(c, 10) = 10"),
        ("", (10, 10), (10, 10), "call: recv(c, 10) = 10"),
        (", MSG_PEEK", (10, 10), (10, 10), None),
        (", MSG_PEEK", (10, 10), (20, 10), "call: recv(c, 10) = 10"),
    ],
)
def test_octets_that_are_received_are_those_of_the_stream(
    read: Read, peek: str, second: tuple[int, int], third: tuple[int, int], step: str | None
) -> None:
    desk = Desk(read(READS.format(peek=peek)), returns={"recv": None})
    desk.sut("S. 0:0(0) ack 1")
    for octets in (stream(0, 10), stream(*second), stream(*third)):
        desk.returned(Outcome(octets))
    assert desk.verdict is (Verdict.FAIL if step else Verdict.PASS)
    assert desk.executor.failure is None or (desk.failure.step, desk.fields) == (step, ["result"])


def test_octets_that_a_case_wrote_out_are_compared_with_nothing_else(read: Read) -> None:
    steps = READS.replace("- call: c = accept(s)", '- inject: P. 1:11(10) ack 1 "0123456789"\n- call: c = accept(s)')
    desk = Desk(read(steps.format(peek="")), returns={"recv": Outcome(b"0123456789")})
    desk.sut("S. 0:0(0) ack 1")
    assert desk.run() is Verdict.PASS
