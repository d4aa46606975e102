"""Echo, and errors both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, fragment
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrFragment,
    fragment6,
)  # fmt: skip
from scapy.packet import Packet, Raw

from conformance.stack.icmp import icmp_send
from tests.stack.lower import OWN4, OWN6, PEER4, PEER6, Lower, ip4, ip6, quick

BROADCAST = "ff:ff:ff:ff:ff:ff"
OURS4 = IP(src=OWN4, dst=PEER4) / TCP(sport=7, dport=8, seq=9)
OURS6 = IPv6(src=OWN6, dst=PEER6) / TCP(sport=7, dport=8, seq=9)


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> Lower:
    return Lower(monkeypatch)


def send(low: Lower, packet: Packet, type: int, code: int, mtu: int = 0) -> list[Packet]:
    low.net._run(lambda: icmp_send(low.net, bytes(packet), type, code, mtu))
    return low.sent()


# Echo -----------------------------------------------------------------------------------------------------------------


@quick
@given(st.binary(max_size=1400), st.integers(0, 0xFFFF), st.integers(0, 255))
def test_echo(data: bytes, ident: int, tos: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        low = Lower(patch)
        low.receive(ip4(ICMP(type=8, id=ident, seq=3) / data, tos=tos))
        low.receive(ip6(ICMPv6EchoRequest(id=ident, seq=3, data=data), tc=tos))
        four, six = low.sent()
        assert (four[IP].src, four[IP].dst, four[IP].tos) == (OWN4, PEER4, tos & ~3)
        echo = four[ICMP]
        assert (echo.type, echo.code, echo.id, echo.seq, bytes(echo.payload)) == (0, 0, ident, 3, data)
        assert (six[IPv6].src, six[IPv6].dst, six[IPv6].tc) == (OWN6, PEER6, tos & ~3)
        reply = six[ICMPv6EchoReply]
        assert (reply.id, reply.seq, reply.data) == (ident, 3, data)
        for again in (four[IP].copy(), six[IPv6].copy()):
            layer = again.payload
            name = "chksum" if again.version == 4 else "cksum"
            right = getattr(layer, name)
            delattr(layer, name)
            assert getattr(type(again)(bytes(again)).payload, name) == right


def test_a_long_echo_comes_back_whole(low: Lower) -> None:
    data = bytes(range(256)) * 20
    for piece in fragment(ip4(ICMP(type=8) / data), 1000):
        low.receive(piece)
    sent = low.sent()
    assert len(sent) == 4
    assert b"".join(bytes(frame[IP].payload) for frame in sent)[8:] == data
    for piece in fragment6(ip6(IPv6ExtHdrFragment(id=1) / ICMPv6EchoRequest(data=data)), 1280):
        low.receive(piece)
    assert len(low.sent()) == 4


@pytest.mark.parametrize(
    "packet",
    [
        ip4(ICMP(type=8), dst="10.0.0.255"), ip4(ICMP(type=8), dst="224.0.0.1"), ip4(ICMP(type=8, chksum=1)), ip4(b"\x08\x00", proto=1),
        ip6(ICMPv6EchoRequest(cksum=1)), ip6(ICMPv6EchoRequest(), src="::"), ip4(ICMP(type=0)), ip6(ICMPv6EchoReply()), ip4(ICMP(type=13)),
        ip6(b"\x80\x00", nh=58),
    ],
)  # fmt: skip
def test_what_is_not_answered(low: Lower, packet: Packet) -> None:
    low.receive(packet, dst=BROADCAST if packet.dst in ("10.0.0.255", "224.0.0.1") else "02:00:00:00:00:01")
    assert not low.frames and not low.up


def test_an_echo_to_all_nodes(low: Lower) -> None:
    """RFC 4443, section 4.2."""
    low.receive(ip6(ICMPv6EchoRequest(data=b"x"), dst="ff02::1"), dst="33:33:00:00:00:01")
    [reply] = low.sent()
    assert (reply[IPv6].src, reply[IPv6].dst) == (OWN6, PEER6)


# Errors that come -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "kind", "code", "mtu"),
    [
        (ip4(ICMP(type=3, code=1) / OURS4), 3, 1, 0), (ip4(ICMP(type=3, code=4, nexthopmtu=1000) / OURS4), 3, 4, 1000),
        (ip4(ICMP(type=11, code=0) / OURS4), 11, 0, 0), (ip4(ICMP(type=12, code=0) / OURS4), 12, 0, 0),
        (ip4(ICMP(type=3, code=3) / Raw(bytes(OURS4)[:28])), 3, 3, 0), (ip6(ICMPv6DestUnreach(code=4) / OURS6), 1, 4, 0),
        (ip6(ICMPv6PacketTooBig(mtu=1300) / OURS6), 2, 0, 1300), (ip6(ICMPv6TimeExceeded() / OURS6), 3, 0, 0),
        (ip6(ICMPv6ParamProblem() / OURS6), 4, 0, 0), (ip6(ICMPv6DestUnreach(type=99) / OURS6), 99, 0, 0),
        (ip6(ICMPv6TimeExceeded() / IPv6(src=OWN6, dst=PEER6) / IPv6ExtHdrFragment() / TCP(sport=7, dport=8, seq=9)), 3, 0, 0),
    ],
)  # fmt: skip
def test_errors_about_our_segments(low: Lower, packet: Packet, kind: int, code: int, mtu: int) -> None:
    low.receive(packet)
    [(name, message)] = low.taken()
    assert (name, message.type, message.code, message.mtu) == ("tcp_err", kind, code, mtu)
    assert (message.quote.sport, message.quote.dport, message.quote.seq) == (7, 8, 9)
    assert not low.frames


def test_errors_about_our_datagrams(low: Lower) -> None:
    low.receive(ip4(ICMP(type=3, code=3) / IP(src=OWN4, dst=PEER4) / UDP(sport=5, dport=6)))
    low.receive(ip6(ICMPv6DestUnreach(code=4) / IPv6(src=OWN6, dst=PEER6) / IPv6ExtHdrFragment() / UDP(sport=5, dport=6)))
    assert [(name, message.quote.sport, message.quote.dport) for name, message in low.taken()] == [("udp_err", 5, 6)] * 2


@pytest.mark.parametrize(
    "packet",
    [
        ip4(ICMP(type=3, code=3, chksum=1) / OURS4), ip4(ICMP(type=4) / OURS4), ip4(ICMP(type=5, code=1) / OURS4),
        ip4(ICMP(type=3, code=3) / IP(src=PEER4, dst=OWN4) / TCP()), ip4(ICMP(type=3, code=3) / Raw(bytes(OURS4)[:27])),
        ip4(ICMP(type=3, code=3) / IP(src=OWN4, dst=PEER4, frag=1) / TCP()), ip4(ICMP(type=3, code=3) / OURS6),
        ip4(ICMP(type=3, code=3)), ip6(ICMPv6DestUnreach(cksum=1) / OURS6), ip6(ICMPv6DestUnreach() / IPv6(src=PEER6, dst=OWN6) / TCP()),
        ip6(ICMPv6DestUnreach() / OURS4), ip6(ICMPv6DestUnreach() / Raw(bytes(OURS6)[:44])),
        ip6(ICMPv6DestUnreach() / IPv6(src=OWN6, dst=PEER6) / IPv6ExtHdrFragment(offset=1) / TCP()),
    ],
)  # fmt: skip
def test_errors_that_are_not_believed(low: Lower, packet: Packet) -> None:
    low.receive(packet)
    assert not low.up and not low.frames


def test_a_router_that_tells_no_mtu(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 1191, section 5."""
    for profile, mtu in (("rfc", 1006), ("linux", 0)):
        low = Lower(monkeypatch, profile=profile)
        low.receive(ip4(ICMP(type=3, code=4, nexthopmtu=0) / IP(src=OWN4, dst=PEER4, len=1480) / TCP(sport=7, dport=8)))
        [(_, message)] = low.taken()
        assert message.mtu == mtu


