"""The interface behind which every stack under test stands: a link, an agent, states, capabilities and configuration.

A :class:`Sut` gives :class:`Bed`s, each a running instance of the stack with one configuration. A bed gives each case run a
:class:`Site`: addresses and ports of its own, an agent for its socket calls, and the frames that concern it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

from conformance.result import SutFacts
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = [
    "Agent", "AnySut", "Argument", "Bed", "Host", "Outcome", "Places", "RoomyBed", "Site", "SiteEvents", "StackUnderTest", "Sut",
    "SutFault", "SutLacks", "Transition", "VirtualBed", "VirtualSite", "VirtualSut",
]  # fmt: skip


class SutFault(Exception):
    """The SUT's program broke, or cannot be had: the verdict is *error*, and it is not the stack's conformance that failed."""


class SutLacks(SutFault):
    """The SUT's interface has not got what the case asks of it: the verdict is *skipped*."""


@dataclass(frozen=True, slots=True)
class Host:
    """``host:port`` with the names resolved: an address in network order and a port."""

    address: bytes
    port: int


Argument = int | str | bytes | Host
"""Of a call: a socket's handle or a number, a constant's name (``SOCK_STREAM``, ``MSG_PEEK|MSG_DONTWAIT``), data, an address."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call returned: a value, or an errno's name.

    ``value`` is a handle (socket, accept), a count (send), data (recv), a number, an address, or event names (poll).
    """

    value: int | bytes | str | Host | None = None
    error: str | None = None
    peer: Host | None = None
    """Of accept: the other end."""
    late: int = 0
    """ns that the caller was ready to go on but had no processor: the return may have been that much earlier."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A socket of the SUT changed its state, at ``t`` (ns, monotonic). Ports of 0 are not known (yet)."""

    t: int
    local_port: int
    remote: bytes
    remote_port: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses and ports of one case run, under the names that cases use."""

    family: Family
    sut_mac: bytes
    peer_mac: bytes
    hosts: Mapping[str, bytes]
    ports: Mapping[str, int]


class SiteEvents(Protocol):
    """What a site tells the runner, always from the event loop's thread."""

    def frame(self, t: int, frame: bytes, outgoing: bool) -> None:
        """A frame passed the tester's end; ``outgoing`` if the tester sent it."""

    def returned(self, call: int, t: int, outcome: Outcome) -> None:
        """The call with this number returned at ``t``."""

    def blocked(self, call: int, t: int) -> None:
        """The call that was started sleeps now."""

    def answered(self, query: int, t: int, value: str | int | Mapping[str, int]) -> None:
        """What :meth:`Agent.state` or :meth:`Agent.info` asked for."""

    def moved(self, transitions: Sequence[Transition]) -> None:
        """Sockets changed their states."""

    def broke(self, fault: SutFault) -> None:
        """The SUT's program broke: nothing more will come."""


class Agent(Protocol):
    """Socket calls on the SUT, by name. Results come through :class:`SiteEvents`, at once or later."""

    def call(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        """A call that must not block."""

    def start(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        """A call that may block."""

    def state(self, number: int, handle: int | None, connection: Endpoints | None) -> None:
        """Ask for the RFC state of a socket or, without one, of a connection."""

    def transitions(self, connections: Sequence[Endpoints]) -> None:
        """Ask for the transitions of these connections since the last time: SiteEvents.moved comes before this returns."""

    def info(self, number: int, handle: int) -> None:
        """Ask for a connection's figures: names of TCP_INFO to numbers, times in ns."""


class Site(Protocol):
    """One case run's place on a bed."""

    @property
    def places(self) -> Places:
        """Addresses and ports of this case run."""

    @property
    def agent(self) -> Agent:
        """Its socket calls."""

    @property
    def states_from(self) -> str:
        """Where its states come from."""

    def send(self, frame: bytes, /) -> object:
        """Put a frame on the wire. OSError: it did not go."""

    def pump(self) -> None:
        """Hand over all frames that are there, without waiting."""

    def disturbed(self, failed: bool = False) -> str | None:
        """What happened to the tester's end since this site was made that makes a trace worthless (frames lost, the clock set).

        ``failed``: the case failed, so that what may have made the stack late counts, too.
        """

    def close(self, connections: Sequence[Endpoints]) -> None:
        """End what the case left: sockets, pending calls, connections that no socket holds any more."""


class Bed(Protocol):
    """A running stack with one configuration, shared by many case runs at once."""

    def site(self, family: Family, events: SiteEvents) -> Site:
        """A place for a case run."""

    def close(self) -> None:
        """Stop the stack and give everything back."""


class StackUnderTest(Protocol):
    """What every stack under test says of itself."""

    name: str
    capabilities: frozenset[str]

    @property
    def features(self) -> frozenset[str] | None:
        """Of :mod:`conformance.case.features`, those that it has; None: all."""

    def facts(self) -> SutFacts:
        """Version, settings, and where states come from."""

    def lacks(self, config: Mapping[str, object]) -> str | None:
        """Why the stack cannot be configured so; None if it can."""

    def close(self) -> None:
        """End everything that is shared by the beds."""


class Sut(StackUnderTest, Protocol):
    """A stack under test that runs in real time."""

    def bed(self, config: Mapping[str, object]) -> Bed:
        """Start an instance. Raises SutFault or EnvironmentFault."""


@runtime_checkable
class RoomyBed(Bed, Protocol):
    """A bed that has only so many places at once."""

    def room(self) -> AbstractAsyncContextManager[None]:
        """Inside is a place for one case run, which :meth:`site` gives. It waits for one; raises SutFault."""


class VirtualSite(Site, Protocol):
    """One case run's place on a stack that has no clock of its own. Nothing happens in it between two calls of these methods, and what
    happened in one of them is told by the next :meth:`pump`, in order, with the times of the stack's clock.
    """

    def advance(self, now: int) -> None:
        """It is ``now`` (ns); what was due before happens first, each at its own time."""

    def next_timer(self) -> int | None:
        """When the stack does something next if nothing comes before; None: never."""


class VirtualBed(Protocol):
    """One configuration of a stack that has no clock of its own."""

    def virtual_site(self, family: Family, events: SiteEvents, rng: Random, now: int) -> VirtualSite:
        """A stack that begins now. All that it chooses at random comes from ``rng``."""


@runtime_checkable
class VirtualSut(StackUnderTest, Protocol):
    """A stack under test in this process, which is told what time it is: a case of hours takes milliseconds."""

    def virtual_bed(self, config: Mapping[str, object]) -> VirtualBed:
        """A configuration. Raises SutFault."""


AnySut = Sut | VirtualSut
