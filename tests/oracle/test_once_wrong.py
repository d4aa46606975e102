"""Dialogues that the oracle once did not judge rightly."""

from __future__ import annotations

import pytest

from conformance.oracle.finding import Vantage

from .talk import MS, breaches, judged, talk

PROBED = """
    > S 0:0(0) opts=mss
    < S. 0:0(0) ack 1 opts=mss win=100
    > . 1:1(0) ack 1
    > P. 1:101(100) ack 1
    < . 1:1(0) ack 101 win=0
    """ + "".join(f"> . 100:100(0) ack 1 after={wait}\n< . 1:1(0) ack 101 win=0\n" for wait in (500, 1000, 2000, 4000, 8000))  # fmt: skip
OVERTAKEN = "\n".join(f"> . 21:21(0) ack 1 opts=ts:{ts}:3" for ts in range(10, 30))
"""Old acknowledgments, with timestamps that the server may have taken."""
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
    "died-of-syn": """
        near client
        slack 10
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        > . 1:1(0) ack 1
        > P. 1:11(10) ack 1
        < S. 0:0(0) ack 1 opts=mss
        > . 11:11(0) ack 1
        < . 1:1(0) ack 11
        > R. 11:11(0) ack 1
        """,
    "window-after-syn-loss": """
        > S 0:0(0) opts=mss,ts:0
        > S 0:0(0) opts=mss,ts:1000 after=1000
        > S 0:0(0) opts=mss,ts:3000 after=2000
        < S. 0:0(0) ack 1 opts=mss,ts:3000:0
        > . 1:1(0) ack 1 opts=ts:3001:3000
        > . 1:1449(1448) ack 1 opts=ts:3001:3000
        > . 1449:2897(1448) ack 1 opts=ts:3001:3000
        """,
    "a probe of the tail with new data": """
        > S 0:0(0) opts=mss,ok
        > S 0:0(0) opts=mss,ok after=1000
        > S 0:0(0) opts=mss,ok after=2000
        < S. 0:0(0) ack 1 opts=mss,ok
        > . 1:1(0) ack 1
        > . 1:1449(1448) ack 1
        > . 1449:2897(1448) ack 1 after=2000
        """,
    "stretch-ack": """
        near server
        slack 10
        open heard-stamps
        > P. 21:31(10) ack 1 opts=ts:3:3
        < . 1:1(0) ack 11 opts=ts:4:2
        > P. 1:11(10) ack 1 opts=ts:9:3
        < . 1:1(0) ack 11 opts=ts:6:9
        > P. 11:21(10) ack 1 opts=ts:3:3
        < . 1:1(0) ack 11 opts=ts:8:9
        > . 31:131(100) ack 1 opts=ts:10:3
        < . 1:1(0) ack 11 opts=ts:10:9
        > . 131:231(100) ack 1 opts=ts:10:3
        < . 1:1(0) ack 11 opts=ts:12:9
        > . 231:331(100) ack 1 opts=ts:10:3
        < . 1:1(0) ack 11 opts=ts:14:9
        > P. 11:21(10) ack 1 opts=ts:300:14 after=300
        < . 1:1(0) ack 331 opts=ts:316:300
        """,
    "early-fast-retransmit": """
        near client
        slack 10
        open far
        > . 1:101(100) ack 1
        > . 101:201(100) ack 1
        > . 201:301(100) ack 1
        > . 301:401(100) ack 1
        > . 401:501(100) ack 1
        < . 1:1(0) ack 1 after=100
        < . 1:1(0) ack 1
        < P. 1:11(10) ack 1 after=210
        > . 1:101(100) ack 11 after=5
        """,
    "echo-not-recent": f"""
        near server
        slack 10
        open heard-stamps
        > P. 21:31(10) ack 1 opts=ts:3:3
        < P. 1:11(10) ack 11 opts=ts:5:2
        > . 31:31(0) ack 11 opts=ts:6:5
        > P. 1:11(10) ack 11 opts=ts:9:3 after=20
        < . 11:11(0) ack 11 opts=ts:26:9
        {OVERTAKEN}
        < P. 11:21(10) ack 11 opts=ts:60:9
        """,
    "no-backoff": """
        near server
        slack 10
        > S 0:0(0) opts=mss,ok
        < S. 0:0(0) ack 1 opts=mss,ok
        > . 1:1(0) ack 1
        > P. 1:11(10) ack 1
        < P. 1:11(10) ack 11
        < P. 1:11(10) ack 11 after=320
        < P. 1:11(10) ack 11 after=290
        """,
    "not-left-edge": """
        near client
        slack 10
        > S 0:0(0) opts=mss,ok,ts:0
        > S 0:0(0) opts=mss,ok,ts:1000 after=1000
        < S. 0:0(0) ack 1 opts=mss,ok,ts:2000:0 after=1000
        > . 1:1(0) ack 1 opts=ts:2000:2000
        > P. 1:11(10) ack 1 opts=ts:2002:2000
        < . 1:1(0) ack 11 opts=ts:2003:2002
        > P. 11:21(10) ack 1 opts=ts:2004:2003
        > P. 21:31(10) ack 1 opts=ts:2005:2003
        > P. 21:31(10) ack 1 opts=ts:3805:2003 after=1800
        """,
    "died-of-rst-outside": """
        near server
        slack 10
        open heard
        > R 70000:70000(0)
        > P. 11:21(10) ack 1
        < . 1:1(0) ack 21
        > P. 21:31(10) ack 1
        < R 1:1(0)
        """,
}
"""By the rule that was found where all is right, or not found where it is broken."""

