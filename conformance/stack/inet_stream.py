"""``connect`` of the two Internet families (the part of net/ipv4/af_inet.c that goes by SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED)."""

from __future__ import annotations

from conformance.stack.errors import SocketError
from conformance.stack.sock import Address, Sock, Socket, SocketState, sk_wait
from conformance.stack.sock_core import sock_sndtimeo
from conformance.stack.tasks import Call, Woken
from conformance.stack.tcp_states import TcpState

__all__ = ["inet_dgram_connect", "inet_stream_connect"]

_HANDSHAKE = (TcpState.SYN_SENT, TcpState.SYN_RECEIVED)


def inet_stream_connect(sock: Socket, address: Address, nonblock: bool) -> Call:
    """connect(2) of a stream socket."""
    yield from __inet_stream_connect(sock, address, nonblock)


def __inet_stream_connect(sock: Socket, address: Address, nonblock: bool) -> Call:
    """EISCONN, EALREADY, EINPROGRESS, EINTR, or what ended the attempt; a dissolved connection for AF_UNSPEC."""
    sk = sock.sk
    assert sk is not None
    if not address.host:
        sk.sk_prot.disconnect(sk)
        sock.state = SocketState.SS_UNCONNECTED
        return
    error = _begin(sock, sk, address)
    if getattr(sk, "defer_connect", False):
        return
    timeout = sock_sndtimeo(sk, nonblock)
    if sk.sk_state in _HANDSHAKE:
        if timeout == 0:
            raise SocketError(error)
        yield from inet_wait_for_connect(sk, timeout, error)
    if sk.sk_state is TcpState.CLOSED:
        error = sk.sock_error() or "ECONNABORTED"
        sock.state = SocketState.SS_UNCONNECTED
        sk.sk_prot.disconnect(sk)
        raise SocketError(error)
    sock.state = SocketState.SS_CONNECTED


def _begin(sock: Socket, sk: Sock, address: Address) -> str:
    """Send the SYN, unless it has been sent. Returns the error for a caller that does not wait for the answer."""
    if sock.state is SocketState.SS_CONNECTING:
        if getattr(sk, "defer_connect", False):  # TCP_FASTOPEN_CONNECT: the SYN waits for the first data
            raise SocketError("EISCONN")
        if sk.sk_state is not TcpState.CLOSED and sk.sk_state not in _HANDSHAKE and not sk.net.sysctl.linux:
            # POSIX has EISCONN for a socket that is connected. Linux tells with 0, once, that a connect before this has succeeded.
            sock.state = SocketState.SS_CONNECTED
            raise SocketError("EISCONN")
        return "EALREADY"
    if sock.state is SocketState.SS_CONNECTED:
        raise SocketError("EISCONN")
    if sock.state is not SocketState.SS_UNCONNECTED:
        raise SocketError("EINVAL")
    if sk.sk_state is not TcpState.CLOSED:
        raise SocketError("EISCONN")
    sk.sk_prot.connect(sk, address)
    sock.state = SocketState.SS_CONNECTING
    return "EINPROGRESS"


def inet_wait_for_connect(sk: Sock, timeout: int | None, error: str) -> Call:
    """Sleep until the handshake is over; ``error`` when the time (SO_SNDTIMEO) is, EINTR for a signal."""
    ended = yield from sk_wait(sk, sk.deadline(timeout), lambda: sk.sk_state not in _HANDSHAKE)
    if ended is not Woken.EVENT:
        raise SocketError("EINTR" if ended is Woken.SIGNAL else error)


def inet_dgram_connect(sock: Socket, address: Address, _nonblock: bool) -> Call:
    """connect(2) of a datagram or raw socket: names a peer, sends nothing."""
    from conformance.stack.af_inet import inet_autobind  # which needs this module

    yield from ()
    sk = sock.sk
    assert sk is not None
    if not address.host:
        sk.sk_prot.disconnect(sk)
        return
    inet_autobind(sk)
    sk.sk_prot.connect(sk, address)
