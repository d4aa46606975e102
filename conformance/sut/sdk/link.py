"""Where an adapter's frames go, as ``CONFORMANCE_LINK`` names it: a datagram socket that is open already, or a TAP device."""

from __future__ import annotations

import select
import socket
from typing import Protocol

from conformance.sut.sdk.adapter import Unable

__all__ = ["Link", "SocketLink", "open_link"]

_LONGEST_FRAME = 65535 + 18
_PATIENCE = 5.0
"""Seconds that the tester may take to read what it was sent."""


class Link(Protocol):
    """A descriptor for frames."""

    def fileno(self) -> int:
        """Becomes readable when a frame is there."""

    def read(self) -> bytes | None:
        """The next frame; None: there is none now."""

    def write(self, frame: bytes) -> object:
        """Put a frame on the link."""


class SocketLink:
    """A connected datagram socket that the tester made."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes | None:
        try:
            return self._socket.recv(_LONGEST_FRAME) or None
        except (BlockingIOError, ConnectionError):
            return None  # if the tester is gone, standard input says so

    def write(self, frame: bytes) -> None:
        while True:
            try:
                self._socket.send(frame)
            except BlockingIOError:
                if not select.select([], [self._socket], [], _PATIENCE)[1]:
                    raise Unable(f"the tester takes no frames for {_PATIENCE:g} s") from None
            except ConnectionError:
                return
            else:
                return


def open_link(where: str | None) -> Link:
    """The link of this name. Raises Unable."""
    kind, _, name = (where or "").partition(":")
    if kind == "fd" and name.isdecimal():
        try:
            return SocketLink(int(name))
        except OSError as error:
            raise Unable(f"CONFORMANCE_LINK={where}: {error.strerror}") from None
    if kind == "tap" and name:
        from conformance.link.errors import EnvironmentFault
        from conformance.link.tap import Tap

        try:
            return Tap(name)
        except EnvironmentFault as fault:
            raise Unable(f"CONFORMANCE_LINK={where}: {fault}") from None
    raise Unable(f"CONFORMANCE_LINK is {where!r}; it must be fd:N or tap:NAME")
