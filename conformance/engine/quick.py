"""A quick yes for the segments that most steps expect.

Between a segment and the answer to it every microsecond counts, and most expectations are plain: exact flags, numbers and options, no
ranges. Those are worked out before the case begins. A quick yes is the same as :func:`~conformance.engine.matcher.compare_segment`
finding no difference; everything else, and each no, is left to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from conformance.case.steps import AnyValue, Exact, ExpectStep, OptionPattern, Var
from conformance.engine.connections import Connection
from conformance.engine.variables import Variables
from conformance.wire.options import MSS, NOP, SACK_OK, TIMESTAMP, WSCALE, well_formed
from conformance.wire.segment import ACK, Packet, Segment

__all__ = ["Quick", "quick"]

_MASK = 0xFFFF_FFFF
_STAMP = 4
"""Octets of a timestamp; variables stand for no other number that is compared here."""
_WIDTHS: Mapping[int, tuple[int, ...]] = {MSS: (2,), WSCALE: (1,), TIMESTAMP: (_STAMP, _STAMP), NOP: (), SACK_OK: ()}
"""Octets of the numbers of an option."""


class _QuickOptions(NamedTuple):
    """What the octets of the options must be: ``value`` where ``mask`` has ones, and ``stamps`` from which octet on."""

    size: int
    mask: int
    value: int
    stamps: tuple[tuple[int, Var], ...]

    def fit(self, data: bytes, variables: Variables) -> bool:
        """Are these the options? Binds variables only if they are."""
        if len(data) != self.size or int.from_bytes(data, "big") & self.mask != self.value:
            return False
        for at, number in self.stamps:
            if not variables.fits(number, int.from_bytes(data[at : at + 4], "big")):
                variables.drop()
                return False
        variables.keep()
        return True


class Quick(NamedTuple):
    """An expectation that can be compared quickly; sequence numbers are relative."""

    flags: int
    care: int
    seq: int
    ack: int | None
    options: _QuickOptions | None

    def fits(self, packet: Packet, connection: Connection, variables: Variables) -> bool:
        """Is this segment what is expected, beyond doubt? Binds variables only then."""
        ends = connection.ends
        return (
            isinstance(packet, Segment)
            and not (packet.flags ^ self.flags) & self.care
            and packet.seq == self.seq + (ends.sut_isn or 0) & _MASK
            and not packet.payload
            and packet.checksum_ok
            and packet.ip_checksum_ok
            and (self.ack is None or (packet.flags & ACK != 0 and packet.ack == self.ack + ends.peer_isn & _MASK))
            and packet.src == ends.sut
            and (well_formed(packet.options) if self.options is None else self.options.fit(packet.options_data, variables))
        )


def quick(step: ExpectStep) -> Quick | None:
    """The quick form of an expectation, or None if it has none."""
    pattern = step.segment
    plain = isinstance(pattern.seq, Exact) and pattern.length == Exact(0) and pattern.end == pattern.seq and pattern.data is None
    if not plain or step.fields or pattern.win is not None or pattern.urg is not None or pattern.flags.any or pattern.more_options:
        return None
    if not isinstance(pattern.ack, Exact | None):
        return None
    options = None if pattern.options is None else _quick_options(pattern.options)
    if options is None and pattern.options is not None:
        return None
    assert isinstance(pattern.seq, Exact)
    ack = None if pattern.ack is None else pattern.ack.value
    return Quick(pattern.flags.value, ~pattern.flags.optional & 0xFF, pattern.seq.value, ack, options)


def _quick_options(options: Sequence[OptionPattern]) -> _QuickOptions | None:
    """The octets that these options stand for, or None if another set of octets could be them as well."""
    value, mask = b"", b""
    stamps: list[tuple[int, Var]] = []
    for option in options:
        widths = _WIDTHS.get(option.kind)
        if widths is None or option.data is not None or len(option.numbers) != len(widths):
            return None
        head = bytes((option.kind,)) if option.kind == NOP else bytes((option.kind, 2 + sum(widths)))
        value, mask = value + head, mask + b"\xff" * len(head)
        for width, number in zip(widths, option.numbers, strict=True):
            if isinstance(number, Exact) and 0 <= number.value < 256**width:
                value, mask = value + number.value.to_bytes(width, "big"), mask + b"\xff" * width
                continue
            if isinstance(number, Var) and width == _STAMP:
                stamps.append((len(value), number))
            elif not isinstance(number, AnyValue):
                return None
            value, mask = value + bytes(width), mask + bytes(width)
    return _QuickOptions(len(value), int.from_bytes(mask, "big"), int.from_bytes(value, "big"), tuple(stamps))
