"""The SUT protocol's messages (``adapters/PROTOCOL.md``): requests out of calls and queries, outcomes out of results. Pure.

What an adapter says is not to be trusted: each reader here takes what JSON can hold and raises ProtocolFault, with what was wrong.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.case.settings import SETTINGS
from conformance.case.vocabulary import CALLS, ERRNOS, INFO_FIELDS, MESSAGE_FLAGS, POLL_EVENTS, SOCKET_OPTIONS
from conformance.sut.base import Argument, Host, Outcome
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = [
    "CAPABILITIES", "CLOCKS", "NOT_THERE", "STATES", "VERSION", "Description", "Message", "Moved", "ProtocolFault",
    "connection_params", "describe", "encode", "figures", "lacking", "moved", "outcome", "parameters", "parse", "setting_value",
    "state_name",
]  # fmt: skip

VERSION = 1
CLOCKS = ("virtual", "real")
CAPABILITIES: Mapping[str, str] = {
    "ipv4": "speaks IPv4",
    "ipv6": "speaks IPv6",
    "states": "answers `state`",
    "transitions": "tells each change of a state with `stateChanged`",
    "info": "answers `info`",
    "blocking": "has calls that block",
    "sack": "has selective acknowledgements (RFC 2018), on unless told otherwise",
    "timestamps": "has the timestamps option (RFC 7323), on unless told otherwise",
    "window_scaling": "has the window scale option (RFC 7323), on unless told otherwise",
    "ecn": "has explicit congestion notification (RFC 3168)",
    "fast_open": "has TCP Fast Open (RFC 7413)",
    "urgent": "has the urgent mechanism in its interface",
    "icmp": "hands ICMP errors to TCP and sends its own",
    "simultaneous_open": "takes a SYN in SYN-SENT",
    "half_close": "sends its FIN and goes on receiving",
    "keepalive": "has keep-alives",
    "udp": "has datagram sockets",
    "rfc5961-data": "takes RFC 5961's narrower range of acknowledgement numbers",
}
STATES = (
    "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK",
    "TIME-WAIT",
)  # fmt: skip
_SHOWN = 200
"""Characters of what an adapter said that an error shows."""
_MOST_VALUES = 3
_DOMAINS = {Family.IPV4: "AF_INET", Family.IPV6: "AF_INET6"}
_LINGER = 2
"""Numbers of struct linger: whether it is on, and seconds."""
_LENGTHS = {"AF_INET": 4, "AF_INET6": 16}


NOT_THERE = "ENOSYS"
"""The errno of a call, an option, a flag or a request that the stack's interface has not got."""


class ProtocolFault(Exception):
    """An adapter said what the protocol does not allow."""


@dataclass(frozen=True, slots=True)
class Message:
    """A line from an adapter: an answer to a request, or a notification."""

    id: int | None
    """Of the request; None: a notification."""
    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    """Why the request could not be carried out."""


@dataclass(frozen=True, slots=True)
class Description:
    """What ``initialize`` says of a stack."""

    name: str
    version: str
    clocks: tuple[str, ...]
    shared: bool
    capabilities: frozenset[str]
    calls: frozenset[str]
    options: frozenset[str]
    flags: frozenset[str]
    settings: Mapping[str, tuple[object, ...] | None]
    """By name the values that it can have; None: every one."""

    @property
    def features(self) -> frozenset[str]:
        """What :func:`conformance.case.features.features` may find in a case that the stack can play."""
        named = (("call", self.calls), ("option", self.options), ("flag", self.flags))
        return self.capabilities | {f"{kind} {name}" for kind, names in named for name in names}

    def lacks(self, config: Mapping[str, object]) -> str | None:
        """Why the stack cannot be configured so; None if it can."""
        unknown = [name for name in config if name not in self.settings]
        if unknown:
            return f"{self.name} has no setting for {', '.join(unknown)}"
        other = [(name, values) for name, values in self.settings.items() if values is not None and name in config]
        wrong = [f"{name} {_some(values)} only" for name, values in other if setting_value(config[name]) not in values]
        return f"{self.name} has {', '.join(wrong)}" if wrong else None


def _some(values: tuple[object, ...]) -> str:
    """``1500 or 1499 or 1498 or …``"""
    return " or ".join([*map(str, values[:_MOST_VALUES]), *(["…"] if len(values) > _MOST_VALUES else [])])


@dataclass(frozen=True, slots=True)
class Moved:
    """``stateChanged``."""

    local_port: int
    remote: bytes
    remote_port: int
    old: str
    new: str
    time: int | None


def _quoted(value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except RecursionError:
        text = "something nested too deeply to be shown"
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


# Messages -------------------------------------------------------------------------------------------------------------


def encode(id: int, method: str, params: Mapping[str, Any]) -> bytes:
    """A request, as a line."""
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}, separators=(",", ":")).encode() + b"\n"


