"""A quick yes for the segments that most steps expect.

Between a segment and the answer to it every microsecond counts, and most expectations are plain: exact flags, numbers and options, no
ranges. Those are worked out before the case begins. A quick yes is the same as :func:`~conformance.engine.matcher.compare_segment`
finding no difference; everything else, and each no, is left to that.
"""

from __future__ import annotations

from typing import NamedTuple

from conformance.case.steps import AnyValue, Exact, ExpectStep, OptionPattern, Var
from conformance.engine.connections import Connection
from conformance.engine.variables import Variables
from conformance.wire.options import EOL, MSS, NOP, SACK_OK, TIMESTAMP, WSCALE, Option, timestamps
from conformance.wire.segment import ACK, Packet, Segment

__all__ = ["Quick", "quick"]

_MASK = 0xFFFF_FFFF
_WIDTHS = {MSS: 2, WSCALE: 1, TIMESTAMP: 8, NOP: 0, SACK_OK: 0}


class _QuickOption(NamedTuple):
    """``data`` is all that the option may hold, None leaves it open; ``stamps`` are variables for a timestamp's two numbers."""

    kind: int
    size: int
    data: bytes | None
    stamps: tuple[Exact | Var | AnyValue, ...] = ()


class Quick(NamedTuple):
    """An expectation that can be compared quickly; sequence numbers are relative."""

    flags: int
    care: int
    seq: int
    ack: int | None
    options: tuple[_QuickOption, ...] | None
    more_options: bool

    def fits(self, packet: Packet, connection: Connection, variables: Variables) -> bool:
        """Is this segment what is expected, beyond doubt? Binds variables only then."""
        ends = connection.ends
        if not (
            isinstance(packet, Segment)
            and not (packet.flags ^ self.flags) & self.care
            and packet.seq == self.seq + (ends.sut_isn or 0) & _MASK
            and not packet.payload
            and packet.checksum_ok
            and packet.ip_checksum_ok
            and (self.ack is None or (packet.flags & ACK and packet.ack == self.ack + ends.peer_isn & _MASK))
        ):
            return False
        if self.options is None:
            return True
        if len(packet.options) != len(self.options) and not (self.more_options and len(packet.options) > len(self.options)):
            return False
        for wanted, option in zip(self.options, packet.options, strict=False):
            if not _fits(wanted, option, variables):
                variables.drop()
                return False
        variables.keep()
        return True


def _fits(wanted: _QuickOption, option: Option, variables: Variables) -> bool:
    if wanted.kind != option.kind or option.malformed or len(option.data) != wanted.size:
        return False
    if wanted.stamps:
        return all(map(variables.fits, wanted.stamps, timestamps(option) or ()))
    return wanted.data is None or wanted.data == option.data


def quick(step: ExpectStep) -> Quick | None:
    """The quick form of an expectation, or None if it has none."""
    pattern = step.segment
    plain = isinstance(pattern.seq, Exact) and pattern.length == Exact(0) and pattern.end == pattern.seq and pattern.data is None
    if not plain or step.fields or pattern.win is not None or pattern.urg is not None or pattern.flags.any:
        return None
    if not isinstance(pattern.ack, Exact | None):
        return None
    options = None if pattern.options is None else tuple(map(_quick_option, pattern.options))
    if options is not None and None in options:
        return None
    assert isinstance(pattern.seq, Exact)
    ack = None if pattern.ack is None else pattern.ack.value
    return Quick(pattern.flags.value, ~pattern.flags.optional & 0xFF, pattern.seq.value, ack, options, pattern.more_options)  # type: ignore[arg-type]


def _quick_option(option: OptionPattern) -> _QuickOption | None:
    size = _WIDTHS.get(option.kind)
    if size is None or option.data is not None or option.kind == EOL:
        return None
    if option.kind == TIMESTAMP:
        stamps = tuple(number for number in option.numbers if isinstance(number, Exact | Var | AnyValue))
        return _QuickOption(option.kind, size, None, stamps) if len(stamps) == 2 else None
    if not option.numbers:
        return _QuickOption(option.kind, size, b"")
    number = option.numbers[0]
    if isinstance(number, AnyValue):
        return _QuickOption(option.kind, size, None)
    fits = isinstance(number, Exact) and 0 <= number.value < 256**size
    return _QuickOption(option.kind, size, number.value.to_bytes(size, "big")) if fits else None  # type: ignore[union-attr]
