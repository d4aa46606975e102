"""The sockets that a case has made, by the names it gave them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["SocketVariable", "Sockets"]


@dataclass(slots=True)
class SocketVariable:
    """A socket of the SUT."""

    handle: int
    connection: str | None = None
    """The connection that it has or asks for."""
    sent: int = 0
    """Octets that the stack took from the caller: where in the stream the next ones are."""
    received: int = 0
    """Octets that the stack gave to the caller."""


class Sockets:
    """Names to sockets."""

    def __init__(self) -> None:
        self._by_name: dict[str, SocketVariable] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> SocketVariable:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def add(self, name: str, handle: int, connection: str | None = None) -> None:
        """A call made a socket."""
        self._by_name[name] = SocketVariable(handle, connection)

    def holder(self, connection: str) -> str | None:
        """The name of the socket that has this connection."""
        return next((name for name, socket in self._by_name.items() if socket.connection == connection), None)
