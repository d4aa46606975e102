"""What an adapter derives from: facts about the stack as attributes, its calls and queries as methods to override."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

__all__ = ["CALLS", "LATER", "Adapter", "Call", "End", "Errno", "Gateway", "Interface", "Result", "Unable"]

End = tuple[str, int]
"""An address, as text, and a port."""
Result = Any
"""Of a call: what its docstring says; or :data:`LATER`; or a generator that yields for as long as it has to wait, and returns that."""


class Errno(Exception):
    """A socket call fails with this errno; its name (``ECONNREFUSED``)."""


class Unable(Exception):
    """The request cannot be carried out, which costs the case: the adapter or its stack broke. The text says how."""


class _Later(Enum):
    LATER = auto()


LATER = _Later.LATER
"""What a call's method returns if :meth:`Call.blocks`, :meth:`Call.returns` and :meth:`Call.fails` say what becomes of it."""


class Conversation(Protocol):
    """What takes what becomes of a call."""

    def done(self, call: Call, value: Result) -> None: ...

    def blocked(self, call: Call) -> None: ...


class Call:
    """One socket call that was asked for."""

    def __init__(self, id: int | str, name: str, socket: int | None, blocking: bool, conversation: Conversation) -> None:
        self.id, self.name, self.socket = id, name, socket
        self.blocking = blocking
        """May it wait? False: as on a socket with O_NONBLOCK."""
        self._conversation = conversation

    def blocks(self) -> None:
        """It waits now."""
        self._conversation.blocked(self)

    def returns(self, value: Result = None) -> None:
        """It returned this. In the adapter's own thread, at any time, once."""
        self._conversation.done(self, value)

    def fails(self, errno: str) -> None:
        """It failed."""
        self._conversation.done(self, Errno(errno))


@dataclass(frozen=True, slots=True)
class Gateway:
    """Behind it are peers."""

    address: str
    mac: bytes
    to: str
    """Their net, such as ``198.18.0.0/15``."""


@dataclass(frozen=True, slots=True)
class Interface:
    """What ``configure`` says of the stack's interface."""

    mac: bytes
    mtu: int
    addresses: tuple[tuple[str, int], ...]
    """Each with the length of its prefix."""
    gateways: tuple[Gateway, ...]


