"""A peer may cut its stream and acknowledge ours where it likes: what is read and what is sent are the streams all the same."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from conformance.stack.sysctl import MS, SECOND, Sysctl
from conformance.stack.tcp_sock import MASK
from conformance.stack.uapi import MSG_DONTWAIT
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, FIN, Segment
from tests.stack.brief import Brief
from tests.stack.budget import budget
from tests.stack.stage import Stage

OFFER = b"\x02\x04\x05\xb4\x04\x02\x01\x01"
SCALED = OFFER + b"\x03\x03\x02\x01"
TOTAL = 30_000
CONTENT = Random(1).randbytes(TOTAL)
STEPS = 5000


@dataclass(frozen=True, repr=False)
class Piece(Brief):
    """The peer sends some of its stream again, or too early; then so much of it is read."""

    at: int = 0
    """From what the stack expects next on, or with ``edge`` from the right edge of its window on."""
    size: int = 100
    edge: bool = False
    read: int = 0


def hear(sysctl: Sysctl, syn: bytes, size: int, buffer: int, pieces: list[Piece]) -> None:
    """The stream is ``size`` octets and a FIN, whatever the pieces were: none is made up, lost, or out of its place."""
    stage = Stage(sysctl=sysctl, options=[("SO_RCVBUF", buffer)] if buffer else [])
    fd = stage.accepted(options=syn)
    sk = stage.sk(fd)
    first, got, ended = sk.rcv_nxt, bytearray(), False

    def send(start: int, end: int) -> None:
        start, end = max(start, 0), min(end, size + 1)
        if start < end:
            flags = ACK | (FIN if end == size + 1 else 0)
            stage.segment(sk.dport, 80, first + start, sk.snd_nxt, flags, payload=CONTENT[start : min(end, size)])

    def read(most: int) -> None:
        nonlocal ended
        answer = stage.call("recvfrom", fd, most, MSG_DONTWAIT)
        if answer != "EAGAIN" and most:
            ended = not answer[0]
            got.extend(answer[0])

    for piece in pieces:
        start = (sk.rcv_nxt - first & MASK) + piece.at + (sk.receive_window if piece.edge else 0)
        send(start, start + piece.size)
        read(piece.read)
        stage.bounds.check()
        assert got == CONTENT[: len(got)]
        assert not ended or len(got) == size
    for _ in range(STEPS):
        if ended:
            break
        start = sk.rcv_nxt - first & MASK
        send(start, start + max(min(sk.receive_window, 1400), 1))
        read(10_000)
        stage.wait(50 * MS)
    assert ended and got == CONTENT[:size]
    stage.segment(sk.dport, 80, first + size + 1, sk.snd_nxt, ACK)
    stage.end()


@dataclass(frozen=True, repr=False)
class Word(Brief):
    """What the peer says next, and what it has missed."""

    write: int = 0
    """Octets that the stack's own program writes first."""
    takes: int = 10
    """Of the segments that the stack has sent since the last word, the bits that are set arrive."""
    back: int = 0
    """It acknowledges so much less than it has."""
    window: int = 0xFFFF
    sacks: bool = False
    pause: int = 0


class Peer:
    """It has what arrived, and checks that it is what was written."""

    def __init__(self, stage: Stage, fd: int, size: int) -> None:
        self.stage, self.sk, self.size = stage, stage.sk(fd), size
        self.first = self.sk.snd_nxt
        self.has = bytearray(size + 1)
        self.edge = self.sk.snd_wnd
        """The most that was ever allowed."""

    def takes(self, bits: int) -> None:
        """What was sent since the last time arrives, or does not."""
        packets = [read_frame(frame) for frame in self.stage.wire]
        self.stage.wire.clear()
        for number, packet in enumerate(packets):
            if not isinstance(packet, Segment) or packet.src != self.stage.own:
                continue
            start = (packet.seq - self.first + 1 & MASK) - 1  # a probe is one before
            end = start + len(packet.payload)
            assert packet.payload == CONTENT[start:end] or not packet.payload, "these octets are not what was written there"
            assert end <= self.edge, "beyond the peer's window"
            if bits >> number % 16 & 1:
                for at in range(max(start, 0), end + bool(packet.flags & FIN)):
                    self.has[at] = 1

    def says(self, word: Word) -> None:
        """An acknowledgment."""
        there = self.has.index(0) if 0 in self.has else self.size + 1
        ack = max(there - word.back, 0)
        options = self._sacks(there) if word.sacks and there <= self.size else b""
        self.edge = max(self.edge, ack + (word.window << self.sk.snd_wscale))
        self.stage.segment(self.sk.dport, 80, self.sk.rcv_nxt, self.first + ack, ACK, window=word.window, options=options)

    def _sacks(self, at: int) -> bytes:
        blocks = b""
        while len(blocks) < 32 and (start := self.has.find(1, at)) >= 0:
            at = self.has.find(0, start)
            at = at if at >= 0 else self.size + 1
            blocks += (self.first + start & MASK).to_bytes(4, "big") + (self.first + at & MASK).to_bytes(4, "big")
        return bytes((1, 1, 5, 2 + len(blocks))) + blocks if blocks else b""


