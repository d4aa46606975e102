"""For stacks that this project has an agent for (:class:`conformance.sut.base.Agent`): calls as it takes them, outcomes as an adapter
gives them. Of no use to others; it takes a tenth of a second to import."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from conformance.sut.base import Argument, Host, Outcome
from conformance.sut.sdk.adapter import End, Result
from conformance.trace import Endpoints

__all__ = ["address_text", "end", "endpoints", "of_case", "packed", "returned"]


def packed(address: str) -> bytes:
    """An address in network order."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def address_text(address: bytes) -> str:
    """An address as it is written."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def of_case(name: str, arguments: Mapping[str, Any]) -> tuple[Argument, ...]:
    """A call's arguments, as a case has them."""
    given = dict(arguments)
    if name in ("bind", "connect"):
        address = given.pop("address")
        return given["socket"], Host(packed(address) if address else b"", given["port"])
    if "flags" in given:
        flags = given.pop("flags")
        return *given.values(), *(("|".join(flags),) if flags else ())
    value = given.get("value")
    return tuple(given.values()) if not isinstance(value, tuple) else (given["socket"], given["name"], *value)


def returned(name: str, outcome: Outcome) -> Result:
    """What a call returned that did not fail, as the method for it does."""
    value = outcome.value
    if outcome.peer is not None:
        return value, end(outcome.peer)
    if isinstance(value, Host):
        return end(value)
    if name == "poll":
        return value.split("|") if isinstance(value, str) else []
    return value


def end(host: Host) -> End:
    """A host's address and port."""
    return address_text(host.address), host.port


def endpoints(local: End, remote: End) -> Endpoints:
    """A connection."""
    return Endpoints("", packed(remote[0]), remote[1], packed(local[0]), local[1], 0)
