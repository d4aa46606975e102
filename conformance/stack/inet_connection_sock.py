"""Sockets that are connected: their ports, the listener and its queue (net/ipv4/inet_connection_sock.c)."""

from __future__ import annotations

from itertools import chain
from typing import Any

from conformance.stack.errors import SocketError
from conformance.stack.inet_hashtables import inet_rcv_saddr_equal
from conformance.stack.sock import ConnectionSock, Sock, sk_wait
from conformance.stack.sock_core import sock_rcvtimeo
from conformance.stack.tasks import Call, Woken
from conformance.stack.tcp_states import TcpState, tcp_set_state

__all__ = [
    "inet_csk_accept", "inet_csk_bind_conflict", "inet_csk_get_port", "inet_csk_listen_start", "inet_csk_listen_stop",
    "inet_csk_reqsk_queue_add", "inet_csk_wait_for_connect", "reqsk_queue_empty", "reqsk_queue_remove",
]  # fmt: skip


# Ports ----------------------------------------------------------------------------------------------------------------


def inet_bind_conflict(sk: Sock, other: Any, relax: bool, reuseport_ok: bool) -> bool:
    """Does ``other`` keep ``sk`` from a port? ``relax``: the caller asked for this one, so that SO_REUSEADDR on both is enough."""
    both_reuseport = reuseport_ok and sk.sk_reuseport and other.sk_reuseport
    if sk.sk_reuse and other.sk_reuse and other.sk_state is not TcpState.LISTEN:
        return not relax
    return not both_reuseport


def inet_csk_bind_conflict(sk: Sock, port: int, relax: bool, reuseport_ok: bool) -> bool:
    """Does anyone?"""
    return any(
        other is not sk and inet_rcv_saddr_equal(sk, other) and inet_bind_conflict(sk, other, relax, reuseport_ok)
        for other in sk.net.hashinfo.owners(port)
    )


def inet_csk_find_open_port(sk: Sock) -> int:
    """A port that no other socket has; 0 if there is none. ``bind`` prefers odd ones, ``connect`` even ones."""
    low, high = sk.net.sysctl.ports
    count = high - low + 1
    start = sk.net.rng.randrange(count) | 1
    for step in chain(range(0, count, 2), range(1, count, 2)):
        port: int = low + (start + step) % count
        if not inet_csk_bind_conflict(sk, port, relax=False, reuseport_ok=False):
            return port
    return 0


def inet_csk_get_port(sk: Sock, port: int) -> None:
    """Give a socket a port, any for 0; EADDRINUSE if another has it."""
    if not port:
        port = inet_csk_find_open_port(sk)
        if not port:
            raise SocketError("EADDRINUSE")
    elif inet_csk_bind_conflict(sk, port, relax=True, reuseport_ok=True):
        raise SocketError("EADDRINUSE")
    sk.net.hashinfo.get_port(sk, port)


# The listener ---------------------------------------------------------------------------------------------------------


def inet_csk_listen_start(sk: ConnectionSock) -> None:
    """Go to LISTEN. The port is asked for once more, as another socket may listen there by now: EADDRINUSE."""
    reqsk_queue_alloc(sk)
    tcp_set_state(sk, TcpState.LISTEN)
    try:
        sk.sk_prot.get_port(sk, sk.num)
    except SocketError:
        tcp_set_state(sk, TcpState.CLOSED)
        raise
    sk.sk_prot.hash(sk)


def inet_csk_listen_stop(sk: ConnectionSock) -> None:
    """The listener goes: what is half open is dropped, what waits for ``accept`` is aborted. Its port is given back by who closes it."""
    from conformance.stack import request_sock, tcp  # which need this module

    request_sock.reqsk_drop(sk)
    while sk.accept_queue:
        child = reqsk_queue_remove(sk)
        tcp.inet_child_forget(child)


def inet_csk_reqsk_queue_add(sk: ConnectionSock, child: Sock) -> None:
    """A handshake is complete: the connection waits for ``accept``."""
    if isinstance(child, ConnectionSock):
        child.listener = sk
    sk.accept_queue.append(child)


def reqsk_queue_alloc(sk: ConnectionSock) -> None:
    """The queue of a socket that begins to listen is empty."""
    sk.accept_queue.clear()
    sk.requests = 0


def reqsk_queue_empty(sk: ConnectionSock) -> bool:
    """Does no connection wait for ``accept``?"""
    return not sk.accept_queue


def reqsk_queue_remove(sk: ConnectionSock) -> Any:
    """The one that has waited longest."""
    child = sk.accept_queue.popleft()
    if isinstance(child, ConnectionSock):
        child.listener = None
    return child


def inet_csk_accept(sk: Sock, nonblock: bool) -> Call:
    """The next connection; sleeps until there is one. EINVAL if the socket does not listen, EAGAIN when it may not sleep, EINTR."""
    assert isinstance(sk, ConnectionSock)
    if sk.sk_state is not TcpState.LISTEN:
        raise SocketError("EINVAL")
    if reqsk_queue_empty(sk):
        yield from inet_csk_wait_for_connect(sk, sock_rcvtimeo(sk, nonblock))
    return reqsk_queue_remove(sk)


def inet_csk_wait_for_connect(sk: ConnectionSock, timeout: int | None) -> Call:
    """Sleep until a connection waits, or the socket listens no more."""
    ended = yield from sk_wait(sk, sk.deadline(timeout), lambda: not reqsk_queue_empty(sk) or sk.sk_state is not TcpState.LISTEN)
    if not reqsk_queue_empty(sk):
        return
    if sk.sk_state is not TcpState.LISTEN:
        raise SocketError("EINVAL")
    raise SocketError("EINTR" if ended is Woken.SIGNAL else "EAGAIN")
