"""Dialogues about acknowledgments: what they say, and when they come."""

from __future__ import annotations

__all__ = ["DIALOGUES"]

DIALOGUES = {
    "ack-of-unsent": """
        open plain
        > P. 1:11(10) ack 1
        !< . 1:1(0) ack [21|11]
        > P. 11:21(10) ack 1
        """,
    "ack-of-missing": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        > P. 11:21(10) ack 1
        !< . 1:1(0) ack [21|1]
        """,
    "ack-goes-back": """
        open plain
        > P. 1:11(10) ack 1
        < . 1:1(0) ack 11
        !< P. 1:2(1) ack [1|11]
        """,
    "not-current": """
        open heard
        > P. 11:21(10) ack 1
        !< . 1:1(0) ack [11|21]
        """,
    "late-ack": """
        open heard
        ?> P. 11:21(10) ack 1
        < . 1:1(0) ack 21 after=[700|100]
        """,
    "stretch-ack": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss:500
        > . 1:1(0) ack 1
        > P. 1:11(10) ack 1
        < . 1:1(0) ack 11
        > . 11:[511(500)|411(400)] ack 1
        > . [511:1011(500)|411:711(300)] ack 1
        ?> . [1011:1511(500)|711:911(200)] ack 1
        < . 1:1(0) ack [1511|911] after=50
        """,
    "no-duplicate-ack": """
        near server
        open heard
        ?> P. 21:31(10) ack 1
        < . 1:1(0) ack 11 after=[300|1]
        """,
    "unprovoked-ack": """
        open plain
        < . 1:1(0) ack 1
        < . 1:1(0) ack 1
        [!< . 1:1(0) ack 1|]
        """,
    "unanswered-segment": """
        open heard
        ?> P. 1:11(10) ack 1
        < . 1:1(0) ack 11 after=[300|1]
        """,
    "syn-challenge": """
        open heard
        ?> S 5000:5000(0)
        < . 1:1(0) ack 11 after=[300|1]
        """,
    "rst-challenge": """
        open heard
        ?> R 5000:5000(0)
        < . 1:1(0) ack 11 after=[300|1]
        """,
}
