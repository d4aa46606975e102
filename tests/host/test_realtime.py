"""A host in real time, on a pair of sockets in place of a TAP device."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.host.calls import bind, open_socket, recvfrom, sendto, sleep
from conformance.host.programs import SECOND, echo_server
from conformance.host.realtime import Host, HostOptions
from conformance.host.signals import Signals
from conformance.link.impaired import Impairment
from conformance.stack.sock import Address
from conformance.stack.uapi import AF_INET, SOCK_DGRAM
from conformance.wire.checksum import finish, ones_sum

MS = 1_000_000
LIMIT = 30
OWN, PEER = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
OWN_MAC, PEER_MAC = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"


class Wire:
    """The device of one host, and the other end of it."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.near.setblocking(False)
        self.far.settimeout(LIMIT)
        self.tap: Any = SimpleNamespace(name="tap0", mtu=lambda: 1500, fileno=self.near.fileno, read=self._read, write=self._write)

    def _read(self) -> bytes | None:
        try:
            return self.near.recv(1 << 16)
        except BlockingIOError:
            return None

    def _write(self, frame: bytes) -> bool:
        return self.near.send(frame) == len(frame)

    def host(self, **options: Any) -> Host:
        host = Host(self.tap, HostOptions(mac=OWN_MAC, **options))
        host.net.add_address(host.device, OWN, 24)
        return host

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Signals() as signals:
        yield signals
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def arp_request() -> bytes:
    return b"\xff" * 6 + PEER_MAC + bytes.fromhex("0806000108000604 0001") + PEER_MAC + PEER + bytes(6) + OWN


def datagram(payload: bytes, port: int, source: int = 9) -> bytes:
    udp = source.to_bytes(2, "big") + port.to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    header = bytes.fromhex("4500") + (20 + len(udp)).to_bytes(2, "big") + bytes.fromhex("00000000 4011 0000") + PEER + OWN
    return OWN_MAC + PEER_MAC + b"\x08\x00" + header[:10] + finish(ones_sum(header)).to_bytes(2, "big") + header[12:] + udp


async def forever() -> None:
    await sleep(10**18)


def after(seconds: float, work: Any) -> None:
    """Do it while the host runs."""
    threading.Timer(seconds, work).start()


def test_frames_come_in_and_answers_go_out(wire: Wire, signals: Signals) -> None:
    host = wire.host()

    async def program() -> tuple[bytes, Address | None]:
        async with open_socket(AF_INET, SOCK_DGRAM) as fd:
            await bind(fd, Address(OWN, 53))
            data, peer = await recvfrom(fd, 100)
            assert peer is not None
            await sendto(fd, data + b" back", peer)
            return data, peer

    process = host.processes.start(program())
    host.processes.run()
    for frame in (arp_request(), datagram(b"hello", 53)):
        wire.far.send(frame)
    host.run(signals)
    assert process.value == (b"hello", Address(PEER, 9)) and not host.failed
    frames = [wire.far.recv(2000) for _ in range(2)]
    assert frames[0][12:14] == b"\x08\x06" and frames[1].endswith(b"hello back") and frames[1][:12] == PEER_MAC + OWN_MAC


def test_two_echo_servers_do_not_talk_for_ever(wire: Wire, signals: Signals) -> None:
    host = wire.host()
    host.processes.start(echo_server(7, str))
    host.processes.run()
    for frame in (arp_request(), datagram(b"from an echo server", 7, 7), datagram(b"hello", 7)):
        wire.far.send(frame)
    after(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    host.run(signals)
    wire.far.recv(2000)
    assert wire.far.recv(2000).endswith(b"hello")


def test_timers_go_by_the_machines_clock(wire: Wire, signals: Signals) -> None:
    host = wire.host()

    async def program() -> None:
        await sleep(50 * MS)

    host.processes.start(program())
    began = time.monotonic_ns()
    host.run(signals)
    assert 50 * MS <= time.monotonic_ns() - began < LIMIT * SECOND


def test_the_host_sleeps_while_nothing_happens(wire: Wire, signals: Signals) -> None:
    host = wire.host()
    host.processes.start(forever())
    began = time.process_time()
    after(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    host.run(signals)
    assert time.process_time() - began < 0.3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_programs_and_closes_what_is_open(wire: Wire, signals: Signals, number: int) -> None:
    host, closed = wire.host(), []

    async def program() -> None:
        async with open_socket(AF_INET, SOCK_DGRAM):
            try:
                await sleep(10**18)
            finally:
                closed.append(True)

    process = host.processes.start(program())
    after(0.1, lambda: os.kill(os.getpid(), number))
    host.run(signals)
    assert closed and process.done and not process.ended_itself and signals.first == number and not host.net.files


def test_a_second_signal_ends_what_the_first_did_not(wire: Wire, signals: Signals) -> None:
    host = wire.host()

    async def stubborn() -> None:
        try:
            await sleep(10**18)
        finally:
            await sleep(10**18)

    host.processes.start(stubborn())
    for seconds in (0.1, 0.3):
        after(seconds, lambda: os.kill(os.getpid(), signal.SIGTERM))
    host.run(signals)
    assert signals.count == 2


def test_a_link_that_loses_everything(wire: Wire, signals: Signals) -> None:
    host = wire.host(impairment=Impairment(loss=1.0))
    host.processes.start(forever())
    wire.far.send(arp_request())
    after(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    host.run(signals)
    wire.far.setblocking(False)
    assert host.incoming.counts["lost"] == 1
    with pytest.raises(BlockingIOError):
        wire.far.recv(100)


def test_a_link_that_delays_and_duplicates_both_ways(wire: Wire, signals: Signals) -> None:
    host = wire.host(impairment=Impairment(duplicate=1.0, delay=30 * MS))
    host.processes.start(forever())
    began = time.monotonic_ns()
    wire.far.send(arp_request())
    after(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    host.run(signals)
    answers = [wire.far.recv(100) for _ in range(4)]
    assert len(set(answers)) == 1 and host.incoming.counts["taken"] == 2 and time.monotonic_ns() - began >= 60 * MS


def test_a_program_that_fails_is_told_and_others_go_on(wire: Wire, signals: Signals) -> None:
    host = wire.host()

    async def failing() -> None:
        raise OSError(28, "No space left on device")

    async def other() -> str:
        await sleep(10 * MS)
        return "done"

    host.processes.start(failing())
    going = host.processes.start(other())
    host.run(signals)
    assert going.value == "done" and [(process.name, str(process.error)) for process in host.failed] == [
        ("failing", "[Errno 28] No space left on device")
    ]
