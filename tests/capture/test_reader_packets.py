"""Frames to packets: link headers, IP with all that stands between it and TCP, what a capture has not kept, and checksums."""

from __future__ import annotations

import struct
from collections import Counter

import pytest
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Raw

from conformance.capture import fragments, network
from conformance.capture.reader import Counts
from conformance.trace import Seen
from conformance.wire.checksum import pseudo_sum
from conformance.wire.read import read_frame
from conformance.wire.segment import Icmp, Quote, Segment

from .agreement import agree
from .build import EPOCH, HOSTS4, HOSTS6, STAMPED, Record, ethernet, icmp4, icmp6, ip4, ip6, pcap, tcp
from .samples import SYN_OPTIONS, samples

V4, V6 = ip4(tcp(b"hello")), ip6(tcp(b"hello", hosts=HOSTS6))
FAMILIES = pytest.mark.parametrize("packet", [V4, V6], ids=["ipv4", "ipv6"])


def read(*frames: bytes | Record, link: int = 1, snap: int = 65535) -> tuple[list[Seen], Counts]:
    found = agree(pcap(frames, link=link, snap=snap))
    assert found is not None
    return found


def segment(frame: bytes | Record, link: int = 1, snap: int = 65535) -> Segment:
    ((seen,), _) = read(frame, link=link, snap=snap)
    assert isinstance(seen.packet, Segment)
    return seen.packet


def unread(frame: bytes | Record, link: int = 1, snap: int = 65535) -> str:
    packets, counts = read(frame, link=link, snap=snap)
    assert packets == []
    ((reason, times),) = counts.unread.items()
    assert times == 1
    return reason


# The link layer -------------------------------------------------------------------------------------------------------

TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}


def ethertype(packet: bytes) -> bytes:
    return TYPES[packet[0] >> 4]


def family(order: str, v6: int) -> dict[int, bytes]:
    return {4: struct.pack(f"{order}I", 2), 6: struct.pack(f"{order}I", v6)}


LINKS: dict[str, tuple[int, dict[int, bytes], bool | None]] = {
    "ethernet": (1, {version: bytes(12) + kind for version, kind in TYPES.items()}, None),
    "802.1Q": (1, {version: bytes(12) + b"\x81\x00\x00\x07" + kind for version, kind in TYPES.items()}, None),
    "802.1ad": (1, {version: bytes(12) + b"\x88\xa8\x00\x07\x81\x00\x00\x08" + kind for version, kind in TYPES.items()}, None),
    "eight tags": (1, {version: bytes(12) + b"\x81\x00\x00\x07" * 8 + kind for version, kind in TYPES.items()}, None),
    "cooked, sent": (113, {version: b"\x00\x04" + bytes(12) + kind for version, kind in TYPES.items()}, True),
    "cooked, received": (113, {version: bytes(14) + kind for version, kind in TYPES.items()}, False),
    "cooked, tagged": (113, {version: bytes(14) + b"\x81\x00\x00\x07" + kind for version, kind in TYPES.items()}, False),
    "cooked v2, sent": (276, {version: kind + bytes(8) + b"\x04" + bytes(9) for version, kind in TYPES.items()}, True),
    "cooked v2, received": (276, {version: kind + bytes(18) for version, kind in TYPES.items()}, False),
    "cooked v2, tagged": (276, {version: b"\x81\x00" + bytes(18) + b"\x00\x07" + kind for version, kind in TYPES.items()}, False),
    "raw": (101, {4: b"", 6: b""}, None),
    "raw, BSD": (12, {4: b"", 6: b""}, None),
    "raw, OpenBSD": (14, {4: b"", 6: b""}, None),
    "raw IPv4": (228, {4: b""}, None),
    "raw IPv6": (229, {6: b""}, None),
    **{f"null {v6} {order}": (0, family(order, v6), None) for order in "<>" for v6 in (10, 23, 24, 28, 30)},
    "loop": (108, family(">", 24), None),
    "PPP": (9, {4: b"\x00\x21", 6: b"\x00\x57"}, None),
    "PPP, framed as HDLC": (9, {4: b"\xff\x03\x00\x21", 6: b"\xff\x03\x00\x57"}, None),
}


