"""Drafts of socket calls and results → :class:`Call` and results, checked against the table of calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from conformance.case.errors import CaseError
from conformance.case.notation_tree import At, DraftCall
from conformance.case.steps import (
    Address,
    AnyValue,
    Arg,
    Call,
    Errno,
    Exact,
    Flags,
    Includes,
    Name,
    Octets,
    OneOf,
    Range,
    Result,
    Text,
    Var,
)  # fmt: skip
from conformance.case.vocabulary import (
    ADDRESSES,
    CALLS,
    CONSTANTS,
    ERRNOS,
    MESSAGE_FLAGS,
    OCTET_OPTIONS,
    POLL_EVENTS,
    PORTS,
    REQUESTS,
    SHUTDOWNS,
    SOCKET_MAKERS,
    SOCKET_OPTIONS,
)

__all__ = ["call_pattern", "octets", "option_value", "result_pattern", "socket_name"]

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What may stand for a parameter: numbers, text, an address, and names: those listed, or any socket's."""

    words: str
    number: bool = True
    text: bool = False
    address: bool = False
    socket: bool = False
    names: tuple[str, ...] = ()
    many: bool = False
    """Names may be joined by ``|``."""


_KINDS: Mapping[str, _Kind] = {
    "socket": _Kind("a socket's name, such as s or c", number=False, socket=True),
    "address": _Kind("a port or an address such as port, peer:port or any:0; a port is one of", address=True, names=(*PORTS, "AF_UNSPEC")),
    "number": _Kind("a number"),
    "data": _Kind('a number of octets or a text such as "hello"', text=True),
    "value": _Kind('a number or a text such as "reno"', text=True),
    "option": _Kind("a socket option:", number=False, names=SOCKET_OPTIONS),
    "message flags": _Kind("flags:", names=MESSAGE_FLAGS, many=True),
    "shutdown": _Kind("one of", names=SHUTDOWNS),
    "constant": _Kind("a constant:", names=CONSTANTS, many=True),
    "request": _Kind("one of", number=False, names=REQUESTS),
}


def call_pattern(draft: DraftCall, text: str, *, starts: bool) -> Call:
    """The call that ``text`` says; ``starts`` if it is one that blocks. Raises CaseError."""
    function: str = draft.function.value
    signature = CALLS.get(function)
    if signature is None:
        raise CaseError("a call", column=draft.function.column, found=function, allowed=tuple(CALLS))
    count = len(draft.arguments)
    if not signature.minimum <= count <= len(signature.parameters):
        raise CaseError(f"arguments of {function}", column=draft.function.column, found=f"{count} arguments", expected=signature.usage)
    _check_target(draft, starts)
    arguments = [_argument(argument, kind) for argument, kind in zip(draft.arguments, signature.parameters, strict=False)]
    if function == "bind" and Name("AF_UNSPEC") in arguments:
        raise CaseError("an address", column=draft.arguments[1].column, found="AF_UNSPEC", expected=_KINDS["address"].words, allowed=PORTS)
    option = arguments[1].name if function.endswith("sockopt") and isinstance(arguments[1], Name) else ""
    return Call(
        function=function,
        args=tuple(_octets_of(option, argument, draft.arguments[at].column) for at, argument in enumerate(arguments)),
        target=draft.target.value if draft.target else None,
        result=draft.result and option_value(option, draft.result),
        text=text,
    )


def option_value(option: str, draft: At) -> Result:
    """What reading a socket option gives. Raises CaseError."""
    return _octets_of(option, result_pattern(draft), draft.column)


_Any = TypeVar("_Any", Arg, Result)


def _octets_of(option: str, value: _Any, column: int) -> _Any | Octets:
    """The value as it is, or the octets that a text stands for where the option has some."""
    return octets(value.data.decode(errors="replace"), column) if option in OCTET_OPTIONS and isinstance(value, Text) else value


def octets(text: str, column: int = 0) -> Octets:
    """``830704 peer2``: hexadecimal digits, and names of addresses that stand for theirs. Raises CaseError."""
    parts: list[bytes | str] = []
    for part in text.split():
        if part in ADDRESSES:
            parts.append(part)
        elif _HEX.fullmatch(part):
            parts.append(bytes.fromhex(part))
        else:
            raise CaseError("octets", column=column, found=part, allowed=tuple(ADDRESSES),
                            expected="two hexadecimal digits an octet, and names of addresses:")  # fmt: skip
    return Octets(tuple(parts))


