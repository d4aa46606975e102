"""Which errno an ICMP error is, and whether it is fatal (icmp_err_convert, net/ipv4/icmp.c; icmpv6_err_convert, net/ipv6/icmp.c)."""

from __future__ import annotations

from conformance.stack.sock import Sock
from conformance.wire.segment import Family, Icmp

__all__ = ["icmp_err_convert", "ip_icmp_error"]

_UNREACHABLE = (
    ("ENETUNREACH", False), ("EHOSTUNREACH", False), ("ENOPROTOOPT", True), ("ECONNREFUSED", True), ("EMSGSIZE", False),
    ("EOPNOTSUPP", False), ("ENETUNREACH", True), ("EHOSTDOWN", True), ("ENONET", True), ("ENETUNREACH", True), ("EHOSTUNREACH", True),
    ("ENETUNREACH", False), ("EHOSTUNREACH", False), ("EHOSTUNREACH", True), ("EHOSTUNREACH", True), ("EHOSTUNREACH", True),
)  # fmt: skip
"""Type 3 of ICMP, by its code."""
_UNREACHABLE6 = (
    ("ENETUNREACH", False), ("EACCES", True), ("EHOSTUNREACH", False), ("EHOSTUNREACH", False), ("ECONNREFUSED", True), ("EACCES", True),
    ("EACCES", True),
)  # fmt: skip
"""Type 1 of ICMPv6, by its code."""


def icmp_err_convert(message: Icmp) -> tuple[str, bool] | None:
    """The errno's name and whether it is fatal; None for a message that is no error, or is not to be heeded."""
    if message.family is Family.IPV4:
        if message.type == 3:
            return _UNREACHABLE[message.code] if message.code < len(_UNREACHABLE) else ("EHOSTUNREACH", True)
        return {11: ("EHOSTUNREACH", False), 12: ("EPROTO", True)}.get(message.type)
    if message.type == 1:
        return _UNREACHABLE6[message.code] if message.code < len(_UNREACHABLE6) else ("EPROTO", False)
    return {2: ("EMSGSIZE", False), 3: ("EHOSTUNREACH", False), 4: ("EPROTO", True)}.get(message.type)


def ip_icmp_error(sk: Sock, error: str, message: Icmp) -> None:
    """Queue an error for MSG_ERRQUEUE, if the caller wants that (IP_RECVERR; net/ipv4/ip_sockglue.c)."""
    if sk.recverr:
        origin = "icmp" if message.family is Family.IPV4 else "icmp6"
        sk.error_queue.append(f"{error} {origin} {message.type} {message.code} {message.mtu}")