@FAMILIES
@pytest.mark.parametrize("name", LINKS)
def test_what_stands_before_ip(name: str, packet: bytes) -> None:
    link, headers, outbound = LINKS[name]
    header = headers.get(packet[0] >> 4)
    if header is None:
        return
    ((seen,), _) = read(header + packet, link=link)
    expected = read_frame(bytes(12) + ethertype(packet) + packet)
    assert (seen.packet, seen.outbound) == (expected, outbound)
    for size in range(len(header) + 1):
        assert "header cut off" in unread(header[:size], link=link) or not size


@pytest.mark.parametrize(
    ("link", "frame", "reason"),
    [
        (1, bytes(12) + b"\x08\x06" + bytes(46), "Ethernet: protocol 0x0806"),
        (1, bytes(12) + b"\x00\x40" + bytes(64), "Ethernet: protocol 0x0040"),
        (1, bytes(12) + b"\x81\x00\x00\x01" * 9 + b"\x08\x00" + V4, "Ethernet: protocol 0x8100"),
        (113, bytes(14) + b"\x00\x04" + bytes(20), "Linux cooked: protocol 0x0004"),
        (0, b"\x07\0\0\0" + bytes(20), "BSD loopback: protocol 0x7000000"),
        (101, b"\x50" + bytes(40), "IP version 5"),
        (1, bytes(12) + b"\x08\x00" + V6, "IP version 6"),
        (1, bytes(12) + b"\x86\xdd" + V4, "IP version 4"),
        (105, bytes(100), "link type 105"),
    ],
)
def test_what_is_no_ip(link: int, frame: bytes, reason: str) -> None:
    assert unread(frame, link=link) == reason


# IP -------------------------------------------------------------------------------------------------------------------


@FAMILIES
def test_padding_of_a_frame_is_no_data(packet: bytes) -> None:
    assert segment(ethernet(packet) + b"\xaa" * 9).payload == b"hello"


@FAMILIES
@pytest.mark.parametrize("kept", range(6))
def test_a_snap_length_cuts_data(packet: bytes, kept: int) -> None:
    found = segment(ethernet(packet), snap=len(ethernet(packet)) - kept)
    whole = segment(ethernet(packet))
    assert (found.payload, found.cut) == (b"hello"[: 5 - kept], kept)
    assert (found.length, found.ip_size, found.checksum_ok) == (whole.length, whole.ip_size, True)


@FAMILIES
@pytest.mark.parametrize("cut", [6, 12, 25])
def test_a_snap_length_that_cuts_the_header_of_tcp_leaves_nothing_to_read(packet: bytes, cut: int) -> None:
    assert unread(ethernet(packet), snap=len(ethernet(packet)) - cut) == "TCP: header cut off"


@FAMILIES
def test_a_snap_length_that_cuts_the_header_of_ip_too(packet: bytes) -> None:
    assert unread(ethernet(packet), snap=14 + 19) == "IP: header cut off"


def test_a_snap_length_that_cuts_options() -> None:
    frame = ethernet(ip4(tcp(options=SYN_OPTIONS)))
    assert unread(frame, snap=len(frame) - 1) == "TCP: header cut off"
    assert unread(ethernet(ip4(tcp(), options=b"\x01" * 8)), snap=14 + 24) == "IP: header cut off"


@pytest.mark.parametrize("packet", [ip4(tcp(b"x" * 2000), length=0), ip6(tcp(b"x" * 2000, hosts=HOSTS6), length=0)])
def test_without_a_length_a_packet_is_as_long_as_its_frame(packet: bytes) -> None:
    """TSO of some systems; more than the field can hold (Linux, BIG TCP)."""
    found = segment(ethernet(packet))
    assert (len(found.payload), found.checksum_ok, found.ip_size) == (2000, True, len(packet))
    assert segment(ethernet(packet), snap=100).length == 2000


