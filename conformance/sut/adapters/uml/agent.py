"""The guest's kernel behind the SUT protocol: this project's own agent for Linux, which makes the calls within the guest."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.case.settings import SETTINGS, Switch
from conformance.case.vocabulary import MESSAGE_FLAGS, SOCKET_OPTIONS
from conformance.sut.adapters.uml.interface import Network, backlog_done
from conformance.sut.adapters.uml.states import Move, SocketStates
from conformance.sut.base import Outcome, Transition
from conformance.sut.linux_agent import LinuxAgent
from conformance.sut.linux_calls import SocketCalls
from conformance.sut.linux_diag import SockDiag
from conformance.sut.linux_settings import BASE, SYSCTLS, missing, sysctls
from conformance.sut.sdk import LATER, Adapter, Call, Errno, Unable
from conformance.sut.sdk.adapter import CALLS, End, Result
from conformance.sut.sdk.agents import address_text, endpoints, of_case, returned
from conformance.wire.segment import Family

__all__ = ["Linux"]

_PROC = Path("/proc/sys")
_ALLOWED = "net/ipv4/tcp_allowed_congestion_control"
_TCP_REPAIR = 19
"""include/uapi/linux/tcp.h: a socket in this mode goes without a segment."""
_CLOSED = -1
"""No descriptor."""
_ABORT = struct.pack("ii", 1, 0)
_MAY_GO_ON = ("FIN-WAIT-1", "FIN-WAIT-2", "CLOSING")
"""From where a socket that is CLOSED may have left its connection to TIME-WAIT."""


class Agent(LinuxAgent):
    """Calls of all cases at once. Which sockets are a case's is known by their ports, which no other case has."""

    def forget(self, sockets: Sequence[int], connections: Sequence[tuple[End, End]]) -> None:
        """Close sockets, and others of these connections, without a segment where that can be had."""
        local, remote = {ends[0][1] for ends in connections} - {0}, {ends[1] for ends in connections}
        for handle, sock in list(self._calls.open.items()):
            if handle in sockets or _port(sock) in local or _peer(sock) in remote:
                self._drop(sock)

    def forget_all(self) -> None:
        """Close all sockets so."""
        for sock in list(self._calls.open.values()):
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            if self._pending:
                sock.shutdown(socket.SHUT_RDWR)  # wakes whoever sleeps in a call on it
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        self._calls.open.pop(sock.fileno(), None)
        sock.close()


def _port(sock: socket.socket) -> int | None:
    with contextlib.suppress(OSError):
        return int(sock.getsockname()[1])
    return None


def _peer(sock: socket.socket) -> End | None:
    with contextlib.suppress(OSError):
        address, port, *_ = sock.getpeername()
        return str(address), int(port)
    return None


