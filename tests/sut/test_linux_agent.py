"""The agent of the running kernel: a call that is said to block does, and nothing is left of one when its case is over."""

from __future__ import annotations

import asyncio
import os
import platform
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from conformance.sut.base import Host, Outcome
from conformance.sut.linux import Linux, LinuxBed
from conformance.wire.segment import ACK, FIN, PSH, SYN, Family

from .needs import namespaces
from .peer import Peer, opened

pytestmark = [namespaces, pytest.mark.parametrize("family", list(Family))]

SYSCALLS = {"accept": (43, 288), "connect": (42,), "recv": (45,), "send": (44,), "close": (3,)}
"""Their numbers on x86_64 (arch/x86/entry/syscalls/syscall_64.tbl)."""


@pytest.fixture(scope="module")
def bed() -> Iterator[LinuxBed]:
    sut = Linux(trace=False)
    one = sut.bed({})
    yield one
    one.close()
    sut.close()


def run(bed: LinuxBed, family: Family, test: Callable[[Peer], Awaitable[None]]) -> None:
    """Run a test with a peer of its own."""

    async def play() -> None:
        with opened(bed, family) as peer:
            await test(peer)

    asyncio.run(play())


def caller(number: int) -> threading.Thread:
    """The thread that makes the call."""
    (thread,) = (thread for thread in threading.enumerate() if thread.name.endswith(f" {number}"))
    return thread


def assert_sleeps(number: int, function: str, handle: int) -> None:
    """The kernel says that the thread sleeps in this system call on this descriptor."""
    task = Path(f"/proc/self/task/{caller(number).native_id}")
    assert (task / "stat").read_text().rpartition(")")[2].split()[0] == "S"
    fields = (task / "syscall").read_text().split()
    assert int(fields[1], 16) == handle
    if platform.machine() == "x86_64":
        assert int(fields[0]) in SYSCALLS[function]


async def blocked(peer: Peer, function: str, handle: int, *arguments: int | Host) -> int:
    """Start a call, and wait until the agent says that it blocks."""
    number = peer.start(function, handle, *arguments)
    await peer.events.until(lambda: number in peer.events.sleeping)
    assert_sleeps(number, function, handle)
    assert number not in peer.events.results
    return number


async def outcome(peer: Peer, number: int) -> Outcome:
    return await peer.events.until(lambda: peer.events.results.get(number))


def test_accept_blocks_until_the_handshake_is_done(bed: LinuxBed, family: Family) -> None:
    async def play(peer: Peer) -> None:
        listener = peer.listener()
        number = await blocked(peer, "accept", listener)
        peer.send(SYN, 0)
        await peer.segment(SYN | ACK)
        assert number not in peer.events.results
        before = time.monotonic_ns()
        peer.send(ACK, 1, 1)
        result = await outcome(peer, number)
        assert result.error is None and result.peer == Host(peer.ends.peer, peer.ends.peer_port)
        assert before <= peer.events.returned_at[number] <= time.monotonic_ns()
        assert peer.state(result.value) == "ESTABLISHED"

    run(bed, family, play)


def test_connect_blocks_until_the_syn_is_answered(bed: LinuxBed, family: Family) -> None:
    async def play(peer: Peer) -> None:
        handle = peer.socket()
        number = await blocked(peer, "connect", handle, Host(peer.ends.peer, peer.ends.peer_port))
        await peer.segment(SYN)
        assert (number in peer.events.results, peer.state(handle)) == (False, "SYN-SENT")
        peer.send(SYN | ACK, 0, 1)
        assert (await outcome(peer, number)).value == 0
        assert peer.state(handle) == "ESTABLISHED"

    run(bed, family, play)


def test_connect_that_is_refused(bed: LinuxBed, family: Family) -> None:
    async def play(peer: Peer) -> None:
        number = await blocked(peer, "connect", peer.socket(), Host(peer.ends.peer, peer.ends.peer_port))
        await peer.segment(SYN)
        peer.send(0x14, 0, 1)
        assert (await outcome(peer, number)).error == "ECONNREFUSED"

    run(bed, family, play)


