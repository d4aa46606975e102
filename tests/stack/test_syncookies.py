"""SYN cookies (RFC 4987, section 3.6): a listener that remembers nothing of a SYN, and connections that work nevertheless."""

from __future__ import annotations

import pytest

from conformance.stack.uapi import AF_INET, SOCK_STREAM
from conformance.wire.segment import ACK, SYN, Segment

from .pair import HERE, Pair


@pytest.mark.parametrize("timestamps", [True, False])
def test_a_connection_from_a_cookie(timestamps: bool) -> None:
    pair = Pair({"timestamps": timestamps}, {"syn_cookies": "always"})
    fd, accepted = pair.connect()
    pair.do(0, "sendto", fd, b"x" * 5000)
    assert pair.do(1, "recvfrom", accepted, 10000).value[0] == b"x" * 5000
    info = pair.do(1, "tcp_info", accepted).value
    assert bool(info["options"] & 4) is timestamps, "the window scale is remembered in the timestamp, or not at all"
    assert info["snd_mss"] == (1448 if timestamps else 1460)


def test_nothing_is_kept_of_a_syn() -> None:
    pair = Pair({}, {"syn_cookies": "always"})
    pair.change = lambda segment, frame: frame if segment.flags & (SYN | ACK) == SYN else None
    for _ in range(20):
        fd = pair.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
        pair.do(0, "connect", fd, HERE)
    assert len([syn for syn in pair.syns if syn.flags & ACK]) == 20
    assert pair.nets[1].hashinfo.entries() == []


def test_an_old_cookie_is_no_connection() -> None:
    pair = Pair({}, {"syn_cookies": "always"})
    held: list[bytes] = []

    def keep_the_last_ack(segment: Segment, frame: bytes) -> bytes | None:
        if segment.flags & (SYN | ACK) == ACK:
            held.append(frame)
            return None
        return frame

    pair.change = keep_the_last_ack
    fd = pair.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
    pair.do(0, "connect", fd, HERE)
    assert len(held) == 1
    pair.nets[1].advance(pair.nets[1].now + 200 * 10**9)
    pair.nets[1].receive(pair.devices[1], held[0], pair.nets[1].now)
    assert pair.nets[1].hashinfo.entries() == []


def test_a_forged_ack_is_no_connection() -> None:
    pair = Pair({}, {"syn_cookies": "off"})
    pair.change = lambda segment, frame: frame if segment.flags & SYN else None
    fd = pair.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
    pair.do(0, "connect", fd, HERE)
    assert len(pair.nets[1].hashinfo.entries()) == 1, "without cookies it is kept"
