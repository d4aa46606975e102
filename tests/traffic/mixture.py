"""A program with some of everything, as much of it as is wanted: what a capture from a busy host has."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from random import Random

from .octets import CHUNK
from .requests import ask, serve
from .transfers import start_bulk
from .world import PORT, Prepare, World, as_it_is

__all__ = ["CALM_ROUNDS", "CALM_STREAMS", "CONNECTIONS", "ROUNDS", "STREAMS", "calm_mixture", "mixture"]

ROUNDS, STREAMS = 4, 4
"""Bulk connections: rounds, one after another, and how many are open at once in each. They carry data both ways."""
CONNECTIONS, _CLIENTS = 2000, 20
"""Short ones at most, and from how many clients at once."""

CALM_ROUNDS, CALM_STREAMS = 10, 4
_BULK = 0.4
"""Of the packets, when all is calm."""
_PORTS = 16
_SO_MAX_PACING_RATE = 47
_RATE = 2_500_000
"""Octets a second of each calm one: what 20 Mbit/s carry."""


def calm_mixture(world: World) -> None:
    """The same at the pace of a network, which is less than these machines can take, so that nothing has to be dropped.

    One processor does it all, as one queue of a network card does for each connection: two of them change the order of packets.
    """

    def paced(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, _RATE)

    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        ports = range(PORT + 2, PORT + 2 + _PORTS)  # so that hardly any connection has the ports of another one
        with world.serving(serve, ports=ports), ExitStack() as sockets:
            clients = [world.start(ask, world, Random(world.rng.random()), sys.maxsize, port) for port in ports]
            listener = sockets.enter_context(world.listener(paced, port=PORT + 1))
            _in_bulk(world, listener, CALM_ROUNDS, CALM_STREAMS, paced, _BULK)
            for client in clients:
                client.result()
    finally:
        os.sched_setaffinity(0, processors)


def mixture(world: World) -> None:
    """Bulk both ways over some connections, and beside it many short ones that end in every way."""
    with world.serving(serve), ExitStack() as sockets:
        listener = sockets.enter_context(world.listener(port=PORT + 1))
        clients = [world.start(ask, world, Random(world.rng.random()), CONNECTIONS // _CLIENTS) for _ in range(_CLIENTS)]
        _in_bulk(world, listener, ROUNDS, STREAMS, as_it_is, 1)
        for client in clients:
            client.result()


def _in_bulk(world: World, listener: socket.socket, rounds: int, streams: int, prepare: Prepare, part: float) -> None:
    """Some connections at once, time and again, until that part of the packets has passed."""
    for number in range(1, rounds + 1):
        with ExitStack() as bulk:
            for stream in start_bulk(world, bulk, listener, streams, prepare, len(CHUNK), part * number / rounds, both=True):
                stream.result()
