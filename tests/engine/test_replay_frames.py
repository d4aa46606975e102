"""Frames of a capture get the numbers of a replay, and nothing else about them changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.engine.replay_fragments import pieces_of
from conformance.engine.replay_frames import Numbers, translated
from conformance.wire.icmp import build_icmp, quoted
from conformance.wire.ip_extra import fragments
from conformance.wire.options import encode, sack_blocks, sack_option, timestamps, timestamps_option
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, SYN, Family, Icmp, Segment
from conformance.wire.spec import ETHERNET, Spec
from conformance.wire.template import build

MACS = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
HOSTS = {
    Family.IPV4: (bytes([198, 18, 0, 1]), bytes([192, 0, 2, 1]), bytes([198, 18, 9, 9])),
    Family.IPV6: (b"\x20\x01" + bytes(13) + b"\x02", b"\x20\x01" + bytes(13) + b"\x01", b"\x20\x01" + bytes(13) + b"\x99"),
}
"""A peer, a SUT, and the peer of the replay."""
SHIFT = 0x9000_0001
CUTS: list[list[tuple[int, int | None]]] = [
    [(0, 24), (24, None)],
    [(24, None), (0, 24)],
    [(0, 8), (8, 16), (16, None)],
    [(0, 32), (16, 40), (40, None)],
]


def frame(family: Family, spec: dict[str, Any], seq: int = 1000, ack: int = 0xFFFF_FF00, payload: bytes = b"") -> bytes:
    peer, sut, _ = HOSTS[family]
    return build(Spec(family, **{"flags": ACK, **spec})).bind(*MACS, peer, sut, 40000, 80).render(seq, ack, payload=payload)


def numbers(family: Family, *, back: bool = False) -> Numbers:
    """Those of a replay with another peer, other ports, another ISN and another clock; ``back`` undoes it."""
    peer, _, other = HOSTS[family]
    sign = -1 if back else 1
    pair = (other, peer) if back else (peer, other)
    return Numbers(
        addresses={pair[0]: pair[1]},
        peer_ports={41000: 40000} if back else {40000: 41000},
        sut_ports={5000: 80} if back else {80: 5000},
        ack=lambda number: number + sign * SHIFT,
        edge=lambda number: number + sign * SHIFT,
        ecr=lambda value: value + sign * 77,
    )


@pytest.mark.parametrize("family", Family)
def test_all_that_the_peer_says_of_the_sut(family: Family) -> None:
    options = encode([timestamps_option(5, 6), sack_option([(100, 200), (300, 400)])]) + b"\1\1"
    read = read_frame(translated(frame(family, {"options": (options,)}, payload=b"hello"), numbers(family)))
    assert isinstance(read, Segment)
    assert (read.src, read.dst) == (HOSTS[family][2], HOSTS[family][1])
    assert (read.sport, read.dport, read.seq, read.ack) == (41000, 5000, 1000, (0xFFFF_FF00 + SHIFT) & 0xFFFF_FFFF)
    assert timestamps(read.options[0]) == (5, 83)
    assert sack_blocks(read.options[1]) == ((100 + SHIFT, 200 + SHIFT), (300 + SHIFT, 400 + SHIFT))
    assert (read.payload, read.checksum_ok, read.ip_checksum_ok) == (b"hello", True, True)


SPECS = st.fixed_dictionaries(
    {
        "flags": st.integers(0, 255),
        "window": st.integers(0, 65535),
        "urgent": st.integers(0, 65535),
        "options": st.binary(max_size=40).map(lambda octets: (octets,)),
        "ttl": st.integers(0, 255),
        "tos": st.integers(0, 255),
        "checksum": st.sampled_from([None, "bad", "zero", "no-pseudo-header", 7]),
        "reserved": st.integers(0, 15),
        "data_offset": st.sampled_from([None, 0, 3, 15]),
    }
)


@given(
    family=st.sampled_from(list(Family)),
    spec=SPECS,
    seq=st.integers(0, 0xFFFF_FFFF),
    ack=st.integers(0, 0xFFFF_FFFF),
    payload=st.binary(max_size=40),
)
def test_back_again_it_is_what_it_was(family: Family, spec: dict[str, Any], seq: int, ack: int, payload: bytes) -> None:
    original = frame(family, spec, seq, ack, payload)
    there = translated(original, numbers(family))
    before, after = read_frame(original), read_frame(there)
    assert type(before) is type(after)
    if isinstance(before, Segment) and isinstance(after, Segment) and spec["checksum"] != "zero":
        assert before.checksum_ok == after.checksum_ok
        assert before.ip_checksum_ok == after.ip_checksum_ok
    back = translated(there, numbers(family, back=True))
    # Of the checksum's two zeros either is as good.
    assert _plain(back, family) == _plain(original, family)


def _plain(octets: bytes, family: Family) -> bytes:
    at = ETHERNET + (20 if family is Family.IPV4 else 40) + 16
    return octets[:at] + (int.from_bytes(octets[at : at + 2], "big") % 0xFFFF).to_bytes(2, "big") + octets[at + 2 :]


@given(octets=st.binary(max_size=120), head=st.sampled_from([b"\x08\x00", b"\x86\xdd", b""]))
def test_no_frame_makes_it_raise(octets: bytes, head: bytes) -> None:
    original = bytes(12) + head + octets
    for family in Family:
        assert len(translated(original, numbers(family))) == len(original)
    for piece in pieces_of([original]):
        if piece is not None:
            translated(original, numbers(Family.IPV4), piece)


@pytest.mark.parametrize("family", Family)
def test_what_the_peer_quotes_of_the_sut(family: Family) -> None:
    peer, sut, other = HOSTS[family]
    own = build(Spec(family, flags=SYN)).bind(*MACS[::-1], sut, peer, 80, 40000).render(4000, 9)
    kind = 3 if family is Family.IPV4 else 1
    message = build_icmp(family, *MACS, peer, sut, kind, 4, 0, quoted(own))
    read = read_frame(translated(message, numbers(family)))
    assert isinstance(read, Icmp)
    assert read.checksum_ok and read.src == other
    assert read.quote is not None
    assert (read.quote.src, read.quote.dst, read.quote.sport, read.quote.dport) == (sut, other, 5000, 41000)
    assert read.quote.seq == (4000 + SHIFT) & 0xFFFF_FFFF


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("cuts", CUTS)
def test_fragments_are_those_of_the_translated_packet(family: Family, cuts: list[tuple[int, int | None]]) -> None:
    original = frame(family, {"ip_id": 9} if family is Family.IPV4 else {}, payload=bytes(range(60)))
    pieces = fragments(original, cuts, 9)
    found = [translated(one, numbers(family), piece) for one, piece in zip(pieces, pieces_of(pieces), strict=True)]
    assert found == fragments(translated(original, numbers(family)), cuts, 9)


def test_fragments_that_contradict_each_other_stay_so() -> None:
    original = frame(Family.IPV4, {"ip_id": 9}, payload=bytes(range(60)))
    first, last = fragments(original, [(0, 40), (40, None)], 9)
    forged = first[:-4] + b"!!!!"
    places = pieces_of([first, forged, last])
    assert all(places)
    assert translated(forged, numbers(Family.IPV4), places[1]).endswith(b"!!!!")


def test_a_cookie_is_the_one_that_this_sut_gave() -> None:
    values = numbers(Family.IPV4)
    values.cookies = {b"\1" * 8: b"\2" * 8}
    options = bytes([34, 10]) + b"\1" * 8
    read = read_frame(translated(frame(Family.IPV4, {"flags": SYN, "options": (options,)}), values))
    assert isinstance(read, Segment)
    assert read.options[0].data == b"\2" * 8
    assert read.checksum_ok
