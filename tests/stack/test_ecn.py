"""Explicit congestion notification between two stacks (RFC 3168, section 6.1)."""

from __future__ import annotations

import pytest

from conformance.wire.checksum import finish, ones_sum
from conformance.wire.segment import ACK, CWR, ECE, SYN, Segment

from .pair import Pair

FLAGS = SYN | ACK | ECE | CWR


def congested(segment: Segment, frame: bytes) -> bytes:
    """A router has marked the packet, if it is one with data: CE (RFC 3168, section 5)."""
    if not segment.payload:
        return frame
    header = bytearray(frame[14:34])
    header[1] |= 3
    header[10:12] = bytes(2)
    header[10:12] = finish(ones_sum(header)).to_bytes(2, "big")
    return frame[:14] + bytes(header) + frame[34:]


@pytest.mark.parametrize(
    ("client", "server", "flags"),
    [
        ("on", "passive", [SYN | ECE | CWR, SYN | ACK | ECE]),
        ("on", "off", [SYN | ECE | CWR, SYN | ACK]),
        ("passive", "on", [SYN, SYN | ACK]),
        ("off", "passive", [SYN, SYN | ACK]),
    ],
)
def test_it_is_negotiated(client: str, server: str, flags: list[int]) -> None:
    pair = Pair({"ecn": client}, {"ecn": server})
    fd, _ = pair.connect()
    assert [syn.flags & FLAGS for syn in pair.syns] == flags
    assert all(syn.tos & 3 == 0 for syn in pair.syns), "a SYN is never ECN-capable (section 6.1.1)"
    pair.seen.clear()
    pair.do(0, "sendto", fd, b"data")
    capable = flags == [SYN | ECE | CWR, SYN | ACK | ECE]
    assert [segment.tos & 3 for segment in pair.seen if segment.payload] == [2 if capable else 0]
    assert all(segment.tos & 3 == 0 for segment in pair.seen if not segment.payload), "pure acknowledgments are not (section 6.1.4)"


def test_congestion_is_echoed_until_the_window_was_reduced() -> None:
    pair = Pair({"ecn": "on"}, {"ecn": "passive"})
    fd, _ = pair.connect()
    before = pair.do(0, "tcp_info", fd).value["snd_cwnd"]
    pair.change = congested
    pair.seen.clear()
    pair.do(0, "sendto", fd, bytes(4 * 1448))
    pair.wait(1)
    acks = [segment for segment in pair.seen if not segment.payload]
    assert acks and all(ack.flags & ECE for ack in acks), "each acknowledgment says so (section 6.1.3)"
    assert pair.do(0, "tcp_info", fd).value["snd_cwnd"] < before, "the sender has reduced its window (section 6.1.2)"
    pair.change = None
    pair.seen.clear()
    pair.do(0, "sendto", fd, b"more")
    pair.wait(1)
    first, *answers = pair.seen
    assert first.flags & CWR, "and says so with its next data"
    assert answers and not any(answer.flags & ECE for answer in answers), "which ends the echo"
