"""Packets in and out, fragments, and whatever else a link can bring."""

from __future__ import annotations

import random
import struct
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import (
    HBHOptUnknown,
    ICMPv6EchoRequest,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    fragment6,
)  # fmt: skip
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from conformance.stack.errors import SocketError
from conformance.stack.sysctl import SECOND
from tests.stack.lower import FAR4, FAR6, OWN4, OWN6, OWN_MAC, PEER4, PEER6, PEER_MAC, Lower, ip4, ip6, packed, quick

SYN = TCP(sport=1, dport=2, flags="S")
OTHERS = b"\x33\x33\x00\x00\x00\x01"
BROADCAST = "ff:ff:ff:ff:ff:ff"


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> Lower:
    return Lower(monkeypatch)


# In -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        ip4(SYN), ip6(SYN), ip4(SYN, options=[Raw(b"\x01\x01\x01\x00")]),
        ip6(IPv6ExtHdrHopByHop(options=[PadN(optdata=b"1234")]) / SYN), ip6(IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0) / SYN),
        ip6(IPv6ExtHdrFragment(offset=0, m=0, id=7) / SYN),
    ],
)  # fmt: skip
def test_tcp_gets_its_segments(low: Lower, packet: IP) -> None:
    low.receive(packet)
    [(name, skb, host)] = low.taken()
    assert (name, skb.sport, skb.dport, skb.flags, skb.checksum_ok, host) == ("tcp", 1, 2, 2, True, True)
    assert not low.frames


def test_padding_is_no_part_of_a_packet(low: Lower) -> None:
    low.receive(bytes(Ether(src=PEER_MAC, dst=OWN_MAC) / ip4(UDP() / b"x")) + bytes(17))
    [(name, packet, src, dst)] = low.taken()
    assert (name, len(packet), src, dst) == ("udp", 29, packed(PEER4), packed(OWN4))


def test_extension_headers_are_taken_off(low: Lower) -> None:
    low.receive(ip6(IPv6ExtHdrDestOpt() / UDP(sport=5, dport=6) / b"x"))
    [(name, packet, _, _)] = low.taken()
    assert name == "udp"
    assert bytes(IPv6(packet)[UDP])[:4] == b"\x00\x05\x00\x06"
    assert packet[6] == 17


BAD4 = {
    "version": ip4(SYN, version=5),
    "header length": ip4(SYN, ihl=4),
    "header beyond the packet": ip4(b"", ihl=15, proto=6),
    "total length": ip4(SYN, len=100),
    "total length below the header": ip4(SYN, len=19),
    "checksum": ip4(SYN, chksum=1),
    "not ours": ip4(SYN, dst="10.0.0.77"),
    "loopback": ip4(SYN, dst="127.0.0.1"),
    "from loopback": ip4(SYN, src="127.0.0.1"),
    "from ourselves": ip4(SYN, src=OWN4),
    "from a multicast group": ip4(SYN, src="224.0.0.1"),
    "from the broadcast address": ip4(SYN, src="10.0.0.255"),
    "from nobody": ip4(SYN, src="0.0.0.0"),
    "from class E": ip4(SYN, src="240.0.0.1"),
    "source route to be followed": ip4(SYN, options=[Raw(b"\x83\x07\x04\x0a\x00\x00\x09\x00")]),
    "option of length 0": ip4(SYN, options=[Raw(b"\x44\x00\x00\x00")]),
    "option beyond the header": ip4(SYN, options=[Raw(b"\x44\x09\x05\x00")]),
}
BAD6 = {
    "version": ip6(SYN, version=4),
    "payload length": ip6(SYN, plen=100),
    "not ours": ip6(SYN, dst="fd00::77"),
    "loopback": ip6(SYN, dst="::1"),
    "from loopback": ip6(SYN, src="::1"),
    "from ourselves": ip6(SYN, src=OWN6),
    "from a multicast group": ip6(SYN, src="ff02::1"),
    "from nobody": ip6(SYN, src="::"),
    "from a mapped address": ip6(SYN, src="::ffff:10.0.0.2"),
    "two fragment headers": ip6(IPv6ExtHdrFragment(m=0) / IPv6ExtHdrFragment(m=0) / SYN),
    "extension header cut off": ip6(b"\x06\x05\x01", nh=60),
    "no next header": ip6(b"12345678", nh=59),
    "option that asks for it": ip6(IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x7E, optdata=b"1")]) / SYN),
    "option beyond the header": ip6(b"\x06\x00\x1e\x0b\x00\x00\x00\x00" + bytes(SYN), nh=60),
}


