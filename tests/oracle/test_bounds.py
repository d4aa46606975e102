"""Nothing that passes makes the oracle raise, or remember without bounds, or blame a packet that is not there."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import conformance.oracle.judge
from conformance.oracle import arriving, congestion, isns, side, timestamps
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.flow import Flow
from conformance.oracle.judge import Judge
from conformance.oracle.side import Side
from conformance.trace import Seen
from conformance.wire.segment import ACK, FIN, PSH, RST, SYN, Family, Icmp, Packet, Quote, Segment, Unreadable

from .talk import MS, talk

HOSTS = {Family.IPV4: (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])), Family.IPV6: (bytes(15) + b"\1", bytes(15) + b"\2")}
ISNS = 1_000, 4_294_967_000
WRAP = 1 << 32
KEPT = 300
"""What is remembered at most, for these tests: a fourteenth."""
SEGMENTS = 8 * KEPT

near = st.one_of(st.integers(-3, 40), st.integers(-70_000, 70_000), st.integers(0, WRAP - 1))
"""A number, relative to an ISN: small ones meet each other, and lead further into a connection."""
ts = st.one_of(st.integers(0, 20), st.integers(0, WRAP - 1)).map(lambda value: value.to_bytes(4, "big"))
options = st.one_of(
    st.just(b""),
    st.just(bytes.fromhex("020405b40402010303070000")),
    st.tuples(ts, ts).map(lambda stamps: b"\1\1\x08\x0a" + b"".join(stamps)),
    st.tuples(ts, ts).map(lambda stamps: bytes.fromhex("020405b40402080a") + b"".join(stamps) + bytes.fromhex("01030307")),
    st.lists(st.sampled_from(ISNS).flatmap(lambda isn: st.integers(0, 60).map(lambda at: (isn + at) % WRAP)), min_size=2, max_size=6).map(
        lambda edges: (
            b"\1\1\5" + bytes([2 + len(edges) // 2 * 8]) + b"".join(edge.to_bytes(4, "big") for edge in edges[: len(edges) // 2 * 2])
        )
    ),
    st.binary(max_size=40),
)
flags = st.one_of(st.sampled_from((ACK, ACK, ACK | PSH, SYN, SYN | ACK, FIN | ACK, RST, RST | ACK, 0)), st.integers(0, 255))
times = st.one_of(st.sampled_from((0, 0, MS)), st.integers(-(10**10), 10**11))
some = st.booleans() | st.none()


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Of one of a few connections, in either direction, as wrong as can be."""
    family = draw(st.sampled_from((Family.IPV4, Family.IPV4, Family.IPV4, Family.IPV6)))
    back = draw(st.booleans())
    (src, dst), (own, other) = (each[:: -1 if back else 1] for each in (HOSTS[family], ISNS))
    sport, dport = (draw(st.sampled_from((40_000, 40_000, 40_000, 40_001))), 80)[:: -1 if back else 1]
    seq, ack, window = (own + draw(near)) % WRAP, (other + draw(near)) % WRAP, draw(st.sampled_from((0, 1, 100, 65_535)))
    return Segment(
        family, src, dst, sport, dport, seq, ack, draw(flags), window, draw(st.integers(0, 65_535)), draw(options),
        draw(st.binary(max_size=20)), reserved=draw(st.sampled_from((0, 0, 0, 1, 15))), tos=draw(st.integers(0, 3)),
        checksum_ok=draw(st.integers(0, 9)) > 0, cut=draw(st.sampled_from((0, 0, 0, 10, 1460, 10**6))),
    )  # fmt: skip


@st.composite
def errors(draw: st.DrawFn) -> Icmp:
    """ICMP errors, most of them about one of the connections."""
    family = draw(st.sampled_from(Family))
    src, dst = HOSTS[family][:: draw(st.sampled_from((1, -1)))]
    sport, dport = (40_000, 80) if src == HOSTS[family][0] else (80, 40_000)
    quote = draw(st.none() | st.just(Quote(src, dst, sport, dport, draw(near) % WRAP)))
    return Icmp(family, dst, src, draw(st.integers(0, 255)), draw(st.integers(0, 255)), draw(st.integers(0, 65_535)), b"", quote)


