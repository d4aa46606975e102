"""Dialogues about the header, the handshake, and what is agreed on in it."""

from __future__ import annotations

__all__ = ["DIALOGUES"]

DIALOGUES = {
    "reserved-bits": """
        open plain
        !> P. 1:11(10) ack 1 reserved=[4|0]
        """,
    "bad-checksum": """
        open plain
        !> P. 1:11(10) ack 1 sum=[bad|ok]
        """,
    "no-ack-flag": """
        open plain
        !> [P 1:11(10)|P. 1:11(10) ack 1]
        """,
    "option-length": """
        open plain
        !> P. 1:11(10) ack 1 opts=raw:fe[00|04]0000
        """,
    "option-after-end": """
        open plain
        !> P. 1:11(10) ack 1 opts=raw:00[01|00]0000
        """,
    "mss-without-syn": """
        open plain
        !> P. 1:11(10) ack 1 opts=[mss|nop,nop,nop,nop]
        """,
    "sack-permitted-without-syn": """
        open sack
        !> P. 1:11(10) ack 1 opts=[ok|nop,nop],nop,nop
        """,
    "wscale-unasked": """
        > S 0:0(0) opts=mss
        !< S. 0:0(0) ack 1 opts=mss[,ws|]
        """,
    "wscale-above-14": """
        !> S 0:0(0) opts=mss,ws:[15|14]
        < S. 0:0(0) ack 1 opts=mss,ws
        """,
    "timestamps-unasked": """
        > S 0:0(0) opts=mss
        !< S. 0:0(0) ack 1 opts=mss[,ts:0|]
        """,
    "syn-window-scaled": """
        !> S 0:0(0) win=[1000|64000] opts=mss,ws
        < S. 0:0(0) ack 1 opts=mss,ws
        > . 1:1(0) ack 1 win=1000
        """,
    "syn-ack-number": """
        > S 0:0(0) opts=mss
        !< S. 0:0(0) ack [0|1] opts=mss
        """,
    "data-before-handshake": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        [|> . 1:1(0) ack 1]
        !< P. 1:11(10) ack 1
        """,
    "simultaneous-open-refused": """
        > S 0:0(0) opts=mss
        < S 0:0(0) opts=mss
        !> [R 1:1(0)|S. 0:0(0) ack 1 opts=mss]
        """,
    "took-bad-syn-ack": """
        > S 0:0(0) opts=mss
        !syn-ack-number < S. 0:0(0) ack [0|1] opts=mss
        !,ack-of-missing > . 1:1(0) ack 1
        """,
    "took-bad-handshake-ack": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        !ack-of-unsent > . 1:1(0) ack [500|1]
        !< . 1:1(0) ack 1
        """,
    "source-address": """
        !> S 0:0(0) opts=mss src=[239.0.0.1|192.0.2.1]
        """,
    "isn-from-clock": """
        connection peer_port=1 peer_isn=1000
        > S 0:0(0) opts=mss
        connection peer_port=2 peer_isn=26000
        > S 0:0(0) opts=mss after=100
        connection peer_port=3 peer_isn=51000
        > S 0:0(0) opts=mss after=100
        connection peer_port=4 peer_isn=76000
        > S 0:0(0) opts=mss after=100
        connection peer_port=5 peer_isn=[101000|2000000]
        !> S 0:0(0) opts=mss after=100
        """,
    "connection-exists": """
        open plain
        !> [S 0:0(0) opts=mss|P. 1:11(10) ack 1] after=1000
        """,
    "isn-constant": """
        open plain
        connection peer_port=40001 peer_isn=[1000|2000] sut_isn=77
        !> S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        """,
    "isn-reused": """
        open plain
        > R. 1:1(0) ack 1
        connection peer_isn=900000 sut_isn=[4294967000|77]
        > S 0:0(0) opts=mss
        !< S. 0:0(0) ack 1 opts=mss
        """,
    "isn-changed": """
        > S 0:0(0) opts=mss
        < S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss
        !> S. [5:5|0:0](0) ack 1 opts=mss
        """,
}
