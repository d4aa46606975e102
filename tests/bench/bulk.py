"""How fast two reference stacks in memory carry one stream of octets: a row of ``make bench``, and ``python -m tests.bench.bulk``."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from conformance.host.calls import accept, bind, close, connect, listen, recv, sendall, socket
from conformance.host.process import Processes
from conformance.stack.net import Device, Net
from conformance.stack.sock import Address
from conformance.stack.sysctl import Sysctl
from conformance.stack.uapi import AF_INET, AF_INET6, SOCK_STREAM

__all__ = ["Bulk", "bulk_transfer"]

PORT = 5001
CHUNK = 1 << 16
ADDRESSES = {
    4: (bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))),
    6: (bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")),
}
PREFIX = {4: 24, 6: 64}
DELAY = 50_000
"""ns of virtual time that a frame is on its way."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One transfer."""

    octets: int
    mtu: int
    seconds: float
    """Of the processor, from ``connect`` until the last octet is read."""
    virtual: float
    """Of the stacks' own clock."""
    frames: int

    @property
    def rate(self) -> float:
        """MB/s."""
        return self.octets / self.seconds / 1e6

    def __str__(self) -> str:
        frame = self.seconds / self.frames * 1e6
        return (
            f"{self.rate:.1f} MB/s, MTU {self.mtu}: {self.octets} octets in {self.seconds:.2f} s, {self.frames} frames, {frame:.1f} µs each"
        )


class _Pair:
    """Two stacks, and frames that are under way between them for an equal time each."""

    def __init__(self, version: int, mtu: int, sysctl: Sysctl) -> None:
        self.now = 0
        self.wire: deque[tuple[int, int, bytes]] = deque()
        self.frames = 0
        self.nets = [Net(sysctl, Random(number)) for number in (1, 2)]
        self.processes = [Processes(net) for net in self.nets]
        self.devices: list[Device] = []
        for number, net in enumerate(self.nets):
            device = net.add_device("eth0", bytes((2, 0, 0, 0, 0, number + 1)), mtu, self._transmitter(1 - number))
            net.add_address(device, ADDRESSES[version][number], PREFIX[version])
            self.devices.append(device)

    def _transmitter(self, to: int) -> Callable[[bytes], object]:
        put = self.wire.append
        return lambda frame: put((self.now + DELAY, to, frame))

    def run_until(self, done: Callable[[], bool]) -> None:
        """Let virtual time pass until ``done()``."""
        wire, nets, devices, processes = self.wire, self.nets, self.devices, self.processes
        while True:
            for some in processes:
                some.run()
            if done():
                return
            timers = [at for net in nets if (at := net.next_timer()) is not None]
            at = min(timers, default=None)
            if wire and (at is None or wire[0][0] <= at):
                self.now = wire[0][0]
                while wire and wire[0][0] == self.now:  # programs go on when no frame is left to take, as on a busy host
                    _, to, frame = wire.popleft()
                    self.frames += 1
                    nets[to].receive(devices[to], frame, self.now)
            elif at is not None:
                self.now = max(self.now, at)
                for net in nets:
                    net.advance(self.now)
            else:
                raise AssertionError("nothing will ever happen any more")


def bulk_transfer(octets: int = 20_000_000, *, mtu: int = 1500, version: int = 4, sysctl: Sysctl | None = None) -> Bulk:
    """Send so many octets from one stack to the other, and check that they are the same."""
    pair = _Pair(version, mtu, sysctl or Sysctl())
    family, server = (AF_INET if version == 4 else AF_INET6), ADDRESSES[version][1]
    chunk = Random(1).randbytes(CHUNK)
    content = (chunk * (octets // CHUNK + 1))[:octets]
    received: list[bytes] = []

    async def receive() -> None:
        listener = await socket(family, SOCK_STREAM)
        await bind(listener, Address(server, PORT))
        await listen(listener, 1)
        connection, _ = await accept(listener)
        while data := await recv(connection, CHUNK):
            received.append(data)

    async def send() -> None:
        fd = await socket(family, SOCK_STREAM)
        await connect(fd, Address(server, PORT))
        for at in range(0, octets, CHUNK):
            await sendall(fd, content[at : at + CHUNK])
        await close(fd)

    receiver = pair.processes[1].start(receive())
    pair.processes[1].run()
    pair.processes[0].start(send())
    began = time.process_time()
    pair.run_until(lambda: receiver.done)
    seconds = time.process_time() - began
    assert receiver.error is None and b"".join(received) == content, receiver.error
    return Bulk(octets, mtu, seconds, pair.now / 1e9, pair.frames)


if __name__ == "__main__":
    for number in (4, 6):
        print(f"IPv{number}: {bulk_transfer(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000, version=number)}")