def test_recv_blocks_until_there_is_data(bed: LinuxBed, family: Family) -> None:
    async def play(peer: Peer) -> None:
        handle = await peer.accepted()
        assert peer.call("recv", handle, 10) == Outcome(error="EAGAIN")
        number = await blocked(peer, "recv", handle, 10)
        peer.send(PSH | ACK, 1, 1, b"hello")
        assert (await outcome(peer, number)).value == b"hello"
        number = await blocked(peer, "recv", handle, 10)
        peer.send(FIN | ACK, 6, 1)
        assert (await outcome(peer, number)).value == b""

    run(bed, family, play)


def test_close_that_lingers_blocks_until_the_fin_is_acknowledged(bed: LinuxBed, family: Family) -> None:
    async def play(peer: Peer) -> None:
        handle = await peer.accepted()
        assert peer.call("setsockopt", handle, "SO_LINGER", 1, 60).error is None
        number = peer.start("close", handle)
        await peer.events.until(lambda: number in peer.events.sleeping)
        assert_sleeps(number, "close", handle)
        await peer.segment(FIN)
        assert number not in peer.events.results
        peer.send(ACK, 1, 2)
        assert (await outcome(peer, number)).value == 0

    run(bed, family, play)


def test_a_call_that_does_not_block_returns(bed: LinuxBed, family: Family) -> None:
    async def play(peer: Peer) -> None:
        handle = await peer.accepted()
        number = peer.start("send", handle, b"hello")
        assert (await outcome(peer, number)).value == 5
        assert (await peer.segment(PSH)).payload == b"hello"

    run(bed, family, play)


# What a case leaves ---------------------------------------------------------------------------------------------------


async def _accept(peer: Peer) -> None:
    await blocked(peer, "accept", peer.listener())


async def _accept_unused(peer: Peer) -> None:
    """A case that no frame belongs to: it names no connection whose end would wake the caller."""
    await _accept(peer)
    peer.ends.sut_port = 0


async def _connect(peer: Peer) -> None:
    await blocked(peer, "connect", peer.socket(), Host(peer.ends.peer, peer.ends.peer_port))
    await peer.segment(SYN)


async def _recv(peer: Peer) -> None:
    await blocked(peer, "recv", await peer.accepted(), 10)


async def _close(peer: Peer) -> None:
    handle = await peer.accepted()
    assert peer.call("setsockopt", handle, "SO_LINGER", 1, 600).error is None
    peer.start("close", handle)
    await peer.segment(FIN)


async def _recv_closed(peer: Peer) -> None:
    handle = await peer.accepted()
    await blocked(peer, "recv", handle, 10)
    assert peer.call("close", handle).error is None


async def _accept_closed(peer: Peer) -> None:
    listener = peer.listener()
    await blocked(peer, "accept", listener)
    assert peer.call("close", listener).error is None


async def _nothing(peer: Peer) -> None:
    await peer.accepted()


@pytest.mark.parametrize("leave", [_accept, _accept_unused, _connect, _recv, _close, _recv_closed, _accept_closed, _nothing])
def test_closing_a_site_ends_what_its_case_left(bed: LinuxBed, family: Family, leave: Callable[[Peer], Awaitable[None]]) -> None:
    threads = set(threading.enumerate())

    async def play() -> None:
        with opened(bed, family) as peer:
            descriptors = set(os.listdir("/proc/self/fd"))
            await leave(peer)
        assert set(threading.enumerate()) <= threads, "a call goes on"
        assert set(os.listdir("/proc/self/fd")) <= descriptors, "a socket is open"
        told = len(peer.events.told)
        await asyncio.sleep(0)
        assert peer.events.told[told:] == [], "a case that is over is told something"
        assert bed.diag.state(peer.ends) == "CLOSED"

    asyncio.run(play())
