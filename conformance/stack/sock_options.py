"""setsockopt and getsockopt by name: SO_* (net/core/sock.c), IP_* (net/ipv4/ip_sockglue.c), IPV6_* (net/ipv6/ipv6_sockglue.c).

TCP's own are TCP's. Times are ns, 0 is for ever; SO_LINGER is ``on << 32 | seconds``; SO_ERROR is the errno's name.
"""

from __future__ import annotations

from collections.abc import Callable

from conformance.stack.errors import SocketError
from conformance.stack.ip_options import ip_options_get
from conformance.stack.route import dst_mtu
from conformance.stack.sock import Sock, Socket
from conformance.stack.sysctl import SECOND
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import AF_INET6, SOCK_RAW, SOCK_STREAM

__all__ = ["option_int", "sk_getsockopt", "sk_of", "sock_common_getsockopt", "sock_common_setsockopt", "sock_setsockopt"]

_INT = 2**31
_SK_MEM_MAX = 4 << 20
"""net.core.rmem_max and wmem_max."""
_SKB_TRUESIZE = 2048 + 256
SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF = 2 * _SKB_TRUESIZE, _SKB_TRUESIZE
"""include/net/sock.h."""
_LINGER_SECONDS = 0xFFFF_FFFF
_ECN = 3

_Set = Callable[[Sock, int], None]
_Get = Callable[[Sock], int | bytes]


def sk_of(sock: Socket) -> Sock:
    """The network's side of an open socket."""
    assert sock.sk is not None
    return sock.sk


def option_int(value: int | bytes) -> int:
    """The value as the C int that it is; EINVAL for octets that are too few."""
    if isinstance(value, int):
        return (value + _INT) % (2 * _INT) - _INT
    if len(value) < 4:
        raise SocketError("EINVAL")
    return int.from_bytes(value[:4], "little", signed=True)