ELSEWHERE = {
    "deaf": """
        > S 0:0(0) opts=mss,ts:0
        < S. 0:0(0) ack 1 opts=mss,ts:0:0
        > . 1:1(0) ack 1 opts=ts:100:0 after=100
        < S. 0:0(0) ack 1 opts=mss,ts:1000:0 after=1000
        > . 1:1(0) ack 1 opts=ts:1101:0
        > P. 1:11(10) ack 1 opts=ts:1102:0
        < P. 1:11(10) ack 11 opts=ts:1103:1102
        """,
    "overtaken": """
        > S 0:0(0) opts=mss,ts:0
        < S. 0:0(0) ack 1 opts=mss,ts:0:0
        > . 1:1(0) ack 1 opts=ts:100:0 after=100
        > P. 1:11(10) ack 1 opts=ts:101:0
        > P. 11:21(10) ack 1 opts=ts:102:0
        < . 1:1(0) ack 21 opts=ts:105:102
        < . 1:1(0) ack 11 opts=ts:104:101 after=20
        """,
    "crossed": """
        > S 0:0(0) opts=mss
        < S 0:0(0) opts=mss
        > S. 0:0(0) ack 1 opts=mss after=30
        < S. 0:0(0) ack 1 opts=mss
        > P. 1:11(10) ack 1 after=30
        < . 1:1(0) ack 11 after=30
        < P. 1:11(10) ack 11
        < P. 11:21(10) ack 11
        > . 11:11(0) ack 21 after=30
        < P. 1:11(10) ack 11 after=20
        """,
}
"""The server answers far sooner than the client; but it has not had the acknowledgment of its SYN, or was captured in another order, or
answers something else."""


@pytest.mark.parametrize("rule", DIALOGUES)
def test_it_is_judged_rightly(rule: str) -> None:
    told = talk(DIALOGUES[rule], rule)
    assert breaches(judged(told)) == told.breaches


@pytest.mark.parametrize("why", ELSEWHERE)
def test_who_answers_sooner_need_not_be_near(why: str) -> None:
    told = talk(ELSEWHERE[why])
    told.vantage, told.slack = None, 10 * MS
    (connection,) = judged(told)
    assert connection.vantage is Vantage.MIDDLE and not breaches([connection], certain=True)


TAKEN_BACK = """
    near client
    slack 10
    open plain
    > . 1:101(100) ack 1 win=5000
    < . 1:1401(1400) ack 101
    < . 1401:2801(1400) ack 101
    !window-shrunk > . 101:101(0) ack 2801 win=100
    < . 2801:4201(1400) ack 101
    < . 4201:4201(0) ack 101 win=300
    < . 4201:4201(0) ack 101 win=300 after=20
    > . 101:101(0) ack 2801 win=3000 after=50
    < . 2801:4201(1400) ack 101 win=3000 after=50
    > . 101:1101(1000) ack 4201 win=3000
    """
"""The client takes back some of its window, and refuses what comes there: it has not heard of a smaller window of the server's."""


def test_who_takes_back_window_may_not_have_heard_what_came_there() -> None:
    told = talk(TAKEN_BACK)
    assert breaches(judged(told), certain=True) == told.breaches
