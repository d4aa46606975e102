"""Dialogues that the oracle once did not judge rightly."""

from __future__ import annotations

import pytest

from .talk import breaches, judged, talk

PROBED = """
    > S 0:0(0) opts=mss
    < S. 0:0(0) ack 1 opts=mss win=100
    > . 1:1(0) ack 1
    > P. 1:101(100) ack 1
    < . 1:1(0) ack 101 win=0
    """ + "".join(f"> . 100:100(0) ack 1 after={wait}\n< . 1:1(0) ack 101 win=0\n" for wait in (500, 1000, 2000, 4000, 8000))  # fmt: skip
DIALOGUES = {
    "probe-missing": f"""{PROBED}
        < . 1:1(0) ack 101 win=5000 after=6000
        > P. 101:201(100) ack 1 after=0
        """,
    "time-wait-reopened": """
        open plain
        < F. 1:1(0) ack 1
        > . 1:1(0) ack 2
        > F. 1:1(0) ack 2
        < . 2:2(0) ack 2
        connection peer_isn=900 sut_isn=77
        > S 0:0(0) opts=mss after=3600000
        < S. 0:0(0) ack 1 opts=mss
        """,
    "isn-changed": """
        > S 0:0(0) opts=mss
        < S 0:0(0) opts=mss
        !> S. 5:5(0) ack 1 opts=mss
        """,
    "retransmitted-sacked": """
        near client
        > S 0:0(0) opts=mss,ok
        < S. 0:0(0) ack 1 opts=mss,ok after=100
        > . 1:1(0) ack 1
        > . 1:101(100) ack 1
        > . 101:201(100) ack 1
        > . 201:301(100) ack 1
        < . 1:1(0) ack 1 opts=nop,nop,sack:101:201 after=100
        !> . 101:201(100) ack 1
        """,
}
"""By the rule that was found where all is right, or not found where it is broken."""


@pytest.mark.parametrize("rule", DIALOGUES)
def test_it_is_judged_rightly(rule: str) -> None:
    told = talk(DIALOGUES[rule], rule)
    assert breaches(judged(told)) == told.breaches
