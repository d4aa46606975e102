"""In which fields two packets differ that stand in the same place of two exchanges, and what that means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conformance.capture.compare_ip_options import ip_options_text
from conformance.capture.difference import Kind
from conformance.capture.exchange import Exchange, Role, Side
from conformance.capture.voices import Answer, Essence
from conformance.wire import options as wire
from conformance.wire.options import Option
from conformance.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Icmp, Segment, Unreadable
from conformance.wire.seq import relative
from conformance.wire.text import flags_text, icmp_text

__all__ = ["FieldDifference", "fields_that_differ"]

_ECN_BITS = 3


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field; the values as people write them."""

    kind: Kind
    what: str
    expected: str
    actual: str


def fields_that_differ(expected: tuple[Exchange, Answer], actual: tuple[Exchange, Answer]) -> Iterator[FieldDifference]:
    """What differs between a packet of one exchange and one of the other, apart from what each chose."""
    match expected[1].turn.packet, actual[1].turn.packet:
        case Segment() as there, Segment() as here:
            yield from _segments(
                *(_Placed(segment, one[1].essence, *one[0].side(one[1].turn)) for segment, one in ((there, expected), (here, actual)))
            )
        case Icmp() as there, Icmp() as here:
            if icmp_text(there) != icmp_text(here):
                yield FieldDifference(Kind.ALLOWED, "ICMP message", icmp_text(there), icmp_text(here))
            if there.checksum_ok and not here.checksum_ok:
                yield FieldDifference(Kind.VIOLATION, "checksum", "right", "wrong")
        case Unreadable(there_reason), Unreadable(here_reason) if there_reason != here_reason:
            yield FieldDifference(Kind.HARMLESS, "other frame", there_reason, here_reason)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A segment, and what its numbers count from."""

    segment: Segment
    essence: Essence
    own: Side
    other: Side


def _segments(there: _Placed, here: _Placed) -> Iterator[FieldDifference]:
    a, b = there.essence, here.essence
    yield from _flags(there.segment, here.segment)
    if (a.seq, a.end, a.more) != (b.seq, b.end, b.more):
        kind, what = _placing(a, b)
        yield FieldDifference(kind, what, _numbers(there), _numbers(here))
    elif not (there.segment.cut or here.segment.cut) and there.segment.payload != here.segment.payload:
        yield FieldDifference(Kind.VIOLATION, "data", repr(there.segment.payload[:24]), repr(here.segment.payload[:24]))
    if a.ack != b.ack:
        kind = Kind.VIOLATION if a.role is Role.RST else Kind.ALLOWED
        yield FieldDifference(kind, "acknowledgement number", *("none" if one.ack is None else str(one.ack) for one in (a, b)))
    for kind, what, value in _FIELDS:
        if (x := value(there.segment)) != (y := value(here.segment)):
            yield FieldDifference(kind, what, x, y)
    yield from _options(there, here)


def _numbers(one: _Placed) -> str:
    """``1:101(100)``."""
    if one.essence.more:
        return "that of the segment which it answers"
    return f"{one.essence.seq}:{one.essence.end}({len(one.segment.payload) + one.segment.cut})"


def _placing(there: Essence, here: Essence) -> tuple[Kind, str]:
    """What other sequence numbers mean."""
    if there.role is Role.DATA or (there.role is Role.FIN and there.end == here.end):
        return Kind.ALLOWED, "segmentation"
    return (Kind.ALLOWED if there.role is Role.ACK else Kind.VIOLATION), "sequence number"


_FLAGS = (
    (SYN | FIN | RST | ACK, Kind.VIOLATION, "flags"),
    (URG, Kind.VIOLATION, "URG"),
    (ECE | CWR, Kind.ALLOWED, "ECN flags"),
    (PSH, Kind.HARMLESS, "PSH"),
)


def _flags(there: Segment, here: Segment) -> Iterator[FieldDifference]:
    for bits, kind, what in _FLAGS:
        if (there.flags ^ here.flags) & bits:
            yield FieldDifference(kind, what, flags_text(there.flags), flags_text(here.flags))


_FIELDS: tuple[tuple[Kind, str, Callable[[Segment], str]], ...] = (
    (Kind.VIOLATION, "checksum", lambda one: "right" if one.checksum_ok else "wrong"),
    (Kind.VIOLATION, "IP checksum", lambda one: "right" if one.ip_checksum_ok else "wrong"),
    (Kind.VIOLATION, "urgent pointer", lambda one: str(one.urgent) if one.flags & URG else "none"),
    (Kind.ALLOWED, "reserved bits", lambda one: f"{one.reserved:04b}"),
    (Kind.ALLOWED, "zero window", lambda one: "open" if one.window else "closed"),
    (Kind.ALLOWED, "ECN field", lambda one: f"{one.tos & _ECN_BITS:02b}"),
    (Kind.ALLOWED, "IP options", ip_options_text),
    (Kind.HARMLESS, "window", lambda one: str(one.window)),
    (Kind.HARMLESS, "TTL", lambda one: str(one.ttl)),
    (Kind.HARMLESS, "DSCP", lambda one: str(one.tos >> 2)),
    (Kind.HARMLESS, "DF", lambda one: "set" if one.df else "not set"),
)
"""What is compared as it stands. The identification and IPv6's flow label are anybody's choice, and are not."""


# Options --------------------------------------------------------------------------------------------------------------


def _options(there: _Placed, here: _Placed) -> Iterator[FieldDifference]:
    a, b = _by_kind(there.segment), _by_kind(here.segment)
    for kind in dict.fromkeys((*a, *b)):
        name = _NAMES.get(kind, f"option {kind}")
        if kind not in a or kind not in b:
            values = [_value(found[kind], side) if kind in found else "none" for found, side in ((a, there), (b, here))]
            yield FieldDifference(Kind.ALLOWED, f"option {name}" if kind in _NAMES else name, *values)
        elif (x := _value(a[kind], there)) != (y := _value(b[kind], here)):
            yield FieldDifference(_VALUES.get(kind, Kind.ALLOWED), name, x, y)
    if a.keys() == b.keys() and (x := _layout(there.segment)) != (y := _layout(here.segment)):
        yield FieldDifference(Kind.HARMLESS, "order of options", x, y)


_NAMES = {
    wire.MSS: "MSS", wire.WSCALE: "window scale", wire.SACK_OK: "SACK permitted", wire.SACK: "SACK blocks", wire.TIMESTAMP: "timestamps",
    wire.FAST_OPEN: "Fast Open",
}  # fmt: skip
_VALUES = {wire.WSCALE: Kind.HARMLESS, wire.FAST_OPEN: Kind.HARMLESS}
"""What another value means, if that is not a difference that is allowed."""


def _by_kind(segment: Segment) -> dict[int, Option]:
    return {option.kind: option for option in segment.options if option.kind not in (wire.NOP, wire.EOL)}


def _layout(segment: Segment) -> str:
    """The options by name, in order, with what pads them."""
    return ",".join(
        {wire.NOP: "nop", wire.EOL: "eol"}.get(option.kind) or _NAMES.get(option.kind, str(option.kind)) for option in segment.options
    )


def _value(option: Option, side: _Placed) -> str:
    """An option's value as it compares: edges of SACK blocks count from the ISN, an echo from the other side's first TSval, and the own
    TSval is the clock's, which anybody may set."""
    if (times := wire.timestamps(option)) is not None:
        echo = "0" if not times[1] else "nothing" if side.other.tsval is None else f"first + {relative(times[1], side.other.tsval)}"
        return f"TS ecr {echo}"
    if option.kind == wire.FAST_OPEN:
        return f"tfo, {len(option.data)} octets"
    return wire.text(option, side.other.isn)
