"""Callers of socket calls. A call is a generator: where the kernel would put the caller to sleep, it yields a :class:`Wait`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from conformance.stack.errors import SocketError

if TYPE_CHECKING:
    from conformance.stack.sock import Sock
    from conformance.stack.timers import Timer

__all__ = ["Call", "Task", "Wait", "Woken"]


class Woken(Enum):
    """Why a caller goes on."""

    EVENT = "something happened to the socket"
    TIMEOUT = "the time is over"
    SIGNAL = "a signal came"


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep until something happens to this socket, at most until ``deadline`` (ns; None: for ever). The answer is a :class:`Woken`."""

    sk: Sock | tuple[Sock, ...]
    """A tuple: to one of these (``ppoll``)."""
    deadline: int | None = None

    @property
    def socks(self) -> tuple[Sock, ...]:
        """Whose wait queues the caller is in."""
        return self.sk if isinstance(self.sk, tuple) else (self.sk,)


Call = Generator[Wait, Woken, Any]
"""A socket call that is under way."""


@dataclass(slots=True, eq=False)
class Task:
    """One caller within one socket call."""

    name: str
    running: Call
    done: bool = False
    value: Any = None
    """What the call returned."""
    error: str | None = None
    """Or the errno's name."""
    wait: Wait | None = None
    """What it sleeps for."""
    woken: Woken | None = None
    """Why it goes on next."""
    alarm: Timer | None = None
    """Ends its sleep at the deadline."""
    tag: Any = field(default=None)
    """The caller's own; the stack does not look at it."""

    def step(self) -> None:
        """Go on until the call returns or sleeps."""
        why, self.woken, self.wait = self.woken, None, None
        try:
            self.wait = next(self.running) if why is None else self.running.send(why)
        except StopIteration as returned:
            self.done, self.value = True, returned.value
        except SocketError as error:
            self.done, self.error = True, error.name
