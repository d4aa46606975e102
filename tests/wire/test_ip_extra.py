"""Between IP's header and TCP's: options, extension headers, fragments, as scapy reads and puts them together."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, defragment6
from scapy.layers.l2 import Ether

from conformance.wire.ip_extra import Cut, extension_chain, fragments, group_mac, padded_options
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, Family, Segment, final_destination
from conformance.wire.spec import Spec
from conformance.wire.template import build

MACS = b"\2\0\0\0\0\2", b"\2\0\0\0\0\1"
HOSTS = {Family.IPV4: (b"\xc0\0\2\1", b"\xc0\0\2\2"), Family.IPV6: (bytes(15) + b"\1", bytes(15) + b"\2")}
ROUTE = bytes.fromhex("830708c0000203")


def frame(family: Family, extra: bytes = b"", protocol: int = 6, payload: bytes = bytes(range(60)), **fields: object) -> bytes:
    spec = Spec(family, flags=ACK, payload=payload, ip_extra=bytes(len(extra)), protocol=protocol, **fields)  # type: ignore[arg-type]
    return build(spec).bind(*MACS, *HOSTS[family], 40000, 80, extra).render(1, 2)


def segment(octets: bytes) -> Segment:
    packet = read_frame(octets)
    assert isinstance(packet, Segment), packet
    return packet


def test_options_of_ipv4() -> None:
    made = frame(Family.IPV4, padded_options(ROUTE))
    read = segment(made)
    assert (read.ip_options, read.checksum_ok, read.ip_checksum_ok, read.ip_size) == (ROUTE + b"\0", True, True, len(made) - 14)
    packet = Ether(made)
    assert packet[IP].ihl == 7 and packet[IP].options[0].routers == ["192.0.2.3"]
    assert bytes(packet[TCP].payload) == bytes(range(60))
    with pytest.raises(ValueError, match="41 octets of IP options"):
        padded_options(bytes(41))


def test_extension_headers() -> None:
    first, octets = extension_chain([(0, b"\5\2\0\0"), (43, bytes(6)), (60, b"")], 6)
    assert (first, len(octets)) == (0, 24)
    packet = Ether(frame(Family.IPV6, octets, first))
    assert [type(packet[layer]) for layer in (IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPv6ExtHdrDestOpt, TCP)]
    read = segment(bytes(packet))
    assert read.checksum_ok and read.payload == bytes(range(60)) and read.ip_size == 40 + 24 + 20 + 60
    assert extension_chain([(60, bytes(5))], 6)[1][7:] == b"\0", "one octet is Pad1"
    with pytest.raises(ValueError, match="do not fit"):
        extension_chain([(60, bytes(3000))], 6)


@pytest.mark.parametrize("family", list(Family))
def test_numbers_that_are_wrong_below_tcp(family: Family) -> None:
    made = frame(family, ip_version=7, protocol=253)
    assert made[14] >> 4 == 7 and made[23 if family is Family.IPV4 else 20] == 253
    if family is Family.IPV4:
        header = frame(family, header_length=6)[14:34]
        assert header[0] == 0x46
        assert sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2)) % 0xFFFF == 0


CUTS: list[list[Cut]] = [
    [(0, None)],
    [(0, 24), (24, None)],
    [(40, None), (0, 8), (8, 40)],
    [(0, 32), (16, None)],
    [(0, 8), (0, 8), (8, None)],
]


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("extra", [b"", padded_options(ROUTE)])
def test_fragments_of_ipv4(cuts: list[Cut], extra: bytes) -> None:
    whole = frame(Family.IPV4, extra)
    pieces = [Ether(piece) for piece in fragments(whole, cuts, 0x12345)]
    assert {piece[IP].id for piece in pieces} == {0x2345}
    assert [(piece[IP].frag * 8, piece[IP].flags.MF) for piece in pieces] == [(low, high is not None) for low, high in cuts]
    assert all(IP(bytes(piece[IP])[: piece[IP].ihl * 4]).chksum for piece in pieces)
    together = bytearray(80)
    for piece in pieces:
        data = bytes(piece[IP].payload)
        together[piece[IP].frag * 8 : piece[IP].frag * 8 + len(data)] = data
    assert bytes(together) == whole[34 + len(extra) :]


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize(("headers", "kept"), [([], 0), ([(0, b"")], 8), ([(0, b""), (60, b"")], 8), ([(60, b""), (43, bytes(6))], 16)])
def test_fragments_of_ipv6(cuts: list[Cut], headers: list[tuple[int, bytes]], kept: int) -> None:
    first, octets = extension_chain(headers, 6)
    whole = frame(Family.IPV6, octets, first)
    data = whole[54 + kept :]
    together = bytearray(len(data))
    for piece, (low, high) in zip(fragments(whole, cuts, 0x12345678), cuts, strict=True):
        packet = Ether(piece)
        header = packet[IPv6ExtHdrFragment]
        assert (header.id, header.offset * 8, header.m) == (0x12345678, low, high is not None)
        assert packet[IPv6].plen == len(piece) - 54
        stays = bytearray(whole[54 : 54 + kept])
        if kept:
            stays[kept - 8] = 44
        assert piece[54 : 54 + kept] == bytes(stays)
        carried = bytes(header.payload)
        together[low : low + len(carried)] = carried
        assert header.nh == (whole[20] if not kept else whole[54 + kept - 8])
    assert bytes(together) == data


def test_scapy_puts_them_together_again() -> None:
    whole = frame(Family.IPV6)
    packet = defragment6([IPv6(piece[14:]) for piece in fragments(whole, [(24, None), (0, 24)], 9)])
    assert bytes(packet[TCP])[20:] == bytes(range(60))


@pytest.mark.parametrize("cut", [(80, None), (0, 88), (8, 8)])
def test_a_cut_outside_of_the_packet(cut: Cut) -> None:
    with pytest.raises(ValueError, match="of 80 octets"):
        fragments(frame(Family.IPV4), [cut], 1)


def test_an_own_identification_stays() -> None:
    assert Ether(fragments(frame(Family.IPV4, ip_id=7), [(0, None)], 9)[0])[IP].id == 7


def test_groups() -> None:
    assert group_mac(b"\xe0\x80\0\xfb").hex() == "01005e0000fb"
    assert group_mac(bytes.fromhex("ff0200000000000000000000000000fb")).hex() == "3333000000fb"


@pytest.mark.parametrize(
    ("options", "final"),
    [
        ("830704c0000203", "c0000203"),
        ("01890b04c0000203c6120001", "c6120001"),
        ("830b08c0000203c6120001", "c6120001"),
        ("830b0cc0000203c6120001", "c0000202"),
        ("44040500830704c0000203", "c0000203"),
        ("00830704c0000203", "c0000202"),
        ("8303040000000000", "c0000202"),
        ("830b04c0000203", "c0000202"),
        ("1e00", "c0000202"),
        ("1e", "c0000202"),
        ("", "c0000202"),
    ],
)
def test_where_a_packet_goes_along_a_source_route(options: str, final: str) -> None:
    assert final_destination(bytes.fromhex("c0000202"), bytes.fromhex(options)) == bytes.fromhex(final)
