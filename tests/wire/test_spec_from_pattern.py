"""From a pattern of the case language to a frame: conformance/engine/packets.py together with templates."""

from __future__ import annotations

import pytest

from conformance.case.steps import ANY_OPTION, RAW_OPTION, AnyValue, Exact, FlagsPattern, Num, OptionPattern, Range, SegmentPattern, Var
from conformance.engine.packets import SlotValue, icmp_fields, spec_from_pattern
from conformance.wire.icmp import build_icmp
from conformance.wire.options import EOL, FAST_OPEN, MSS, NOP, SACK, SACK_OK, TIMESTAMP, WSCALE
from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Icmp, Segment
from conformance.wire.spec import Spec
from conformance.wire.template import build
from conformance.wire.text import segment_text

from .packets import ADDRESSES, DST_MAC, SRC_MAC

ZERO = Exact(0)


def pattern(
    *options: OptionPattern, flags: int = 0x10, win: Num | None = None, urg: Num | None = None, more: bool = False
) -> SegmentPattern:
    return SegmentPattern(FlagsPattern(flags), ZERO, ZERO, ZERO, win=win, urg=urg, options=options, more_options=more, text="the pattern")


def spec_of(*options: OptionPattern, **fields: object) -> Spec:
    return spec_from_pattern(Family.IPV4, pattern(*options), b"", fields)[0]


@pytest.mark.parametrize("family", list(Family))
def test_a_syn_as_a_case_writes_it(family: Family) -> None:
    options = (
        OptionPattern(MSS, (Exact(1460),)), OptionPattern(SACK_OK), OptionPattern(TIMESTAMP, (Exact(100), Var("t", 1))), OptionPattern(NOP),
        OptionPattern(WSCALE, (Exact(7),)), OptionPattern(FAST_OPEN, data=b"\xab\x12"),
    )  # fmt: skip
    spec, values = spec_from_pattern(family, pattern(*options, flags=2, win=Exact(512)), b"", {})
    assert values == tuple(SlotValue(num, False) for num in (Exact(1460), Exact(100), Var("t", 1), Exact(7)))
    segment = read_frame(build(spec).bind(SRC_MAC, DST_MAC, *ADDRESSES[family], 1, 2).render(1000, 0, (1460, 100, 8, 7)))
    assert isinstance(segment, Segment)
    assert segment_text(segment, 1000, None) == "S 0:0(0) win 512 <mss 1460,sackOK,TS val 100 ecr 8,nop,wscale 7,tfo ab12>"


def test_sack_edges_are_relative() -> None:
    spec, values = spec_from_pattern(Family.IPV6, pattern(OptionPattern(SACK, (Exact(-1), Var("x")))), b"data", {})
    assert values == (SlotValue(Exact(-1), True), SlotValue(Var("x"), True))
    assert (spec.options, spec.payload) == ((b"\x05\x0a", 4, 4), b"data")


@pytest.mark.parametrize(
    ("option", "octets"),
    [
        (OptionPattern(EOL), b"\x00"),
        (OptionPattern(FAST_OPEN, data=b""), b"\x22\x02"),
        (OptionPattern(253, data=b"\x01\x02"), b"\xfd\x04\x01\x02"),
        (OptionPattern(MSS, data=b"\x09"), b"\x02\x03\x09"),
        (OptionPattern(RAW_OPTION, data=b"\x02\x00\xff"), b"\x02\x00\xff"),
    ],
)
def test_options_without_slots(option: OptionPattern, octets: bytes) -> None:
    assert spec_of(option).options == (octets,)


def test_what_the_executor_gives_to_render_has_its_default() -> None:
    spec, _ = spec_from_pattern(Family.IPV4, pattern(win=Var("w"), urg=Var("u")), b"", {})
    assert (spec.window, spec.urgent) == (65535, 0)
    spec, _ = spec_from_pattern(Family.IPV4, pattern(win=Exact(0), urg=Exact(9)), b"", {})
    assert (spec.window, spec.urgent) == (0, 9)


def test_fields() -> None:
    fields = {
        "ttl": 1, "tos": 0xB9, "ecn": 2, "df": False, "id": 5, "checksum": "bad", "ip_checksum": 9, "reserved": 7, "data_offset": 6,
        "ip_length": 44, "raw": {"34": b"\xff", "tcp+13": b"\x01"}, "sport": 9, "dport": "port2", "src": "peer2", "dst": "multicast",
    }  # fmt: skip
    assert spec_of(**fields) == Spec(
        Family.IPV4, 0x10, ttl=1, tos=0xBA, df=False, ip_id=5, checksum="bad", ip_checksum=9, reserved=7, data_offset=6, ip_length=44,
        raw=(("34", b"\xff"), ("tcp+13", b"\x01")),
    )  # fmt: skip
    assert [spec_of(ecn=ecn).tos for ecn in ("not-ect", "ect1", "ect0", "ce", 1)] == [0, 1, 2, 3, 1]


def test_fields_of_an_icmp_message() -> None:
    fields = icmp_fields(Family.IPV4, {"ttl": 9, "ecn": 1, "checksum": "bad", "raw": {"ip+8": b"\x07"}, "src": "peer2"}, {})
    assert fields == {"ttl": 9, "tos": 1, "checksum": "bad", "raw": (("ip+8", b"\x07"),)}
    frame = build_icmp(Family.IPV4, SRC_MAC, DST_MAC, *ADDRESSES[Family.IPV4], 3, 1, 0, b"", **fields)
    message = read_frame(frame)
    assert isinstance(message, Icmp)
    assert (message.ttl, message.checksum_ok, frame[15]) == (7, False, 1)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (OptionPattern(ANY_OPTION), "cannot be any"),
        (OptionPattern(MSS, (AnyValue(),)), "neither a number nor a variable"),
        (OptionPattern(TIMESTAMP, (Range(1, 2), Exact(0))), "neither a number nor a variable"),
        (OptionPattern(MSS, (Exact(65536),)), "65536 does not fit into 2 octets"),
        (OptionPattern(WSCALE), "has 1 numbers, not 0"),
        (OptionPattern(253, data=bytes(39)), "the options take 41 octets"),
    ],
)
def test_options_that_cannot_be_injected(option: OptionPattern, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        spec_of(option)


def test_segments_that_cannot_be_injected() -> None:
    with pytest.raises(ValueError, match="the pattern: a segment to inject leaves no flags or options open"):
        spec_from_pattern(Family.IPV4, pattern(more=True), b"", {})
    with pytest.raises(ValueError, match="colour is no field"):
        spec_of(colour=3)
    with pytest.raises(ValueError, match="window is 65536"):
        spec_from_pattern(Family.IPV4, pattern(win=Exact(65536)), b"", {})
