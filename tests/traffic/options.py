"""Socket options that scenarios set."""

from __future__ import annotations

import socket
import sys
from struct import Struct

from .world import Prepare

__all__ = ["TCP_USER_TIMEOUT", "TCP_WINDOW_CLAMP", "from_isn", "option", "signed"]

TCP_WINDOW_CLAMP, TCP_USER_TIMEOUT = 10, 18
_TCP_REPAIR, _TCP_REPAIR_QUEUE, _TCP_QUEUE_SEQ, _SEND_QUEUE = 19, 20, 21, 2
_TCP_MD5SIG_EXT, _PREFIX = 32, 1
_SIGNATURE = Struct("=H126xBBHi80s")
"""struct tcp_md5sig: the peer's address, flags, the length of the prefix, of the key, an interface, the key."""
_KEY = b"a secret of both sides"


def option(number: int, value: int, level: int = socket.IPPROTO_TCP) -> Prepare:
    """That sets one option."""
    return lambda made: made.setsockopt(level, number, value)


def from_isn(made: socket.socket, isn: int = 2**32 - 100_000) -> None:
    """The socket's initial sequence number, so that numbers wrap around early; as who restores a checkpoint of a process sets it."""
    for number, value in ((_TCP_REPAIR, 1), (_TCP_REPAIR_QUEUE, _SEND_QUEUE), (_TCP_QUEUE_SEQ, isn), (_TCP_REPAIR, 0)):
        made.setsockopt(socket.IPPROTO_TCP, number, value.to_bytes(4, sys.byteorder))


def signed(made: socket.socket) -> None:
    """Every segment, from whomever, carries RFC 2385's signature."""
    made.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG_EXT, _SIGNATURE.pack(made.family, _PREFIX, 0, len(_KEY), 0, _KEY))
