"""``struct proto_ops`` and ``struct proto``: tables of functions, as in Linux, so that a call goes straight from layer to layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.stack.errors import SocketError
from conformance.stack.sock import Address, Proto, ProtoOps, Sock, Socket
from conformance.stack.tasks import Call
from conformance.stack.uapi import SOCK_NONBLOCK

__all__ = ["InetProto", "InetProtoOps", "InetProtosw", "sock_no_accept", "sock_no_listen"]


def sock_no_listen(_sock: Socket, _backlog: int) -> None:
    """This kind of socket has no ``listen`` (net/core/sock.c)."""
    raise SocketError("EOPNOTSUPP")


def sock_no_accept(_sock: Socket, _newsock: Socket, _nonblock: bool) -> Call:
    """This kind of socket has no ``accept`` (net/core/sock.c)."""
    yield from ()
    raise SocketError("EOPNOTSUPP")


@dataclass(slots=True, kw_only=True)
class InetProtoOps:
    """Implements :class:`~conformance.stack.sock.ProtoOps`."""

    name: str
    release: Callable[[Socket], Call]
    bind: Callable[[Socket, Address], None]
    connect: Callable[[Socket, Address, bool], Call]
    getname: Callable[[Socket, int], Address]
    poll: Callable[[Socket], int]
    shutdown: Callable[[Socket, int], None]
    sendmsg: Callable[[Socket, bytes, int, Address | None], Call]
    recvmsg: Callable[[Socket, int, int], Call]
    listen: Callable[[Socket, int], None] = sock_no_listen
    accept: Callable[[Socket, Socket, bool], Call] = sock_no_accept


@dataclass(slots=True, kw_only=True)
class InetProto:
    """Implements :class:`~conformance.stack.sock.Proto`. ``bind`` is for protocols that do more or less than ``inet_bind``."""

    name: str
    obj: type[Sock]
    init: Callable[[Sock], None]
    close: Callable[[Sock, int], Call]
    connect: Callable[[Sock, Address], None]
    disconnect: Callable[[Sock], None]
    accept: Callable[[Sock, bool], Call]
    shutdown: Callable[[Sock, int], None]
    setsockopt: Callable[[Sock, str, int | bytes], None]
    getsockopt: Callable[[Sock, str], int | bytes]
    sendmsg: Callable[[Sock, bytes, int, Address | None], Call]
    recvmsg: Callable[[Sock, int, int], Call]
    poll: Callable[[Sock], int]
    hash: Callable[[Sock], None]
    unhash: Callable[[Sock], None]
    get_port: Callable[[Sock, int], None]
    bind: Callable[[Sock, Address], None] | None = None


@dataclass(frozen=True, slots=True)
class InetProtosw:
    """``struct inet_protosw``: which protocol and which calls a type of socket has (include/net/protocol.h)."""

    type: int
    protocol: int
    prot: Proto
    ops: ProtoOps


SOCK_TYPE_MASK = 0xF
SOCK_CLOEXEC = 0o2000000
SOCK_FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC
"""What may stand beside the type (include/linux/net.h)."""