def test_a_jumbogram() -> None:
    """RFC 2675: the length stands in a hop-by-hop option."""
    payload = bytes(70_000)
    options = struct.pack(">BBBBI", 6, 0, 0xC2, 4, 8 + 20 + len(payload))
    found = segment(Record(ethernet(ip6(options + tcp(payload, hosts=HOSTS6), following=0, length=0))), snap=200_000)
    assert (len(found.payload), found.checksum_ok) == (70_000, True)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (ip4(tcp(), length=41), "IP: wrong total length"),
        (ip4(tcp(), length=19), "IP: wrong total length"),
        (b"\x44" + V4[1:], "IP: wrong header length"),
        (ip6(tcp(hosts=HOSTS6), length=21), "IP: wrong payload length"),
        (ip4(tcp()[:19]), "TCP: segment shorter than a header"),
        (ip4(tcp()[:12] + b"\x40" + tcp()[13:]), "TCP: wrong data offset"),
        (ip4(tcp()[:12] + b"\x60" + tcp()[13:]), "TCP: wrong data offset"),
        (ip4(bytes(8), protocol=17), "protocol 17"),
        (ip6(bytes(8), following=17), "protocol 17"),
        (ip4(tcp(), protocol=0), "protocol 0"),
        (ip6(b"", following=59, length=0), "IP: wrong payload length"),
        (ip6(bytes(8), following=59), "protocol 59"),
        (ip6(b"\x06\x05" + bytes(6), following=0), "IP: extension header cut off"),
        (ip6(bytes(8), following=1), "protocol 1"),
        (ip4(bytes(7), protocol=1), "ICMP: header cut off"),
        (ip6(bytes(7), following=58), "ICMP: header cut off"),
    ],
)
def test_packets_that_lie_about_themselves(packet: bytes, reason: str) -> None:
    assert unread(ethernet(packet)) == reason


def test_ip_options_and_extension_headers() -> None:
    found = segment(ethernet(ip4(tcp(b"hello"), options=b"\x01\x01\x01\x00")))
    assert (found.payload, found.ip_options, found.checksum_ok, found.ip_size) == (b"hello", b"\x01\x01\x01\x00", True, 49)
    routed = tcp(b"hello", hosts=(HOSTS4[0], bytes(4)))
    assert segment(ethernet(ip4(routed, options=b"\x83\x07\x04\0\0\0\0\0"))).checksum_ok, "a source route ends elsewhere"
    headers = b"\x3c\x00" + bytes(6) + b"\x2b\x00" + bytes(6) + b"\x2c\x00" + bytes(6) + b"\x06\x00" + bytes(6)
    found = segment(ethernet(ip6(headers + tcp(b"hello", hosts=HOSTS6), following=0)))
    assert (found.payload, found.checksum_ok, found.ip_size) == (b"hello", True, 40 + 32 + 25)


def test_icmp_quotes_the_segment_that_it_is_about() -> None:
    body = ip4(tcp(seq=7))[:28]
    ((four, six), _) = read(ethernet(ip4(icmp4(3, 4, body, 1400), protocol=1, hosts=HOSTS4[::-1])),
                            ethernet(ip6(icmp6(2, 0, V6, 1280), following=58)))  # fmt: skip
    assert isinstance(four.packet, Icmp) and isinstance(six.packet, Icmp)
    assert (four.packet.mtu, four.packet.quote) == (1400, Quote(*HOSTS4, 40000, 80, 7))
    assert (six.packet.mtu, six.packet.quote) == (1280, Quote(*HOSTS6, 40000, 80, 1))
    ((cut,), _) = read(ethernet(ip4(icmp4(8, 0, b"ping" * 9), protocol=1)), snap=50)
    assert isinstance(cut.packet, Icmp) and cut.packet.checksum_ok


# Checksums ------------------------------------------------------------------------------------------------------------


def folded(hosts: tuple[bytes, bytes], length: int) -> int:
    total = pseudo_sum(*hosts, 6, length)
    return total % 0xFFFF


@pytest.mark.parametrize(
    ("payload", "snap"), [(b"", 65535), (b"odd", 65535), (b"x" * 1448, 65535), (b"x" * 20_000, 65535), (b"x" * 500, 100)]
)
def test_checksums_that_hardware_fills_in_are_not_wrong(payload: bytes, snap: int) -> None:
    length = 20 + len(payload)
    for hosts, ip in ((HOSTS4, ip4), (HOSTS6, ip6)):
        for left in (folded(hosts, length), folded(hosts, 0), 0):
            packet = ip(tcp(payload, hosts=hosts, checksum=left))  # type: ignore[operator]
            ((seen,), counts) = read(ethernet(packet), snap=snap)
            assert isinstance(seen.packet, Segment)
            assert (seen.packet.checksum_ok, seen.offloaded, counts.offloaded, counts.wrong_checksums) == (True, True, 1, 0)


