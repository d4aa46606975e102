"""A stack on its own, and what somebody at the other end of the wire can do to it who knows all its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.stack.sock import Address
from conformance.stack.sysctl import MS, SECOND, Sysctl
from conformance.stack.tcp_sock import MASK, TcpSock
from conformance.stack.uapi import AF_INET, AF_INET6, SOCK_NONBLOCK, SOCK_STREAM
from conformance.wire.segment import ACK, SYN
from tests.stack.bounds import Bounds
from tests.stack.brief import Brief
from tests.stack.forge import icmp_error, ip_packet, tcp_frame, tcp_header
from tests.stack.world import ADDRESSES, COUNTS, MACS, Host, left_over

__all__ = ["Act", "Aimed", "Bent", "Call", "Error", "Raw", "Stage", "Wait"]

LONGEST = 8 * 3600 * SECOND
"""Of virtual time, until a stack whose peer has fallen silent has given up everything."""


@dataclass(frozen=True, repr=False)
class Aimed(Brief):
    """A segment for one of the connections, or to its listener; numbers count from where the connection stands."""

    which: int = 0
    seq_from: str = "rcv_nxt"
    seq: int = 0
    ack_from: str = "snd_nxt"
    ack: int = 0
    flags: int = ACK
    window: int = 0xFFFF
    urgent: int = 0
    stamped: bool = True
    """With a timestamp that is right, on a connection that has them."""
    options: tuple[Any, ...] = ()
    """Octets, or ``("stamp", by how much it is newer, how old the echo is)``, or ``("sack", (begin, end), …)`` from SND.UNA on."""
    size: int = 0
    tos: int = 0


@dataclass(frozen=True, repr=False)
class Error(Brief):
    """An ICMP error about a segment of one of the connections."""

    which: int = 0
    kind: int = 3
    code: int = 0
    word: int = 0
    seq: int = 0
    cut: int | None = None


@dataclass(frozen=True, repr=False)
class Bent(Brief):
    """A frame that was on the wire before, with some octets changed and cut off after ``size``."""

    number: int = 0
    changes: tuple[tuple[int, int], ...] = ()
    size: int | None = None


@dataclass(frozen=True, repr=False)
class Raw(Brief):
    """Octets behind an Ethernet header."""

    ethertype: bytes = b"\x08\x00"
    octets: bytes = b""


@dataclass(frozen=True, repr=False)
class Call(Brief):
    """What the stack's own program does with one of its descriptors."""

    name: str = "recvfrom"
    which: int = 0
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, repr=False)
class Wait(Brief):
    """ns."""

    duration: int = MS


Act = Aimed | Error | Bent | Raw | Call | Wait


