"""States as the kernel tells them: each transition by the tracepoint, and each state by sock_diag."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from conformance.link.errors import EnvironmentFault
from conformance.link.netns import Namespace
from conformance.sut.base import Host, Transition
from conformance.sut.linux import Linux, LinuxBed
from conformance.sut.linux_diag import SockDiag
from conformance.sut.linux_trace import StateTracer
from conformance.trace import Endpoints
from conformance.wire.segment import ACK, FIN, RST, SYN, Family

from .needs import namespaces
from .peer import LIMIT, Peer, opened

pytestmark = [namespaces, pytest.mark.parametrize("family", list(Family))]

MS = 1_000_000
KERNEL = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}
LOOPBACK = {Family.IPV4: "127.0.0.1", Family.IPV6: "::1"}


@pytest.fixture(scope="module")
def bed() -> Iterator[LinuxBed]:
    sut = Linux(trace=False)
    one = sut.bed({})
    yield one
    one.close()
    sut.close()


@pytest.fixture
def tracer() -> Iterator[StateTracer]:
    try:
        one = StateTracer()
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    yield one
    one.close()


@dataclass
class Host2Host:
    """Two sockets on one host, of which no tester knows: the kernel plays both ends."""

    diag: SockDiag
    listener: socket.socket
    client: socket.socket
    server: socket.socket

    def ends(self, own: socket.socket) -> Endpoints:
        """The connection as the stack has it that ``own`` belongs to."""
        other = self.server if own is self.client else self.client
        (host, port), (peer, peer_port) = own.getsockname()[:2], other.getsockname()[:2]
        family = own.family
        return Endpoints("default", socket.inet_pton(family, peer), peer_port, socket.inet_pton(family, host), port, 0)

    def wait_for(self, ends: Endpoints, state: str) -> None:
        """The kernel delivers on its own time."""
        deadline = time.monotonic() + LIMIT
        while (now := self.diag.state(ends)) != state:
            assert time.monotonic() < deadline, f"the state is {now}, not {state}"
            time.sleep(0.001)


@pytest.fixture
def hosts(family: Family) -> Iterator[Host2Host]:
    from pyroute2 import IPRoute

    namespace = Namespace()
    with namespace.entered(), contextlib.ExitStack() as stack:
        with IPRoute() as netlink:
            netlink.link("set", index=netlink.link_lookup(ifname="lo")[0], state="up")
        diag = SockDiag()
        stack.callback(diag.close)
        listener = stack.enter_context(socket.create_server((LOOPBACK[family], 0), family=KERNEL[family]))
        client = stack.enter_context(socket.create_connection(listener.getsockname()[:2], LIMIT))
        server = stack.enter_context(listener.accept()[0])
        yield Host2Host(diag, listener, client, server)
    namespace.close()


def test_states_of_both_ends_of_a_connection(hosts: Host2Host) -> None:
    client, server = hosts.ends(hosts.client), hosts.ends(hosts.server)
    assert (hosts.diag.state(client), hosts.diag.state(server)) == ("ESTABLISHED", "ESTABLISHED")
    hosts.client.shutdown(socket.SHUT_WR)
    hosts.wait_for(server, "CLOSE-WAIT")
    hosts.wait_for(client, "FIN-WAIT-2")
    hosts.server.close()
    hosts.wait_for(client, "TIME-WAIT")
    assert hosts.diag.state(server) == "LISTEN", "there is only the listener left"
    hosts.listener.close()
    assert hosts.diag.state(server) == "CLOSED"
    hosts.diag.destroy(client)
    assert hosts.diag.state(client) == "CLOSED"


def test_a_connection_that_is_destroyed_is_gone(hosts: Host2Host) -> None:
    client, server = hosts.ends(hosts.client), hosts.ends(hosts.server)
    hosts.diag.destroy(server)
    assert hosts.diag.state(server) == "LISTEN"
    hosts.diag.destroy(server)
    assert hosts.diag.state(server) == "LISTEN", "a listener is no connection"
    hosts.diag.destroy(server, listener=True)
    assert hosts.diag.state(server) == "CLOSED"
    hosts.diag.destroy(client)
    assert hosts.diag.state(client) == "CLOSED"
    with pytest.raises(OSError):
        hosts.client.send(b"x")


def test_sock_diag_sees_only_its_own_namespace(hosts: Host2Host) -> None:
    namespace = Namespace()
    with namespace.entered():
        other = SockDiag()
    assert other.state(hosts.ends(hosts.client)) == "CLOSED"
    assert hosts.diag.state(hosts.ends(hosts.client)) == "ESTABLISHED"
    other.close()
    namespace.close()


# A peer that a test plays ---------------------------------------------------------------------------------------------


async def _wait_for(peer: Peer, state: str) -> None:
    async with asyncio.timeout(LIMIT):
        while peer.state() != state:
            await asyncio.sleep(0.001)


async def _active(peer: Peer) -> None:
    handle = peer.socket()
    assert peer.call("connect", handle, Host(peer.ends.peer, peer.ends.peer_port)).error == "EINPROGRESS"
    await peer.segment(SYN)
    assert peer.state() == "SYN-SENT"
    peer.send(SYN, 0)
    await _wait_for(peer, "SYN-RECEIVED")
    peer.send(ACK, 1, 1)
    await _wait_for(peer, "ESTABLISHED")
    peer.send(FIN | ACK, 1, 1)
    await _wait_for(peer, "CLOSE-WAIT")
    peer.call("close", handle)
    await peer.segment(FIN)
    await _wait_for(peer, "LAST-ACK")
    peer.send(ACK, 2, 2)
    await _wait_for(peer, "CLOSED")


async def _passive(peer: Peer) -> None:
    listener = peer.listener()
    assert peer.state() == "LISTEN"
    peer.send(SYN, 0)
    await peer.segment(SYN | ACK)
    assert peer.state() == "SYN-RECEIVED"
    peer.send(ACK, 1, 1)
    await _wait_for(peer, "ESTABLISHED")
    handle = peer.call("accept", listener).value
    assert isinstance(handle, int)
    peer.call("close", handle)
    await peer.segment(FIN)
    assert peer.state() == "FIN-WAIT-1"
    peer.send(FIN | ACK, 1, 1)
    await _wait_for(peer, "CLOSING")
    peer.send(ACK, 2, 2)
    await _wait_for(peer, "TIME-WAIT")


async def _reset(peer: Peer) -> None:
    await peer.accepted()
    assert peer.state() == "ESTABLISHED"
    peer.send(RST, 1)
    await _wait_for(peer, "LISTEN")


@pytest.mark.parametrize("life", [_active, _passive, _reset])
def test_states_that_have_no_socket_are_seen_too(bed: LinuxBed, family: Family, life: object) -> None:
    async def play() -> None:
        with opened(bed, family) as peer:
            await life(peer)  # type: ignore[operator]

    asyncio.run(play())


LIVES = {
    _active: ["CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"],
    _passive: ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "CLOSED"],
    _reset: ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"],
}


@pytest.mark.parametrize("life", list(LIVES))
def test_the_tracepoint_tells_every_transition(bed: LinuxBed, tracer: StateTracer, family: Family, life: object) -> None:
    """Linux closes the socket when TIME-WAIT begins; the agent asks sock_diag what became of it."""
    moves: list[Transition] = []
    ends: list[Endpoints] = []

    async def play() -> None:
        with opened(bed, family) as peer:
            tracer.read()
            before = time.monotonic_ns()
            await life(peer)  # type: ignore[operator]
            moves.extend(move for move in tracer.read() if move.remote == peer.ends.peer)
            assert all(before - MS <= move.t <= time.monotonic_ns() + MS for move in moves)
            ends.append(peer.ends)

    asyncio.run(play())
    assert [move.old for move in moves[:1]] + [move.new for move in moves] == LIVES[life]
    assert all(one.new == other.old for one, other in itertools.pairwise(moves))
    assert [move.t for move in moves] == sorted(move.t for move in moves)
    assert {(move.remote_port, move.local_port) for move in moves[1:]} == {(ends[0].peer_port, ends[0].sut_port)}


def test_transitions_that_were_lost_disturb_the_case(family: Family) -> None:
    sut = Linux()
    if not sut.traces:
        sut.close()
        pytest.skip("the tracepoint cannot be read")
    bed = sut.bed({})

    async def play() -> None:
        with opened(bed, family) as peer:
            peer.listener()
            peer.site.agent.transitions([peer.ends])
            assert peer.site.disturbed() is None
            sut._tracer._instance.write("buffer_size_kb", "4")  # type: ignore[union-attr]
            with bed._pair.sut.entered(), socket.create_server((LOOPBACK[family], 0), family=KERNEL[family]) as server:
                for _ in range(200):  # some 4 transitions each
                    with socket.create_connection(server.getsockname()[:2]), server.accept()[0]:
                        pass
            peer.site.agent.transitions([peer.ends])
            assert "the kernel's trace lost" in str(peer.site.disturbed())
            with opened(bed, family) as later:
                assert later.site.disturbed() is None

    try:
        asyncio.run(play())
    finally:
        bed.close()
        sut.close()


def test_what_was_read_is_not_read_again(bed: LinuxBed, tracer: StateTracer, family: Family) -> None:
    async def play() -> None:
        with opened(bed, family) as peer:
            await peer.accepted()
            assert [move.new for move in tracer.read() if move.remote == peer.ends.peer] == ["SYN-RECEIVED", "ESTABLISHED"]
            assert [move for move in tracer.read() if move.remote == peer.ends.peer] == []

    asyncio.run(play())
