"""What the executor is told (events) and what it asks for (actions). Times are nanoseconds of the trace's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.engine.reflex import Reflex
from conformance.sut.base import Argument, Outcome, Transition
from conformance.trace import Endpoints

__all__ = [
    "Action", "Answered", "AskInfo", "AskState", "AskTransitions", "Begin", "Blocked", "CallReturned", "Disturbed", "Event", "Frame",
    "MakeCall", "Moved", "Send", "Stalled", "Tick", "WakeAt",
]  # fmt: skip


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """Start playing now."""

    t: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame passed the tester's end of the link; ``outgoing`` if it is one of the tester's, which has now left."""

    t: int
    frame: bytes
    outgoing: bool


@dataclass(frozen=True, slots=True)
class CallReturned:
    """A socket call returned."""

    t: int
    number: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Blocked:
    """A call that was started sleeps now."""

    t: int
    number: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to :class:`AskState` (a state), :class:`AskInfo` (figures), :class:`AskTransitions` (how many :class:`Moved` told)."""

    t: int
    number: int
    value: str | int | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Moved:
    """Sockets of the SUT changed their states."""

    transitions: Sequence[Transition]


@dataclass(frozen=True, slots=True)
class Tick:
    """It is ``t`` now, and every frame that came before ``t`` has been told."""

    t: int


@dataclass(frozen=True, slots=True)
class Stalled:
    """The tester did not run for ``late`` ns up to ``t``, though it should have."""

    t: int
    late: int


@dataclass(frozen=True, slots=True)
class Disturbed:
    """The trace is worthless from here on: frames were lost, the clock was set, a frame could not be sent."""

    t: int
    reason: str


Event = Begin | Frame | CallReturned | Blocked | Answered | Moved | Tick | Stalled | Disturbed


# Actions --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Put this frame on the wire; a :class:`Frame` that is outgoing says when it left.

    ``reflex`` may answer the first frame that comes at once; whoever lets it must take the answer for the next :class:`Send`.
    """

    frame: bytes
    reflex: Reflex | None = None


@dataclass(frozen=True, slots=True)
class MakeCall:
    """Make this socket call; :class:`CallReturned` brings its result, :class:`Blocked` comes before if it is one that blocks."""

    number: int
    function: str
    arguments: tuple[Argument, ...]
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class AskState:
    """Ask for a socket's state, or a connection's."""

    number: int
    handle: int | None
    connection: Endpoints | None


@dataclass(frozen=True, slots=True)
class AskInfo:
    """Ask for a socket's figures."""

    number: int
    handle: int


@dataclass(frozen=True, slots=True)
class AskTransitions:
    """Ask for the transitions of these connections."""

    number: int
    connections: tuple[Endpoints, ...]


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a :class:`Tick` at ``t`` or soon after; it replaces the wish before. None: none is wanted any more."""

    t: int | None


Action = Send | MakeCall | AskState | AskInfo | AskTransitions | WakeAt
