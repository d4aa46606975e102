"""A stack under test that behaves as badly as a test wants, over each address family in another way."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.result import SutFacts
from conformance.sut.base import Argument, Outcome, Places, SiteEvents
from conformance.trace import Endpoints
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, SYN, Family, Segment
from conformance.wire.template import Spec, build

from .desk import places

__all__ = ["FakeSut", "Stack", "syn_ack"]


def syn_ack(syn: Segment, ack: int = 1) -> bytes:
    """The answer to a SYN; ``ack`` is what it acknowledges, counted from the SYN."""
    macs = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
    bound = build(Spec(syn.family, flags=SYN | ACK)).bind(*macs, syn.dst, syn.src, syn.dport, syn.sport)
    return bound.render(1_000_000, syn.seq + ack)


@dataclass
class Stack:
    """One family's behaviour; this one is good. What can be replaced may also raise."""

    answer: Callable[[Segment], Iterable[bytes]] = lambda syn: [syn_ack(syn)]
    """The frames that a segment gets."""
    call: Callable[[str], Outcome | None] = lambda function: Outcome(3 if function == "socket" else 0)
    """What a call returns; None: nothing, ever."""
    send: Callable[[], None] = lambda: None
    pump: Callable[[], None] = lambda: None
    state: Callable[[], str | None] = lambda: "ESTABLISHED"
    disturbed: Callable[[], str | None] = lambda: None
    site: Callable[[], None] = lambda: None
    close: Callable[[], None] = lambda: None
    places: Callable[[Family], Places] = places
    endless: bytes | None = None
    """A frame that comes again and again from the first segment on."""


@dataclass
class FakeSut:
    """The stack. ``lack`` and ``broken``: the settings that it has not got, and with which it does not start."""

    ipv4: Stack = field(default_factory=Stack)
    ipv6: Stack = field(default_factory=Stack)
    lack: str = ""
    broken: Mapping[str, Exception] = field(default_factory=dict)
    name: str = "fake"
    capabilities: frozenset[str] = frozenset({"ipv4", "ipv6"})
    features: frozenset[str] | None = None
    made: int = 0
    """Sites so far."""
    open: int = 0
    """Sites that are not closed."""
    most: int = 0
    """The most that were open at once."""
    beds: int = 0
    """Beds that are not closed."""

    def facts(self) -> SutFacts:
        return SutFacts(self.name, "0", "stack")

    def lacks(self, config: Mapping[str, object]) -> str | None:
        return f"no {self.lack}" if self.lack in config else None

    def bed(self, config: Mapping[str, object]) -> FakeBed:
        for setting in config:
            if setting in self.broken:
                raise self.broken[setting]
        self.beds += 1
        return FakeBed(self)

    def close(self) -> None:
        assert self.beds == 0


@dataclass
class FakeBed:
    """A running instance."""

    sut: FakeSut

    def site(self, family: Family, events: SiteEvents) -> FakeSite:
        stack = self.sut.ipv4 if family is Family.IPV4 else self.sut.ipv6
        self.sut.made += 1
        stack.site()
        self.sut.open += 1
        self.sut.most = max(self.sut.most, self.sut.open)
        return FakeSite(self.sut, stack, stack.places(family), events)

    def close(self) -> None:
        self.sut.beds -= 1


class FakeSite:
    """One case run's place, and its agent."""

    states_from = "stack"

    def __init__(self, sut: FakeSut, stack: Stack, where: Places, events: SiteEvents) -> None:
        self._sut, self._stack, self._events = sut, stack, events
        self.places = where
        self._wire: deque[tuple[int, bytes, bool]] = deque()
        self._closed = False

    @property
    def agent(self) -> FakeSite:
        return self

    # The link ---------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes, /) -> object:
        self._stack.send()
        segment = read_frame(frame)
        self._wire.append((time.monotonic_ns(), frame, True))
        if isinstance(segment, Segment):
            self._wire.extend((time.monotonic_ns(), answer, False) for answer in self._stack.answer(segment))
        if self._stack.endless is not None:
            self._again(self._stack.endless)
        return len(frame)

    def pump(self) -> None:
        self._stack.pump()
        while self._wire:
            self._events.frame(*self._wire.popleft())

    def _again(self, frame: bytes) -> None:
        if not self._closed:
            for _ in range(100):
                self._events.frame(time.monotonic_ns(), frame, False)
            asyncio.get_running_loop().call_soon(self._again, frame)

    def disturbed(self, failed: bool = False) -> str | None:  # noqa: ARG002 - nothing makes it late
        return self._stack.disturbed()

    def close(self, _: Sequence[Endpoints]) -> None:
        self._closed = True
        self._sut.open -= 1
        self._stack.close()

    # The agent --------------------------------------------------------------------------------------------------------

    def call(self, number: int, function: str, _: Sequence[Argument]) -> None:
        outcome = self._stack.call(function)
        if outcome is not None:
            self._events.returned(number, time.monotonic_ns(), outcome)

    def start(self, number: int, *_: object) -> None:
        self._events.blocked(number, time.monotonic_ns())

    def state(self, number: int, *_: object) -> None:
        state = self._stack.state()
        if state is not None:
            self._events.answered(number, time.monotonic_ns(), state)

    def transitions(self, connections: Sequence[Endpoints]) -> None:
        pass

    def info(self, number: int, _: int) -> None:
        self._events.answered(number, time.monotonic_ns(), {})