# Errors that go -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [41, 132, 255])
def test_protocols_that_nobody_has(low: Lower, protocol: int) -> None:
    for packet in (ip4(b"12345678", proto=protocol), ip6(b"12345678", nh=protocol)):
        low.receive(packet)
    four, six = low.sent()
    assert (four[ICMP].type, four[ICMP].code, bytes(four[IPerror])) == (3, 2, bytes(ip4(b"12345678", proto=protocol)))
    assert (six[ICMPv6ParamProblem].code, six[ICMPv6ParamProblem].ptr) == (1, 6)
    low.wanted.add(protocol)
    for packet in (ip4(b"12345678", proto=protocol), ip6(b"12345678", nh=protocol)):
        low.receive(packet)
    assert not low.frames
    assert low.taken() == [("raw", protocol, b"12345678")] * 2


def test_how_much_is_quoted(low: Lower) -> None:
    [four] = send(low, ip4(UDP() / bytes(1400)), 3, 3)
    [six] = send(low, ip6(UDP() / bytes(1400)), 1, 4)
    assert (four[IP].src, four[IP].dst, len(four[IP]), four[IP].tos, four[ICMP].type) == (
        OWN4, PEER4, 576, 0, 3,
    )  # fmt: skip
    assert (six[IPv6].src, six[IPv6].dst, len(six[IPv6])) == (OWN6, PEER6, 1280)


