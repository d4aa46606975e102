"""Dialogues about the numbers, the sizes and the windows that senders keep to."""

from __future__ import annotations

__all__ = ["DIALOGUES"]

DIALOGUES = {
    "sequence-gap": """
        open plain
        > P. 1:11(10) ack 1
        !> P. [21:31|11:21](10) ack 1
        """,
    "data-after-fin": """
        open plain
        > [F.|P.] 1:11(10) ack 1
        !> P. 11:21(10) ack 1
        """,
    "fin-moved": """
        open plain
        > P. 1:21(20) ack 1
        < . 1:1(0) ack 21
        !> F. [11:11|21:21](0) ack 1
        """,
    "changed-retransmission": """
        open plain
        > P. 1:11(10) ack 1 data=aaaaaaaaaa
        !> P. 1:11(10) ack 1 data=[b|a]aaaaaaaaa after=1500
        """,
    "beyond-window": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss win=100
        > . 1:1(0) ack 1
        !> P. [1:102(101)|1:101(100)] ack 1
        """,
    "beyond-shrunk-window": """
        open plain
        > P. 1:11(10) ack 1
        !window-shrunk < . 1:1(0) ack 11 win=[100|65000]
        !> P. 11:211(200) ack 1
        """,
    "silly-segment": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss:500 win=1000
        > . 1:1(0) ack 1
        > . 1:501(500) ack 1
        > . 501:1001(500) ack 1
        < . 1:1(0) ack 1001 win=100
        !> [.|P.] 1001:1101(100) ack 1
        < . 1:1(0) ack 1101 win=1000
        > . 1101:1601(500) ack 1
        """,
    "mtu-below-68": """
        open plain
        > . 1:501(500) ack 1
        icmp 1 60
        !> . 1:[21(20)|29(28)] ack 1
        """,
    "mtu-below-1280": """
        ipv6
        open plain
        > . 1:1401(1400) ack 1
        icmp 1 1000
        !> . 1:[941(940)|1221(1220)] ack 1
        """,
    "window-shrunk": """
        open plain
        > P. 1:11(10) ack 1
        !< . 1:1(0) ack 11 win=[64900|64990]
        """,
    "silly-window": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss win=3000
        > . 1:1(0) ack 1
        > . 1:1461(1460) ack 1
        > . 1461:2921(1460) ack 1
        < . 1:1(0) ack 2921 win=80
        !< . 1:1(0) ack 2921 win=[500|1480]
        """,
    "probe-backoff": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss win=100
        > . 1:1(0) ack 1
        > P. 1:101(100) ack 1
        < . 1:1(0) ack 101 win=0
        > . 100:100(0) ack 1 after=400
        < . 1:1(0) ack 101 win=0
        > . 100:100(0) ack 1 after=400
        < . 1:1(0) ack 101 win=0
        !> . 100:100(0) ack 1 after=[400|800]
        """,
    "probe-missing": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss win=100
        > . 1:1(0) ack 1
        > P. 1:101(100) ack 1
        < . 1:1(0) ack 101 win=0
        < . 1:1(0) ack 101 win=5000 after=[5000|1000]
        !> P. 101:201(100) ack 1 after=0
        """,
    "over-mss": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss:1000
        > . 1:1(0) ack 1
        !> P. [1:1002(1001)|1:1001(1000)] ack 1
        """,
    "over-default-mss": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1
        > . 1:1(0) ack 1
        !> P. [1:538(537)|1:537(536)] ack 1
        """,
    "options-not-counted": """
        > S 0:0(0) opts=mss
        < S. 0:0(0) ack 1 opts=mss:1000
        > . 1:1(0) ack 1
        !> P. 1:1001(1000) ack 1 [opts=nop,nop,nop,nop|]
        """,
    "over-path-mtu": """
        open plain
        > . 1:1461(1460) ack 1
        icmp 1 1000
        !> . [1461:2422(961)|1461:2421(960)] ack 1
        """,
    "urgent-flag": """
        open plain
        > PU. 1:11(10) ack 1 urg=20
        !> [P.|PU.] 11:21(10) ack 1 [|urg=10]
        """,
    "urgent-goes-back": """
        open plain
        > PU. 1:11(10) ack 1 urg=20
        !> PU. 11:21(10) ack 1 urg=[5|10]
        """,
    "keepalive-with-data": """
        open plain
        > P. 1:11(10) ack 1
        [|< . 1:1(0) ack 11]
        !> . 10:10(0) ack 1
        """,
    "urgent-pointer-empty": """
        open plain
        !> PU. 1:2(1) ack 1 urg=[0|1]
        """,
}