def say(sysctl: Sysctl, syn: bytes, options: list[tuple[str, int]], words: list[Word]) -> None:
    """All that is written arrives, however the peer acknowledges it, and nothing is sent beyond its window."""
    size = sum(word.write for word in words)
    stage = Stage(sysctl=sysctl, options=options)
    fd = stage.accepted(options=syn)
    peer, written = Peer(stage, fd, size), 0
    for word in words:
        sent = stage.call("sendto", fd, CONTENT[written : written + word.write], MSG_DONTWAIT) if word.write else 0
        written += sent if isinstance(sent, int) else 0
        peer.takes(word.takes)
        peer.says(word)
        stage.wait(word.pause)
        stage.bounds.check()
    for _ in range(STEPS):
        if 0 not in peer.has:
            break
        if written < size:
            sent = stage.call("sendto", fd, CONTENT[written:size], MSG_DONTWAIT)
            written += sent if isinstance(sent, int) else 0
        elif fd in stage.fds:
            stage.call("shutdown", fd, 1)
        peer.takes(0xFFFF)
        peer.says(Word())
        stage.wait(SECOND)
    assert 0 not in peer.has, f"{peer.has.count(0)} octets of {size} never came"
    stage.end()


few = st.one_of(st.integers(0, 3), st.integers(0, 300), st.integers(0, 4000))
piece = st.builds(Piece, at=st.one_of(st.just(0), st.integers(-3, 3), st.integers(-3000, 6000)), size=few, edge=st.booleans(), read=few)
word = st.builds(
    Word,
    write=few,
    takes=st.one_of(st.just(0xFFFF), st.integers(0, 0xFFFF)),
    back=st.one_of(st.just(0), st.integers(0, 2000)),
    window=st.one_of(st.just(0xFFFF), st.integers(0, 3), st.integers(0, 3000)),
    sacks=st.booleans(),
    pause=st.sampled_from([0, MS, 50 * MS, SECOND, 5 * SECOND]),
)
pieces = st.one_of(st.lists(piece, max_size=8), st.lists(piece, min_size=8, max_size=40))
words = st.one_of(st.lists(word, max_size=8), st.lists(word, min_size=8, max_size=40))
sysctls = st.builds(
    lambda **config: Sysctl.from_config(config), profile=st.sampled_from(["rfc", "linux"]), sack=st.booleans(), window_scaling=st.booleans()
)
syns = st.sampled_from([OFFER, SCALED, b"\x02\x04\x00\x64"])
sending = st.lists(st.sampled_from([("TCP_NODELAY", 1), ("TCP_MAXSEG", 100), ("SO_SNDBUF", 1)]), unique=True)


@budget(120)
@given(sysctls, syns, st.integers(0, TOTAL), st.sampled_from([0, 1, 3000]), pieces)
def test_a_stream_is_read_as_it_was_however_it_was_cut(sysctl: Sysctl, syn: bytes, size: int, buffer: int, script: list[Piece]) -> None:
    hear(sysctl, syn, size, buffer, script)


@budget(120)
@given(sysctls, syns, sending, words)
def test_a_stream_is_sent_as_it_was_however_it_is_acknowledged(
    sysctl: Sysctl, syn: bytes, options: list[tuple[str, int]], script: list[Word]
) -> None:
    say(sysctl, syn, options, script)
