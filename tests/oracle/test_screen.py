"""The screen says what the judge says, to the letter, whatever passes; and of ordinary traffic it looks at nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import conformance.oracle.judge
from conformance.oracle import screen
from conformance.oracle.finding import Connection, Vantage
from conformance.trace import Seen
from conformance.wire.segment import ACK, FIN, PSH, RST, SYN, Packet, Segment

from .dialogues import DIALOGUES
from .screening import chatter, columns, fully, quickly, renumbered, said
from .talk import talk
from .test_bounds import FLOODS, captures, flood

SETTINGS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "without timestamps": {"timestamps": False},
    "without options": {"timestamps": False, "sack": False, "window_scaling": False},
}
VANTAGES = (None, *Vantage)
MS = 1_000_000


@cache
def ordinary(name: str = "as usual", connections: int = 12) -> tuple[Seen, ...]:
    return tuple(chatter(SETTINGS[name], connections))


def apart(copies: int, by: int) -> list[Seen]:
    """Ordinary traffic so many times at once, between other ports, each time this much later."""
    every = [
        replace(seen, t=seen.t + copy * by, packet=elsewhere(seen.packet, 100 * copy))
        for copy in range(copies)
        for seen in ordinary(connections=4)
    ]
    return renumbered(sorted(every, key=attrgetter("t")))


def elsewhere(packet: Any, ports: int) -> Segment:
    assert isinstance(packet, Segment)
    server = packet.sport == 80
    return replace(packet, sport=packet.sport + (0 if server else ports), dport=packet.dport + (ports if server else 0))


# What it is for -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_ordinary_traffic_gets_the_quick_look_only(name: str) -> None:
    traffic = ordinary(name)
    connections, screen = quickly(traffic)
    assert said(connections) == said(fully(traffic))
    assert len(connections) == 12 and not any(connection.findings for connection in connections)
    assert screen.packets == len(traffic)
    assert screen.closely == 0


@pytest.mark.parametrize("run", [1, 7, 50])
def test_it_does_not_matter_how_many_packets_come_at_once(run: int) -> None:
    traffic = ordinary()
    connections, screen = quickly(traffic, run=run)
    assert said(connections) == said(fully(traffic))
    assert screen.closely == 0


def test_only_the_connection_with_a_fault_gets_the_closer_look() -> None:
    """A duplicate in the long transfer: its packets are judged one by one, from the first on, and no others are."""
    traffic = list(ordinary())
    place = next(place for place, seen in enumerate(traffic[200:], 200) if isinstance(seen.packet, Segment) and seen.packet.payload)
    traffic = renumbered([*traffic[:place], *traffic[place - 1 :]])
    for run in (10, 100, 1000):
        connections, screen = quickly(traffic, run=run)
        assert said(connections) == said(fully(traffic))
        assert screen.closely in {connection.packets for connection in connections}


def test_runs_are_let_go() -> None:
    """Not more than a few are kept, whatever is not acknowledged."""
    lost = [seen for seen in apart(6, 50 * MS) if seen.number % 40]
    connections, screen = quickly(renumbered(lost), run=25)
    assert said(connections) == said(fully(renumbered(lost)))
    assert len(screen._runs) <= 6


def test_a_capture_that_cannot_be_read_to_its_end_once_more_makes_nobody_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when somebody interrupts that: what was judged already is told, and of the others nothing."""
    monkeypatch.setattr(screen, "_KEPT", 50)
    traffic = list(ordinary())
    place = max(place for place, seen in enumerate(traffic[:300]) if isinstance(seen.packet, Segment) and len(seen.packet.payload) > 1000)
    traffic = renumbered([*traffic[:place], *traffic[place - 1 :]])
    runs = [columns(traffic[begin : begin + 25]) for begin in range(0, len(traffic), 25)]
    for left in range(len(runs)):
        connections: list[Connection] = []
        looking = screen.Screen(connections.append)
        for one in runs:
            looking.see(one)
        looking.end(lambda left=left: runs[:left])  # type: ignore[misc]
        assert len(connections) == 11 and not any(one.findings for one in connections)


# It says what the judge says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("rule", DIALOGUES)
def test_about_every_rule(rule: str, right: bool) -> None:
    told = talk(DIALOGUES[rule], rule, right)
    for run in (3, 1000):
        for vantage in VANTAGES:
            assert said(quickly(told.packets, vantage, run)[0], vantage) == said(fully(told.packets, vantage), vantage), (run, vantage)


@pytest.mark.parametrize("sender", "<>")
def test_about_a_reset_that_comes_while_something_waits(sender: str) -> None:
    told = talk(f"open plain\n< P. 1:11(10) ack 1\n{sender} R {11 if sender == '<' else 1}:0(0) after=900")
    assert any(one.findings for one in fully(told.packets, Vantage.CLIENT))
    for run in (1, 1000):
        for vantage in VANTAGES:
            assert said(quickly(told.packets, vantage, run)[0], vantage) == said(fully(told.packets, vantage), vantage)


