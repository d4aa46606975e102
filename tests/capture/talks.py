"""Exchanges for the tests of the comparison, written down a packet a line."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace

from conformance.capture.exchange import Exchange, Turn
from conformance.wire.options import MSS, NOP, SACK, SACK_OK, TIMESTAMP, WSCALE, Option, encode, pad
from conformance.wire.segment import Family, Segment
from conformance.wire.text import parse_flags

__all__ = ["HANDSHAKE", "Numbers", "talk"]

MS = 1_000_000
WRAP = 1 << 32
HANDSHAKE = """
    > S 0:0(0)
    < S. 0:0(0) ack 1
    > . 1:1(0) ack 1
"""

_LINE = re.compile(r"([<>]) (\S+) (-?\d+):-?\d+\((\d+)\)(?: ack (-?\d+))?(.*)")
_MORE = re.compile(r"(\w+)=(\S+)")
PEER, SUT = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])


@dataclass(frozen=True)
class Numbers:
    """What each side chooses, and the clock."""

    peer_isn: int = 1_000
    sut_isn: int = 4_294_967_000
    peer_port: int = 40_000
    sut_port: int = 80
    peer_ts: int = 100
    sut_ts: int = 3_000_000_000
    start: int = 5_000


def talk(text: str, numbers: Numbers = Numbers(), **whole: bool) -> Exchange:
    """``> S 0:0(0) ack 1 win=512 ttl=63 after=200 opts=mss,ts:0``: from the peer, 200 ms later; ``<`` from the SUT. All relative."""
    turns: list[Turn] = []
    t = numbers.start
    for line in filter(None, map(str.strip, text.splitlines())):
        found = _LINE.fullmatch(line)
        assert found, line
        side, flags, seq, size, ack, rest = found.groups()
        more = dict(_MORE.findall(rest))
        t += int(more.get("after", 1)) * MS
        packet = _segment(numbers, side == "<", flags, int(seq), int(size), None if ack is None else int(ack), more)
        turns.append(Turn(len(turns) + 1, t, packet, side == "<", more.get("on", "default")))
    return Exchange(turns, **whole)


def _segment(numbers: Numbers, sut: bool, flags: str, seq: int, size: int, ack: int | None, more: dict[str, str]) -> Segment:
    own, other = (numbers.sut_isn, numbers.peer_isn) if sut else (numbers.peer_isn, numbers.sut_isn)
    (src, sport), (dst, dport) = ((SUT, numbers.sut_port), (PEER, numbers.peer_port))[:: 1 if sut else -1]
    segment = Segment(
        Family.IPV4, src, dst, sport, dport, (seq + own) % WRAP, 0 if ack is None else (ack + other) % WRAP, parse_flags(flags),
        int(more.get("win", 65_000)), int(more.get("urg", 0)), _options(numbers, sut, more.get("opts", "")),
        more.get("data", "x" * size)[:size].encode(), ttl=int(more.get("ttl", 64)), tos=int(more.get("tos", 0)), df=True,
        reserved=int(more.get("reserved", 0)), checksum_ok=more.get("sum", "ok") == "ok",
    )  # fmt: skip
    return replace(segment, seq=int(more["abs"])) if "abs" in more else segment


def _options(numbers: Numbers, sut: bool, names: str) -> bytes:
    """``mss:1460``, ``ws``, ``ok``, ``nop``, ``ts:5:4`` (the own clock's 5, echoing the other's 4, or nothing), ``sack:101:201``.

    Or ``raw:0200`` alone: those octets.
    """
    if names.startswith("raw:"):
        return bytes.fromhex(names[4:])
    own, other = (numbers.sut_ts, numbers.peer_ts) if sut else (numbers.peer_ts, numbers.sut_ts)
    isn = numbers.peer_isn if sut else numbers.sut_isn
    made = []
    for name in filter(None, names.split(",")):
        word, *values = name.split(":")
        numbered = [int(value) for value in values]
        made.append(
            {
                "nop": lambda _: Option(NOP),
                "mss": lambda n: Option(MSS, struct.pack(">H", (n or [1460])[0])),
                "ws": lambda n: Option(WSCALE, bytes(n or [7])),
                "ok": lambda _: Option(SACK_OK),
                "ts": lambda n: Option(TIMESTAMP, struct.pack(">II", (own + n[0]) % WRAP, (other + n[1]) % WRAP if len(n) > 1 else 0)),
                "sack": lambda n: Option(SACK, struct.pack(f">{len(n)}I", *((edge + isn) % WRAP for edge in n))),
            }[word](numbered)
        )
    return pad(encode(made))