@pytest.mark.parametrize("packet", [*BAD4.values(), *BAD6.values()], ids=[*("4 " + key for key in BAD4), *("6 " + key for key in BAD6)])
def test_bad_packets_go_nowhere(low: Lower, packet: IP) -> None:
    low.receive(packet)
    assert not low.up
    assert sum(low.net.mib.values())


def test_frames_for_others_are_left_alone(low: Lower) -> None:
    low.receive(ip4(SYN), dst=PEER_MAC)
    low.receive(ip4(SYN), dst=BROADCAST)  # RFC 1122, section 3.3.6
    assert not low.up


@pytest.mark.parametrize("dst", ["255.255.255.255", "10.0.0.255", "224.0.0.1"])
def test_broadcasts_say_that_they_are(low: Lower, dst: str) -> None:
    low.receive(ip4(SYN, dst=dst), dst=BROADCAST)
    low.receive(ip4(UDP() / b"x", dst=dst), dst=BROADCAST)
    (tcp, _, host), (udp, *_) = low.taken()
    assert (tcp, host, udp) == ("tcp", False, "udp")


def test_cut_off_segments_are_counted(low: Lower) -> None:
    low.receive(ip4(bytes(SYN)[:12], proto=6))
    low.receive(ip6(bytes(SYN)[:12], nh=6))
    assert not low.up
    assert low.net.mib["TcpInErrs"] == 2


@pytest.mark.parametrize(
    ("packet", "code", "pointer"),
    [
        (ip6(b"12345678", nh=200), 1, 6),
        (ip6(IPv6ExtHdrDestOpt() / IPv6ExtHdrHopByHop() / SYN), 1, 40),
        (ip6(IPv6ExtHdrRouting(type=0, segleft=1, addresses=[OWN6]) / SYN), 0, 42),
        (ip6(IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x9E, optdata=b"1")]) / SYN), 2, 42),
        (ip6(IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0xDE, optdata=b"1")]) / SYN), 2, 42),
        (ip6(IPv6ExtHdrFragment(m=1, id=1, nh=6) / Raw(bytes(23))), 0, 4),
        (ip6(IPv6ExtHdrFragment(offset=8191, m=0, id=1, nh=6) / Raw(bytes(16))), 0, 42),
        (ip6(IPv6ExtHdrFragment(m=1, id=1, nh=6) / Raw(bytes(16))), 3, 0),
    ],
)  # fmt: skip
def test_parameter_problems(low: Lower, packet: IPv6, code: int, pointer: int) -> None:
    low.receive(packet)
    [reply] = low.sent()
    problem = reply[ICMPv6ParamProblem]
    assert (problem.code, problem.ptr, reply[IPv6].dst, reply[IPv6].src) == (code, pointer, PEER6, OWN6)
    assert not low.up


# Out ------------------------------------------------------------------------------------------------------------------


def test_headers_that_go_out(low: Lower) -> None:
    low.xmit(b"hello", FAR4, 6, tos=3, ttl=9)
    low.xmit(b"hello", FAR6, 6, tos=3, ttl=9)
    four, six = low.sent()
    assert (four.src, four.dst, six.dst) == (OWN_MAC, PEER_MAC, PEER_MAC)
    header = four[IP]
    assert (header.src, header.dst, header.tos, header.ttl, header.flags, header.proto, header.len) == (OWN4, FAR4, 3, 9, "DF", 6, 25)
    assert IP(bytes(header)[:10] + bytes(2) + bytes(header)[12:]).build() and header.chksum == IP(_without_checksum(header)).chksum
    header = six[IPv6]
    assert (header.src, header.dst, header.tc, header.hlim, header.nh, header.plen, header.fl) == (OWN6, FAR6, 3, 9, 6, 5, 0)