class Stage:
    """A stack with a listener and an active connection, and somebody at the other end of the wire who knows all its numbers."""

    def __init__(self, version: int = 4, sysctl: Sysctl | None = None, backlog: int = 2, options: Sequence[tuple[str, int]] = ()) -> None:
        COUNTS["schedules"] += 1
        self.version, self.now = version, SECOND
        self.own, self.peer = ADDRESSES[version]
        self.wire: list[bytes] = []
        self.host = Host(0, self.wire.append, sysctl or Sysctl(), 1500, self.now, 1)
        self.bounds = Bounds(self.host)
        self.fds: list[int] = []
        self.listener = self.socket(options)
        self.call("bind", self.listener, Address(self.own, 80))
        self.call("listen", self.listener, backlog)
        self.next_port = 1000

    def socket(self, options: Sequence[tuple[str, int]] = ()) -> int:
        """A descriptor that does not block."""
        fd = self.call("socket", AF_INET if self.version == 4 else AF_INET6, SOCK_STREAM | SOCK_NONBLOCK)
        assert isinstance(fd, int)
        self.fds.append(fd)
        for name, value in options:
            self.call("setsockopt", fd, name, value)
        return fd

    def call(self, name: str, *arguments: Any) -> Any:
        """What a call returns; an errno's name if it fails, None if it sleeps."""
        self.host.sent = self.host.net.calls = 0
        task = self.host.net.call(name, *arguments)
        return task.error or task.value if task.done else None

    def receive(self, frame: bytes) -> None:
        """A frame for the stack."""
        self.wire.append(frame)
        del self.wire[:-200]
        self.host.receive(frame, self.now)

    def segment(self, sport: int, dport: int, seq: int, ack: int, flags: int, **more: Any) -> None:
        """A segment for the stack."""
        self.receive(tcp_frame(MACS, (self.peer, sport, self.own, dport), seq, ack, flags, **more))

    def wait(self, duration: int) -> None:
        """Time passes, and nobody says anything."""
        self.now += duration
        self.host.advance(self.now)

    def sk(self, fd: int) -> TcpSock:
        """The socket behind a descriptor."""
        sk = self.host.net.files[fd].sk
        assert isinstance(sk, TcpSock)
        return sk

    def accepted(self, **syn: Any) -> int:
        """A connection that the peer opens, and its descriptor."""
        port = self.next_port
        self.next_port += 1
        self.segment(port, 80, 5000, 0, SYN, **syn)
        request = self.host.net.hashinfo.established(self.peer, port, self.own, 80)
        assert request is not None
        stamp = b"\x01\x01\x08\x0a\x00\x00\x00\x65" + bytes(4) if request.tstamp_ok else b""
        self.segment(port, 80, 5001, request.iss + 1, ACK, options=stamp)
        answer = self.call("accept", self.listener)
        assert isinstance(answer, tuple), answer
        self.fds.append(answer[0])
        return int(answer[0])

    def connected(self) -> int:
        """A connection that the stack opens."""
        fd = self.socket()
        self.call("connect", fd, Address(self.peer, 99))
        sk = self.sk(fd)
        self.segment(99, sk.num, 7000, sk.snd_nxt, SYN | ACK, options=b"\x02\x04\x05\xb4\x04\x02\x01\x01")
        return fd

    def act(self, act: Act) -> None:
        """One thing happens."""
        if isinstance(act, Wait):
            self.wait(act.duration)
        elif isinstance(act, Call):
            self._call(act)
        elif isinstance(act, Aimed):
            self._aim(act)
        elif isinstance(act, Error):
            self._error(act)
        elif isinstance(act, Bent):
            frame = bytearray(self.wire[-1 - act.number % len(self.wire)] if self.wire else bytes(60))
            frame[:12] = MACS[0] + MACS[1]
            frame += bytes(max(14 - len(frame), 0))
            for at, value in act.changes:
                frame[12 + at % (len(frame) - 12)] = value
            self.receive(bytes(frame[: act.size]))
        else:
            self.receive(MACS[0] + MACS[1] + act.ethertype + act.octets)

    def _target(self, which: int) -> Any:
        entries = list(self.host.net.hashinfo.ehash.values())
        return entries[which % len(entries)] if entries else None

    def _aim(self, act: Aimed) -> None:
        to = self._target(act.which)
        if to is None or act.which == 9:  # to the listener
            self.segment(2000 + act.size, 80, act.seq, act.ack, act.flags, window=act.window, options=self._options(act, None))
            return
        seq_at = {"rcv_nxt": to.rcv_nxt, "edge": to.rcv_nxt + getattr(to, "receive_window", 0), "irs": getattr(to, "irs", 0), "0": 0}
        ack_at = {"snd_una": getattr(to, "snd_una", getattr(to, "iss", 0)), "snd_nxt": getattr(to, "snd_nxt", getattr(to, "iss", 0) + 1)}
        ack_at |= {"edge": ack_at["snd_una"] + getattr(to, "snd_wnd", 0), "0": 0}
        frame = tcp_frame(
            MACS, (to.daddr, to.dport, to.saddr, to.num), seq_at[act.seq_from] + act.seq, ack_at[act.ack_from] + act.ack, act.flags,
            window=act.window, urgent=act.urgent, options=self._options(act, to), payload=bytes(act.size), tos=act.tos,
        )  # fmt: skip
        self.receive(frame)

    def _options(self, act: Aimed, to: Any) -> bytes:
        octets = b""
        stamp = [("stamp", 0, 1)] if act.stamped and getattr(to, "tstamp_ok", False) else []
        for option in (*stamp, *act.options):
            if isinstance(option, bytes):
                octets += option
            elif option[0] == "stamp":
                stamp = (getattr(to, "ts_recent", 0) or 0) + option[1]
                echo = self.now // MS + getattr(to, "ts_offset", 0) - option[2]
                octets += b"\x01\x01\x08\x0a" + (stamp & MASK).to_bytes(4, "big") + (echo & MASK).to_bytes(4, "big")
            else:
                una = getattr(to, "snd_una", 0)
                numbers = [(una + number) & MASK for block in option[1:] for number in block]
                octets += bytes((1, 1, 5, 2 + 4 * len(numbers))) + b"".join(number.to_bytes(4, "big") for number in numbers)
        return octets

    def _error(self, act: Error) -> None:
        to = self._target(act.which)
        if to is None:
            return
        seq = getattr(to, "snd_una", getattr(to, "iss", 0)) + act.seq
        quoted = tcp_header((to.saddr, to.num, to.daddr, to.dport), seq, 0, ACK, 100, 0, b"", bytes(8))
        about = ip_packet(to.saddr, to.daddr, 6, quoted)[: act.cut]
        self.receive(icmp_error(MACS, to.daddr, to.saddr, act.kind, act.code, act.word, about))

    def _call(self, act: Call) -> None:
        fd = self.fds[act.which % len(self.fds)] if self.fds else 0
        if act.name == "accept":
            answer = self.call("accept", self.listener)
            if isinstance(answer, tuple):
                self.fds.append(answer[0])
        elif act.name == "connect":
            self.call("connect", self.socket(), Address(self.peer, 99))
        else:
            self.call(act.name, fd, *act.arguments)

    def end(self) -> None:
        """All descriptors are closed, and the peer is silent: after some time nothing is left."""
        began = self.now
        for fd in self.fds:
            self.call("close", fd)
        for _ in range(20_000):
            self.bounds.check()
            at = self.host.net.next_timer()
            if at is None:
                break
            self.wait(max(at - self.now, 0))
        assert not left_over(self.host)
        assert self.now - began <= LONGEST, f"it took {(self.now - began) // SECOND} s"
