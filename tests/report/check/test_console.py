"""A check in a log and on a terminal."""

from __future__ import annotations

import io
from collections import Counter

import pytest

from conformance.oracle.finding import Vantage
from conformance.report.check.console import LISTED, CheckConsole
from conformance.report.check.summary import FileSummary

from .sample import SHOULD, account, connection, excerpt, finding, summary


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


def said(console: CheckConsole) -> list[str]:
    return console._console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def console(*, every: bool = False) -> CheckConsole:
    return CheckConsole(io.StringIO(), every=every)


def test_a_file_has_a_line() -> None:
    shown = console()
    shown.file("good.pcap", summary(connection()))
    shown.file("bad.pcap", summary(connection(finding(), finding(rule=SHOULD), finding(certain=False)), connection()))
    shown.file("odd.pcap", summary(connection(finding(certain=False), finding(8, certain=False))))
    shown.file("none.pcap", FileSummary(packets=1))
    assert said(shown) == [
        "✓ good.pcap  1,204 packets, 1 connection",
        "✗ bad.pcap  1,204 packets, 2 connections: 1 violation and 1 deviation in 1 connection, 1 ambiguous",
        "? odd.pcap  1,204 packets, 1 connection: 2 ambiguous",
        "✓ none.pcap  1 packet, 0 connections",
    ]


def test_a_file_that_ends_too_early_says_so() -> None:
    shown = console()
    cut = summary(connection())
    cut.truncated = "octet 1000: the file ends within a packet\x1b[2J"
    shown.file("cut.pcap", cut)
    assert said(shown)[1:] == ["  octet 1000: the file ends within a packet\\x1b[2J"]


def test_connections_are_shown_in_full() -> None:
    shown = console()
    shown.connections([(account(finding()), excerpt())], show=lambda _: "SHOW", again=lambda held: f"AGAIN {held.connection.number}")
    text = "\n".join(said(shown))
    assert "✗ field.pcapng connection 2   violation" in text and "wireshark  SHOW\n" in text and text.endswith("again      AGAIN 2")
    assert max(map(len, said(shown))) == 120, "a log's width"


def test_the_others_have_a_line_each_as_far_as_there_is_room() -> None:
    shown = console()
    shown.others([account(finding())] * (LISTED + 2), 1_000_000)
    lines = said(shown)
    assert sum(line.startswith("✗ violation  field.pcapng connection 2  packet 6: ") for line in lines) == LISTED
    assert lines[-1] == "… and 1,000,002 more, which --json FILE has in full."


def test_no_others_are_not_mentioned() -> None:
    shown = console()
    shown.others([], 0)
    assert said(shown) == []


def test_the_end_says_what_there_was() -> None:
    shown = console()
    total = summary(connection(finding()), connection(unjudged="one side only", vantage=Vantage.MIDDLE), connection())
    total.unread = Counter({"protocol 17": 12, "ethertype 0x0806": 3, "a": 1, "b": 1, "c\x1b": 1, "d": 1})
    total.wrong, total.offloaded = 2, 30
    shown.finish(total, 2, 1, 0.25, commands=[("annotate", "conformance check " + "x" * 200)])
    assert said(shown)[1:] == [
        "  captured   at the server 2, somewhere between 1 (as the packets suggest; --vantage says otherwise)",
        "  in part    1 not judged in full: 1 one side only",
        "  unread     19 packets: 12 protocol 17, 3 ethertype 0x0806, 1 a, 1 b, 2 others",
        "  checksums  2 wrong, 30 left to the hardware that sent them",
        "  annotate   conformance check " + "x" * 200,
        "1,204 packets, 3 connections of 2 files in 250 ms: 1 violation in 1 connection, 1 file cannot be read",
    ]


def test_the_end_of_nothing() -> None:
    shown = console()
    shown.finish(FileSummary(), 1, 0, 0.001, interrupted=True)
    assert said(shown)[1:] == ["interrupted: 0 packets, 0 connections of 1 file in 1 ms: nothing found"]


def test_a_vantage_that_was_given_is_said_to_be() -> None:
    shown = console()
    shown.finish(summary(connection()), 1, 0, 1.0, asked=True)
    assert said(shown)[1] == "  captured   at the server 1 (as asked)"
