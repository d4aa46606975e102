"""How a step of a socket call says no."""

from __future__ import annotations

__all__ = ["SocketError"]


class SocketError(Exception):
    """A call fails with this errno; its name, as strace shows it (``ECONNREFUSED``)."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
