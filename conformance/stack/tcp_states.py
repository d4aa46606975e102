"""The state machine of RFC 9293, figure 5, as one table. Nothing but :func:`tcp_set_state` changes a connection's state.

``inet_csk_listen_start`` makes LISTEN, the calls and segments make the rest. What the RFC draws as one machine Linux spreads over three
objects: a listener stays in LISTEN while a request socket of its own goes to SYN-RECEIVED, and a small socket takes over in TIME-WAIT.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.stack.sock import Sock

__all__ = ["TRANSITIONS", "TcpState", "tcp_adopt_state", "tcp_set_state"]


class TcpState(StrEnum):
    """RFC 9293, section 3.3.2, under its names."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


_S = TcpState
TRANSITIONS: dict[TcpState, frozenset[TcpState]] = {
    _S.CLOSED: frozenset({_S.LISTEN, _S.SYN_SENT}),
    _S.LISTEN: frozenset({_S.SYN_RECEIVED, _S.CLOSED}),
    _S.SYN_SENT: frozenset({_S.SYN_RECEIVED, _S.ESTABLISHED, _S.CLOSED}),
    _S.SYN_RECEIVED: frozenset({_S.ESTABLISHED, _S.FIN_WAIT_1, _S.CLOSE_WAIT, _S.LISTEN, _S.CLOSED}),
    _S.ESTABLISHED: frozenset({_S.FIN_WAIT_1, _S.CLOSE_WAIT, _S.CLOSED}),
    _S.FIN_WAIT_1: frozenset({_S.FIN_WAIT_2, _S.CLOSING, _S.TIME_WAIT, _S.CLOSED}),
    _S.FIN_WAIT_2: frozenset({_S.TIME_WAIT, _S.CLOSED}),
    _S.CLOSE_WAIT: frozenset({_S.LAST_ACK, _S.CLOSED}),
    _S.CLOSING: frozenset({_S.TIME_WAIT, _S.CLOSED}),
    _S.LAST_ACK: frozenset({_S.CLOSED}),
    _S.TIME_WAIT: frozenset({_S.CLOSED}),
}
"""From each state to those that may follow. CLOSED may follow all of them: a reset, an abort, too many retransmissions."""


def tcp_set_state(sk: Sock, state: TcpState) -> None:
    """Go to ``state`` and tell whoever follows the socket (net/ipv4/tcp.c). An AssertionError is a mistake in the stack."""
    old = sk.sk_state
    if state is old:
        return
    assert state in TRANSITIONS[old], f"{old} → {state}"
    sk.sk_state = state
    sk.net.state_changed(sk, old, state)


def tcp_adopt_state(child: Sock, request: Sock | object) -> None:
    """A request socket becomes a connection, which goes on where the request stood: in SYN-RECEIVED (inet_csk_clone_lock)."""
    assert getattr(request, "sk_state", None) is TcpState.SYN_RECEIVED
    child.sk_state = TcpState.SYN_RECEIVED
