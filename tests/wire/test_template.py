"""Templates: frames compared with those that scapy builds from scratch, and every way to mangle them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP

from conformance.wire.checksum import LESS, verify
from conformance.wire.options import parse_options, text
from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Segment, Unreadable
from conformance.wire.spec import Spec
from conformance.wire.template import Bound, build

from .packets import ADDRESSES, DST_MAC, SRC_MAC, families, numbers, octets, quick, scapy_frame, words

SLOTS: tuple[bytes | int, ...] = (b"\x02\x04", 2, b"\x04\x02\x08\x0a", 4, 4, b"\x01\x03\x03", 1)
"""mss, sackOK, TS, nop, wscale: twenty octets, the last slot at an odd offset."""
START = {Family.IPV4: 34, Family.IPV6: 54}


def bind(spec: Spec, sport: int = 1, dport: int = 2) -> Bound:
    return build(spec).bind(SRC_MAC, DST_MAC, *ADDRESSES[spec.family], sport, dport)


def read(frame: bytes) -> Segment:
    packet = read_frame(frame)
    assert isinstance(packet, Segment), packet
    return packet


@quick
@given(families, words, words, numbers, numbers, octets, words, st.binary(max_size=33), words, numbers, numbers, octets, octets)
def test_the_same_as_scapy_builds_from_scratch(
    family: Family, sport: int, dport: int, seq: int, ack: int, flags: int, window: int, payload: bytes,
    mss: int, val: int, ecr: int, shift: int, tos: int,
) -> None:  # fmt: skip
    options = [("MSS", mss), ("SAckOK", b""), ("Timestamp", (val, ecr)), ("NOP", None), ("WScale", shift)]
    tcp = TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, window=window, urgptr=7, options=options)
    expected = scapy_frame(family, tcp, payload, **({"tos": tos} if family is Family.IPV4 else {"tc": tos}))
    values = (mss, val, ecr, shift)
    known = bind(Spec(family, flags, window=window, urgent=7, options=SLOTS, payload=payload, tos=tos), sport, dport)
    assert known.render(seq, ack, values) == expected
    late = bind(Spec(family, flags, options=SLOTS, payload=b"something else", tos=tos), sport, dport)
    assert late.render(seq, ack, values, window=window, urgent=7, payload=payload) == expected


@quick
@given(families, numbers, numbers, st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4), st.binary(max_size=9), octets)
def test_what_is_rendered_is_read_back(family: Family, seq: int, ack: int, blocks: list[tuple[int, int]], payload: bytes, odd: int) -> None:
    edges = [edge for block in blocks for edge in block]
    spec = Spec(family, 0x10, options=(b"\x05" + bytes((2 + 4 * len(edges),)), *[4] * len(edges), b"\x03\x03", 1), payload=payload)
    segment = read(bind(spec).render(seq, ack, (*edges, odd)))
    assert (segment.seq, segment.ack, segment.payload, segment.checksum_ok, segment.ip_checksum_ok) == (seq, ack, payload, True, True)
    assert [text(option) for option in segment.options][:2] == [
        " ".join(["sack", *(f"{left}:{right}" for left, right in blocks)]), f"wscale {odd}"
    ]  # fmt: skip


def test_numbers_are_taken_modulo_their_width() -> None:
    segment = read(bind(Spec(Family.IPV4, options=SLOTS)).render(-1, 2**32 + 5, (65536 + 7, -2, 2**32, 256 + 3), window=65536 + 9))
    assert (segment.seq, segment.ack, segment.window, segment.checksum_ok) == (2**32 - 1, 5, 9, True)
    assert [text(option) for option in segment.options] == ["mss 7", "sackOK", f"TS val {2**32 - 2} ecr 0", "nop", "wscale 3"]


@pytest.mark.parametrize("values", [(1, 2, 3), (1, 2, 3, 4, 5)])
def test_every_slot_takes_one_value(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"zip\(\)"):
        bind(Spec(Family.IPV4, options=SLOTS)).render(0, 0, values)


def test_a_template_is_built_once_and_never_changes() -> None:
    spec = Spec(Family.IPV6, 2, options=SLOTS)
    assert build(spec) is build(Spec(Family.IPV6, 2, options=SLOTS))
    bound = bind(spec)
    first = bound.render(1, 2, (1, 2, 3, 4))
    bound.render(3, 4, (5, 6, 7, 8), window=1, payload=b"xyz")
    assert bound.render(1, 2, (1, 2, 3, 4)) == first


def test_importing_does_not_import_scapy() -> None:
    code = "import sys, conformance.wire.template, conformance.wire.read, conformance.wire.text; sys.exit('scapy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Mangling -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("how", ["bad", "zero", 0x1234, *LESS])
def test_tcp_checksums_can_be_wrong(family: Family, how: int | str) -> None:
    frame = bind(Spec(family, checksum=how)).render(1, 2)  # type: ignore[arg-type]
    assert read(frame).checksum_ok is False
    field = int.from_bytes(frame[START[family] + 16 :][:2], "big")
    assert field == {"zero": 0, 0x1234: 0x1234}.get(how, field)


@quick
@given(families, numbers, numbers, st.binary(max_size=3))
def test_a_bad_checksum_is_never_right_by_chance(family: Family, seq: int, ack: int, payload: bytes) -> None:
    assert not read(bind(Spec(family, checksum="bad", payload=payload)).render(seq, ack)).checksum_ok


@pytest.mark.parametrize("how", ["bad", 0x1234])
def test_ip_checksums_can_be_wrong(how: int | str) -> None:
    segment = read(bind(Spec(Family.IPV4, ip_checksum=how)).render(1, 2))  # type: ignore[arg-type]
    assert (segment.ip_checksum_ok, segment.checksum_ok) == (False, True)


@pytest.mark.parametrize("family", list(Family))
def test_the_reserved_bits_do_not_touch_the_flags(family: Family) -> None:
    for reserved in range(16):
        segment = read(bind(Spec(family, 0xA5, reserved=reserved)).render(1, 2))
        assert (segment.reserved, segment.flags, segment.checksum_ok) == (reserved, 0xA5, True)


@pytest.mark.parametrize("family", list(Family))
def test_fields_around_tcp(family: Family) -> None:
    v4 = family is Family.IPV4
    more = {"df": False, "ip_id": 0x1234} if v4 else {}
    segment = read(bind(Spec(family, 0xFF, ttl=1, tos=0xFF, reserved=15, **more)).render(1, 2))  # type: ignore[arg-type]
    assert (segment.ttl, segment.tos, segment.reserved, segment.flags, segment.df) == (1, 255, 15, 255, False)
    assert (segment.ip_id, segment.checksum_ok, segment.ip_checksum_ok) == (0x1234 if v4 else 0, True, True)


@pytest.mark.parametrize("family", list(Family))
def test_a_data_offset_moves_nothing(family: Family) -> None:
    plain = Spec(family, options=(b"\x02\x04\x05\xb4",), payload=b"datadata")
    longer = read(bind(Spec(family, options=plain.options, payload=plain.payload, data_offset=7)).render(1, 2))
    assert (longer.payload, longer.options, longer.checksum_ok) == (b"data", parse_options(b"\x02\x04\x05\xb4data"), True)
    for offset in (0, 4, 15):
        frame = bind(Spec(family, data_offset=offset, payload=b"x")).render(1, 2)
        assert isinstance(read_frame(frame), Unreadable)
        assert frame[START[family] + 12] >> 4 == offset


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("seen", range(20, 51))
def test_an_ip_length_cuts_the_segment_and_the_checksum_fits_what_is_left(family: Family, seen: int) -> None:
    spec = Spec(
        family, options=(b"\x08\x0a", 4, 4, b"\x01\x01"), payload=bytes(range(1, 19)), ip_length=seen + (20 if family is Family.IPV4 else 0)
    )
    frame = bind(spec).render(0x01020304, 0x05060708, (0x11223344, 0x55667788))
    assert len(frame) == START[family] + 50
    packet = read_frame(frame)
    if isinstance(packet, Segment):
        assert (packet.payload, packet.checksum_ok, packet.ip_checksum_ok) == (spec.payload[: seen - 32], True, True)
    else:
        assert seen < 32, packet


@pytest.mark.parametrize("length", [0, 5, 65535])
def test_an_ip_length_may_be_absurd(length: int) -> None:
    frame = bind(Spec(Family.IPV4, ip_length=length, payload=b"xyz")).render(1, 2)
    assert int.from_bytes(frame[16:18], "big") == length
    assert verify(frame[14:34])
    assert isinstance(read_frame(frame), Unreadable)


def test_raw_is_written_last() -> None:
    raw = (("12", b"\x08\x06"), ("ip+8", b"\x09"), ("tcp+13", b"\xff\xfe"), ("tcp+20", b"ABC"), ("54", b"Z"))
    plain, frame = (bytearray(bind(Spec(Family.IPV4, payload=b"abc", raw=writes)).render(1, 2)) for writes in ((), raw))
    plain[12:14], plain[22:23], plain[47:49], plain[54:57] = b"\x08\x06", b"\x09", b"\xff\xfe", b"ZBC"
    assert frame == plain


@pytest.mark.parametrize(("where", "data"), [("57", b"x"), ("tcp+22", b"xy"), ("ip+43", b"x")])
def test_raw_stays_within_the_frame(where: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"end at octet 58 of a frame of 57"):
        build(Spec(Family.IPV4, payload=b"abc", raw=((where, data),)))
    assert bind(Spec(Family.IPV4, payload=b"abc", raw=(("56", b"x"),))).render(0, 0)[-3:] == b"abx"


@pytest.mark.parametrize("where", ["udp+1", "-1", "ip-1", "0x22", ""])
def test_raw_offsets_that_are_none(where: str) -> None:
    with pytest.raises(ValueError, match="is no offset"):
        build(Spec(Family.IPV4, raw=((where, b"x"),)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ttl": 256}, "ttl is 256, the field holds 0..255"),
        ({"window": -1}, "window is -1"),
        ({"reserved": 16}, r"holds 0..15"),
        ({"checksum": "worse"}, "worse"),
        ({"options": (bytes(41),)}, "the options take 41 octets"),
        ({"family": Family.IPV6, "df": False}, "df: off has no meaning"),
        ({"family": Family.IPV6, "ip_checksum": "bad"}, "no field for ip_checksum"),
        ({"family": Family.IPV6, "ip_id": 5}, "no field for ip_id"),
    ],
)
def test_specs_that_no_packet_can_have(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Spec(**{"family": Family.IPV4, **fields})  # type: ignore[arg-type]


def test_what_cannot_be_bound() -> None:
    with pytest.raises(ValueError, match="are not addresses of ipv4"):
        build(Spec(Family.IPV4)).bind(SRC_MAC, DST_MAC, *ADDRESSES[Family.IPV6], 1, 2)
    with pytest.raises(ValueError, match="cannot hold 65530 octets"):
        bind(Spec(Family.IPV4)).render(0, 0, payload=bytes(65530))


def test_the_largest_packet() -> None:
    payload = bytes(range(256)) * 256
    frame = bind(Spec(Family.IPV4)).render(0, 0, payload=payload[: 65535 - 40])
    assert IP(frame[14:]).len == 65535
    assert read(frame).checksum_ok


# Ahead ----------------------------------------------------------------------------------------------------------------


@quick
@given(families, numbers, numbers, st.lists(numbers, min_size=4, max_size=4), st.sets(st.integers(0, 3)), st.binary(max_size=5))
def test_what_is_rendered_ahead_is_the_same_in_the_end(
    family: Family, seq: int, ack: int, values: list[int], late: set[int], payload: bytes
) -> None:
    for odd in (b"", b"\x01"):  # numbers at even and at odd octets of the header
        bound = bind(Spec(family, options=(odd, *SLOTS, odd), payload=payload))
        ahead = bound.ahead(seq, [None if at in late else value for at, value in enumerate(values)])
        assert ahead is not None
        assert ahead.render(ack, *[values[at] for at in sorted(late)]) == bound.render(seq, ack, values)


@pytest.mark.parametrize("mangling", [{"checksum": "bad"}, {"raw": (("tcp+8", b"x"),)}])
def test_what_is_mangled_is_not_rendered_ahead(mangling: dict[str, object]) -> None:
    assert bind(Spec(Family.IPV4, **mangling)).ahead(1, ()) is None  # type: ignore[arg-type]
