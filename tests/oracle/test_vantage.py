"""Where a capture was taken decides what it shows: what an end had seen by then can only be said of an end that is near."""

from __future__ import annotations

import pytest

from conformance.oracle.finding import Vantage
from conformance.oracle.side import Side
from conformance.oracle.whereabouts import Whereabouts

from .dialogues import DIALOGUES
from .talk import Talk, breaches, judged, talk

ANYWHERE = {
    "ack-of-unsent", "beyond-window", "data-after-fin", "data-before-handshake", "echo-of-unsent", "echo-without-ack", "ecn-unasked",
    "ect-on-syn", "fin-moved", "isn-changed", "isn-constant", "isn-from-clock", "isn-reused", "mss-without-syn", "no-ack-flag",
    "option-after-end", "option-length", "options-not-counted", "over-default-mss", "over-mss", "reserved-bits", "sack-format",
    "sack-not-isolated", "sack-of-acknowledged", "sack-permitted-without-syn", "sack-unasked", "source-address", "syn-ack-number",
    "syn-window-scaled", "time-wait-reused", "timestamp-missing", "timestamps-unasked", "window-shrunk", "wscale-above-14",
    "wscale-unasked",
}  # fmt: skip
"""A breach of these shows in the packets themselves, or in their order on any one path."""
OWN = {"ack-of-missing", "no-reset", "not-current", "not-retransmitted", "sack-of-unsent", "sequence-gap"}
"""These are not certain unless the capture is known to have all, or tell of themselves that the end is not near: below."""
TELLING = {"first-sample", "retransmitted-sacked", "timer-not-restarted", "too-early"}
"""In these the client answers the SYN,ACK at once, and the server takes a hundred times as long: the capture is the client's."""
FAR = {"client": Vantage.SERVER, "server": Vantage.CLIENT}


def seen_from(told: Talk, vantage: Vantage | None, rule: str) -> list[bool]:
    """Of each finding of the rule: is it certain?"""
    told.vantage = vantage
    return [finding.certain for connection in judged(told) for finding in connection.findings if finding.rule.name == rule]


@pytest.mark.parametrize("rule", sorted({*DIALOGUES} - OWN))
def test_what_needs_a_near_end_is_found_there_only(rule: str) -> None:
    told = talk(DIALOGUES[rule], rule)
    (who,) = {who for name, who, _ in told.breaches if name == rule}
    anywhere = rule in ANYWHERE
    assert seen_from(told, Vantage(who), rule) == [True]
    assert seen_from(told, FAR[who], rule) == [True] * anywhere
    assert seen_from(told, Vantage.MIDDLE, rule) == [True] * anywhere
    assert seen_from(told, None, rule) == [anywhere or rule in TELLING], "no telling: ambiguous"


@pytest.mark.parametrize(
    ("rule", "near", "far", "unknown", "both"),
    [
        ("ack-of-missing", [False], [False], [False], [True]),
        ("sack-of-unsent", [False], [False], [False], [True]),
        ("not-retransmitted", [False], [], [False], [True]),
        ("no-reset", [False], [], [False], [True]),
        ("sequence-gap", [False], [], [], [False]),
        ("not-current", [True], [], [], [True]),
    ],
)
def test_what_the_capture_may_have_missed(rule: str, near: list[bool], far: list[bool], unknown: list[bool], both: list[bool]) -> None:
    told = talk(DIALOGUES[rule], rule)
    (who,) = {who for name, who, _ in told.breaches if name == rule}
    assert seen_from(told, Vantage(who), rule) == near
    assert seen_from(told, FAR[who], rule) == far
    assert seen_from(told, None, rule) == unknown
    assert seen_from(told, Vantage.BOTH, rule) == both


LOSSY = """
    open heard
    > P. 11:21(10) ack 1
    < . 1:1(0) ack 11 after=30
    > P. 11:21(10) ack 1 after=1200
    < . 1:1(0) ack 21 after=30
    """
"""Taken at the client: what it sent was lost on the way to the server."""


@pytest.mark.parametrize(
    ("vantage", "rules"), [(Vantage.CLIENT, set()), (None, set()), (Vantage.MIDDLE, set()), (Vantage.SERVER, {"late-ack", "not-current"})]
)
def test_a_loss_is_not_the_far_ends_fault(vantage: Vantage | None, rules: set[str]) -> None:
    told = talk(LOSSY)
    told.vantage = vantage
    assert {rule for rule, _, _ in breaches(judged(told))} == rules