def parse(line: bytes) -> Message:
    """A line from an adapter."""
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise ProtocolFault(f"printed what is no message: {_quoted(line[:_SHOWN].decode(errors='replace').rstrip())}") from None
    if not isinstance(read, dict) or read.get("jsonrpc") != "2.0":
        raise ProtocolFault(f'printed what is no JSON-RPC 2.0 message (an object with "jsonrpc": "2.0"): {_quoted(read)}')
    id, method = read.get("id"), read.get("method")
    if isinstance(method, str) and id is None:
        return Message(None, method, _object(read.get("params", {}), f"the parameters of {_quoted(method)}"))
    if isinstance(id, bool) or not isinstance(id, int):
        raise ProtocolFault(f"answered without the id of a request: {_quoted(read)}")
    if "error" in read:
        error = read["error"]
        text = error.get("message") if isinstance(error, dict) else None
        return Message(id, error=_quoted(text if isinstance(text, str) else error))
    if "result" not in read:
        raise ProtocolFault(f"answered with neither result nor error: {_quoted(read)}")
    return Message(id, result=_object(read["result"], "a result"))


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolFault(f"{what} must be an object, not {_quoted(value)}")
    return value


# initialize -----------------------------------------------------------------------------------------------------------


def describe(result: Mapping[str, Any]) -> Description:
    """The result of ``initialize``. What it names that this tester does not know is left out, for newer adapters."""
    if result.get("protocol") != VERSION:
        raise ProtocolFault(f"speaks version {_quoted(result.get('protocol'))} of the protocol; this tester speaks {VERSION}")
    clocks = _words(result, "clocks", CLOCKS)
    if not clocks:
        raise ProtocolFault(f"clocks must name {' or '.join(CLOCKS)}: {_quoted(result.get('clocks'))}")
    shared = result.get("shared", False)
    if not isinstance(shared, bool):
        raise ProtocolFault(f"shared must be true or false, not {_quoted(shared)}")
    if shared and "real" not in clocks:
        raise ProtocolFault("shared is for the real clock only")
    settings = _object(result.get("settings", {}), "settings")
    return Description(
        name=_text(result, "name"),
        version=_text(result, "version"),
        clocks=clocks,
        shared=shared,
        capabilities=frozenset(_words(result, "capabilities", CAPABILITIES)),
        calls=frozenset(_words(result, "calls", CALLS)),
        options=frozenset(_words(result, "options", SOCKET_OPTIONS)),
        flags=frozenset(_words(result, "flags", MESSAGE_FLAGS)),
        settings={name: _values(name, value) for name, value in settings.items() if name in SETTINGS},
    )


def _text(result: Mapping[str, Any], name: str) -> str:
    value = result.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolFault(f"initialize must give {name}, a string that is not empty; it is {_quoted(value)}")
    return _quoted(value)


def _words(result: Mapping[str, Any], name: str, known: Sequence[str] | Mapping[str, object]) -> tuple[str, ...]:
    value = result.get(name, [])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ProtocolFault(f"{name} must be a list of names, not {_quoted(value)}")
    return tuple(word for word in value if word in known)


def _values(name: str, value: object) -> tuple[object, ...] | None:
    if value == "any":
        return None
    if isinstance(value, list) and value:
        return tuple(value)
    raise ProtocolFault(f'settings.{name} must be "any" or a list of values, not {_quoted(value)}')


