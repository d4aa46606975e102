"""The notation of segments and ICMP messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.case import notation
from conformance.case.errors import CaseError
from conformance.case.steps import (
    ANY_OPTION,
    RAW_OPTION,
    AnyValue,
    Exact,
    FlagsPattern,
    IcmpPattern,
    OptionPattern,
    Range,
    SegmentPattern,
    Var,
)
from conformance.case.vocabulary import ICMP_NAMES
from conformance.wire import icmp
from conformance.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Family


def option(text: str) -> OptionPattern:
    """The only option of an expected segment."""
    options = notation.expect_segment(f"S 0:0(0) <{text}>").options
    assert options is not None
    (only,) = options
    return only


def test_a_syn() -> None:
    text = "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>"
    assert notation.inject_segment(text) == SegmentPattern(
        flags=FlagsPattern(SYN),
        seq=Exact(0),
        end=Exact(0),
        length=Exact(0),
        win=Exact(65535),
        options=(
            OptionPattern(2, (Exact(1460),)),
            OptionPattern(4),
            OptionPattern(8, (Exact(100), Exact(0))),
            OptionPattern(1),
            OptionPattern(3, (Exact(7),)),
        ),
        text=text,
    )


def test_everything_that_can_be_written() -> None:
    pattern = notation.expect_segment('P?. $x:$x+5(5) ack 1..9 win * urg 3 <...> "hello"')
    assert pattern.flags == FlagsPattern(ACK, PSH)
    assert (pattern.seq, pattern.end, pattern.length) == (Var("x"), Var("x", 5), Exact(5))
    assert (pattern.ack, pattern.win, pattern.urg) == (Range(1, 9), AnyValue(), Exact(3))
    assert (pattern.options, pattern.more_options, pattern.data) == ((), True, b"hello")


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        ("S", FlagsPattern(SYN)), ("S.", FlagsPattern(SYN | ACK)), ("FP.", FlagsPattern(FIN | PSH | ACK)), ("R", FlagsPattern(RST)),
        ("SEW", FlagsPattern(SYN | ECE | CWR)), ("U.", FlagsPattern(URG | ACK)), ("-", FlagsPattern(0)), ("*", FlagsPattern(0, any=True)),
        ("P?.", FlagsPattern(ACK, PSH)), ("P?.?", FlagsPattern(0, PSH | ACK)), (".P", FlagsPattern(ACK | PSH)),
    ],
)  # fmt: skip
def test_flags(flags: str, pattern: FlagsPattern) -> None:
    assert notation.expect_segment(f"{flags} 0:0(0)").flags == pattern


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("mss *", OptionPattern(2, (AnyValue(),))), ("wscale 0..14", OptionPattern(3, (Range(0, 14),))),
        ("TS val $t ecr $e+1", OptionPattern(8, (Var("t"), Var("e", 1)))),
        ("sack 1:1001 2001:*", OptionPattern(5, (Exact(1), Exact(1001), Exact(2001), AnyValue()))),
        ("eol", OptionPattern(0)), ("tfo", OptionPattern(34, data=b"")),
        ("tfo $c", OptionPattern(34, (Var("c"),))), ("tfo $c+1", OptionPattern(34, (Var("c", 1),))),
        ("tfo *", OptionPattern(34)), ("tfo 00ff", OptionPattern(34, data=b"\x00\xff")),
        ("kind 30", OptionPattern(30, data=b"")), ("kind 30 *", OptionPattern(30)), ("kind 253 F989", OptionPattern(253, data=b"\xf9\x89")),
        ("any", OptionPattern(ANY_OPTION)),
    ],
)  # fmt: skip
def test_options(text: str, pattern: OptionPattern) -> None:
    assert option(text) == pattern


def test_raw_octets_among_the_options() -> None:
    pattern = notation.inject_segment("S 0:0(0) <nop,raw 0204>")
    assert pattern.options == (OptionPattern(1), OptionPattern(RAW_OPTION, data=b"\x02\x04"))


def test_no_options_is_something_else_than_options_not_written() -> None:
    assert notation.expect_segment("S 0:0(0) <>").options == ()
    assert not notation.expect_segment("S 0:0(0) <>").more_options
    assert notation.expect_segment("S 0:0(0)").options is None


def test_sequence_numbers_wrap() -> None:
    assert notation.inject_segment(". -1:0(1)").seq == Exact(-1)
    assert notation.inject_segment(". 4294967295:4(5)").length == Exact(5)


@pytest.mark.parametrize(
    ("written", "octets"),
    [(r"a\n\r\t\0\\\"", b'a\n\r\t\x00\\"'), (r"\x00\xff", b"\x00\xff"), ("é", "é".encode()), ("", b""), ("a > b, [c]", b"a > b, [c]")],
)
def test_escapes_in_data(written: str, octets: bytes) -> None:
    assert notation.expect_segment(f'P. *:*(*) "{written}"').data == octets


@pytest.mark.parametrize(
    ("text", "column", "found", "expected"),
    [
        ("", 1, "the end", "flags such as S, S., P. or -"),
        ("SA 0:0(0)", 1, "SA", "flags such as S, S., P. or -"),
        ("S", 2, "the end", "a sequence range such as 1:1001(1000)"),
        ("S 0:0", 6, "the end", "a sequence range such as 1:1001(1000)"),
        ("S 0:0 ack 1", 7, "ack", "a sequence range such as 1:1001(1000)"),
        ("S ack 1", 3, "ack", "a sequence range such as 1:1001(1000)"),
        (". 1:1(0) ack", 13, "the end", "an acknowledgement number such as ack 1"),
        (". 1:1(0) ack x", 14, "x", "an acknowledgement number such as ack 1"),
        (". 1:1(0) win 1 ack 1", 16, "ack", "urg or < or"),
        ("S 0:0(0) <mss>", 14, ">", "a number such as mss 1460"),
        ("S 0:0(0) <msss 1>", 11, "msss", "an option: mss, wscale"),
        ("S 0:0(0) <mss 1460", 19, "the end", "> or a comma"),
        ("S 0:0(0) <TS 5>", 14, "5", "TS val 100 ecr 0"),
        ("S 0:0(0) <sack 5>", 17, ">", "blocks such as sack 1:1001 2001:3001"),
        ("S 0:0(0) nonsense", 10, "nonsense", "ack or win"),
        ("S 0:10(5)", 3, "0:10(5)", "0:10(10)"),
        ("S $x:$x+5(4)", 3, "$x:$x+5(4)", "$x:$x+5(5)"),
        ("SS 0:0(0)", 2, "SS", "each flag once"),
        ("S 0:0(0) win 70000", 14, "70000", "0..65535"),
        ("S 0:0(0) <wscale 256>", 18, "256", "0..255"),
        ("S 0:70000(70000)", 11, "70000", "0..65535"),
        ("S 0:0(0) <kind 30 abc>", 19, "abc", "two hexadecimal digits an octet"),
        ('P. 1:6(5) "hell"', 11, "4 octets", "5 octets, as the sequence range says"),
        (r'P. 1:6(5) "he\qlo"', 14, r"\q", r"\xNN"),
    ],
)  # fmt: skip
def test_mistakes_in_any_segment(text: str, column: int, found: str, expected: str) -> None:
    for parse in (notation.inject_segment, notation.expect_segment):
        with pytest.raises(CaseError) as caught:
            parse(text)
        assert (caught.value.column, caught.value.found) == (column, found)
        assert expected in caught.value.wanted


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("* 0:0(0)", 1, "*"), ("P?. 0:0(0)", 1, "P?."), (". *:1(1)", 3, "*"),
        (". 1:1(0) ack *", 14, "*"), (". 1:1(0) win 1..5", 14, "1..5"),
        ("S 0:0(0) <mss *>", 15, "*"), ("S 0:0(0) <any>", 11, "any"), ("S 0:0(0) <nop,...>", 15, "..."), ("S 0:0(0) <tfo *>", 15, "*"),
        (". 1:1(0) <nop,nop,sack 1:2 3:4 5:6 7:8 9:10>", 11, "44 octets of options"),
    ],
)  # fmt: skip
def test_what_only_compares_cannot_be_injected(text: str, column: int, found: str) -> None:
    with pytest.raises(CaseError) as caught:
        notation.inject_segment(text)
    assert (caught.value.column, caught.value.found) == (column, found)


@pytest.mark.parametrize(
    ("text", "column", "found", "expected"),
    [
        ("S 0:0(0) <raw ff>", 11, "raw", "raw is only for what is injected"),
        ("S 0:0(0) <...,nop>", 11, "...", "at the end"),
        (". 1:1(0) ack 5..1", 14, "5..1", "the lower end first"),
    ],
)
def test_mistakes_in_what_is_expected(text: str, column: int, found: str, expected: str) -> None:
    with pytest.raises(CaseError) as caught:
        notation.expect_segment(text)
    assert (caught.value.column, caught.value.found) == (column, found)
    assert expected in caught.value.expected


# ICMP -----------------------------------------------------------------------------------------------------------------


def test_icmp_messages() -> None:
    assert notation.expect_icmp("port-unreachable") == IcmpPattern("port-unreachable", text="port-unreachable")
    assert notation.inject_icmp("type 3 code 13") == IcmpPattern("type", 3, 13, text="type 3 code 13")
    assert notation.inject_icmp("frag-needed mtu 1400").mtu == Exact(1400)
    assert notation.expect_icmp("packet-too-big mtu *").mtu == AnyValue()
    quoted = notation.inject_icmp("port-unreachable [S 0:0(0)]").quoted
    assert quoted == notation.inject_segment("S 0:0(0)")


@pytest.mark.parametrize(
    ("text", "column", "found", "expected"),
    [
        ("", 1, "the end", "an ICMP message such as port-unreachable"),
        ("port-unreachabel", 1, "port-unreachabel", "port-unreachable"),
        ("type 3", 7, "the end", "code"),
        ("type 300 code 1", 6, "300", "0..255"),
        ("port-unreachable mtu 3", 22, "3", "frag-needed, packet-too-big"),
        ("frag-needed mtu *", 17, "*", "a number or $name"),
        ("port-unreachable [S 0]", 22, "]", "a sequence range such as 1:1001(1000)"),
        ("port-unreachable [S 0:0(0)", 27, "the end", "]"),
        ("port-unreachable [. *:0(0)]", 21, "*", "a number or $name"),
    ],
)
def test_mistakes_in_icmp(text: str, column: int, found: str, expected: str) -> None:
    with pytest.raises(CaseError) as caught:
        notation.inject_icmp(text)
    assert (caught.value.column, caught.value.found) == (column, found)
    assert expected in caught.value.wanted


def test_the_names_are_those_that_can_be_built() -> None:
    for family in Family:
        assert {name for name, families in ICMP_NAMES.items() if family in families} == set(icmp.NAMES[family])


# Any text -------------------------------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    ["S", ".", "P?", " ", "0", "1:", "(", ")", "ack ", "win ", "<", ">", "mss ", "TS val ", "ecr ", ",", "*", "..", "$x", "+1", '"', "\\",
     "sack ", "kind ", "raw ", "ff", "...", "[", "]", "type ", "code ", "port-unreachable", "mtu ", "9" * 30, "\n", "é", "\ud800"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=30).map("".join)))
def test_any_text_is_a_segment_or_a_case_error(text: str) -> None:
    for parse in (notation.inject_segment, notation.expect_segment, notation.inject_icmp, notation.expect_icmp):
        try:
            parse(text)
        except CaseError as error:
            assert 1 <= error.column <= len(text) + 1
            assert error.found is not None
            assert error.wanted


def test_a_text_that_is_too_long_is_an_error() -> None:
    with pytest.raises(CaseError, match="at most 10000"):
        notation.inject_segment("S 0:0(0) " + " " * 10_000)