@pytest.mark.parametrize(
    ("outbound", "certain"), [((True, False), []), ((False, True), [True]), ((None, None), [False]), ((True, True), [True])]
)
def test_the_direction_says_which_end_took_the_capture(outbound: tuple[bool | None, bool | None], certain: list[bool]) -> None:
    """Of the client's segments, and the server's; the server breaks the rule."""
    told = talk(DIALOGUES["late-ack"], "late-ack")
    for packet in told.packets:
        packet.outbound = outbound[packet.packet.sport == 80]  # type: ignore[union-attr]
    assert seen_from(told, None, "late-ack") == certain


@pytest.mark.parametrize(
    ("reaction", "certain"),
    [(0.02, [True]), (0.095, [True]), (0.096, [False]), (1, [False])],
    ids=["at once", "far sooner", "not quite", "like the other end"],
)
def test_who_answers_at_once_is_near(reaction: float, certain: list[bool]) -> None:
    """The server answers each segment after so many ms; the client acknowledges its SYN two ms after the own one."""
    told = talk(DIALOGUES["late-ack"], "late-ack")
    for index in (1, 4):  # its SYN,ACK, and its first ACK
        told.packets[index].t = told.packets[index - 1].t + round(reaction * 1_000_000)
    assert seen_from(told, None, "late-ack") == certain


# The evidence itself ----------------------------------------------------------------------------------------------------

US = 1000


@pytest.mark.parametrize(
    ("client", "server", "places"),
    [
        ({}, {}, (None, None)),
        ({"reaction": 20 * US}, {}, (True, None)),
        ({"reaction": 21 * US}, {}, (None, None)),
        ({"reaction": 20 * US}, {"reaction": 20 * US}, (True, True)),
        ({"reaction": 50 * US}, {"reaction": 1001 * US}, (True, False)),
        ({"reaction": 50 * US}, {"reaction": 1000 * US}, (None, None)),
        ({"reaction": 1001 * US}, {"reaction": 50 * US}, (False, True)),
        ({"reaction": 5000 * US}, {"reaction": 100_001 * US}, (True, False)),
        ({"reaction": 5001 * US}, {"reaction": 200_000 * US}, (None, False)),
        ({"reaction": 1 * US, "missing": True}, {}, (False, None)),
        ({"reaction": 1 * US, "deaf": True}, {}, (False, None)),
        ({"reaction": 1 * US, "outbound": False}, {"outbound": True}, (False, True)),
        ({"outbound": True}, {"outbound": False}, (True, False)),
        ({"outbound": True, "deaf": True}, {}, (False, None)),
    ],
)
def test_evidence(client: dict[str, int | bool], server: dict[str, int | bool], places: tuple[bool | None, bool | None]) -> None:
    sides = Side("192.0.2.1:40000", **client), Side("192.0.2.2:80", **server)  # type: ignore[arg-type]
    assert Whereabouts(None).near(*sides) == places


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (Vantage.CLIENT, (True, False)), (Vantage.SERVER, (False, True)), (Vantage.BOTH, (True, True)), (Vantage.MIDDLE, (False, False)),
    ],
)  # fmt: skip
def test_what_is_given_needs_no_evidence(given: Vantage, places: tuple[bool, bool]) -> None:
    sides = Side("192.0.2.1:40000", deaf=True, outbound=False), Side("192.0.2.2:80", reaction=1)
    assert Whereabouts(given).near(*sides) == places


def test_a_host_is_where_its_other_connections_say_that_it_is() -> None:
    places = Whereabouts(None)
    assert places.near(Side("192.0.2.1:1", reaction=US), Side("192.0.2.2:80", missing=True)) == (True, False)
    assert places.near(Side("192.0.2.1:2"), Side("192.0.2.2:80")) == (True, False)
    assert places.near(Side("[2001:db8::1]:2"), Side("[2001:db8::2]:80")) == (None, None)
    assert places.near(Side("192.0.2.1:3", deaf=True), Side("192.0.2.2:80")) == (False, False), "it has shown that it is not"
