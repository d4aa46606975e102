"""The checksum trick, against scapy's loop and RFC 1071's example."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.utils import checksum as scapy_checksum

from conformance.wire.checksum import LESS, finish, mangled, ones_sum, pseudo_sum, verify

from .packets import quick, words


def test_the_example_of_rfc_1071() -> None:
    assert ones_sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2


@quick
@given(st.binary(max_size=80))
def test_the_same_as_scapy(data: bytes) -> None:
    assert finish(ones_sum(data)) == scapy_checksum(data)


@pytest.mark.parametrize(
    ("data", "total", "field"), [(b"", 0, 0xFFFF), (bytes(6), 0, 0xFFFF), (b"\xff\xff", 0xFFFF, 0), (b"\x12\x34\xed\xcb", 0xFFFF, 0)]
)
def test_the_two_zeros_are_kept_apart(data: bytes, total: int, field: int) -> None:
    assert (ones_sum(data), finish(ones_sum(data))) == (total, field)


@quick
@given(st.binary(min_size=2, max_size=60), st.integers(0, 2**20))
def test_what_is_finished_verifies(data: bytes, pseudo: int) -> None:
    field = finish(ones_sum(data) + pseudo)
    whole = field.to_bytes(2, "big") + data
    assert verify(whole, pseudo)
    assert not verify(((field + 1) % 0xFFFF).to_bytes(2, "big") + data, pseudo)


def test_octets_that_are_all_zero_are_not_verified() -> None:
    assert not verify(bytes(8))
    assert verify(b"\xff\xff" + bytes(6))


def test_the_pseudo_header_is_summed_as_if_it_were_there() -> None:
    src, dst = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
    assert ones_sum(src + dst + b"\x00\x06\x00\x14") == pseudo_sum(src, dst, 6, 20)


def test_a_part_of_the_pseudo_header_can_be_forgotten() -> None:
    src, dst = bytes((10, 0, 0, 1)), bytes((10, 0, 2, 0))
    assert pseudo_sum(src, dst, 6, 20, "bad") == pseudo_sum(src, dst, 6, 20) == 0x1601 + 26
    assert [pseudo_sum(src, dst, 6, 20, part) for part in LESS] == [0xC00 + 26, 0xA01 + 26, 0x1601 + 20, 0x1601 + 6, 0]


@quick
@given(words)
@example(0xFFFF)
def test_a_bad_checksum_is_neither_right_nor_zero(right: int) -> None:
    bad = mangled(right, "bad")
    assert 0 < bad <= 0xFFFF
    assert bad % 0xFFFF != right % 0xFFFF


def test_other_checksums() -> None:
    assert (mangled(5, None), mangled(5, "zero"), mangled(5, 0x1234)) == (5, 0, 0x1234)
    with pytest.raises(ValueError, match="worse"):
        mangled(5, "worse")
