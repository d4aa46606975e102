"""One case run explained."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from conformance.report.judgement import Judgement
from conformance.report.ladder import MARKS, ladder_text
from conformance.result import Verdict
from conformance.trace import Trace

from .sample import case, failure, result
from .test_safe_text import HOSTILE

TEXTS = {"RFC9293/MUST-11": "A stack keeps track of whether a connection reached SYN-RECEIVED by a passive open or by an active one."}


def test_a_failure_at_80_columns() -> None:
    text = ladder_text(result(Verdict.FAIL, attempts=2, capture="out/x.pcapng"), TEXTS, 80)
    head, tail = text.split("    1.200 s   +0.001 ms │ the tester was 3 ms late")
    assert head.startswith(
        "✗ handshake/passive-open[ipv4]   violation   MUST   on linux   2 attempts\n  A passive open completes the three-way handshake\n\n"
    )
    assert tail.split("\n", 1)[1] == (
        """
  ✗ line 12: expect: S. 0:0(0) ack 1 <mss *>
  The segment differs in its ack.
  why: The SYN takes one number of the sequence space.
  expected   S. 0:0(0) ack 1 <mss *>
  actual     S. 0:0(0) ack 2 <mss 1460>

  field  expected  actual
  ack    1         2

  RFC9293/MUST-11  A stack keeps track of whether a connection reached
                   SYN-RECEIVED by a passive open or by an active one.
  RFC9293/3.5
  case       handshake/passive-open.yaml:12
  capture    out/x.pcapng
  again      conformance run cases -k 'handshake/passive-open[ipv4]'
"""
    )


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_its_width(width: int) -> None:
    assert max(map(len, ladder_text(result(Verdict.FAIL), TEXTS, width).splitlines())) == width


def test_the_command_is_never_broken() -> None:
    long = result(Verdict.FAIL, case_id="a/" + "b" * 200 + "[it's]")
    assert f"  again      conformance run cases -k 'a/{'b' * 200}[it'\"'\"'s]'\n" in ladder_text(long, width=80)


def test_the_command_can_be_another() -> None:
    text = ladder_text(result(Verdict.FAIL), command=lambda result: f"conformance run mine --sut {result.sut}")
    assert "  again      conformance run mine --sut linux\n" in text


def test_a_pass_has_no_failure_and_its_exchange() -> None:
    passed = result()
    passed.trace.events = []
    text = ladder_text(passed)
    assert text.startswith("✓ handshake/passive-open[ipv4]   pass") and "line" not in text
    assert "  case       handshake/passive-open.yaml\n" in text


def test_a_skipped_run_says_why_without_an_exchange() -> None:
    text = ladder_text(result(Verdict.SKIPPED, failure=failure(reason="linux lacks fast_open"), trace=Trace()))
    assert "linux lacks fast_open" in text and "peer" not in text


def test_the_reason_of_the_expectations_is_given() -> None:
    assert "  explained  Linux does this since 2.6.\n" in ladder_text(
        result(Verdict.FAIL, expected=True, explanation="Linux does\nthis since 2.6.")
    )


def test_every_judgement_has_a_mark() -> None:
    assert MARKS.keys() == set(Judgement)


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_no_text_steers_a_terminal_or_is_taken_for_markup(text: str, other: str) -> None:
    hostile = result(Verdict.FAIL, failure=failure(step=text, reason=other, expected=text, actual=other, why=text, file=other))
    hostile.case = case(text, title=other, level="MUST")
    hostile.sut, hostile.explanation, hostile.capture = other, text, other
    shown = ladder_text(hostile, {"RFC9293/3.5": text})
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "[link=http://x]y", ":smile:", "[bold", "\\[a]"])
def test_markup_is_shown_as_it_is(text: str) -> None:
    hostile = result(Verdict.FAIL, failure=failure(step=text, reason=text, actual=text), case_id=f"a/b{text}")
    assert ladder_text(hostile).count(text) >= 4
