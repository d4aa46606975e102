"""Checks of connections that begin, and of those that cannot."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.sut.check.desk import Desk
from conformance.sut.check.finding import Check, Lack
from conformance.sut.check.peer import Peer, accept, accepted, connecting, listener, make_socket
from conformance.wire.options import MSS, SACK_OK, TIMESTAMP, WSCALE, Option, encode, mss, mss_option, timestamps_option, wscale_option
from conformance.wire.segment import ACK, RST, SYN, Family

__all__ = ["OPENING", "OPTIONS"]

_OFFER = encode([mss_option(1460), Option(SACK_OK), timestamps_option(1, 0), wscale_option(7)])


def passive(desk: Desk, family: Family) -> None:
    desk.begin()
    socket = listener(desk, family)
    peer = Peer(desk, family)
    peer.put(SYN)
    answer = peer.expect_syn_ack()
    if not answer.checksum_ok or not answer.ip_checksum_ok:
        raise Lack("checksums that are right: nobody else adds them", "a SYN,ACK with a wrong one")
    peer.put(ACK)
    accept(desk, socket, peer)


def nothing_to_accept(desk: Desk, family: Family) -> None:
    desk.begin()
    found = desk.try_call("accept", socket=listener(desk, family))
    if found.error != "EAGAIN":
        raise Lack("EAGAIN from an accept() that must not block, without a connection", found.error or "success")


def active(desk: Desk, family: Family) -> None:
    desk.begin()
    one = connecting(desk, family)
    one.peer.put(SYN | ACK)
    one.peer.expect_ack()


def refused(desk: Desk, family: Family) -> None:
    desk.begin()
    one = connecting(desk, family)
    one.peer.put(RST | ACK)
    desk.settle()
    found = desk.until(lambda: desk.call("getsockopt", socket=one.socket, name="SO_ERROR").value or None)
    if not isinstance(found, str):
        raise Lack("an errno, such as ECONNREFUSED, as SO_ERROR of a connection that was refused", f"{found or 0}")


def occupied(desk: Desk, family: Family) -> None:
    desk.begin()
    listener(desk, family)
    other = make_socket(desk, family)
    found = desk.try_call("bind", socket=other, **_address(family))
    if found.error is None:
        found = desk.try_call("listen", socket=other, backlog=1)
    if found.error is None:
        raise Lack("an errno, such as EADDRINUSE, for a port that is another socket's", "success")


def _address(family: Family) -> dict[str, object]:
    return {"address": "0.0.0.0" if family is Family.IPV4 else "::", "port": 5000}


def two_peers(desk: Desk, family: Family) -> None:
    desk.begin()
    first = accepted(desk, family)
    second = accepted(desk, family, 2, first.listener)
    if first.socket == second.socket:
        raise Lack("two connections to have handles of their own", f"{first.socket} twice")


# Options --------------------------------------------------------------------------------------------------------------


def _kinds(desk: Desk, family: Family, settings: Mapping[str, object] | None = None) -> set[int]:
    """The options of the SYN,ACK for a SYN with all that there are."""
    desk.begin(settings)
    listener(desk, family)
    peer = Peer(desk, family)
    peer.put(SYN, options=_OFFER)
    return {option.kind for option in peer.expect_syn_ack().options}


def _option(kind: int, name: str) -> Check:
    def there(desk: Desk, family: Family) -> None:
        if kind not in _kinds(desk, family):
            raise Lack(f"{name} in the answer to a SYN with this option, as it has the capability", "none")

    return Check(f"{name} is on unless told otherwise", there, (*_LISTEN, name), families=False)


def _switch(kind: int, name: str) -> Check:
    def off(desk: Desk, family: Family) -> None:
        if kind in _kinds(desk, family, {name: "off"}):
            raise Lack(f"no such option in the answer to a SYN with it, after {name}: off", "one")

    return Check(f"{name} can be switched off", off, (*_LISTEN, name, f"setting {name} off"), families=False)


def mtu(desk: Desk, family: Family) -> None:
    desk.begin({"mtu": 1400})
    listener(desk, family)
    peer = Peer(desk, family)
    peer.put(SYN)
    found = next((mss(option) for option in peer.expect_syn_ack().options if option.kind == MSS), None)
    if found != 1400 - (40 if family is Family.IPV4 else 60):
        raise Lack("an MSS of 1400 less the headers, after mtu: 1400", f"{found}")


_LISTEN = ("call socket", "call bind", "call listen")
_CONNECT = ("call socket", "call connect")
OPENING = (
    Check("a SYN for a socket that listens is answered, and accept() gives the connection", passive, (*_LISTEN, "call accept")),
    Check("accept() without a connection is EAGAIN", nothing_to_accept, (*_LISTEN, "call accept")),
    Check("connect() sends a SYN before it is answered, and takes the SYN,ACK", active, _CONNECT),
    Check("a connection that is refused has an error", refused, (*_CONNECT, "call getsockopt", "option SO_ERROR")),
    Check("a port that is taken is an error", occupied, _LISTEN),
    Check("two peers have two connections", two_peers, (*_LISTEN, "call accept")),
)
OPTIONS = (
    _option(SACK_OK, "sack"), _option(TIMESTAMP, "timestamps"), _option(WSCALE, "window_scaling"),
    _switch(SACK_OK, "sack"), _switch(TIMESTAMP, "timestamps"), _switch(WSCALE, "window_scaling"),
    Check("the MTU is the one that was configured", mtu, (*_LISTEN, "setting mtu 1400")),
)  # fmt: skip
