"""Programs on a stack: each waits for itself, an error or a kill ends one of them, and what it has open is closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.host.calls import accept, bind, close, connect, join, listen, now, open_socket, recv, send, sendall, sleep, socket, spawn
from conformance.host.process import Killed, ProgramError
from conformance.host.programs import SECOND
from conformance.stack.errors import SocketError
from conformance.stack.sock import Address
from conformance.stack.uapi import AF_INET, SOCK_DGRAM, SOCK_STREAM

from .memory import Memory, local


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory()
    yield memory
    memory.processes.abandon()


async def listening(port: int = 80) -> int:
    fd = await socket(AF_INET, SOCK_STREAM)
    await bind(fd, Address(b"\0\0\0\0", port))
    await listen(fd, 1)
    return fd


def test_what_a_program_returns(memory: Memory) -> None:
    async def program() -> int:
        return await socket(AF_INET, SOCK_DGRAM) + 1

    assert memory.run(program()) == 4


def test_programs_talk(memory: Memory) -> None:
    async def server() -> bytes:
        listener = await listening()
        connection, _ = await accept(listener)
        heard = await recv(connection, 100)
        await close(connection)
        return heard

    async def client() -> bytes:
        async with open_socket(AF_INET, SOCK_STREAM) as fd:
            await connect(fd, local(80))
            await sendall(fd, b"hello")
            return await recv(fd, 100)

    serving, asking = memory.start(server()), memory.start(client())
    memory.until(serving, asking)
    assert (serving.value, asking.value, asking.ended_itself) == (b"hello", b"", True)


def test_an_error_of_a_call_is_raised_where_it_was_made(memory: Memory) -> None:
    async def program() -> str:
        try:
            await send(99, b"")
        except SocketError as error:
            return error.name
        return "none"

    assert memory.run(program()) == "EBADF"


@pytest.mark.parametrize("error", [SocketError("ENOBUFS"), OSError(28, "No space left on device"), ProgramError("enough")])
def test_an_error_ends_one_program_and_whoever_joins_it_gets_it(memory: Memory, error: Exception) -> None:
    async def failing() -> None:
        await sleep(SECOND)
        raise error

    async def parent() -> str:
        child = await spawn(failing())
        try:
            await join(child)
        except type(error) as failure:
            assert failure is error
            await sleep(SECOND)
            return "went on"
        return "nothing happened"

    assert memory.run(parent()) == "went on" and memory.net.now == 2 * SECOND and not memory.processes.alive


def test_a_mistake_of_a_program_is_not_hidden(memory: Memory) -> None:
    async def wrong() -> None:
        await sleep(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        memory.run(wrong())


def test_join_gives_what_the_other_returned(memory: Memory) -> None:
    async def child(duration: int) -> int:
        await sleep(duration)
        return duration

    async def parent() -> list[object]:
        children = [await spawn(child(duration)) for duration in (3, 0, 5)]
        return [await join(each) for each in children]

    assert memory.run(parent()) == [3, 0, 5]


def test_sleep_takes_its_time(memory: Memory) -> None:
    async def program() -> int:
        await sleep(2 * SECOND)
        await sleep(0)
        return await now()

    assert memory.run(program()) == 2 * SECOND


@pytest.mark.parametrize("waits_in", ["accept", "recv", "sleep", "join", "nothing"])
def test_a_program_that_is_killed_closes_what_it_has_open(memory: Memory, waits_in: str) -> None:
    async def forever() -> None:
        await sleep(10**18)

    async def program() -> None:
        child = await spawn(forever())
        async with open_socket(AF_INET, SOCK_DGRAM) as datagrams, open_socket(AF_INET, SOCK_STREAM) as stream:
            await bind(datagrams, local(53))
            if waits_in == "accept":
                await listen(stream, 1)
                await accept(stream)
            await (recv(datagrams, 1) if waits_in == "recv" else sleep(10**18) if waits_in == "sleep" else join(child))

    process = memory.processes.start(program())
    if waits_in != "nothing":
        memory.processes.run()
        assert len(memory.net.files) == 2
    memory.processes.kill(process)
    memory.processes.run()
    assert process.done and not process.ended_itself and process.error is None and not memory.net.files


def test_a_program_that_is_killed_may_wait_on_its_way_out_until_it_is_killed_again(memory: Memory) -> None:
    seen = []

    async def program() -> None:
        try:
            await sleep(10**18)
        finally:
            try:
                await sleep(10 * SECOND)
            except Killed:
                seen.append("again")
                raise

    process = memory.start(program())
    memory.processes.kill(process)
    memory.processes.run()
    assert not process.done
    memory.processes.kill(process)
    memory.processes.kill(process)
    memory.processes.run()
    assert process.done and seen == ["again"]
    memory.processes.kill(process)
