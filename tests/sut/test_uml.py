"""Linux in user mode behind the protocol, where its kernel is installed: it boots, carries frames, and keeps the protocol's order."""

from __future__ import annotations

import ipaddress
import os
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.sut.manifest import manifests
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, RST, SYN, Family, Segment
from conformance.wire.template import Spec, build
from tests.sut.speaker import Speaker

MANIFEST = manifests()["uml"]
pytestmark = pytest.mark.skipif(bool(MANIFEST.missing()), reason=f"takes {', '.join(MANIFEST.missing())}")

SUT_MAC, PEER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
HERE, THERE = {"address": "192.0.2.1", "port": 5000}, {"address": "198.18.0.1", "port": 40000}
STREAM = {"domain": "AF_INET", "type": "SOCK_STREAM", "protocol": 0, "blocking": False}


@pytest.fixture(scope="module")
def uml() -> Iterator[Speaker]:
    with Speaker(MANIFEST.folder / "adapter.py") as speaker:
        speaker.begin("real")
        yield speaker


@pytest.fixture
def listener(uml: Speaker) -> Iterator[int]:
    """A new stack with a socket that listens on port 5000, and nothing on the link."""
    uml.result("reset", seed=1)
    handle = uml.result("socket", **STREAM)["value"]
    uml.result("bind", socket=handle, address="192.0.2.1", port=5000, blocking=False)
    uml.result("listen", socket=handle, backlog=100, blocking=False)
    drain(uml)
    yield handle


def frame(flags: int, seq: int, ack: int = 0, sport: int = 40000) -> bytes:
    template = build(Spec(Family.IPV4, flags=flags, window=65535))
    ends = (ipaddress.ip_address(end["address"]).packed for end in (THERE, HERE))
    return bytes(template.bind(PEER_MAC, SUT_MAC, *ends, sport, 5000).render(seq, ack))


def segments(uml: Speaker) -> list[Segment]:
    """What is on the link now."""
    read = (read_frame(frame) for frame in drain(uml))
    return [segment for segment in read if isinstance(segment, Segment)]


def drain(uml: Speaker) -> list[bytes]:
    frames = []
    uml.link.setblocking(False)
    try:
        while True:
            frames.append(uml.link.recv(2000))
    except BlockingIOError:
        return frames
    finally:
        uml.link.settimeout(10)


def test_it_says_which_linux_it_is(uml: Speaker) -> None:
    description = uml.result("initialize", protocol=1)
    assert (description["name"], description["shared"]) == ("linux", True)
    assert description["version"].startswith("6.1.")
    assert "TCP_NODELAY" in description["options"]
    assert "syn_linear_timeouts" not in description["settings"], "which came with 6.5"


def test_frames_come_before_requests_and_before_answers(uml: Speaker, listener: int) -> None:
    for port in range(40000, 40050):
        uml.link.send(frame(SYN, 100, sport=port))
        uml.result("getsockopt", socket=listener, name="SO_ERROR", blocking=False)
        (answer,) = segments(uml)
        assert (answer.flags, answer.dport, answer.ack) == (SYN | ACK, port, 101)
        uml.link.send(frame(ACK, 101, answer.seq + 1, sport=port))
        accepted = uml.result("accept", socket=listener, blocking=False)
        assert (accepted["address"], accepted["port"]) == ("198.18.0.1", port)


def test_states_are_told_as_they_are_made(uml: Speaker, listener: int) -> None:
    uml.link.send(frame(SYN, 100))
    seq = _syn_ack(uml)
    uml.link.send(frame(ACK, 101, seq + 1))
    handle = uml.result("accept", socket=listener, blocking=False)["value"]
    assert uml.result("state", socket=None, local=HERE, remote=THERE)["state"] == "ESTABLISHED"
    *told, _ = uml.until(uml.send("close", socket=handle, blocking=False))
    assert [(move["params"]["remote"], move["params"]["old"], move["params"]["new"]) for move in told] == [
        (THERE, "ESTABLISHED", "FIN-WAIT-1")
    ]


def _syn_ack(uml: Speaker) -> int:
    while not isinstance(segment := read_frame(uml.link.recv(2000)), Segment):
        pass
    return segment.seq


def test_a_call_that_waits_says_so_and_returns_later(uml: Speaker, listener: int) -> None:
    accept = uml.send("accept", socket=listener, blocking=True)
    assert uml.until(accept)[-1]["method"] == "blocked"
    uml.link.send(frame(SYN, 100))
    uml.link.send(frame(ACK, 101, _syn_ack(uml) + 1))
    assert uml.until(accept)[-1]["result"]["port"] == 40000


def test_what_is_forgotten_goes_without_a_segment(uml: Speaker, listener: int) -> None:
    uml.link.send(frame(SYN, 100))
    uml.link.send(frame(ACK, 101, _syn_ack(uml) + 1))
    handle = uml.result("accept", socket=listener, blocking=False)["value"]
    uml.result("forget", sockets=[handle, listener], connections=[{"local": HERE, "remote": THERE}])
    assert uml.result("state", socket=None, local=HERE, remote=THERE)["state"] == "CLOSED"
    assert segments(uml) == []
    uml.link.send(frame(ACK, 101, 1))
    uml.result("state", socket=None, local=HERE, remote=THERE)
    assert [segment.flags for segment in segments(uml)] == [RST], "nothing is there that knows the connection"


def test_settings_are_sysctls_and_reset_puts_them_back(uml: Speaker) -> None:
    options = []
    for settings in ({"timestamps": "off"}, {}):
        uml.begin("real", **settings)
        handle = uml.result("socket", **STREAM)["value"]
        uml.result("connect", socket=handle, address="198.18.0.1", port=40000, blocking=False)
        options.append(next(segment.options_data for segment in segments(uml) if segment.flags == SYN))
    timestamps = struct.pack("!BB", 8, 10)
    assert timestamps not in options[0]
    assert timestamps in options[1]


def test_much_goes_through_the_line(uml: Speaker, listener: int) -> None:
    uml.link.send(frame(SYN, 100))
    uml.link.send(frame(ACK, 101, _syn_ack(uml) + 1))
    handle = uml.result("accept", socket=listener, blocking=False)["value"]
    assert 0 < uml.result("send", socket=handle, data="61" * 1_000_000, flags=[], blocking=False)["value"] < 1_000_000


@pytest.mark.parametrize("how", ["end", "kill"])
def test_no_guest_outlives_its_adapter(how: str) -> None:
    with Speaker(MANIFEST.folder / "adapter.py") as speaker:
        speaker.result("initialize", protocol=1)
        guests = _descendants(speaker.process.pid)
        assert guests
        if how == "end":
            assert speaker.end()[0] == 0
        else:
            os.kill(speaker.process.pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while any(_runs(pid) for pid in guests):
            assert time.monotonic() < end
            time.sleep(0.01)


def _descendants(pid: int) -> list[int]:
    children = [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return children + [below for child in children for below in _descendants(child)]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_device_that_it_cannot_have_is_told() -> None:
    with Speaker(MANIFEST.folder / "adapter.py", link="tap:sut") as speaker:
        status, errors = speaker.end()
    assert status == 2
    assert "fd:N only" in errors
