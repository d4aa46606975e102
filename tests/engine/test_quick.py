"""The quick comparison against the full one: a quick yes must never be anything but the full one's."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.case import notation
from conformance.case.steps import ConnectionSpec, ExpectStep, Source
from conformance.engine.connections import Connections
from conformance.engine.matcher import compare_segment
from conformance.engine.quick import quick
from conformance.engine.variables import Variables
from conformance.wire.options import Option, encode, mss_option, timestamps_option, wscale_option
from conformance.wire.segment import Family, Segment

from .desk import places

OPTIONS = "<mss 1460,sackOK,TS val $t ecr 100,nop,wscale *>"
TEXTS = [
    f"S. 0:0(0) ack 1 {OPTIONS}",
    "S. 0:0(0) ack 1 <mss *,sackOK,TS val * ecr $t,nop,wscale 7>",
    ". 5:5(0) ack 7 <nop,nop,TS val $t ecr $t>",
    ". 5:5(0) ack 7 <>",
    "R 9:9(0)",
    "F. 5:5(0) ack 7",
]
FIELDS = {
    "seq": [1000, 1005, 1009], "ack": [0, 1, 2001, 2007], "flags": [0x12, 0x10, 0x04, 0x11, 0x18], "payload": [b"", b"", b"x"],
    "checksum_ok": [True, True, False], "ip_checksum_ok": [True, True, False],
}  # fmt: skip


def octets(mss: int, val: int, ecr: int, shift: int) -> list[bytes]:
    """Options that fit or almost fit what is expected above."""
    sack, nop, stamps = Option(4), Option(1), timestamps_option(val, ecr)
    full = encode([mss_option(mss), sack, stamps, nop, wscale_option(shift & 0xFF)])
    return [full, full[:-1], full + b"\0", b"\1\1" + encode([stamps]), b"", b"\1", encode([nop, nop, stamps])[:-2], b"\0\0\0\1", b"\2\0"]


SUT = places(Family.IPV4).hosts["sut"]
small = st.sampled_from([0, 7, 99, 100, 1460])


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(TEXTS), st.fixed_dictionaries({name: st.sampled_from(values) for name, values in FIELDS.items()}), st.data())
def test_a_quick_yes_is_the_full_ones(text: str, fields: dict[str, object], data: st.DataObject) -> None:
    step = ExpectStep(source=Source("case.yaml", 1, 1, text), segment=notation.expect_segment(text))
    fast = quick(step)
    assert fast is not None
    connection = Connections([ConnectionSpec("default")], places(Family.IPV4), Random(0))["default"]
    connection.ends.sut_isn, connection.ends.peer_isn = 1000, 2000
    options = data.draw(st.sampled_from(octets(*data.draw(st.tuples(small, small, small, small)))))
    packet = replace(Segment(Family.IPV4, SUT, b"", 1, 2, 0, 0, 0, 0, 0, options, b""), **fields)
    known = {"t": data.draw(small)} if data.draw(st.booleans()) else {}
    one, other = Variables(), Variables()
    one._values, other._values = dict(known), dict(known)
    fits, differences = fast.fits(packet, connection, one), compare_segment(step, packet, connection, other)
    assert not (fits and differences)
    assert fits or differences, "what is plain is seen at once"
    if fits:
        assert one._values == other._values
    else:
        assert one._values == known
    assert not one._tried


def test_what_has_no_quick_form() -> None:
    for text in (". 1:1(0) ack *", ". 1:1(0) ack 1 win 5", "P. 1:6(5) ack 1", ". 1:1(0) ack 1 <sack 5:9>", "S. 0:0(0) ack 1 <mss 1,...>"):
        assert quick(ExpectStep(source=Source("case.yaml", 1, 1, text), segment=notation.expect_segment(text))) is None, text
