"""A place on the running kernel, what it tells, and a peer that says what a test wants on the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from conformance.sut.base import Host, Outcome, Transition
from conformance.sut.linux import LinuxBed, LinuxSite
from conformance.trace import Endpoints
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, SYN, Family, Segment
from conformance.wire.template import Spec, build

__all__ = ["LIMIT", "Peer", "Recorder", "opened"]

LIMIT = 60
"""Seconds for what takes none: only what hangs reaches it."""
_T = TypeVar("_T")


class Recorder:
    """Keeps all that a site tells, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.results: dict[int, Outcome] = {}
        self.returned_at: dict[int, int] = {}
        self.sleeping: set[int] = set()
        self.answers: dict[int, str | int | Mapping[str, int]] = {}
        self.frames: list[tuple[int, bytes, bool]] = []
        self.moves: list[Transition] = []
        self._news = asyncio.Event()

    def frame(self, t: int, frame: bytes, outgoing: bool) -> None:
        self.frames.append((t, frame, outgoing))
        self._tell("frame")

    def returned(self, call: int, t: int, outcome: Outcome) -> None:
        self.results[call], self.returned_at[call] = outcome, t
        self._tell(f"returned {call}")

    def blocked(self, call: int, _: int) -> None:
        self.sleeping.add(call)
        self._tell(f"blocked {call}")

    def answered(self, query: int, _: int, value: str | int | Mapping[str, int]) -> None:
        self.answers[query] = value
        self._tell(f"answered {query}")

    def moved(self, transitions: Sequence[Transition]) -> None:
        self.moves += transitions
        self._tell("moved")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._news.set()

    async def until(self, found: Callable[[], _T | None]) -> _T:
        """What ``found`` finds, as soon as it finds something."""
        async with asyncio.timeout(LIMIT):
            while not (something := found()):
                await self._news.wait()
                self._news.clear()
                await asyncio.sleep(0)
        return something


class Peer:
    """The other end of one connection, and short ways to the SUT's sockets. Numbers count from the ISNs, which both are known."""

    isn = 0xFFFF_FFF0

    def __init__(self, site: LinuxSite, events: Recorder) -> None:
        places = site.places
        self.site, self.events, self.places = site, events, places
        self.ends = Endpoints(
            "default", places.hosts["peer"], places.ports["peer_port"], places.hosts["sut"], places.ports["port"], self.isn, None
        )
        self._number = 100
        self._seen = 0

    def send(self, flags: int, seq: int, ack: int = 0, data: bytes = b"") -> None:
        """A segment to the SUT."""
        places, ends = self.places, self.ends
        spec = Spec(places.family, flags=flags, payload=data)
        bound = build(spec).bind(places.peer_mac, places.sut_mac, ends.peer, ends.sut, ends.peer_port, ends.sut_port)
        self.site.send(bound.render(seq + self.isn, ack + (ends.sut_isn or 0) if flags & ACK else 0))

    async def segment(self, flags: int) -> Segment:
        """The next segment from the SUT that has all these flags; those before it are passed over."""
        return await self.events.until(lambda: self._next(flags))

    def _next(self, flags: int) -> Segment | None:
        while self._seen < len(self.events.frames):
            _, frame, outgoing = self.events.frames[self._seen]
            self._seen += 1
            packet = read_frame(frame)
            if not outgoing and isinstance(packet, Segment) and packet.flags & flags == flags:
                if packet.flags & SYN:
                    self.ends.sut_isn, self.ends.sut_port = packet.seq, packet.sport
                return packet
        return None

    def call(self, function: str, *arguments: int | str | bytes | Host) -> Outcome:
        """A call that returns at once."""
        self._number += 1
        self.site.agent.call(self._number, function, arguments)
        return self.events.results[self._number]

    def start(self, function: str, *arguments: int | str | bytes | Host) -> int:
        """A call that blocks; its number."""
        self._number += 1
        self.site.agent.start(self._number, function, arguments)
        return self._number

    def state(self, handle: int | None = None) -> str:
        """What the agent says of the socket, or of the connection."""
        self._number += 1
        self.site.agent.state(self._number, handle, self.ends)
        return str(self.events.answers[self._number])

    def socket(self) -> int:
        return self._handle(self.call("socket"))

    def listener(self) -> int:
        """A socket that listens on the case's port."""
        handle = self.socket()
        for function, argument in (("bind", Host(self.places.hosts["any"], self.places.ports["port"])), ("listen", 8)):
            assert self.call(function, handle, argument) == Outcome(0)
        return handle

    async def accepted(self) -> int:
        """The socket of a connection that the SUT has accepted."""
        listener = self.listener()
        self.send(SYN, 0)
        await self.segment(SYN | ACK)
        self.send(ACK, 1, 1)
        return self._handle(await self.events.until(lambda: self._accept(listener)))

    def _accept(self, listener: int) -> Outcome | None:
        outcome = self.call("accept", listener)  # which is news itself, so that this is tried until the ACK has been dealt with
        return None if outcome.error == "EAGAIN" else outcome

    @staticmethod
    def _handle(outcome: Outcome) -> int:
        assert isinstance(outcome.value, int) and outcome.error is None, outcome
        return outcome.value


@contextlib.contextmanager
def opened(bed: LinuxBed, family: Family) -> Iterator[Peer]:
    """A peer at a place of its own on the bed."""
    events = Recorder()
    peer = Peer(bed.site(family, events), events)
    try:
        yield peer
    finally:
        peer.site.close([peer.ends])
