"""Dialogues about RST, and about what follows the end of a connection."""

from __future__ import annotations

__all__ = ["DIALOGUES"]

DIALOGUES = {
    "abort-elsewhere": """
        open heard
        > P. 11:21(10) ack 1
        !> R. [15:15|21:21](0) ack 1
        """,
    "no-reset": """
        whole
        ?> . 1:1(0) ack 1
        [|< R 1:1(0)]
        end 300
        """,
    "rst-answers-rst": """
        > [R.|.] 1:1(0) ack 1
        !< R 1:1(0)
        """,
    "rst-sequence": """
        open heard
        < P. 1:101(100) ack 11
        > . 11:11(0) ack 101
        !< R. [50:50|101:101](0) ack 11
        """,
    "rst-acknowledgment": """
        > S 0:0(0) opts=mss
        !< R. 0:0(0) ack [7|1] abs=0
        """,
    "time-wait-silent": """
        near client
        open plain
        > F. 1:1(0) ack 1
        < . 1:1(0) ack 2
        < F. 1:1(0) ack 2
        > . 2:2(0) ack 2
        ?< F. 1:1(0) ack 2 after=1500
        [|> . 2:2(0) ack 2]
        end 300
        """,
    "time-wait-short": """
        near client
        open plain
        > F. 1:1(0) ack 1
        < . 1:1(0) ack 2
        < F. 1:1(0) ack 2
        > . 2:2(0) ack 2
        < F. 1:1(0) ack 2 after=1500
        !> [R 2:2(0)|. 2:2(0) ack 2]
        """,
    "time-wait-reused": """
        open plain
        > F. 1:1(0) ack 1
        < F. 1:1(0) ack 2
        > . 2:2(0) ack 2
        connection peer_isn=900000 sut_isn=77
        !> S 0:0(0) opts=mss after=[1000|56000]
        < S. 0:0(0) ack 1 opts=mss
        """,
    "time-wait-reopened": """
        open plain
        < F. 1:1(0) ack 1
        > . 1:1(0) ack 2
        > F. 1:1(0) ack 2
        < . 2:2(0) ack 2
        connection peer_isn=[900|2000] sut_isn=77
        > S 0:0(0) opts=mss after=1000
        !< S. 0:0(0) ack 1 opts=mss
        """,
}
