"""What a trace says beside its frames, as comments of a pcapng: one grammar for people and for programs, written and read here.

===========  =========================================================================================================
of           comments
===========  =========================================================================================================
a section    a name and a value each: ``case: …``, ``verdict: …``, ``connection: …``, …
a frame      ``step 3 matched · line 12: expect: S. 0:0(0) ack 1``, ``step 2 sent 0.000012345 late on c2 · line 11: …``, ``came on no
             connection``; none for one that came on the connection ``default`` and that no step asked for
other events ``call 0.001234567 step 4: accept(s)``, or ``start`` if it may block, ``return 0.001240000 step 4: accept(s) = c``,
             ``state 0.001250000: c SYN-RECEIVED → ESTABLISHED``, ``note 0.002000000 step 5 FAILED: …``
===========  =========================================================================================================

Times are seconds since the case began, exact to the nanosecond. Text that would steer a terminal, or that could be read in two ways, is
written as a JSON string: what begins with a quotation mark is one. What is too long for an option goes on in the next comment, behind
``… ``. Any other comment is somebody else's, and passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from conformance.trace import Called, Endpoints, Event, Note, Received, Returned, Sent, StateChanged
from conformance.wire.text import address_text

__all__ = [
    "LONGEST", "Marks", "connection_of", "connection_text", "event_of", "event_text", "frame_text", "joined", "marks_of", "nanoseconds",
    "quoted", "seconds", "split", "unquoted",
]  # fmt: skip

LONGEST = 0xFFFC
"""Octets of a comment."""
_MORE = "… "

_TIME = r"(-?\d{1,30}\.\d{9})"
_WORD = r'("(?:[^"\\]|\\.)*"|\S+)'
_INDEX, _PORT, _ISN = r"(\d{1,9})", r"(\d{1,5})", r"(\d{1,10})"
_EVENT = re.compile(rf"(call|start|return|state|note) {_TIME}(?: step {_INDEX})?( FAILED)?: (.*)", re.DOTALL)
_MOVE = re.compile(rf"{_WORD} {_WORD} → {_WORD}")
_FRAME = re.compile(
    rf"(?:step {_INDEX} )?(?:sent|matched|came|(FAILED))(?: {_TIME} late|( on time))?(?: on (?:(no connection)|{_WORD}))?(?: · (.*))?",
    re.DOTALL,
)
_CONNECTION = re.compile(rf"{_WORD} peer (\S+) port {_PORT} isn {_ISN}, sut (\S+) port {_PORT} isn (unknown|\d{{1,10}})")


# Events ---------------------------------------------------------------------------------------------------------------


def event_text(event: Event, start: int) -> str:
    """The comment for an event that is no frame; times count from ``start``."""
    match event:
        case Called(text=text, blocking=blocking):
            word, text = "start" if blocking else "call", quoted(text)
        case Returned(text=text):
            word, text = "return", quoted(text)
        case StateChanged(who=who, old=old, new=new):
            word, text = "state", f"{_word(who)} {_word(old)} → {_word(new)}"
        case Note(text=text):
            word, text = "note", quoted(text)
        case _:
            raise TypeError(f"a {type(event).__name__} cannot be written")
    step = "" if event.step is None else f" step {event.step}"
    return f"{word} {seconds(event.t - start)}{step}{' FAILED' if event.failed else ''}: {text}"


def event_of(comment: str, start: int) -> Event | None:
    """The event that a comment says; None if it says none."""
    found = _EVENT.fullmatch(comment)
    if found is None:
        return None
    word, time, step, failed, text = found.groups()
    t, index = start + nanoseconds(time), None if step is None else int(step)
    match word:
        case "call" | "start":
            return Called(t=t, step=index, failed=bool(failed), text=unquoted(text), blocking=word == "start")
        case "return":
            return Returned(t=t, step=index, failed=bool(failed), text=unquoted(text))
        case "note":
            return Note(t=t, step=index, failed=bool(failed), text=unquoted(text))
    move = _MOVE.fullmatch(text)
    if move is None:
        return None
    who, old, new = map(unquoted, move.groups())
    return StateChanged(t=t, step=index, failed=bool(failed), who=who, old=old, new=new)


# Frames ---------------------------------------------------------------------------------------------------------------


class Marks(NamedTuple):
    """What a comment says of its frame."""

    step: int | None = None
    failed: bool = False
    late: int | None = None
    """ns from when it was due; None: that is not known."""
    connection: str | None = "default"
    label: str = ""
    """What the step is."""


def frame_text(event: Sent | Received, label: str) -> str:
    """The comment for a frame, empty if there is nothing to say; ``label`` is what its step is."""
    late = ""
    if isinstance(event, Sent):
        done = "sent"
        if event.due:
            late = " on time" if event.due == event.t else f" {seconds(event.t - event.due)} late"
    else:
        done = "came" if event.step is None else "matched"
    name = event.connection
    on = "" if name == "default" else " on no connection" if name is None else f" on {_word(name)}"
    if event.step is None and not (event.failed or late or on):
        return ""
    step = "" if event.step is None else f"step {event.step} "
    return f"{step}{'FAILED' if event.failed else done}{late}{on}{f' · {quoted(label)}' if label else ''}"


def marks_of(comment: str) -> Marks | None:
    """What a comment says of its frame; None if it is no such comment."""
    found = _FRAME.fullmatch(comment)
    if found is None:
        return None
    step, failed, late, on_time, none, name, label = found.groups()
    return Marks(
        None if step is None else int(step),
        bool(failed),
        0 if on_time else None if late is None else nanoseconds(late),
        None if none else "default" if name is None else unquoted(name),
        unquoted(label or ""),
    )


# Sections -------------------------------------------------------------------------------------------------------------


def connection_text(ends: Endpoints) -> str:
    """Who a connection joins."""
    isn = "unknown" if ends.sut_isn is None else ends.sut_isn
    return (
        f"{_word(ends.name)} peer {address_text(ends.peer)} port {ends.peer_port} isn {ends.peer_isn}, "
        f"sut {address_text(ends.sut)} port {ends.sut_port} isn {isn}"
    )


def connection_of(text: str) -> Endpoints:
    """What :func:`connection_text` says. Raises ValueError."""
    found = _CONNECTION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no connection, such as {_EXAMPLE!r}")
    name, peer, peer_port, peer_isn, sut, sut_port, sut_isn = found.groups()
    isn = None if sut_isn == "unknown" else int(sut_isn)
    return Endpoints(unquoted(name), _address(peer), int(peer_port), _address(sut), int(sut_port), int(peer_isn), isn)


_EXAMPLE = "default peer 192.0.2.1 port 40000 isn 17, sut 192.0.2.2 port 80 isn unknown"


def _address(text: str) -> bytes:
    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except OSError:
        raise ValueError(f"{text!r} is no address") from None


# Text -----------------------------------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    """``text`` as it is if that is printable and unmistakable, else as a JSON string."""
    return text if text.isprintable() and not text.startswith('"') and text == text.strip() else json.dumps(text)


def unquoted(text: str) -> str:
    """What :func:`quoted` was given; what only looks like a JSON string is left as it is."""
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return value if isinstance(value, str) else text
    return text


def _word(text: str) -> str:
    """The same, in one word."""
    return json.dumps(text) if not text or " " in text else quoted(text)


def seconds(ns: int) -> str:
    """``0.001234567``."""
    whole, rest = divmod(abs(ns), 1_000_000_000)
    return f"{'-' if ns < 0 else ''}{whole}.{rest:09d}"


def nanoseconds(text: str) -> int:
    """What :func:`seconds` was given. Raises ValueError."""
    whole, point, rest = text.partition(".")
    if not point or len(rest) != 9:
        raise ValueError(f"{text!r} is no time in seconds with nine decimals")
    return int(whole + rest)


def split(data: bytes) -> Iterator[bytes]:
    """The octets of a comment, in as many pieces as options take."""
    while len(data) > LONGEST:
        head = data[:LONGEST].decode(errors="ignore").encode()  # not within a character
        yield head
        data = _MORE.encode() + data[len(head) :]
    yield data


def joined(comments: Iterable[str]) -> list[str]:
    """Comments as they were before :func:`split`."""
    whole: list[list[str]] = []
    for comment in comments:
        if comment.startswith(_MORE) and whole:
            whole[-1].append(comment[len(_MORE) :])
        else:
            whole.append([comment])
    return ["".join(pieces) for pieces in whole]
