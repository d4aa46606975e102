"""What a packet of a capture waits for in a replay, though the SUT cuts its data and its acknowledgements otherwise."""

from __future__ import annotations

from conformance.engine.replay_progress import Goal, Progress
from conformance.trace import Received
from conformance.wire.segment import ACK, FIN, RST, SYN, Family, Icmp, Packet, Segment

ISN, PEER_ISN = 0xFFFF_FF00, 5000


def segment(flags: int, seq: int, ack: int = 0, size: int = 0, *, isn: int = ISN) -> Segment:
    """Of the SUT, its numbers relative to the ISNs."""
    absolute = isn + seq & 0xFFFF_FFFF, PEER_ISN + ack & 0xFFFF_FFFF
    return Segment(Family.IPV4, b"sut!", b"peer", 80, 40000, *absolute, flags, 1000, 0, b"", b"x" * size)


def came(progress: Progress, *packets: Packet) -> list[Goal]:
    return [progress.add(Received(t=0, frame=b"", packet=packet, connection="default")) for packet in packets]


def opened() -> Progress:
    progress = Progress(PEER_ISN)
    came(progress, segment(SYN | ACK, 0, 1))
    return progress


def test_data_is_met_by_octets_however_they_are_cut() -> None:
    captured, live = opened(), opened()
    goals = came(captured, segment(ACK, 1, 1, 1000), segment(ACK, 1001, 1, 1000), segment(FIN | ACK, 2001, 1))
    assert [captured.met(goal) for goal in goals] == [1, 2, 3]
    came(live, segment(ACK, 1, 1, 600))
    assert [live.met(goal) for goal in goals] == [None] * 3
    came(live, segment(ACK, 601, 1, 1400))
    assert [live.met(goal) for goal in goals] == [2, 2, None]
    came(live, segment(FIN | ACK, 2001, 1))
    assert live.met(goals[2]) == 3


def test_data_that_is_sent_again_waits_for_as_many_times() -> None:
    captured, live = opened(), opened()
    first, again, third = came(captured, *[segment(ACK, 1, 1, 1000)] * 3)
    assert (first.sort, again, third) == ("octets", Goal("again", 1, 2), Goal("again", 1, 3))
    came(live, segment(ACK, 1, 1, 2000))
    assert live.met(again) is None
    came(live, segment(ACK, 1, 1, 500))
    assert (live.met(again), live.met(third)) == (2, None)


def test_an_acknowledgement_is_met_by_one_of_more_and_a_duplicate_by_as_many() -> None:
    captured, live = opened(), opened()
    one, two, twice = came(captured, segment(ACK, 1, 101), segment(ACK, 1, 201), segment(ACK, 1, 201))
    came(live, segment(ACK, 1, 201))
    assert (live.met(one), live.met(two), live.met(twice)) == (1, 1, None)
    came(live, segment(ACK, 1, 201, 10))
    assert live.met(twice) == 2


def test_numbers_do_not_wrap_and_a_new_isn_begins_anew() -> None:
    captured = opened()
    (far,) = came(captured, segment(ACK, 1, 1, 1000))
    assert far == Goal("octets", 1001)
    captured.heard(segment(SYN, 0))
    (syn,) = came(captured, segment(SYN | ACK, 0, 1, isn=77))
    (data,) = came(captured, segment(ACK, 1, 1, 10, isn=77))
    assert captured.sent.isns == [ISN, 77]
    live = opened()
    came(live, segment(ACK, 1, 1, 60000))
    assert live.met(syn) is None
    came(live, segment(SYN | ACK, 0, 1, isn=99), segment(ACK, 1, 1, 10, isn=99))
    assert (live.met(syn), live.met(data)) == (2, 3)


def test_resets_messages_and_what_nobody_can_read_are_counted() -> None:
    captured, live = Progress(PEER_ISN), Progress(PEER_ISN)
    message = Icmp(Family.IPV4, b"sut!", b"peer", 3, 3, 0, b"", None)
    goals = came(captured, segment(RST, 5), segment(RST | ACK, 5, 1), message, message, segment(0, 1))
    assert goals == [Goal("reset"), Goal("reset", 0, 2), Goal("icmp", 0x0303), Goal("icmp", 0x0303, 2), Goal("other")]
    came(live, segment(RST, 9), message)
    assert [live.met(goal) for goal in goals] == [0, None, 1, None, None]
