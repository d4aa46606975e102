"""What a case says, once it is read: the values that a pattern may take, segments, calls and steps.

Everything here is immutable data with its place in the file. It is made by :mod:`conformance.case.loader` and
played by :mod:`conformance.engine.executor`. Durations are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conformance.case.arithmetic import Check

__all__ = [
    "ANY_OPTION", "RAW_OPTION", "STATES", "Address", "AnyOrderStep", "AnyValue", "Arg", "Call", "CallStep", "CheckStep", "ConnectionSpec",
    "EitherStep", "Errno", "Exact", "ExpectIcmpStep", "ExpectStep", "Extension", "FinishStep", "Flags", "FlagsPattern", "IcmpPattern",
    "Includes", "InfoStep", "InjectIcmpStep", "InjectStep", "Name", "Num", "Octets", "OneOf", "OptionPattern", "OptionalStep", "Range",
    "RepeatStep", "Result", "SegmentPattern", "SeriesStep", "SilenceStep", "SockoptStep", "Source", "StartStep", "StateStep", "StatesStep",
    "Step", "Text", "Timing", "Var", "Wanted", "flatten",
]  # fmt: skip

STATES = (
    "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK",
    "TIME-WAIT",
)  # fmt: skip
"""The eleven states of RFC 9293, section 3.3.2."""


# Values ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exact:
    """This number."""

    value: int


@dataclass(frozen=True, slots=True)
class AnyValue:
    """``*``"""


@dataclass(frozen=True, slots=True)
class Range:
    """``low..high``, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Var:
    """``$name+offset``: binds on first use in an expectation, then must agree."""

    name: str
    offset: int = 0


Num = Exact | AnyValue | Range | Var


@dataclass(frozen=True, slots=True)
class Octets:
    """``830704 peer2``: octets, and names of addresses that stand for theirs."""

    parts: tuple[bytes | str, ...]

    def value(self, hosts: Mapping[str, bytes]) -> bytes:
        """All octets; KeyError for an address that there is not."""
        return b"".join(hosts[part] if isinstance(part, str) else part for part in self.parts)


@dataclass(frozen=True, slots=True)
class Timing:
    """``after:`` on something that is expected: between ``low`` and ``high`` ns after the event before."""

    low: int
    high: int


# Segments -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FlagsPattern:
    """Flags that must be set (``value``), and those that may be (``optional``); ``any`` for ``*``."""

    value: int
    optional: int = 0
    any: bool = False


@dataclass(frozen=True, slots=True)
class OptionPattern:
    """One option: its kind and its numbers in order.

    ``numbers`` holds: mss 1, wscale 1, TS 2 (val, ecr), sack 2 a block (relative to the acknowledged stream).
    For ``tfo``, ``kind N`` and ``raw`` the octets are in ``data`` (``data is None`` matches any);
    ``tfo $x`` has the variable in ``numbers``. ``kind`` is ``ANY_OPTION`` for ``any``
    and ``RAW_OPTION`` for ``raw``.
    """

    kind: int
    numbers: tuple[Num, ...] = ()
    data: bytes | None = None


ANY_OPTION, RAW_OPTION = -1, -2


@dataclass(frozen=True, slots=True)
class SegmentPattern:
    """A segment, to inject or to compare with. ``None`` means: not written."""

    flags: FlagsPattern
    seq: Num
    end: Num
    length: Num
    ack: Num | None = None
    win: Num | None = None
    urg: Num | None = None
    options: tuple[OptionPattern, ...] | None = None
    """``()`` for ``<>``."""
    more_options: bool = False
    """``...`` at the end of the options."""
    data: bytes | None = None
    text: str = ""
    """As it was written."""


