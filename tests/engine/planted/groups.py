"""Wrong expectations inside of other steps, on other connections, and variables that do not agree."""

from __future__ import annotations

from .case import Planted, established, listening

__all__ = ["PLANTED"]

_TWICE = """
- call: setsockopt(c, TCP_NODELAY, 1)
- call: send(c, 5)
- call: send(c, 5)
"""


def _sends_twice(name: str, field: str, steps: str, reason: str = "") -> Planted:
    """The SUT sends 1:6 and 6:11."""
    return established(name, field, _TWICE + steps, reason=reason)


_GROUPS = (
    _sends_twice(
        "any-order",
        "win",
        """
- any_order:
  - expect: P. 6:11(5) ack 1
  - expect: P. 1:6(5) ack 1 win «1..65535⇒0»
""",
    ),
    _sends_twice(
        "any-order-first",
        "win",
        """
- any_order:
  - expect: P. 6:11(5) ack 1 win «1..65535⇒0»
  - expect: P. 1:6(5) ack 1
""",
    ),
    _sends_twice(
        "any-order-nothing",
        "",
        """
- any_order: [{expect: P. 6:11(5) ack 1}, {expect: P. 1:6(5) ack 1}]
- any_order:
  - {expect: P?. 1:*(*) ack 1, within: «30s⇒9ms»}
""",
        "nothing came within",
    ),
    _sends_twice("either", "segment", "- {either: [[{expect: . 1:1(0) ack 1}], [{expect: P. 1:6(5) ack «1⇒2»}]]}"),
    _sends_twice(
        "either-inside",
        "flags",
        """
- either:
  - - expect: . 1:1(0) ack 1
  - - expect: P. 1:6(5) ack 1
    - expect: «P⇒F». 6:11(5) ack 1
""",
    ),
    _sends_twice(
        "either-silence",
        "segment",
        """
- any_order: [{expect: P. 1:6(5) ack 1}, {expect: P. 6:11(5) ack 1}]
- {either: [[{silence: «20ms⇒30s»}], [{expect: "R. *:*(*)"}]]}
""",
    ),
    _sends_twice(
        "optional-that-comes",
        "seq",
        """
- optional:
  - expect: «P⇒F». 1:6(5) ack 1
- expect: P. 6:11(5) ack 1  # blamed
""",
    ),
    _sends_twice(
        "optional-then-wrong",
        "ack",
        """
- optional:
  - expect: P. 1:6(5) ack 1
- expect: P. 6:11(5) ack «1⇒2»
""",
    ),
    _sends_twice(
        "optional-that-does-not-come",
        "ack",
        """
- optional:
  - expect: F. 1:1(0) ack 1
- expect: P. 1:6(5) ack «1⇒2»
""",
    ),
    _sends_twice(
        "optional-inside",
        "ack",
        """
- optional:
  - expect: P. 1:6(5) ack 1
  - expect: P. 6:11(5) ack «1⇒2»
- silence: 1ms
""",
    ),
    established(
        "repeat",
        "seq",
        """
- repeat:
    times: 3
    steps:
      - call: send(c, 5)
      - expect: P. ${i*«5⇒6»+1}:*(5) ack 1
      - inject: . 1:1(0) ack ${i*5+6}
""",
    ),
)
_VARIABLES = (
    _sends_twice("variable", "ack", "- expect: P. 1:6(5) ack $a\n- expect: P. 6:11(5) ack $a«⇒+1»"),
    _sends_twice("variable-in-one-segment", "end", "- expect: P. $x:$x+«5⇒6»(*) ack 1"),
    listening(
        "variable-of-an-option",
        "options",
        """
        - inject: S 0:0(0) <mss 1460,TS val 100 ecr 0>
        - expect: S. 0:0(0) ack 1 <mss *,nop,nop,TS val $t ecr 100>
        - inject: . 1:1(0) ack 1 <nop,nop,TS val 101 ecr $t>
        - inject: P. 1:6(5) ack 1 <nop,nop,TS val 102 ecr $t>
        - expect: . 1:1(0) ack 6 <nop,nop,TS val «*⇒$t-9» ecr 102>
    """,
    ),
    established("variable-of-a-call", "result", "- call: send(c, 5) = $n\n- call: send(c, 5) = $n«⇒+1»"),
    established(
        "variable-below", "ttl", "- call: send(c, 5)\n- expect: P. $one:6(5) ack 1\n- {expect: P. 1:6(5), with: {ttl: «$ttl⇒$one»}}"
    ),
)
_CONNECTIONS = (
    established(
        "another-connection",
        "ack",
        """
        - {inject: S 0:0(0) <mss 1460>, on: other}
        - {expect: "S. 0:0(0) ack «1⇒2» <mss *>", on: other}
        - call: send(c, 5)
        - expect: P. 1:6(5) ack 1
    """,
        more="connections: {other: {peer: peer2, isn: 4294967290}}\n",
    ),
    established(
        "silence-on-another-connection",
        "",
        """
        - {inject: S 0:0(0) <mss 1460>, on: other}
        - {silence: 9ms, on: «default⇒other»}
        - {expect: "S. 0:0(0) ack 1 <mss *>", on: other}
    """,
        more="connections: {other: {peer: peer2}}\n",
        reason="the SUT was not silent",
    ),
)
PLANTED = (*_GROUPS, *_VARIABLES, *_CONNECTIONS)
