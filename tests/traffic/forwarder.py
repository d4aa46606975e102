"""The middle of a path: takes frames from either side to the other through impaired links, and captures them half-way.

``python -m tests.traffic.forwarder`` reads an :class:`Order` as JSON from the first line of standard input; each later line says which
sides are cut off from then on: ``left right``, ``left``, ``right`` or nothing, and what comes from there is lost. It ends when the input
does, and so with whoever started it, and prints what became of the frames.

Each direction is two links, half of its impairment each, and the capture has what comes out of the first: it is near neither end.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import BinaryIO

from conformance.link.impaired import ImpairedLink, Impairment

from .pcap import header, record

__all__ = ["Order", "congestion_experienced", "main"]

_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING, _SO_RCVBUFFORCE = 263, 15, 23, 33
_ETH_P_ALL = 3
_BUFFER = 1 << 26
_LONGEST = 1 << 17
_VNET_HEADER = 10
"""Octets of struct virtio_net_hdr before each frame if offloads are on: what awaits segmentation or a checksum stays so."""
_ETHERNET = 14
_ORDERS = 0
"""Standard input, which is read without a buffer: select() knows nothing of one."""
_AT_ONCE = 64
"""Frames from one side before the other has its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do."""

    left: str
    right: str
    """The interfaces."""
    impairments: Sequence[dict[str, float]]
    """Of what comes from the left, and of what comes from the right, as :class:`Impairment` has it."""
    marks: float
    """The probability that a packet which may be marked (ECN) is."""
    mtu: int
    """Longer packets are dropped without a word."""
    offloads: bool
    path: str
    """Where the capture is written."""
    snap: int
    seed: int


class Side:
    """An interface: frames that come in there, and those that go out."""

    def __init__(self, interface: str, offloads: bool) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.header = _VNET_HEADER if offloads else 0
        if offloads:
            self.socket.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        with contextlib.suppress(PermissionError):  # in a user namespace it takes what there is; what does not fit is lost as in a router
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self.socket.bind((interface, _ETH_P_ALL))
        self.socket.setblocking(False)

    def read(self) -> list[bytes]:
        """Some of what has come."""
        frames: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while len(frames) < _AT_ONCE:
                frames.append(self.socket.recv(_LONGEST))
        return frames

    def send(self, frame: bytes) -> None:
        """Out; a frame for which there is no room is lost."""
        with contextlib.suppress(BlockingIOError):
            self.socket.send(frame)


class Direction:
    """From one side to the other: half of the impairment, the capture, the other half."""

    def __init__(self, source: Side, target: Side, impairment: Impairment, order: Order, rng: Random, capture: BinaryIO) -> None:
        self.source, self.target, self.cut = source, target, False
        self._links = [ImpairedLink(_half(impairment), Random(rng.random())) for _ in range(2)]
        self._capture, self._order, self._rng = capture, order, rng
        self._longest = source.header + _ETHERNET + order.mtu

    def read(self) -> None:
        """Take in what has come."""
        now, frames = time.monotonic_ns(), self.source.read()
        for frame in () if self.cut else frames:
            if len(frame) <= self._longest or self._order.offloads:
                self._links[0].put(now, frame)

    def move(self) -> None:
        """Take on, and out, what is due."""
        now, (first, second), header, order = time.monotonic_ns(), self._links, self.source.header, self._order
        for frame in first.take(now):
            self._capture.write(record(time.time_ns(), frame[header : header + order.snap], len(frame) - header))
            if order.marks and self._rng.random() < order.marks:
                frame = congestion_experienced(frame)
            second.put(now, frame)
        for frame in second.take(now):
            self.target.send(frame)

    def due(self) -> int | None:
        """When there is something to move, if nothing comes."""
        return min((at for link in self._links if (at := link.next()) is not None), default=None)

    def counts(self) -> dict[str, int]:
        """What became of the frames, in both halves."""
        return dict(self._links[0].counts + self._links[1].counts)


def _half(impairment: Impairment) -> Impairment:
    halves = {name: getattr(impairment, name) / 2 for name in ("loss", "duplicate", "reorder", "corrupt")}
    return replace(impairment, **halves, delay=impairment.delay // 2, jitter=impairment.jitter // 2)


def _serve(directions: dict[str, Direction]) -> None:
    """Until the input ends."""
    reading = {direction.source.socket.fileno(): direction for direction in directions.values()}
    while True:
        due = min((at for direction in directions.values() if (at := direction.due()) is not None), default=None)
        wait = None if due is None else max(0, due - time.monotonic_ns()) / 1e9
        for ready in select.select([*reading, _ORDERS], [], [], wait)[0]:  # unlike poll() and epoll it counts less than milliseconds
            if ready in reading:
                reading[ready].read()
                continue
            if not (order := os.read(_ORDERS, 1000)):
                return
            for name, direction in directions.items():
                direction.cut = name in order.decode().split()
            print("done", flush=True)
        for direction in directions.values():
            direction.move()


def congestion_experienced(frame: bytes) -> bytes:
    """The frame as a congested router passes it on (RFC 3168, section 5), if its sender has said that it may be marked."""
    octets = bytearray(frame)
    match frame[12:14]:
        case b"\x08\x00" if frame[15] & 3:
            octets[15] |= 3
            # RFC 1624: of the one's complement sum, which is kept as its complement, the change is taken away.
            total = int.from_bytes(frame[24:26], "big") - (octets[15] - frame[15])
            octets[24:26] = (total if total > 0 else total + 0xFFFF).to_bytes(2, "big")
        case b"\x86\xdd" if frame[15] & 0x30:
            octets[15] |= 0x30
    return bytes(octets)


def main() -> None:
    """Forward frames between two interfaces."""
    order = Order(**json.loads(_line()))
    impairments = [Impairment(**fields) for fields in order.impairments]  # type: ignore[arg-type]
    rng, sides = Random(order.seed), [Side(name, order.offloads) for name in (order.left, order.right)]
    with Path(order.path).open("wb", buffering=1 << 16) as capture:
        capture.write(header(order.snap))
        directions = {
            name: Direction(source, target, impairment, order, rng, capture)
            for name, source, target, impairment in zip(("left", "right"), sides, reversed(sides), impairments, strict=True)
        }
        print("ready", flush=True)
        _serve(directions)
    print(json.dumps({name: direction.counts() for name, direction in directions.items()}))


def _line() -> str:
    """The first line of standard input, and nothing of what follows it."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(_ORDERS, 1)
    return line.decode()


if __name__ == "__main__":
    main()
