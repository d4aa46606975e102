"""net/ipv4/tcp.c, reading: ``tcp_recvmsg`` and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

from conformance.stack.errors import SocketError
from conformance.stack.sock import Shutdown, Sock, sk_wait
from conformance.stack.sock_core import sock_rcvtimeo
from conformance.stack.tasks import Call, Woken
from conformance.stack.tcp_output import tcp_send_ack, tcp_win_from_space, tcp_window_to_offer
from conformance.stack.tcp_sock import MASK, TcpSock
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import FIONREAD, MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_WAITALL, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD

__all__ = ["tcp_cleanup_rbuf", "tcp_ioctl", "tcp_recvmsg"]

_READ = -1
"""Of ``urg_data``: the caller has had it."""


def tcp_recvmsg(sk: Sock, size: int, flags: int) -> Call:
    """Data in order, at least an octet unless the peer has closed; with MSG_WAITALL all that was asked for. ENOTCONN, EAGAIN, EINTR."""
    assert isinstance(sk, TcpSock)
    if sk.sk_state is TcpState.LISTEN:
        raise SocketError("ENOTCONN")
    if flags & MSG_OOB:
        return tcp_recv_urg(sk, size, flags)
    deadline = sk.deadline(sock_rcvtimeo(sk, bool(flags & MSG_DONTWAIT)))
    least = size if flags & MSG_WAITALL else min(size, sk.options.get("SO_RCVLOWAT", 1))
    taken = bytearray()
    while True:
        marked = _take(sk, taken, size, bool(flags & MSG_PEEK))
        if len(taken) >= least or marked or not size:
            break
        if not _must_wait(sk, bool(taken)):
            break
        tcp_cleanup_rbuf(sk, len(taken))
        woken = yield from sk_wait(sk, deadline, _news(sk, len(sk.receive_queue)))
        if woken is Woken.EVENT or taken:
            if woken is Woken.EVENT:
                continue
            break
        raise SocketError("EINTR" if woken is Woken.SIGNAL else "EAGAIN")
    if not flags & MSG_PEEK:
        tcp_cleanup_rbuf(sk, len(taken))
    return bytes(taken)


def _news(sk: TcpSock, had: int) -> Callable[[], bool]:
    """Is there more than there was, or will there never be?"""
    return lambda: len(sk.receive_queue) > had or not _alive(sk)


def _alive(sk: TcpSock) -> bool:
    """Can anything come yet?"""
    return not sk.sk_err and not sk.sk_shutdown & Shutdown.RCV and sk.sk_state is not TcpState.CLOSED


def _must_wait(sk: TcpSock, some: bool) -> bool:
    """Nothing is there (any more): shall the caller sleep, or return what it has? An error is for a call that has nothing."""
    if some:
        return _alive(sk)
    if sk.sk_err and not (sk.sk_shutdown & Shutdown.RCV and sk.fin_received):
        sk.raise_error()
    if sk.sk_shutdown & Shutdown.RCV:
        return False
    if sk.sk_state is TcpState.CLOSED:
        raise SocketError("ENOTCONN")
    return True


def _take(sk: TcpSock, taken: bytearray, size: int, peek: bool) -> bool:
    """Move octets to the caller, up to the urgent mark. Does a read end there?"""
    queue = sk.receive_queue
    hole = peek and sk.urg_seq == sk.copied_seq and not sk.oobinline
    while True:
        start = len(taken) + hole if peek else 0
        room, there = size - len(taken), len(queue) - start
        if room <= 0 or there <= 0:
            return False
        mark = None if sk.urg_seq is None or sk.oobinline else (sk.urg_seq - sk.copied_seq - start) & MASK
        if mark == 0:
            if taken:
                return True
            del queue[:1]  # it was told apart already, or is lost now
            sk.copied_seq = (sk.copied_seq + 1) & MASK
            sk.urg_seq = sk.urg_data = None
            continue
        if sk.oobinline and sk.urg_seq is not None:
            at = (sk.urg_seq - sk.copied_seq - start) & MASK
            mark = at if at else None
            if at == 0 and taken:
                return True
        count = min(room, there) if mark is None or mark >= min(room, there) else mark
        taken += queue[start : start + count]
        if not peek:
            del queue[:count]
            sk.copied_seq = (sk.copied_seq + count) & MASK
            if sk.oobinline and sk.urg_seq is not None and (sk.copied_seq - sk.urg_seq - 1) & MASK < 1 << 31:
                sk.urg_seq = sk.urg_data = None
        if mark is not None and count == mark:
            return True


def tcp_recv_urg(sk: TcpSock, size: int, flags: int) -> bytes:
    """The urgent octet (RFC 9293, 3.9.1, "urgent"): EINVAL if there is none to be read aside, EAGAIN if it is still on its way."""
    if sk.oobinline or sk.urg_seq is None or sk.urg_data == _READ:
        raise SocketError("EINVAL")
    if sk.sk_state is TcpState.CLOSED and not sk.fin_received:
        raise SocketError("ENOTCONN")
    if sk.urg_data is not None:
        octet = bytes((sk.urg_data,))
        if not flags & MSG_PEEK:
            sk.urg_data = _READ
        return octet if size else b""
    if sk.sk_state is TcpState.CLOSED or sk.sk_shutdown & Shutdown.RCV:
        return b""
    raise SocketError("EAGAIN")


def tcp_ioctl(sk: TcpSock, request: int) -> int:
    """How much waits to be read, up to the urgent mark; is the next octet the one at the mark; how much waits to be acknowledged, sent."""
    handshake = sk.sk_state in (TcpState.SYN_SENT, TcpState.SYN_RECEIVED)
    if request == SIOCATMARK:
        return int(sk.urg_seq is not None and sk.urg_seq == sk.copied_seq)
    if request not in (FIONREAD, SIOCOUTQ, SIOCOUTQNSD):
        raise SocketError("ENOTTY")
    if sk.sk_state is TcpState.LISTEN:
        raise SocketError("EINVAL")
    if handshake:
        return 0
    if request == FIONREAD:
        mark = None if sk.urg_seq is None or sk.oobinline else (sk.urg_seq - sk.copied_seq) & MASK
        return len(sk.receive_queue) if mark is None else min(mark, len(sk.receive_queue))
    return (sk.write_seq - (sk.snd_una if request == SIOCOUTQ else sk.snd_nxt)) & MASK


def tcp_cleanup_rbuf(sk: TcpSock, copied: int) -> None:
    """The caller has made room: tell the peer, if that is worth a segment (RFC 9293, 3.8.6.2.2; MUST-39)."""
    if sk.sk_state in (TcpState.CLOSED, TcpState.LISTEN, TcpState.SYN_SENT, TcpState.TIME_WAIT):
        return
    now = False
    if sk.ack_pending:
        unacknowledged = (sk.rcv_nxt - sk.rcv_wup) & MASK
        now = unacknowledged > sk.rcv_mss or (copied > 0 and not sk.receive_queue and not sk.pingpong and sk.quick_acks > 0)
    if copied > 0 and not now and not sk.sk_shutdown & Shutdown.RCV:
        offered, full = sk.receive_window, tcp_win_from_space(sk)
        if 2 * offered <= full:
            window = tcp_window_to_offer(sk)
            now = window > 0 and window >= 2 * offered
    if now:
        tcp_send_ack(sk)
