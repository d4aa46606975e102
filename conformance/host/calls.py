"""What a program calls, under the names of the system calls. Each takes an ``await``, blocks this program alone, fails with SocketError.

::

    async def greet(port: int) -> None:
        listener = await socket(AF_INET6, SOCK_STREAM)
        await bind(listener, Address(bytes(16), port))
        await listen(listener, 1)
        connection, _ = await accept(listener)
        await send(connection, b"hello")
        await close(connection)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from conformance.host.process import Killed, Process, Processes, Program, Request
from conformance.stack.sock import Address
from conformance.stack.timers import Timer

__all__ = [
    "accept", "bind", "close", "connect", "getpeername", "getsockname", "getsockopt", "join", "listen", "now", "open_socket", "ppoll",
    "recv", "recvfrom", "send", "sendall", "sendto", "setsockopt", "shutdown", "sleep", "socket", "spawn",
]  # fmt: skip


async def socket(family: int, kind: int, protocol: int = 0) -> int:
    """A descriptor."""
    return int(await _Call("socket", family, kind, protocol))


async def bind(fd: int, address: Address) -> None:
    """Give the socket its own address."""
    await _Call("bind", fd, address)


async def listen(fd: int, backlog: int) -> None:
    """Take connections."""
    await _Call("listen", fd, backlog)


async def accept(fd: int) -> tuple[int, Address]:
    """The next connection, and whose it is."""
    connection, peer = await _Call("accept", fd)
    return connection, peer


async def connect(fd: int, address: Address) -> None:
    """Connect to a peer."""
    await _Call("connect", fd, address)


async def send(fd: int, data: bytes, flags: int = 0) -> int:
    """How many octets the socket took."""
    return int(await _Call("sendto", fd, data, flags))


async def sendall(fd: int, data: bytes) -> None:
    """Send until the socket has taken all of it (no system call: what every program writes itself)."""
    sent = await send(fd, data)
    while sent < len(data):
        sent += await send(fd, data[sent:])


async def sendto(fd: int, data: bytes, address: Address, flags: int = 0) -> int:
    """Send a datagram."""
    return int(await _Call("sendto", fd, data, flags, address))


async def recv(fd: int, size: int, flags: int = 0) -> bytes:
    """What came; nothing: the peer has sent all that it had."""
    data, _ = await recvfrom(fd, size, flags)
    return data


async def recvfrom(fd: int, size: int, flags: int = 0) -> tuple[bytes, Address | None]:
    """A datagram, and whose it is."""
    data, peer = await _Call("recvfrom", fd, size, flags)
    return data, peer


async def shutdown(fd: int, how: int) -> None:
    """End one direction, or both."""
    await _Call("shutdown", fd, how)


async def close(fd: int) -> None:
    """Give the descriptor back."""
    await _Call("close", fd)


async def getsockname(fd: int) -> Address:
    """The socket's own address."""
    address: Address = await _Call("getsockname", fd)
    return address


async def getpeername(fd: int) -> Address:
    """The peer's."""
    address: Address = await _Call("getpeername", fd)
    return address


async def setsockopt(fd: int, name: str, value: int | bytes) -> None:
    """Set an option, by the name of its constant."""
    await _Call("setsockopt", fd, name, value)


async def getsockopt(fd: int, name: str) -> int | bytes:
    """What an option is."""
    value: int | bytes = await _Call("getsockopt", fd, name)
    return value


async def ppoll(watched: Iterable[tuple[int, int]], timeout: int | None = None) -> list[tuple[int, int]]:
    """Wait until one of these descriptors has one of its events, at most so many ns; those that have."""
    happened: list[tuple[int, int]] = await _Call("ppoll", list(watched), timeout)
    return happened


async def spawn(program: Program, name: str = "") -> Process:
    """Start another program beside this one."""
    process: Process = await _Spawn(program, name)
    return process


async def join(process: Process) -> object:
    """Wait until a program has ended; what it returned, or the error that ended it."""
    return await _Join(process)


async def sleep(duration: int) -> None:
    """Do nothing, for so many ns."""
    await _Sleep(duration)


async def now() -> int:
    """The stack's time, in ns."""
    return int(await _Sleep(0))


@asynccontextmanager
async def open_socket(family: int, kind: int, protocol: int = 0) -> AsyncIterator[int]:
    """A descriptor that is closed at the end of the ``async with`` block."""
    fd = await socket(family, kind, protocol)
    try:
        yield fd
    finally:
        await close(fd)


class _Call(Request):
    """A call of the stack's."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name, self.arguments = name, arguments

    def begin(self, processes: Processes, process: Process) -> None:
        task = processes.net.call(self.name, *self.arguments, tag=process)
        if not task.done:
            process.task = task

    def interrupt(self, processes: Processes, process: Process) -> None:
        if process.task is not None:
            processes.net.signal(process.task)


class _Spawn(Request):
    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name

    def begin(self, processes: Processes, process: Process) -> None:
        processes.wake(process, processes.start(self.program, self.name))

    def interrupt(self, processes: Processes, process: Process) -> None:
        """It does not wait."""


class _Join(Request):
    def __init__(self, other: Process) -> None:
        self.other = other

    def begin(self, processes: Processes, process: Process) -> None:
        if self.other.done:
            processes.wake(process, self.other.value, self.other.error)
        else:
            self.other.heirs.append(process)

    def interrupt(self, processes: Processes, process: Process) -> None:
        if process in self.other.heirs:
            self.other.heirs.remove(process)
            processes.wake(process, error=Killed())


class _Sleep(Request):
    def __init__(self, duration: int) -> None:
        self.duration = duration
        self.timer: Timer | None = None

    def begin(self, processes: Processes, process: Process) -> None:
        if self.duration <= 0:
            processes.wake(process, processes.net.now)
            return
        self.timer = processes.net.timer(lambda: processes.wake(process, processes.net.now))
        self.timer.reset(processes.net.now + self.duration)

    def interrupt(self, processes: Processes, process: Process) -> None:
        if self.timer is not None and self.timer.pending:
            self.timer.stop()
            processes.wake(process, error=Killed())
