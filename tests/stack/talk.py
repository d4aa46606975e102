"""Two programs that talk over one connection, and how: what they write and read, when, with which options, and how they end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from conformance.host.calls import (
    accept,
    bind,
    close,
    connect,
    join,
    listen,
    ppoll,
    recv,
    send,
    sendto,
    setsockopt,
    shutdown,
    sleep,
    socket,
    spawn,
)  # fmt: skip
from conformance.stack.errors import SocketError
from conformance.stack.sock import Address
from conformance.stack.sysctl import MS
from conformance.stack.uapi import (
    AF_INET,
    AF_INET6,
    MSG_DONTWAIT,
    MSG_FASTOPEN,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    POLLIN,
    POLLOUT,
    SHUT_WR,
    SOCK_STREAM,
)  # fmt: skip
from tests.stack.brief import Brief

__all__ = ["Side", "connecting", "content", "crossing", "expected", "serving"]

PORTS = (40000, 80)


@dataclass(frozen=True, repr=False)
class Side(Brief):
    """One program."""

    writes: tuple[int, ...] = (1000,)
    """Octets of each call."""
    reads: tuple[int, ...] = (4096,)
    """The same, again and again."""
    pauses: tuple[int, ...] = ()
    """ms before its first reads, and before its first writes."""
    options: tuple[tuple[str, int], ...] = ()
    polls: bool = False
    """Its calls do not block; it sleeps in ppoll."""
    more: bool = False
    """Every second write says that more comes."""
    peeks: bool = False
    whole: bool = False
    """Reads with MSG_WAITALL."""
    urgent: int | None = None
    """Which write ends in an urgent octet."""
    inline: bool = True
    """The peer's urgent octet is read among the others."""
    ending: str = "shutdown"
    """``shutdown`` when all is written, ``close`` only when the peer has ended, or ``late``: it begins to write only then."""
    seed: int = 0


def content(side: Side) -> bytes:
    """All that it writes."""
    return Random(side.seed).randbytes(sum(side.writes))


def expected(side: Side, peer: Side) -> bytes:
    """What the peer reads of it."""
    octets = content(side)
    if side.urgent is None or peer.inline:
        return octets
    end = sum(side.writes[: side.urgent + 1])
    return octets[: end - 1] + octets[end:]


async def prepared(version: int, side: Side) -> int:
    """A socket with its options."""
    fd = await socket(AF_INET if version == 4 else AF_INET6, SOCK_STREAM)
    await setsockopt(fd, "SO_OOBINLINE", side.inline)
    for name, value in side.options:
        await setsockopt(fd, name, value)
    return fd


async def connecting(version: int, side: Side, server: Address, fast: bool = False) -> bytes:
    """The client; what it has read."""
    fd = await prepared(version, side)
    first = 0
    if fast:
        first = await sendto(fd, content(side)[: side.writes[0]] if side.writes else b"", server, MSG_FASTOPEN)
    else:
        await connect(fd, server)
    return await talk(fd, side, first)


async def serving(version: int, side: Side, own: Address, accepted: Callable[[], object]) -> bytes:
    """The server, for one connection; what it has read."""
    listener = await prepared(version, side)
    await setsockopt(listener, "TCP_FASTOPEN", 1)
    await bind(listener, own)
    await listen(listener, 1)
    fd, _ = await accept(listener)
    accepted()
    try:
        return await talk(fd, side, 0)
    finally:
        await close(listener)


async def crossing(version: int, side: Side, own: Address, peer: Address) -> bytes:
    """One of two that connect to each other at the same time."""
    fd = await prepared(version, side)
    await bind(fd, own)
    await connect(fd, peer)
    return await talk(fd, side, 0)


async def talk(fd: int, side: Side, first: int) -> bytes:
    """Both directions at once, until both have ended."""
    reader = await spawn(reading(fd, side), "reader")
    if side.ending == "late":
        await join(reader)
    writer = await spawn(writing(fd, side, first), "writer")
    await join(writer)
    got = await join(reader)
    await close(fd)
    assert isinstance(got, bytes)
    return got


async def writing(fd: int, side: Side, first: int) -> None:
    """All that it has to say; ``first``: so much of it went with the SYN."""
    octets, start = content(side), 0
    pauses = list(side.pauses)
    for number, size in enumerate(side.writes):
        end = start + size
        if pauses and number:
            await sleep(pauses.pop() * MS)
        start = max(start, first)
        urgent = number == side.urgent
        while start < end - urgent:
            start += await patient_send(fd, octets[start : end - urgent], MSG_MORE if side.more and number % 2 else 0, side.polls)
        if urgent:
            start += await patient_send(fd, octets[start:end], MSG_OOB, side.polls)
    if side.ending != "close":
        await shutdown(fd, SHUT_WR)


async def patient_send(fd: int, data: bytes, flags: int, polls: bool) -> int:
    """One call that takes at least an octet."""
    while polls:
        try:
            return await send(fd, data, flags | MSG_DONTWAIT)
        except SocketError as error:
            if error.name != "EAGAIN":
                raise
        await ppoll([(fd, POLLOUT)])
    return await send(fd, data, flags)


async def reading(fd: int, side: Side) -> bytes:
    """All that comes until the peer has ended."""
    got, number = bytearray(), 0
    pauses = list(side.pauses)
    while True:
        if pauses:
            await sleep(pauses.pop(0) * MS)
        size = side.reads[number % len(side.reads)]
        number += 1
        data = await patient_recv(fd, size, side)
        if not data:
            return bytes(got)
        assert len(data) <= size
        got += data


async def patient_recv(fd: int, size: int, side: Side) -> bytes:
    """One call that gives at least an octet, unless the peer has ended."""
    before = b""
    if side.peeks:
        before = await recv(fd, size, MSG_PEEK)
    data = None
    while side.polls and data is None:
        try:
            data = await recv(fd, size, MSG_DONTWAIT)
        except SocketError as error:
            if error.name != "EAGAIN":
                raise
            await ppoll([(fd, POLLIN)])
    if data is None:
        data = await recv(fd, size, MSG_WAITALL if side.whole else 0)
    if side.peeks:
        assert data[: len(before)] == before[: len(data)] and bool(data) == bool(before), "what was peeked at is not what is read"
    return data
