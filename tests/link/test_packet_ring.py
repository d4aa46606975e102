"""The packet ring: everything that passes, in order, with the kernel's times, and no word left out about what was lost."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from pyroute2 import IPRoute

from conformance.link import clock
from conformance.link.netns import Namespace
from conformance.link.packet_ring import PacketRing
from conformance.link.veth import VethPair, write_sysctl

from .needs import namespaces

pytestmark = namespaces

HEADER = b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2" + b"\x88\xb5"
"""An Ethernet header of a type for experiments (IEEE 802), which no stack answers."""
MANY = 128
"""Frames that the smallest ring holds: a block of 64 KiB, in slots of 512 octets."""
MS = 1_000_000
LIMIT = 30


@dataclass
class Wire:
    """A ring on one end of a veth pair on which nobody else sends, and a socket on the other."""

    ring: PacketRing
    other: socket.socket

    def read(self, count: int) -> list[tuple[int, bytes, bool]]:
        """This many frames, as soon as they are there."""
        frames: list[tuple[int, bytes, bool]] = []
        deadline = time.monotonic() + LIMIT
        while len(frames) < count:
            assert time.monotonic() < deadline, f"{len(frames)} frames of {count} came"
            select.select([self.ring], [], [], 1)
            frames += self.ring.read()
        return frames


def _until_they_carry(netlink: IPRoute, *names: str) -> None:
    """The kernel lets a link work in the background after it is up (linkwatch_do_dev), and loses what is sent before."""
    deadline = time.monotonic() + LIMIT
    for name in names:
        while True:
            (link,) = netlink.get_links(ifname=name)
            if link.get_attr("IFLA_OPERSTATE") == "UP" and link.get_attr("IFLA_QDISC") != "noop":
                break
            assert time.monotonic() < deadline, f"{name} does not come up"
            time.sleep(0.001)


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    namespace, open_wires = Namespace(), []
    with namespace.entered(), IPRoute() as netlink:
        write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
        netlink.link("add", ifname="here", kind="veth", peer={"ifname": "there"}, mtu=9000)
        for name in ("here", "there"):
            netlink.link("set", index=netlink.link_lookup(ifname=name)[0], state="up", mtu=9000)
        _until_they_carry(netlink, "here", "there")

    def make(frame_size: int = 200, frames: int = 1) -> Wire:
        with namespace.entered():
            other = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            other.bind(("there", 0))
            open_wires.append(Wire(PacketRing("here", frame_size, frames), other))
        return open_wires[-1]

    yield make
    for one in open_wires:
        one.ring.close()
        one.other.close()
    namespace.close()


def frame(number: int, size: int = 60) -> bytes:
    return (HEADER + number.to_bytes(4, "big")).ljust(size, b".")


def test_both_directions_in_order_each_with_its_time(wire: Callable[..., Wire]) -> None:
    link = wire()
    for number in range(10):
        outgoing = number % 3 != 0
        before = time.monotonic_ns()
        (link.ring.send if outgoing else link.other.send)(frame(number))
        ((t, octets, went_out),) = link.read(1)
        assert (octets, went_out) == (frame(number), outgoing)
        assert before - MS <= t <= time.monotonic_ns() + MS


def test_frames_that_were_not_read_yet_keep_their_order(wire: Callable[..., Wire]) -> None:
    link = wire()
    for number in range(100):
        link.ring.send(frame(number))
    frames = link.read(100)
    assert [octets for _, octets, _ in frames] == [frame(number) for number in range(100)]
    times = [t for t, _, _ in frames]
    assert times == sorted(times)
    assert list(link.ring.read()) == []


@pytest.mark.parametrize("batch", [1, 50, MANY - 1])
def test_the_ring_goes_round(wire: Callable[..., Wire], batch: int) -> None:
    link, sent, got = wire(), [], []
    for start in range(0, 4 * MANY, batch):
        numbers = range(start, start + batch)
        for number in numbers:
            link.ring.send(frame(number, 60 + number % 140))
        sent += [frame(number, 60 + number % 140) for number in numbers]
        got += [octets for _, octets, _ in link.read(batch)]
    assert got == sent
    assert link.ring.lost() == 0


def test_what_has_no_room_is_lost_and_said_to_be(wire: Callable[..., Wire]) -> None:
    link = wire()
    assert link.ring.lost() == 0
    for number in range(4 * MANY):
        link.ring.send(frame(number))
    kept = [octets for _, octets, _ in link.read(MANY)]
    assert kept == [frame(number) for number in range(MANY)], "the first ones are there, and whole"
    assert (link.ring.lost(), link.ring.lost()) == (3 * MANY, 0)
    link.ring.send(frame(7))
    assert [octets for _, octets, _ in link.read(1)] == [frame(7)]


def test_the_ring_holds_as_many_frames_as_asked_for(wire: Callable[..., Wire]) -> None:
    link = wire(1600, 1000)
    for number in range(1000):
        link.ring.send(frame(number))
    assert len(link.read(1000)) == 1000
    assert link.ring.lost() == 0


@pytest.mark.parametrize("size", [14, 15, 60, 1514, 9014])
def test_frames_of_any_length_are_whole(wire: Callable[..., Wire], size: int) -> None:
    link = wire(9018)
    octets = HEADER + bytes(range(256)) * 40
    link.ring.send(octets[:size])
    link.other.send(octets[:size])
    assert [got for _, got, _ in link.read(2)] == [octets[:size]] * 2


def test_a_frame_too_long_for_the_link_is_refused(wire: Callable[..., Wire]) -> None:
    link = wire(9018)
    with pytest.raises(OSError, match="Message too long"):
        link.ring.send(bytes(9100))


def test_reading_while_what_was_read_is_dealt_with_loses_and_repeats_nothing(wire: Callable[..., Wire]) -> None:
    link, got = wire(), []
    for number in range(3):
        link.ring.send(frame(number))
    for _, octets, _ in link.ring.read():
        got.append(octets)
        if len(got) == 1:  # whoever is told of a frame may answer, and read what comes for it
            link.ring.send(frame(3))
            got += [octets for _, octets, _ in link.ring.read()]
    assert got == [frame(number) for number in range(4)]


def test_a_clock_that_is_set_is_noticed_once(wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    ring = wire().ring
    assert not ring.clock.was_set()
    offset = clock.clock_offset()
    monkeypatch.setattr(clock, "clock_offset", lambda: offset + 20 * MS)
    assert [ring.clock.was_set() for _ in range(3)] == [True, False, False]


def test_times_are_right_after_the_clock_was_set(wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    link = wire()
    offset = clock.clock_offset()
    monkeypatch.setattr(clock, "clock_offset", lambda: offset + 5_000 * MS)
    link.ring.clock.was_set()
    before = time.monotonic_ns()
    link.ring.send(frame(1))
    ((t, _, _),) = link.read(1)
    assert before + 4_000 * MS <= t <= time.monotonic_ns() + 6_000 * MS


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such device"):
        PacketRing("nowhere")


def test_the_tester_s_end_is_silent_by_itself() -> None:
    pair = VethPair()
    try:
        with pair.sut.entered():
            sut = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sut.bind(("sut", 0))
        broadcast = b"\xff" * 6 + b"\2\0\0\0\0\1"
        request = "0001080006040001" + "020000000001" + "c0000201" + "000000000000" + "c0000202"  # who has 192.0.2.2?
        sut.send(broadcast + b"\x08\x06" + bytes.fromhex(request))
        pair.ring.send(frame(1))  # it is behind any answer
        seen: list[bytes] = []
        while frame(1) not in seen:
            assert select.select([pair.ring], [], [], LIMIT)[0]
            seen += [octets for _, octets, outgoing in pair.ring.read() if outgoing]
        assert seen == [frame(1)]
        sut.close()
    finally:
        pair.close()
