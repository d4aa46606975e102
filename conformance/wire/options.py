"""TCP options as they stand in a header: kind and data, in order, nothing interpreted away (RFC 9293, section 3.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from conformance.wire.seq import relative

__all__ = [
    "EOL", "FAST_OPEN", "MAX_OCTETS", "MSS", "NOP", "SACK", "SACK_OK", "TIMESTAMP", "WSCALE", "Option", "encode", "mss", "mss_option",
    "pad", "parse_options", "sack_blocks", "sack_option", "text", "timestamps", "timestamps_option", "well_formed", "wscale",
    "wscale_option",
]  # fmt: skip

EOL, NOP, MSS, WSCALE, SACK_OK, SACK, TIMESTAMP, FAST_OPEN = 0, 1, 2, 3, 4, 5, 8, 34

MAX_OCTETS = 40
"""What the data offset leaves for options: 15 words, less the 5 of the header."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    ``data`` is what follows kind and length; for the end of the list (which has no length) it is the padding up to the end of
    the header. ``malformed`` is set for the rest of a header that cannot be split into options any further (a length of 0
    or 1, or one beyond the header): then ``data`` is that rest, from the octet after the kind on.
    """

    kind: int
    data: bytes = b""
    malformed: bool = False


_shared = lru_cache(maxsize=1024)(Option)
"""Most options are the same in every segment, and a frozen dataclass takes longer to make than to find."""
_SHARED_MAX = 10
"""Octets of an option from which on they differ: timestamps, SACK."""


# Octets ---------------------------------------------------------------------------------------------------------------


def parse_options(data: bytes) -> tuple[Option, ...]:
    """The options in a header's option field, whatever its octets are; ``encode`` gives the same octets back."""
    options = []
    at, size = 0, len(data)
    while at < size:
        kind = data[at]
        if kind == NOP:
            options.append(_shared(NOP))
            at += 1
            continue
        if kind == EOL:
            options.append(Option(EOL, data[at + 1 :]))
            break
        length = data[at + 1] if at + 1 < size else 0
        if length < 2 or at + length > size:
            options.append(Option(kind, data[at + 1 :], True))
            break
        make = _shared if length < _SHARED_MAX else Option
        options.append(make(kind, data[at + 2 : at + length]))
        at += length
    return tuple(options)


def well_formed(options: Iterable[Option]) -> bool:
    """Have they lengths by which one gets from each to the next, and is all behind their end zero (RFC 9293, 3.1: MUST-68, MUST-69)?"""
    return not any(option.malformed or (option.kind == EOL and any(option.data)) for option in options)


def encode(options: Iterable[Option]) -> bytes:
    """The octets of ``options``, one after the other, without padding."""
    parts = []
    for option in options:
        bare = option.malformed or option.kind in (EOL, NOP)
        parts.append(bytes((option.kind,) if bare else (option.kind, len(option.data) + 2)) + option.data)
    return b"".join(parts)


def pad(data: bytes) -> bytes:
    """``data`` with ends of the list (zeros) up to a multiple of four octets; ValueError if no header can hold it."""
    if len(data) > MAX_OCTETS:
        raise ValueError(f"the options take {len(data)} octets, a TCP header has room for {MAX_OCTETS}")
    return data + bytes(-len(data) % 4)


# Values ---------------------------------------------------------------------------------------------------------------


def mss_option(octets: int) -> Option:
    """Maximum segment size (RFC 9293, section 3.7.1)."""
    return Option(MSS, struct.pack(">H", octets))


def wscale_option(shift: int) -> Option:
    """Window scale (RFC 7323, section 2.2)."""
    return Option(WSCALE, bytes((shift,)))


def timestamps_option(val: int, ecr: int) -> Option:
    """Timestamps (RFC 7323, section 3.2)."""
    return Option(TIMESTAMP, struct.pack(">II", val, ecr))


def sack_option(blocks: Iterable[tuple[int, int]]) -> Option:
    """Selective acknowledgement (RFC 2018, section 3) of blocks of absolute left and right edges."""
    return Option(SACK, b"".join(struct.pack(">II", left, right) for left, right in blocks))


def mss(option: Option) -> int | None:
    """The maximum segment size in octets; None if this is another option or its length is wrong."""
    return _number(option, MSS, 2)


def wscale(option: Option) -> int | None:
    """The shift count, even one above 14; None if this is another option or its length is wrong."""
    return _number(option, WSCALE, 1)


def timestamps(option: Option) -> tuple[int, int] | None:
    """TSval and TSecr; None if this is another option or its length is wrong."""
    if not _fits(option, TIMESTAMP, 8):
        return None
    val, ecr = struct.unpack(">II", option.data)
    return val, ecr


def sack_blocks(option: Option) -> tuple[tuple[int, int], ...] | None:
    """Left and right edges, absolute; None if this is another option or its length is not that of one block or more."""
    if not option.data or not _fits(option, SACK, len(option.data) // 8 * 8):
        return None
    return tuple((left, right) for left, right in struct.iter_unpack(">II", option.data))


def _fits(option: Option, kind: int, size: int) -> bool:
    return option.kind == kind and len(option.data) == size and not option.malformed


def _number(option: Option, kind: int, size: int) -> int | None:
    return int.from_bytes(option.data, "big") if _fits(option, kind, size) else None


# Text -----------------------------------------------------------------------------------------------------------------


def text(option: Option, isn: int | None = None) -> str:
    """``option`` in the notation of the case language; SACK edges relative to ``isn`` if there is one."""
    if option.malformed:
        return f"raw {bytes((option.kind,)).hex()}{option.data.hex()}"
    if (blocks := sack_blocks(option)) is not None:
        return " ".join(["sack", *(f"{relative(left, isn)}:{relative(right, isn)}" for left, right in blocks)])
    written = _TEXTS[option.kind](option) if option.kind in _TEXTS else None
    return written or f"kind {option.kind} {option.data.hex()}".rstrip()


def _eol_text(option: Option) -> str:
    """Padding that is more than alignment asks for, or not zero, is written out."""
    ordinary = len(option.data) < 4 and not any(option.data)
    return "eol" if ordinary else f"eol,raw {option.data.hex()}"


def _mss_text(option: Option) -> str | None:
    return None if (value := mss(option)) is None else f"mss {value}"


def _wscale_text(option: Option) -> str | None:
    return None if (value := wscale(option)) is None else f"wscale {value}"


def _timestamps_text(option: Option) -> str | None:
    return None if (values := timestamps(option)) is None else f"TS val {values[0]} ecr {values[1]}"


_TEXTS: dict[int, Callable[[Option], str | None]] = {
    EOL: _eol_text,
    NOP: lambda _: "nop",
    MSS: _mss_text,
    WSCALE: _wscale_text,
    SACK_OK: lambda option: None if option.data else "sackOK",
    TIMESTAMP: _timestamps_text,
    FAST_OPEN: lambda option: f"tfo {option.data.hex()}".rstrip(),
}
"""What writes an option of a kind; None if its length is wrong for the kind, and then it is written as any other."""
