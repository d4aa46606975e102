"""Programs that open many connections: a request, an answer, and every way to end it."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable
from random import Random
from struct import Struct

from .octets import drain, drain_and_close, receive, reset, send, wait_for_data
from .world import PORT, World

__all__ = ["ENDS", "ask", "many_requests", "serve"]

_HEADER = Struct("!IIB")
"""Octets of the request that follow, octets that are the answer, the end's place in :data:`ENDS`."""
_CLIENTS = 4
_MAGNITUDES = (2, 3, 3, 4, 5)
"""Of the most octets; less are as likely on each magnitude."""
_PATIENCE = 5
"""Seconds after which a side that hears nothing closes: of a RST that is lost there is no second."""
End = Callable[[socket.socket, int], object]


def _client_closes(near: socket.socket, octets: int) -> None:
    receive(near, octets)
    near.close()


def _client_resets(near: socket.socket, octets: int) -> None:
    receive(near, octets)
    reset(near)


def _client_resets_half_way(near: socket.socket, octets: int) -> None:
    receive(near, octets // 2)
    reset(near)


def _client_leaves_data(near: socket.socket, _: int) -> None:
    wait_for_data(near)
    near.close()


def _client_has_said_all(near: socket.socket, _: int) -> None:
    near.shutdown(socket.SHUT_WR)
    drain_and_close(near)


def _client_waits(near: socket.socket, _: int) -> None:
    drain_and_close(near)


def _server_waits(far: socket.socket, octets: int) -> None:
    send(far, octets)
    drain_and_close(far)


def _server_closes(far: socket.socket, octets: int) -> None:
    send(far, octets)
    far.close()


def _server_resets(far: socket.socket, octets: int) -> None:
    send(far, octets)
    reset(far)


def _server_answers_last(far: socket.socket, octets: int) -> None:
    drain(far)
    send(far, octets)
    far.close()


ENDS: tuple[tuple[End, End], ...] = (
    (_client_closes, _server_waits),
    (_client_waits, _server_closes),
    (_client_closes, _server_closes),
    (_client_has_said_all, _server_answers_last),
    (_client_resets, _server_waits),
    (_client_waits, _server_resets),
    (_client_resets_half_way, _server_waits),
    (_client_leaves_data, _server_waits),
)
"""What the client does once it has sent its request, and the server once it has it."""


def many_requests(world: World) -> None:
    """Some clients at once, each with one connection after another."""
    with world.serving(serve):
        for client in [world.start(ask, world, Random(world.rng.random())) for _ in range(_CLIENTS)]:
            client.result()


def ask(world: World, rng: Random, most: int = sys.maxsize, port: int = PORT) -> None:
    """One connection after another, until there are so many, or enough packets."""
    while most > 0 and not world.enough():
        most -= 1
        end = rng.randrange(len(ENDS))
        request, answer = (int(10 ** rng.uniform(0, rng.choice(_MAGNITUDES))) for _ in range(2))
        with contextlib.suppress(ConnectionError, TimeoutError), contextlib.closing(world.connect(port=port)) as near:
            near.settimeout(_PATIENCE)
            near.sendall(_HEADER.pack(request, answer, end))
            send(near, request)
            ENDS[end][0](near, answer)


def serve(far: socket.socket) -> None:
    """The server's side of a connection."""
    far.settimeout(_PATIENCE)
    with contextlib.suppress(ConnectionError, TimeoutError, EOFError), contextlib.closing(far):
        request, answer, end = _HEADER.unpack(receive(far, _HEADER.size))
        receive(far, request)
        ENDS[end][1](far, answer)
