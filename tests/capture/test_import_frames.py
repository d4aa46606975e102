"""Frames that lie about themselves are told from what they are: what was sent with ``with:`` is read as the same ``with:``."""

from __future__ import annotations

import pytest

from conformance.capture.import_frames import Fragment, Known, dissect, is_whole, whole
from conformance.link.addressing import PEER_MAC, SUT_MAC
from conformance.wire.ip_extra import extension_chain, fragments, padded_options
from conformance.wire.segment import ACK, PSH, Family, Icmp, Segment
from conformance.wire.spec import Spec
from conformance.wire.template import build
from tests.capture.build import ethernet, icmp4, ip4

SUT, PEER = bytes((192, 0, 2, 1)), bytes((198, 18, 0, 1))
SUT6, PEER6 = bytes.fromhex("20010db8000000010000000000000001"), bytes.fromhex("20010db8000100000000000000000001")
KNOWN = Known({SUT: "sut", PEER: "peer", SUT6: "sut", PEER6: "peer"}, SUT_MAC, lambda sport, dport: (sport, dport) == (40000, 5000))


def frame(family: Family = Family.IPV4, **changes: object) -> bytes:
    spec = Spec(family=family, flags=PSH | ACK, options=(b"\x01\x01\x08\x0a" + bytes(8),), payload=b"hello world!", **changes)  # type: ignore[arg-type]
    ends = (PEER, SUT) if family is Family.IPV4 else (PEER6, SUT6)
    return build(spec).bind(PEER_MAC, SUT_MAC, *ends, 40000, 5000, spec.ip_extra).render(1000, 2000)


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, {}),
        ({"ttl": 1, "tos": 3}, {"ttl": 1, "tos": 3}),
        ({"checksum": "bad"}, {"checksum": "bad"}),
        ({"checksum": "zero"}, {"checksum": "zero"}),
        ({"checksum": "no-pseudo-header"}, {"checksum": "no-pseudo-header"}),
        ({"checksum": "no-length"}, {"checksum": "no-length"}),
        ({"reserved": 15}, {"reserved": 15}),
        ({"data_offset": 4}, {"data_offset": 4}),
        ({"ip_version": 7}, {"ip_version": 7}),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_fields_of_both_families(family: Family, changes: dict[str, object], fields: dict[str, object]) -> None:
    read = dissect(frame(family, **changes), KNOWN)
    assert read is not None and isinstance(read.packet, Segment)
    assert read.fields == fields
    assert (read.packet.seq, read.packet.ack) == (1000, 2000)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"ip_checksum": "bad"}, {"ip_checksum": "bad"}),
        ({"ip_id": 77, "df": False}, {"id": 77, "df": False}),
        ({"header_length": 6}, {"header_length": 6}),
        ({"header_length": 4}, {"header_length": 4}),
        ({"ip_length": 60}, {"ip_length": 60}),
        ({"ip_extra": padded_options(b"\x83\x07\x08" + PEER)}, {"ip_options": "830708 peer"}),
    ],
)
def test_fields_of_ipv4(changes: dict[str, object], fields: dict[str, object]) -> None:
    read = dissect(frame(**changes), KNOWN)
    assert read is not None and read.fields == fields
    assert isinstance(read.packet, Segment) and read.packet.payload == b"hello world!"


def test_extension_headers() -> None:
    protocol, octets = extension_chain([(0, bytes.fromhex("05020000")), (60, bytes.fromhex("0104000000"))], 6)
    read = dissect(frame(Family.IPV6, protocol=protocol, ip_extra=octets), KNOWN)
    assert read is not None and isinstance(read.packet, Segment)
    extensions = read.fields["ext"]
    assert isinstance(extensions, list)
    assert [list(header) for header in extensions] == [["hop-by-hop"], ["destination"]]
    assert extensions[0]["hop-by-hop"].startswith("05020000")


@pytest.mark.parametrize(("mac", "name"), [(b"\xff" * 6, "broadcast"), (bytes.fromhex("0200000000fe"), "other")])
def test_another_receiver_on_the_link(mac: bytes, name: str) -> None:
    read = dissect(mac + frame()[6:], KNOWN)
    assert read is not None and read.fields == {"dst_mac": name}
    unheard_of = dissect(bytes.fromhex("0a0a0a0a0a0a") + frame()[6:], KNOWN)
    assert unheard_of is not None and unheard_of.fields == {"raw": {"0": "0a0a0a0a0a0a"}}


@pytest.mark.parametrize("ends", [(40000, 5000), (7, 9)])
@pytest.mark.parametrize(
    ("raw", "varies"),
    [
        ({"tcp+4": "0014ffe0"}, True),  # 20 octets, and a checksum that makes up for length and protocol
        ({"tcp+4": "0014ffdf0001"}, True),
        ({"tcp+4": "0014ffdf", "tcp+18": "0001"}, True),
        ({"tcp+4": "00140000000000005000ffff"}, False),  # no checksum
    ],
)
def test_a_datagram_over_a_segment_is_written_as_it_was_if_its_checksum_counts_that_of_the_segment(
    ends: tuple[int, int], raw: dict[str, str], varies: bool
) -> None:
    octets = tuple((place, bytes.fromhex(text)) for place, text in raw.items())
    spec = Spec(family=Family.IPV6, flags=0, protocol=17, raw=octets)
    sent = build(spec).bind(PEER_MAC, SUT_MAC, PEER6, SUT6, *ends).render(0, 0)
    read = dissect(sent, KNOWN)
    assert read is not None and read.varies is varies and read.fields["protocol"] == 17
    if varies:
        assert read.fields["raw"] == raw
    else:
        assert read.fields["raw"] == {"tcp+4": sent[58:74].hex()}


def test_an_icmp_message_has_no_fields_of_a_segment() -> None:
    hosts = PEER, SUT
    message = ethernet(ip4(icmp4(8, 0, b"conformance", rest=5), hosts=hosts, protocol=1))
    read = dissect(SUT_MAC + message[6:], KNOWN)
    assert read is not None and isinstance(read.packet, Icmp)
    assert read.fields == {} and read.packet.rest == 5


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_fragments_are_parts_of_the_packet_that_was_cut(family: Family, order: tuple[int, ...]) -> None:
    original = frame(family)
    pieces = fragments(original, [(0, 24), (24, 32), (32, None)], 77)
    parts = []
    for index in order:
        read = dissect(pieces[index], KNOWN)
        assert read is not None and read.packet is None and isinstance(read.fragment, Fragment)
        parts.append(read.fragment)
        assert is_whole(parts) is (len(parts) == 3)
    assert len({part.key for part in parts}) == 1
    again = dissect(whole(parts), KNOWN)
    assert again is not None and isinstance(again.packet, Segment)
    assert again.packet.payload == b"hello world!" and "checksum" not in again.fields


def test_a_packet_of_which_the_first_fragment_is_missing() -> None:
    read = dissect(fragments(frame(), [(24, None)], 77)[0], KNOWN)
    assert read is not None and read.fragment is not None
    again = dissect(whole([read.fragment]), KNOWN)
    assert again is not None and isinstance(again.packet, Segment)


@pytest.mark.parametrize("octets", [b"", bytes(14), bytes(12) + b"\x08\x06" + bytes(40), bytes(12) + b"\x08\x00\x45", frame()[:40]])
def test_what_is_no_packet_is_none(octets: bytes) -> None:
    read = dissect(octets, KNOWN)
    assert read is None or isinstance(read.packet, Segment)