def test_a_malformed_option_is_reported(low: Lower) -> None:
    low.receive(ip4(UDP(), options=[Raw(b"\x44\x09\x05\x00")]))
    [reply] = low.sent()
    assert (reply[ICMP].type, reply[ICMP].code, reply[ICMP].ptr) == (12, 0, 20)


@pytest.mark.parametrize(
    "packet",
    [
        ip4(ICMP(type=3) / OURS4), ip4(ICMP(type=5) / OURS4), ip4(UDP(), dst="10.0.0.255"), ip4(UDP(), dst="224.0.0.1"),
        ip4(UDP(), dst="255.255.255.255"), ip4(UDP(), frag=1), ip4(UDP(), src="0.0.0.0"), ip4(UDP(), src="10.0.0.255"),
        ip4(UDP(), src="224.0.0.1"), ip4(UDP(), src="240.0.0.1"), ip4(b"", proto=1), ip6(ICMPv6DestUnreach() / OURS6),
        ip6(UDP(), dst="ff02::1"), ip6(UDP(), src="::"), ip6(UDP(), src="ff02::1"), ip6(b"", nh=58),
        ip6(IPv6ExtHdrFragment(offset=1) / ICMPv6EchoRequest()), ip6(Raw(b"\x89\x00\x00\x00"), nh=58),
        ip6(IPv6ExtHdrFragment() / ICMPv6TimeExceeded()),
    ],
)  # fmt: skip
def test_errors_that_must_not_be_sent(low: Lower, packet: Packet) -> None:
    """RFC 1122, section 3.2.2; RFC 4443, section 2.4 (e)."""
    assert not send(low, packet, *((3, 3) if packet.version == 4 else (1, 4)))


def test_errors_about_multicasts_that_may_be_sent(low: Lower) -> None:
    assert send(low, ip6(UDP(), dst="ff02::1"), 2, 0, 1280)
    assert send(low, ip6(UDP(), dst="ff02::1"), 4, 2, 40)


def test_errors_about_echoes_may_be_sent(low: Lower) -> None:
    assert send(low, ip4(ICMP(type=8)), 11, 1)
    assert send(low, ip6(ICMPv6EchoRequest()), 3, 1)


def test_the_rate_of_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    low = Lower(monkeypatch, icmp_ratelimit=True)
    assert sum(len(send(low, ip4(UDP()), 3, 3)) for _ in range(20)) == 6
    low.after(2)
    assert sum(len(send(low, ip4(UDP()), 3, 3)) for _ in range(20)) == 2
    for number in range(1200):
        send(low, ip6(UDP(), src=f"fd00::1:{number:x}"), 1, 4)
        low.after(0.01)
    assert len(low.net.fib.icmp_limits) <= 1024
    low.sent()
    for _ in range(20):
        low.receive(ip4(ICMP(type=8)))
    assert len(low.sent()) == 20  # echoes are no errors


def test_errors_on_the_loopback(low: Lower) -> None:
    packet = IP(src=OWN4, dst=OWN4) / UDP(sport=1, dport=2)
    assert not send(low, packet, 3, 3)
    assert [name for name, _ in low.taken()] == ["udp_err"]
