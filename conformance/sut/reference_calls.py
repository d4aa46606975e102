"""Socket calls on the reference stack by name: the arguments of a case become those of the stack's call, what it returns an outcome."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from conformance.case.vocabulary import OCTET_OPTIONS
from conformance.stack import uapi
from conformance.stack.sock import Address
from conformance.sut.base import Argument, Host, Outcome, SutFault

__all__ = ["CALLS", "StackAtWork", "constant", "outcome_of"]

_MS = 1_000_000
_TIMES = ("SO_RCVTIMEO", "SO_SNDTIMEO")
"""A case gives them in ms."""
_POLL_EVENTS = {name: getattr(uapi, name) for name in ("POLLIN", "POLLPRI", "POLLOUT", "POLLERR", "POLLHUP", "POLLRDHUP")}


class StackAtWork:
    """What raises in this ``with`` block is the stack's mistake, and comes out as a SutFault that names it and its place."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, Exception) and not isinstance(error, SutFault):
            where = traceback.extract_tb(trace)[-1]
            place = f"{where.filename.rpartition('/')[2]}:{where.lineno}, in {where.name}"
            raise SutFault(f"the reference stack broke: {type(error).__name__}: {error} ({place})") from error


def constant(name: str) -> int:
    """The value of ``SOCK_STREAM``, ``MSG_PEEK|MSG_DONTWAIT`` …, which is Linux's on every machine."""
    value = 0
    for part in name.split("|"):
        known = getattr(uapi, part, None)
        if known is None:
            raise SutFault(f"the reference stack has no constant {part}")
        value |= int(known)
    return value


def _plain(arguments: Sequence[Argument]) -> tuple[object, ...]:
    """Names as numbers, hosts as the stack's addresses."""
    return tuple(
        Address(argument.address, argument.port)
        if isinstance(argument, Host)
        else constant(argument)
        if isinstance(argument, str)
        else argument
        for argument in arguments
    )


def _setsockopt(arguments: Sequence[Argument]) -> tuple[object, ...]:
    handle, name, *values = arguments
    value = values[0]
    if name == "SO_LINGER":
        on, seconds = (value for value in values if isinstance(value, int))
        value = on << 32 | seconds
    elif name in _TIMES and isinstance(value, int):
        value *= _MS
    return handle, name, constant(value) if isinstance(value, str) else value


def _fixed(arguments: Sequence[Argument]) -> tuple[object, ...]:
    return tuple(arguments)


CALLS: Mapping[str, tuple[str, Callable[[Sequence[Argument]], tuple[object, ...]]]] = {
    "bind": ("bind", _plain),
    "listen": ("listen", _plain),
    "connect": ("connect", _plain),
    "accept": ("accept", _plain),
    "send": ("sendto", _plain),
    "recv": ("recvfrom", _plain),
    "shutdown": ("shutdown", _plain),
    "close": ("close", _plain),
    "setsockopt": ("setsockopt", _setsockopt),
    "getsockopt": ("getsockopt", _fixed),
    "getsockname": ("getsockname", _plain),
    "getpeername": ("getpeername", _plain),
    "poll": ("poll", _plain),
    "ioctl": ("ioctl", _plain),
    "sockatmark": ("ioctl", lambda arguments: (*arguments, uapi.SIOCATMARK)),
}
"""What the stack calls it, and what it takes. ``socket`` has its own way, because the family is the case's."""


def outcome_of(function: str, arguments: Sequence[Argument], value: Any) -> Outcome:
    """What a call that succeeded returned, as a case compares it."""
    if function == "accept":
        handle, peer = value
        return Outcome(handle, peer=_host(peer))
    if function == "recv":
        flags = constant(str(arguments[2])) if len(arguments) > 2 and isinstance(arguments[2], str) else 0
        data = bytes(value[0])
        return Outcome(data.decode() if flags & uapi.MSG_ERRQUEUE else len(data) if flags & uapi.MSG_TRUNC else data)
    if function in ("getsockname", "getpeername"):
        return Outcome(_host(value))
    if function == "poll":
        return Outcome("|".join(name for name, mask in _POLL_EVENTS.items() if value & mask) or 0)
    if function == "getsockopt":
        return Outcome(_option(str(arguments[1]), value))
    return Outcome(value)


def _option(name: str, value: Any) -> int | bytes | str:
    if name == "SO_ERROR":
        return bytes(value).decode() or 0
    if name in _TIMES:
        return int(value) // _MS
    if isinstance(value, int):
        return int(value)
    return bytes(value) if name in OCTET_OPTIONS else bytes(value).rstrip(b"\0")


def _host(address: Address) -> Host:
    return Host(address.host, address.port)
