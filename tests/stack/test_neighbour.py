"""ARP and neighbour discovery."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
)  # fmt: skip
from scapy.layers.l2 import ARP
from scapy.packet import Packet

from conformance.stack.neighbour import Nud
from tests.stack.lower import FAR4, OWN4, OWN6, OWN_MAC, PEER4, PEER6, PEER_MAC, Lower, packed, quick

BROADCAST = "ff:ff:ff:ff:ff:ff"
GROUP6, GROUP_MAC = "ff02::1:ff00:1", "33:33:ff:00:00:01"
OTHER_MAC = "02:00:00:00:00:33"
FAMILIES = pytest.mark.parametrize("peer", [PEER4, PEER6])


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> Lower:
    return Lower(monkeypatch, neighbours=False)


def arp(**fields: Any) -> ARP:
    return ARP(**{"op": 1, "hwsrc": PEER_MAC, "psrc": PEER4, "hwdst": "00:00:00:00:00:00", "pdst": OWN4, **fields})


def ns(link: str | None = PEER_MAC, target: str = OWN6, **fields: Any) -> Packet:
    packet = IPv6(**{"src": PEER6, "dst": GROUP6, "hlim": 255, **fields}) / ICMPv6ND_NS(tgt=target)
    return packet / ICMPv6NDOptSrcLLAddr(lladdr=link) if link else packet


def na(link: str | None = PEER_MAC, target: str = PEER6, solicited: int = 1, override: int = 1, **fields: Any) -> Packet:
    packet = IPv6(**{"src": PEER6, "dst": OWN6, "hlim": 255, **fields}) / ICMPv6ND_NA(R=0, S=solicited, O=override, tgt=target)
    return packet / ICMPv6NDOptDstLLAddr(lladdr=link) if link else packet


def answer(peer: str, link: str = PEER_MAC) -> Packet:
    return arp(op=2, hwsrc=link, hwdst=OWN_MAC) if peer == PEER4 else na(link)


def state(low: Lower, peer: str) -> Nud | None:
    entry = low.net.neighbours.find(low.device, packed(peer))
    return entry.state if entry else None


# Asked ----------------------------------------------------------------------------------------------------------------


def test_requests_for_our_addresses_are_answered(low: Lower) -> None:
    low.receive(arp(), dst=BROADCAST)
    [reply] = low.sent()
    assert (reply.dst, reply.src, reply[ARP].op) == (PEER_MAC, OWN_MAC, 2)
    assert (reply[ARP].hwsrc, reply[ARP].psrc, reply[ARP].hwdst, reply[ARP].pdst) == (OWN_MAC, OWN4, PEER_MAC, PEER4)
    low.xmit(b"x", PEER4)
    assert [frame.dst for frame in low.sent()] == [PEER_MAC]


def test_solicitations_for_our_addresses_are_answered(low: Lower) -> None:
    low.receive(ns(), dst=GROUP_MAC)
    [reply] = low.sent()
    advert = reply[ICMPv6ND_NA]
    assert (reply.dst, reply[IPv6].src, reply[IPv6].dst, reply[IPv6].hlim) == (PEER_MAC, OWN6, PEER6, 255)
    assert (advert.R, advert.S, advert.O, advert.tgt, reply[ICMPv6NDOptDstLLAddr].lladdr) == (0, 1, 1, OWN6, OWN_MAC)
    assert reply[ICMPv6ND_NA].cksum == IPv6(_rebuilt(reply[IPv6]))[ICMPv6ND_NA].cksum
    low.xmit(b"x", PEER6)
    assert [frame.dst for frame in low.sent()] == [PEER_MAC]


def _rebuilt(packet: IPv6) -> bytes:
    again = packet.copy()
    del again[ICMPv6ND_NA].cksum
    return bytes(again)


def test_somebody_wants_our_address(low: Lower) -> None:
    low.receive(arp(psrc="0.0.0.0"), dst=BROADCAST)
    low.receive(ns(None, src="::"), dst=GROUP_MAC)
    four, six = low.sent()
    assert (four[ARP].op, four[ARP].pdst) == (2, "0.0.0.0")
    assert (six.dst, six[IPv6].dst, six[ICMPv6ND_NA].S, six[ICMPv6ND_NA].tgt) == ("33:33:00:00:00:01", "ff02::1", 0, OWN6)
    assert not low.net.neighbours.entries


def test_a_solicitation_without_a_link_address(low: Lower) -> None:
    low.receive(ns(None), dst=GROUP_MAC)
    [ask] = low.sent()
    assert ask[ICMPv6ND_NS].tgt == PEER6
    low.receive(na())
    [reply] = low.sent()
    assert (reply.dst, reply[ICMPv6ND_NA].tgt) == (PEER_MAC, OWN6)


BAD = {
    "for another": arp(pdst="10.0.0.9"),
    "hardware": arp(hwtype=6),
    "operation": arp(op=3),
    "from a group": arp(hwsrc="01:00:00:00:00:01"),
    "from our address": arp(psrc=OWN4),
    "from a multicast address": arp(psrc="224.0.0.1"),
    "hop limit": ns(hlim=254),
    "6 for another": ns(target="fd00::9"),
    "6 from nobody, to us": ns(None, src="::", dst=OWN6),
    "6 from nobody, with a link address": ns(src="::"),
    "target of many": ns(target="ff02::1"),
    "option of length 0": ns() / b"\x01\x00\x00\x00\x00\x00\x00\x00",
    "checksum": IPv6(src=PEER6, dst=GROUP6, hlim=255) / ICMPv6ND_NS(tgt=OWN6, cksum=1),
    "code": IPv6(src=PEER6, dst=GROUP6, hlim=255) / ICMPv6ND_NS(tgt=OWN6, code=1),
}


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_what_is_not_answered(low: Lower, packet: Packet) -> None:
    low.receive(packet, dst=BROADCAST)
    assert not low.frames
    assert not low.net.neighbours.entries


# Asking ---------------------------------------------------------------------------------------------------------------


@FAMILIES
def test_packets_wait_for_the_answer(low: Lower, peer: str) -> None:
    for number in range(3):
        low.xmit(bytes([number]) * 9, peer)
    [ask] = low.sent()
    if peer == PEER4:
        assert (ask.dst, ask[ARP].op, ask[ARP].psrc, ask[ARP].hwsrc, ask[ARP].pdst) == (BROADCAST, 1, OWN4, OWN_MAC, PEER4)
    else:
        assert (ask.dst, ask[IPv6].dst, ask[IPv6].src, ask[IPv6].hlim) == ("33:33:ff:00:00:02", "ff02::1:ff00:2", OWN6, 255)
        assert (ask[ICMPv6ND_NS].tgt, ask[ICMPv6NDOptSrcLLAddr].lladdr) == (PEER6, OWN_MAC)
    low.receive(answer(peer))
    sent = low.sent()
    assert [(frame.dst, bytes(frame)[-9:]) for frame in sent] == [(PEER_MAC, bytes([number]) * 9) for number in range(3)]
    assert state(low, peer) is Nud.REACHABLE
    low.after(10)
    assert not low.frames and low.net.neighbours.waiting == 0


@FAMILIES
def test_nobody_answers(low: Lower, peer: str) -> None:
    """Asked three times, a second apart; then whoever sent hears that the host is not reachable."""
    low.xmit(bytes(TCP(sport=1, dport=2)), peer, 6)
    low.xmit(bytes(UDP(sport=1, dport=2)), peer, 17)
    for _ in range(2):
        low.after(0.999)
        assert len(low.sent()) == 1
        low.after(0.001)
    assert len(low.sent()) == 1
    low.after(1)
    (tcp, message), (udp, _) = low.taken()
    assert (tcp, udp, (message.type, message.code)) == ("tcp_err", "udp_err", (3, 1) if peer == PEER4 else (1, 3))
    assert message.quote.dst == packed(peer)
    assert not low.frames and not low.net.neighbours.entries and low.net.neighbours.waiting == 0
    low.xmit(b"x", peer)
    assert len(low.sent()) == 1


@FAMILIES
def test_an_old_entry_is_used_and_then_confirmed(low: Lower, peer: str) -> None:
    low.xmit(b"x", peer)
    low.receive(answer(peer))
    low.sent()
    low.after(31)
    low.xmit(b"x", peer)
    assert [frame.dst for frame in low.sent()] == [PEER_MAC]
    low.after(4.9)
    assert not low.frames
    low.after(0.1)
    [ask] = low.sent()
    assert ask.dst == PEER_MAC and (ARP in ask or ICMPv6ND_NS in ask)
    low.receive(answer(peer))
    assert state(low, peer) is Nud.REACHABLE
    low.after(31)
    low.xmit(b"x", peer)
    low.after(8.1)
    assert len(low.sent()) == 4
    assert state(low, peer) is None


@FAMILIES
def test_a_neighbour_that_moves(low: Lower, peer: str) -> None:
    low.xmit(b"x", peer)
    low.receive(answer(peer))
    low.receive(answer(peer, OTHER_MAC))
    low.sent()
    low.xmit(b"x", peer)
    assert [frame.dst for frame in low.sent()] == [OTHER_MAC]


@FAMILIES
def test_permanent_entries_are_believed(low: Lower, peer: str) -> None:
    low.net.neighbours.add(low.device, packed(peer), bytes.fromhex("020000000044"))
    low.receive(answer(peer, OTHER_MAC))
    low.receive(arp() if peer == PEER4 else ns(), dst=BROADCAST)
    low.sent()
    low.xmit(b"x", peer)
    low.after(7200)
    low.xmit(b"x", peer)
    assert [frame.dst for frame in low.sent()] == ["02:00:00:00:00:44"] * 2
    assert low.net.next_timer() is None


@FAMILIES
def test_answers_that_nobody_asked_for(low: Lower, peer: str) -> None:
    low.receive(answer(peer))
    assert not low.net.neighbours.entries


def test_an_advertisement_without_override(low: Lower) -> None:
    """RFC 4861, section 7.2.5."""
    low.xmit(b"x", PEER6)
    low.receive(na())
    low.receive(na(OTHER_MAC, override=0))
    assert state(low, PEER6) is Nud.STALE
    low.receive(na(None, override=0))
    assert state(low, PEER6) is Nud.REACHABLE
    low.receive(na(OTHER_MAC, dst="ff02::1"), dst="33:33:00:00:00:01")  # solicited, and to all: not valid
    low.sent()
    low.xmit(b"x", PEER6)
    assert [frame.dst for frame in low.sent()] == [PEER_MAC]


def test_the_gateway_is_asked_for(low: Lower) -> None:
    low.xmit(b"x", FAR4)
    assert [frame[ARP].pdst for frame in low.sent()] == ["10.0.0.254"]


def test_groups_need_no_asking(low: Lower) -> None:
    for to in ("224.1.2.3", "10.0.0.255", "ff02::fb"):
        low.xmit(b"x", to)
    assert [frame.dst for frame in low.sent()] == ["01:00:5e:01:02:03", BROADCAST, "33:33:00:00:00:fb"]


def test_memory_is_bounded(low: Lower) -> None:
    low.net.neighbours.add(low.device, packed(PEER6), bytes(6))
    for number in range(3000):
        low.xmit(bytes(1000), str(IPv6(dst=f"fd00::1:{number % 1500:x}").dst))
        low.receive(ns(src=f"fd00::2:{number % 1500:x}"), dst=GROUP_MAC) if number < 600 else None
    table = low.net.neighbours
    assert len(table.entries) <= 512
    assert table.waiting == sum(len(entry.pending) for entry in table.entries.values()) <= 256
    assert table.find(low.device, packed(PEER6)) is not None
    low.after(10)
    assert table.waiting == 0


@quick
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 12000)), max_size=40), st.sampled_from([PEER4, PEER6]))
def test_whatever_happens_in_any_order(events: list[tuple[int, int]], peer: str) -> None:
    """No packet is sent twice, none waits for ever."""
    with pytest.MonkeyPatch.context() as patch:
        low = Lower(patch, neighbours=False)
        sent = 0
        for what, wait in events:
            if what < 4:
                sent += 1
                low.xmit(sent.to_bytes(20, "big"), peer)
            elif what == 4:
                low.receive(answer(peer))
            elif what == 5:
                low.receive(arp() if peer == PEER4 else ns(), dst=BROADCAST)
            elif what == 6:
                low.receive(answer(peer, OTHER_MAC))
            else:
                low.after(wait / 1000)
            table = low.net.neighbours
            assert table.waiting == sum(len(entry.pending) for entry in table.entries.values())
        low.after(60)
        numbers = [int.from_bytes(frame[-20:], "big") for frame in low.frames if frame[-20:-3] == bytes(17)]
        assert numbers == sorted(set(numbers))
        assert low.net.neighbours.waiting == 0


def test_extension_headers_do_not_hide_a_wrong_hop_limit(low: Lower) -> None:
    packet = IPv6(src=PEER6, dst=GROUP6, hlim=64) / IPv6ExtHdrDestOpt() / ICMPv6ND_NS(tgt=OWN6)
    low.receive(packet, dst=GROUP_MAC)
    assert not low.frames
