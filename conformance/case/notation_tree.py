"""What ``notation.lark`` matches → drafts: the values of :mod:`conformance.case.steps` with the columns they stand at.

A draft is the same for what is injected and what is expected; :mod:`conformance.case.segments` and
:mod:`conformance.case.calls` check it for its role. Columns count from 1 inside the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lark import Token, Transformer, v_args

from conformance.case import durations
from conformance.case.arithmetic import Distinct, Names, Rate, Relation, Scattered, Sum
from conformance.case.errors import CaseError
from conformance.case.steps import AnyValue, Exact, Range, Timing, Var

__all__ = ["At", "DraftCall", "DraftIcmp", "DraftOption", "DraftSegment", "TreeBuilder"]

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}


class At(NamedTuple):
    """A value, what was written for it, and at which column. ``kind`` tells values apart that look the same."""

    value: Any
    text: str
    column: int
    kind: str = ""


class DraftOption(NamedTuple):
    """An option: its keyword, its numbers and its octets (None: not written; ``*``: any)."""

    keyword: At
    numbers: tuple[At, ...] = ()
    octets: At | None = None


class DraftSegment(NamedTuple):
    """A segment, in the order in which it is written."""

    flags: At
    seq: At
    end: At
    length: At
    ack: At | None
    win: At | None
    urg: At | None
    options: tuple[DraftOption, ...] | None
    data: At | None


class DraftIcmp(NamedTuple):
    """An ICMP message: its name, or type and code."""

    name: At | None
    type: At | None
    code: At | None
    mtu: At | None
    quoted: DraftSegment | None


class DraftCall(NamedTuple):
    """A socket call."""

    target: At | None
    function: At
    arguments: tuple[At, ...]
    result: At | None


def _at(token: Token, value: Any = None, kind: str = "") -> At:
    return At(str(token) if value is None else value, str(token), (token.start_pos or 0) + 1, kind)


def _bounded(low: Token, high: Token, make: Callable[[Token], int]) -> tuple[int, int]:
    """Both ends of a range, in order."""
    ends = make(low), make(high)
    if ends[0] > ends[1]:
        raise CaseError("a range", column=(low.start_pos or 0) + 1, found=f"{low}..{high}", expected="the lower end first")
    return ends


def _names(tokens: Sequence[Token | None]) -> Names:
    return Names(tuple(str(token)[1:] for token in tokens))


def _octets(token: Token) -> bytes:
    """Text in quotes, its escapes resolved, as UTF-8."""
    text, done = str(token)[1:-1], 0
    octets = bytearray()
    for match in _ESCAPE.finditer(text):
        octets += text[done : match.start()].encode("utf-8", "surrogatepass")
        done = match.end()
        if match[1]:
            octets.append(int(match[1], 16))
        elif match[2] in _ESCAPES:
            octets += _ESCAPES[match[2]]
        else:
            column = (token.start_pos or 0) + 2 + match.start()
            raise CaseError("an escape in a text", column=column, found=match[0], expected=r"one of \n, \r, \t, \0, \\, \", \xNN")
    return bytes(octets + text[done:].encode("utf-8", "surrogatepass"))


def _duration(token: Token) -> int:
    return durations.nanoseconds(str(token))


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Any]):
    """One method a rule or alias of the grammar."""

    # Values

    def exact(self, token: Token) -> At:
        return _at(token, Exact(int(token)))

    def range(self, low: Token, high: Token) -> At:
        value = Range(*_bounded(low, high, int))
        return At(value, f"{low}..{high}", (low.start_pos or 0) + 1)

    def variable(self, token: Token) -> At:
        name, sign, offset = re.fullmatch(r"\$(\w+)(?:([+-])(\d+))?", str(token)).groups()  # type: ignore[union-attr]
        return _at(token, Var(name, int(f"{sign}{offset}") if sign else 0))

    def anything(self, token: Token) -> At:
        return _at(token, AnyValue())

    def number(self, value: Token | At) -> At:
        return value if isinstance(value, At) else self.exact(value)

    # Segments

    def segment(self, flags: Token, *rest: Any) -> DraftSegment:
        seq, end, length, ack, win, urg, options, text = rest
        data = None if text is None else _at(text, _octets(text))
        return DraftSegment(_at(flags), seq, end, length, ack, win, urg, options, data)

    def options(self, *options: DraftOption | None) -> tuple[DraftOption, ...]:
        return tuple(option for option in options if option is not None)

    def numbers_option(self, keyword: Token, *numbers: At) -> DraftOption:
        return DraftOption(_at(keyword), numbers)

    def octets_option(self, keyword: Token, octets: Token | None) -> DraftOption:
        return DraftOption(_at(keyword), (), self._hex(octets))

    def kind_option(self, keyword: Token, kind: Token, octets: Token | None) -> DraftOption:
        return DraftOption(_at(keyword), (self.exact(kind),), self._hex(octets))

    def wild_option(self, keyword: Token) -> DraftOption:
        return DraftOption(_at(keyword))

    def _hex(self, token: Token | None) -> At | None:
        if token is not None and token.type == "VAR":
            return self.variable(token)
        if token is None or token == "*":
            return None if token is None else _at(token)
        if len(token) % 2:
            raise CaseError("octets", column=(token.start_pos or 0) + 1, found=str(token), expected="two hexadecimal digits an octet")
        return _at(token, bytes.fromhex(token))

    def icmp_name(self, name: Token, mtu: At | None, quoted: DraftSegment | None) -> DraftIcmp:
        return DraftIcmp(_at(name), None, None, mtu, quoted)

    def icmp_numbers(self, type: Token, code: Token, mtu: At | None, quoted: DraftSegment | None) -> DraftIcmp:
        return DraftIcmp(None, self.exact(type), self.exact(code), mtu, quoted)

    # Calls: an argument or result is a Num, octets, or a name that is told by its kind

    def octets(self, token: Token) -> At:
        return _at(token, _octets(token), "text")

    def name(self, token: Token) -> At:
        return _at(token, kind="name")

    def address(self, host: Token, port: Token) -> At:
        value = (str(host), int(port) if port.type == "INT" else str(port))
        return At(value, f"{host}:{port}", (host.start_pos or 0) + 1, "address")

    def name_flags(self, *names: Token) -> At:
        return At(tuple(map(str, names)), "|".join(names), (names[0].start_pos or 0) + 1, "flags")

    def one_of(self, *results: At) -> At:
        return At(results, " or ".join(result.text for result in results), results[0].column, "one of")

    def includes(self, word: Token, *names: Token) -> At:
        return At(tuple(map(str, names)), "|".join(names), _at(word).column, "includes")

    def excludes(self, word: Token, *names: Token) -> At:
        return At(tuple(map(str, names)), "|".join(names), _at(word).column, "excludes")

    range_result = range
    variable_result = variable
    any_result = anything

    def call(self, target: Token | None, function: Token, *rest: At | None) -> DraftCall:
        *arguments, result = rest
        present = tuple(argument for argument in arguments if argument is not None)
        return DraftCall(None if target is None else _at(target), _at(function), present, result)

    # The rest

    def finish(self, name: Token, result: At | None) -> tuple[At, At | None]:
        return _at(name), result

    def state(self, socket: Token | None, state: Token) -> tuple[At | None, At]:
        return (None if socket is None else _at(socket)), _at(state)

    def states(self, socket: Token | None, *states: Token) -> tuple[At | None, tuple[At, ...]]:
        return (None if socket is None else _at(socket)), tuple(map(_at, states))

    def sockopt(self, socket: Token, option: Token, result: At) -> tuple[At, At, At]:
        return _at(socket), _at(option), result

    def info(self, socket: Token, *figures: tuple[At, At]) -> tuple[At, tuple[tuple[At, At], ...]]:
        return _at(socket), figures

    def figure(self, name: Token, value: At) -> tuple[At, At]:
        return _at(name), value

    # Checks

    def times(self, factor: Token | None, _: Token | None, variable: Token) -> tuple[tuple[int, str], int]:
        return (1 if factor is None else int(factor), str(variable)[1:]), 0

    def constant(self, token: Token) -> tuple[None, int]:
        return None, int(token)

    def sum(self, *parts: Any) -> Sum:
        """Products, and the signs between them."""
        terms, constant = [], 0
        for position, (term, number) in enumerate(parts[::2]):
            sign = -1 if position and parts[2 * position - 1] == "-" else 1
            constant += sign * number
            if term is not None:
                terms.append((sign * term[0], term[1]))
        return Sum(tuple(terms), constant)

    def check_relation(self, left: Sum, sign: Token, right: Sum, high: Token | None) -> Relation:
        if high is not None:
            column = (high.start_pos or 0) - 1
            if right.terms or sign not in ("=", "!="):
                raise CaseError("a range", column=column, found=f"..{high}", expected="= or !=, and a number before it")
            if right.constant > int(high):
                found = f"{right.constant}..{high}"
                raise CaseError("a range", column=column - len(str(right.constant)), found=found, expected="the lower end first")
        return Relation(left, str(sign), right, None if high is None else int(high))

    def check_distinct(self, _: Token, *names: Token) -> Distinct:
        return Distinct(_names(names))

    def check_scattered(self, _: Token, *rest: Token | None) -> Scattered:
        *names, low, high = rest
        ends = (0, 2**32 - 1) if low is None or high is None else _bounded(low, high, int)
        return Scattered(_names(names), *ends)

    def check_rate(self, _: Token, *rest: Token | None) -> Rate:
        *names, low, high = rest
        assert low is not None
        return Rate(_names(names), *_bounded(low, low if high is None else high, int))

    # Time

    def lasting(self, token: Token) -> At:
        return _at(token, Exact(_duration(token)), "duration")

    def between(self, low: Token, high: Token) -> At:
        return At(Range(*_bounded(low, high, _duration)), f"{low}..{high}", (low.start_pos or 0) + 1, "duration")

    def duration(self, token: Token) -> int:
        return _duration(token)

    def about(self, token: Token) -> Timing:
        return durations.about(_duration(token))

    def from_to(self, low: Token, high: Token) -> Timing:
        return Timing(*_bounded(low, high, _duration))

    def give_or_take(self, middle: Token, margin: Token) -> Timing:
        return durations.around(_duration(middle), _duration(margin))

    def give_or_take_percent(self, middle: Token, percent: Token) -> Timing:
        return durations.around(_duration(middle), durations.percent(_duration(middle), str(percent)))
