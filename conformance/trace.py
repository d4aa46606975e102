"""The one record of what happened in a case: segments, calls, returns, state transitions, in the order of their times.

Times are nanoseconds of one clock (``CLOCK_MONOTONIC`` for a real SUT, the virtual clock otherwise). The times of frames and
transitions are the SUT side kernel's where there is one, never those at which the tester came to read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from conformance.wire.segment import Packet

__all__ = ["Called", "Endpoints", "Event", "Note", "Received", "Returned", "Seen", "Sent", "StateChanged", "Trace"]


@dataclass(slots=True, kw_only=True)
class Event:
    """Something that happened at ``t``. ``step`` is the index of the step that caused or matched it, if any."""

    t: int
    step: int | None = None
    failed: bool = False
    """It is what made ``step`` fail."""


@dataclass(slots=True, kw_only=True)
class Sent(Event):
    """A frame from the tester left; ``t`` is when it really did, ``due`` when it should have."""

    frame: bytes
    connection: str
    due: int = 0
    packet: Packet | None = None
    """Filled in when somebody wants to read it."""


@dataclass(slots=True, kw_only=True)
class Received(Event):
    """A frame came from the SUT. ``step`` is None as long as nothing has asked for it (ambient)."""

    frame: bytes
    packet: Packet
    connection: str | None
    """None: it belongs to no connection of the case."""


@dataclass(slots=True, kw_only=True)
class Called(Event):
    """A socket call began."""

    text: str
    blocking: bool = False


@dataclass(slots=True, kw_only=True)
class Returned(Event):
    """A socket call returned."""

    text: str
    """The call and its result, in strace's manner: ``accept(s) = c``, ``recv(c, 5) = -1 EAGAIN``."""


@dataclass(slots=True, kw_only=True)
class StateChanged(Event):
    """A socket of the SUT went from one RFC 9293 state to another."""

    who: str
    """The socket's name in the case, else the connection's."""
    old: str
    new: str


@dataclass(slots=True, kw_only=True)
class Note(Event):
    """Something that the tester has to say about itself."""

    text: str


@dataclass(slots=True)
class Seen:
    """A packet of a capture, or of a live trace, as somebody saw it who took no part."""

    number: int
    """Its place in the capture, from 1, as Wireshark counts."""
    t: int
    """ns; since 1970 in a capture that keeps such times."""
    packet: Packet
    outbound: bool | None = None
    """Did the machine that took the capture send it? None: the capture does not say."""
    offloaded: bool = False
    """Its checksum was left to the hardware: it may stand for several segments that the hardware makes of it, or made it of."""


@dataclass(slots=True)
class Endpoints:
    """The addresses of a connection and the initial sequence numbers of its two sides, as far as they are known."""

    name: str
    peer: bytes
    peer_port: int
    sut: bytes
    sut_port: int
    peer_isn: int
    sut_isn: int | None = None


@dataclass(slots=True)
class Trace:
    """All events of one attempt at a case."""

    events: list[Event] = field(default_factory=list)
    connections: dict[str, Endpoints] = field(default_factory=dict)
    states_from: str = "none"
    """Where states came from: ``tracepoint``, ``inet_diag``, ``TCP_INFO``, ``stack``, ``none``."""
    start: int = 0

    def add(self, event: Event) -> None:
        """Append; the order is put right by :meth:`sorted` when somebody reads."""
        self.events.append(event)

    def sorted(self) -> Iterator[Event]:
        """All events by time; those of the same time as they were added."""
        return iter(sorted(self.events, key=lambda event: event.t))
