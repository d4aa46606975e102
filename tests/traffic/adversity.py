"""Programs about what goes wrong: a path that is cut for a while or for good, a side that forgets, and what programs seldom do."""

from __future__ import annotations

import contextlib
import socket
import time
from contextlib import ExitStack, closing

from .octets import drain, drain_and_close, receive, reset, send
from .options import TCP_USER_TIMEOUT
from .world import World

__all__ = [
    "close_at_zero_window",
    "deaf_reader",
    "given_up",
    "half_open",
    "keepalive_unanswered",
    "outage",
    "urgent",
]


def outage(world: World, directions: tuple[str, ...] = ("left", "right"), seconds: float = 1.5) -> None:
    """What comes from these sides is lost for a while, amid data both ways: timeouts with backoff, and recovery."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(world.listener())
        near, far = (sockets.enter_context(end) for end in world.pair(listener))
        over: list[bool] = []

        def pour(connection: socket.socket) -> None:
            while not over:
                send(connection, world.rng.randrange(1, 3000))
                time.sleep(0.002)
            connection.shutdown(socket.SHUT_WR)

        for end in (near, far):
            world.start(pour, end)
            world.start(drain, end)
        for _ in range(2):
            time.sleep(0.3)
            world.forwarder.cut(*directions)
            time.sleep(seconds)
            world.forwarder.cut()
        time.sleep(1)
        over.append(True)
        world.join()


def given_up(world: World) -> None:
    """Nothing comes back any more, and the client's data is given up after some retransmissions."""
    with closing(world.listener()) as listener:
        near, far = world.pair(listener)
    near.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 5000)
    send(near, 10_000)
    receive(far, 10_000)
    world.forwarder.cut("left", "right")
    send(near, 10_000)
    with closing(near), contextlib.suppress(TimeoutError):  # which is ETIMEDOUT
        drain(near)
    far.close()


def keepalive_unanswered(world: World) -> None:
    """An idle side asks whether the other is still there, which cannot hear it, and gives up."""
    with closing(world.listener()) as listener:
        near, far = world.pair(listener)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3)):
        near.setsockopt(socket.IPPROTO_TCP, option, value)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    send(near, 1000)
    receive(far, 1000)
    world.forwarder.cut("left")
    with closing(near), contextlib.suppress(TimeoutError):
        drain(near)
    far.close()


def half_open(world: World) -> None:
    """The server has forgotten a connection, and says so once the client sends on it."""
    with closing(world.listener()) as listener:
        near, far = world.pair(listener)
    send(near, 1000)
    receive(far, 1000)
    world.forwarder.cut("right")
    reset(far)
    world.settle()
    world.forwarder.cut()
    with closing(near), contextlib.suppress(ConnectionError):
        send(near, 1000)
        drain(near)


def close_at_zero_window(world: World) -> None:
    """The client closes while much of what it has sent has no room at the server, which reads it all later, or never."""
    with closing(world.listener()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for last in (drain_and_close, reset, socket.socket.close):
            near, far = world.pair(listener)
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                send(near, 1 << 20)
            near.close()
            time.sleep(1)
            last(far)


def deaf_reader(world: World) -> None:
    """The server will not read any more (SHUT_RD), and the client sends on."""
    with closing(world.listener()) as listener:
        near, far = world.pair(listener)
    far.shutdown(socket.SHUT_RD)
    send(near, 100_000)
    send(far, 1000)
    receive(near, 1000)
    near.close()
    far.close()


def urgent(world: World) -> None:
    """Urgent data amid other data, in both directions."""
    with closing(world.listener()) as listener:
        near, far = world.pair(listener)
    for _ in range(10):
        for end, other in ((near, far), (far, near)):
            send(end, 3000)
            end.send(b"!", socket.MSG_OOB)
            send(end, 2000)
            receive(other, 5000)
    near.close()
    drain_and_close(far)
