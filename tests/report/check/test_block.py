"""One connection explained."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from conformance.oracle.finding import Finding, Rule, Verdict
from conformance.report.check.account import Account
from conformance.report.check.block import MARKS, account_line, account_text
from conformance.report.check.excerpt import Excerpt, Passed
from conformance.trace import Seen
from conformance.wire.segment import ACK, RST, Family, Icmp, Unreadable

from ..test_safe_text import HOSTILE
from .sample import CLIENT, MS, SHOULD, START, account, connection, excerpt, finding, passed

SHOW, AGAIN = "wireshark -r field.pcapng -g 6", "conformance check field.pcapng -k 2"


def test_a_violation_at_90_columns() -> None:
    text = account_text(account(finding(6)), excerpt(), 90, show=SHOW, again=AGAIN)
    assert text == (
        """\
✗ field.pcapng connection 2   violation
  client 192.0.2.1:40000   server 192.0.2.2:80
  40 packets, 1 to 40, captured at the server

  packet       time       delta client                                              server
       1   0.000 ms             ├─ S 0:0(0) win 64240 ──────────────────────────────────▶│
       2   1.000 ms   +1.000 ms │◀─────────────────────────── S. 0:0(0) ack 1 win 64240 ─┤
                                ⋮ 2 more
       5   4.000 ms   +3.000 ms ├─ . 0:5(5) ack 1 win 64240 ────────────────────────────▶│
✗      6   5.000 ms   +1.000 ms │◀──────────────────────────── . 0:5(5) ack 1 win 64240 ─┤
       7   6.000 ms   +1.000 ms ├─ . 0:5(5) ack 1 win 64240 ────────────────────────────▶│
                                ⋮ 33 more

  ✗ packet 6: violation of RFC9293/3.10.7.4-ack-unsent by the server   ack-of-unsent
  acknowledges 6000, where 1 is all that was sent
  MUST       Only what was sent is acknowledged

  wireshark  wireshark -r field.pcapng -g 6
  again      conformance check field.pcapng -k 2
"""
    )


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_ladder_is_as_wide_as_it_may_be(width: int) -> None:
    lines = account_text(account(finding()), excerpt(), width).splitlines()
    assert {cell_len(line) for line in lines if line.endswith(("│", "┤"))} == {width}


def test_a_long_number_has_its_column() -> None:
    numbered = Excerpt(START, [passed(9), passed(12_345_678), 3])
    assert {cell_len(line) for line in account_text(account(), numbered).splitlines() if line.endswith(("│", "┤"))} == {80}


@pytest.mark.parametrize("t", [-(1 << 63), -1, 0, 1 << 62, (1 << 64) - 1])
def test_a_time_of_any_size_fits(t: int) -> None:
    odd = Excerpt(START, [passed(1), Passed(Seen(2, t, passed(2).seen.packet), True), passed(3)])
    assert {cell_len(line) for line in account_text(account(), odd).splitlines() if line.endswith(("│", "┤"))} == {80}


def test_all_packets_that_show_something_are_marked() -> None:
    text = account_text(account(finding(5), finding(7)), excerpt())
    assert [line.split()[1] for line in text.splitlines() if line.startswith("✗ ") and "│" in line] == ["5", "7"]


def test_what_endpoints_did_is_said_of_them() -> None:
    found = finding(rule=SHOULD, endpoint=CLIENT), finding(certain=False), finding(9, endpoint="192.0.2.9:9", certain=False)
    text = account_text(account(*found), None, 120)
    assert "✗ packet 6: deviation from RFC9293/SHLD-18 by the client   late-ack\n" in text
    assert "? packet 6: perhaps against RFC9293/3.10.7.4-ack-unsent by the server   " in text
    assert "? packet 9: perhaps against RFC9293/3.10.7.4-ack-unsent by 192.0.2.9:9   " in text


def test_many_findings_are_cut() -> None:
    rules = [Rule(f"rule-{number}", f"RFC1/{number}", "MUST", "x") for number in range(8)]
    text = account_text(account(*(finding(rule=rule) for rule in rules)), None)
    assert "rule-4" in text and "rule-5" not in text and "  … and 3 more\n" in text


def test_a_connection_without_findings_is_shown_too() -> None:
    text = account_text(account(), excerpt())
    assert text.startswith("✓ field.pcapng connection 2   conforms\n") and "✗" not in text and text.endswith("⋮ 33 more\n")


def test_what_could_not_be_judged_is_said() -> None:
    held = Account.of("x.pcap", connection(finding(), unjudged="begins in the middle"), ambiguous=True)
    assert "\n  not judged in full: begins in the middle\n" in account_text(held, None)


def test_without_the_syn_numbers_count_from_the_first_that_passed() -> None:
    middle = connection(finding(5))
    middle.client_isn = middle.server_isn = None
    held = Account.of("x.pcap", middle, ambiguous=True)
    text = account_text(held, Excerpt(START, [passed(4, RST), passed(5), passed(6, ACK | RST, from_client=False)]))
    assert "├─ R 1:6(5) win 64240 ─" in text and "├─ . 1:6(5) ack 1 win 64240 ─" in text and " R. 0:5(5) ack 2 win 64240 ─┤" in text


def test_icmp_and_what_cannot_be_read_have_their_row() -> None:
    icmp = Icmp(Family.IPV4, b"\1\2\3\4", b"\1\2\3\5", 3, 4, 1400, b"", None)
    odd = Excerpt(START, [Passed(Seen(1, START, icmp), False), Passed(Seen(2, START, Unreadable("not IP", b"12")), True)])
    text = account_text(account(), odd)
    assert " frag-needed mtu 1400 ─┤" in text and "├─ 2 bytes: not IP ─" in text


def test_the_commands_are_never_broken() -> None:
    long = f"conformance check {'x' * 200} -k 2"
    assert f"  again      {long}\n" in account_text(account(), None, again=long)


def test_one_line_says_the_worst() -> None:
    held = account(finding(certain=False), finding(rule=SHOULD), finding())
    assert account_line(held).plain == (
        "✗ violation  field.pcapng connection 2  packet 6: RFC9293/3.10.7.4-ack-unsent: "
        "acknowledges 6000, where 1 is all that was sent (and 2 more)"
    )
    assert account_line(account()).plain == "✓ conforms   field.pcapng connection 2"


def test_every_verdict_has_a_mark() -> None:
    assert MARKS.keys() == set(Verdict)


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_no_text_steers_a_terminal(text: str, other: str) -> None:
    rule = Rule(text, other, text, other)
    hostile = Finding(rule, 2, text, 6, MS, True, other)
    held = Account.of(text, connection(hostile), ambiguous=True)
    held.connection.client, held.connection.server, held.connection.unjudged = text, other, text
    shown = account_text(held, Excerpt(START, [Passed(Seen(6, MS, Unreadable(text, b"")), True)]), show=text, again=other)
    assert shown.replace("\n", "").isprintable()
    assert account_line(held).plain.isprintable()


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "[link=http://x]y", ":smile:", "[bold", "\\[a]"])
def test_markup_is_shown_as_it_is(text: str) -> None:
    shown = account_text(account(finding(reason=text), file=text), None, again=text)
    assert shown.count(text) == 3
