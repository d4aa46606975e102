"""Wrong states, transitions and figures."""

from __future__ import annotations

from .case import Planted, established, plain

__all__ = ["PLANTED", "Planted"]

PLANTED = (
    established("state", "state", "- {state: c «ESTABLISHED⇒CLOSE-WAIT», within: 99ms}"),
    plain("state-of-a-connection", "state", "- {state: «SYN-RECEIVED⇒ESTABLISHED», within: 99ms}", more="given: SYN-RECEIVED\n"),
    plain("state-without-a-socket", "state", "- {state: «TIME-WAIT⇒CLOSED», within: 99ms}", more="given: TIME-WAIT\n"),
    plain("states", "states", "- states: c SYN-SENT → «ESTABLISHED⇒CLOSE-WAIT»", more="given: ESTABLISHED-active\n"),
    plain("states-order", "states", "- states: c «SYN-SENT → ESTABLISHED⇒ESTABLISHED → SYN-SENT»", more="given: ESTABLISHED-active\n"),
    plain("states-too-few", "states", "- states: c SYN-RECEIVED → ESTABLISHED« → CLOSE-WAIT⇒»", more="given: CLOSE-WAIT\n"),
    plain(
        "states-since-the-last",
        "states",
        """
        - states: c SYN-RECEIVED → ESTABLISHED
        - inject: F. 1:1(0) ack 1
        - expect: . 1:1(0) ack 2
        - states: c «ESTABLISHED⇒SYN-RECEIVED» → CLOSE-WAIT
        """,
        more="given: ESTABLISHED\n",
    ),
    established("info", "unacked", "- call: send(c, 5)\n- expect: P. 1:6(5) ack 1\n- info: c cwnd = *, unacked = «1⇒2»"),
    established("info-time", "rto", "- info: c rto = «1ms..10s⇒20s..30s», cwnd = *"),
)
