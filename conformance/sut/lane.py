"""A lane: an adapter's process in real time, on the event loop, and the case runs that it serves now."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.link.gateway import answer, destination
from conformance.sut.adapter import Adapter
from conformance.sut.base import SutFault, Transition
from conformance.sut.manifest import Manifest
from conformance.sut.program import patience
from conformance.sut.protocol import Message, ProtocolFault, moved

if TYPE_CHECKING:
    from conformance.link.tap_pair import TapPair
    from conformance.sut.external_real import ExternalRealSite

__all__ = ["Lane"]

Answer = Callable[[Message], None]


@dataclass(slots=True)
class _Asked:
    """A request that has no answer yet."""

    method: str
    answer: Answer
    blocked: Callable[[], None] | None
    timer: asyncio.TimerHandle | None


class Lane:
    """An adapter that was started, and what it is busy with."""

    def __init__(self, manifest: Manifest) -> None:
        """Raises SutFault, EnvironmentFault. It takes as long as the stack takes to start: call it in a thread."""
        self._tap: TapPair | None = None
        if manifest.link == "tap":
            from conformance.link.tap_pair import TapPair  # pyroute2 takes a quarter of a second to import

            self._tap = TapPair()
        try:
            with self._tap.entered() if self._tap else contextlib.nullcontext():
                self.adapter = Adapter(manifest, f"tap:{self._tap.name}" if self._tap else None)
        except BaseException:
            if self._tap is not None:
                self._tap.close()
            raise
        self.process = self.adapter.process
        self.description = self.adapter.description
        self.sites: dict[bytes, ExternalRealSite] = {}
        """By the addresses of their peers."""
        self.config: Mapping[str, object] | None = None
        """What the stack is configured as now."""
        self.preparing: asyncio.Future[None] | None = None
        """Done once it is."""
        self.busy = 0
        """How many case runs it serves, those included that are only about to begin."""
        self.fault: SutFault | None = None
        """Why it is of no use any more."""
        self._asked: dict[int, _Asked] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched: list[int] = []
        """What the loop reads."""
        self._outgoing: deque[tuple[int, bytes]] = deque()
        self._disturbances: list[str] = []

    # Requests ---------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """From now on what the process says is read by the event loop that runs."""
        self._loop = asyncio.get_running_loop()
        self.process.on_frame, self.process.on_message = self._frame, self._message
        self._watched = [*self.process.streams(), *([self._tap.ring.fileno()] if self._tap else [])]
        for stream in self._watched:
            self._loop.add_reader(stream, self.read)

    def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        take: Answer,
        *,
        blocked: Callable[[], None] | None = None,
    ) -> None:
        """Send a request; ``take`` gets the answer, ``blocked`` is told if it says that it waits first."""
        if self.fault is not None:
            raise self.fault
        assert self._loop is not None
        try:
            id = self.process.ask(method, params)
        except SutFault as fault:
            self.give_up(fault)
            raise
        timer = self._loop.call_later(patience(method), self._overdue, id)
        self._asked[id] = _Asked(method, take, blocked, timer)
        self._read_soon()

    def _read_soon(self) -> None:
        """What was read while it was written is not there to be seen any more."""
        if self._loop is not None and self.process.unread:
            self._loop.call_soon(self.read)

    async def answered(self, method: str, params: Mapping[str, Any]) -> None:
        """The same for those that take long, and whose answer says nothing. Raises SutFault."""
        done: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def take(message: Message) -> None:
            if not done.done():
                done.set_result(message)

        self.ask(method, params, take)
        message = await done
        if message.error is not None:
            fault = self.process.fault(f"cannot {method}: {message.error}")
            self.give_up(fault)
            raise fault
        if self.fault is not None:
            raise self.fault

    async def begin(self, config: Mapping[str, object]) -> None:
        """The stack is as new, and configured so. Raises SutFault."""
        if (params := self.adapter.configuration(config, "real")) is not None:
            await self.answered("configure", params)
        await self.answered("reset", {"seed": secrets.randbits(32)})

    def _overdue(self, id: int) -> None:
        if id in self._asked:
            method = self._asked[id].method
            self.give_up(self.process.fault(f"does not answer {method} within {patience(method):g} s"))

    # What the process says --------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Hand over what is there, without waiting."""
        if self.fault is not None:
            return
        try:
            alive = self.process.read()
            self._read_ring()
            self.process.deliver()
            if not alive:
                raise self.process.ended(", ".join(sorted({asked.method for asked in self._asked.values()})) or "between requests")
        except SutFault as fault:
            self.give_up(fault)
        except ProtocolFault as fault:
            self.give_up(self.process.fault(str(fault)))

    def _read_ring(self) -> None:
        if self._tap is not None:
            for t, frame, outgoing in self._tap.ring.read():
                if outgoing:
                    self._left(t, frame)
                else:
                    self.process.count("frames", len(frame))
                    self._frame(t, frame)

    def _frame(self, t: int, frame: bytes) -> None:
        if (reply := answer(frame)) is not None:
            with contextlib.suppress(OSError):  # who floods the link with questions gets no answers
                self._tap.ring.send(reply) if self._tap is not None else self.process.offer(reply)
            return
        site = self.sites.get(destination(frame))
        if site is not None:
            site.events.frame(t, frame, False)

    def _message(self, message: Message) -> None:
        if message.id is not None:
            asked = self._asked.pop(message.id, None)
            if asked is None:
                raise ProtocolFault(f"answers request {message.id}, which was not asked or is answered already")
            if asked.timer is not None:
                asked.timer.cancel()
            asked.answer(message)
        elif message.method == "stateChanged":
            self._moved(message.params)
        elif message.method == "blocked":
            self._blocked(message.params.get("id"))

    def _blocked(self, id: object) -> None:
        asked = self._asked.get(id) if isinstance(id, int) else None
        if asked is None or asked.blocked is None:
            raise ProtocolFault(f"says that request {id!r} blocks, which is not one that may")
        if asked.timer is not None:
            asked.timer.cancel()
            asked.timer = None
        asked.blocked()

    def _moved(self, params: Mapping[str, Any]) -> None:
        move = moved(params)
        site = self.sites.get(move.remote)
        if site is not None:
            t = time.monotonic_ns() if move.time is None else move.time
            site.moves.append(Transition(t, move.local_port, move.remote, move.remote_port, move.old, move.new))

    # Frames -----------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Put a frame on the link; when it left is told by the next :meth:`pump`."""
        t = time.monotonic_ns()
        self.put(frame)
        if self._tap is None:  # nothing stamps what goes into a socket: it has not left before now
            self._outgoing.append((t, frame))

    def put(self, frame: bytes) -> None:
        """The same, of which nobody wants to know when it left."""
        if self.fault is not None:
            raise self.fault
        if self._tap is not None:
            self._tap.ring.send(frame)
            return
        try:
            self.process.send(frame)
        except SutFault as fault:
            self.give_up(fault)
            raise
        self._read_soon()

    def pump(self) -> None:
        """Tell of frames that left, and of all that is there."""
        while self._outgoing:
            self._left(*self._outgoing.popleft())
        self.read()

    def _left(self, t: int, frame: bytes) -> None:
        # A case may send from any address: it knows its own frame.
        for site in set(self.sites.values()):
            site.events.frame(t, frame, True)

    def disturbances(self) -> list[str]:
        """All that has made traces of this lane worthless so far; it only grows."""
        if self._tap is not None and (lost := self._tap.ring.lost()):
            self._disturbances.append(f"the tester lost {lost} frames")
        if (self._tap.ring.clock if self._tap else self.process.clock).was_set():
            self._disturbances.append("the machine's clock was set")
        return self._disturbances

    def waited(self) -> int:
        """ns so far in which the stack's processes were ready to run and had no processor; 0 where that cannot be told."""
        return sum(map(_run_delay, _family_of(self.process.pid)))

    # Ends -------------------------------------------------------------------------------------------------------------

    def give_up(self, fault: SutFault) -> None:
        """It is of no use any more: every case run that it serves hears why."""
        if self.fault is not None:
            return
        self.fault = fault
        self.close()
        asked, self._asked = self._asked, {}
        for request in asked.values():
            if request.timer is not None:
                request.timer.cancel()
            if request.method in ("configure", "reset"):
                request.answer(Message(0, error=str(fault)))
        for site in set(self.sites.values()):
            site.events.broke(fault)

    def close(self) -> None:
        """End the process and give everything back."""
        if self._loop is not None and not self._loop.is_closed():
            for stream in self._watched:  # which may be closed by now, and are another's next
                self._loop.remove_reader(stream)
        self._loop = None
        self.process.close()
        if self._tap is not None:
            self._tap.close()
            self._tap = None


def _family_of(pid: int) -> list[int]:
    """A process, and all that it started."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def _run_delay(pid: int) -> int:
    """The second figure of schedstat (kernel documentation ``scheduler/sched-stats``)."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
