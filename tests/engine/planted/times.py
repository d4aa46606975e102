"""Wrong times. What the SUT does by itself comes late enough for a tester that is slow, and at least so late by the kernel's own timers."""

from __future__ import annotations

from .case import established, plain

__all__ = ["PLANTED"]

# A segment is sent again 200 ms after it was sent, or later.
_SENT = """
- call: send(c, 5)
- expect: P. 1:6(5) ack 1
"""
# A caller with SO_RCVTIMEO returns after that time, or later.
_WAITS = """
- call: setsockopt(c, SO_RCVTIMEO, 300)
- start: r = recv(c, 9)
"""
_NOTHING = "nothing came within"

PLANTED = (
    established("after-too-early", "time", _SENT + "- {expect: P. 1:6(5) ack 1, after: «50ms..30s⇒9s..30s»}"),
    established("after-too-late", "", _SENT + "- {expect: P. 1:6(5) ack 1, after: «50ms..30s⇒1ms..9ms»}", reason=_NOTHING),
    established("after-percent", "time", _SENT + "- {expect: P. 1:6(5) ack 1, after: 15s ± «99.9%⇒10%»}"),
    established("within", "", _SENT + "- {expect: P. 1:6(5) ack 1, within: «30s⇒9ms»}", reason=_NOTHING),
    established("silence", "", _SENT + "- silence: «20ms⇒30s»", reason="the SUT was not silent"),
    established("finish-too-early", "time", _WAITS + "- {finish: r = EAGAIN, after: «50ms..30s⇒9s..30s»}"),
    established("finish-too-late", "time", _WAITS + "- {finish: r = EAGAIN, after: «50ms..30s⇒1ms..9ms»}"),
    established("finish-within", "time", _WAITS + "- {finish: r = EAGAIN, within: «30s⇒9ms»}"),
    plain(
        "finish-that-never-comes",
        "",
        """
        - start: r = accept(s)
        - inject: S 0:0(0) <mss 1460>
        - expect: S. 0:0(0) ack 1 <mss *>
        - inject: «.⇒R» 1:1(0) ack 1
        - {finish: r, within: 300ms}  # blamed
        """,
        more="given: LISTEN\ntolerance: 200ms\n",
        reason="the call still blocks",
    ),
)
