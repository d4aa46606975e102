"""Captures that begin late, end early, or miss some of what passed: nobody is blamed for what they do not show."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from conformance.oracle.certainty import ALONE, LATER, ONCE, TWICE
from conformance.oracle.finding import Vantage
from conformance.oracle.rules import RULES
from conformance.trace import Seen

from .partial import CUTS, alarms
from .screening import chatter
from .talk import Breach, breaches, judged, talk

SETTINGS: tuple[dict[str, Any], ...] = ({}, {"timestamps": False, "sack": False, "window_scaling": False})


@cache
def ordinary(number: int) -> tuple[Seen, ...]:
    return tuple(chatter(SETTINGS[number], 5))


def said(text: str, vantage: Vantage = Vantage.BOTH) -> tuple[set[Breach], set[Breach]]:
    """What is certain, and what is not, for a machine with an ordinary clock."""
    told = talk(f"slack 10\n{text}")
    told.vantage = vantage
    found = judged(told)
    return breaches(found, certain=True), breaches(found, certain=False)


def test_the_tables_name_rules() -> None:
    assert set(RULES) >= ALONE | LATER | ONCE | TWICE
    assert not ALONE & (LATER | ONCE | TWICE)
    assert not ONCE & TWICE


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_what_is_missing_is_nobodys_fault(number: int, cut: str) -> None:
    vantages = (None, Vantage.CLIENT, Vantage.SERVER)
    assert [str(alarm) for alarm in alarms(ordinary(number), vantages, range(2), [cut])] == []


# The beginning is missing -----------------------------------------------------------------------------------------------

AGAIN = """
    > P. 101:111(10) ack 101
    < . 101:101(0) ack 111 after=20
    > P. 101:111(10) ack 101 after=200
    """
"""The client sends again what has been acknowledged."""
ROUND = "\n> P. {0}:{1}(10) ack {0}\n< P. {0}:{1}(10) ack {1}"
SETTLED = "".join(ROUND.format(begin, begin + 10) for begin in (71, 81, 91)) + "\n> . 101:101(0) ack 101"


@pytest.mark.parametrize(("before", "certain"), [("", False), (ROUND.format(91, 101), False), (SETTLED, True)], ids=["", "soon", "settled"])
def test_the_middle_is_judged_once_it_is_settled(before: str, certain: bool) -> None:
    sure, unsure = said(before + AGAIN)
    assert {rule for rule, _, _ in (sure if certain else unsure)} == {"retransmitted-acknowledged"}
    assert not (unsure if certain else sure)


def test_what_one_packet_shows_needs_no_beginning() -> None:
    assert said("> P. 1:11(10) ack 1 reserved=4") == ({("reserved-bits", "client", 1)}, set())
    assert said("> P. 1:11(10) ack 1 reserved=1") == (set(), {("reserved-bits", "client", 1)}), "Accurate ECN may have been agreed on"


@pytest.mark.parametrize("vantage", [Vantage.CLIENT, Vantage.SERVER])
def test_nobody_knows_who_the_client_was(vantage: Vantage) -> None:
    """So the machine that took the capture may be either."""
    sure, unsure = said(SETTLED + AGAIN, vantage)
    assert not sure and len(unsure) == 1


def test_a_syn_after_the_end_begins_another_connection() -> None:
    closing = """
        > . 1:1(0) ack 1
        < F. 1:1(0) ack 1
        > F. 1:1(0) ack 2
        < . 2:2(0) ack 2
        connection peer_isn=7000 sut_isn=9000
        open plain
        > P. 1:11(10) ack 1
        """
    assert len(judged(talk(closing))) == 2
    assert said(closing) == (set(), set())


def test_the_syn_of_who_opens_at_the_same_time_may_be_missing() -> None:
    opening = """
        > S 0:0(0) opts=mss,ts:100
        < S. 0:0(0) ack 1 opts=mss,ts:220:100
        > S. 0:0(0) ack 1 opts=mss,ts:120:200
        """
    assert said(opening) == (set(), {("echo-of-unsent", "client", 3)})


# One side is missing ----------------------------------------------------------------------------------------------------


def test_who_acknowledges_what_is_not_there_has_heard_of_it() -> None:
    one_sided = """
        > S 0:0(0) opts=mss
        > . 1:1(0) ack 1
        > P. 1:11(10) ack 1
        > . 11:11(0) ack 500 reserved=2
        """
    sure, unsure = said(one_sided)
    assert sure == {("reserved-bits", "client", 4)}
    assert ("data-before-handshake", "client", 3) in unsure


# Packets are missing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("echo", "certain"), [(1, True), (3, False), (4, False), (90_000, True)], ids=["before", "between", "at", "future"]
)
def test_a_timestamp_may_be_that_of_a_missing_segment(echo: int, certain: bool) -> None:
    found = said(f"""
        > S 0:0(0) opts=mss,ts:2
        < S. 0:0(0) ack 1 opts=mss,ts:2:2
        > . 1:1(0) ack 1 opts=ts:5:2
        < P. 1:11(10) ack 1 opts=ts:3:{echo}
        """)  # fmt: skip
    assert (("echo-of-unsent", "server", 4) in found[0]) == certain
    assert (("echo-of-unsent", "server", 4) in found[1]) == (not certain)


@pytest.mark.parametrize(("window", "certain"), [(0, True), (5000, False)], ids=["as it was", "it may have been larger"])
def test_the_next_window_tells_whether_one_is_missing(window: int, certain: bool) -> None:
    beyond = """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss win=100
        > . 1:1(0) ack 1
        > . 1:101(100) ack 1
        > P. 101:201(100) ack 1
        """
    assert said(beyond) == (set(), {("beyond-window", "client", 5)}), "nothing comes any more"
    found = said(f"{beyond}\n< . 1:1(0) ack 101 win={window}")
    assert found[not certain] == {("beyond-window", "client", 5)} and not found[certain]


@pytest.mark.parametrize(("ack", "certain"), [("1:1(0) ack 1", True), ("1:1(0) ack 11", False)], ids=["the first", "a later one"])
def test_the_next_acknowledgment_tells_whether_that_of_the_syn_is_missing(ack: str, certain: bool) -> None:
    found = said(f"""
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        < P. 1:11(10) ack 1
        > . {ack}
        """)  # fmt: skip
    assert found[not certain] == {("data-before-handshake", "server", 3)} and not found[certain]


HEARD = "open heard\n> P. 11:21(10) ack 1"
LATE = {
    "the next data is answered": ("> P. 21:31(10) ack 1 after=600\n< . 1:1(0) ack 31", False),
    "it is acknowledged, and nothing has come": ("< . 1:1(0) ack 21 after=600", True),
    "it is acknowledged with data": ("< P. 1:11(10) ack 21 after=600", False),
    "it comes again": ("> P. 11:21(10) ack 1 after=600\n< . 1:1(0) ack 21", True),
    "and once more": ("> P. 21:31(10) ack 1 after=600\n< . 1:1(0) ack 31\n> P. 31:41(10) ack 1\n> P. 41:51(10) ack 1 after=600", True),
}


@pytest.mark.parametrize(("then", "certain"), LATE.values(), ids=LATE)
def test_an_acknowledgment_may_be_missing(then: str, certain: bool) -> None:
    found = said(f"{HEARD}\n{then}")
    assert {rule for rule, _, _ in found[not certain]} == {"late-ack"}
    assert "late-ack" not in {rule for rule, _, _ in found[certain]}


@pytest.mark.parametrize(("later", "certain"), [(0, True), (95, False)], ids=["at once", "an ACK may have come"])
def test_so_much_before_any_acknowledgment_only_if_none_can_have_come(later: int, certain: bool) -> None:
    first = "".join(f"\n> . {begin}:{begin + 1460}(1460) ack 1 after=0" for begin in range(1, 14_601, 1460))
    more = f"\n> . 14601:16061(1460) ack 1 after={later}"
    found = said(f"open far\n{first}{more}", Vantage.CLIENT)
    assert {rule for rule, _, _ in found[not certain]} <= {"initial-window"} and not found[certain]


GONE = """
    open plain
    > P. 1:11(10) ack 1
    < . 1:1(0) ack {ack}
    > {next}
    """


@pytest.mark.parametrize(
    ("then", "certain"),
    [("P. 21:31(10) ack 1", None), (". 11:11(0) ack 1", True), ("P. 11:21(10) ack 1", False), ("P. 11:31(20) ack 1", True)],
    ids=["it was missed", "it was never sent", "it may come again", "it goes on from there"],
)
def test_what_is_acknowledged_may_be_missing(then: str, certain: bool | None) -> None:
    """The server acknowledges twenty octets, of which the capture has ten; the client shows soon what it has sent."""
    told = talk("slack 10\nnear server\n" + GONE.format(ack=21, next=then))
    found = [finding.certain for connection in judged(told) for finding in connection.findings if finding.rule.name == "ack-of-unsent"]
    assert found == ([] if certain is None else [certain])


AGAIN_SOON = {
    "the SYN": "< S. 0:0(0) ack 1 opts=mss\n> . 1:1(0) ack 1\n",
    "the SYN,ACK": "> S 0:0(0) opts=mss\n> . 1:1(0) ack 1\n",
    "both": "> . 1:1(0) ack 1\n",
}


@pytest.mark.parametrize("handshake", AGAIN_SOON.values(), ids=AGAIN_SOON)
def test_the_same_ports_may_be_used_again(handshake: str) -> None:
    """Of the second connection some of the handshake is missing."""
    found = said(f"""
        open plain
        < F. 1:1(0) ack 1
        > F. 1:1(0) ack 2
        < . 2:2(0) ack 2
        connection peer_isn=70000 sut_isn=90000
        {handshake}> P. 1:11(10) ack 1
        < P. 1:101(100) ack 11
        > . 11:11(0) ack 101
        """)
    assert not found[0]


def test_what_was_found_before_packets_are_missed_stays() -> None:
    late = f"{HEARD}\n< . 1:1(0) ack 21 after=600\n> P. 21:31(10) ack 1\n< P. 1:11(10) ack 31\n> P. 31:41(10) ack 11\n< P. 11:21(10) ack 41"
    missed = "\n< . 21:21(0) ack 500\n> P. 500:510(10) ack 21"
    found = said(late + missed)[0]
    assert {rule for rule, _, _ in found} == {"late-ack"}
    soon = f"{HEARD}\n< . 1:1(0) ack 21 after=600{missed.replace('21:21', '1:1').replace('ack 21', 'ack 1')}"
    assert not said(soon)[0], "nobody knows since when they are missing"
