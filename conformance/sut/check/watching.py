"""Checks of what can be seen of a connection: states, their changes, figures."""

from __future__ import annotations

from itertools import pairwise

from conformance.sut.check.desk import Desk, When
from conformance.sut.check.finding import Check, Lack
from conformance.sut.check.peer import PORT, Peer, accept, accepted, connecting, listener
from conformance.sut.protocol import ProtocolFault, figures
from conformance.wire.segment import ACK, FIN, SYN, Family

__all__ = ["WATCHING"]


def _in_state(desk: Desk, wanted: str, handle: int | None = None, peer: Peer | None = None) -> None:
    """With the connection's peer its two ends are given."""
    ends = peer.ends if peer is not None else None
    found = desk.until(lambda: wanted if desk.state(handle, ends) == wanted else None) if desk.clock == "real" else desk.state(handle, ends)
    if found != wanted:
        asked = " and ".join([*([f"socket {handle}"] if handle is not None else []), *(["the two ends"] if peer is not None else [])])
        raise Lack(f"state {wanted} of {asked}", f"{found or desk.state(handle, ends)}")


def passive(desk: Desk, family: Family) -> None:
    desk.begin()
    socket = listener(desk, family)
    _in_state(desk, "LISTEN", socket)
    peer = Peer(desk, family)
    peer.put(SYN)
    peer.expect_syn_ack()
    _in_state(desk, "SYN-RECEIVED", peer=peer)
    peer.put(ACK)
    handle = accept(desk, socket, peer)
    _in_state(desk, "ESTABLISHED", handle)
    _in_state(desk, "ESTABLISHED", handle, peer)
    peer.put(FIN | ACK)
    peer.expect_ack(When.LATER)
    _in_state(desk, "CLOSE-WAIT", handle, peer)
    desk.call("close", socket=handle)
    peer.expect_fin()
    _in_state(desk, "LAST-ACK", handle, peer)
    peer.put(ACK)
    desk.settle()
    _in_state(desk, "CLOSED", handle, peer)
    _in_state(desk, "LISTEN", socket)


def active(desk: Desk, family: Family) -> None:
    desk.begin()
    one = connecting(desk, family)
    peer = one.peer
    _in_state(desk, "SYN-SENT", one.socket, peer)
    peer.put(SYN | ACK)
    peer.expect_ack()
    _in_state(desk, "ESTABLISHED", one.socket, peer)
    desk.call("close", socket=one.socket)
    peer.expect_fin()
    _in_state(desk, "FIN-WAIT-1", one.socket, peer)
    peer.put(ACK)
    desk.settle()
    _in_state(desk, "FIN-WAIT-2", None, peer)
    peer.put(FIN | ACK)
    peer.expect_ack()
    _in_state(desk, "TIME-WAIT", None, peer)


def listener_by_end(desk: Desk, family: Family) -> None:
    desk.begin()
    listener(desk, family)
    ends = Peer(desk, family).ends
    for wanted, asked in ((f"port {PORT}", {"local": ends["local"]}), (f"port {PORT} and a peer without a connection", ends)):
        if (found := desk.state(None, asked)) != "LISTEN":
            raise Lack(f"state LISTEN, without a socket, of the {wanted}, on which one listens", found)
    other = {"local": {"address": "192.0.2.1", "port": PORT + 1}}
    if (found := desk.state(None, other)) != "CLOSED":
        raise Lack("state CLOSED of a port on which nobody listens", found)


# stateChanged ---------------------------------------------------------------------------------------------------------


def _path(desk: Desk, peer: Peer) -> list[str]:
    """The states of a connection as they were told, each once."""
    moves = [move for move in desk.moves if (move.remote, move.remote_port) == (peer.address, peer.port)]
    for before, after in pairwise(moves):
        if after.old != before.new:
            raise Lack(f"each change to begin where the last one ended, in {before.new}", f"{after.old} → {after.new}")
    return [*(move.old for move in moves[:1]), *(move.new for move in moves)]


def _went(desk: Desk, peer: Peer, *ways: list[str]) -> None:
    found = desk.until(lambda: path if (path := _path(desk, peer)) in ways else None) if desk.clock == "real" else _path(desk, peer)
    if found not in ways:
        raise Lack(f"the changes {' → '.join(ways[0])}", " → ".join(_path(desk, peer)) or "none")


def passive_moves(desk: Desk, family: Family) -> None:
    desk.begin()
    socket = listener(desk, family)
    told = [(move.old, move.new) for move in desk.moves if not any(move.remote)]
    if desk.clock == "virtual" and told != [("CLOSED", "LISTEN")]:
        raise Lack("the change CLOSED → LISTEN, without `remote`, before listen() is answered", f"{told or 'none'}")
    peer = Peer(desk, family)
    peer.put(SYN)
    peer.expect_syn_ack()
    peer.put(ACK)
    handle = accept(desk, socket, peer)
    peer.put(FIN | ACK)
    peer.expect_ack(When.LATER)
    desk.call("close", socket=handle)
    peer.expect_fin()
    peer.put(ACK)
    desk.settle()
    rest = ["SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
    _went(desk, peer, ["LISTEN", *rest], ["CLOSED", *rest], rest)  # the last is Linux's, which tells nothing of a half-open connection


def active_moves(desk: Desk, family: Family) -> None:
    desk.begin()
    one = connecting(desk, family)
    one.peer.put(SYN | ACK)
    one.peer.expect_ack()
    desk.call("close", socket=one.socket)
    one.peer.expect_fin()
    one.peer.put(ACK)
    desk.settle()
    one.peer.put(FIN | ACK)
    one.peer.expect_ack()
    _went(desk, one.peer, ["CLOSED", "SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"])


# info -----------------------------------------------------------------------------------------------------------------


def info(desk: Desk, family: Family) -> None:
    desk.begin()
    result = desk.result("info", socket=accepted(desk, family).socket)
    try:
        found = figures(result)
    except ProtocolFault as fault:
        raise desk.process.fault(str(fault)) from None
    if not found:
        raise Lack("figures under the names of TCP_INFO, such as snd_cwnd, snd_mss and rto", f"{dict(result)}")


_ACCEPT = ("call socket", "call bind", "call listen", "call accept")
_CLOSE = (*_ACCEPT, "call close")
_ACTIVE = ("call socket", "call connect", "call close")
WATCHING = (
    Check("states are right, from LISTEN to LAST-ACK", passive, (*_CLOSE, "states")),
    Check("states are right, from SYN-SENT to TIME-WAIT", active, (*_ACTIVE, "states")),
    Check("a socket that listens is found by its port", listener_by_end, (*_ACCEPT[:3], "states"), families=False),
    Check("each change of a state is told, when a peer opens and closes", passive_moves, (*_CLOSE, "transitions")),
    Check("each change of a state is told, when the stack opens and closes", active_moves, (*_ACTIVE, "transitions")),
    Check("info() gives figures", info, (*_ACCEPT, "info"), families=False),
)