class Adapter:
    """A stack behind the protocol.

    A socket call is offered to the tester if its method is overridden. Its first argument is the :class:`Call`, the others are those of
    the protocol, as Python has them: data are bytes, flags a tuple of names. A method fails by raising :class:`Errno`. Whatever else it
    raises is a mistake of the adapter or of its stack, and costs the case.

    All methods are called in one thread, one after another.
    """

    # What ``initialize`` tells. Set them in the class, or in ``__init__`` --------------------------------------------------

    name = ""
    version = ""
    clocks: Sequence[str] = ("real",)
    shared = False
    capabilities: Sequence[str] = ()
    calls: Sequence[str] = ()
    """Empty: those whose methods are overridden."""
    options: Sequence[str] = ()
    flags: Sequence[str] = ()
    settings: Mapping[str, object] = {}

    # What ``configure`` said. Set before ``reset`` is called -----------------------------------------------------------------

    clock = "real"
    interface: Interface
    configuration: Mapping[str, Any] = {}
    """The settings that the tester named."""

    # What the adapter can do -------------------------------------------------------------------------------------------------

    transmit: Callable[[bytes], None]
    """Put a frame on the link."""
    notify: Callable[[str, dict[str, Any]], None]
    """Send a notification."""
    time: Callable[[], int]
    """ns since ``reset``."""

    def log(self, text: str) -> None:
        """Tell whoever reads the result."""
        self.notify("log", {"text": text})

    def state_changed(self, local: End, remote: End | None, old: str, new: str, time: int | None = None) -> None:
        """A socket or a connection changed its state. ``time``: CLOCK_MONOTONIC in ns, with the real clock, if it is known exactly."""
        moved: dict[str, Any] = {"local": _end(local), "remote": _end(remote), "old": old, "new": new}
        self.notify("stateChanged", moved if time is None else moved | {"time": time})

    # What it is asked to do --------------------------------------------------------------------------------------------------

    def reset(self, seed: int) -> None:
        """The stack is as new, at time 0, and as it is configured now. Calls that still waited are forgotten already.

        Unable: it cannot be had so.
        """
        raise NotImplementedError

    def receive(self, frame: bytes) -> None:
        """A frame came from the link."""

    def advance(self, now: int) -> None:
        """It is ``now``, in ns since :meth:`reset`: do what is due. With the real clock it comes before everything else, too."""

    def next_timer(self) -> int | None:
        """When :meth:`advance` is wanted if nothing comes before; None: never."""
        return None

    def settle(self) -> None:
        """Something was asked for or came: wait until the stack has done what it does at once, and tell what there is to tell."""

    def state(self, socket: int | None, local: End | None, remote: End | None) -> str:
        """RFC 9293's name of the state of a socket or a connection."""
        raise NotImplementedError

    def info(self, socket: int) -> Mapping[str, int]:
        """Figures by the names of TCP_INFO, times in ns."""
        raise NotImplementedError

    def forget(self, sockets: Sequence[int], connections: Sequence[tuple[End, End]]) -> None:
        """End these sockets, and what is left of these connections, given by local and remote ends. With ``shared``.

        Calls that waited on the sockets are forgotten already.
        """

    # Socket calls ------------------------------------------------------------------------------------------------------------

    def perform(self, call: Call, arguments: Mapping[str, Any]) -> Result:
        """Make a call; for adapters that do not want a method for each."""
        return getattr(self, call.name)(call, **arguments)

    def socket(self, call: Call, domain: str, type: str, protocol: str | int) -> Result:
        """A handle."""
        raise NotImplementedError

    def bind(self, call: Call, socket: int, address: str, port: int) -> Result:
        """Nothing."""
        raise NotImplementedError

    def listen(self, call: Call, socket: int, backlog: int) -> Result:
        """Nothing."""
        raise NotImplementedError

    def connect(self, call: Call, socket: int, address: str | None, port: int) -> Result:
        """Nothing."""
        raise NotImplementedError

    def accept(self, call: Call, socket: int) -> Result:
        """A handle and the peer's :data:`End`."""
        raise NotImplementedError

    def send(self, call: Call, socket: int, data: bytes, flags: tuple[str, ...]) -> Result:
        """How many octets were taken."""
        raise NotImplementedError

    def recv(self, call: Call, socket: int, size: int, flags: tuple[str, ...]) -> Result:
        """bytes; with MSG_TRUNC how many there are; with MSG_ERRQUEUE the error as text."""
        raise NotImplementedError

    def shutdown(self, call: Call, socket: int, how: str) -> Result:
        """Nothing."""
        raise NotImplementedError

    def close(self, call: Call, socket: int) -> Result:
        """Nothing."""
        raise NotImplementedError

    def setsockopt(self, call: Call, socket: int, name: str, value: int | bytes | tuple[int, ...]) -> Result:
        """Nothing."""
        raise NotImplementedError

    def getsockopt(self, call: Call, socket: int, name: str) -> Result:
        """A number or bytes; of SO_ERROR 0 or the name of an errno."""
        raise NotImplementedError

    def getsockname(self, call: Call, socket: int) -> Result:
        """The socket's own :data:`End`."""
        raise NotImplementedError

    def getpeername(self, call: Call, socket: int) -> Result:
        """The peer's."""
        raise NotImplementedError

    def poll(self, call: Call, socket: int) -> Result:
        """Names of events."""
        raise NotImplementedError

    def ioctl(self, call: Call, socket: int, request: str) -> Result:
        """A number."""
        raise NotImplementedError

    def sockatmark(self, call: Call, socket: int) -> Result:
        """0 or 1."""
        raise NotImplementedError


def _end(end: End | None) -> dict[str, Any] | None:
    return None if end is None else {"address": end[0], "port": end[1]}


CALLS: Mapping[str, tuple[str, ...]] = {
    "socket": ("domain", "type", "protocol"),
    "bind": ("socket", "address", "port"),
    "listen": ("socket", "backlog"),
    "connect": ("socket", "address", "port"),
    "accept": ("socket",),
    "send": ("socket", "data", "flags"),
    "recv": ("socket", "size", "flags"),
    "shutdown": ("socket", "how"),
    "close": ("socket",),
    "setsockopt": ("socket", "name", "value"),
    "getsockopt": ("socket", "name"),
    "getsockname": ("socket",),
    "getpeername": ("socket",),
    "poll": ("socket",),
    "ioctl": ("socket", "request"),
    "sockatmark": ("socket",),
}
"""The protocol's calls, and what each takes besides ``blocking``."""

Waiting = Generator[None, None, Result]
"""What a method is that has ``yield`` in it."""