def _checked(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise SocketError("EINVAL")
    return value


# SOL_SOCKET -----------------------------------------------------------------------------------------------------------


def _set_sndbuf(sk: Sock, value: int) -> None:
    __sock_set_sndbuf(sk, min(value % (2 * _INT), _SK_MEM_MAX))


def _set_rcvbuf(sk: Sock, value: int) -> None:
    __sock_set_rcvbuf(sk, min(value % (2 * _INT), _SK_MEM_MAX))


def __sock_set_sndbuf(sk: Sock, value: int) -> None:
    sk.sndbuf_locked = True
    sk.sk_sndbuf = max(min(value, _INT // 2 - 1) * 2, SOCK_MIN_SNDBUF)  # twice: the kernel's own overhead is counted too
    sk.sk_wake()


def __sock_set_rcvbuf(sk: Sock, value: int) -> None:
    sk.rcvbuf_locked = True
    sk.sk_rcvbuf = max(min(value, _INT // 2 - 1) * 2, SOCK_MIN_RCVBUF)


def _set_keepalive(sk: Sock, value: int) -> None:
    keepalive = getattr(sk.sk_prot, "keepalive", None)
    if keepalive is not None:
        keepalive(sk, bool(value))  # tcp_set_keepalive()
    sk.sk_keepalive = bool(value)


def _flag(name: str) -> _Set:
    return lambda sk, value: setattr(sk, name, bool(value))


def _kept(name: str, low: int = -_INT, high: int = _INT - 1) -> _Set:
    return lambda sk, value: sk.options.__setitem__(name, _checked(value, low, high))


def _set_rcvlowat(sk: Sock, value: int) -> None:
    sk.options["SO_RCVLOWAT"] = _INT - 1 if value < 0 else value or 1
    sk.sk_wake()


_SET_SOCKET: dict[str, _Set] = {
    "SO_REUSEADDR": _flag("sk_reuse"),
    "SO_REUSEPORT": _flag("sk_reuseport"),
    "SO_OOBINLINE": _flag("oobinline"),
    "SO_KEEPALIVE": _set_keepalive,
    "SO_SNDBUF": _set_sndbuf,
    "SO_RCVBUF": _set_rcvbuf,
    "SO_SNDBUFFORCE": lambda sk, value: __sock_set_sndbuf(sk, max(value, 0)),
    "SO_RCVBUFFORCE": lambda sk, value: __sock_set_rcvbuf(sk, max(value, 0)),
    "SO_RCVLOWAT": _set_rcvlowat,
    "SO_BROADCAST": lambda sk, value: sk.options.__setitem__("SO_BROADCAST", int(bool(value))),
    "SO_DONTROUTE": _kept("SO_DONTROUTE"),
    "SO_PRIORITY": _kept("SO_PRIORITY"),
    "SO_MARK": _kept("SO_MARK"),
    "SO_NO_CHECK": _kept("SO_NO_CHECK"),
}


def sock_setsockopt(sk: Sock, name: str, value: int | bytes) -> None:
    """SO_*. ENOPROTOOPT for one that there is not, or that can only be read; EDOM for a negative time."""
    if name in ("SO_LINGER", "SO_RCVTIMEO", "SO_SNDTIMEO"):
        if not isinstance(value, int):
            raise SocketError("EINVAL")
        _set_time(sk, name, value)
        return
    setter = _SET_SOCKET.get(name)
    if setter is None:
        raise SocketError("ENOPROTOOPT")
    setter(sk, option_int(value))


def _set_time(sk: Sock, name: str, value: int) -> None:
    if name == "SO_LINGER":
        sk.linger = (value & _LINGER_SECONDS) * SECOND if value >> 32 else None
        return
    if value < 0:
        raise SocketError("EDOM")
    if name == "SO_RCVTIMEO":
        sk.sk_rcvtimeo = value or None
    else:
        sk.sk_sndtimeo = value or None


def _error(sk: Sock) -> bytes:
    """SO_ERROR: the error that waits, once; else what the network said last."""
    error = sk.sock_error()
    if error is None:
        error, sk.sk_err_soft = sk.sk_err_soft, None
    return (error or "").encode()


_GET_SOCKET: dict[str, _Get] = {
    "SO_REUSEADDR": lambda sk: int(sk.sk_reuse),
    "SO_REUSEPORT": lambda sk: int(sk.sk_reuseport),
    "SO_OOBINLINE": lambda sk: int(sk.oobinline),
    "SO_KEEPALIVE": lambda sk: int(sk.sk_keepalive),
    "SO_SNDBUF": lambda sk: sk.sk_sndbuf,
    "SO_RCVBUF": lambda sk: sk.sk_rcvbuf,
    "SO_LINGER": lambda sk: 0 if sk.linger is None else 1 << 32 | sk.linger // SECOND,
    "SO_RCVTIMEO": lambda sk: sk.sk_rcvtimeo or 0,
    "SO_SNDTIMEO": lambda sk: sk.sk_sndtimeo or 0,
    "SO_ERROR": _error,
    "SO_TYPE": lambda sk: sk.sk_type,
    "SO_DOMAIN": lambda sk: sk.sk_family,
    "SO_PROTOCOL": lambda sk: sk.sk_protocol,
    "SO_ACCEPTCONN": lambda sk: int(sk.sk_state is TcpState.LISTEN),
    "SO_RCVLOWAT": lambda sk: sk.options.get("SO_RCVLOWAT", 1),
    "SO_SNDLOWAT": lambda _sk: 1,
    "SO_BROADCAST": lambda sk: sk.options.get("SO_BROADCAST", 0),
    "SO_DONTROUTE": lambda sk: int(bool(sk.options.get("SO_DONTROUTE"))),
    "SO_PRIORITY": lambda sk: sk.options.get("SO_PRIORITY", 0),
    "SO_MARK": lambda sk: sk.options.get("SO_MARK", 0),
    "SO_NO_CHECK": lambda sk: int(bool(sk.options.get("SO_NO_CHECK"))),
}


def sk_getsockopt(sk: Sock, name: str) -> int | bytes:
    """SO_*; ENOPROTOOPT for one that there is not."""
    getter = _GET_SOCKET.get(name)
    if getter is None:
        raise SocketError("ENOPROTOOPT")
    return getter(sk)


# SOL_IP and SOL_IPV6 --------------------------------------------------------------------------------------------------


def _set_options(sk: Sock, value: bytes) -> None:
    """IP_OPTIONS: what leaves less room for data from now on."""
    sk.inet_opt = ip_options_get(value)
    sync_mss = getattr(sk.sk_prot, "sync_mss", None)
    if sync_mss is not None and len(sk.daddr) == 4:
        sync_mss(sk, dst_mtu(sk.net, sk.daddr))


def _set_tos(sk: Sock, value: int) -> None:
    if sk.sk_type == SOCK_STREAM:  # the ECN bits are TCP's
        value = value & ~_ECN | sk.tos & _ECN
    sk.tos = value & 0xFF
    sk.dst = None


def _set_ttl(sk: Sock, value: int) -> None:
    sk.ttl = None if value == -1 else _checked(value, 1, 255)


def _set_hops(sk: Sock, value: int) -> None:
    sk.ttl = None if value == -1 else _checked(value, 0, 255)


def _set_tclass(sk: Sock, value: int) -> None:
    _set_tos(sk, max(_checked(value, -1, 255), 0))


def _set_mtu_discover(sk: Sock, value: int) -> None:
    sk.pmtudisc = _checked(value, 0, 5)


def _set_multicast_ttl(sk: Sock, value: int) -> None:
    if sk.sk_type == SOCK_STREAM:
        raise SocketError("EINVAL")
    sk.options["IP_MULTICAST_TTL"] = 1 if value == -1 else _checked(value, 0, 255)


def _set_hdrincl(sk: Sock, value: int) -> None:
    if sk.sk_type != SOCK_RAW:
        raise SocketError("ENOPROTOOPT")
    sk.options["IP_HDRINCL"] = int(bool(value))


def _set_v6only(sk: Sock, value: int) -> None:
    if sk.num:  # a port is taken under the old rule
        raise SocketError("EINVAL")
    sk.v6only = bool(value)


def _get_mtu(sk: Sock) -> int:
    if not sk.daddr:
        raise SocketError("ENOTCONN")
    return dst_mtu(sk.net, sk.daddr)


def _get_mtu_discover(sk: Sock) -> int:
    return int(sk.net.sysctl.pmtu_discovery) if sk.pmtudisc is None else sk.pmtudisc


def _get_ttl(sk: Sock) -> int:
    return sk.net.sysctl.ttl if sk.ttl is None else sk.ttl


_SET_IP: dict[str, _Set] = {
    "IP_TOS": _set_tos,
    "IP_TTL": _set_ttl,
    "IP_MTU_DISCOVER": _set_mtu_discover,
    "IP_RECVERR": _flag("recverr"),
    "IP_HDRINCL": _set_hdrincl,
    "IP_MULTICAST_TTL": _set_multicast_ttl,
    "IP_MINTTL": _kept("IP_MINTTL", 0, 255),
    "IP_FREEBIND": _kept("IP_FREEBIND"),
    "IP_BIND_ADDRESS_NO_PORT": _kept("IP_BIND_ADDRESS_NO_PORT"),
}
_GET_IP: dict[str, _Get] = {
    "IP_TOS": lambda sk: sk.tos,
    "IP_OPTIONS": lambda sk: sk.inet_opt.given if sk.inet_opt is not None else b"",
    "IP_TTL": _get_ttl,
    "IP_MTU_DISCOVER": _get_mtu_discover,
    "IP_RECVERR": lambda sk: int(sk.recverr),
    "IP_MTU": _get_mtu,
    "IP_HDRINCL": lambda sk: int(bool(sk.options.get("IP_HDRINCL"))),
    "IP_MULTICAST_TTL": lambda sk: sk.options.get("IP_MULTICAST_TTL", 1),
    "IP_MINTTL": lambda sk: sk.options.get("IP_MINTTL", 0),
    "IP_FREEBIND": lambda sk: int(bool(sk.options.get("IP_FREEBIND"))),
    "IP_BIND_ADDRESS_NO_PORT": lambda sk: int(bool(sk.options.get("IP_BIND_ADDRESS_NO_PORT"))),
}
_SET_IPV6: dict[str, _Set] = {
    "IPV6_V6ONLY": _set_v6only,
    "IPV6_UNICAST_HOPS": _set_hops,
    "IPV6_MULTICAST_HOPS": _set_multicast_ttl,
    "IPV6_TCLASS": _set_tclass,
    "IPV6_MTU_DISCOVER": _set_mtu_discover,
    "IPV6_RECVERR": _flag("recverr"),
    "IPV6_MINHOPCOUNT": _kept("IP_MINTTL", 0, 255),
    "IPV6_FREEBIND": _kept("IPV6_FREEBIND"),
}
_GET_IPV6: dict[str, _Get] = {
    "IPV6_V6ONLY": lambda sk: int(sk.v6only),
    "IPV6_UNICAST_HOPS": _get_ttl,
    "IPV6_MULTICAST_HOPS": lambda sk: sk.options.get("IP_MULTICAST_TTL", 1),
    "IPV6_TCLASS": lambda sk: sk.tos,
    "IPV6_MTU_DISCOVER": _get_mtu_discover,
    "IPV6_RECVERR": lambda sk: int(sk.recverr),
    "IPV6_MTU": _get_mtu,
    "IPV6_MINHOPCOUNT": lambda sk: sk.options.get("IP_MINTTL", 0),
    "IPV6_FREEBIND": lambda sk: int(bool(sk.options.get("IPV6_FREEBIND"))),
}


def sock_common_setsockopt(sk: Sock, name: str, value: int | bytes) -> None:
    """To whoever the option's level belongs: IP, IPv6, else the protocol."""
    if name.startswith("IP_"):
        ip_setsockopt(sk, name, value)
    elif name.startswith("IPV6_"):
        ipv6_setsockopt(sk, name, value)
    else:
        sk.sk_prot.setsockopt(sk, name, value)


def sock_common_getsockopt(sk: Sock, name: str) -> int | bytes:
    """The same for reading."""
    if name.startswith("IP_"):
        return ip_getsockopt(sk, name)
    if name.startswith("IPV6_"):
        return ipv6_getsockopt(sk, name)
    return sk.sk_prot.getsockopt(sk, name)


def ip_setsockopt(sk: Sock, name: str, value: int | bytes) -> None:
    """IP_*, on IPv6 sockets too, where they mean the packets to mapped addresses."""
    if name == "IP_OPTIONS":
        _set_options(sk, value if isinstance(value, bytes) else b"")
        return
    setter = _SET_IP.get(name)
    if setter is None:
        raise SocketError("ENOPROTOOPT")
    setter(sk, option_int(value))


def ip_getsockopt(sk: Sock, name: str) -> int | bytes:
    """Its value."""
    getter = _GET_IP.get(name)
    if getter is None:
        raise SocketError("ENOPROTOOPT")
    return getter(sk)


def ipv6_setsockopt(sk: Sock, name: str, value: int | bytes) -> None:
    """IPV6_*; ENOPROTOOPT on an IPv4 socket."""
    setter = _SET_IPV6.get(name)
    if setter is None or sk.sk_family != AF_INET6:
        raise SocketError("ENOPROTOOPT")
    setter(sk, option_int(value))


def ipv6_getsockopt(sk: Sock, name: str) -> int | bytes:
    """Its value."""
    getter = _GET_IPV6.get(name)
    if getter is None or sk.sk_family != AF_INET6:
        raise SocketError("ENOPROTOOPT")
    return getter(sk)
