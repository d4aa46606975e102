"""Text: what a ladder and a failure print."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.wire.options import Option, encode, mss_option, sack_option, wscale_option
from conformance.wire.segment import ACK, FIN, PSH, SYN, Family, Icmp, Segment
from conformance.wire.text import flags_text, icmp_text, parse_flags, segment_text

SEGMENT = Segment(
    Family.IPV4, b"", b"", 1, 2, seq=1000, ack=501, flags=SYN | ACK, window=65535, urgent=0,
    options_data=encode((mss_option(1460), Option(1), wscale_option(7))), payload=b"",
)  # fmt: skip


@pytest.mark.parametrize("flags", range(256))
def test_flags_are_read_back(flags: int) -> None:
    assert parse_flags(flags_text(flags)) == flags


def test_flags_are_written_in_tcpdumps_manner() -> None:
    assert [flags_text(flags) for flags in (0, SYN, SYN | ACK, FIN | PSH | ACK, 0xFF)] == ["-", "S", "S.", "FP.", "SFRPUEW."]
    assert parse_flags(".S") == SYN | ACK


@pytest.mark.parametrize("text", ["", "X", "SS", "s", "S-"])
def test_what_are_no_flags(text: str) -> None:
    with pytest.raises(ValueError, match="are no flags"):
        parse_flags(text)


def test_segments() -> None:
    assert segment_text(SEGMENT, 1000, 500) == "S. 0:0(0) ack 1 win 65535 <mss 1460,nop,wscale 7>"
    assert segment_text(SEGMENT, None, None) == "S. 1000:1000(0) ack 501 win 65535 <mss 1460,nop,wscale 7>"
    data = replace(SEGMENT, flags=PSH | ACK, payload=b"hello", options_data=b"", seq=0, urgent=3)
    assert segment_text(data, 2**32 - 1, 500) == "P. 1:6(5) ack 1 win 65535 urg 3"
    reset = replace(SEGMENT, flags=parse_flags("R"), ack=0, options_data=encode((sack_option([(502, 503)]),)), seq=999)
    assert segment_text(reset, 1000, 500) == "R -1:-1(0) win 65535 <sack 2:3>"


def test_what_is_written_without_the_flag_that_gives_it_meaning() -> None:
    odd = replace(SEGMENT, flags=SYN, options_data=b"", urgent=9)
    assert segment_text(odd, 1000, 500) == "S 0:0(0) ack 1 win 65535 urg 9"
    assert segment_text(replace(odd, ack=0, urgent=0, flags=parse_flags("SU")), 1000, 500) == "SU 0:0(0) win 65535 urg 0"


def test_icmp() -> None:
    message = Icmp(Family.IPV4, b"", b"", 3, 4, 1400, b"", None)
    assert icmp_text(message) == "frag-needed mtu 1400"
    assert icmp_text(replace(message, code=3, mtu=0)) == "port-unreachable"
    assert icmp_text(replace(message, type=77, mtu=0)) == "type 77 code 4"