class Linux(Adapter):
    """The stack, and its agent's :class:`~conformance.sut.base.SiteEvents`."""

    name, version = "linux", os.uname().release
    clocks, shared = ("real",), True
    capabilities = (
        "ipv4", "ipv6", "states", "transitions", "info", "blocking", "sack", "timestamps", "window_scaling", "ecn", "fast_open", "urgent",
        "icmp", "simultaneous_open", "half_close", "keepalive", "udp", "rfc5961-data",
    )  # fmt: skip
    calls, flags = tuple(CALLS), MESSAGE_FLAGS

    def __init__(self, network: Network, states: SocketStates) -> None:
        self._network, self.states = network, states
        self.options, self.settings = list(_options()), _settings()
        self._agent: Agent | None = None
        self._diag: SockDiag | None = None
        self._calls: dict[int, Call] = {}
        """Those that the agent has not answered, by number."""
        self._number = self._handle = 0
        self._sockets: dict[int, int] = {}
        """Descriptors by handle. The kernel gives a descriptor out again, and it is another case's then; a handle is not."""
        self._answered: Any = None

    # What the tester asks for ---------------------------------------------------------------------------------------------

    def reset(self, seed: int) -> None:  # noqa: ARG002 - nobody tells this kernel what to choose
        if self._agent is not None and self._diag is not None:
            self._agent.forget_all()
            self._diag.close()
        self._calls.clear()
        self._sockets.clear()
        self._network.renew(self.interface)
        for file, value in sysctls({name: _value(name, value) for name, value in self.configuration.items()}).items():
            try:
                (_PROC / file).write_text(value)
            except OSError as error:
                if BASE.get(file) != value:  # the base is a courtesy, a case's own wish is not
                    raise Unable(f"/proc/sys/{file} = {value}: {error.strerror}") from None
        self._diag = SockDiag()
        self._agent = Agent(Family.IPV4, socket.socket, self._diag, None, self)
        list(self.states.read())  # what became of what was there

    def perform(self, call: Call, arguments: Mapping[str, Any]) -> Result:
        agent = self._there
        backlog_done()  # frames first
        self._number += 1
        if call.socket is not None:
            if call.socket not in self._sockets:
                raise Errno("EBADF")
            arguments = {**arguments, "socket": self._sockets[call.socket]}
            if call.name == "close":
                del self._sockets[call.socket]
        self._calls[self._number] = call
        (agent.start if call.blocking else agent.call)(self._number, call.name, of_case(call.name, arguments))
        return LATER

    def state(self, socket: int | None, local: End | None, remote: End | None) -> str:
        backlog_done()
        if local is not None and remote is None:
            remote = ("::" if ":" in local[0] else "0.0.0.0", 0)
        descriptor = None if socket is None else self._sockets.get(socket, _CLOSED)
        self._there.state(0, descriptor, endpoints(local, remote) if local and remote else None)
        return str(self._answered)

    def info(self, socket: int) -> Mapping[str, int]:
        backlog_done()
        self._there.info(0, self._sockets.get(socket, _CLOSED))
        found: Mapping[str, int] = self._answered
        if not found:
            raise Errno("EBADF")
        return found

    def forget(self, sockets: Sequence[int], connections: Sequence[tuple[End, End]]) -> None:
        self._there.forget([self._sockets.pop(handle) for handle in sockets if handle in self._sockets], connections)

    def settle(self) -> None:
        backlog_done()  # frames before answers
        for move in self.states.read():
            local, remote = (address_text(move.local), move.local_port), (address_text(move.remote), move.remote_port)
            self.state_changed(local, remote if move.remote_port else None, move.old, self._what_became(move, local, remote))

    def _what_became(self, move: Move, local: End, remote: End) -> str:
        """Linux closes the socket when TIME-WAIT begins (tcp_time_wait) and goes on with a smaller one."""
        if move.new != "CLOSED" or move.old not in _MAY_GO_ON or self._diag is None:
            return move.new
        left = self._diag.state(endpoints(local, remote))
        return "CLOSED" if left == "LISTEN" else left

    @property
    def _there(self) -> Agent:
        assert self._agent is not None, "the session asks for a reset first"
        return self._agent

    # What the agent tells -------------------------------------------------------------------------------------------------

    def returned(self, number: int, _: int, outcome: Outcome) -> None:
        call = self._calls.pop(number, None)
        if call is None:
            return
        if outcome.error is not None:
            call.fails(outcome.error)
        else:
            call.returns(returned(call.name, self._with_handle(call, outcome)))

    def _with_handle(self, call: Call, outcome: Outcome) -> Outcome:
        if call.name not in ("socket", "accept") or not isinstance(outcome.value, int):
            return outcome
        self._handle += 1
        self._sockets[self._handle] = outcome.value
        return replace(outcome, value=self._handle)

    def blocked(self, number: int, _: int) -> None:
        if number in self._calls:
            self._calls[number].blocks()

    def answered(self, _: int, __: int, value: str | int | Mapping[str, int]) -> None:
        self._answered = value

    def frame(self, t: int, frame: bytes, outgoing: bool) -> None:
        """Frames come and go without the agent."""

    def moved(self, transitions: Sequence[Transition]) -> None:
        """They are read by :meth:`settle`."""

    def broke(self, fault: Exception) -> None:
        """The agent has nothing that could."""


# What this kernel has -----------------------------------------------------------------------------------------------------


def _options() -> Iterator[str]:
    """Socket options that it knows."""
    calls = SocketCalls(Family.IPV4, socket.socket)
    handles = {family: calls.perform("socket", (family, "SOCK_STREAM"), blocking=False).value for family in ("AF_INET", "AF_INET6")}
    for name in SOCKET_OPTIONS:
        handle = handles["AF_INET6" if name.startswith("IPV6_") else "AF_INET"]
        assert isinstance(handle, int)
        if calls.perform("getsockopt", (handle, name), blocking=False).error not in ("ENOPROTOOPT", "EOPNOTSUPP"):
            yield name
    for sock in calls.open.values():
        sock.close()


def _settings() -> dict[str, object]:
    """Settings that it has; those without a file of their own have what Linux has always had."""
    has: dict[str, object] = {name: "any" for name in SYSCTLS if missing({name: None}) is None}
    return has | {"mtu": "any", "profile": ["linux"], "initial_window": [10], "congestion_control": (_PROC / _ALLOWED).read_text().split()}


def _value(name: str, value: Any) -> Any:
    """A setting as cases have it: switches are words in the protocol."""
    return value == "on" if isinstance(SETTINGS[name].kind, Switch) else value
