"""net/ipv4/tcp.c, writing: ``tcp_sendmsg``, from the caller's octets to segments in the queue."""

from __future__ import annotations

from conformance.stack.errors import SocketError
from conformance.stack.sock import Address, Shutdown, Sock, sk_wait
from conformance.stack.sock_core import sock_sndtimeo
from conformance.stack.tasks import Call, Woken
from conformance.stack.tcp_fastopen import tcp_passive_fastopen, tcp_sendmsg_fastopen
from conformance.stack.tcp_output import tcp_current_mss
from conformance.stack.tcp_sock import MASK, Skb, TcpSock
from conformance.stack.tcp_states import TcpState
from conformance.stack.tcp_write_queue import NAGLE_PUSH, tcp_push, tcp_push_one, tcp_push_pending_frames
from conformance.stack.uapi import MSG_DONTWAIT, MSG_FASTOPEN, MSG_MORE, MSG_OOB
from conformance.wire.segment import PSH

__all__ = ["sk_stream_is_writeable", "sk_stream_memory_free", "tcp_check_space", "tcp_sendmsg"]

_SIZE_GOAL = 65160
"""Octets that wait for the rest of the call before they leave: what Linux gives a device at once (tcp_xmit_size_goal)."""
_CAN_SEND = (TcpState.ESTABLISHED, TcpState.CLOSE_WAIT)


def _sndbuf(sk: TcpSock) -> int:
    """Octets that may be queued: what the caller has set, else enough for two congestion windows (tcp_sndbuf_expand)."""
    if sk.sndbuf_locked:
        return sk.sk_sndbuf
    return min(max(sk.sk_sndbuf, 2 * max(sk.snd_cwnd, 10) * max(sk.mss_cache, 536)), sk.net.sysctl.send_buffer_max)


def sk_stream_memory_free(sk: TcpSock) -> bool:
    """Is there room for another octet?"""
    return sk.queued < _sndbuf(sk)


def sk_stream_is_writeable(sk: TcpSock) -> bool:
    """Is so much room that it is worth while to wake a caller: a third of the buffer?"""
    if sk.notsent_lowat and (sk.write_seq - sk.snd_nxt) & MASK >= sk.notsent_lowat:
        return False  # TCP_NOTSENT_LOWAT: so much has not even left yet
    return 3 * sk.queued <= 2 * _sndbuf(sk)


def tcp_sendmsg(sk: Sock, data: bytes, flags: int, address: Address | None) -> Call:
    """Queue all of ``data``, or what has room if the caller may not sleep; returns how much. EPIPE, ENOTCONN, EAGAIN, ECONNRESET …"""
    assert isinstance(sk, TcpSock)
    copied = 0
    if flags & MSG_FASTOPEN or sk.defer_connect:
        copied = yield from tcp_sendmsg_fastopen(sk, data, flags, address)
        if copied == len(data):
            return copied
    deadline = sk.deadline(sock_sndtimeo(sk, bool(flags & MSG_DONTWAIT)))
    if sk.sk_state not in _CAN_SEND and not tcp_passive_fastopen(sk):
        yield from sk_stream_wait_connect(sk, deadline)
    if sk.sk_err or sk.sk_shutdown & Shutdown.SEND:
        _error(sk)
    mss, limit = tcp_current_mss(sk), _sndbuf(sk)
    while copied < len(data):
        if not sk_stream_memory_free(sk):
            tcp_push_pending_frames(sk, NAGLE_PUSH)
            if not sk_stream_memory_free(sk):
                woken = yield from _wait_for_memory(sk, deadline)
                if woken is not Woken.EVENT or sk.sk_err or sk.sk_shutdown & Shutdown.SEND:
                    if copied:
                        break
                    if woken is Woken.EVENT:
                        _error(sk)
                    raise SocketError("EINTR" if woken is Woken.SIGNAL else "EAGAIN")
            mss, limit = tcp_current_mss(sk), _sndbuf(sk)
            continue
        copied += _append(sk, data, copied, mss, max(limit - sk.queued, 1))
        if copied < len(data) and forced_push(sk):
            tcp_mark_push(sk)
            tcp_push_pending_frames(sk, NAGLE_PUSH)
        elif copied < len(data) and (sk.write_seq - sk.write_queue[0].seq) & MASK >= _SIZE_GOAL:
            tcp_push_one(sk, mss)
    if copied and not sk.sk_shutdown & Shutdown.SEND:
        if flags & MSG_OOB:
            sk.snd_up = sk.write_seq  # RFC 9293, 3.9.1, SEND: what is urgent ends here (tcp_mark_urg)
            if sk.write_queue:
                sk.write_queue[-1].urgent = True
        tcp_push(sk, more=bool(flags & MSG_MORE))
    return copied


def _append(sk: TcpSock, data: bytes, start: int, mss: int, room: int) -> int:
    """Fill the tail segment, or a new one, with at most ``room`` octets; returns how many it took."""
    tail = sk.write_queue[-1] if sk.write_queue else None
    if tail is None or len(tail.data) >= mss or tail.urgent:
        tail = skb_entail(sk)
    count = min(mss - len(tail.data), len(data) - start, room)
    tail.data += data[start : start + count]
    tail.flags &= ~PSH
    sk.write_seq = (sk.write_seq + count) & MASK
    sk.queued += count
    return count


def skb_entail(sk: TcpSock) -> Skb:
    """A new segment at the queue's end, empty yet."""
    skb = Skb(sk.write_seq, bytearray())
    sk.write_queue.append(skb)
    return skb


def forced_push(sk: TcpSock) -> bool:
    """More than half of the peer's largest window waits: push, or a small window would never be filled."""
    return (sk.write_seq - sk.pushed_seq) & MASK > sk.max_window >> 1


def tcp_mark_push(sk: TcpSock) -> None:
    """What is queued up to here is pushed."""
    sk.write_queue[-1].flags |= PSH
    sk.pushed_seq = sk.write_seq


def _error(sk: TcpSock) -> None:
    """sk_stream_error(): the socket's error, else EPIPE."""
    sk.raise_error()
    raise SocketError("EPIPE")


def sk_stream_wait_connect(sk: TcpSock, deadline: int | None) -> Call:
    """A connection that is being opened: wait for it (RFC 9293, 3.10.2, queues the data; a socket call sleeps)."""
    while sk.sk_state not in _CAN_SEND:
        if sk.sk_err:
            sk.raise_error()
        if sk.sk_state not in (TcpState.SYN_SENT, TcpState.SYN_RECEIVED):
            never = sk.sk_state in (TcpState.CLOSED, TcpState.LISTEN) and not sk.sk_shutdown
            raise SocketError("ENOTCONN" if never and not sk.net.sysctl.linux else "EPIPE")  # send(2), BUGS
        ended = yield from sk_wait(sk, deadline, lambda: sk.sk_state not in (TcpState.SYN_SENT, TcpState.SYN_RECEIVED))
        if ended is not Woken.EVENT:
            raise SocketError("EINTR" if ended is Woken.SIGNAL else "EAGAIN")


def tcp_check_space(sk: TcpSock) -> None:
    """Wake whoever waits for room to write, once it is worth while."""
    if sk.nospace and sk_stream_is_writeable(sk):
        sk.nospace = False
        sk.sk_wake()


def _wait_for_memory(sk: TcpSock, deadline: int | None) -> Call:
    """sk_stream_wait_memory()."""
    sk.nospace = True
    return (yield from sk_wait(sk, deadline, lambda: sk_stream_is_writeable(sk) or bool(sk.sk_err) or bool(sk.sk_shutdown & Shutdown.SEND)))
