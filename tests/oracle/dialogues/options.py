"""Dialogues about SACK, timestamps, and ECN."""

from __future__ import annotations

__all__ = ["DIALOGUES"]

DIALOGUES = {
    "sack-unasked": """
        near server
        open heard
        > P. 21:31(10) ack 1
        !< . 1:1(0) ack 11 [opts=nop,nop,sack:21:31|]
        """,
    "sack-of-unsent": """
        open heard-sack
        !< . 1:1(0) ack 11 [opts=nop,nop,sack:101:201|]
        """,
    "sack-format": """
        near server
        open heard-sack
        > P. 41:51(10) ack 1
        < . 1:1(0) ack 11 opts=nop,nop,sack:41:51
        > P. 21:31(10) ack 1
        !< . 1:1(0) ack 11 opts=nop,nop,sack:21:31:[51:41|41:51]
        """,
    "sack-not-isolated": """
        near server
        open heard-sack
        > P. 21:31(10) ack 1
        !< . 1:1(0) ack 11 opts=nop,nop,sack:[11|21]:31
        """,
    "sack-first-block": """
        near server
        open heard-sack
        > P. 41:51(10) ack 1
        < . 1:1(0) ack 11 opts=nop,nop,sack:41:51
        > P. 21:31(10) ack 1
        !< . 1:1(0) ack 11 opts=nop,nop,sack:[41:51:21:31|21:31:41:51]
        """,
    "sack-of-acknowledged": """
        near server
        open heard-sack
        > P. 21:31(10) ack 1
        !< . 1:1(0) ack 11 opts=nop,nop,sack:21:31[:1:6|]
        """,
    "sack-missing": """
        near server
        open heard-sack
        > P. 21:31(10) ack 1
        !< . 1:1(0) ack 11 [|opts=nop,nop,sack:21:31]
        """,
    "dsack-edges": """
        open heard-sack
        > P. 11:21(10) ack 1
        < . 1:1(0) ack 21
        > P. 11:21(10) ack 1
        !< . 1:1(0) ack 21 opts=nop,nop,sack:[1|11]:21
        """,
    "dsack-of-single": """
        open heard-sack
        > P. 11:21(10) ack 1
        < . 1:1(0) ack 21
        > P. 11:21(10) ack 1
        !< . 1:1(0) ack 21 opts=nop,nop,sack:[1:11|11:21]
        """,
    "dsack-repeated": """
        open heard-sack
        > P. 1:11(10) ack 1
        < . 1:1(0) ack 11 opts=nop,nop,sack:1:11
        !< . 1:1(0) ack 11 [opts=nop,nop,sack:1:11|]
        """,
    "timestamp-missing": """
        open stamps
        !> P. 1:11(10) ack 1 [|opts=ts:2:0]
        """,
    "timestamp-goes-back": """
        open stamps
        !> P. 1:11(10) ack 1 opts=ts:[0|2]:0
        """,
    "timestamp-rate": """
        open stamps
        !> P. 1:11(10) ack 1 opts=ts:[500|2]:0
        """,
    "echo-of-unsent": """
        open stamps
        !> P. 1:11(10) ack 1 opts=ts:2:[77|0]
        """,
    "echo-not-recent": """
        open heard-stamps
        > P. 11:21(10) ack 1 opts=ts:4:3
        !< . 1:1(0) ack 21 opts=ts:5:[2|4]
        """,
    "echo-without-ack": """
        !> S 0:0(0) opts=mss,ts:0[:5|]
        """,
    "ecn-unasked": """
        > S 0:0(0) opts=mss
        !< [SE.|S.] 0:0(0) ack 1 opts=mss
        """,
    "ect-after-reflection": """
        > SEW 0:0(0) opts=mss
        < SEW. 0:0(0) ack 1 opts=mss
        > . 1:1(0) ack 1
        !> P. 1:11(10) ack 1 tos=[2|0]
        """,
    "no-cwr": """
        open ecn
        > P. 1:11(10) ack 1 tos=3
        < E. 1:1(0) ack 11
        !> [P.|PW.] 11:21(10) ack 1 tos=2
        """,
    "cwr-again": """
        open ecn
        > P. 1:11(10) ack 1 tos=3
        < E. 1:1(0) ack 11
        > PW. 11:21(10) ack 1 tos=2
        !> [PW.|P.] 21:31(10) ack 1 tos=2
        """,
    "ect-not-negotiated": """
        open plain
        !> P. 1:11(10) ack 1 tos=[2|0]
        """,
    "ect-on-syn": """
        !> S 0:0(0) opts=mss tos=[2|0]
        """,
    "ect-on-pure-ack": """
        open ecn
        !> . 1:1(0) ack 1 tos=[2|0]
        """,
    "ect-on-retransmission": """
        open ecn
        > P. 1:11(10) ack 1 tos=2
        !> P. 1:11(10) ack 1 tos=[2|0] after=1500
        """,
    "no-echo-of-congestion": """
        open ecn
        > P. 1:11(10) ack 1 tos=3
        !< [.|E.] 1:1(0) ack 11
        """,
    "echo-after-cwr": """
        open ecn
        > P. 1:11(10) ack 1 tos=3
        < E. 1:1(0) ack 11
        > PW. 11:21(10) ack 1 tos=2
        !< [E.|.] 1:1(0) ack 21
        """,
    "echo-ends-early": """
        open ecn
        > P. 1:11(10) ack 1 tos=3
        < E. 1:1(0) ack 11
        !< [.|E.] 1:1(0) ack 11
        """,
}
