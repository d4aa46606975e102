"""Octets into sockets and out of them, and the ways to end a connection."""

from __future__ import annotations

import contextlib
import socket
import struct

__all__ = ["CHUNK", "drain", "drain_and_close", "receive", "reset", "send", "wait_for_data"]

CHUNK = bytes(range(256)) * 256
_NO_LINGER = struct.pack("ii", 1, 0)


def drain(connection: socket.socket) -> int:
    """Read until the other side has closed; the octets."""
    buffer, total = bytearray(1 << 18), 0
    while got := connection.recv_into(buffer):
        total += got
    return total


def drain_and_close(connection: socket.socket) -> None:
    """Read until the other side has closed, or reset, and close."""
    with contextlib.closing(connection), contextlib.suppress(ConnectionError):
        drain(connection)


def receive(connection: socket.socket, octets: int) -> bytes:
    """Read so many. EOFError: there are less."""
    parts = []
    while octets:
        parts.append(connection.recv(min(octets, 1 << 16)))
        if not parts[-1]:
            raise EOFError(f"{octets} octets are missing")
        octets -= len(parts[-1])
    return b"".join(parts)


def send(connection: socket.socket, octets: int) -> None:
    """Write so many."""
    while octets:
        octets -= connection.send(CHUNK[:octets])


def wait_for_data(connection: socket.socket) -> None:
    """Until something can be read, which stays there; or the other side has closed."""
    connection.recv(1, socket.MSG_PEEK)


def reset(connection: socket.socket) -> None:
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    connection.close()
