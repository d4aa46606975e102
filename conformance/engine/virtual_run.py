"""One attempt at one case on a virtual clock: the executor and a stack that is told the time, event by event, without waiting.

Time goes by in three ways only: to the next thing that the stack or the executor wants, and :data:`STEP` for each frame on the link and for
each call. So every time is exact, the order in the trace is plain, and a run is the same however busy the machine is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
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
    Event,
    Frame,
    MakeCall,
    Moved,
    Send,
    Tick,
    WakeAt,
)  # fmt: skip
from conformance.engine.executor import Executor
from conformance.result import CaseResult, Verdict
from conformance.sut.base import Outcome, SutFault, Transition, VirtualBed, VirtualSite

__all__ = ["START", "STEP", "VirtualRun", "play_virtual"]

START = 946_684_800_000_000_000
"""When every case begins, in ns: the year 2000, so that the capture of a case is the same every time."""
STEP = 1000
"""ns that a frame is under way, and that a call takes."""
MOST_EVENTS = 200_000
"""More than any case needs, by far: the stack, or the case, does not come to an end."""


class VirtualRun:
    """The join between an executor and a virtual site. It is the site's :class:`~conformance.sut.base.SiteEvents`."""

    def __init__(self, case: Case, bed: VirtualBed, rng: Random, stack_rng: Random) -> None:
        self.now = START
        self._link_free = START
        """When the next frame from the SUT can come: one takes STEP after the other."""
        self._inbox: deque[Event] = deque()
        self._busy = False
        self._wake: int | None = None
        """When the executor wants to be woken."""
        self._site: VirtualSite = bed.virtual_site(case.family, self, stack_rng, START)
        self.executor = Executor(case, self._site.places, rng)
        self.executor.trace.states_from = self._site.states_from

    def play(self) -> None:
        """Play the case to its end. What breaks costs this case alone: its verdict is *error*."""
        try:
            self._tell(Begin(self.now))
            for _ in range(MOST_EVENTS):
                if self.executor.verdict is not None:
                    return
                self._next()
            raise SutFault(f"the case does not come to an end: {MOST_EVENTS} events in {(self.now - START) / 1e9:g} s of virtual time")
        except Exception as error:
            self.executor.broke(error)
        finally:
            self._site.close([connection.ends for connection in self.executor.connections])

    # What the site tells ------------------------------------------------------------------------------------------------

    def frame(self, t: int, frame: bytes, outgoing: bool) -> None:
        assert not outgoing, "what the tester sends is not told"
        self._link_free = t = max(t, self._link_free) + STEP
        self.now = max(self.now, t)
        if self._busy:  # the steps look for it when they go on
            self.executor.came(t, frame)
        else:
            self._tell(Frame(t, frame, False))

    def returned(self, call: int, t: int, outcome: Outcome) -> None:
        self.now = max(self.now, t)
        self._tell(CallReturned(self.now, call, outcome))

    def blocked(self, call: int, t: int) -> None:
        self.now = max(self.now, t)
        self._tell(Blocked(self.now, call))

    def answered(self, query: int, t: int, value: str | int | Mapping[str, int]) -> None:
        self.now = max(self.now, t)
        self._tell(Answered(self.now, query, value))

    def moved(self, transitions: Sequence[Transition]) -> None:
        self._tell(Moved(transitions))

    def broke(self, fault: SutFault) -> None:
        raise fault

    # Inside -------------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """The next thing happens: something in the stack if it is not later than what the executor waits for."""
        timer, wake = self._site.next_timer(), self._wake
        if timer is not None and (wake is None or timer <= wake):
            self._pass(timer)
        elif wake is not None:
            self._pass(wake)
            self._tell(Tick(self.now))
        else:
            raise RuntimeError("the executor waits for something that cannot happen")

    def _pass(self, until: int) -> None:
        """Time goes by in the stack."""
        self.now = max(self.now, until)
        self._site.advance(self.now)
        self._site.pump()

    def _tell(self, event: Event) -> None:
        self._inbox.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._inbox:
                for action in self.executor.react(self._inbox.popleft()):
                    self._carry_out(action)
        finally:
            self._busy = False

    def _carry_out(self, action: Action) -> None:
        site = self._site
        match action:
            case WakeAt(t):
                self._wake = t
                return
            case Send(frame):
                self.executor.left(self.now, frame)
                self._pass(self.now + STEP)
                site.send(frame)
            case MakeCall(number, function, arguments, blocking):
                self.executor.called(number, self.now)
                self._pass(self.now)
                (site.agent.start if blocking else site.agent.call)(number, function, arguments)
                self.now += STEP
            case AskState(number, handle, connection):
                self._pass(self.now)
                site.agent.state(number, handle, connection)
            case AskTransitions(number, connections):
                told = len(self._inbox)
                site.agent.transitions(connections)
                self._inbox.append(Answered(self.now, number, len(self._inbox) - told))
            case AskInfo(number, handle):
                self._pass(self.now)
                site.agent.info(number, handle)
        site.pump()


def play_virtual(case: Case, sut: str, bed: VirtualBed, seed: int) -> CaseResult:
    """Play the case; the same seed gives the same trace, to the nanosecond."""
    started = time.perf_counter()
    run = VirtualRun(case, bed, Random(f"{seed} {case.id} 1"), Random(f"{seed} {case.id} stack"))
    run.play()
    executor = run.executor
    verdict = executor.verdict or Verdict.ERROR
    return CaseResult(case, sut, verdict, time.perf_counter() - started, failure=executor.failure, trace=executor.trace)
