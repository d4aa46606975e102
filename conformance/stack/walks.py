"""The walks that ``conformance path`` shows: a stack, a peer, and one call or one segment that is followed.

The peer is a second stack. The clock stands still and what is chosen at random is chosen by a fixed seed, so a walk is always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from conformance.stack.net import Device, Net
from conformance.stack.path import Layer, Recorder
from conformance.stack.sock import Address
from conformance.stack.sysctl import SECOND
from conformance.stack.tasks import Task
from conformance.stack.uapi import AF_INET, SOCK_STREAM

__all__ = ["WALKS", "Walk", "record"]

_OWN, _PEER = b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02"  # 192.0.2.1 and .2 (RFC 5737)
_OWN_MAC, _PEER_MAC = b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02"
_PREFIX, _MTU = 24, 1500
_PORT = 80
_SEED = 1


class _Host:
    """A stack with one device; frames wait in ``out``."""

    def __init__(self, own: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
        self.out: list[bytes] = []
        self.net = Net(rng=Random(_SEED), now=SECOND)
        self.device: Device = self.net.add_device("eth0", own[1], _MTU, self.out.append)
        self.net.add_address(self.device, own[0], _PREFIX)
        self.net.neighbours.add(self.device, *other)

    def call(self, name: str, *arguments: object) -> Any:
        """A call that returns at once."""
        task = self.net.call(name, *arguments)
        return _result(task)

    def start(self, name: str, *arguments: object) -> Task:
        """One that may sleep."""
        return self.net.call(name, *arguments)

    def socket(self) -> int:
        """A TCP socket's descriptor."""
        fd: int = self.call("socket", AF_INET, SOCK_STREAM)
        return fd

    def listener(self) -> int:
        """One that listens."""
        fd = self.socket()
        self.call("bind", fd, Address(b"", _PORT))
        self.call("listen", fd, 8)
        return fd

    def take(self, other: _Host) -> None:
        """Receive what the other host has sent."""
        frames, other.out[:] = list(other.out), []
        for frame in frames:
            self.net.receive(self.device, frame, self.net.now)


def _result(task: Task) -> Any:
    assert task.done and task.error is None, f"{task.name}: {task.error or 'it sleeps'}"
    return task.value


class _Bed:
    """The stack that is followed, and its peer."""

    def __init__(self) -> None:
        self.own, self.peer = _Host((_OWN, _OWN_MAC), (_PEER, _PEER_MAC)), _Host((_PEER, _PEER_MAC), (_OWN, _OWN_MAC))
        self.recorder = Recorder()

    def receive(self) -> None:
        """What the peer has sent arrives, and is followed."""
        with self.recorder.on():
            self.own.take(self.peer)

    def call(self, name: str, *arguments: object) -> Task:
        """A call that is followed."""
        with self.recorder.on():
            return self.own.start(name, *arguments)

    def connected(self) -> tuple[int, int]:
        """A connection that the peer has accepted: the two descriptors."""
        listener, fd = self.peer.listener(), self.own.socket()
        task = self.own.start("connect", fd, Address(_PEER, _PORT))
        for taker, giver in ((self.peer, self.own), (self.own, self.peer), (self.peer, self.own)):
            taker.take(giver)
        _result(task)
        accepted, _ = self.peer.call("accept", listener)
        return fd, accepted


# One function a walk ----------------------------------------------------------------------------------------------------


def _socket(bed: _Bed) -> None:
    _result(bed.call("socket", AF_INET, SOCK_STREAM))


def _bind(bed: _Bed) -> None:
    fd = bed.own.socket()
    _result(bed.call("bind", fd, Address(_OWN, _PORT)))


def _listen(bed: _Bed) -> None:
    fd = bed.own.socket()
    bed.own.call("bind", fd, Address(b"", _PORT))
    _result(bed.call("listen", fd, 8))


def _accept(bed: _Bed) -> None:
    task = bed.call("accept", bed.own.listener())
    bed.peer.start("connect", bed.peer.socket(), Address(_OWN, _PORT))
    bed.own.take(bed.peer)
    bed.peer.take(bed.own)
    bed.receive()
    _result(task)


def _connect(bed: _Bed) -> None:
    bed.peer.listener()
    task = bed.call("connect", bed.own.socket(), Address(_PEER, _PORT))
    bed.peer.take(bed.own)
    bed.receive()
    _result(task)


def _send(bed: _Bed) -> None:
    fd, _ = bed.connected()
    _result(bed.call("sendto", fd, b"hello"))


def _recv(bed: _Bed) -> None:
    fd, accepted = bed.connected()
    task = bed.call("recvfrom", fd, 100)
    bed.peer.call("sendto", accepted, b"hello")
    bed.receive()
    _result(task)


def _syn(bed: _Bed) -> None:
    bed.own.listener()
    bed.peer.start("connect", bed.peer.socket(), Address(_OWN, _PORT))
    bed.receive()


def _syn_ack(bed: _Bed) -> None:
    bed.peer.listener()
    bed.own.start("connect", bed.own.socket(), Address(_PEER, _PORT))
    bed.peer.take(bed.own)
    bed.receive()


def _ack(bed: _Bed) -> None:
    bed.own.listener()
    bed.peer.start("connect", bed.peer.socket(), Address(_OWN, _PORT))
    bed.own.take(bed.peer)
    bed.peer.take(bed.own)
    bed.receive()


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk by its name."""

    title: str
    root: str
    """The layer that it begins with. (What wakes a caller that sleeps is another walk.)"""
    play: Callable[[_Bed], None]


WALKS = {
    "socket": Walk("socket(2): a TCP socket over IPv4", "sys_socket", _socket),
    "bind": Walk("bind(2) to an address and a port", "sys_bind", _bind),
    "listen": Walk("listen(2) on a socket that is bound", "sys_listen", _listen),
    "accept": Walk("accept(2), which sleeps until a handshake is complete", "sys_accept", _accept),
    "connect": Walk("connect(2), which sleeps until the SYN,ACK has come", "sys_connect", _connect),
    "send": Walk("send(2) of a few octets on a connection", "sys_sendto", _send),
    "recv": Walk("recv(2), which sleeps until data has come", "sys_recvfrom", _recv),
    "syn": Walk("a SYN comes to a socket in LISTEN", "netif_receive_skb", _syn),
    "syn-ack": Walk("a SYN,ACK comes to a socket in SYN-SENT", "netif_receive_skb", _syn_ack),
    "ack": Walk("the handshake's last ACK comes to a request in SYN-RECEIVED", "netif_receive_skb", _ack),
}


def record(name: str) -> Layer:
    """Play a walk and return what it passed; a KeyError if there is none of this name."""
    walk, bed = WALKS[name], _Bed()
    walk.play(bed)
    return bed.recorder.layer(walk.root)
