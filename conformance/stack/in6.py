"""Addresses of both families: which kind one is, and IPv4 addresses in the clothes of IPv6 (include/net/ipv6.h, RFC 4291).

Inside the stack an address is as it is on the wire: the peer of an IPv6 socket that speaks IPv4 has 4 octets. Only towards the caller
(``getsockname``, ``accept``, ``recvfrom``) it becomes ``::ffff:a.b.c.d``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack.sock import Address
from conformance.stack.uapi import AF_INET6

if TYPE_CHECKING:
    from conformance.stack.sock import Sock

__all__ = ["INADDR_ANY", "address_of", "in6addr_any", "ipv6_addr_v4mapped", "is_any", "on_wire"]

INADDR_ANY = bytes(4)
in6addr_any = bytes(16)
_MAPPED = bytes(10) + b"\xff\xff"


def ipv6_addr_v4mapped(host: bytes) -> bool:
    """Is it ``::ffff:a.b.c.d`` (RFC 4291, section 2.5.5.2)?"""
    return len(host) == 16 and host.startswith(_MAPPED)


def on_wire(host: bytes) -> bytes:
    """The address that packets have: 4 octets for a mapped one."""
    return host[12:] if ipv6_addr_v4mapped(host) else host


def address_of(sk: Sock, host: bytes, port: int) -> Address:
    """An address as the socket's family shows it to the caller; an empty host is the wildcard."""
    if sk.sk_family != AF_INET6:
        return Address(host or INADDR_ANY, port)
    if not host:
        return Address(in6addr_any, port)
    return Address(_MAPPED + host if len(host) == 4 else host, port)


def is_any(host: bytes) -> bool:
    """0.0.0.0 or ::."""
    return not any(host)