packets = st.one_of(segments(), segments(), segments(), segments(), errors(), st.just(Unreadable("too short", b"")))
captures = st.lists(st.tuples(times, packets, some, st.booleans()), max_size=40)
judges = st.tuples(st.none() | st.sampled_from(Vantage), st.sampled_from((0, 10 * MS)), st.booleans(), st.booleans())


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(captures, judges)
def test_whatever_passes_is_judged(
    capture: Sequence[tuple[int, Packet, bool | None, bool]], how: tuple[Vantage | None, int, bool, bool]
) -> None:
    connections: list[Connection] = []
    judge = Judge(connections.append, *how)
    t, seen = 10**12, []
    for number, (passed, packet, outbound, offloaded) in enumerate(capture, 1):
        t += passed
        seen.append(Seen(number, t, packet, outbound, offloaded))
        judge.see(seen[-1])
    judge.end()
    tcp = [packet for packet in seen if isinstance(packet.packet, Segment)]
    assert sum(connection.packets for connection in connections) <= len(tcp) + len(connections)
    numbers = {packet.number: packet.t for packet in tcp}
    for connection in connections:
        for finding in connection.findings:
            assert connection.first <= finding.packet <= connection.last
            assert finding.t == numbers[finding.packet]
            assert finding.endpoint in (connection.client, connection.server)
            assert finding.connection == connection.number
            assert finding.reason


# Memory ---------------------------------------------------------------------------------------------------------------

HANDSHAKE = "> S 0:0(0) opts=mss,ok,ts:0\n< S. 0:0(0) ack 1 opts=mss,ok,ts:0:0\n> . 1:1(0) ack 1 opts=ts:1:0\n< . 1:1(0) ack 1 opts=ts:1:1"
FLOODS = {
    "data that is never acknowledged": "> P. {0}:0(1) ack 1 opts=ts:{0}:1",
    "data with gaps": "> P. {2}:0(1) ack 1 opts=ts:{0}:1",
    "data that comes again": "> P. {mod}:0(1) ack 1 opts=ts:{0}:1",
    "the octets out of order": "> P. {down}:0(1) ack 1 opts=ts:{0}:1",
    "duplicate acknowledgments": "< . 1:1(0) ack 1 opts=ts:{0}:1",
    "acknowledgments of ever more": "< . 1:1(0) ack {2} opts=ts:{0}:1",
    "blocks": "< . 1:1(0) ack 1 opts=nop,nop,sack:{2}:{after}",
    "windows": "< . 1:1(0) ack 1 win={window} opts=ts:{0}:1",
    "wrong checksums": "> P. {2}:0(1) ack 1 sum=bad",
    "no ACK": "> P {2}:0(1) opts=ts:{0}:1",
    "old timestamps": "> P. {2}:0(1) ack 1 opts=ts:-{0}:1",
    "other SYNs": "> S {2}:0(0)",
    "the same SYN": "> S 0:0(0)",
    "RSTs": "> R {2}:0(0)",
    "FINs": "> F. {2}:0(0) ack 1 opts=ts:{0}:1",
}


def flood(line: str) -> Iterator[Seen]:
    """A handshake and ``SEGMENTS`` more packets, a microsecond each."""
    begun = talk(HANDSHAKE).packets
    yield from begun
    draws = random.Random(1)
    for i in range(1, SEGMENTS + 1):
        text = line.format(i, 0, 2 * i, mod=1 + i % 150, down=2 * (SEGMENTS - i) + 5, after=2 * i + 1, window=draws.randrange(65_536))
        (packet,) = talk(text).packets
        yield replace(packet, number=len(begun) + i, t=begun[-1].t + i * 1000)


def sizes(thing: Flow | Side) -> dict[str, int]:
    """How much is in each of its collections."""
    fields = {name: getattr(thing, name) for name in thing.__slots__}
    return {name: len(getattr(held, "lefts", held)) for name, held in fields.items() if hasattr(held, "__len__") or hasattr(held, "lefts")}


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is bounded by ``MOST_KEPT`` is bounded by ``KEPT``."""
    for module in (arriving, congestion, isns, side, timestamps):
        monkeypatch.setattr(module, "MOST_KEPT", KEPT)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("line", FLOODS.values(), ids=FLOODS)
def test_a_connection_is_remembered_within_bounds(line: str) -> None:
    judge = Judge(lambda _: None, Vantage.BOTH)
    for packet in flood(line):
        judge.see(packet)
    (flow,) = judge._flows.values()
    for thing in (flow, flow.a, flow.b):
        assert {name: size for name, size in sizes(thing).items() if size > KEPT + 1} == {}


def test_the_connection_that_has_been_silent_for_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conformance.oracle.judge, "MOST_FLOWS", 3)
    connections: list[Connection] = []
    judge = Judge(connections.append, Vantage.BOTH)
    text = "\n".join(f"connection peer_port={port} peer_isn={port} sut_isn={port}\n> S 0:0(0)" for port in (1, 2, 3, 1, 4, 2, 5))
    for packet in talk(text).packets:
        judge.see(packet)
        assert len(judge._flows) <= 3
    assert [connection.client for connection in connections] == [f"192.0.2.1:{port}" for port in (2, 3, 1)]
    judge.end()
    assert sorted(connection.client for connection in connections[3:]) == [f"192.0.2.1:{port}" for port in (2, 4, 5)]
    assert [connection.packets for connection in connections] == [1, 1, 2, 1, 1, 1]
