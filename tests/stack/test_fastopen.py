"""TCP Fast Open between two stacks (RFC 7413): a cookie first, data with the SYN from then on."""

from __future__ import annotations

from random import Random

import pytest

from conformance.stack.net import Net
from conformance.stack.sock import Address
from conformance.stack.sysctl import Sysctl
from conformance.stack.tasks import Task
from conformance.stack.uapi import AF_INET, MSG_DONTWAIT, MSG_FASTOPEN, SOCK_STREAM
from conformance.wire.read import read_frame
from conformance.wire.segment import SYN, Segment

CLIENT, SERVER = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
HERE = Address(SERVER, 80)


class Pair:
    """Two stacks on one link that takes no time."""

    def __init__(self, server: str = "both") -> None:
        self.syns: list[Segment] = []
        self.nets = [Net(Sysctl(fast_open=setting), Random(number)) for number, setting in enumerate(("both", server))]
        self.wire: list[tuple[int, bytes]] = []
        self.devices = []
        for number, (net, address) in enumerate(zip(self.nets, (CLIENT, SERVER), strict=True)):
            mac = bytes((2, 0, 0, 0, 0, number))
            device = net.add_device("eth0", mac, 1500, lambda frame, to=1 - number: self.wire.append((to, frame)))
            net.add_address(device, address, 24)
            self.devices.append(device)
        self.listener = self.do(1, "socket", AF_INET, SOCK_STREAM, 0).value
        self.do(1, "bind", self.listener, HERE)
        self.do(1, "setsockopt", self.listener, "TCP_FASTOPEN", 8)
        self.do(1, "listen", self.listener, 8)

    def do(self, who: int, name: str, *arguments: object) -> Task:
        """A call, and all that follows from it at once."""
        task = self.nets[who].call(name, *arguments)
        while self.wire:
            to, frame = self.wire.pop(0)
            packet = read_frame(frame)
            if isinstance(packet, Segment) and packet.flags & SYN:
                self.syns.append(packet)
            self.nets[to].receive(self.devices[to], frame, self.nets[to].now)
        return task

    def accepted(self) -> bytes:
        """What the server reads of the next connection."""
        accept = self.do(1, "accept", self.listener)
        assert accept.done, "there is a connection"
        data: bytes = self.do(1, "recvfrom", accept.value[0], 100).value[0]
        return data


def sent(pair: Pair, data: bytes, flags: int = 0) -> int:
    fd = pair.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
    task = pair.do(0, "sendto", fd, data, MSG_FASTOPEN | flags, HERE)
    assert task.error is None, task.error
    return int(task.value)


def test_the_second_connection_sends_its_data_with_the_syn() -> None:
    pair = Pair()
    assert sent(pair, b"one") == 3
    assert pair.accepted() == b"one"
    assert [len(syn.payload) for syn in pair.syns] == [0, 0]
    pair.syns.clear()
    assert sent(pair, b"two", MSG_DONTWAIT) == 3
    assert pair.accepted() == b"two"
    assert [syn.payload for syn in pair.syns] == [b"two", b""]
    assert pair.syns[1].ack == pair.syns[0].seq + 4 & 0xFFFFFFFF, "the SYN,ACK acknowledges the data, too"


def test_a_server_without_it_gets_the_data_after_the_handshake() -> None:
    pair = Pair(server="off")
    for _ in range(2):
        assert sent(pair, b"data") == 4
        assert pair.accepted() == b"data"
    assert not any(syn.payload for syn in pair.syns)


def test_a_forged_cookie_is_not_believed() -> None:
    pair = Pair()
    sent(pair, b"one")
    pair.accepted()
    pair.nets[0].fastopen_cookies[SERVER] = bytes(8)
    pair.syns.clear()
    sent(pair, b"two")
    assert pair.syns[1].ack == pair.syns[0].seq + 1 & 0xFFFFFFFF, "the data is not taken"
    assert pair.accepted() == b"two", "but sent again"
    assert pair.nets[0].fastopen_cookies[SERVER] != bytes(8)


@pytest.mark.parametrize("cookie", [False, True])
def test_connect_that_waits_for_data(cookie: bool) -> None:
    pair = Pair()
    if cookie:
        sent(pair, b"one")
        pair.accepted()
    pair.syns.clear()
    fd = pair.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
    pair.do(0, "setsockopt", fd, "TCP_FASTOPEN_CONNECT", 1)
    assert pair.do(0, "connect", fd, HERE).error is None
    assert bool(pair.syns) is not cookie, "with a cookie the SYN waits"
    assert pair.do(0, "sendto", fd, b"hello").value == 5
    assert pair.accepted() == b"hello"
    assert (pair.syns[0].payload == b"hello") is cookie
