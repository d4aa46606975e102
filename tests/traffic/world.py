"""What a program of a scenario is handed: the hosts, a stream of chance, threads, and how many packets are wanted."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random

from .network import PATIENCE, Forwarder, Host, Network

__all__ = ["PORT", "Prepare", "World", "accept", "as_it_is"]

PORT = 4322
"""No dissector of Wireshark's takes it for its own, so that none is timed, either."""
_THREADS = 200
Prepare = Callable[[socket.socket], object]
"""Sets options of a socket before it is bound or connected."""


def as_it_is(_: socket.socket) -> None:
    """No option is set."""


def accept(listener: socket.socket) -> socket.socket:
    """The next connection."""
    far, _ = listener.accept()
    far.settimeout(PATIENCE)
    return far


class World:
    """Both hosts, seen by one who programs both, for the length of a ``with`` block.

    Args:
        wanted: packets at the client after which a program that repeats something stops.
    """

    def __init__(self, network: Network, rng: Random, wanted: int) -> None:
        self.client: Host = network.client
        self.server: Host = network.server
        self.nobody = network.nobody
        self.rng = rng
        self._forwarder = network.forwarder
        self._wanted = wanted
        self._pool = ThreadPoolExecutor(_THREADS)
        self._running: list[Future[object]] = []

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    @property
    def forwarder(self) -> Forwarder:
        """The middle of the path, of a scenario that has one."""
        assert self._forwarder is not None
        return self._forwarder

    def enough(self, part: float = 1) -> bool:
        """Have as many packets passed as are wanted, or that part of them?"""
        return self.client.packets() >= part * self._wanted

    def start(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        """Run it in a thread; :meth:`join` waits for it, and raises what it raised."""
        self._running.append(future := self._pool.submit(function, *arguments))
        return future

    def listener(self, prepare: Prepare = as_it_is, backlog: int = 128, port: int = PORT) -> socket.socket:
        """A socket of the server's that listens."""
        listener = self.server.socket()
        prepare(listener)
        listener.bind((self.server.address, port))
        listener.listen(backlog)
        return listener

    def connect(self, prepare: Prepare = as_it_is, port: int = PORT) -> socket.socket:
        """A connection from the client to the server."""
        near = self.client.socket()
        prepare(near)
        near.connect((self.server.address, port))
        return near

    def pair(self, listener: socket.socket, prepare: Prepare = as_it_is) -> tuple[socket.socket, socket.socket]:
        """A new connection: the client's socket, the server's. Nobody else may connect or accept meanwhile."""
        near = self.connect(prepare, listener.getsockname()[1])
        return near, accept(listener)

    @contextlib.contextmanager
    def serving(
        self, serve: Callable[[socket.socket], object], prepare: Prepare = as_it_is, ports: Sequence[int] = (PORT,)
    ) -> Iterator[None]:
        """The server runs ``serve`` in a thread for each connection that it accepts, for the length of a ``with`` block."""
        listeners = [self.listener(prepare, port=port) for port in ports]
        for listener in listeners:
            listener.settimeout(None)
            self.start(self._accept, listener, serve)
        try:
            yield
        finally:
            for listener in listeners:
                listener.shutdown(socket.SHUT_RD)  # no socket listens any more, so that accept() fails
            self.join()
            for listener in listeners:
                listener.close()

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], object]) -> None:
        while True:
            try:
                far = accept(listener)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return
                raise
            self.start(serve, far)

    def settle(self, seconds: float = 0.05) -> None:
        """Wait until no packet has passed the client for a while."""
        count = -1
        while (latest := self.client.packets()) != count:
            count = latest
            time.sleep(seconds)

    def join(self) -> None:
        """Wait until everything that was started has ended, and raise what one of them raised."""
        while self._running:
            self._running.pop().result()