def test_the_header_checksum_may_be_left_to_the_hardware_too() -> None:
    ((seen,), counts) = read(ethernet(ip4(tcp(b"hello"), checksum=0)))
    assert isinstance(seen.packet, Segment)
    assert (seen.packet.ip_checksum_ok, seen.offloaded, counts.offloaded, counts.wrong_checksums) == (True, False, 1, 0)


def test_wrong_checksums_are_wrong() -> None:
    right = tcp(b"hello")
    wrong = int.from_bytes(right[16:18], "big") ^ 0x0100
    ((seen, other), counts) = read(ethernet(ip4(tcp(b"hello", checksum=wrong))), ethernet(ip4(right, checksum=1)))
    assert isinstance(seen.packet, Segment) and isinstance(other.packet, Segment)
    assert (seen.packet.checksum_ok, seen.packet.ip_checksum_ok, seen.offloaded) == (False, True, False)
    assert (other.packet.checksum_ok, other.packet.ip_checksum_ok) == (True, False)
    assert (counts.wrong_checksums, counts.offloaded) == (2, 0)


def test_a_checksum_over_what_is_not_there_is_not_wrong() -> None:
    ((seen,), counts) = read(ethernet(ip4(tcp(b"hello", checksum=0x1234))), snap=58)
    assert isinstance(seen.packet, Segment) and seen.packet.checksum_ok
    assert not counts.wrong_checksums


@pytest.mark.parametrize("size", range(8))
def test_every_length_and_place_of_a_segment_has_its_checksum(size: int) -> None:
    """Odd and even: numpy adds up words where the machine wants them."""
    frames = [ethernet(ip4(tcp(bytes(range(1, size + 1)), options=options, seq=seq))) for options in (b"", STAMPED) for seq in range(5)]
    spoilt = [frame[:-1] + bytes((frame[-1] ^ 1,)) for frame in frames]
    link = [bytes(start) for start in range(2)]
    for odd in link:  # PPP's header has two octets, a raw one none: every alignment comes up among frames of odd length
        packets, counts = read(*(frame for pair in zip(frames, spoilt, strict=True) for frame in (pair[0], pair[1] + odd)))
        assert [seen.packet.checksum_ok for seen in packets if isinstance(seen.packet, Segment)] == [True, False] * 10
        assert counts.wrong_checksums == 10


# Fragments ------------------------------------------------------------------------------------------------------------


def pieces4(payload: bytes = b"0123456789abcdef" * 10, size: int = 64) -> list[bytes]:
    packet = IP(src="192.0.2.1", dst="192.0.2.2", id=99) / TCP(sport=40000, dport=80, seq=5, flags="A") / Raw(payload)
    return [ethernet(bytes(piece)) for piece in fragment(packet, size)]


def pieces6(payload: bytes = b"0123456789abcdef" * 100) -> list[bytes]:
    packet = (
        IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrFragment(id=99) / TCP(sport=40000, dport=80, seq=5, flags="A") / Raw(payload)
    )
    return [ethernet(bytes(piece)) for piece in fragment6(packet, 600)]


@pytest.mark.parametrize("make", [pieces4, pieces6])
@pytest.mark.parametrize("order", ["as sent", "reversed", "middle last"])
def test_fragments_are_put_together(make: type[pieces4] | type[pieces6], order: str) -> None:  # type: ignore[valid-type]
    frames = make()  # type: ignore[operator]
    frames = {"as sent": frames, "reversed": frames[::-1], "middle last": [frames[0], *frames[2:], frames[1]]}[order]
    ((seen,), counts) = read(*frames)
    assert isinstance(seen.packet, Segment)
    payload = b"0123456789abcdef" * (10 if make is pieces4 else 100)
    assert (seen.packet.payload, seen.packet.seq, seen.packet.checksum_ok, seen.number) == (payload, 5, True, len(frames))
    assert seen.packet.ip_size == len(payload) + (40 if make is pieces4 else 60 + 8)
    assert counts.unread == {fragments.PARTS: len(frames) - 1}


def test_fragments_of_two_packets_at_once_and_twice() -> None:
    one, other = pieces4(), [frame[:18] + b"\x00\x01" + frame[20:] for frame in pieces4(b"other" * 20)]
    mixed = [*one[:2], *other[1:], one[1], *one[2:], other[0]]
    packets, counts = read(*mixed)
    assert [len(seen.packet.payload) for seen in packets if isinstance(seen.packet, Segment)] == [160, 100]
    assert counts.duplicates == 1


