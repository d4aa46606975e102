"""A stack without a clock of its own that behaves as badly as a test wants."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from conformance.result import SutFacts
from conformance.sut.base import Argument, Outcome, Places, SiteEvents
from conformance.trace import Endpoints
from conformance.wire.read import read_frame
from conformance.wire.segment import SYN, Family, Segment

from .desk import places
from .fake_sut import syn_ack

__all__ = ["Behaviour", "FakeSite", "FakeVirtualSut"]


class Behaviour:
    """What the stack does. This one answers a SYN with a SYN,ACK; its calls succeed, and those that block never return."""

    def segment(self, site: FakeSite, segment: Segment) -> None:
        """A segment came."""
        if segment.flags == SYN:
            site.transmit(syn_ack(segment))

    def call(self, site: FakeSite, number: int, function: str) -> None:
        """A call that must not block."""
        site.returns(number, Outcome(3 if function == "socket" else 0))

    def start(self, site: FakeSite, number: int, function: str) -> None:  # noqa: ARG002 - others look at it
        """A call that blocks."""
        site.events.blocked(number, site.now)


@dataclass
class FakeVirtualSut:
    """The stack; each site has the same behaviour."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    lack: str = ""
    broken: Exception | None = None
    name: str = "fake"
    capabilities: frozenset[str] = frozenset({"ipv4", "ipv6"})
    features: frozenset[str] | None = None
    sites: list[FakeSite] = field(default_factory=list)

    def facts(self) -> SutFacts:
        return SutFacts(self.name, "0", "stack")

    def lacks(self, config: Mapping[str, object]) -> str | None:
        return f"no {self.lack}" if self.lack in config else None

    def virtual_bed(self, _: Mapping[str, object]) -> FakeVirtualSut:
        if self.broken is not None:
            raise self.broken
        return self

    def virtual_site(self, family: Family, events: SiteEvents, rng: Random, now: int) -> FakeSite:
        self.sites.append(FakeSite(self.behaviour, places(family), events, rng, now))
        return self.sites[-1]

    def close(self) -> None:
        pass


class FakeSite:
    """One case run's stack, and its agent."""

    states_from = "stack"

    def __init__(self, behaviour: Behaviour, where: Places, events: SiteEvents, rng: Random, now: int) -> None:
        self.places, self.events, self.rng, self.now = where, events, rng, now
        self.behaviour = behaviour
        self.closed = False
        self._order = itertools.count()
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._happened: list[Callable[[], None]] = []

    @property
    def agent(self) -> FakeSite:
        return self

    # What a behaviour does --------------------------------------------------------------------------------------------

    def transmit(self, frame: bytes) -> None:
        """Send a frame."""
        t = self.now
        self._happened.append(lambda: self.events.frame(t, frame, False))

    def returns(self, number: int, outcome: Outcome) -> None:
        """Let a call return."""
        t = self.now
        self._happened.append(lambda: self.events.returned(number, t, outcome))

    def at(self, t: int, work: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._timers, (t, next(self._order), work))

    # The site ---------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes, /) -> None:
        segment = read_frame(frame)
        if isinstance(segment, Segment):
            self.behaviour.segment(self, segment)

    def advance(self, now: int) -> None:
        while self._timers and self._timers[0][0] <= now:
            self.now, _, work = heapq.heappop(self._timers)
            work()
        self.now = now

    def next_timer(self) -> int | None:
        return self._timers[0][0] if self._timers else None

    def pump(self) -> None:
        while self._happened:
            self._happened.pop(0)()

    def disturbed(self, failed: bool = False) -> str | None:  # noqa: ARG002 - nothing makes it late
        return None

    def close(self, _: Sequence[Endpoints]) -> None:
        self.closed = True

    # The agent --------------------------------------------------------------------------------------------------------

    def call(self, number: int, function: str, _: Sequence[Argument]) -> None:
        self.behaviour.call(self, number, function)

    def start(self, number: int, function: str, _: Sequence[Argument]) -> None:
        self.behaviour.start(self, number, function)

    def state(self, number: int, *_: object) -> None:
        self.events.answered(number, self.now, "ESTABLISHED")

    def transitions(self, connections: Sequence[Endpoints]) -> None:
        pass

    def info(self, number: int, _: int) -> None:
        self.events.answered(number, self.now, {})