def _without_checksum(header: IP) -> bytes:
    again = header.copy()
    del again.chksum
    return bytes(again)


def test_too_long_for_the_link(low: Lower) -> None:
    for to in (FAR4, FAR6):
        with pytest.raises(SocketError, match="EMSGSIZE"):
            low.xmit(bytes(1490), to, quiet=False)
        with pytest.raises(SocketError, match="EMSGSIZE"):
            low.xmit(bytes(65530 if to == FAR4 else 65536), to, df=False, quiet=False)
    assert not low.frames


def test_too_long_for_the_link_quietly(low: Lower) -> None:
    low.xmit(bytes(TCP(sport=1, dport=2)) + bytes(1490), FAR4, 6)
    low.xmit(bytes(TCP(sport=1, dport=2)) + bytes(1490), FAR6, 6)
    (_, four), (_, six) = low.taken()
    assert (four.type, four.code, four.mtu, four.quote.dst) == (3, 4, 1500, packed(FAR4))
    assert (six.type, six.code, six.mtu, six.quote.dst) == (2, 0, 1500, packed(FAR6))


def test_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    low = Lower(monkeypatch)
    low.net.fib.routes = {4: [], 16: []}
    low.xmit(b"x", FAR4)
    with pytest.raises(SocketError, match="ENETUNREACH"):
        low.xmit(b"x", FAR4, quiet=False)
    assert not low.frames


@pytest.mark.parametrize(("own", "far"), [(OWN4, FAR4), (OWN6, FAR6)])
@pytest.mark.parametrize("size", [1500, 4000, 65000])
def test_what_goes_out_in_fragments_comes_together_again(monkeypatch: pytest.MonkeyPatch, own: str, far: str, size: int) -> None:
    low, other = Lower(monkeypatch), Lower(monkeypatch)
    other.net.add_address(other.device, packed(far), 64 if ":" in far else 24)
    other.device.addresses[:] = [pair for pair in other.device.addresses if pair[0] != packed(own)]
    other.net.fib._read_addresses()
    data = random.Random(size).randbytes(size)
    low.xmit(data, far, 17, df=False)
    frames = list(low.frames)
    assert len(frames) > 1 and all(len(frame) <= 1514 for frame in frames)
    for frame in reversed(frames):
        other.receive(bytes(other.device.mac) + frame[6:])
    [(name, packet, _, _)] = other.taken()
    assert (name, packet[-size:]) == ("udp", data)


def test_loopback(low: Lower) -> None:
    for own, name in ((OWN4, "udp"), (OWN6, "udp"), ("127.0.0.1", "udp"), ("::1", "udp")):
        low.xmit(b"12345678", own)
        [(found, packet, src, dst)] = low.taken()
        assert (found, packet[-8:], src, dst) == (name, b"12345678", packed(own), packed(own))
    assert not low.frames


def test_loopback_holds_a_bounded_number(low: Lower) -> None:
    low.net._run(lambda: [low.xmit(b"12345678", OWN4) for _ in range(5000)] and None)
    assert len(low.up) == 1000
    assert not low.net._softirq


# Fragments ------------------------------------------------------------------------------------------------------------

DATA = bytes(range(256)) * 4


