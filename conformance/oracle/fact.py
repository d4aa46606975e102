"""What a segment says once it is held against its connection: numbers counted from the ISNs, the window in octets, options split."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.wire import options as tcp_options
from conformance.wire.options import Option, parse_options
from conformance.wire.segment import Segment

__all__ = ["Fact", "Options", "read_options"]

_MULTIPATH = 30
_TIMESTAMPS_ONLY = b"\x01\x01\x08\x0a"
"""How nearly every segment with timestamps begins its options."""


@dataclass(slots=True)
class Options:
    """The options of a segment that the oracle looks at."""

    size: int = 0
    """Octets of all of them, padding included."""
    mss: int | None = None
    wscale: int | None = None
    sack_ok: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    """Absolute."""
    ts: tuple[int, int] | None = None
    fast_open: bool = False
    multipath: bool = False
    """Multipath TCP (RFC 8684): its windows and its data have another meaning."""
    malformed: bool = False
    after_end: bool = False


def read_options(data: bytes) -> Options:
    """The first of each kind counts, as a receiver would read them."""
    options = Options(len(data))
    if len(data) == 12 and data[:4] == _TIMESTAMPS_ONLY:
        options.ts = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:], "big")
        return options
    for option in parse_options(data):
        _take(options, option)
    return options


def _take(options: Options, option: Option) -> None:
    if option.malformed:
        options.malformed = True
    elif option.kind == tcp_options.EOL:
        options.after_end = any(option.data)
    elif option.kind == tcp_options.TIMESTAMP:
        options.ts = options.ts or tcp_options.timestamps(option)
    elif option.kind == tcp_options.SACK:
        options.sack = options.sack or tcp_options.sack_blocks(option) or ()
    elif option.kind == tcp_options.MSS:
        options.mss = tcp_options.mss(option) if options.mss is None else options.mss
    elif option.kind == tcp_options.WSCALE:
        options.wscale = tcp_options.wscale(option) if options.wscale is None else options.wscale
    elif option.kind == tcp_options.SACK_OK:
        options.sack_ok = not option.data
    elif option.kind == tcp_options.FAST_OPEN:
        options.fast_open = True
    elif option.kind == _MULTIPATH:
        options.multipath = True


@dataclass(slots=True)
class Fact:
    """A segment of a connection. Numbers are relative: 0 is the ISN of the side whose number it is, 1 the first octet of data."""

    number: int
    t: int
    segment: Segment
    flags: int
    options: Options
    seq: int
    end: int
    """SEG.SEQ + SEG.LEN."""
    data: int
    """Octets of data."""
    ack: int | None
    """None without ACK."""
    window: int
    """Octets: scaled, unless it is a SYN's."""
    sack: tuple[tuple[int, int], ...]
    offloaded: bool
    outbound: bool | None

    @property
    def seq_absolute(self) -> int:
        """As it stands in the header."""
        return self.segment.seq

    @property
    def first(self) -> int:
        """The number of the first octet of data: a SYN comes before it."""
        return self.seq + (self.flags >> 1 & 1)

    @property
    def last(self) -> int:
        """The number after the last octet of data: a FIN comes after it."""
        return self.end - (self.flags & 1)
