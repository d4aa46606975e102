"""The types of fields that hold a notation: how the text is read, and the JSON Schema that helps an editor.

The patterns let more through than the notations do: they are for editors, and leave room for ``$name``.
"""

from __future__ import annotations

from typing import Annotated

from conformance.case import notation, steps
from conformance.case.arithmetic import Check as _Check
from conformance.case.base import notation_type
from conformance.case.vocabulary import CALLS, ICMP_NAMES

__all__ = [
    "Call", "Check", "Duration", "Expect", "ExpectIcmp", "Finish", "Info", "Inject", "InjectIcmp", "Silence", "Sockopt", "Start", "State",
    "States", "Timing", "Wait",
]  # fmt: skip

_SOCKET = r"([a-z_$]\S*\s+)?"
_STATE = f"({'|'.join(steps.STATES)}|\\S*\\$\\S*)"
_LASTS = r"^([0-9.]+(ns|us|µs|ms|s|min|h)|.*\$.*)$"
_SEGMENT = r"^(\*|-|[SFRPUEW.?]+|\S*\$.*)\s+\S.*$"
_MESSAGE = rf"^({'|'.join(ICMP_NAMES)}|type\b|\S*\$).*$"
_FUNCTION = rf"^([a-z_$]\S*\s*=\s*)?({'|'.join(CALLS)}|\S*\$\S*)\s*\(.*\)(\s*(=|includes\b|excludes\b).*)?$"

_INJECTED = ["S 0:0(0) win 65535 <mss 1460>", ". 1:1(0) ack 1 win 512", 'P. 1:6(5) ack 1 "hello"', "- 1:1(0)"]
_EXPECTED = ["S. 0:0(0) ack 1 <mss *,...>", "P?. 1:1001(1000) ack 1", "R 1:1(0)", "* *:*(*)"]
_CALLS = ["s = socket()", "bind(s, port)", "listen(s, 1)", "c = accept(s)", "send(c, 1000) = 1000", "recv(c, 5) = \"hello\"",
          "connect(s) = EINPROGRESS", "shutdown(c, SHUT_WR)", "close(c)"]  # fmt: skip
_STATES = [f"c {state}" for state in steps.STATES]
_TIMES = ["1s", "1s ± 10%", "1s ± 50ms", "0.9s..1.1s"]

Duration = Annotated[int | None, *notation_type(notation.duration, "a duration", ["500ms", "1.5s", "2h"], _LASTS)]
Silence = Annotated[int, *notation_type(notation.duration, "for how long the SUT sends nothing", ["300ms"], _LASTS)]
Wait = Annotated[steps.Timing | None, *notation_type(notation.wait, "wait that long after the event before", ["1s"], _LASTS)]
Timing = Annotated[
    steps.Timing | None, *notation_type(notation.timing, "how long after the event before it comes; 1s: ± 10%, at least ± 10 ms", _TIMES)
]
Inject = Annotated[steps.SegmentPattern, *notation_type(notation.inject_segment, "a segment from the peer", _INJECTED, _SEGMENT)]
Expect = Annotated[steps.SegmentPattern, *notation_type(notation.expect_segment, "the next segment from the SUT", _EXPECTED, _SEGMENT)]
InjectIcmp = Annotated[
    steps.IcmpPattern,
    *notation_type(notation.inject_icmp, "an ICMP message", ["port-unreachable [S 0:0(0)]", "frag-needed mtu 1400"], _MESSAGE),
]
ExpectIcmp = Annotated[steps.IcmpPattern, *notation_type(notation.expect_icmp, "the next ICMP message", ["port-unreachable"], _MESSAGE)]
Call = Annotated[steps.Call, *notation_type(notation.call, "a socket call that returns at once", _CALLS, _FUNCTION)]
Start = Annotated[steps.Call, *notation_type(notation.start, "a call that blocks, under a name", ["r = connect(s)"], _FUNCTION)]
Finish = Annotated[
    tuple[str, steps.Result | None],
    *notation_type(notation.finish, "what a call that was started returns", ["r = 0", "r = ETIMEDOUT"], r"^[a-z_$]\S*(\s*=.*)?$"),
]
State = Annotated[
    tuple[str | None, str],
    *notation_type(
        notation.state,
        "a socket's state, or without a name the connection's",
        [f"c {state}" for state in steps.STATES],
        f"^{_SOCKET}{_STATE}$",
    ),
]
States = Annotated[
    tuple[str | None, tuple[str, ...]],
    *notation_type(
        notation.states,
        "the transitions since the step before",
        ["c SYN-SENT → ESTABLISHED"],
        rf"^{_SOCKET}{_STATE}(\s*(→|->)\s*{_STATE})+$",
    ),
]
Sockopt = Annotated[
    tuple[str, str, steps.Result], *notation_type(notation.sockopt, "a socket option's value", ["c TCP_MAXSEG = 1460", "s SO_ERROR = 0"])
]
Check = Annotated[
    _Check,
    *notation_type(notation.check, "what holds of variables", ["$b - $a = 1..9", "distinct $a $b", "scattered $x*", "rate $a $b = 1..9"]),
]
Info = Annotated[
    tuple[str, tuple[tuple[str, steps.Num], ...]],
    *notation_type(notation.info, "figures of TCP_INFO", ["c mss = 1460, rto = 200ms..300ms"]),
]
