"""do_tcp_setsockopt, do_tcp_getsockopt and tcp_get_info of net/ipv4/tcp.c: TCP_* options as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from conformance.stack.errors import SocketError
from conformance.stack.sock import Sock
from conformance.stack.sock_options import option_int
from conformance.stack.sysctl import MS, SECOND
from conformance.stack.tcp_sock import TcpSock
from conformance.stack.tcp_states import TcpState

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["tcp_get_info", "tcp_getsockopt", "tcp_setsockopt"]

_CLOSED = (TcpState.CLOSED, TcpState.LISTEN)
_KERNEL_STATES = {
    TcpState.ESTABLISHED: 1, TcpState.SYN_SENT: 2, TcpState.SYN_RECEIVED: 3, TcpState.FIN_WAIT_1: 4, TcpState.FIN_WAIT_2: 5,
    TcpState.TIME_WAIT: 6, TcpState.CLOSED: 7, TcpState.CLOSE_WAIT: 8, TcpState.LAST_ACK: 9, TcpState.LISTEN: 10, TcpState.CLOSING: 11,
}  # fmt: skip
"""include/net/tcp_states.h."""


def _ranged(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise SocketError("EINVAL")
    return value


def _not_negative(value: int) -> int:
    if value < 0:
        raise SocketError("EINVAL")
    return value


def _set_nodelay(sk: TcpSock, value: int) -> None:
    from conformance.stack.tcp_write_queue import tcp_push_pending_frames

    sk.nodelay = bool(value)
    if sk.nodelay:  # what Nagle's rule held back goes now (__tcp_sock_set_nodelay)
        tcp_push_pending_frames(sk)


def _set_cork(sk: TcpSock, value: int) -> None:
    from conformance.stack.tcp_write_queue import tcp_push

    sk.cork = bool(value)
    if not sk.cork:
        tcp_push(sk, more=False)


def _set_maxseg(sk: TcpSock, value: int) -> None:
    sk.user_mss = _ranged(value, 88, 32767) if value else 0
    if value and sk.sk_state not in _CLOSED and not sk.net.sysctl.linux:
        sk.mss_cache = min(sk.mss_cache, value)


def _set_keepidle(sk: TcpSock, value: int) -> None:
    from conformance.stack.tcp_timer import tcp_reset_keepalive_timer

    sk.keepidle = _ranged(value, 1, 32767) * SECOND
    if sk.sk_keepalive and sk.sk_state not in _CLOSED:
        idle = sk.net.now - max(sk.rcv_tstamp, sk.lrcvtime)
        tcp_reset_keepalive_timer(sk, max(sk.keepidle - idle, 0))


def _set_quickack(sk: TcpSock, value: int) -> None:
    from conformance.stack.tcp_output import tcp_send_ack

    sk.quickack = bool(value)
    sk.pingpong = not value
    if value and sk.ack_pending and sk.sk_state in (TcpState.ESTABLISHED, TcpState.CLOSE_WAIT):
        tcp_send_ack(sk)


def _set_congestion(sk: TcpSock, value: int | bytes) -> None:
    name = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    if name != "reno":
        raise SocketError("ENOENT")
    sk.congestion = name


def _set_user_timeout(sk: TcpSock, value: int) -> None:
    sk.user_timeout = _not_negative(value) * MS


def _set_fastopen(sk: TcpSock, value: int) -> None:
    if sk.sk_state not in _CLOSED:
        raise SocketError("EINVAL")
    sk.fastopen_backlog = min(_not_negative(value), sk.net.sysctl.somaxconn)


def _set_fastopen_connect(sk: TcpSock, value: int) -> None:
    _ranged(value, 0, 1)
    if sk.net.sysctl.fast_open not in ("client", "both"):
        raise SocketError("EOPNOTSUPP")
    if sk.sk_state is not TcpState.CLOSED:
        raise SocketError("EINVAL")
    sk.fastopen_connect = bool(value)


def _simple(name: str, low: int, high: int, unit: int = 1) -> Callable[[TcpSock, int], None]:
    return lambda sk, value: setattr(sk, name, _ranged(value, low, high) * unit)


_SET: Mapping[str, Callable[[TcpSock, int], None]] = {
    "TCP_NODELAY": _set_nodelay,
    "TCP_CORK": _set_cork,
    "TCP_MAXSEG": _set_maxseg,
    "TCP_KEEPIDLE": _set_keepidle,
    "TCP_KEEPINTVL": _simple("keepintvl", 1, 32767, SECOND),
    "TCP_KEEPCNT": _simple("keepcnt", 1, 127),
    "TCP_SYNCNT": _simple("syn_count", 1, 127),
    "TCP_LINGER2": lambda sk, value: setattr(sk, "linger2", -1 if value < 0 else min(value, 120) * SECOND),
    "TCP_DEFER_ACCEPT": lambda sk, value: setattr(sk, "defer_accept", max(value, 0) * SECOND),
    "TCP_WINDOW_CLAMP": lambda sk, value: setattr(sk, "window_clamp", max(value, 0)),
    "TCP_QUICKACK": _set_quickack,
    "TCP_USER_TIMEOUT": _set_user_timeout,
    "TCP_FASTOPEN": _set_fastopen,
    "TCP_FASTOPEN_CONNECT": _set_fastopen_connect,
    "TCP_NOTSENT_LOWAT": lambda sk, value: setattr(sk, "notsent_lowat", _not_negative(value)),
}


def _maxseg(sk: TcpSock) -> int:
    if sk.sk_state in _CLOSED:
        return sk.user_mss or sk.mss_cache or 536
    return sk.mss_cache - (12 if sk.tstamp_ok else 0)


_GET: Mapping[str, Callable[[TcpSock], int]] = {
    "TCP_NODELAY": lambda sk: int(sk.nodelay),
    "TCP_CORK": lambda sk: int(sk.cork),
    "TCP_MAXSEG": _maxseg,
    "TCP_KEEPIDLE": lambda sk: sk.keepidle // SECOND,
    "TCP_KEEPINTVL": lambda sk: sk.keepintvl // SECOND,
    "TCP_KEEPCNT": lambda sk: sk.keepcnt,
    "TCP_SYNCNT": lambda sk: sk.syn_count or sk.net.sysctl.syn_retries,
    "TCP_LINGER2": lambda sk: -1 if sk.linger2 < 0 else (sk.linger2 or sk.net.sysctl.fin_timeout) // SECOND,
    "TCP_DEFER_ACCEPT": lambda sk: sk.defer_accept // SECOND,
    "TCP_WINDOW_CLAMP": lambda sk: sk.window_clamp,
    "TCP_QUICKACK": lambda sk: int(not sk.pingpong if sk.quickack is None else sk.quickack),
    "TCP_USER_TIMEOUT": lambda sk: sk.user_timeout // MS,
    "TCP_FASTOPEN": lambda sk: sk.fastopen_backlog,
    "TCP_FASTOPEN_CONNECT": lambda sk: int(sk.fastopen_connect),
    "TCP_NOTSENT_LOWAT": lambda sk: sk.notsent_lowat,
}


def tcp_setsockopt(sk: Sock, name: str, value: int | bytes) -> None:
    """ENOPROTOOPT for an option that there is not, EINVAL for a value that it cannot have."""
    assert isinstance(sk, TcpSock)
    if name == "TCP_CONGESTION":
        _set_congestion(sk, value)
        return
    setter = _SET.get(name)
    if setter is None:
        raise SocketError("ENOPROTOOPT")
    setter(sk, option_int(value))


def tcp_getsockopt(sk: Sock, name: str) -> int | bytes:
    """The value; ENOPROTOOPT."""
    assert isinstance(sk, TcpSock)
    if name == "TCP_CONGESTION":
        return sk.congestion.encode()
    getter = _GET.get(name)
    if getter is None:
        raise SocketError("ENOPROTOOPT")
    return getter(sk)


def tcp_get_info(sk: TcpSock) -> dict[str, int]:
    """struct tcp_info by the names of its fields; times are in ns."""
    options = sk.tstamp_ok | sk.sack_ok << 1 | sk.wscale_ok << 2 | sk.ecn_ok << 3
    return {
        "state": _KERNEL_STATES[sk.sk_state], "ca_state": sk.ca_state, "retransmits": sk.retransmits, "probes": sk.probes_out,
        "backoff": sk.backoff, "options": options, "snd_wscale": sk.snd_wscale, "rcv_wscale": sk.rcv_wscale, "rto": sk.rto, "ato": 40 * MS,
        "snd_mss": max(_maxseg(sk), 0), "rcv_mss": sk.rcv_mss, "unacked": len(sk.rtx_queue), "sacked": sk.sacked_out,
        "lost": sum(skb.lost for skb in sk.rtx_queue), "retrans": sum(skb.in_retrans for skb in sk.rtx_queue), "fackets": 0,
        "pmtu": sk.pmtu, "rcv_ssthresh": sk.rcv_wnd, "rtt": sk.srtt or 0, "rttvar": sk.rttvar,
        "snd_ssthresh": sk.snd_ssthresh, "snd_cwnd": sk.snd_cwnd, "advmss": sk.advmss, "reordering": 3, "rcv_space": sk.sk_rcvbuf >> 1,
        "total_retrans": sk.total_retrans,
    }  # fmt: skip
