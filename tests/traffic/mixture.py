"""A program with some of everything, as much of it as is wanted: what a capture from a busy host has."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random

from .octets import CHUNK
from .requests import ask, serve
from .transfers import start_bulk
from .world import PORT, World, as_it_is

__all__ = ["CONNECTIONS", "ROUNDS", "STREAMS", "mixture"]

ROUNDS, STREAMS = 4, 4
"""Bulk connections: rounds, one after another, and how many are open at once in each. They carry data both ways."""
CONNECTIONS, _CLIENTS = 2000, 20
"""Short ones at most, and from how many clients at once."""


def mixture(world: World) -> None:
    """Bulk both ways over some connections, and beside it many short ones that end in every way."""
    with world.serving(serve), ExitStack() as sockets:
        listener = sockets.enter_context(world.listener(port=PORT + 1))
        clients = [world.start(ask, world, Random(world.rng.random()), CONNECTIONS // _CLIENTS) for _ in range(_CLIENTS)]
        for number in range(ROUNDS):
            with ExitStack() as bulk:
                for stream in start_bulk(world, bulk, listener, STREAMS, as_it_is, len(CHUNK), (number + 1) / ROUNDS, both=True):
                    stream.result()
        for client in clients:
            client.result()
