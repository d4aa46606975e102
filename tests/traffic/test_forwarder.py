"""What the middle of a path does to a frame."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Segment
from conformance.wire.template import Spec, build

from .forwarder import congestion_experienced

MACS = bytes(6), bytes(6)


def frame(family: Family, tos: int, port: int) -> bytes:
    """A segment; any port makes another check sum."""
    size = 4 if family is Family.IPV4 else 16
    return build(Spec(family, tos=tos)).bind(*MACS, bytes([192] * size), bytes([1] * size), port, port).render(1, 2)


@settings(deadline=None)
@given(st.sampled_from(Family), st.integers(0, 255), st.integers(0, 0xFFFF))
def test_only_who_allows_it_is_marked_and_the_check_sum_stays_right(family: Family, tos: int, port: int) -> None:
    before = frame(family, tos, port)
    after = read_frame(congestion_experienced(before))
    assert isinstance(after, Segment) and after.ip_checksum_ok and after.checksum_ok
    assert after.tos == (tos | 3 if tos & 3 else tos)
