"""The ladder of a trace."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from conformance.report.exchange import draw_exchange
from conformance.report.rows import fold
from conformance.trace import Called, Endpoints, Event, Note, Received, Returned, Sent, StateChanged, Trace
from conformance.wire.segment import ACK, SYN, Family, Icmp, Unreadable

from .sample import PEER, PEER_ISN, START, SUT, SUT_ISN, frame, handshake, segment
from .test_safe_text import HOSTILE

MS = 1_000_000


def drawn(trace: Trace, width: int = 80, missing: str = "", most: int | None = None) -> list[str]:
    return [line.plain for line in draw_exchange(trace, width, missing=missing, most=most)]


def trace(*events: Event) -> Trace:
    ends = Endpoints("default", PEER, 40_000, SUT, 80, PEER_ISN, SUT_ISN)
    return Trace(list(events), {"default": ends, "c2": ends}, start=START)


def test_a_handshake_at_80_columns() -> None:
    assert drawn(handshake()) == [
        "        time       delta peer                                                SUT",
        "    0.004 ms             │                                        socket() = s │",
        "    0.031 ms   +0.027 ms │                                  s: CLOSED → LISTEN │",
        "    0.040 ms   +0.009 ms │                                         accept(s) … │",
        "    0.112 ms   +0.072 ms ├─ S 0:0(0) win 64240 ───────────────────────────────▶│",
        "                         │   <mss 1460,sackOK,TS val 3456789012 ecr 100,nop,   │",
        "                         │   wscale 7>                                         │",
        "✗   0.139 ms   +0.027 ms │◀── S. 0:0(0) ack 1 win 64240 ───────────────────────┤",
        "                         │    <mss 1460,sackOK,TS val 3456789012 ecr 100,nop,  │",
        "                         │    wscale 7>                                        │",
        "     1.200 s    +1.200 s │◀╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ (no connection) 2 bytes: not IP ╌┤",
        "     1.200 s   +0.001 ms │ the tester was 3 ms late                            │",
    ]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_all_lines_are_as_wide_as_they_may_be(width: int) -> None:
    assert {cell_len(line) for line in drawn(handshake(), width)} == {width}


def test_a_segment_that_fits_takes_one_line() -> None:
    (line,) = (line for line in drawn(handshake(), 120) if " S. " in line)
    assert line.endswith("─ S. 0:0(0) ack 1 win 64240 <mss 1460,sackOK,TS val 3456789012 ecr 100,nop,wscale 7> ─┤")


def test_what_failed_is_red_and_what_nobody_asked_for_is_dim() -> None:
    styles = {line.plain[:12].strip(): [str(span.style) for span in line.spans] for line in draw_exchange(handshake(), 80)}
    assert styles["✗   0.139 ms"] == ["bold red", "bold red"]
    assert styles["1.200 s"] == ["dim", "italic dim"]
    assert styles["0.031 ms"] == ["dim", "magenta"]


def test_a_frame_that_nobody_has_read_yet_is_read() -> None:
    (_, line) = drawn(trace(Sent(t=START, step=0, frame=frame(b"hello"), connection="default")))
    assert "├─ . 1:6(5) ack 1 win 512 ──" in line


def test_other_connections_are_named() -> None:
    synack = segment(SYN | ACK, from_peer=False, options=())
    (_, line) = drawn(trace(Received(t=START, step=0, frame=b"", packet=synack, connection="c2")))
    assert " c2: S. 0:0(0) ack 1 win 64240 ─┤" in line


def test_icmp_is_named() -> None:
    icmp = Icmp(Family.IPV4, SUT, PEER, 3, 3, 0, b"", None)
    (_, line) = drawn(trace(Received(t=START, step=0, frame=b"", packet=icmp, connection="default")))
    assert line.endswith("─ port-unreachable ─┤")


def test_a_call_is_one_row_if_nothing_came_between_it_and_its_return() -> None:
    call, back = Called(t=START, step=0, text="send(c, 5)"), Returned(t=START + 2, step=0, text="send(c, 5) = 5")
    data = Received(t=START + 1, frame=b"", packet=Unreadable("x", b""), connection="default")
    assert len(drawn(trace(call, back))) == 2
    assert [line[26:-1].split("─")[0].strip(" │") for line in drawn(trace(call, data, back))[1::2]] == ["send(c, 5) …", "send(c, 5) = 5"]


def test_events_before_the_start_have_negative_times() -> None:
    (_, line) = drawn(trace(StateChanged(t=START - 1500, who="s", old="CLOSED", new="LISTEN")))
    assert re.match(r" {3}-0\.00[12] ms  ", line)


def test_a_step_that_got_nothing_is_marked_at_the_end() -> None:
    *_, last = drawn(trace(Note(t=START, text="x")), missing="line 12: expect: S. 0:0(0)")
    assert last.startswith("✗  ") and last.endswith("line 12: expect: S. 0:0(0) │")
    assert not any("line 12" in line for line in drawn(handshake(), missing="line 12: expect: S. 0:0(0)"))


@pytest.mark.parametrize("failed", [None, 0, 2, 50, 99])
def test_a_long_exchange_is_cut_around_the_failure(failed: int | None) -> None:
    notes = [Note(t=START + number * MS, text=f"note {number};", failed=number == failed) for number in range(100)]
    lines = drawn(trace(*notes), most=20)
    kept = [line for line in lines[1:] if "note" in line]
    left_out = [int(line.split("⋮")[1].split()[0]) for line in lines if "⋮" in line]
    assert len(kept) == 20 and len(kept) + sum(left_out) == 100
    assert "note 0;" in kept[0] and f"note {99 if failed is None else failed};" in "".join(kept)


@given(HOSTILE, st.integers(40, 130))
def test_no_text_of_a_stack_breaks_the_drawing(text: str, width: int) -> None:
    packet = Unreadable(text, b"")
    hostile = trace(
        Called(t=START, text=text),
        StateChanged(t=START, who=text, old=text, new=text),
        Received(t=START, frame=b"", packet=packet, connection=text),
        Note(t=START, text=text),
    )
    lines = drawn(hostile, width)
    assert all(line.isprintable() for line in lines)
    assert len({cell_len(line) for line in lines}) == 1


@given(st.text(alphabet="ab ,<>→日", max_size=200), st.integers(10, 60))
def test_folding_keeps_the_text_and_the_room(text: str, room: int) -> None:
    lines = fold(text, room)
    assert all(cell_len(line) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
