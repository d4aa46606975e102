"""Programs for a host, small enough to be examples of how to write one: an echo server, and a sender and a receiver of many octets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from random import Random

from conformance.host.calls import (
    accept,
    bind,
    close,
    connect,
    getsockname,
    listen,
    now,
    open_socket,
    recv,
    recvfrom,
    sendall,
    sendto,
    setsockopt,
    shutdown,
    sleep,
    spawn,
)
from conformance.host.process import Program
from conformance.stack.errors import SocketError
from conformance.stack.sock import Address
from conformance.stack.uapi import AF_INET6, SHUT_WR, SOCK_DGRAM, SOCK_STREAM

__all__ = ["CHUNK", "SECOND", "Say", "echo_server", "generated", "receiver", "sender", "serve", "text"]

Say = Callable[[str], object]
"""Takes a line for the program's user."""

SECOND = 1_000_000_000
CHUNK = 1 << 16
"""Octets in one call."""
_ANY = bytes(16)
"""The address ``::``: a socket of IPv6 that is bound to it takes IPv4 too."""
_BACKLOG = 128
_PATIENCE = 60 * SECOND
"""How long a peer may keep a server waiting."""
_PASSES = ("ECONNABORTED", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")
"""What ``accept`` says of a connection that is gone, or that there is no room for now."""


async def serve(port: int, handler: Callable[[int, Address], Program], say: Say, what: str) -> None:
    """Take connections on a port for ever, over IPv4 and IPv6, each with a program of its own, which closes it."""
    async with open_socket(AF_INET6, SOCK_STREAM) as listener:
        await setsockopt(listener, "SO_REUSEADDR", 1)
        await bind(listener, Address(_ANY, port))
        await listen(listener, _BACKLOG)
        say(f"{what} on {text(await getsockname(listener))}")
        while True:
            try:
                connection, peer = await accept(listener)
            except SocketError as error:
                if error.name not in _PASSES:
                    raise
                await sleep(SECOND // 10)
                continue
            await spawn(handler(connection, peer), f"{what} for {text(peer)}")


async def echo_server(port: int, say: Say) -> None:
    """Send back what comes, over TCP and UDP (RFC 862)."""
    await spawn(_echo_datagrams(port), "echo over UDP")
    await serve(port, _echo, say, "echo")


async def _echo(connection: int, _: Address) -> None:
    try:
        while data := await recv(connection, CHUNK):
            await sendall(connection, data)
    finally:
        await close(connection)


async def _echo_datagrams(port: int) -> None:
    async with open_socket(AF_INET6, SOCK_DGRAM) as fd:
        await bind(fd, Address(_ANY, port))
        while True:
            data, peer = await recvfrom(fd, CHUNK)
            if peer is None or peer.port == port:  # two echo servers would never stop
                continue
            try:
                await sendto(fd, data, peer)
            except SocketError:  # datagrams may be lost
                continue


async def sender(peer: Address, count: int, say: Say) -> Transfer:
    """Connect, send so many generated octets, and wait until the peer has closed too."""
    transfer = Transfer()
    async with open_socket(peer.family, SOCK_STREAM) as fd:
        await connect(fd, peer)
        began = await now()
        for data in generated(count):
            await sendall(fd, data)
            transfer.add(data)
        await shutdown(fd, SHUT_WR)
        while await recv(fd, CHUNK):
            pass
        transfer.duration = await now() - began
    say(f"sent {transfer} to {text(peer)}")
    return transfer


async def receiver(port: int, say: Say) -> None:
    """Take what peers send, for ever, and say of each how much it was."""

    async def receive(connection: int, peer: Address) -> None:
        transfer = Transfer()
        try:
            began = await now()
            while data := await recv(connection, CHUNK):
                transfer.add(data)
            transfer.duration = await now() - began
        finally:
            await close(connection)
        say(f"received {transfer} from {text(peer)}")

    await serve(port, receive, say, "receiver")


# What they share ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Transfer:
    """How much was sent or received, in what time, and a check sum to compare."""

    octets: int = 0
    duration: int = 0
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, data: bytes) -> None:
        """So much more."""
        self.octets += len(data)
        self.sha256.update(data)

    def __str__(self) -> str:
        rate = self.octets * 1000 / self.duration if self.duration else 0.0
        return f"{self.octets} octets in {self.duration / SECOND:.3f} s, {rate:.2f} MB/s, sha256 {self.sha256.hexdigest()}"


def generated(count: int) -> Iterator[bytes]:
    """So many octets, always the same for a count: those of Python's ``random.Random(count)``, in chunks."""
    rng = Random(count)
    for start in range(0, count, CHUNK):
        yield rng.randbytes(min(CHUNK, count - start))


def text(address: Address) -> str:
    """An address as it stands in a URL; one of IPv4 in that of IPv6 as itself."""
    host = ip_address(address.host)
    if isinstance(host, IPv6Address):
        return f"{host.ipv4_mapped}:{address.port}" if host.ipv4_mapped else f"[{host}]:{address.port}"
    return f"{host}:{address.port}"


async def set_patience(connection: int, duration: int = _PATIENCE) -> None:
    """A call on the connection waits no longer than that; then it fails with EAGAIN."""
    for option in ("SO_RCVTIMEO", "SO_SNDTIMEO"):
        await setsockopt(connection, option, duration)
