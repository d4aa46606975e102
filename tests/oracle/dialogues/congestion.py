"""Dialogues about retransmission, and about how much is under way. Where something is lost the capture is the sender's."""

from __future__ import annotations

__all__ = ["DIALOGUES"]

_FIVE = """
        near client
        open plain
        > . 1:101(100) ack 1
        > . 101:201(100) ack 1
        > . 201:301(100) ack 1
        > . 301:401(100) ack 1
        > . 401:501(100) ack 1"""


def _segments(first: int, count: int) -> str:
    """The first-th segment of a thousand octets, and those that follow it, at once."""
    return "\n".join(f"> . {1000 * i - 999}:{1000 * i + 1}(1000) ack 1 after=0" for i in range(first, first + count))


_BULK = f"""
        near client
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss:1000
        > . 1:1(0) ack 1
        {_segments(1, 10)}
        < . 1:1(0) ack 1001
        {_segments(11, 2)}
        < . 1:1(0) ack 2001
        {_segments(13, 2)}"""

DIALOGUES = {
    "retransmitted-acknowledged": """
        open plain
        > P. 1:11(10) ack 1
        [< . 1:1(0) ack 11|]
        !> P. 1:11(10) ack 1 after=1500
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
        < . 1:1(0) ack 101
        !> . [101:201|301:401](100) ack 1
        """,
    "too-early": """
        open far
        > P. 1:11(10) ack 1
        !> P. 1:11(10) ack 1 after=[50|400]
        """,
    "first-sample": """
        open far
        > P. 1:11(10) ack 1
        !> P. 1:11(10) ack 1 after=[200|400]
        """,
    "rto-below-second": """
        strict
        open plain
        > P. 1:11(10) ack 1
        !> P. 1:11(10) ack 1 after=[500|1000]
        """,
    "rto-far-below-second": """
        open plain
        > P. 1:11(10) ack 1
        > P. 1:11(10) ack 1 after=10
        > P. 1:11(10) ack 1 after=20
        !> P. 1:11(10) ack 1 after=[40|60]
        """,
    "backoff-kept": """
        near client
        open plain
        > P. 1:11(10) ack 1
        > P. 1:11(10) ack 1 after=400
        < . 1:1(0) ack 11
        > P. 11:21(10) ack 1
        < . 1:1(0) ack 21
        > P. 21:31(10) ack 1
        > P. 21:31(10) ack 1 after=[1600|400]
        !> P. 21:31(10) ack 1 after=[3200|800]
        """,
    "timer-not-restarted": """
        open far
        > P. 1:11(10) ack 1
        > P. 11:21(10) ack 1
        < . 1:1(0) ack 11 after=300
        !> P. 11:21(10) ack 1 after=[20|400]
        """,
    "not-retransmitted": """
        open plain
        !> P. 1:11(10) ack 1
        [|> P. 1:11(10) ack 1 after=1500]
        end 6000
        """,
    "window-after-syn-loss": """
        > S 0:0(0) opts=mss
        > S 0:0(0) opts=mss after=1000
        [> S 0:0(0) opts=mss after=2000|]
        < S. 0:0(0) ack 1 opts=mss
        > . 1:1(0) ack 1
        > . 1:1461(1460) ack 1
        !> . 1461:2921(1460) ack 1
        """,
    "syn-too-early": """
        > S 0:0(0) opts=mss
        !> S 0:0(0) opts=mss after=[500|1000]
        """,
    "no-backoff": """
        open plain
        > P. 1:11(10) ack 1
        > P. 1:11(10) ack 1 after=1000
        !> P. 1:11(10) ack 1 after=[1000|2000]
        """,
    "syn-no-backoff": """
        > S 0:0(0) opts=mss
        > S 0:0(0) opts=mss after=1000
        !> S 0:0(0) opts=mss after=[1000|2000]
        """,
    "early-fast-retransmit": f"""{_FIVE}
        < . 1:1(0) ack 101
        < . 1:1(0) ack 101
        < . 1:1(0) ack 101
        [|< . 1:1(0) ack 101]
        !> . 101:201(100) ack 1
        """,
    "no-fast-retransmit": f"""{_FIVE}
        < . 1:1(0) ack 101
        < . 1:1(0) ack 101
        < . 1:1(0) ack 101
        ?< . 1:1(0) ack 101
        [|> . 101:201(100) ack 1]
        end 50
        """,
    "not-left-edge": """
        open plain
        > . 1:101(100) ack 1
        > . 101:201(100) ack 1
        !> . [101:201|1:101](100) ack 1 after=1500
        """,
    "timeout-left-edge": """
        near client
        open sack
        > . 1:101(100) ack 1
        > . 101:201(100) ack 1
        < . 1:1(0) ack 1 opts=nop,nop,sack:101:201
        < . 1:1(0) ack 101
        > . 201:301(100) ack 1
        !> . [201:301|101:201](100) ack 1 after=1500
        """,
    "after-timeout": f"""{_FIVE}
        > . 1:101(100) ack 1 after=1500
        < . 1:1(0) ack 101
        > . 101:201(100) ack 1
        > . 201:301(100) ack 1
        > . 301:401(100) ack 1
        > . 401:501(100) ack 1
        > . 501:601(100) ack 1
        [!> . 601:701(100) ack 1|]
        """,
    "loss-window": """
        open plain
        > . 1:101(100) ack 1
        > . 1:101(100) ack 1 after=1500
        [|< . 1:1(0) ack 101]
        !> . 101:201(100) ack 1
        """,
    "slow-start-growth": """
        open plain
        """
    + "\n".join(f"> . {1 + 100 * i}:{101 + 100 * i}(100) ack 1" for i in range(14))
    + """
        [!> . 1401:1501(100) ack 1|]
        """,
    "restart-after-idle": f"""{_BULK}
        < . 1:1(0) ack 14001
        > . 14001:15001(1000) ack 1 after=[5000|500]
        {_segments(16, 20)}
        !> . 35001:36001(1000) ack 1 after=0
        """,
    "threshold-after-timeout": f"""{_BULK}
        > . 2001:3001(1000) ack 1 after=1500
        """
    + "".join(f"< . 1:1(0) ack {1000 * i + 1001}\n{_segments(2 * i, 2)}\n" for i in range(2, 11))
    + """
        < . 1:1(0) ack 12001
        > . 21001:22001(1000) ack 1
        [!> . 22001:23001(1000) ack 1|]
        """,
    "after-recovery": f"""{_BULK}
        < . 1:1(0) ack 2001
        < . 1:1(0) ack 2001
        < . 1:1(0) ack 2001
        > . 2001:3001(1000) ack 1
        < . 1:1(0) ack 14001
        {_segments(15, 11)}
        [!> . 25001:26001(1000) ack 1|]
        """,
    "initial-window": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss:8000
        > . 1:1(0) ack 1
        > . 1:8001(8000) ack 1
        > . 8001:16001(8000) ack 1
        [!> . 16001:16101(100) ack 1|]
        """,
}
