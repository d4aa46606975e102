"""Two traces of the same case side by side: what the SUT sent, what its calls returned, and the states that its sockets went through."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterator

from conformance.capture.compare import Difference, Kind, compare
from conformance.capture.exchange import exchange_of_trace
from conformance.trace import Returned, Sent, StateChanged, Trace

__all__ = ["compare_traces"]

_CHOSEN = re.compile(r"(socket|accept)\(.*\) = \d+|\w+\(.*\) = [0-9a-f]*:\d+")
"""Handles, addresses and ports, which each run has of its own."""
_READ = re.compile(r"""recv\(.*\) = \d+ (b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")""")
"""The octets that a call read, all of them."""


def compare_traces(expected: Trace, actual: Trace, *, whole: tuple[bool, bool] = (True, True), times: bool = True) -> list[Difference]:
    """All differences; see :func:`conformance.capture.compare.compare`.

    Args:
        expected: what is held to be right.
        actual: what is compared with it.
        whole: did the case run to its end in each? What comes after the end of one that did not is not compared.
        times: compare the classes of times as well.
    """
    there, here = exchange_of_trace(expected, whole=whole[0]), exchange_of_trace(actual, whole=whole[1])
    return [*compare(there, here, times=times), *_returns(expected, actual), *(_states(expected, actual) if all(whole) else ())]


def _returns(expected: Trace, actual: Trace) -> Iterator[Difference]:
    """What a call returned, by the step that made it."""
    there, here = ({event.step: event.text for event in trace.sorted() if isinstance(event, Returned)} for trace in (expected, actual))
    for step in sorted(step for step in there.keys() & here.keys() if step is not None):
        both = (expected, there[step]), (actual, here[step])
        if there[step] != here[step] and not all(_CHOSEN.fullmatch(returned) for _, returned in both) and not _same_octets(*both):
            reason = f"the call returned {_result(here[step])}, not {_result(there[step])}: {here[step]}"
            yield Difference(Kind.ALLOWED, "result of a call", reason, there[step], here[step])


def _same_octets(*both: tuple[Trace, str]) -> bool:
    """Did a call read the same octets of the peer's, though these hold what each run chooses, as a checksum does?"""
    places = {_place(trace, returned) for trace, returned in both}
    return None not in places and len(places) == 1


def _place(trace: Trace, returned: str) -> tuple[int, int] | None:
    """In which of the peer's frames the octets stand that a call read, and where in it."""
    match = _READ.fullmatch(returned)
    try:
        octets = literal_eval(match[1]) if match else b""
    except (SyntaxError, ValueError):  # a recording may say anything
        octets = b""
    frames = (event.frame for event in trace.sorted() if isinstance(event, Sent))
    return next(((number, frame.find(octets)) for number, frame in enumerate(frames) if octets and octets in frame), None)


def _result(returned: str) -> str:
    return returned.rpartition(" = ")[2]


def _states(expected: Trace, actual: Trace) -> Iterator[Difference]:
    """The states that each socket went through, if both are known from the same source: each leaves out others (Linux's tracepoint says
    nothing of requests for connections and of TIME-WAIT)."""
    if expected.states_from != actual.states_from:
        return
    there, here = _paths(expected), _paths(actual)
    for who in dict.fromkeys((*there, *here)):
        a, b = (" → ".join(paths.get(who, ())) for paths in (there, here))
        if a != b:
            yield Difference(Kind.ALLOWED, "states", f"{who} went through {b or 'none'}, not {a or 'none'}", a, b)


def _paths(trace: Trace) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {}
    for event in trace.sorted():
        if isinstance(event, StateChanged):
            paths.setdefault(event.who, [event.old]).append(event.new)
    return paths
