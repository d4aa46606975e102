"""Programs that move data: in bulk, byte by byte, in fits and starts, and faster than it is read."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future
from contextlib import ExitStack, closing

from .octets import CHUNK, drain, drain_and_close, receive, send
from .world import Prepare, World, as_it_is

__all__ = ["bulk", "bulk_both_ways", "keepalive", "ping_pong", "slow_reader", "start_bulk", "stop_and_go"]


def bulk(world: World, streams: int = 1, prepare: Prepare = as_it_is, chunk: int = len(CHUNK)) -> None:
    """From client to server."""
    _bulk(world, streams, prepare, chunk, both=False)


def bulk_both_ways(world: World, streams: int = 1, prepare: Prepare = as_it_is, chunk: int = len(CHUNK)) -> None:
    """From either side to the other, at once."""
    _bulk(world, streams, prepare, chunk, both=True)


def _bulk(world: World, streams: int, prepare: Prepare, chunk: int, *, both: bool) -> None:
    with ExitStack() as sockets:
        listener = sockets.enter_context(world.listener(prepare))
        start_bulk(world, sockets, listener, streams, prepare, chunk, both=both)
        world.join()


def start_bulk(
    world: World, sockets: ExitStack, listener: socket.socket, streams: int, prepare: Prepare, chunk: int, part: float = 1, *, both: bool
) -> list[Future[object]]:
    """Connections that carry data until that part of the packets has passed; their sockets are closed with ``sockets``."""

    def pour(connection: socket.socket) -> None:
        while not world.enough(part):
            send(connection, chunk)
        connection.shutdown(socket.SHUT_WR)

    def swallow(connection: socket.socket) -> None:
        drain(connection)
        connection.shutdown(socket.SHUT_WR)

    started = []
    for _ in range(streams):
        near, far = (sockets.enter_context(end) for end in world.pair(listener, prepare))
        for end in (near, far) if both else (near,):
            started += [world.start(pour, end), world.start(drain, end)]
        if not both:
            started.append(world.start(swallow, far))
    return started


def ping_pong(world: World) -> None:
    """One octet there, one back."""
    with closing(world.listener()) as listener:
        near, far = world.pair(listener)
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answer() -> None:
        while octet := far.recv(1):
            far.send(octet)
        far.close()

    world.start(answer)
    with closing(near):
        while not world.enough():
            near.send(b"p")
            receive(near, 1)
    world.join()


def slow_reader(world: World, pauses: tuple[float, ...] = (1.5, 0.5, 0.05, 0.01)) -> None:
    """The server's buffer is full for a while, again and again: zero windows, probes, updates of every size."""
    with closing(world.listener()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        near, far = world.pair(listener)

    def pour() -> None:
        with closing(near):
            while not over:
                send(near, world.rng.randrange(1, 20_000))

    over: list[bool] = []
    world.start(pour)
    with closing(far):
        for pause in pauses:
            time.sleep(pause)
            for _ in range(5):
                receive(far, world.rng.choice((1, 100, 1000, 3000, 8000)))
                time.sleep(pause / 10)
        while not world.enough():
            receive(far, world.rng.randrange(1, 50_000))
        over.append(True)
        drain(far)
    world.join()


def stop_and_go(world: World) -> None:
    """Writes of all sizes with pauses of all lengths, over sockets with and without Nagle's algorithm and TCP_CORK."""
    with world.serving(drain_and_close):
        for option, rounds in ((None, 25), (socket.TCP_NODELAY, 25), (socket.TCP_CORK, 10)):
            with closing(world.connect()) as near:
                if option:
                    near.setsockopt(socket.IPPROTO_TCP, option, 1)
                for _ in range(rounds):
                    for _ in range(world.rng.randrange(1, 5)):
                        send(near, world.rng.choice((1, 10, 100, 1447, 1448, 1449, 5000, 30_000)))
                    time.sleep(world.rng.choice((0, 0.001, 0.01, 0.03, 0.05, 0.25)))


def keepalive(world: World, seconds: float = 4.5) -> None:
    """Nothing is said for a while but that both sides are still there; the server looks after it less often than the client."""
    with closing(world.listener()) as listener:
        near, far = world.pair(listener)
    for end, idle in ((near, 1), (far, 2)):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    for octets in (0, 10_000, 1):
        send(near, octets)
        receive(far, octets)
        send(far, octets)
        receive(near, octets)
        time.sleep(seconds / 3)
    near.close()
    drain_and_close(far)