def socket_name(draft: At) -> str:
    """A name that the case gives to a socket or a pending call: it starts with a small letter. Raises CaseError."""
    name: str = draft.value
    if not (name[0].islower() or name[0] == "_") or name in PORTS:
        expected = "a name such as s or c: a small letter first, and no port's name"
        raise CaseError("a name", column=draft.column, found=name, expected=expected)
    return name


def _check_target(draft: DraftCall, starts: bool) -> None:
    function = draft.function.value
    if draft.target:
        socket_name(draft.target)
    if starts and draft.target is None:
        raise CaseError("a call to start has no name", column=1, found=function, expected=f"a name to finish it by: r = {function}(…)")
    if starts and draft.result:
        raise CaseError("a result of a call that has only started", column=draft.result.column, found=draft.result.text,
                        expected="the result in its finish step")  # fmt: skip
    if draft.target and not starts and function not in SOCKET_MAKERS:
        raise CaseError(f"{function} makes no socket to name", column=draft.target.column, found=f"{draft.target.text} =",
                        expected=f"{function}(…) = $name to keep its result")  # fmt: skip


def _argument(draft: At, kind: str) -> Arg:
    """An argument of one kind."""
    rule, value = _KINDS[kind], draft.value
    if isinstance(value, Exact) and rule.number:
        return value
    if draft.kind == "text" and rule.text:
        return Text(value)
    if draft.kind == "address" and rule.address:
        return _address(draft)
    if draft.kind == "name" and rule.socket:
        return Name(socket_name(draft))
    if draft.kind == "name" and value in rule.names:
        return Name(value)
    if draft.kind == "flags" and rule.many and not set(value) - set(rule.names):
        return Flags(value)
    found = draft.text
    if draft.kind == "flags" and rule.many:
        found = next(name for name in value if name not in rule.names)
    raise CaseError("an argument", column=draft.column, found=found, expected=rule.words, allowed=rule.names)


def _address(draft: At) -> Address:
    host, port = draft.value
    if host not in ADDRESSES:
        raise CaseError("an address", column=draft.column, found=host, allowed=tuple(ADDRESSES))
    if isinstance(port, str) and port not in PORTS:
        raise CaseError("a port", column=draft.column + draft.text.index(":") + 1, found=port, expected="a number or one of", allowed=PORTS)
    if isinstance(port, int) and not 0 <= port <= 65535:
        raise CaseError("a port", column=draft.column + draft.text.index(":") + 1, found=str(port), expected="0..65535")
    return Address(host, port)


def result_pattern(draft: At) -> Result:
    """What a call returns. Raises CaseError."""
    if isinstance(draft.value, Exact | Range | AnyValue | Var):
        return draft.value
    return _RESULTS[draft.kind](draft)


def _named_result(draft: At) -> Result:
    """An errno's name, or a single event."""
    name: str = draft.value
    if name in ERRNOS:
        return Errno(ERRNOS[name])
    if name in POLL_EVENTS:
        return Flags((name,))
    if name.startswith("E"):
        raise CaseError("a result", column=draft.column, found=name, expected="an errno name:", allowed=tuple(ERRNOS))
    if name.startswith("POLL"):
        raise CaseError("a result", column=draft.column, found=name, allowed=POLL_EVENTS)
    raise CaseError("a result", column=draft.column, found=name,
                    expected='a number, a range, *, $name, an errno name, a text such as "hello", an address or events')  # fmt: skip


def _events(draft: At) -> Result:
    return Flags(_known_events(draft))


def _known_events(draft: At) -> tuple[str, ...]:
    unknown = next((name for name in draft.value if name not in POLL_EVENTS), None)
    if unknown:
        raise CaseError("events", column=draft.column, found=unknown, allowed=POLL_EVENTS)
    return tuple(draft.value)


_RESULTS: Mapping[str, Callable[[At], Result]] = {
    "text": lambda draft: Text(draft.value),
    "name": _named_result,
    "address": _address,
    "flags": _events,
    "one of": lambda draft: OneOf(tuple(result_pattern(one) for one in draft.value)),
    "includes": lambda draft: Includes(_known_events(draft)),
    "excludes": lambda draft: Includes(_known_events(draft), absent=True),
}
