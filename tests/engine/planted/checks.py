"""Wrong checks of variables, which other steps bound: on one connection, over the rounds of a repeat, in calls."""

from __future__ import annotations

from .case import established, listening, plain

__all__ = ["PLANTED"]

_SENDS = """
- call: setsockopt(c, TCP_NODELAY, 1)
- call: send(c, 5) = $n
- expect: P. $a:$b(*) ack 1
- call: send(c, 7)
- expect: P. $c:$d(*) ack 1
"""
_SYNS = """
- repeat:
    times: 16
    steps:
      - {inject: "S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0>", on: c$i}
      - {expect: "S. 0:$end$i(0) ack 1 <mss *,sackOK,TS val $ts$i ecr 1>", on: c$i}
"""
_STAMPED = """
- inject: S 0:0(0) <mss 1460,TS val 100 ecr 0>
- expect: S. 0:0(0) ack 1 <mss *,nop,nop,TS val $t ecr 100>
- inject: . 1:1(0) ack 1 <nop,nop,TS val 100 ecr $t>
- call: c = accept(s)
- call: send(c, 5)
- expect: P. 1:6(5) ack 1 <nop,nop,TS val $a ecr 100>
- inject: . 1:1(0) ack 6 <nop,nop,TS val 100 ecr $a>
- call: send(c, 5)
  after: 300ms
- expect: P. 6:11(5) ack 1 <nop,nop,TS val $b ecr 100>
"""
_SIXTEEN = "given: {preamble: LISTEN, backlog: 64}\nconnections: {c: {count: 16}}\n"

PLANTED = (
    *(
        established(name, "check", f"{_SENDS}- check: {check}")
        for name, check in (
            ("check-equal", "$b - $a = «5⇒6»"),
            ("check-range", "$d - $a = «12..13⇒13..14»"),
            ("check-sum", "2*$d - 2*$c + 1 = 3*$n - «0⇒1»"),
            ("check-less", "$a «<⇒>» $b"),
            ("check-not-less", "$b «>=⇒<=» $a + 1"),
            ("check-unequal", "$b «=⇒!=» $c"),
            ("check-distinct", "distinct $a $«d⇒b» $c"),
        )
    ),
    plain("check-rounds-differ", "check", f"{_SYNS}- check: distinct $«ts⇒end»*", more=_SIXTEEN),
    plain("check-scattered", "check", f"{_SYNS}- check: scattered $«ts⇒end»*", more=_SIXTEEN),
    listening("check-rate", "check", f"{_STAMPED}- check: rate $a $b = «1..1000⇒0..0»"),
)