def _pieces(family: int, sizes: list[int], ident: int = 9) -> list[IP]:
    """``DATA`` in fragments of so many units of 8 octets."""
    pieces, at = [], 0
    while at < len(DATA):
        size = min(sizes[len(pieces) % len(sizes)] * 8, len(DATA) - at)
        more = int(at + size < len(DATA))
        if family == 4:
            pieces.append(ip4(DATA[at : at + size], proto=17, id=ident, frag=at // 8, flags=more))
        else:
            pieces.append(ip6(IPv6ExtHdrFragment(nh=17, offset=at // 8, m=more, id=ident) / Raw(DATA[at : at + size])))
        at += size
    return pieces


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_in_every_order(low: Lower, family: int) -> None:
    for ident, order in enumerate(permutations(range(4))):
        pieces = _pieces(family, [40, 30, 20], ident)
        for number in order:
            assert not low.up
            low.receive(pieces[number])
        [(_, packet, _, _)] = low.taken()
        assert packet[-len(DATA) :] == DATA
        assert (packet[9] if family == 4 else packet[6]) == 17
        assert int.from_bytes(packet[2:4] if family == 4 else packet[4:6], "big") == len(DATA) + (20 if family == 4 else 0)
    assert low.net.frags.memory == 0 and not low.net.frags.queues


def test_whole_again_it_is_a_right_packet(low: Lower) -> None:
    for packet in (ip4(TCP(sport=1, dport=2) / DATA), ip4(TCP(sport=1, dport=2) / DATA, options=[Raw(b"\x01\x01\x01\x00")])):
        for piece in reversed(fragment(packet, 200)):
            low.receive(piece)
    for piece in fragment6(ip6(IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(id=3) / TCP(sport=1, dport=2) / (DATA * 3)), 1280):
        low.receive(piece)
    got = low.taken()
    assert [(name, skb.sport, skb.checksum_ok, skb.ip_checksum_ok) for name, skb, _ in got] == [("tcp", 1, True, True)] * 3


@quick
@given(st.data())
def test_fragments_shuffled_and_repeated(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        low = Lower(patch)
        pieces = _pieces(data.draw(st.sampled_from([4, 6])), data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=5)))
        if len(pieces) < 2:
            return
        order = data.draw(st.permutations(range(len(pieces))))
        repeated = data.draw(st.lists(st.sampled_from(order[:-1]), max_size=3))  # the last one completes it
        for number in [*order[:-1], *repeated, order[-1]]:
            low.receive(pieces[number])
        [(_, packet, _, _)] = low.taken()
        assert packet[-len(DATA) :] == DATA


@quick
@given(st.sampled_from([4, 6]), st.integers(0, 127), st.integers(1, 16), st.integers(0, 3))
def test_an_overlap_condemns_the_packet(family: int, start: int, units: int, when: int) -> None:
    """RFC 5722: and all of its fragments that are still to come."""
    with pytest.MonkeyPatch.context() as patch:
        low = Lower(patch)
        pieces = _pieces(family, [32])
        units = min(units, 128 - start)
        payload = bytes(units * 8)
        evil = (
            ip4(payload, proto=17, id=9, frag=start, flags=1) if family == 4
            else ip6(IPv6ExtHdrFragment(nh=17, offset=start, m=1, id=9) / Raw(payload))
        )  # fmt: skip
        pieces.insert(when, evil)
        for piece in pieces:
            low.receive(piece)
        assert not low.up
        low.receive(pieces[0])
        low.after(61)
        assert not low.net.frags.queues and low.net.frags.memory == 0


@pytest.mark.parametrize("family", [4, 6])
def test_two_ends(low: Lower, family: int) -> None:
    for at in (80, 60, 0):
        data = bytes(480)
        low.receive(
            ip4(data, proto=17, id=9, frag=at, flags=int(at == 0)) if family == 4
            else ip6(IPv6ExtHdrFragment(nh=17, offset=at, m=int(at == 0), id=9) / Raw(data))
        )  # fmt: skip
    assert not low.up


@pytest.mark.parametrize(("profile", "family", "seconds"), [("rfc", 4, 60), ("linux", 4, 30), ("rfc", 6, 60), ("linux", 6, 60)])
def test_time_is_over(monkeypatch: pytest.MonkeyPatch, profile: str, family: int, seconds: int) -> None:
    low = Lower(monkeypatch, profile=profile)
    first, *_, last = _pieces(family, [40])
    low.receive(first)
    low.after(seconds - 0.001)
    assert not low.frames
    low.after(0.001)
    [reply] = low.sent()
    if family == 4:
        assert (reply[ICMP].type, reply[ICMP].code, reply[IP].dst) == (11, 1, PEER4)
    else:
        assert (reply[ICMPv6TimeExceeded].code, reply[IPv6].dst) == (1, PEER6)
    low.receive(last)
    low.after(100)
    assert not low.frames and low.net.next_timer() is None


def test_fragments_and_congestion(low: Lower) -> None:
    """RFC 3168, section 5.3."""
    for marks, outcome in (((2, 3), 3), ((2, 2), 2), ((0, 0), 0), ((0, 3), None)):
        for piece, tos in zip(_pieces(4, [64]), marks, strict=True):
            piece.tos = tos
            low.receive(piece)
        got = low.taken()
        assert [packet[1] for _, packet, _, _ in got] == ([] if outcome is None else [outcome])
        for piece, tos in zip(_pieces(6, [64]), marks, strict=True):
            piece.tc = tos
            low.receive(piece)
        got = low.taken()
        assert [packet[1] >> 4 for _, packet, _, _ in got] == ([] if outcome is None else [outcome])


def test_fragments_take_bounded_memory(low: Lower) -> None:
    piece = bytearray(bytes(Ether(src=PEER_MAC, dst=OWN_MAC) / ip6(IPv6ExtHdrFragment(nh=17, offset=1, m=1, id=0) / Raw(bytes(1400)))))
    for ident in range(10_000):
        struct.pack_into(">I", piece, 14 + 40 + 4, ident)
        low.receive(bytes(piece))
    frags = low.net.frags
    assert frags.memory <= 4 << 20
    assert frags.memory == sum(queue.memory for queue in frags.queues.values())
    assert sum(len(payload) for queue in frags.queues.values() for payload in queue.payloads) <= 4 << 20
    assert len(low.net.timers._queue) <= 2
    low.after(61)
    assert frags.memory == 0 and not frags.queues


# Whatever comes -------------------------------------------------------------------------------------------------------

SEEDS = [
    bytes(Ether(src=PEER_MAC, dst=OWN_MAC) / packet)
    for packet in (
        ip4(SYN), ip4(UDP() / b"data"), ip4(ICMP() / b"echo"), ip4(ICMP(type=3, code=4) / ip4(SYN, src=OWN4, dst=PEER4)), *_pieces(4, [64]),
        ip4(SYN, options=[Raw(b"\x83\x07\x08\x0a\x00\x00\x09\x00")]), ip6(SYN), ip6(ICMPv6EchoRequest(data=b"echo")), *_pieces(6, [64]),
        ip6(IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / IPv6ExtHdrFragment(m=1) / SYN),
        ip6(ICMPv6TimeExceeded() / ip6(IPv6ExtHdrFragment() / SYN, src=OWN6, dst=PEER6)), ARP(pdst=OWN4, psrc=PEER4),
    )
]  # fmt: skip


@quick
@given(
    st.lists(
        st.tuples(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4), st.integers(0, 200)),
        max_size=20,
    ),
    st.sampled_from(["rfc", "linux"]),
)
def test_no_frame_makes_it_raise(frames: list[tuple[bytes, list[tuple[int, int]], int]], profile: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        low = Lower(patch, profile=profile, neighbours=False)
        for seed, changes, cut in frames:
            frame = bytearray(seed)
            for at, value in changes:
                frame[at % len(frame)] = value
            low.receive(bytes(frame[: len(frame) - cut] if cut < 50 else frame))
        low.after(200)
        assert not low.net.frags.queues


@quick
@given(st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06", b""]), st.binary(max_size=120))
def test_no_octets_make_it_raise(ethertype: bytes, octets: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        low = Lower(patch)
        low.receive(low.device.mac + OTHERS + ethertype + octets)
        low.receive(octets)
        low.after(SECOND)
