"""net/ipv4/tcp.c: what TCP does with the calls on a socket, but for reading and writing (tcp_recv, tcp_send) and options (tcp_sockopt)."""

from __future__ import annotations

from conformance.stack import tcp_minisocks
from conformance.stack.inet_connection_sock import inet_csk_listen_stop
from conformance.stack.inet_hashtables import inet_put_port
from conformance.stack.sock import Shutdown, Sock, sk_wait
from conformance.stack.tasks import Call
from conformance.stack.tcp_fastopen import tcp_passive_fastopen
from conformance.stack.tcp_output import tcp_send_active_reset
from conformance.stack.tcp_send import sk_stream_is_writeable
from conformance.stack.tcp_sock import TcpSock
from conformance.stack.tcp_sockopt import tcp_get_info
from conformance.stack.tcp_states import TcpState, tcp_set_state
from conformance.stack.tcp_timer import tcp_clear_xmit_timers, tcp_reset_keepalive_timer
from conformance.stack.tcp_write_queue import tcp_send_fin
from conformance.stack.uapi import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP

__all__ = [
    "inet_child_forget",
    "tcp_close",
    "tcp_disconnect",
    "tcp_done",
    "tcp_get_info",
    "tcp_poll",
    "tcp_set_keepalive",
    "tcp_shutdown",
    "tcp_v4_init_sock",
    "tcp_write_queue_purge",
]

_S = TcpState
_CLOSE = {
    _S.ESTABLISHED: _S.FIN_WAIT_1,
    _S.SYN_RECEIVED: _S.FIN_WAIT_1,
    _S.CLOSE_WAIT: _S.LAST_ACK,
}
"""What CLOSE leads to where it sends a FIN (RFC 9293, 3.10.4; the kernel's new_state)."""
_RESET = (_S.ESTABLISHED, _S.CLOSE_WAIT, _S.FIN_WAIT_1, _S.FIN_WAIT_2, _S.SYN_RECEIVED)
"""Where an abort sends a RST (RFC 9293, 3.10.5; tcp_need_reset)."""


def tcp_write_queue_purge(sk: TcpSock) -> None:
    """Forget all that was to be sent."""
    sk.write_queue.clear()
    sk.rtx_queue.clear()
    sk.queued = sk.retransmits = sk.backoff = 0


def _to_closed(sk: TcpSock) -> None:
    """CLOSED: it takes no segments any more, and its port is free unless the caller bound it."""
    tcp_clear_xmit_timers(sk)
    sk.sk_prot.unhash(sk)
    if sk.bound_port and (sk.sk_dead or not sk.bound_by_user):
        inet_put_port(sk)
    tcp_set_state(sk, _S.CLOSED)


def tcp_done(sk: TcpSock) -> None:
    """The connection is over, and nobody can send or receive on it."""
    _to_closed(sk)
    sk.sk_shutdown = Shutdown.BOTH
    sk.sk_wake()


def tcp_v4_init_sock(sk: Sock) -> None:
    """A new socket (tcp_v4_init_sock): all is set when it is made."""


# Ending -----------------------------------------------------------------------------------------------------------------


def tcp_close_state(sk: TcpSock) -> bool:
    """Go where CLOSE leads; must a FIN be sent?"""
    following = _CLOSE.get(sk.sk_state)
    if following is None:
        if sk.sk_state is _S.SYN_SENT:
            _to_closed(sk)
        return False
    tcp_set_state(sk, following)
    return True


def tcp_shutdown(sk: Sock, how: int) -> None:
    """shutdown(2): ending our direction sends a FIN; ending the other one says nothing to the peer."""
    assert isinstance(sk, TcpSock)
    if how & Shutdown.SEND and sk.sk_state in (*_CLOSE, _S.SYN_SENT) and tcp_close_state(sk):
        tcp_send_fin(sk)