def setting_value(value: object) -> object:
    """A setting's value as the protocol has it: switches are words."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


# Calls ----------------------------------------------------------------------------------------------------------------


def parameters(function: str, arguments: Sequence[Argument], family: Family, domains: Mapping[int, str]) -> dict[str, Any]:
    """A call's parameters by name. ``domains`` are those of the sockets, by handle: a wildcard address is the one of its socket's."""
    if function == "socket":
        named = bool(arguments) and isinstance(arguments[0], str) and arguments[0].startswith("AF_")
        given = list(arguments) if named else [_DOMAINS[family], *arguments]
        return dict(zip(("domain", "type", "protocol"), [*given, *("SOCK_STREAM", 0)[len(given) - 1 :]], strict=True))
    handle, *rest = arguments
    params: dict[str, Any] = {"socket": handle}
    match function, rest:
        case (("bind" | "connect"), [Host() as host]):
            params |= _host(host, domains.get(handle, "") if function == "bind" and isinstance(handle, int) else "")
        case "listen", [backlog]:
            params["backlog"] = backlog
        case "send", [bytes(data), *flags]:
            params |= {"data": data.hex(), "flags": _flags(flags)}
        case "recv", [size, *flags]:
            params |= {"size": size, "flags": _flags(flags)}
        case "shutdown", [how]:
            params["how"] = how
        case "setsockopt", [name, *values]:
            params |= {"name": name, "value": _option_value(values)}
        case "getsockopt", [name]:
            params["name"] = name
        case "ioctl", [request]:
            params["request"] = request
        case _, []:
            pass
        case _:
            raise TypeError(f"{function} with {arguments}")
    return params


def _flags(flags: Sequence[Argument]) -> list[str]:
    return [name for word in flags for name in str(word).split("|") if isinstance(word, str)]


def _option_value(values: Sequence[Argument]) -> object:
    value = list(values) if len(values) > 1 else values[0]
    return value.hex() if isinstance(value, bytes) else value


def _host(host: Host, domain: str) -> dict[str, Any]:
    address = host.address
    if not any(address) and address and domain in _LENGTHS:
        address = bytes(_LENGTHS[domain])
    return {"address": _address_text(address) if address else None, "port": host.port}


def _address_text(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def connection_params(handle: int | None, ends: Endpoints | None) -> dict[str, Any]:
    """The parameters of ``state``; without ``socket``, a connection of ``forget``."""
    local = {"address": _address_text(ends.sut), "port": ends.sut_port} if ends else None
    remote = {"address": _address_text(ends.peer), "port": ends.peer_port} if ends else None
    return {"socket": handle, "local": local, "remote": remote}


def lacking(function: str, params: Mapping[str, Any]) -> str:
    """What a stack has not got that answers a call with :data:`NOT_THERE`."""
    detail = params.get("name") or params.get("request") or " ".join(params.get("flags", ()))
    if function == "connect" and params.get("address") is None:
        detail = "AF_UNSPEC"
    return f"the stack's interface has no {function}{f' with {detail}' if detail else ''}"


# Results --------------------------------------------------------------------------------------------------------------


def outcome(function: str, params: Mapping[str, Any], result: Mapping[str, Any]) -> Outcome:
    """What a call returned, as a case compares it."""
    error = result.get("errno")
    if error is not None:
        if not isinstance(error, str) or error not in ERRNOS:
            raise ProtocolFault(f"{function} failed with {_quoted(error)}, which is no errno's name")
        return Outcome(error=ERRNOS[error])
    value = result.get("value")
    try:
        match function:
            case "socket":
                return Outcome(_number(value))
            case "accept":
                return Outcome(_number(value), peer=_read_host(result))
            case "getsockname" | "getpeername":
                return Outcome(_read_host(result))
            case "recv":
                return Outcome(_received(params.get("flags", ()), value))
            case "poll":
                return Outcome("|".join(name for name in POLL_EVENTS if name in _names(value)) or 0)
            case "getsockopt":
                return Outcome(_option(str(params.get("name")), value))
            case "send" | "ioctl" | "sockatmark":
                return Outcome(_number(value))
            case _:
                return Outcome(0)
    except (TypeError, ValueError, OSError):
        raise ProtocolFault(f"{function} returned {_quoted(dict(result))}, which is not what it gives") from None


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _names(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _received(flags: Sequence[str], value: object) -> int | str | bytes:
    if "MSG_TRUNC" in flags:
        return _number(value)
    if not isinstance(value, str):
        raise TypeError
    return value if "MSG_ERRQUEUE" in flags else bytes.fromhex(value)


def _option(name: str, value: object) -> int | str | bytes:
    if name == "SO_ERROR" and isinstance(value, str):
        return ERRNOS.get(value, value)
    if name == "SO_LINGER" and isinstance(value, list) and len(value) == _LINGER:
        return _number(value[0])
    return bytes.fromhex(value) if isinstance(value, str) else _number(value)


def _read_host(result: Mapping[str, Any]) -> Host:
    address, port = result.get("address"), _number(result.get("port"))
    if not isinstance(address, str) or not 0 <= port <= 65535:
        raise TypeError
    return Host(_packed(address), port)


def _read_end(end: object) -> Host:
    """One that is not known is null."""
    return Host(b"", 0) if end is None else _read_host(_mapping(end))


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


# States and figures ---------------------------------------------------------------------------------------------------


def state_name(value: object) -> str:
    """A state's name."""
    if value not in STATES:
        raise ProtocolFault(f"{_quoted(value)} is no state: {', '.join(STATES)}")
    return str(value)


def moved(params: Mapping[str, Any]) -> Moved:
    """The parameters of ``stateChanged``."""
    time = params.get("time")
    try:
        local, remote = params.get("local"), params.get("remote")
        there, here = _read_end(remote), _read_end(local)
        at = None if time is None else _number(time)
    except (TypeError, ValueError, OSError):
        raise ProtocolFault(f"stateChanged names no two ends: {_quoted(dict(params))}") from None
    return Moved(here.port, there.address, there.port, state_name(params.get("old")), state_name(params.get("new")), at)


def figures(result: Mapping[str, Any]) -> dict[str, int]:
    """The result of ``info``."""
    known = {name: value for name, value in result.items() if name in INFO_FIELDS or name == "wscale"}
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in known.values()):
        raise ProtocolFault(f"info gives figures that are no whole numbers: {_quoted(known)}")
    return known
