"""A stack in real time: frames to and from a TAP device, timers by the machine's monotonic clock, programs above it."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from conformance.host.process import Process, Processes
from conformance.host.signals import Signals
from conformance.link.impaired import ImpairedLink, Impairment
from conformance.link.tap import Tap
from conformance.stack.net import Net
from conformance.stack.sysctl import Sysctl
from conformance.stack.tcp_states import TcpState

__all__ = ["Host", "HostOptions"]

_MS, _SECOND = 1_000_000, 1_000_000_000
_AT_ONCE = 64
"""Frames that are taken from the device before the stack's timers have their turn."""
_LONGEST = 1_000_000_000
"""Milliseconds in one poll(2), which does not take many more."""
_NOT_OPEN = (TcpState.CLOSED, TcpState.TIME_WAIT)


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the stack's interface and its link are like."""

    mac: bytes = b""
    """Empty: one by chance, of those that anybody may take."""
    mtu: int = 0
    """0: the device's."""
    impairment: Impairment = field(default_factory=Impairment)
    """Of the link, each way."""
    seed: int | None = None
    """Repeats what the impairment does."""
    sysctl: Sysctl = field(default_factory=Sysctl)
    linger: int = 5 * _SECOND
    """How long connections may take to close, after the programs have ended."""


class Host:
    """One stack on one TAP device, which stays the caller's."""

    def __init__(self, tap: Tap, options: HostOptions | None = None, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.tap, self.clock = tap, clock
        self.options = options = options or HostOptions()
        self.net = Net(options.sysctl, now=clock())
        rng = Random(options.seed)
        self.impaired = options.impairment != Impairment()
        self.incoming, self.outgoing = (ImpairedLink(options.impairment, Random(rng.randbytes(8))) for _ in range(2))
        self.lost = 0
        """Frames that the device did not take."""
        send = self._put if self.impaired else self._send
        self.device = self.net.add_device(tap.name, options.mac or b"\2" + os.urandom(5), options.mtu or tap.mtu(), send)
        self.processes = Processes(self.net, self._ended)
        self.failed: list[Process] = []
        """Programs that an error ended."""
        self._poll = select.poll()
        self._poll.register(tap, select.POLLIN)

    def run(self, signals: Signals) -> None:
        """Run until all programs have ended and their connections are closed.

        The first signal ends the programs, which close what they have open, and a second one the wait for that too.

        Raises:
            EnvironmentFault: the device was taken away.
        """
        self._poll.register(signals, select.POLLIN)
        try:
            killed = False
            while self.processes.alive and signals.count < 2:
                if signals.count and not killed:
                    killed = True
                    self._kill_all()
                self.turn()
                signals.clear()
            self._leave(signals)
        finally:
            self.processes.abandon()
            self._poll.unregister(signals)

    def turn(self, until: int | None = None) -> None:
        """Wait for frames, a timer or a signal, at most until a time; then do what is to be done."""
        self.net.advance(self.clock())  # programs that were just started count their time from now
        self.processes.run()
        self._flush()
        if self.processes.alive or until is not None:
            self._wait(until)
        now = self.clock()
        self._receive(now)
        self.net.advance(now)
        self.processes.run()
        self._flush()

    def _leave(self, signals: Signals) -> None:
        """What the kernel does for a program that has ended."""
        for fd in list(self.net.files):
            self.net.call("close", fd)
        until = self.clock() + self.options.linger
        while self._open() and signals.count < 2 and self.clock() < until:
            self.turn(until)
            signals.clear()

    def _wait(self, until: int | None) -> None:
        due = [at for at in (until, self.net.next_timer(), self.incoming.next(), self.outgoing.next()) if at is not None]
        wait = -((self.clock() - min(due)) // _MS) if due else _LONGEST  # rounded up: no timer is early
        self._poll.poll(min(max(wait, 0), _LONGEST))

    def _receive(self, now: int) -> None:
        read, device = self.tap.read, self.device
        for _ in range(_AT_ONCE):
            if (frame := read()) is None:
                break
            if self.impaired:
                self.incoming.put(now, frame)
            else:
                self.net.receive(device, frame, now)
        for frame in self.incoming.take(now):
            self.net.receive(device, frame, now)

    def _send(self, frame: bytes) -> None:
        self.lost += not self.tap.write(frame)

    def _put(self, frame: bytes) -> None:
        self.outgoing.put(self.clock(), frame)

    def _flush(self) -> None:
        for frame in self.outgoing.take(self.clock()):
            self._send(frame)

    def _ended(self, process: Process) -> None:
        if process.error is not None:
            self.failed.append(process)

    def _open(self) -> bool:
        """Is there a connection that is not closed at both ends, or a frame on its way?"""
        return len(self.outgoing) > 0 or any(entry.sk_state not in _NOT_OPEN for entry in self.net.hashinfo.entries())

    def _kill_all(self) -> None:
        for process in list(self.processes.alive):
            self.processes.kill(process)
