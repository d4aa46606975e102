"""Two stacks on a link that takes no time and loses nothing, unless a test makes it: for what shows in a few segments."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from conformance.stack.net import Net
from conformance.stack.sock import Address
from conformance.stack.sysctl import Sysctl
from conformance.stack.tasks import Task
from conformance.stack.uapi import AF_INET, SOCK_STREAM
from conformance.wire.read import read_frame
from conformance.wire.segment import SYN, Segment

CLIENT, SERVER = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
HERE = Address(SERVER, 80)


class Pair:
    """Stack 0 is the client, stack 1 the server, which listens."""

    def __init__(self, client: dict[str, Any], server: dict[str, Any], **options: int) -> None:
        self.seen: list[Segment] = []
        """All segments, in order."""
        self.change: Callable[[Segment, bytes], bytes | None] | None = None
        """What the link makes of a frame, if anything; where that gives None the frame is lost."""
        self.nets = [Net(Sysctl(**settings), Random(number)) for number, settings in enumerate((client, server))]
        self.wire: list[tuple[int, bytes]] = []
        self.devices = []
        for number, (net, address) in enumerate(zip(self.nets, (CLIENT, SERVER), strict=True)):
            mac = bytes((2, 0, 0, 0, 0, number))
            device = net.add_device("eth0", mac, 1500, lambda frame, to=1 - number: self.wire.append((to, frame)))
            net.add_address(device, address, 24)
            self.devices.append(device)
        self.listener = self.do(1, "socket", AF_INET, SOCK_STREAM, 0).value
        self.do(1, "bind", self.listener, HERE)
        for name, value in options.items():
            self.do(1, "setsockopt", self.listener, name, value)
        self.do(1, "listen", self.listener, 8)

    def do(self, who: int, name: str, *arguments: object) -> Task:
        """A call, and all that follows from it at once."""
        task = self.nets[who].call(name, *arguments)
        self.settle()
        return task

    def settle(self) -> None:
        """Carry frames until there are none."""
        while self.wire:
            to, frame = self.wire.pop(0)
            packet = read_frame(frame)
            changed: bytes | None = frame
            if isinstance(packet, Segment):
                self.seen.append(packet)
                changed = frame if self.change is None else self.change(packet, frame)
            if changed is not None:
                self.nets[to].receive(self.devices[to], changed, self.nets[to].now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.nets[0].now + int(seconds * 1e9)
        while (at := min((t for net in self.nets if (t := net.next_timer()) is not None), default=end)) < end:
            for net in self.nets:
                net.advance(at)
            self.settle()
        for net in self.nets:
            net.advance(end)
        self.settle()

    def connect(self) -> tuple[int, int]:
        """A connection: its descriptors at the client and at the server."""
        fd = self.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
        assert self.do(0, "connect", fd, HERE).error is None
        accept = self.do(1, "accept", self.listener)
        assert accept.done and accept.error is None
        return fd, accept.value[0]

    @property
    def syns(self) -> list[Segment]:
        """The segments with SYN."""
        return [segment for segment in self.seen if segment.flags & SYN]
