"""Dialogues for the tests of the oracle: packets a line each, with what is wrong in them and what would have been right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.judge import Judge
from conformance.trace import Seen
from conformance.wire.segment import Family, Icmp, Quote, Segment
from tests.capture.talks import MS, PEER, SUT, Numbers
from tests.capture.talks import talk as exchange

__all__ = ["MS", "OPENINGS", "Breach", "Talk", "breaches", "judged", "talk"]

OPENINGS = {
    "plain": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        > . 1:1(0) ack 1""",
    "far": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss after=100
        > . 1:1(0) ack 1""",
    "sack": """
        > S 0:0(0) opts=mss,ok
        < S. 0:0(0) ack 1 opts=mss,ok
        > . 1:1(0) ack 1""",
    "stamps": """
        > S 0:0(0) opts=mss,ts:0
        < S. 0:0(0) ack 1 opts=mss,ts:0:0
        > . 1:1(0) ack 1 opts=ts:1:0""",
    "ecn": """
        > SEW 0:0(0) opts=mss
        < SE. 0:0(0) ack 1 opts=mss
        > . 1:1(0) ack 1""",
    "heard": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        > . 1:1(0) ack 1
        > P. 1:11(10) ack 1
        < . 1:1(0) ack 11""",
    "heard-sack": """
        > S 0:0(0) opts=mss,ok
        < S. 0:0(0) ack 1 opts=mss,ok
        > . 1:1(0) ack 1
        > P. 1:11(10) ack 1
        < . 1:1(0) ack 11""",
    "heard-stamps": """
        > S 0:0(0) opts=mss,ts:0
        < S. 0:0(0) ack 1 opts=mss,ts:0:0
        > . 1:1(0) ack 1 opts=ts:1:0
        > P. 1:11(10) ack 1 opts=ts:2:0
        < . 1:1(0) ack 11 opts=ts:3:2""",
}
"""Handshakes; in ``far`` the client measures a round trip of 100 ms, and in ``heard…`` the server has acknowledged ten octets, too."""

_CHOICE = re.compile(r"\[([^][|]*)\|([^][|]*)]")
_MARKED = re.compile(r"([!?])([\w,-]*)\s*([<>] .*)")
_V6 = ip_address("2001:db8::").packed[:15]
_SOURCE = re.compile(r" src=(\S+)")
_SERVER = "192.0.2.2", "[2001:db8::2]"

Breach = tuple[str, str, int]
"""The name of a rule, ``client`` or ``server``, and the number of the packet that shows it."""


@dataclass(slots=True)
class Talk:
    """Packets, what is to be found in them, and how the oracle is to look."""

    packets: list[Seen] = field(default_factory=list)
    breaches: set[Breach] = field(default_factory=set)
    end: int = 0
    """ns: when the capture ends."""
    vantage: Vantage | None = Vantage.BOTH
    slack: int = 0
    strict: bool = False
    whole: bool = False
    ipv6: bool = False


def talk(text: str, rule: str = "", right: bool = False) -> Talk:
    """What a text describes.

    A line is a packet as in :mod:`tests.capture.talks`, a millisecond after the one before if it has no ``after=``; ``>`` is the client's.
    Before it may stand ``!``: its sender breaks ``rule`` here, or ``?``: its receiver does; names of other rules may follow.
    ``[wrong|right]`` may stand anywhere, and one of the two is taken. Other lines: ``open NAME`` for one of :data:`OPENINGS`;
    ``icmp SEQ MTU``: the client is told that what it sent at SEQ is too big; ``icmp SEQ TYPE/CODE``: of another error;
    ``connection peer_port=… peer_isn=… sut_isn=…`` for another connection; ``end MS`` for how much longer nothing comes;
    ``near client``, ``near server``; ``strict``, ``whole``, ``ipv6``, ``slack MS``.
    """
    text = _CHOICE.sub(lambda choice: choice[2 if right else 1], text)
    text = re.sub(r"open ([\w-]+)", lambda opening: OPENINGS[opening[1]], text)
    made, numbers = Talk(), Numbers()
    for line in filter(None, map(str.strip, text.splitlines())):
        word, *values = line.split()
        if marked := _MARKED.fullmatch(line):
            sender = (marked[1] == "!") == (marked[3][0] == ">")
            made.breaches |= {(name or rule, "client" if sender else "server", len(made.packets) + 1) for name in marked[2].split(",")}
            line = marked[3]
        elif word in ("connection", "end", "near", "strict", "whole", "ipv6", "slack"):
            numbers = _heed(made, numbers, word, values)
            continue
        packet = _packet(line, numbers, made.ipv6)
        made.end = packet.t + made.end
        made.packets.append(replace(packet, number=len(made.packets) + 1, t=made.end))
    return made


def _packet(line: str, numbers: Numbers, ipv6: bool) -> Seen:
    """Its time is that since the packet before."""
    family, own, other = (Family.IPV6, _V6 + PEER[3:], _V6 + SUT[3:]) if ipv6 else (Family.IPV4, PEER, SUT)
    if line.startswith("icmp"):
        seq, what = line.split()[1:]
        kind, _, code = (what if "/" in what else "2/0" if ipv6 else "3/4").partition("/")
        mtu = 0 if "/" in what else int(what)
        quote = Quote(own, other, numbers.peer_port, numbers.sut_port, numbers.peer_isn + int(seq))
        return Seen(0, MS, Icmp(family, other, own, int(kind), int(code), mtu, b"", quote))
    (turn,) = exchange(line, replace(numbers, start=0)).turns
    segment = turn.packet
    assert isinstance(segment, Segment)
    if ipv6:
        segment = replace(segment, family=family, src=_V6 + segment.src[3:], dst=_V6 + segment.dst[3:])
    segment.ip_size = (60 if ipv6 else 40) + len(segment.options_data) + len(segment.payload)
    if source := _SOURCE.search(line):
        segment.src = ip_address(source[1]).packed
    return Seen(0, turn.t, segment)


def _heed(made: Talk, numbers: Numbers, word: str, values: list[str]) -> Numbers:
    if word == "connection":
        return replace(numbers, **{name: int(value) for name, value in (item.split("=") for item in values)})
    if word == "end":
        made.end += int(values[0]) * MS
    elif word == "near":
        made.vantage = Vantage(values[0])
    elif word == "slack":
        made.slack = int(values[0]) * MS
    else:
        setattr(made, word, True)
    return numbers


def judged(talk: Talk) -> list[Connection]:
    """What the oracle says of the connections."""
    connections: list[Connection] = []
    judge = Judge(connections.append, talk.vantage, talk.slack, talk.strict, talk.whole)
    for packet in talk.packets:
        judge.see(packet)
    judge.end(talk.end)
    return connections


def breaches(connections: Iterable[Connection], certain: bool | None = None) -> set[Breach]:
    """What was found; ``certain``: only what is, or is not."""
    return {
        (finding.rule.name, "server" if finding.endpoint.startswith(_SERVER) else "client", finding.packet)
        for connection in connections
        for finding in connection.findings
        if certain in (None, finding.certain)
    }
