"""The agent of the reference SUT: calls are the stack's tasks, states and figures are read from its sockets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from conformance.stack.net import Net
from conformance.stack.sock import Sock
from conformance.stack.tasks import Task
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import AF_INET, AF_INET6, SOCK_STREAM
from conformance.sut.base import Argument, Host, Outcome, SiteEvents, Transition
from conformance.sut.reference_calls import CALLS, StackAtWork, constant, outcome_of
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = ["ReferenceAgent"]

_FAMILIES = {Family.IPV4: AF_INET, Family.IPV6: AF_INET6}


class ReferenceAgent:
    """Socket calls and state queries of one case run."""

    def __init__(self, family: Family, net: Net, events: SiteEvents, happened: deque[Callable[[], None]]) -> None:
        """What happens is told later, in the order of ``happened``: a frame that a call sent comes before its return."""
        self._family = _FAMILIES[family]
        self._net = net
        self._events = events
        self._happened = happened
        self._nonblocking: dict[Argument, bool] = {}
        """By descriptor, where it was set."""
        self._moves: list[Transition] = []
        net.on_return = self._returned
        net.on_state = self._moved

    # Calls ------------------------------------------------------------------------------------------------------------

    def call(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        # Only close() may sleep on a socket that does not block: for SO_LINGER. It returns later, then.
        self._call(number, function, arguments, blocking=False)

    def start(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        task = self._call(number, function, arguments, blocking=True)
        if not task.done:
            self._events.blocked(number, self._net.now)

    def _call(self, number: int, function: str, arguments: Sequence[Argument], *, blocking: bool) -> Task:
        tag = (number, function, arguments)
        if function == "socket":
            name, converted = "socket", self._socket(arguments)
        else:
            name, convert = CALLS[function]
            converted = convert(self._of_its_family(arguments) if function == "bind" else arguments)
            self._set_blocking(arguments[0], blocking)
            if function == "close":
                self._nonblocking.pop(arguments[0], None)  # its number may be given out again
        with StackAtWork():
            return self._net.call(name, *converted, tag=tag)

    def _of_its_family(self, arguments: Sequence[Argument]) -> Sequence[Argument]:
        """The wildcard is the one of the socket's family, which may be another than the case's."""
        handle, host = arguments
        socket = self._net.files.get(handle) if isinstance(handle, int) else None
        if not isinstance(host, Host) or any(host.address) or socket is None or socket.sk is None:
            return arguments
        return handle, Host(bytes(16 if socket.sk.sk_family == AF_INET6 else 4), host.port)

    def _set_blocking(self, handle: Argument, blocking: bool) -> None:
        """O_NONBLOCK, as the call wants it: the stack looks at it when a call begins."""
        if self._nonblocking.get(handle, False) is blocking:
            with StackAtWork():
                self._net.call("fcntl", handle, not blocking)
            self._nonblocking[handle] = not blocking

    def _socket(self, arguments: Sequence[Argument]) -> tuple[object, ...]:
        """Family, type and protocol; the family is the case's unless the call names one."""
        numbers: list[object] = [constant(argument) if isinstance(argument, str) else argument for argument in arguments]
        named = bool(arguments) and isinstance(arguments[0], str) and arguments[0].startswith("AF_")
        numbers = numbers if named else [self._family, *numbers]
        return (*numbers, *(SOCK_STREAM, 0)[len(numbers) - 1 :])

    def _returned(self, task: Task) -> None:
        """A call returned, perhaps one that was started long ago."""
        if task.tag is None:
            return
        number, function, arguments = task.tag
        outcome = Outcome(error=task.error) if task.error is not None else outcome_of(function, arguments, task.value)
        t = self._net.now
        self._happened.append(lambda: self._events.returned(number, t, outcome))

    # States and figures -----------------------------------------------------------------------------------------------

    def state(self, number: int, handle: int | None, connection: Endpoints | None) -> None:
        with StackAtWork():
            found = self._state(handle, connection)
        self._events.answered(number, self._net.now, found)

    def _state(self, handle: int | None, connection: Endpoints | None) -> str:
        socket = self._net.files.get(handle) if handle is not None else None
        if socket is not None and socket.sk is not None:
            known: TcpState = socket.sk.sk_state
            if known is not TcpState.CLOSED or connection is None:
                return known.value
        if connection is None or not connection.sut_port:
            return "CLOSED"
        hashinfo = self._net.hashinfo
        entry = hashinfo.established(connection.peer, connection.peer_port, connection.sut, connection.sut_port)
        if entry is not None:
            return TcpState(entry.sk_state).value
        # A socket that is CLOSED may have left a TIME-WAIT behind, but never turns into the listener on its port.
        return "LISTEN" if handle is None and hashinfo.listener(connection.sut, connection.sut_port) is not None else "CLOSED"

    def _moved(self, sk: Sock, old: TcpState, new: TcpState) -> None:
        self._moves.append(Transition(self._net.now, sk.num, sk.daddr, sk.dport, old.value, new.value))

    def transitions(self, connections: Sequence[Endpoints]) -> None:  # noqa: ARG002 - there are no others
        if self._moves:
            moves, self._moves = self._moves, []
            self._events.moved(moves)

    def info(self, number: int, handle: int) -> None:
        with StackAtWork():
            task = self._net.call("tcp_info", handle)
        self._events.answered(number, self._net.now, dict(task.value) if task.error is None else {})
