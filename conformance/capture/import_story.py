"""What happened, by roles: packets of the peer, packets of the SUT, and socket calls, in order. A case is written from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.wire.segment import Family, Icmp, Packet, Segment

__all__ = ["CallMade", "Finished", "FromPeer", "FromSut", "Link", "Moment", "Quiet", "Reached", "Story", "StoryError", "Walked"]


class StoryError(ValueError):
    """No case can be written of it; the message says why, and what could be done."""


@dataclass(slots=True)
class Link:
    """A connection of the case, as the executor will know it (:class:`conformance.trace.Endpoints`)."""

    name: str
    peer: bytes
    peer_port: int
    sut: bytes
    sut_port: int
    peer_isn: int
    sut_isn: int | None = None
    """None: the SUT sends no SYN, and its numbers count from 0."""
    reuse: str = ""
    """The connection of which it is a new incarnation."""
    isn_matters: bool = False
    """The peer's ISN decides what is tested: its numbers wrap."""


@dataclass(slots=True, kw_only=True)
class Moment:
    """Something that happened at ``t`` (ns)."""

    t: int
    numbers: tuple[int, ...] = ()
    """Of the packets in the capture."""

    @property
    def begun(self) -> int:
        """When the tester acted, if it did."""
        return self.t

    @property
    def done(self) -> int | None:
        """What the time of the next step counts from; None: the event before this one."""
        return self.t


@dataclass(slots=True, kw_only=True)
class FromPeer(Moment):
    """The peer sent a packet."""

    link: Link
    packet: Segment | Icmp
    fields: dict[str, object] = field(default_factory=dict)
    """``with:``, as the case writes it."""
    last: int | None = None
    """When the last of its fragments left."""
    frame: bytes = b""
    """What was sent, if that is known."""

    @property
    def done(self) -> int | None:
        return self.t if self.last is None else self.last


@dataclass(slots=True, kw_only=True)
class FromSut(Moment):
    """The SUT sent a packet."""

    link: Link
    packet: Packet
    frame: bytes = b""
    may: bool = False
    """It may come, or not."""
    echo_open: bool = False
    """Which timestamp it echoes is not said."""

    @property
    def done(self) -> int | None:
        return None if self.may else self.t


@dataclass(slots=True, kw_only=True)
class CallMade(Moment):
    """The SUT's application made a call; one that blocks is only begun here."""

    function: str
    arguments: str
    """As a case writes them."""
    name: str = ""
    """Of the socket that it makes, or of the call that is begun."""
    result: str = ""
    """As a case writes it; empty: it succeeds."""
    blocking: bool = False
    link: Link | None = None
    """What it asks for, if it is a connect."""
    returned: int | None = None

    @property
    def done(self) -> int | None:
        return None if self.blocking else self.t if self.returned is None else self.returned


@dataclass(slots=True, kw_only=True)
class Finished(Moment):
    """A call that was begun returned."""

    name: str
    result: str = ""


@dataclass(slots=True, kw_only=True)
class Quiet(Moment):
    """Until then nothing more happened."""


@dataclass(slots=True, kw_only=True)
class Reached(Moment):
    """A timer brought the connection to this state, and somebody had waited for that."""

    link: Link
    state: str


@dataclass(slots=True, kw_only=True)
class Walked(Moment):
    """The states that the connection went through, all of them."""

    link: Link
    states: tuple[str, ...]

    @property
    def done(self) -> int | None:
        return None


@dataclass(slots=True)
class Story:
    """All of it."""

    family: Family
    links: list[Link]
    moments: list[Moment]
    config: dict[str, object] = field(default_factory=dict)
    """Settings of the stack, as a case writes them."""
    hosts: Mapping[bytes, str] = field(default_factory=dict)
    """Addresses, and what the case calls them."""
    ports: Mapping[int, str] = field(default_factory=dict)
    """The SUT's ports, the same."""
    peer_ports: Mapping[int, str] = field(default_factory=dict)
    recorded: bool = False
    """The calls were recorded, not inferred."""
