"""Checks of timers: what is lost is sent again, and the virtual clock's ``next`` is never too late."""

from __future__ import annotations

from conformance.sut.check.desk import Desk, When
from conformance.sut.check.finding import Check, Lack
from conformance.sut.check.peer import DATA, Peer, accepted, connecting
from conformance.wire.segment import ACK, SYN, Family, Segment

__all__ = ["TIMING"]

_STEP = 20_000_000
"""ns of the steps by which `next` is checked."""
_LONGEST = 10_000_000_000
"""ns until a lost SYN is sent again: RFC 6298 says one second, a stack with coarse timers takes a few."""
_WAIT = 600.0
"""Seconds in which nothing goes on."""


def lost_syn(desk: Desk, family: Family) -> None:
    desk.begin()
    one = connecting(desk, family)
    isn = one.peer.sut_isn
    again = one.peer.expect_syn(When.LATER)
    if again.seq != isn:
        raise Lack("the same SYN again", f"one with another ISN, {again.seq} after {isn}")
    if desk.clock == "virtual" and desk.now > _LONGEST:
        raise Lack(f"a lost SYN again within {_LONGEST // 10**9} s", f"one after {desk.now / 1e9:g} s")


def lost_data(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    desk.call("send", socket=one.socket, data="0102", flags=[])
    one.peer.expect_data(b"\1\2", When.ALREADY)
    first = (one.peer.rcv - 2) & 0xFFFF_FFFF
    wanted = "the data again, as nothing acknowledged them"
    one.peer.expect(wanted, lambda segment: segment.seq == first and segment.payload == b"\1\2", When.LATER)
    one.peer.put(ACK)
    desk.settle()


def _second_syn(desk: Desk, family: Family, until: int | None) -> int:
    """When the stack sends its SYN again, if it is woken at `next`; ``until``: if it is told the time at every step as well."""
    desk.begin(seed=3)
    peer = connecting(desk, family).peer
    if until is None:
        peer.expect_syn(When.LATER)
        return desk.now
    while desk.now < until:
        desk.step(_STEP)
        if any(_is_syn(segment, peer) for segment in desk.segments):
            break
    return desk.now


def _is_syn(segment: Segment, peer: Peer) -> bool:
    return bool(segment.flags & SYN) and segment.dport == peer.port


def next_in_time(desk: Desk, family: Family) -> None:
    told = _second_syn(desk, family, None)
    early = _second_syn(desk, family, told)
    if early < told:
        what = f"`next` to be no later than what the stack does: it sends its SYN again at {early / 1e6:g} ms if it is told the time"
        raise Lack(what, f"a `next` by which that is at {told / 1e6:g} ms")


def quiet(desk: Desk, family: Family) -> None:
    """With a connection on which nothing goes on."""
    desk.begin()
    one = accepted(desk, family)
    desk.pause(_WAIT)
    one.peer.put(DATA, b"still here?")
    one.peer.expect_ack(When.LATER)


def every_next(desk: Desk, _: Family) -> None:
    """What the results of all the checks before had."""
    if desk.without_next:
        raise Lack("`next` in every result since the first reset", f"none from {', '.join(sorted(desk.without_next))}")


_ACCEPT = ("call socket", "call bind", "call listen", "call accept")
_CONNECT = ("call socket", "call connect")
TIMING = (
    Check("every result has `next`", every_next, (), ("virtual",), families=False),
    Check("a lost SYN is sent again", lost_syn, _CONNECT),
    Check("lost data are sent again", lost_data, (*_ACCEPT, "call send")),
    Check("`next` is never too late", next_in_time, _CONNECT, ("virtual",), families=False),
    Check("time can go by with nothing to do", quiet, _ACCEPT, ("virtual",), families=False),
)
