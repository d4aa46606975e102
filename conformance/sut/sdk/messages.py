"""The protocol's messages from an adapter's side: requests read, parameters and results as Python has them and as JSON does. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.sut.sdk.adapter import CALLS, Adapter, End, Gateway, Interface

__all__ = ["BadRequest", "Request", "arguments", "description", "end", "ends", "error", "interface", "needed", "read", "result"]

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
"""JSON-RPC 2.0, section 5.1."""
_SHOWN = 200
"""Characters of what was not understood that an error shows."""


class BadRequest(Exception):
    """What was asked is not understood: a code of JSON-RPC and why."""

    def __init__(self, code: int, text: str, id: int | str | None = None) -> None:
        super().__init__(text)
        self.code, self.id = code, id


@dataclass(frozen=True, slots=True)
class Request:
    """A line from the tester."""

    id: int | str
    method: str
    params: Mapping[str, Any]


def read(line: bytes) -> Request | None:
    """A request; None for a notification, of which the tester has none. Raises BadRequest."""
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as fault:
        raise BadRequest(PARSE_ERROR, f"no JSON: {fault}") from None
    if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0" or not isinstance(asked.get("method"), str):
        raise BadRequest(INVALID_REQUEST, f"no JSON-RPC 2.0 request: {line[:_SHOWN].decode(errors='replace').rstrip()}")
    id, params = asked.get("id"), asked.get("params", {})
    if id is None:
        return None
    if isinstance(id, bool) or not isinstance(id, int | str):
        raise BadRequest(INVALID_REQUEST, f"an id must be a number or a string, not {json.dumps(id)[:_SHOWN]}")
    if not isinstance(params, dict):
        raise BadRequest(INVALID_PARAMS, f"the parameters of {asked['method']} must be an object", id)
    return Request(id, asked["method"], params)


def error(id: int | str | None, code: int, text: str) -> dict[str, Any]:
    """An answer to what could not be carried out."""
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}


def description(adapter: Adapter) -> dict[str, Any]:
    """The result of ``initialize``."""
    offered = [name for name in CALLS if getattr(type(adapter), name) is not getattr(Adapter, name)]
    return {
        "protocol": 1,
        "name": adapter.name,
        "version": adapter.version,
        "clocks": list(adapter.clocks),
        "shared": adapter.shared,
        "capabilities": sorted(adapter.capabilities),
        "calls": list(adapter.calls or offered),
        "options": list(adapter.options),
        "flags": list(adapter.flags),
        "settings": dict(adapter.settings),
    }


def interface(params: Mapping[str, Any]) -> Interface:
    """That of ``configure``."""
    try:
        return Interface(
            mac=_mac(params["mac"]),
            mtu=params["mtu"],
            addresses=tuple((own["address"], own["prefix"]) for own in params["addresses"]),
            gateways=tuple(Gateway(gateway["address"], _mac(gateway["mac"]), gateway["to"]) for gateway in params["gateways"]),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise BadRequest(INVALID_PARAMS, f"configure: interface: {type(fault).__name__}: {fault}") from None


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


# Calls ----------------------------------------------------------------------------------------------------------------


def _octets(value: Any) -> bytes:
    return value if isinstance(value, bytes) else bytes.fromhex(value)


def _option(value: Any) -> Any:
    return bytes.fromhex(value) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


_SILENT = frozenset({"bind", "listen", "connect", "shutdown", "close", "setsockopt"})
"""Calls that return nothing."""
_READERS: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("send", "data"): _octets,
    ("send", "flags"): tuple,
    ("recv", "flags"): tuple,
    ("setsockopt", "value"): _option,
}
"""Parameters that Python has otherwise than JSON."""


def needed(params: Mapping[str, Any], name: str, method: str) -> Any:
    """A parameter that must be there."""
    try:
        return params[name]
    except KeyError:
        raise BadRequest(INVALID_PARAMS, f"{method} needs the parameter {name}") from None


def arguments(call: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A call's parameters, as its method takes them."""
    found = {name: needed(params, name, call) for name in CALLS[call]}
    try:
        return {name: _READERS[call, name](value) if (call, name) in _READERS else value for name, value in found.items()}
    except (TypeError, ValueError) as fault:
        raise BadRequest(INVALID_PARAMS, f"{call}: {fault}") from None


def end(params: Any) -> End | None:
    """An end of a connection."""
    try:
        return None if params is None else (str(params["address"]), int(params["port"]))
    except (TypeError, KeyError, ValueError):
        raise BadRequest(INVALID_PARAMS, f"an end is an address and a port, not {json.dumps(params)[:_SHOWN]}") from None


def ends(params: Any) -> list[tuple[End, End]]:
    """The connections of ``forget``."""
    pairs = [(end(connection["local"]), end(connection["remote"])) for connection in params]
    return [(local, remote) for local, remote in pairs if local is not None and remote is not None]


def result(call: str, value: Any) -> dict[str, Any]:
    """What a call's method returned, as the protocol has it."""
    if call in _SILENT:
        return {}
    if call == "accept":
        handle, (address, port) = value
        return {"value": handle, "address": address, "port": port}
    if call in ("getsockname", "getpeername"):
        address, port = value
        return {"address": address, "port": port}
    if call == "poll":
        return {"value": list(value)}
    return {} if value is None else {"value": value.hex() if isinstance(value, bytes | bytearray | memoryview) else value}
