"""A TAP device: frames both ways as they are, devices that were there before, and faults that say what is the matter."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from conformance.link.errors import EnvironmentFault
from conformance.link.netns import Namespace
from conformance.link.tap import Tap
from conformance.link.veth import write_sysctl

from .needs import namespaces, tap_devices

pytestmark = [namespaces, tap_devices]

ROOT = Path(__file__).parents[2]
LIMIT = 30
EXPERIMENT = 0x88B5
"""An Ethernet type for experiments (IEEE 802), which no stack answers."""


@pytest.fixture
def inside() -> Iterator[ExitStack]:
    """The test is in a network namespace of its own, where Linux itself sends nothing; what it puts here is closed at the end."""
    with ExitStack() as stack:
        namespace = Namespace()
        stack.callback(namespace.close)
        stack.enter_context(namespace.entered())
        write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
        yield stack


def opened(inside: ExitStack, name: str = "", *, up: bool = True) -> Tap:
    tap = Tap(name)
    inside.callback(tap.close)
    if up:
        with IPRoute() as netlink:
            netlink.link("set", index=netlink.link_lookup(ifname=tap.name)[0], state="up")
    return tap


def linux_end(inside: ExitStack, tap: Tap) -> socket.socket:
    end = inside.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EXPERIMENT)))
    end.bind((tap.name, EXPERIMENT))
    end.settimeout(LIMIT)
    return end


def read(tap: Tap) -> bytes | None:
    assert select.select([tap], [], [], LIMIT)[0]
    return tap.read()


def frame(payload: bytes) -> bytes:
    return b"\xff" * 6 + b"\2\0\0\0\0\2" + EXPERIMENT.to_bytes(2, "big") + payload


def devices() -> list[str]:
    return sorted(line.partition(":")[0].strip() for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:])


@pytest.mark.parametrize("length", [0, 1, 46, 1500])
def test_frames_pass_as_they_are(inside: ExitStack, length: int) -> None:
    tap = opened(inside, "stack0")
    end, octets = linux_end(inside, tap), frame(os.urandom(length))
    assert tap.write(octets)
    assert end.recv(4096) == octets
    end.send(octets)
    assert read(tap) == octets and tap.read() is None


def test_frames_come_one_by_one_and_in_order(inside: ExitStack) -> None:
    tap = opened(inside)
    end = linux_end(inside, tap)
    for number in range(100):
        end.send(frame(bytes([number])))
    assert [read(tap) for _ in range(100)] == [frame(bytes([number])) for number in range(100)]


def test_a_long_packet_passes_where_the_mtu_lets_it(inside: ExitStack) -> None:
    tap = opened(inside)
    with IPRoute() as netlink:
        netlink.link("set", index=netlink.link_lookup(ifname=tap.name)[0], mtu=9000)
    end, octets = linux_end(inside, tap), frame(os.urandom(9000))
    assert tap.mtu() == 9000 and tap.write(octets)
    assert end.recv(1 << 16) == octets
    end.send(octets)
    assert read(tap) == octets


def test_the_device_goes_with_the_descriptor(inside: ExitStack) -> None:
    tap = opened(inside, "stack0", up=False)
    assert (tap.name, devices(), tap.mtu()) == ("stack0", ["lo", "stack0"], 1500)
    tap.close()
    tap.close()
    assert devices() == ["lo"]


def test_the_kernel_names_a_device_that_has_no_name(inside: ExitStack) -> None:
    first, second = opened(inside, up=False), opened(inside, up=False)
    assert devices() == sorted(["lo", first.name, second.name])


def test_a_device_that_was_made_before_is_used_and_stays(inside: ExitStack) -> None:
    with IPRoute() as netlink:
        netlink.link("add", ifname="mine", kind="tuntap", mode="tap")
    tap = opened(inside, "mine")
    end = linux_end(inside, tap)
    assert tap.write(frame(b"there"))
    assert end.recv(100) == frame(b"there")
    tap.close()
    assert "mine" in devices()


def test_a_device_that_is_down_loses_frames(inside: ExitStack) -> None:
    tap = opened(inside, up=False)
    assert not tap.write(frame(b"lost")) and tap.read() is None


def test_what_is_no_frame_is_lost(inside: ExitStack) -> None:
    tap = opened(inside)
    assert not tap.write(b"short")


def test_a_device_that_is_taken_away_is_a_fault(inside: ExitStack) -> None:
    tap = opened(inside, "stack0")
    with IPRoute() as netlink:
        netlink.link("del", index=netlink.link_lookup(ifname="stack0")[0])
    for use in (tap.read, lambda: tap.write(frame(b""))):
        with pytest.raises(EnvironmentFault, match="the TAP device stack0 was taken away"):
            use()


def test_a_device_that_another_program_has_is_a_fault(inside: ExitStack) -> None:
    opened(inside, "stack0")
    with pytest.raises(EnvironmentFault, match=r"stack0 cannot be had: .*another program has it open"):
        Tap("stack0")


@pytest.mark.usefixtures("inside")
def test_a_device_of_another_kind_is_a_fault() -> None:
    with pytest.raises(EnvironmentFault, match=r"lo cannot be had: .*no TAP device"):
        Tap("lo")


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("name", ["sixteen-octets-x", "a/b", "a b", "..", "tap%d", "a:b", "a\0b"])
def test_what_cannot_be_a_name_is_a_fault(name: str) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be the name of a device"):
        Tap(name)
    assert devices() == ["lo"]


@pytest.mark.usefixtures("inside")
def test_without_the_capability_the_fault_says_what_it_takes() -> None:
    code = f"""
import ctypes, os
libc = ctypes.CDLL(None)
assert libc.prctl(24, 12, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_NET_ADMIN
os.execv({sys.executable!r}, [{sys.executable!r}, "-c", '''
from conformance.link.tap import Tap
try:
    Tap("stack0")
except Exception as error:
    print(type(error).__name__, error)
'''])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=LIMIT)
    assert done.stdout.startswith("EnvironmentFault the TAP device stack0 cannot be had") and "CAP_NET_ADMIN" in done.stdout, done


def test_descriptors_are_given_back(inside: ExitStack) -> None:
    opened(inside, "stack0", up=False)
    before = sorted(os.listdir("/proc/self/fd"))
    Tap("other").close()
    for name in ("stack0", "lo"):
        with pytest.raises(EnvironmentFault):
            Tap(name)
    assert sorted(os.listdir("/proc/self/fd")) == before
