"""The agent of the Linux SUT: calls are made directly from this process, those that block in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from conformance.sut.base import Argument, Outcome, SiteEvents, Transition
from conformance.sut.linux_calls import SocketCalls
from conformance.sut.linux_diag import KERNEL_STATES, SockDiag
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = ["LinuxAgent"]

_POLL_BLOCKED = 0.000_05
"""Seconds between two looks whether a thread sleeps in its call yet."""

_US = 1000
_TCP_INFO = struct.Struct("=7BB24I")
_TCP_INFO_FIELDS = (
    "state", "ca_state", "retransmits", "probes", "backoff", "options", "wscale", "flags", "rto", "ato", "snd_mss", "rcv_mss", "unacked",
    "sacked", "lost", "retrans", "fackets", "last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv", "pmtu", "rcv_ssthresh",
    "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering", "rcv_rtt", "rcv_space", "total_retrans",
)  # fmt: skip
"""include/uapi/linux/tcp.h, struct tcp_info."""
_MICROSECONDS = ("rto", "ato", "rtt", "rttvar", "rcv_rtt")


class LinuxAgent:
    """Socket calls and state queries of one case run."""

    def __init__(
        self,
        family: Family,
        make: Callable[[int, int, int], socket.socket],
        diag: SockDiag,
        transitions: Callable[[], list[Transition]] | None,
        events: SiteEvents,
    ) -> None:
        """``transitions`` reads what a tracer saw of this case run; None: there is no tracer."""
        self._calls = SocketCalls(family, make)
        self._diag = diag
        self._traced = transitions
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, threading.Thread] = {}
        self._last_state: dict[str, str] = {}
        self._closed = False

    @property
    def starved(self) -> bool:
        """Has a call failed for want of descriptors?"""
        return self._calls.starved

    def call(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        if function == "close" and self._calls.lingers(arguments):
            self.start(number, function, arguments)  # close(2) sleeps then, O_NONBLOCK or not
            return
        outcome = self._calls.perform(function, arguments, blocking=False)
        self._events.returned(number, time.monotonic_ns(), outcome)

    def start(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        thread = threading.Thread(target=self._block, args=(number, function, arguments), name=f"{function} {number}", daemon=True)
        self._pending[number] = thread
        thread.start()
        handle = arguments[0] if arguments and isinstance(arguments[0], int) else -1
        self._watch(number, thread, handle)

    def _block(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        waited = _run_delay()
        outcome = self._calls.perform(function, arguments, blocking=True)
        t = time.monotonic_ns()
        late = _run_delay() - waited
        timed = Outcome(outcome.value, outcome.error, outcome.peer, late)
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits for this any more
            self._loop.call_soon_threadsafe(self._finished, number, t, timed)

    def _finished(self, number: int, t: int, outcome: Outcome) -> None:
        if self._pending.pop(number, None) is not None and not self._closed:
            self._events.returned(number, t, outcome)

    def _watch(self, number: int, thread: threading.Thread, handle: int) -> None:
        """Tell when the caller sleeps in its system call, so that what follows meets a call that really blocks."""
        if self._closed or number not in self._pending:
            return
        if _sleeps_in_call(thread, handle):
            self._events.blocked(number, time.monotonic_ns())
        else:
            self._loop.call_later(_POLL_BLOCKED, self._watch, number, thread, handle)

    def state(self, number: int, handle: int | None, connection: Endpoints | None) -> None:
        self._events.answered(number, time.monotonic_ns(), self._state(handle, connection))

    def _state(self, handle: int | None, connection: Endpoints | None) -> str:
        sock = self._calls.open.get(handle) if handle is not None else None
        if sock is not None:
            known = KERNEL_STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]
            if known != "CLOSED" or connection is None:
                return known
        if connection is None or not connection.sut_port:
            return "CLOSED"
        found = self._diag.state(connection)
        # A socket that is CLOSED may have left a TIME-WAIT behind, but never turns into the listener on its port.
        return "CLOSED" if found == "LISTEN" and handle is not None else found

    def transitions(self, connections: Sequence[Endpoints]) -> None:
        moves = self._polled(connections) if self._traced is None else [self._completed(move, connections) for move in self._traced()]
        if moves:
            self._events.moved(moves)

    def _completed(self, move: Transition, connections: Sequence[Endpoints]) -> Transition:
        """Linux closes the socket when TIME-WAIT begins (tcp_time_wait) and goes on with a smaller one: ask what became of it."""
        if move.new != "CLOSED" or move.old not in ("FIN-WAIT-1", "FIN-WAIT-2", "CLOSING"):
            return move
        for connection in connections:
            if (connection.peer, connection.peer_port, connection.sut_port) == (move.remote, move.remote_port, move.local_port):
                left = self._diag.state(connection)
                return Transition(move.t, move.local_port, move.remote, move.remote_port, move.old, "CLOSED" if left == "LISTEN" else left)
        return move

    def _polled(self, connections: Sequence[Endpoints]) -> list[Transition]:
        now, moves = time.monotonic_ns(), []
        for connection in connections:
            if not connection.sut_port:
                continue
            old = self._last_state.get(connection.name, "CLOSED")
            new = self._diag.state(connection)
            if new == "LISTEN" and old not in ("CLOSED", "LISTEN", "SYN-RECEIVED"):
                new = "CLOSED"
            self._last_state[connection.name] = new
            if new != old and new != "LISTEN":
                old = "LISTEN" if new == "SYN-RECEIVED" and old == "CLOSED" else old
                moves.append(Transition(now, connection.sut_port, connection.peer, connection.peer_port, old, new))
        return moves

    def info(self, number: int, handle: int) -> None:
        sock = self._calls.open.get(handle)
        figures: dict[str, int] = {}
        if sock is not None:
            raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            figures = dict(zip(_TCP_INFO_FIELDS, _TCP_INFO.unpack(raw), strict=True))
            figures.update(snd_wscale=figures["wscale"] & 15, rcv_wscale=figures["wscale"] >> 4)
            figures.update({name: figures[name] * _US for name in _MICROSECONDS})
        self._events.answered(number, time.monotonic_ns(), figures)

    def close(self, connections: Sequence[Endpoints]) -> None:
        """End pending calls, abort every socket, and remove connections that no socket holds."""
        self._closed = True
        for sock in list(self._calls.open.values()) if self._pending else ():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes whoever sleeps in a call on it
        for connection in connections:
            if connection.sut_port:
                # A listener that was closed under accept() lives on, and only its end wakes the caller.
                self._diag.destroy(connection, listener=bool(self._pending))
        for thread in self._pending.values():
            thread.join(timeout=1)  # a descriptor must not be closed under a call: its number could be given out again
        if not any(thread.is_alive() for thread in self._pending.values()):
            for sock in self._calls.open.values():
                sock.close()


def _run_delay() -> int:
    """Nanoseconds that this thread was ready to run but had no processor (CONFIG_SCHED_INFO); 0 if the kernel does not say."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1])
    except (OSError, IndexError):
        return 0


def _sleeps_in_call(thread: threading.Thread, handle: int) -> bool:
    """Does the thread sleep in a system call on this descriptor?

    The first number is the system call's, the second its first argument: a thread that still waits for the interpreter sleeps in
    futex(2), whose first argument is an address.
    """
    task = Path(f"/proc/self/task/{thread.native_id}")
    try:
        if not (task / "syscall").exists():
            return _sleeps_in_kernel(task)
        fields = (task / "syscall").read_bytes().split()
    except OSError:
        return thread.is_alive() and task.exists()  # the kernel does not say: nothing is gained by waiting
    return len(fields) > 1 and int(fields[1], 16) == handle


def _sleeps_in_kernel(task: Path) -> bool:
    """The same where the kernel does not tell system calls, as one in user mode: it tells root in which functions a thread is.

    All that wait on a socket of the Internet's families are called by one of these families' own (inet_accept, inet6_recvmsg …).
    """
    sleeps = (task / "stat").read_bytes().rpartition(b")")[2].split()[0] == b"S"
    return sleeps and b"inet" in (task / "stack").read_bytes()
