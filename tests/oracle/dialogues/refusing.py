"""Dialogues about what must not be taken, and about what must not end a connection, or has to."""

from __future__ import annotations

__all__ = ["DIALOGUES"]

DIALOGUES = {
    "took-bad-checksum": """
        open plain
        !bad-checksum > P. 1:11(10) ack 1 sum=[bad|ok]
        !< . 1:1(0) ack 11
        """,
    "took-beyond-window": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss win=100
        > . 1:1(0) ack 1
        < . 1:1(0) ack 1 win=100
        !beyond-window > P. [1:201(200)|1:101(100)] ack 1
        !< . 1:1(0) ack [201|101] win=100
        """,
    "took-without-ack": """
        open heard
        !no-ack-flag > [P 11:21(10)|P. 11:21(10) ack 1]
        !< . 1:1(0) ack 21
        """,
    "took-future-ack": """
        open heard
        !ack-of-unsent > P. 11:21(10) ack [500|1]
        !< . 1:1(0) ack 21
        """,
    "took-old-timestamp": """
        open heard-stamps
        !timestamp-goes-back > P. 11:21(10) ack 1 opts=ts:[-50|4]:3
        !< . 1:1(0) ack 21 opts=ts:5:[2|4]
        """,
    "took-no-timestamp": """
        open heard-stamps
        !timestamp-missing > P. 11:21(10) ack 1 [|opts=ts:4:3]
        !< . 1:1(0) ack 21 opts=ts:5:[2|4]
        """,
    "took-syn": """
        open heard
        > [S 11:21(10)|P. 11:21(10) ack 1]
        !< . 1:1(0) ack [22|21]
        """,
    "refused-after-idle": """
        open heard-stamps
        > P. 11:21(10) ack 1 opts=ts:2160000000:3 after=2160000000
        !< . 1:1(0) ack [11|21] opts=ts:2160000001:[2|2160000000]
        """,
    "died-of-soft-error": """
        near client
        open plain
        > P. 1:11(10) ack 1
        icmp 1 3/1
        [|> P. 1:11(10) ack 1 after=1000]
        < . 1:1(0) ack 11 after=5500
        !> R 11:11(0)
        """,
    "died-of-rst-outside": """
        open heard
        > R 70000:70000(0)
        > P. 11:21(10) ack 1
        !< [R 1:1(0)|. 1:1(0) ack 21]
        """,
    "died-of-rst-inside": """
        open heard
        > R 5000:5000(0)
        > P. 11:21(10) ack 1
        !< [R 1:1(0)|. 1:1(0) ack 21]
        """,
    "died-of-syn": """
        open heard
        > S 5000:5000(0)
        > P. 11:21(10) ack 1
        !< [R 1:1(0)|. 1:1(0) ack 21]
        """,
    "lives-after-old-rst": """
        open heard-stamps
        > R. 11:11(0) ack 1 opts=ts:-50:3
        [!< P. 1:11(10) ack 11 opts=ts:5:2|]
        """,
    "lives-after-rst": """
        open heard
        > R. 11:11(0) ack 1
        [!< P. 1:11(10) ack 11|]
        """,
    "sends-after-reset": """
        open heard
        > [R.|.] 11:11(0) ack 1
        !> P. 11:21(10) ack 1
        """,
}
