"""One attempt at one case in real time: carries the executor's actions out on a site, and tells it what happens there."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from conformance.case.case import Case
from conformance.engine.events import (
    Action,
    Answered,
    AskInfo,
    AskState,
    AskTransitions,
    Begin,
    Blocked,
    CallReturned,
    Disturbed,
    Event,
    Frame,
    MakeCall,
    Moved,
    Send,
    Tick,
    WakeAt,
)  # fmt: skip
from conformance.engine.executor import Executor
from conformance.engine.reflex import Reflex
from conformance.sut.base import Bed, Outcome, Site, SutFault, Transition

__all__ = ["CaseRun"]


class CaseRun:
    """The join between an executor and a site. It is the site's :class:`~conformance.sut.base.SiteEvents`."""

    def __init__(self, case: Case, bed: Bed, rng: Random) -> None:
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[Event] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._wake: int | None = None
        """When the timer goes off."""
        self._wanted: int | None = None
        """When it should: set anew after many an event, looked at once all are handled."""
        self._reflex: Reflex | None = None
        """May answer the next frame that comes."""
        self._answered: bytes | None = None
        """What was sent by reflex; the steps have not come to it yet."""
        self._held: list[tuple[int, bytes, bool]] = []
        """What passed since then: it waits until they have."""
        self.site: Site = bed.site(case.family, self)
        try:
            self.executor = Executor(case, self.site.places, rng, poll_states=self.site.states_from == "inet_diag")
        except BaseException:
            self.site.close(())
            raise
        self.executor.trace.states_from = self.site.states_from
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self.activity = 0
        """Counts events, so that the runner sees whether this case is waiting."""

    def begin(self) -> None:
        """Start playing."""
        self._busy = True
        self._inbox.append(Begin(time.monotonic_ns()))
        self._drain()

    def tell(self, event: Event) -> None:
        """Tell the executor of something that concerns all cases (a stall)."""
        self._tell(event)

    def close(self) -> None:
        """End everything that this attempt has on its site."""
        if self._timer is not None:
            self._timer.cancel()
        self.site.close([connection.ends for connection in self.executor.connections])

    # What the site tells ------------------------------------------------------------------------------------------------

    def frame(self, t: int, frame: bytes, outgoing: bool) -> None:
        # What comes while an action is carried out needs no detour through the inbox: the steps look for it when they go on.
        if self._answered is not None:
            self._held.append((t, frame, outgoing))
            return
        if outgoing:
            if not self.executor.left(t, frame):
                return
        elif self._busy:
            if self._reflex is not None:
                answer, self._reflex = self._reflex.answer(frame), None
                if answer is not None and self._put(answer):
                    self._answered = answer
            self.activity += 1
            self.executor.came(t, frame)
            return
        self._tell(Frame(t, frame, outgoing))

    def returned(self, call: int, t: int, outcome: Outcome) -> None:
        self._tell(CallReturned(t, call, outcome))

    def blocked(self, call: int, t: int) -> None:
        self._tell(Blocked(t, call))

    def answered(self, query: int, t: int, value: str | int | Mapping[str, int]) -> None:
        self._tell(Answered(t, query, value))

    def moved(self, transitions: Sequence[Transition]) -> None:
        self._tell(Moved(transitions))

    def broke(self, fault: SutFault) -> None:
        self.executor.broke(fault)
        if not self.finished.done():
            self.finished.set_result(None)

    # Inside -------------------------------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self._inbox.append(event)
        self.activity += 1
        if not self._busy:
            self._busy = True
            self._drain()

    def _drain(self) -> None:
        """Hand events over one at a time. What happens while an action is carried out waits its turn here."""
        try:
            while self._inbox:
                self._carry_out(self.executor.react(self._inbox.popleft()))
        except Exception as error:  # a mistake in the tester costs this case, and no other
            self.executor.broke(error)
        finally:
            self._busy = False
        self._wake_at(self._wanted)
        if self.executor.verdict is not None and not self.finished.done():
            self.finished.set_result(None)

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(frame, reflex):
                    self._send(frame, reflex)
                case WakeAt(t):
                    self._wanted = t
                case MakeCall(number, function, arguments, blocking):
                    agent = self.site.agent
                    self.executor.called(number, time.monotonic_ns())
                    (agent.start if blocking else agent.call)(number, function, arguments)
                    self.site.pump()
                case AskState(number, handle, connection):
                    self.site.agent.state(number, handle, connection)
                case AskTransitions(number, connections):
                    told = len(self._inbox)
                    self.site.agent.transitions(connections)
                    self._inbox.append(Answered(time.monotonic_ns(), number, len(self._inbox) - told))
                case AskInfo(number, handle):
                    self.site.agent.info(number, handle)

    def _send(self, frame: bytes, reflex: Reflex | None) -> None:
        if self._answered is None:
            if not self._put(frame):
                return
            self._reflex = reflex
        elif frame != self._answered:
            raise RuntimeError("what was answered by reflex is not what the steps answer")
        else:
            self._answered, self._reflex = None, reflex
            held, self._held = self._held, []
            for passed in held:
                self.frame(*passed)
        # Linux answers within the call that sends: what came is read here, not after another turn of the event loop.
        self.site.pump()
        self._reflex = None

    def _put(self, frame: bytes) -> bool:
        try:
            self.site.send(frame)
        except OSError as error:
            self._inbox.append(Disturbed(time.monotonic_ns(), f"a frame could not be sent: {error.strerror}"))
            return False
        return True

    def _wake_at(self, t: int | None) -> None:
        if self.executor.verdict is not None:
            t = None
        if t == self._wake:
            return
        self._wake = t
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if t is not None:
            self._timer = self._loop.call_at(t / 1e9, self._tick)

    def _tick(self) -> None:
        self._timer = self._wake = None
        now = time.monotonic_ns()
        try:
            self.site.pump()  # everything that came before now is told before the executor hears that it is now
        except Exception as error:
            self.executor.broke(error)
        self._tell(Tick(now))
