"""Checks of calls that wait: they say so, others go on meanwhile, and they are answered when they can return."""

from __future__ import annotations

from conformance.sut.base import Outcome
from conformance.sut.check.desk import Desk, When, shown
from conformance.sut.check.finding import Check, Lack
from conformance.sut.check.peer import DATA, Peer, accepted, fill, listener, make_socket
from conformance.wire.segment import ACK, FIN, RST, SYN, Family

__all__ = ["WAITING"]

_DATA = b"at last"
_MORE = 1000
"""Octets for which there is no room in a buffer that is full."""


def _gave(found: Outcome, wanted: object, what: str) -> None:
    if (found.error or found.value) != wanted:
        raise Lack(what, shown(found))


def accept(desk: Desk, family: Family) -> None:
    desk.begin()
    socket = listener(desk, family)
    waits = desk.start("accept", socket=socket)
    make_socket(desk, family)  # others go on
    peer = Peer(desk, family)
    peer.put(SYN)
    peer.expect_syn_ack()
    if waits in desk.answers:
        raise Lack("accept() to wait for the third segment of the handshake", "an answer after the first")
    peer.put(ACK)
    found = desk.returned(waits)
    if found.error is not None or found.peer != peer.host:
        raise Lack(f"the connection from {peer.where}", found.error or str(found.peer))


def connect(desk: Desk, family: Family) -> None:
    desk.begin()
    socket, peer = make_socket(desk, family), Peer(desk, family)
    waits = desk.start("connect", socket=socket, **peer.where)
    peer.expect_syn()
    peer.put(SYN | ACK)
    _gave(desk.returned(waits), 0, "success of connect() after the SYN,ACK")
    peer.expect_ack(When.ALREADY)


def connect_refused(desk: Desk, family: Family) -> None:
    desk.begin()
    socket, peer = make_socket(desk, family), Peer(desk, family)
    waits = desk.start("connect", socket=socket, **peer.where)
    peer.expect_syn()
    peer.put(RST | ACK)
    if (found := desk.returned(waits)).error is None:
        raise Lack("an errno, such as ECONNREFUSED, from connect() after a RST", shown(found))


def recv(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    asks = {"socket": one.socket, "size": 100, "flags": []}
    for flags, data in ((DATA, _DATA), (FIN | ACK, b"")):
        waits = desk.start("recv", **asks)
        one.peer.put(flags, data)
        _gave(desk.returned(waits), data, f'"{data.hex()}" from the recv() that waited')


def recv_reset(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    asks = {"socket": one.socket, "size": 100, "flags": []}
    waits = desk.start("recv", **asks)
    one.peer.put(RST)
    _gave(desk.returned(waits), "ECONNRESET", "ECONNRESET from the recv() that waited, after a RST")


def send(desk: Desk, family: Family) -> None:
    """The peer takes everything, a window at a time, and the call returns once the rest is in the buffer."""
    desk.begin()
    one = accepted(desk, family)
    taken = fill(desk, one.socket)
    waits = desk.start("send", socket=one.socket, data="5a" * _MORE, flags=[])
    for _ in range(taken // 100):
        if waits in desk.answers:
            break
        one.peer.expect("more data, as the peer acknowledges what came", lambda segment: bool(segment.payload), When.LATER)
        one.peer.put(ACK)
    _gave(desk.returned(waits), _MORE, f"{_MORE} from the send() that waited")


def two_calls(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    asks = {"socket": one.socket, "size": 100, "flags": []}
    first, second = desk.start("accept", socket=one.listener), desk.start("recv", **asks)
    one.peer.put(DATA, _DATA)
    _gave(desk.returned(second), _DATA, f'"{_DATA.hex()}" from the recv() that waited')
    if first in desk.answers:
        raise Lack("accept() to go on waiting", "an answer")
    peer = Peer(desk, family, 2)
    peer.put(SYN)
    peer.expect_syn_ack()
    peer.put(ACK)
    found = desk.returned(first)
    if found.peer != peer.host:
        raise Lack(f"the connection from {peer.where}", found.error or str(found.peer))


def at_once(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    one.peer.put(DATA, _DATA)
    _gave(desk.finish("recv", socket=one.socket, size=100, flags=[]), _DATA, f'"{_DATA.hex()}" from recv()')


_ACCEPT = ("blocking", "call socket", "call bind", "call listen", "call accept")
_CONNECT = ("blocking", "call socket", "call connect")
WAITING = (
    Check("accept() waits for a connection", accept, _ACCEPT),
    Check("connect() waits for the SYN,ACK", connect, _CONNECT),
    Check("connect() that waits fails with a RST", connect_refused, _CONNECT, families=False),
    Check("recv() waits for data, and for the end of the stream", recv, (*_ACCEPT, "call recv")),
    Check("recv() that waits is told ECONNRESET", recv_reset, (*_ACCEPT, "call recv"), families=False),
    Check("send() waits until all of it is in the buffer", send, (*_ACCEPT, "call send"), families=False),
    Check("calls that wait are answered each when it is time, in any order", two_calls, (*_ACCEPT, "call recv"), families=False),
    Check("a call that can return does not wait", at_once, (*_ACCEPT, "call recv")),
)