@dataclass(frozen=True, slots=True)
class IcmpPattern:
    """An ICMP message by its neutral name, or by type and code."""

    name: str
    """``type`` if the numbers were given."""
    type: int | None = None
    code: int | None = None
    mtu: Num | None = None
    quoted: SegmentPattern | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension header of IPv6: its kind (the number that the header before it says), and what follows its length."""

    kind: int
    data: Octets


# Calls ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A socket, a port, or a constant such as SOCK_STREAM."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """``"hello"``, with the usual escapes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """``host:port``; each part a name or, for the port, a number."""

    host: str
    port: str | int


@dataclass(frozen=True, slots=True)
class Flags:
    """``A|B``"""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Errno:
    """``EAGAIN``"""

    name: str


@dataclass(frozen=True, slots=True)
class Includes:
    """``includes A|B``: these are among the flags; ``excludes``: none of them is."""

    names: tuple[str, ...]
    absent: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """``EPIPE or ENOTCONN``"""

    results: tuple[Result, ...]


Arg = Exact | Name | Text | Address | Flags | Octets
Result = Exact | Range | AnyValue | Var | Errno | Text | Address | Flags | Includes | OneOf | Octets


@dataclass(frozen=True, slots=True)
class Call:
    """``target = function(args) = result``"""

    function: str
    args: tuple[Arg, ...]
    target: str | None = None
    result: Result | None = None
    text: str = ""


Wanted = Num | Name | Octets
"""What ``with:`` compares."""


# Steps ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """Where a step stands: file (relative to the case folder), line and column from 1, and its text."""

    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What all steps have in common."""

    source: Source = field(repr=False)
    on: str = "default"
    """The connection's name."""
    after: Timing | None = None
    within: int | None = None
    why: str = field(default="", repr=False)
    preamble: bool = False
    """It belongs to ``given:``, so a failure says nothing about the SUT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStep(Step):
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class StartStep(Step):
    """``call.target`` names the pending call."""

    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishStep(Step):
    name: str
    result: Result | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectStep(Step):
    segment: SegmentPattern
    fields: Mapping[str, object] = field(default_factory=dict)
    """``with:``, validated: integers, booleans, address names, and ``raw`` as a mapping of "34", "ip+8", "tcp+13" to bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectStep(Step):
    segment: SegmentPattern
    fields: Mapping[str, Wanted] = field(default_factory=dict)
    """``with:``: ``ecn`` and ``df`` and ``checksum: good`` as numbers too (checksum 1 is good)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectIcmpStep(Step):
    icmp: IcmpPattern
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectIcmpStep(Step):
    icmp: IcmpPattern
    fields: Mapping[str, Wanted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceStep(Step):
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateStep(Step):
    socket: str | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesStep(Step):
    socket: str | None
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SockoptStep(Step):
    socket: str
    name: str
    value: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoStep(Step):
    socket: str
    values: tuple[tuple[str, Num], ...]
    """Times in nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStep(Step):
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOrderStep(Step):
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EitherStep(Step):
    branches: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalStep(Step):
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatStep(Step):
    """Unrolled by the loader: ``steps`` holds one tuple of steps a round, ``$i`` replaced."""

    rounds: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesStep(Step):
    """Steps one after another that have something in common which only their player knows. No file says this."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """What a case says of one of its connections."""

    name: str
    peer: str = "peer"
    port: str = "port"
    peer_port: str | int | None = None
    """None: one of its own."""
    isn: int | None = None
    """Absolute; None: chosen by the run."""
    isn_offset: int | None = None
    """Relative to the connection that it reuses."""
    reuse: str | None = None


def flatten(steps: Iterable[Step]) -> list[Step]:
    """All steps in the order in which they stand in the case, those inside others too: the index of a step is its place here."""
    flat: list[Step] = []
    for step in steps:
        flat.append(step)
        match step:
            case AnyOrderStep() | OptionalStep() | SeriesStep():
                flat += flatten(step.steps)
            case EitherStep():
                flat += flatten(inner for branch in step.branches for inner in branch)
            case RepeatStep():
                flat += flatten(inner for one in step.rounds for inner in one)
    return flat