def test_a_fragment_that_was_cut_leaves_what_is_before_it() -> None:
    frames = pieces4(size=120)
    ((seen,), _) = read(*frames, snap=100)
    assert isinstance(seen.packet, Segment)
    assert (seen.packet.payload, seen.packet.cut, seen.packet.checksum_ok) == ((b"0123456789abcdef" * 10)[:46], 160 - 46, True)


def overlap(*parts: tuple[int, bytes, bool]) -> Counter[str]:
    frames = [ethernet(ip4(data, fragment=start // 8 | (0x2000 if more else 0))) for start, data, more in parts]
    packets, counts = read(*frames)
    assert packets == []
    return counts.unread


TCP24 = tcp(b"data")


@pytest.mark.parametrize(
    "parts",
    [
        [(0, TCP24[:16], True), (8, TCP24[8:], False)],
        [(8, TCP24[8:], False), (0, TCP24[:16], True)],
        [(0, TCP24[:16], True), (0, TCP24, True)],
        [(0, TCP24[:16], True), (0, TCP24[:8] + b"8 others", True), (16, TCP24[16:], False)],
        [(16, TCP24[16:], False), (24, bytes(8), True), (0, TCP24[:16], True)],
        [(0, TCP24[:13], True), (16, TCP24[16:], False)],
        [(65528, bytes(16), False), (0, TCP24, True)],
        [(0, TCP24[:16], True), (16, b"", True), (16, TCP24[16:], False)],
    ],
)
def test_fragments_that_contradict_each_other_are_dropped(parts: list[tuple[int, bytes, bool]]) -> None:
    """All of the packet's, and those that come after (RFC 5722)."""
    assert overlap(*parts) == {fragments.OVERLAPPING: len(parts)}


def test_fragments_that_are_never_complete_are_counted() -> None:
    assert overlap((0, TCP24[:16], True)) == {fragments.INCOMPLETE: 1}


def test_fragments_of_what_is_not_read_do_not_wait() -> None:
    packets, counts = read(*[ethernet(ip4(bytes(8), fragment=0x2000 | index, protocol=17)) for index in range(5)])
    assert (packets, counts.unread) == ([], {"protocol 17": 5})


def test_an_identification_that_comes_again_later_is_another_packets() -> None:
    frames = pieces4()
    late = [Record(frame, EPOCH + 61 * 10**9) for frame in frames]
    packets, counts = read(Record(frames[0]), *late[1:], late[0])
    assert len(packets) == 1
    assert counts.unread[fragments.INCOMPLETE] == 1


def test_only_so_many_fragments_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_PENDING", 10)
    flood = [ethernet(ip4(TCP24[:16], fragment=0x2000, identification=number)) for number in range(100, 120)]
    packets, counts = read(*pieces4()[:2], *flood, *pieces4()[2:])
    assert (packets, counts.unread[fragments.INCOMPLETE]) == ([], 20 + len(pieces4()))
    monkeypatch.setattr(fragments, "MAX_PENDING", 100)
    assert len(read(*pieces4()[:2], *flood, *pieces4()[2:])[0]) == 1
    monkeypatch.setattr(fragments, "MAX_OCTETS", 1000)
    assert len(read(*pieces4()[:2], *flood, *pieces4()[2:])[0]) == 0


def test_fragments_that_are_wrong_from_the_start_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_PENDING", 10)
    waiting = fragments.Fragments(Counts())
    for number in range(50):
        packet = network.ipv4(ip4(bytes(9), fragment=0x2000, identification=number), 29)
        assert packet.fragment is not None
        with pytest.raises(network.Unread, match="overlap"):
            waiting.add(packet, packet.fragment, number)
    assert len(waiting._pending) == 10


def test_what_was_not_read_is_counted_by_reason() -> None:
    found = agree(samples()["micro"])
    assert found is not None
    assert found[1] == Counts(
        frames=47, packets=39, bytes=6355, offloaded=1, wrong_checksums=1,
        unread=Counter({fragments.PARTS: 3, "protocol 17": 2, "Ethernet: protocol 0x0806": 1, "Ethernet: header cut off": 2}),
    )  # fmt: skip
