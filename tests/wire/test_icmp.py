"""ICMP: names, messages compared with scapy's, quotes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import ICMPv6Unknown, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import checksum

from conformance.wire.icmp import NAMES, build_icmp, name_of, quote_of, quoted, type_and_code
from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Icmp, Quote

from .packets import ADDRESSES, DST_MAC, SRC_MAC, families, numbers, octets, quick, scapy_frame


def build(family: Family, type: int, code: int, rest: int = 0, body: bytes = b"", **more: object) -> bytes:
    return build_icmp(family, SRC_MAC, DST_MAC, *ADDRESSES[family], type, code, rest, body, **more)  # type: ignore[arg-type]


@quick
@given(families, octets, octets, numbers, st.binary(max_size=60), octets, octets)
def test_the_same_as_scapy(family: Family, type: int, code: int, rest: int, body: bytes, ttl: int, tos: int) -> None:
    src, dst = (str(ipaddress.ip_address(octets)) for octets in ADDRESSES[family])
    ether = Ether(src=SRC_MAC.hex(":"), dst=DST_MAC.hex(":"))
    message = bytes((type, code, 0, 0)) + rest.to_bytes(4, "big") + body
    if family is Family.IPV4:
        # what scapy makes of the second word depends on the type, so the message is put together here
        message = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
        packet = ether / IP(src=src, dst=dst, id=0, flags="DF", ttl=ttl, tos=tos, proto=1) / Raw(message)
    else:
        packet = ether / IPv6(src=src, dst=dst, hlim=ttl, tc=tos, nh=58) / ICMPv6Unknown(type=type, code=code, msgbody=message[4:])
    frame = build(family, type, code, rest, body, ttl=ttl, tos=tos)
    assert frame == bytes(packet)
    read = read_frame(frame)
    assert isinstance(read, Icmp)
    assert (read.type, read.code, read.body, read.ttl, read.checksum_ok) == (type, code, body, ttl, True)


@pytest.mark.parametrize(("how", "ok"), [(None, True), ("bad", False), ("zero", False), (0x1234, False)])
@pytest.mark.parametrize("family", list(Family))
def test_checksums_can_be_wrong(family: Family, how: str | int | None, ok: bool) -> None:
    read = read_frame(build(family, 3, 1, 0, b"x", checksum=how))
    assert isinstance(read, Icmp)
    assert read.checksum_ok is ok


def test_octets_can_be_overwritten() -> None:
    assert build(Family.IPV4, 3, 1, raw=(("ip+8", b"\x01"), ("tcp+1", b"\x09")))[22:36:13] == b"\x01\x09"
    with pytest.raises(ValueError, match="end at octet 43 of a frame of 42"):
        build(Family.IPV4, 3, 1, raw=(("42", b"\x01"),))


@pytest.mark.parametrize("family", list(Family))
def test_every_name_is_read_back(family: Family) -> None:
    for name, (type, code) in NAMES[family].items():
        assert type_and_code(family, name) == (type, code)
        assert NAMES[family][name_of(family, type, code)] == (type, code)


def test_names_that_differ_by_family() -> None:
    assert (name_of(Family.IPV4, 3, 4), name_of(Family.IPV6, 2, 0)) == ("frag-needed", "packet-too-big")
    assert name_of(Family.IPV6, 137, 0) == "type 137 code 0"
    with pytest.raises(ValueError, match="source-quench: ipv6 has no such message"):
        type_and_code(Family.IPV6, "source-quench")
    with pytest.raises(ValueError, match="sourcequench: ipv4 knows net-unreachable, "):
        type_and_code(Family.IPV4, "sourcequench")


@pytest.mark.parametrize(("family", "usual"), [(Family.IPV4, 28), (Family.IPV6, 1232)])
def test_what_an_error_quotes(family: Family, usual: int) -> None:
    frame = scapy_frame(family, TCP(sport=5, dport=6, seq=7), bytes(1300))
    assert quoted(frame) == frame[14 : 14 + usual]
    assert quoted(frame, 60) == frame[14:74]
    assert quoted(frame + bytes(20), 9000) == frame[14:]
    assert quote_of(quoted(frame)) == Quote(*ADDRESSES[family], 5, 6, 7)
    assert quote_of(quoted(frame, 48 if family is Family.IPV6 else 28)) is not None
    assert quote_of(quoted(frame, 47 if family is Family.IPV6 else 27)) is None


@pytest.mark.parametrize("family", list(Family))
def test_a_quote_of_something_else_is_none(family: Family) -> None:
    body = bytearray(quoted(scapy_frame(family, TCP())))
    body[9 if family is Family.IPV4 else 6] = 17
    assert quote_of(bytes(body)) is None
    assert quote_of(b"") is None
    assert quote_of(b"\x00" * 60) is None


def test_a_later_fragment_has_no_ports_to_quote() -> None:
    body = bytearray(quoted(scapy_frame(Family.IPV4, TCP())))
    body[7] = 1
    assert quote_of(bytes(body)) is None
