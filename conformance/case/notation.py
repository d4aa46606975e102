"""The notations of the case language: text → the values of :mod:`conformance.case.steps`.

Every function takes one text and raises :class:`CaseError` with the column inside it. What they give is immutable
and remembered, since a suite says the same things again and again. The grammar is ``notation.lark``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from lark import Lark, UnexpectedInput
from lark.exceptions import UnexpectedToken

from conformance.case.arithmetic import Check
from conformance.case.calls import call_pattern, option_value, result_pattern, socket_name
from conformance.case.errors import CaseError
from conformance.case.notation_tree import At, TreeBuilder
from conformance.case.segments import icmp_pattern, segment_pattern
from conformance.case.steps import STATES, Call, Exact, IcmpPattern, Num, Result, SegmentPattern, Timing
from conformance.case.vocabulary import INFO_ALIASES, INFO_FIELDS, INFO_TIMES, SOCKET_OPTIONS

__all__ = [
    "call", "check", "duration", "expect_icmp", "expect_segment", "finish", "info", "inject_icmp", "inject_segment", "number", "sockopt",
    "start", "state", "states", "timing", "wait",
]  # fmt: skip

_MAX_TEXT = 10_000
_REMEMBERED = 8192

_SEQUENCE = "a sequence range such as 1:1001(1000)"
_FLAGS = "flags such as S, S., P. or - (S SYN, F FIN, R RST, P PSH, . ACK, U URG, E ECE, W CWR, - none, * any)"
_OPTION = "an option: mss, wscale, sackOK, sack, TS, nop, eol, tfo, kind, raw, any or ..."
_DURATION = "a duration such as 500ms, 1.5s or 2h"
_SOCKET = "a socket's name such as s or c"
_STATE = "a state such as ESTABLISHED"
_RESULT = 'a result such as 1000, EAGAIN or "hello"'
_AFTER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "segment": (
        (r"", _FLAGS),
        (r"\S+( [^\s)]*)?", _SEQUENCE),
        (r".*\back", "an acknowledgement number such as ack 1"),
        (r".*\bwin", "a window such as win 65535"),
        (r".*\burg", "an urgent pointer such as urg 1"),
        (r".*\bTS( val( \S+( ecr)?)?)?", "TS val 100 ecr 0"),
        (r".*\bsack( [0-9:]*)*", "blocks such as sack 1:1001 2001:3001"),
        (r".*\bmss", "a number such as mss 1460"),
        (r".*\bwscale", "a number such as wscale 7"),
        (r".*\bkind", "a number such as kind 254"),
        (r".*\braw", "octets such as raw 0204"),
        (r".*[<,]", _OPTION),
    ),
    "icmp": (
        (r"", "an ICMP message such as port-unreachable or type 3 code 3"),
        (r".*\[", _FLAGS),
        (r".*\[ ?\S+( [^\s)]*)?", _SEQUENCE),
        (r".*\b(type|code|mtu)", "a number"),
    ),
    "call": (
        (r"", "a call such as s = socket()"),
        (r"[^(]*", "a call such as s = socket()"),
        (r".*\) ?=( .* or)?", _RESULT),
        (r".*(in|ex)cludes", "events such as POLLIN|POLLOUT"),
    ),
    "finish": ((r"", "the name of a call that was started, and its result: r = 0"), (r".*=", _RESULT)),
    "state": ((r"", "a socket and a state, such as c ESTABLISHED"), (r"\S+", _STATE)),
    "states": (
        (r"", "a socket and states, such as c SYN-SENT → ESTABLISHED"),
        (r".*(→|->)", _STATE),
        (r"(\S+ )?[A-Z]\S*", "→ and the next state"),
        (r"\S+", _STATE),
    ),
    "sockopt": ((r"", _SOCKET), (r"\S+", "a socket option such as TCP_NODELAY"), (r".*=", _RESULT)),
    "info": ((r"", _SOCKET), (r"(\S+|.*,)", "a figure such as mss = 1460"), (r".*=", "a number, a range, a duration or *")),
    "check": (
        (r"(distinct|scattered|rate)", "variables such as $a $b, or $a* for $a0, $a1 …"),
        (r"rate( [^=]+)?", "= and how much a second, such as = 1..1000"),
        (r"(distinct|scattered) .*", "a variable such as $a or $a*"),
        (r".*[=<>]", "a number, a range or a sum such as $a + 1"),
        (r"", "a relation such as $b - $a = 1..9, or distinct, scattered or rate and variables"),
        (r".*", "=, !=, <, <=, > or >=, or + or -"),
    ),
    "duration": ((r".*", _DURATION),),
    "timing": ((r".*(±|\+-)", "a margin such as 10% or 50ms"), (r".*", "a duration such as 1s, 1s ± 10%, 1s ± 50ms or 0.9s..1.1s")),
    "number": ((r".*", "a number, a range such as 1..64, $name or *"),),
}
"""For each notation: patterns of the text before a mistake (its spaces single), and what should come next. The first that fits wins."""
_TERMINALS: Mapping[str, str] = {
    "INT": "a number", "VAR": "$name", "STAR": "*", "__ANON_0": "..", "_ACK": "ack", "_WIN": "win", "_URG": "urg", "LESSTHAN": "<",
    "MORETHAN": ">", "COMMA": "a comma", "TEXT": '"text"', "COLON": ":", "LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "EQUAL": "=",
    "VBAR": "|", "NAME": "a name", "_MTU": "mtu", "_CODE": "code", "HEX": "hexadecimal digits", "_ARROW": "→", "_PM": "±",
    "$END": "the end", "_VAL": "val", "_ECR": "ecr", "DURATION": "a duration", "FLAGS": "flags", "STATE": "a state",
}  # fmt: skip


@cache
def _parsers() -> Lark:
    grammar = files("conformance.case").joinpath("notation.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", start=list(_AFTER), transformer=TreeBuilder(), maybe_placeholders=True)


def _parse(notation: str, text: str) -> Any:
    if len(text) > _MAX_TEXT:
        raise CaseError("a text that is too long", column=1, found=f"{len(text)} characters", expected=f"at most {_MAX_TEXT}")
    try:
        return _parsers().parse(text, start=notation)
    except UnexpectedInput as error:
        raise _mistake(notation, text, error) from None


def _mistake(notation: str, text: str, error: UnexpectedInput) -> CaseError:
    """What was found and what should have stood there, in words."""
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position = len(text.rstrip()) if at_end else error.pos_in_stream or 0
    before = " ".join(text[:position].split())
    rest = text[position:].lstrip()
    found = re.match(r"[\w$.*+-]+|\S", rest)
    terminals = getattr(error, "accepts", None) or getattr(error, "expected", None) or getattr(error, "allowed", None) or set()
    fallback = " or ".join(dict.fromkeys(word for name, word in _TERMINALS.items() if name in terminals)) or "something else"
    expected = next((words for sign, words in _AFTER[notation] if re.fullmatch(sign, before, re.DOTALL)), fallback)
    return CaseError(_NAMES[notation], column=position + 1, found=found[0][:40] if found else "the end", expected=expected)


_NAMES: Mapping[str, str] = {
    "segment": "a segment", "icmp": "an ICMP message", "call": "a call", "finish": "a result", "state": "a state", "states": "states",
    "sockopt": "a socket option", "info": "figures of TCP_INFO", "duration": "a duration", "timing": "a time", "number": "a number",
    "check": "a check",
}  # fmt: skip


# Segments and messages ------------------------------------------------------------------------------------------------


@lru_cache(_REMEMBERED)
def inject_segment(text: str) -> SegmentPattern:
    """``S 0:0(0) win 65535 <mss 1460>``, to send: all numbers known."""
    return segment_pattern(_parse("segment", text), "inject", text)


@lru_cache(_REMEMBERED)
def expect_segment(text: str) -> SegmentPattern:
    """``S. 0:0(0) ack 1 <mss *,...>``, to compare with."""
    return segment_pattern(_parse("segment", text), "expect", text)


@lru_cache(_REMEMBERED)
def inject_icmp(text: str) -> IcmpPattern:
    """``frag-needed mtu 1400 [. 1:1001(1000)]``, to send."""
    return icmp_pattern(_parse("icmp", text), "inject", text)


@lru_cache(_REMEMBERED)
def expect_icmp(text: str) -> IcmpPattern:
    """``port-unreachable``, to compare with."""
    return icmp_pattern(_parse("icmp", text), "expect", text)


# Calls ----------------------------------------------------------------------------------------------------------------


@lru_cache(_REMEMBERED)
def call(text: str) -> Call:
    """``c = accept(s)``, ``send(c, 1000) = 1000``: returns at once."""
    return call_pattern(_parse("call", text), text, starts=False)


@lru_cache(_REMEMBERED)
def start(text: str) -> Call:
    """``r = connect(s)``: a call that blocks, with a name and without a result."""
    return call_pattern(_parse("call", text), text, starts=True)


@lru_cache(_REMEMBERED)
def finish(text: str) -> tuple[str, Result | None]:
    """``r = 0``: the name of a call that was started, and what it returns."""
    name, result = _parse("finish", text)
    return socket_name(name), result and result_pattern(result)


# What is asked of sockets ---------------------------------------------------------------------------------------------


@lru_cache(_REMEMBERED)
def state(text: str) -> tuple[str | None, str]:
    """``c ESTABLISHED``: a socket, or None for the connection, and a state."""
    socket, name = _parse("state", text)
    return socket and socket.value, _state(name)


@lru_cache(_REMEMBERED)
def states(text: str) -> tuple[str | None, tuple[str, ...]]:
    """``c SYN-SENT → ESTABLISHED``: a socket, or None for the connection, and two or more states."""
    socket, names = _parse("states", text)
    return socket and socket.value, tuple(_state(name) for name in names)


@lru_cache(_REMEMBERED)
def sockopt(text: str) -> tuple[str, str, Result]:
    """``c TCP_MAXSEG = 1460``"""
    socket, option, value = _parse("sockopt", text)
    if option.value not in SOCKET_OPTIONS:
        raise CaseError("a socket option", column=option.column, found=option.text, allowed=SOCKET_OPTIONS)
    return socket.value, option.value, option_value(option.value, value)


@lru_cache(_REMEMBERED)
def info(text: str) -> tuple[str, tuple[tuple[str, Num], ...]]:
    """``c mss = 1460, rto = 200ms..300ms``: names as Linux has them, times in ns."""
    socket, figures = _parse("info", text)
    return socket.value, tuple(_figure(name, value) for name, value in figures)


def _state(draft: At) -> str:
    if draft.value not in STATES:
        raise CaseError("a state", column=draft.column, found=draft.text, allowed=STATES)
    return str(draft.value)


def _figure(name: At, value: At) -> tuple[str, Num]:
    field = INFO_ALIASES.get(name.value, name.value)
    if field not in INFO_FIELDS:
        raise CaseError("a figure of TCP_INFO", column=name.column, found=name.text, allowed=(*INFO_FIELDS, *INFO_ALIASES))
    is_time, exact = field in INFO_TIMES, isinstance(value.value, Exact) or ".." in value.text
    if exact and is_time != (value.kind == "duration"):
        expected = _DURATION + ", a range of them, or *" if is_time else "a number without a unit, a range or *"
        raise CaseError(f"{name.text} is {'a' if is_time else 'no'} time", column=value.column, found=value.text, expected=expected)
    return field, value.value


# Variables ------------------------------------------------------------------------------------------------------------


@lru_cache(_REMEMBERED)
def check(text: str) -> Check:
    """``$b - $a = 200..400``, ``distinct $a $b``, ``scattered $isn*``, ``rate $a $b = 1..1000``"""
    result: Check = _parse("check", text)
    return result


# Time and numbers -----------------------------------------------------------------------------------------------------


@lru_cache(_REMEMBERED)
def duration(text: str) -> int:
    """``500ms`` in ns."""
    return int(_parse("duration", text))


@lru_cache(_REMEMBERED)
def wait(text: str) -> Timing:
    """``after:`` of what the tester does: it waits exactly that long."""
    exact = duration(text)
    return Timing(exact, exact)


@lru_cache(_REMEMBERED)
def timing(text: str) -> Timing:
    """``after:`` of what is awaited: ``1s ± 10%``, ``1s ± 50ms``, ``0.9s..1.1s``; ``1s`` alone is ± 10%, at least ± 10 ms."""
    result: Timing = _parse("timing", text)
    return result


@lru_cache(_REMEMBERED)
def number(text: str) -> Num:
    """``1..64``, ``*``, ``$x+1`` or a number."""
    result: Num = _parse("number", text).value
    return result
