"""The gateway's answers to those who ask for its MAC address, against scapy's reading of the RFCs."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from conformance.link.addressing import ADDRESSING, PEER_MAC, SUT_MAC
from conformance.link.gateway import answer, destination
from conformance.wire.segment import Family

V4, V6 = ({net.family: net for net in ADDRESSING}[family] for family in (Family.IPV4, Family.IPV6))
SUT, PEER = SUT_MAC.hex(":"), PEER_MAC.hex(":")


def who_has(target: str = V4.gateway, **fields: object) -> Packet:
    return Ether(src=SUT, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=SUT, psrc=V4.sut, pdst=target, **fields)


def solicitation(target: str = V6.gateway, src: str = V6.sut) -> Packet:
    group = f"ff02::1:ff{ipaddress.ip_address(target).packed[-3]:02x}:{int.from_bytes(ipaddress.ip_address(target).packed[-2:], 'big'):x}"
    message = ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=SUT)
    return Ether(src=SUT, dst="33:33:ff:00:00:02") / IPv6(src=src, dst=group, hlim=255) / message


def test_arp_is_answered() -> None:
    reply = answer(bytes(who_has()))
    assert reply is not None
    assert bytes(Ether(reply)) == bytes(Ether(src=PEER, dst=SUT) / ARP(op=2, hwsrc=PEER, psrc=V4.gateway, hwdst=SUT, pdst=V4.sut))


def test_arp_that_is_padded_is_answered() -> None:
    assert answer(bytes(who_has()) + bytes(18)) == answer(bytes(who_has()))


def test_a_solicitation_is_answered() -> None:
    reply = answer(bytes(solicitation()))
    assert reply is not None
    read = Ether(reply)
    assert (read.src, read.dst, read[IPv6].hlim, read[IPv6].src, read[IPv6].dst) == (PEER, SUT, 255, V6.gateway, V6.sut)
    told = read[ICMPv6ND_NA]
    assert (told.tgt, told.R, told.S, told.O, read[ICMPv6NDOptDstLLAddr].lladdr) == (V6.gateway, 0, 1, 1, PEER)
    sum_as_sent = told.cksum
    del told.cksum
    assert Ether(bytes(read))[ICMPv6ND_NA].cksum == sum_as_sent


@pytest.mark.parametrize(
    "frame",
    [
        who_has(V4.sut),  # is my address taken? (RFC 5227)
        who_has("192.0.2.77"),
        who_has(plen=16),
        who_has(hwtype=6),
        Ether(src=SUT, dst=PEER) / ARP(op=2, hwsrc=SUT, psrc=V4.sut, hwdst=PEER, pdst=V4.gateway),
        solicitation(V6.sut),
        solicitation(src="::"),  # duplicate address detection (RFC 4862)
        solicitation("2001:db8:0:1::77"),
        Ether(src=SUT, dst=PEER) / IPv6(src=V6.sut, dst=V6.gateway) / ICMPv6EchoRequest(data=bytes(20)),
        Ether(src=SUT, dst=PEER) / IPv6(src=V6.sut, dst=V6.gateway) / UDP() / Raw(bytes(30)),
        Ether(src=SUT, dst=PEER) / IP(src=V4.sut, dst=V4.gateway) / ICMP() / Raw(bytes(30)),
    ],
    ids=lambda frame: frame.summary(),
)
def test_nothing_else_is(frame: Packet) -> None:
    assert answer(bytes(frame)) is None


@pytest.mark.parametrize("whole", [who_has(), solicitation()], ids=["ARP", "NS"])
def test_nothing_that_is_cut_off(whole: Packet) -> None:
    octets = bytes(whole)
    needed = len(octets) - (8 if ICMPv6ND_NS in whole else 0)  # the option with the sender's own address is not looked at
    assert [length for length in range(len(octets) + 1) if answer(octets[:length]) is not None] == list(range(needed, len(octets) + 1))


def test_destinations() -> None:
    peers = "198.18.0.1", "2001:db8:1::1"
    for network, peer in ((IP, peers[0]), (IPv6, peers[1])):
        assert destination(bytes(Ether(src=SUT, dst=PEER) / network(dst=peer))) == ipaddress.ip_address(peer).packed
    assert destination(bytes(who_has())) == b""


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([bytes(who_has()), bytes(solicitation()), b""]), st.data())
def test_any_octets_are_taken(frame: bytes, data: st.DataObject) -> None:
    octets = bytearray(frame + data.draw(st.binary(max_size=100)))
    for _ in range(data.draw(st.integers(0, 5)) if octets else 0):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    found = answer(bytes(octets))
    assert found is None or found[6:12] == PEER_MAC
    assert len(destination(bytes(octets))) <= 16
