"""Programs about how connections begin, if they do, and about ports that are used again."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from contextlib import ExitStack, closing

from .octets import drain, drain_and_close, receive, reset, send
from .options import option
from .world import PORT, World, accept

__all__ = [
    "accept_with_data",
    "dead_host",
    "fast_open",
    "many_at_once",
    "overflow",
    "refused",
    "same_port_again",
    "simultaneous_open",
    "syn_meets_old_connection",
    "time_wait_taken_over",
]

_OLD_PORT = 41_000


def refused(world: World) -> None:
    """Nobody listens."""
    for _ in range(10):
        with contextlib.suppress(ConnectionRefusedError), closing(world.connect()):
            raise AssertionError("somebody listens")


def dead_host(world: World) -> None:
    """Nobody is there: SYN after SYN."""
    with closing(world.client.socket()) as near:
        near.settimeout(12)
        with contextlib.suppress(TimeoutError):
            near.connect((world.nobody, PORT))


def simultaneous_open(world: World) -> None:
    """Both sides send a SYN before they have the other's, which takes a path with some delay."""
    for number in range(5):
        with closing(world.client.socket()) as near, closing(world.server.socket()) as far:
            for end, host in ((near, world.client), (far, world.server)):
                end.bind((host.address, PORT + number))
                end.setblocking(False)
            for end, host in ((near, world.server), (far, world.client)):
                with contextlib.suppress(BlockingIOError):
                    end.connect((host.address, PORT + number))
            near.settimeout(60)
            far.settimeout(60)
            _until_connected(near, far)
            send(near, 5000)
            send(far, 3000)
            receive(far, 5000)
            receive(near, 3000)
            near.shutdown(socket.SHUT_WR)
            drain(far)


def _until_connected(*ends: socket.socket) -> None:
    for end in ends:
        while True:
            try:
                end.getpeername()
                break
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise
                time.sleep(0.005)


def _from_port(world: World, port: int) -> socket.socket:
    near = world.client.socket()
    near.bind((world.client.address, port))
    near.connect((world.server.address, PORT))
    return near


def same_port_again(world: World) -> None:
    """One client port for many connections; the server closes first, so that each SYN finds the last one in TIME-WAIT."""
    with closing(world.listener()) as listener:
        for number in range(40):
            near = _from_port(world, _OLD_PORT)
            far = accept(listener)
            send(near, 2000)
            receive(far, 2000)
            send(far, 10)
            if number % 4 == 3:
                reset(far)
                with contextlib.suppress(ConnectionError):
                    drain(near)
            else:
                far.close()
                drain(near)
            near.close()
            world.settle()


def time_wait_taken_over(world: World) -> None:
    """The client closes first, and its own TIME-WAIT is taken over by the next connection, a second later (``tcp_tw_reuse``)."""
    with closing(world.listener()) as listener:
        for _ in range(3):
            near = _from_port(world, _OLD_PORT)
            far = accept(listener)
            send(near, 100)
            near.close()
            drain_and_close(far)
            time.sleep(1.2)


def syn_meets_old_connection(world: World) -> None:
    """The client has forgotten a connection, which the server has not, and opens it anew: a challenge, RST, and SYN again."""
    with closing(world.listener()) as listener:
        near = _from_port(world, _OLD_PORT)
        forgotten = accept(listener)
        send(near, 100)
        receive(forgotten, 100)
        world.forwarder.cut("left")
        reset(near)
        world.settle()
        world.forwarder.cut()
        near = _from_port(world, _OLD_PORT)
        far = accept(listener)
        send(near, 5000)
        near.close()
        drain_and_close(far)
        drain_and_close(forgotten)


def many_at_once(world: World, number: int = 150) -> None:
    """Many handshakes at the same time, then a little data on each."""
    with ExitStack() as sockets, world.serving(drain_and_close):
        ends = [sockets.enter_context(world.client.socket()) for _ in range(number)]
        for near in ends:
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                near.connect((world.server.address, PORT))
        for near in ends:
            near.settimeout(60)
        _until_connected(*ends)
        for near in ends:
            send(near, 3000)
            near.shutdown(socket.SHUT_WR)
        for near in ends:
            drain(near)


def overflow(world: World) -> None:
    """More connect than the listener's queue holds; it is emptied only a while later."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(world.listener(backlog=1))
        ends = [sockets.enter_context(world.client.socket()) for _ in range(6)]
        for near in ends:
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                near.connect((world.server.address, PORT))
        time.sleep(1.5)
        listener.settimeout(3)
        with contextlib.suppress(TimeoutError):
            while True:
                far = sockets.enter_context(accept(listener))
                send(far, 1000)
        for near in ends:
            near.close()
        world.settle()


def fast_open(world: World) -> None:
    """Data on the SYN, with the cookie that the connection before has brought."""

    def answer(far: socket.socket) -> None:
        with closing(far):
            octets = drain(far)
            send(far, octets)

    with world.serving(answer, option(socket.TCP_FASTOPEN, 10)):
        for octets in (10, 1000, 5000, 0, 1, 20_000):
            with closing(world.client.socket()) as near:
                near.settimeout(None)  # else a SYN without a cookie is EINPROGRESS
                near.sendto(bytes(octets), socket.MSG_FASTOPEN, (world.server.address, PORT))
                near.shutdown(socket.SHUT_WR)
                drain(near)


def accept_with_data(world: World) -> None:
    """The listener waits for data behind the handshake (TCP_DEFER_ACCEPT), and the client takes its time."""

    with closing(world.listener(option(socket.TCP_DEFER_ACCEPT, 3))) as listener:
        for wait in (0, 0.1, 1.5):
            near = world.connect()
            time.sleep(wait)
            send(near, 100)
            far = accept(listener)
            receive(far, 100)
            near.close()
            drain_and_close(far)
