"""Packets of a capture written as a dialogue: ``0.5 > P. 1:101(100) ack 1``, the client's with ``>``, the server's with ``<``."""

from __future__ import annotations

import struct

from conformance.case import notation
from conformance.case.steps import Exact, SegmentPattern
from conformance.case.stream import stream
from conformance.trace import Seen
from conformance.wire import options as wire
from conformance.wire.segment import SYN, Family, Segment

__all__ = ["CLIENT", "SERVER", "seen"]

CLIENT, SERVER = (bytes((192, 0, 2, 1)), 40000), (bytes((192, 0, 2, 2)), 80)
_ISNS = {">": 1_000_000, "<": 2_000_000}
_SECOND = 1_000_000_000


def seen(dialogue: str) -> list[Seen]:
    """One packet a line. Times are in seconds; what follows ``#`` is a remark, and ``!`` before the flags a wrong checksum."""
    packets = []
    for line in dialogue.strip().splitlines():
        text = line.partition("#")[0].strip()
        time, way, segment = text.split(None, 2)
        good = not segment.startswith("!")
        packets.append(Seen(len(packets) + 1, round(float(time) * _SECOND), _segment(way, segment.lstrip("! "), good)))
    return packets


def _segment(way: str, text: str, good: bool) -> Segment:
    pattern = notation.inject_segment(text)
    own, other = _ISNS[way], _ISNS["<" if way == ">" else ">"]
    src, dst = (CLIENT, SERVER) if way == ">" else (SERVER, CLIENT)
    seq, length = _value(pattern.seq), _value(pattern.length)
    payload = pattern.data or stream(max(seq - 1 + bool(pattern.flags.value & SYN), 0), length)
    return Segment(
        family=Family.IPV4,
        src=src[0],
        dst=dst[0],
        sport=src[1],
        dport=dst[1],
        seq=(own + seq) % 2**32,
        ack=0 if pattern.ack is None else (other + _value(pattern.ack)) % 2**32,
        flags=pattern.flags.value,
        window=65535 if pattern.win is None else _value(pattern.win),
        urgent=0 if pattern.urg is None else _value(pattern.urg),
        options_data=_options(pattern, other),
        payload=payload,
        checksum_ok=good,
    )


def _options(pattern: SegmentPattern, isn: int) -> bytes:
    made = []
    for option in pattern.options or ():
        numbers = [_value(number) for number in option.numbers]
        data = option.data or b""
        if option.kind == wire.SACK:
            data = struct.pack(f">{len(numbers)}I", *((number + isn) % 2**32 for number in numbers))
        elif numbers:
            data = struct.pack({wire.MSS: ">H", wire.WSCALE: ">B", wire.TIMESTAMP: ">II"}[option.kind], *numbers)
        made.append(wire.Option(option.kind, data))
    return wire.pad(wire.encode(made))


def _value(number: object) -> int:
    assert isinstance(number, Exact)
    return number.value