@pytest.mark.parametrize("line", FLOODS.values(), ids=FLOODS)
def test_about_floods(line: str) -> None:
    flooded = list(flood(line))[:400]
    assert said(quickly(flooded, Vantage.BOTH, 60)[0], Vantage.BOTH) == said(fully(flooded, Vantage.BOTH), Vantage.BOTH)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(captures, st.integers(1, 12), st.sampled_from(tuple(Vantage)))
def test_about_anything(capture: list[tuple[int, Packet, bool | None, bool]], run: int, vantage: Vantage) -> None:
    t, every = 10**12, []
    for passed, packet, outbound, offloaded in capture:
        t += passed
        every.append(Seen(0, t, packet, outbound, offloaded))
    every = renumbered(every)
    assert said(quickly(every, vantage, run)[0], vantage) == said(fully(every, vantage), vantage)


def test_about_connections_that_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many that are open those that were silent for longest are over; what comes of them later begins in the middle."""
    monkeypatch.setattr(conformance.oracle.judge, "MOST_FLOWS", 4)
    traffic = apart(5, 3 * MS)
    for run in (1, 10, 300):
        connections, screen = quickly(traffic, run=run, most=4)
        found = {finding.rule.name for one in connections if not one.unjudged for finding in one.findings}
        assert found <= {"isn-constant"}, "the copies have the same ISNs"
        assert sum(connection.packets for connection in connections) >= len(traffic)
        assert len(screen._slots) <= 4


# Ordinary traffic in which something is wrong ----------------------------------------------------------------------------

Change = tuple[str, int, int, int]
"""What, where, and how: two numbers that mean something else for each change."""
KINDS = ("drop", "again", "swap", "late", "seq", "ack", "window", "flags", "size", "ts", "echo", "sum", "tos")
changes = st.tuples(st.sampled_from(KINDS), st.integers(0, 1 << 20), st.integers(-70_000, 70_000), st.integers(0, 1 << 20))


def changed(traffic: Sequence[Seen], several: Sequence[Change]) -> list[Seen]:
    """The traffic with these changes, one after the other."""
    packets = list(traffic)
    for what, where, much, other in several:
        place = where % len(packets)
        seen = packets[place]
        if what == "drop":
            del packets[place]
        elif what == "again":
            packets.insert(place + other % 5 + 1, seen)
        elif what == "swap":
            packets[place - 1], packets[place] = seen, packets[place - 1]
        elif what == "late":  # and all that follows
            packets[place:] = [replace(one, t=one.t + abs(much) * 10_000) for one in packets[place:]]
        else:
            segment = seen.packet
            assert isinstance(segment, Segment)
            packets[place] = replace(seen, packet=_wrong(segment, what, much, other))
    return renumbered(packets)


def _wrong(segment: Segment, what: str, much: int, other: int) -> Segment:
    flags = (SYN, FIN, RST, PSH, ACK, SYN | ACK, 0x40, 0x80, 0x20)[other % 9]
    options = segment.options_data
    stamps = options.find(b"\x08\x0a")
    at = stamps + (2 if what == "ts" else 6)
    new = ((int.from_bytes(options[at : at + 4], "big") + much // 100) % (1 << 32)).to_bytes(4, "big")
    return {
        "seq": lambda: replace(segment, seq=(segment.seq + (much % 3000 - 1500 if other % 2 else much)) % (1 << 32)),
        "ack": lambda: replace(segment, ack=(segment.ack + (much % 3000 - 1500 if other % 2 else much)) % (1 << 32)),
        "window": lambda: replace(segment, window=other % 65_536 if much > 0 else other % 3),
        "flags": lambda: replace(segment, flags=segment.flags ^ flags),
        "size": lambda: replace(segment, payload=segment.payload[: other % 1500] if much < 0 else bytes(other % 1600)),
        "sum": lambda: replace(segment, checksum_ok=False),
        "tos": lambda: replace(segment, tos=other % 4),
    }.get(what, lambda: replace(segment, options_data=options[:at] + new + options[at + 4 :]) if stamps >= 0 else segment)()  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(SETTINGS)), st.lists(changes, min_size=1, max_size=6), st.sampled_from([9, 40, 1000]),
    st.sampled_from(tuple(Vantage)),
)  # fmt: skip
def test_about_ordinary_traffic_with_something_wrong(name: str, several: list[Change], run: int, vantage: Vantage) -> None:
    traffic = changed(ordinary(name, 6), several)
    assert said(quickly(traffic, vantage, run)[0], vantage) == said(fully(traffic, vantage), vantage)
