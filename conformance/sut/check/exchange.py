"""Checks of what goes over an open connection, and of its end."""

from __future__ import annotations

from conformance.sut.base import Host, Outcome
from conformance.sut.check.desk import Desk, When, shown
from conformance.sut.check.finding import Check, Lack
from conformance.sut.check.peer import DATA, DOMAINS, PORT, Opened, accepted, connecting, fill
from conformance.sut.places import own_places
from conformance.wire.segment import ACK, FIN, RST, Family

__all__ = ["EXCHANGE", "QUESTIONS"]

_DATA = b"hello, stack"


def _recv(desk: Desk, one: Opened, size: int = 100, flags: tuple[str, ...] = ()) -> Outcome:
    return desk.try_call("recv", socket=one.socket, size=size, flags=list(flags))


def _must_recv(desk: Desk, one: Opened, wanted: bytes, size: int = 100, flags: tuple[str, ...] = ()) -> None:
    found = _recv(desk, one, size, flags)
    if found.value != wanted:
        raise Lack(f'"{wanted.hex()}" from recv()', shown(found))


def receive(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    one.peer.put(DATA, _DATA)
    _must_recv(desk, one, _DATA)  # frames first
    one.peer.expect_ack(When.LATER)
    for part in (b"ab", b"cd"):
        one.peer.put(DATA, part)
    _must_recv(desk, one, b"abc", 3)
    _must_recv(desk, one, b"d", 3)


def nothing_received(desk: Desk, family: Family) -> None:
    desk.begin()
    found = _recv(desk, accepted(desk, family))
    if found.error != "EAGAIN":
        raise Lack("EAGAIN from a recv() that must not block, without data", shown(found))


def send(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    found = desk.call("send", socket=one.socket, data=_DATA.hex(), flags=[])
    if found.value != len(_DATA):
        raise Lack(f"send() to take all {len(_DATA)} octets", shown(found))
    one.peer.expect_data(_DATA, When.ALREADY)
    one.peer.put(ACK)
    desk.settle()


def send_too_much(desk: Desk, family: Family) -> None:
    desk.begin()
    fill(desk, accepted(desk, family).socket)


def both_ways_after_connect(desk: Desk, family: Family) -> None:
    desk.begin()
    one = connecting(desk, family)
    one.peer.put(18)
    one.peer.expect_ack()
    one.peer.put(DATA, _DATA)
    _must_recv(desk, one, _DATA)
    desk.call("send", socket=one.socket, data=_DATA.hex(), flags=[])
    one.peer.expect_data(_DATA, When.ALREADY)


def end_of_stream(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    one.peer.put(DATA | FIN, _DATA)
    _must_recv(desk, one, _DATA)
    _must_recv(desk, one, b"")
    one.peer.expect_ack(When.LATER)


def reset_by_peer(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    one.peer.put(RST)
    found = _recv(desk, one)
    if found.error != "ECONNRESET":
        raise Lack("ECONNRESET from recv() after the peer's RST", shown(found))


def close(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    desk.call("close", socket=one.socket)
    one.peer.expect_fin()
    one.peer.put(ACK)
    one.peer.put(FIN | ACK)
    one.peer.expect_ack()
    found = _recv(desk, one)
    if found.error != "EBADF":
        raise Lack("EBADF from a call on a socket that was closed", found.error or "success")


def half_close(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    desk.call("shutdown", socket=one.socket, how="SHUT_WR")
    one.peer.expect_fin()
    one.peer.put(DATA, _DATA)
    _must_recv(desk, one, _DATA)
    found = desk.try_call("send", socket=one.socket, data="00", flags=[])
    if found.error is None:
        raise Lack("an errno, such as EPIPE, from send() after shutdown(SHUT_WR)", "success")


# What can be asked of a socket ----------------------------------------------------------------------------------------


def names(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    here = Host(own_places(family).hosts["sut"], PORT)
    for call, host in (("getsockname", here), ("getpeername", one.peer.host)):
        if call in desk.description.calls and (found := desk.call(call, socket=one.socket)).value != host:
            raise Lack(f"{call}() to give {host}", shown(found))


def poll(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    before = str(desk.call("poll", socket=one.socket).value).split("|")
    one.peer.put(DATA, _DATA)
    after = str(desk.call("poll", socket=one.socket).value).split("|")
    if "POLLIN" in before or "POLLOUT" not in before or "POLLIN" not in after:
        raise Lack("POLLOUT on a new connection, and POLLIN once data has come", f"{'|'.join(before)}, then {'|'.join(after)}")


def fionread(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    one.peer.put(DATA, _DATA)
    found = desk.try_call("ioctl", socket=one.socket, request="FIONREAD")
    if found.value != len(_DATA):
        raise Lack(f"{len(_DATA)} from ioctl(FIONREAD)", shown(found))


def peek(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    one.peer.put(DATA, _DATA)
    for _ in range(2):
        _must_recv(desk, one, _DATA, flags=("MSG_PEEK",))
    _must_recv(desk, one, _DATA)


def no_error(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    if (found := desk.call("getsockopt", socket=one.socket, name="SO_ERROR")).value != 0:
        raise Lack("0 as SO_ERROR of a connection that is well", shown(found))


def every_option(desk: Desk, family: Family) -> None:
    desk.begin()
    sockets = [accepted(desk, family).socket]
    if "udp" in desk.description.capabilities:
        sockets.append(desk.handle("socket", domain=DOMAINS[family], type="SOCK_DGRAM", protocol="IPPROTO_UDP"))
    calls = [name for name in ("getsockopt", "setsockopt") if name in desk.description.calls]
    unknown = []
    for name in sorted(desk.description.options):
        if name.startswith("IPV6_" if family is Family.IPV4 else "IP_"):
            continue
        value = {"SO_LINGER": [0, 0], "IP_OPTIONS": ""}.get(name, 1)
        asked = [(call, {"value": value} if call == "setsockopt" else {}) for call in calls]
        found = [desk.try_call(call, socket=socket, name=name, **more) for socket in sockets for call, more in asked]
        if all(one.error in ("ENOPROTOOPT", "ENOSYS") for one in found):
            unknown.append(name)
    if unknown:
        raise Lack("getsockopt() or setsockopt() to know each option that it says that it has", f"ENOPROTOOPT for {', '.join(unknown)}")


_ACCEPT = ("call socket", "call bind", "call listen", "call accept")
_RECV, _SEND = (*_ACCEPT, "call recv"), (*_ACCEPT, "call send")
EXCHANGE = (
    Check("recv() gives what came, in order and as much as was asked for", receive, _RECV),
    Check("recv() without data is EAGAIN", nothing_received, _RECV),
    Check("send() puts data on the link before it is answered", send, _SEND),
    Check("send() into a full buffer is EAGAIN", send_too_much, _SEND),
    Check("data go both ways after connect()", both_ways_after_connect, ("call socket", "call connect", "call recv", "call send")),
    Check("recv() gives nothing, without an error, at the end of the stream", end_of_stream, _RECV),
    Check("recv() is ECONNRESET after a RST", reset_by_peer, _RECV),
    Check("close() sends a FIN, and the handle is gone", close, (*_RECV, "call close")),
    Check("after shutdown(SHUT_WR) data still come in", half_close, (*_RECV, "call send", "call shutdown", "half_close")),
)
QUESTIONS = (
    Check("a socket knows its own end and its peer's", names, (*_ACCEPT, "call getsockname")),
    Check("poll() says what can be done", poll, (*_ACCEPT, "call poll"), families=False),
    Check("ioctl(FIONREAD) counts what came", fionread, (*_ACCEPT, "call ioctl"), families=False),
    Check("MSG_PEEK takes nothing away", peek, (*_RECV, "flag MSG_PEEK"), families=False),
    Check("SO_ERROR of a healthy connection is 0", no_error, (*_ACCEPT, "call getsockopt", "option SO_ERROR"), families=False),
    Check("each option that it says that it has is known", every_option, _ACCEPT),
)
