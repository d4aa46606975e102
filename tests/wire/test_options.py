"""Options: octets to options and back, whatever the octets; values; text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.wire import options as o
from conformance.wire.options import Option

from .packets import quick

SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a0000006400000000 01 030307")


def test_a_usual_syn() -> None:
    parsed = o.parse_options(SYN_OPTIONS)
    assert parsed == (o.mss_option(1460), Option(o.SACK_OK), o.timestamps_option(100, 0), Option(o.NOP), o.wscale_option(7))
    assert [o.text(option) for option in parsed] == ["mss 1460", "sackOK", "TS val 100 ecr 0", "nop", "wscale 7"]


@quick
@given(st.binary(max_size=40))
def test_encoding_gives_back_whatever_was_parsed(data: bytes) -> None:
    parsed = o.parse_options(data)
    assert o.encode(parsed) == data
    assert not any(option.malformed for option in parsed[:-1])
    for option in parsed:
        o.mss(option), o.wscale(option), o.timestamps(option), o.sack_blocks(option)
        assert o.text(option)


@pytest.mark.parametrize(
    ("data", "parsed"),
    [
        ("", ()),
        ("00", (Option(o.EOL),)),
        ("01000203", (Option(o.NOP), Option(o.EOL, b"\x02\x03"))),
        ("02", (Option(o.MSS, b"", True),)),
        ("0200aa", (Option(o.MSS, b"\x00\xaa", True),)),
        ("0201aa", (Option(o.MSS, b"\x01\xaa", True),)),
        ("fd05aabb", (Option(253, b"\x05\xaa\xbb", True),)),
        ("fd04aabb", (Option(253, b"\xaa\xbb"),)),
    ],
)
def test_odd_option_fields(data: str, parsed: tuple[Option, ...]) -> None:
    assert o.parse_options(bytes.fromhex(data)) == parsed


def test_values_of_well_formed_options() -> None:
    assert o.mss(o.mss_option(536)) == 536
    assert o.wscale(o.wscale_option(200)) == 200
    assert o.timestamps(o.timestamps_option(2**32 - 1, 5)) == (2**32 - 1, 5)
    assert o.sack_blocks(o.sack_option([(1, 2), (3, 4)])) == ((1, 2), (3, 4))


@pytest.mark.parametrize(
    "option",
    [
        Option(o.MSS, b"1"),
        Option(o.WSCALE),
        Option(o.TIMESTAMP, bytes(7)),
        Option(o.SACK),
        Option(o.SACK, bytes(9)),
        Option(o.MSS, b"\x00\x00", True),
    ],
)
def test_no_value_where_the_length_is_wrong(option: Option) -> None:
    assert [decode(option) for decode in (o.mss, o.wscale, o.timestamps, o.sack_blocks)] == [None] * 4


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (Option(o.EOL), "eol"),
        (Option(o.EOL, bytes(3)), "eol"),
        (Option(o.EOL, bytes(4)), "eol,raw 00000000"),
        (Option(o.EOL, b"\x00\x01"), "eol,raw 0001"),
        (Option(o.SACK_OK, b"\x01"), "kind 4 01"),
        (Option(o.MSS, b"\x01"), "kind 2 01"),
        (Option(o.FAST_OPEN), "tfo"),
        (Option(o.FAST_OPEN, b"\xab\x12"), "tfo ab12"),
        (Option(253), "kind 253"),
        (Option(253, b"\x01\x02"), "kind 253 0102"),
        (Option(o.MSS, b"\x09\x01", True), "raw 020901"),
        (o.sack_option([(1001, 2001), (3001, 4001)]), "sack 1001:2001 3001:4001"),
    ],
)
def test_text(option: Option, text: str) -> None:
    assert o.text(option) == text


def test_sack_edges_are_relative_to_an_isn() -> None:
    assert o.text(o.sack_option([(0, 99)]), 2**32 - 1) == "sack 1:100"


def test_padding() -> None:
    assert o.pad(b"") == b""
    assert o.pad(b"\x03\x03\x07") == b"\x03\x03\x07\x00"
    assert o.pad(bytes(40)) == bytes(40)
    with pytest.raises(ValueError, match="41 octets"):
        o.pad(bytes(41))
