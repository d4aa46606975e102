"""Reading: fields of packets that scapy made, and no exception whatever the octets are."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import (
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)  # fmt: skip
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from conformance.wire.options import Option, parse_options
from conformance.wire.read import read_frame, read_ip
from conformance.wire.segment import ACK, SYN, Family, Icmp, Packet, Quote, Segment, Unreadable

from .packets import ADDRESSES, families, numbers, octets, quick, scapy_frame, words

OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (100, 200)), ("NOP", None), ("WScale", 7)]
SYN_ACK = {family: scapy_frame(family, TCP(sport=1, dport=2, seq=5, ack=6, flags="SA", window=512, options=OPTIONS)) for family in Family}
ICMP_ERROR = {
    Family.IPV4: bytes(
        Ether(type=0x0800)
        / IP(src="10.0.0.2", dst="10.0.0.1")
        / ICMP(type=3, code=4, nexthopmtu=1400)
        / Raw(SYN_ACK[Family.IPV4][14:42])
    ),
    Family.IPV6: bytes(
        Ether(type=0x86DD)
        / IPv6(src="fd00::2", dst="fd00::1")
        / ICMPv6PacketTooBig(mtu=1280)
        / Raw(SYN_ACK[Family.IPV6][14:])
    ),
}  # fmt: skip


def segment(packet: Packet) -> Segment:
    assert isinstance(packet, Segment), packet
    return packet


def icmp(packet: Packet) -> Icmp:
    assert isinstance(packet, Icmp), packet
    return packet


def reason(packet: Packet) -> str:
    assert isinstance(packet, Unreadable), packet
    return packet.reason


@quick
@given(families, words, words, numbers, numbers, octets, words, words, octets, octets, st.binary(max_size=41))
def test_every_field_of_a_segment(
    family: Family, sport: int, dport: int, seq: int, ack: int, flags: int, window: int, urgent: int, ttl: int, tos: int, payload: bytes
) -> None:
    tcp = TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, window=window, urgptr=urgent, reserved=5, options=OPTIONS)
    ip = {"ttl": ttl, "tos": tos, "id": 77} if family is Family.IPV4 else {"hlim": ttl, "tc": tos, "fl": 0x54321}
    frame = scapy_frame(family, tcp, payload, **ip)
    src, dst = ADDRESSES[family]
    v4 = family is Family.IPV4
    read = Segment(
        family, src, dst, sport, dport, seq, ack, flags, window, urgent, segment(read_frame(SYN_ACK[family])).options_data, payload,
        reserved=10, ttl=ttl, tos=tos, ip_id=77 if v4 else 0, df=v4,
        ip_size=len(frame) - 14, flow_label=0 if v4 else 0x54321,
    )  # fmt: skip
    assert read_frame(frame) == read
    assert read_frame(frame + b"\xaa" * 9) == read, "what pads an Ethernet frame is no data"
    assert read_ip(frame[14:]) == read


@settings(quick, max_examples=150)
@given(st.binary(max_size=120))
@example(b"")
def test_random_octets_do_not_raise(data: bytes) -> None:
    for head in (b"", bytes(12) + b"\x08\x00", bytes(12) + b"\x86\xdd", SYN_ACK[Family.IPV4][:23], ICMP_ERROR[Family.IPV6][:58]):
        read_frame(head + data)
    read_ip(data)


_valid = st.sampled_from([*SYN_ACK.values(), *ICMP_ERROR.values()])


@settings(quick, max_examples=300)
@given(_valid, st.dictionaries(st.integers(12, 120), octets, max_size=6), st.integers(0, 140))
def test_mutated_frames_do_not_raise(frame: bytes, changes: dict[int, int], cut: int) -> None:
    mutated = bytearray(frame)
    for at, value in changes.items():
        mutated[at % len(frame)] = value
    read_frame(bytes(mutated))
    read_frame(bytes(mutated)[:cut])


@pytest.mark.parametrize("family", list(Family))
def test_every_truncation_has_a_reason(family: Family) -> None:
    for frame in (SYN_ACK[family], ICMP_ERROR[family]):
        for size in range(len(frame)):
            assert reason(read_frame(frame[:size]))


@pytest.mark.parametrize("family", list(Family))
def test_wrong_checksums_are_noticed(family: Family) -> None:
    tcp_at = 34 if family is Family.IPV4 else 54
    for frame in (SYN_ACK[family], ICMP_ERROR[family]):
        for at in range(14, len(frame)):
            changed = frame[:at] + bytes((frame[at] ^ 1,)) + frame[at + 1 :]
            packet = read_frame(changed)
            if at >= tcp_at and not isinstance(packet, Unreadable):
                assert not packet.checksum_ok, at
            elif isinstance(packet, Segment) and family is Family.IPV4:
                assert not packet.ip_checksum_ok, at


def _with(frame: bytes, at: int, octets: bytes) -> bytes:
    return frame[:at] + octets + frame[at + len(octets) :]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\x00" * 13, "shorter than an Ethernet header"),
        (bytes(12) + b"\x08\x06" + bytes(46), "ethertype 0x0806"),
        (_with(SYN_ACK[Family.IPV4], 14, b"\x65"), "version 6 in an IPv4 frame"),
        (_with(SYN_ACK[Family.IPV4], 14, b"\x44"), "header length of 16"),
        (_with(SYN_ACK[Family.IPV4], 16, b"\x00\x00"), "total length 0"),
        (_with(SYN_ACK[Family.IPV4], 20, b"\x20\x00"), "fragment"),
        (_with(SYN_ACK[Family.IPV4], 20, b"\x00\x01"), "fragment"),
        (_with(SYN_ACK[Family.IPV4], 23, b"\x11"), "protocol 17"),
        (_with(SYN_ACK[Family.IPV4], 46, b"\x40"), "TCP: data offset of"),
        (_with(SYN_ACK[Family.IPV4], 46, b"\xf0"), "TCP: data offset of 60 octets in a segment of 40"),
        (_with(ICMP_ERROR[Family.IPV4], 16, b"\x00\x1b"), "ICMP: header cut off after 7 octets"),
        (_with(SYN_ACK[Family.IPV6], 14, b"\x45"), "version 4 in an IPv6 frame"),
        (_with(SYN_ACK[Family.IPV6], 18, b"\x00\x00"), "payload length 0"),
        (_with(SYN_ACK[Family.IPV6], 20, b"\x3b"), "protocol 59"),
        (_with(SYN_ACK[Family.IPV6], 20, b"\x01"), "protocol 1"),
    ],
)
def test_reasons(frame: bytes, words: str) -> None:
    assert words in reason(read_frame(frame))


def test_reasons_without_a_link_header() -> None:
    assert reason(read_ip(b"")) == "IP version 0"
    assert reason(read_ip(b"\x50")) == "IP version 5"


def _ipv6(*extensions: object) -> bytes:
    packet = Ether(type=0x86DD) / IPv6(src="fd00::1", dst="fd00::2")
    for extension in extensions:
        packet /= extension
    return bytes(packet / TCP(sport=1, dport=2, seq=9, flags="A") / Raw(b"hello"))


def test_extension_headers_are_skipped() -> None:
    hop_by_hop, options = IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(12))]), IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    routing = IPv6ExtHdrRouting(addresses=["fd00::9"], segleft=0)
    read = segment(read_frame(_ipv6(hop_by_hop, options, routing, options)))
    assert (read.seq, read.payload, read.checksum_ok) == (9, b"hello", True)
    assert segment(read_frame(_ipv6(IPv6ExtHdrFragment(offset=0, m=0, res1=9), options))).payload == b"hello"


@pytest.mark.parametrize(("offset", "more"), [(1, 0), (0, 1)])
def test_ipv6_fragments_are_not_read(offset: int, more: int) -> None:
    assert "fragment" in reason(read_frame(_ipv6(IPv6ExtHdrFragment(offset=offset, m=more), IPv6ExtHdrDestOpt())))


def test_ipv4_options_are_skipped() -> None:
    packet = Ether(type=0x0800) / IP(src="10.0.0.1", dst="10.0.0.2", options=[("NOP")] * 4) / TCP(flags="S", seq=3)
    read = segment(read_frame(bytes(packet)))
    assert (read.seq, read.flags, read.checksum_ok, read.ip_checksum_ok) == (3, SYN, True, True)


@pytest.mark.parametrize(("family", "mtu"), [(Family.IPV4, 1400), (Family.IPV6, 1280)])
def test_an_icmp_error_quotes_a_segment(family: Family, mtu: int) -> None:
    read = icmp(read_frame(ICMP_ERROR[family]))
    assert (read.mtu, read.checksum_ok, read.ttl) == (mtu, True, 64)
    assert read.quote == Quote(*ADDRESSES[family], 1, 2, 5)


def test_an_echo_quotes_nothing() -> None:
    body = SYN_ACK[Family.IPV4][14:]
    read = icmp(read_frame(bytes(Ether(type=0x0800) / IP() / ICMP(type=8, id=7, seq=8) / Raw(body))))
    assert (read.type, read.mtu, read.body, read.quote) == (8, 0, body, None)


def test_the_segment_says_its_length() -> None:
    read = segment(read_frame(SYN_ACK[Family.IPV4]))
    assert (read.flags, read.length) == (SYN | ACK, 1)
    assert read.options == (
        *parse_options(struct.pack(">BBH", 2, 4, 1460)),
        Option(4),
        Option(8, struct.pack(">II", 100, 200)),
        Option(1),
        Option(3, b"\x07"),
    )
