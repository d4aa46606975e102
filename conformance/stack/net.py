"""``struct net``: one stack, with all that it holds. The one object that a driver talks to.

It does no I/O and reads no clock: a driver hands frames and the time in, carries frames off through each device's ``transmit``, and
comes back when :meth:`Net.next_timer` says. Socket calls are made by name; one that sleeps is a
:class:`~conformance.stack.tasks.Task` that returns later.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from conformance.stack import ip, socket
from conformance.stack.inet_hashtables import InetHashinfo
from conformance.stack.neighbour import NeighbourTable
from conformance.stack.route import Fib
from conformance.stack.sysctl import Sysctl
from conformance.stack.tasks import Task, Woken
from conformance.stack.timers import Timer, Timers

if TYPE_CHECKING:
    from conformance.stack.sock import Sock, Socket
    from conformance.stack.tcp_fastopen import FastopenMetrics
    from conformance.stack.tcp_states import TcpState

__all__ = ["Device", "Net"]

_SECRET = 16


@dataclass(slots=True, eq=False)
class Device:
    """``struct net_device``: an Ethernet interface, or the loopback (whose ``mac`` is empty)."""

    name: str
    mac: bytes
    mtu: int
    transmit: Callable[[bytes], object]
    """Takes a whole frame."""
    addresses: list[tuple[bytes, int]] = field(default_factory=list)
    """Own addresses with their prefix lengths."""


class Net:
    """One stack."""

    def __init__(self, sysctl: Sysctl | None = None, rng: Random | None = None, now: int = 0) -> None:
        """``now`` is in ns of the driver's clock. All that the stack chooses at random comes from ``rng``."""
        self.sysctl: Sysctl = sysctl or Sysctl()
        self.rng = rng or Random()
        self.now = now
        self.secret = self.rng.randbytes(_SECRET)
        """The key of RFC 6528's hash, and of all others that must not be guessed."""
        self.timers = Timers()
        self.devices: list[Device] = []
        self.fib = Fib(self)
        self.neighbours = NeighbourTable(self)
        self.frags = ip.FragmentQueues(self)
        self.files: dict[int, Socket] = {}
        """Descriptors."""
        self.open_fds: set[int] = set()
        """The numbers that are taken; one that is not in ``files`` belongs to an ``accept`` that is under way."""
        self.max_files = 1024
        self.hashinfo = InetHashinfo(self)
        self.challenges: tuple[int, int] = (0, 0)
        """RFC 5961, section 7: the second that is counted, and how many challenge ACKs were sent in it."""
        self.fastopen_metrics: dict[bytes, FastopenMetrics] = {}
        """What peers gave us for the next time (RFC 7413)."""
        self.tw_count = 0
        """Connections in TIME-WAIT (tcp_death_row.tw_refcount)."""
        self.overflowed = -(10**18)
        """When a listener last had no room for a SYN: only then are SYN cookies believed."""
        self.mib: Counter[str] = Counter()
        """What happened, by the names of /proc/net/netstat."""
        self.on_return: Callable[[Task], None] = lambda _task: None
        self.on_state: Callable[[Sock, TcpState, TcpState], None] = lambda _sk, _old, _new: None
        self._ready: deque[Task] = deque()
        self._sleeping: dict[Sock, list[Task]] = {}
        self._softirq: deque[Callable[[], None]] = deque()
        self._busy = False

    # Set up -----------------------------------------------------------------------------------------------------------

    def add_device(self, name: str, mac: bytes, mtu: int, transmit: Callable[[bytes], object]) -> Device:
        """An interface; frames for it go to ``transmit``, frames from it to :meth:`receive`."""
        device = Device(name, mac, mtu, transmit)
        self.devices.append(device)
        return device

    def add_address(self, device: Device, address: bytes, prefix: int) -> None:
        """An address of the interface's own, and the route to its net."""
        device.addresses.append((address, prefix))
        self.fib.add(address, prefix, None, device)

    # What a driver does -----------------------------------------------------------------------------------------------

    def receive(self, device: Device, frame: bytes, now: int) -> None:
        """A frame came from the link. Nothing that can be in it makes this raise."""
        self.now = max(self.now, now)
        self._run(lambda: ip.netif_receive_skb(self, device, frame))

    def advance(self, now: int) -> None:
        """It is ``now``: fire the timers that are due, each at its own time."""
        while (due := self.timers.due(now)) is not None:
            at, timer = due
            self.now = max(self.now, at)
            self._run(timer.fire)
        self.now = max(self.now, now)

    def next_timer(self) -> int | None:
        """When :meth:`advance` is wanted, in ns; None: not before something else happens."""
        return self.timers.next()

    def call(self, name: str, *arguments: object, tag: object = None) -> Task:
        """Make a socket call (``connect``, ``sendto`` … as :mod:`conformance.stack.socket` has them)."""
        task = Task(name, socket.SYSCALLS[name](self, *arguments), tag=tag)
        self._ready.append(task)
        self._run(lambda: None)
        return task

    def signal(self, task: Task) -> None:
        """Interrupt a caller that sleeps: its call returns EINTR, or what it has done so far."""
        if task.wait is not None and not task.done:
            self._wake_task(task, Woken.SIGNAL)
            self._run(lambda: None)

    # What the stack does ----------------------------------------------------------------------------------------------

    def later(self, work: Callable[[], None]) -> None:
        """Do ``work`` once what is being done is done (a soft interrupt): the loopback delivers so."""
        self._softirq.append(work)

    def wake(self, sk: Sock) -> None:
        """Whoever sleeps on this socket goes on when what is being done is done."""
        for task in self._sleeping.get(sk, [])[:]:
            self._wake_task(task, Woken.EVENT)

    def state_changed(self, sk: Sock, old: TcpState, new: TcpState) -> None:
        """A socket changed its state (trace_inet_sock_set_state)."""
        self.on_state(sk, old, new)

    def timer(self, fire: Callable[[], None]) -> Timer:
        """A timer, stopped."""
        return self.timers.timer(fire)

    def count(self, names: Iterable[str] | str) -> None:
        """NET_INC_STATS."""
        for name in (names,) if isinstance(names, str) else names:
            self.mib[name] += 1

    # Inside -----------------------------------------------------------------------------------------------------------

    def _wake_task(self, task: Task, why: Woken) -> None:
        """Take a caller that sleeps out of all wait queues and let it go on (finish_wait)."""
        wait = task.wait
        assert wait is not None
        for sk in wait.socks:
            sleepers = self._sleeping.get(sk)
            if sleepers is not None and task in sleepers:
                sleepers.remove(task)
                if not sleepers:
                    del self._sleeping[sk]
        if task.alarm is not None:
            task.alarm.stop()
        task.woken, task.wait = why, None
        self._ready.append(task)

    def _run(self, work: Callable[[], None]) -> None:
        """Do ``work`` and all that follows from it, unless that happens further up already."""
        if self._busy:
            self._softirq.append(work)
            return
        self._busy = True
        try:
            work()
            while self._softirq or self._ready:
                if self._softirq:
                    self._softirq.popleft()()
                else:
                    self._go_on(self._ready.popleft())
        finally:
            self._busy = False

    def _go_on(self, task: Task) -> None:
        task.step()
        if task.done:
            self.on_return(task)
            return
        wait = task.wait
        assert wait is not None
        for sk in wait.socks:
            self._sleeping.setdefault(sk, []).append(task)
        if wait.deadline is not None:
            if task.alarm is None:
                task.alarm = self.timer(lambda: self._wake_task(task, Woken.TIMEOUT))
            task.alarm.reset(wait.deadline)
