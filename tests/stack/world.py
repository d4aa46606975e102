"""Two stacks joined by a link that may be impaired, on one virtual clock: what properties are tested on.

Events are frames that arrive and timers that go off; there is a bound on how many, so that a loop is a failure and not a test that hangs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from conformance.host.process import Process, Processes
from conformance.link.impaired import ImpairedLink, Impairment
from conformance.stack.net import Net
from conformance.stack.sock import Address, Sock
from conformance.stack.sysctl import SECOND, Sysctl
from conformance.stack.tasks import Task
from conformance.stack.tcp_sock import TcpSock
from conformance.stack.tcp_states import TcpState

__all__ = ["ADDRESSES", "COUNTS", "Host", "World", "left_over"]

ADDRESSES = {
    4: (bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))),
    6: (bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")),
}
MACS = bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2))
PREFIX = {4: 24, 6: 64}
MOST_EVENTS = 300_000
MOST_AT_ONCE = 2000
"""Frames that one frame, timer or call may make a stack send."""
MOST_CALLS = 100_000
"""Calls that the programs may make at one moment."""

COUNTS: Counter[str] = Counter()
"""What this process has played so far: schedules, segments, calls."""


class CountingNet(Net):
    """A stack that counts the calls made on it."""

    calls = 0
    """Since the last event."""

    def call(self, name: str, *arguments: object, tag: object = None) -> Task:
        COUNTS["calls"] += 1
        self.calls += 1
        assert self.calls <= MOST_CALLS, f"{name} is called again and again, and time stands still"
        return super().call(name, *arguments, tag=tag)


class Host:
    """One stack with one interface, its programs, and the states that its sockets are in."""

    def __init__(self, number: int, send: Callable[[bytes], object], sysctl: Sysctl, mtu: int, now: int, seed: int) -> None:
        self.net = CountingNet(sysctl, Random(f"{seed}/{number}"), now)
        self.device = self.net.add_device("eth0", MACS[number], mtu, self._transmit)
        self.send, self.sent = send, 0
        for version, pair in ADDRESSES.items():
            self.net.add_address(self.device, pair[number], PREFIX[version])
            self.net.neighbours.add(self.device, pair[1 - number], MACS[1 - number])
        self.processes = Processes(self.net)
        self.states: dict[Sock, TcpState] = {}
        self.net.on_state = self._state

    def _state(self, sk: Sock, _old: TcpState, new: TcpState) -> None:
        self.states[sk] = new

    def _transmit(self, frame: bytes) -> None:
        self.sent += 1
        assert self.sent <= MOST_AT_ONCE, "one event, and no end to what is sent because of it"
        self.send(frame)

    def receive(self, frame: bytes, now: int) -> None:
        """A frame comes from the link."""
        COUNTS["segments"] += 1
        self.sent = 0
        self.net.receive(self.device, frame, now)
        self.run()

    def advance(self, now: int) -> None:
        """Time has come to ``now``."""
        self.sent = 0
        self.net.advance(now)
        self.run()

    def run(self) -> None:
        """Let the programs go on."""
        self.sent = self.net.calls = 0
        self.processes.run()

    def sockets(self) -> Iterator[TcpSock]:
        """All TCP sockets that the stack knows, whether a program has them or not."""
        known: set[Any] = {file.sk for file in self.net.files.values()} | set(self.net.hashinfo.ehash.values())
        for listeners in self.net.hashinfo.listening.values():
            known.update(listeners)
            known.update(child for sk in listeners for child in sk.accept_queue)
        return (sk for sk in known if isinstance(sk, TcpSock))


class World:
    """Two hosts, and a link each way between them.

    Args:
        impairments: of the link from the first host to the second, and of the one back.
        heals: the time, in ns, from which on the link is as it should be: what is lost until then can arrive after it.
    """

    def __init__(
        self,
        *,
        impairments: Sequence[Impairment] = (Impairment(), Impairment()),
        heals: int | None = None,
        sysctls: Sequence[Sysctl] = (Sysctl(), Sysctl()),
        mtu: int = 1500,
        now: int = SECOND,
        seed: int = 0,
        delay: int = 1_000_000,
    ) -> None:
        self.now, self.heals, self.events = now, heals, 0
        self.links = tuple(ImpairedLink(wrong, Random(f"{seed}>{number}")) for number, wrong in enumerate(impairments))
        self.cured = tuple(Impairment(delay=wrong.delay or delay) for wrong in impairments)
        self.hosts = tuple(Host(number, self._to(1 - number), sysctls[number], mtu, now, seed) for number in (0, 1))
        self.router: Callable[[int, bytes], bool] = lambda _to, _frame: True
        """Sees each frame as it sets out to a host; False: it goes no further."""

    def _to(self, number: int) -> Callable[[bytes], object]:
        def send(frame: bytes) -> None:
            if self.router(number, frame):
                self.put(number, frame)

        return send

    def put(self, to: int, frame: bytes) -> None:
        """A frame sets out to the host with this number."""
        if self.heals is not None and self.now >= self.heals:
            self.links[1 - to].impairment = self.cured[1 - to]
        self.links[1 - to].put(self.now, frame)

    def next(self) -> int | None:
        """When something happens; None: never more."""
        times = [link.next() for link in self.links] + [host.net.next_timer() for host in self.hosts]
        return min((at for at in times if at is not None), default=None)

    def step(self) -> bool:
        """The next moment at which anything happens. False: there is none."""
        at = self.next()
        if at is None:
            return False
        self.now = max(self.now, at)
        self.events += 1
        assert self.events <= MOST_EVENTS, "there is no end to it"
        for number, host in enumerate(self.hosts):
            for frame in self.links[1 - number].take(self.now):
                host.receive(frame, self.now)
            host.advance(self.now)
        return True

    def run(self, *processes: Process, until: int | None = None) -> None:
        """Let time pass until these programs have ended and, if there are none, until nothing happens any more, or it is ``until``."""
        for host in self.hosts:
            host.run()
        while not processes or not all(process.done for process in processes):
            at = self.next()
            if until is not None and (at is None or at > until):
                assert not processes, [process.name for process in processes if not process.done]
                self.now = until
                for host in self.hosts:
                    host.advance(until)
                return
            if not self.step():
                break
        waiting = [process.name for process in processes if not process.done]
        assert not waiting, f"{waiting} would wait for ever"

    def address(self, number: int, version: int, port: int) -> Address:
        """A port of a host."""
        return Address(ADDRESSES[version][number], port)


def left_over(host: Host) -> dict[str, object]:
    """What a stack still holds of connections, once all descriptors are closed and all is over: nothing, if it is right."""
    net, info = host.net, host.net.hashinfo
    alive = {str(sk): state for sk, state in host.states.items() if state is not TcpState.CLOSED and isinstance(sk, TcpSock)}
    held: dict[str, object] = {
        "descriptors": net.open_fds, "files": net.files, "ports": info.bhash, "connections": info.ehash, "keys": info._keys,
        "connections by port": info._ports, "listeners": info.listening, "udp": info.udp, "ping": info.ping, "raw": info.raw,
        "sleepers": net._sleeping, "calls": net._ready, "fragments": net.frags.queues, "states": alive, "timer": net.next_timer(),
        "time-wait": net.tw_count,
    }  # fmt: skip
    return {name: value for name, value in held.items() if value}