def tcp_close(sk: Sock, timeout: int) -> Call:
    """close(2): a FIN after what is queued; a RST if data was left unread (RFC 9293, 3.6.1; RFC 2525, section 2.17) or SO_LINGER is 0."""
    assert isinstance(sk, TcpSock)
    sk.sk_shutdown = Shutdown.BOTH
    unread = bool(sk.receive_queue)
    if sk.sk_state is _S.LISTEN:
        _to_closed(sk)
        inet_csk_listen_stop(sk)
    elif sk.sk_state is _S.CLOSED:
        pass
    elif unread and sk.sk_state is not _S.TIME_WAIT:
        sk.net.count("TCPAbortOnClose")
        tcp_send_active_reset(sk)
        tcp_done(sk)
    elif sk.linger == 0:
        tcp_disconnect(sk)
    elif tcp_close_state(sk):
        tcp_send_fin(sk)
    ended = (_S.FIN_WAIT_1, _S.CLOSING, _S.LAST_ACK)
    yield from sk_wait(sk, sk.deadline(timeout), lambda: sk.sk_state not in ended)  # sk_stream_wait_close()
    if sk.sk_state is _S.CLOSED:
        inet_put_port(sk)  # inet_csk_destroy_sock(): the caller had bound it
    elif sk.sk_state is _S.FIN_WAIT_2:
        if sk.linger2 < 0:
            tcp_send_active_reset(sk)
            tcp_done(sk)
        else:
            tcp_reset_keepalive_timer(sk, sk.linger2 or sk.net.sysctl.fin_timeout)


def tcp_disconnect(sk: Sock) -> None:
    """Back to CLOSED, and ready to be connected again: connect(AF_UNSPEC), and the abort of SO_LINGER 0 (RFC 9293, 3.10.5)."""
    assert isinstance(sk, TcpSock)
    old = sk.sk_state
    if old is _S.LISTEN:
        inet_csk_listen_stop(sk)
    elif old in _RESET or old is _S.SYN_SENT or (old in (_S.CLOSING, _S.LAST_ACK) and sk.snd_nxt != sk.write_seq):
        if old is not _S.SYN_SENT:
            tcp_send_active_reset(sk)
        sk.sk_err = "ECONNRESET"  # for a call that sleeps
    if old is not _S.TIME_WAIT:
        _to_closed(sk)
    else:
        tcp_minisocks.tcp_twsk_forget(sk)
    sk.reset_connection()
    sk.sk_wake()


def inet_child_forget(child: Sock) -> None:
    """A connection that waited for ``accept`` and will never be accepted is aborted."""
    assert isinstance(child, TcpSock)
    tcp_disconnect(child)


# Readiness --------------------------------------------------------------------------------------------------------------


def tcp_poll(sk: Sock) -> int:
    """POLLIN, POLLOUT, POLLPRI, POLLERR, POLLHUP, POLLRDHUP."""
    assert isinstance(sk, TcpSock)
    state = sk.sk_state
    if state is _S.LISTEN:
        return POLLIN if sk.accept_queue else 0
    mask = POLLHUP if sk.sk_shutdown == Shutdown.BOTH or state is _S.CLOSED else 0
    if sk.sk_shutdown & Shutdown.RCV:
        mask |= POLLIN | POLLRDHUP
    if state is not _S.SYN_SENT and (state is not _S.SYN_RECEIVED or tcp_passive_fastopen(sk)):
        if _readable(sk):
            mask |= POLLIN
        if sk.sk_shutdown & Shutdown.SEND or sk_stream_is_writeable(sk):
            mask |= POLLOUT
        else:
            sk.nospace = True
        if sk.urg_data is not None and sk.urg_data >= 0:
            mask |= POLLPRI
    elif state is _S.SYN_SENT and sk.defer_connect:
        mask |= POLLOUT
    if sk.sk_err or sk.error_queue:
        mask |= POLLERR
    return mask


def _readable(sk: TcpSock) -> bool:
    """Is there ordinary data? The urgent octet alone is none."""
    there = len(sk.receive_queue)
    if sk.urg_seq is not None and not sk.oobinline and sk.urg_seq == sk.copied_seq:
        there -= 1
    return there >= sk.options.get("SO_RCVLOWAT", 1)


def tcp_set_keepalive(sk: Sock, on: bool) -> None:
    """SO_KEEPALIVE is switched: the timer with it."""
    assert isinstance(sk, TcpSock)
    if sk.sk_state in (_S.CLOSED, _S.LISTEN):
        return
    if on and not sk.sk_keepalive:
        tcp_reset_keepalive_timer(sk, sk.keepidle)
    elif not on:
        sk.keepalive_timer.stop()
