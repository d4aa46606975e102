"""Plays a case on a virtual stack to its end whatever fails, and films the wire as the stack under test sees it.

A case run ends at the step that fails. A passive observer of the connection sees more: what the stack does about the rest of what the peer
sends, and what it still does by itself. So here a step that does not hold is noted and the next one is played, and at the end virtual time
goes on for a while. On a stack that passes, nothing is different but for that while.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from random import Random
from types import FrameType
from typing import Any

from conformance.case.case import Case
from conformance.case.steps import Step
from conformance.engine.executor import Executor, Playing
from conformance.engine.stop import Stop
from conformance.engine.virtual_run import VirtualRun
from conformance.result import Verdict
from conformance.sut.base import Outcome, Places, SutFault, VirtualBed, VirtualSite

__all__ = ["Film", "film"]

LINGER = 70_000_000_000
"""ns that a stack is watched after the last step: TIME-WAIT, and some retransmissions of what nobody acknowledges."""
MOST_LINGERING = 200
"""Frames after which a stack that does not come to rest is watched no more."""

LONGEST = 1.0
"""Seconds of processor time that a stack may take over one frame; else it hangs."""

_OTHER = bytes.fromhex("020000000001 020000000002 0800 4500001c00000000400114ab c6336401 cb007101 0800f7fd00010001")
"""What else passes on a link, here an echo request between two other hosts: it says that the capture went on, and so what did not come."""

Frame = tuple[int, bytes, bool]
"""When it passed the stack's interface, its octets, and whether the tester sent it."""


@dataclass(frozen=True, slots=True)
class Film:
    """All frames of a case run."""

    case: str
    """Its id."""
    profile: str
    """``rfc``: as the case is; ``linux``: with Linux's choices."""
    failed: str
    """The first step that did not hold, and why; empty if all did."""
    frames: tuple[Frame, ...]
    ended: int = 0
    """Of these frames so many had passed when the last step was done."""


class _Tolerant(Executor):
    """An executor that notes a step that does not hold, and goes on to the next."""

    first = ""

    def play(self, step: Step) -> Playing:
        try:
            yield from super().play(step)
        except Stop as stop:
            self.first = self.first or f"{stop.step.source.text}: {stop.reason}"


class _Hung(BaseException):
    """The stack has been at it for too long."""


class _Filmed:
    """A site that films what it is sent at the time at which it has it. A stack that hangs in a frame does nothing any more."""

    def __init__(self, site: VirtualSite, frames: list[Frame], now: int) -> None:
        self._site, self._frames, self._now = site, frames, now
        self._dead = False

    def advance(self, now: int) -> None:
        self._now = now
        if not self._dead:
            self._site.advance(now)

    def next_timer(self) -> int | None:
        return None if self._dead else self._site.next_timer()

    def send(self, frame: bytes, /) -> None:
        self._frames.append((self._now, frame, True))
        if self._dead:
            return
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
        try:
            self._site.send(frame)
        except _Hung:
            self._dead = True
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site, name)


def _hung(_number: int, _frame: FrameType | None) -> None:
    raise _Hung


class _Run(VirtualRun):
    """A run that is filmed, and that tolerates."""

    def __init__(self, case: Case, bed: VirtualBed, seed: int) -> None:
        self.frames: list[Frame] = []
        self.ended = 0
        super().__init__(case, bed, Random(f"{seed} {case.id} 1"), Random(f"{seed} {case.id} stack"))
        places: Places = self._site.places
        self.executor = _Tolerant(case, places, Random(f"{seed} {case.id} 1"))
        self._site = _Filmed(self._site, self.frames, self.now)

    def frame(self, t: int, frame: bytes, outgoing: bool) -> None:
        self.frames.append((t, frame, outgoing))
        super().frame(t, frame, outgoing)

    def returned(self, call: int, t: int, outcome: Outcome) -> None:
        if self.executor.verdict is None:
            super().returned(call, t, outcome)

    def play(self) -> None:
        super().play()
        self.ended = len(self.frames)
        end, most = self.now + LINGER, self.ended + MOST_LINGERING
        try:
            while (timer := self._site.next_timer()) is not None and timer <= end and len(self.frames) < most:
                self._pass(timer)
        except SutFault:
            pass  # a bug may also break the stack; what passed before that passed
        self.frames.append((end if len(self.frames) < most else self.now, _OTHER, True))


def film(case: Case, bed: VirtualBed, profile: str, seed: int = 0) -> Film:
    """Play the case; the same seed gives the same frames, to the nanosecond."""
    before = signal.signal(signal.SIGVTALRM, _hung)
    try:
        run = _Run(case, bed, seed)
        run.play()
    finally:
        signal.signal(signal.SIGVTALRM, before)
    executor = run.executor
    assert isinstance(executor, _Tolerant)
    failed = executor.first
    if not failed and executor.verdict is not Verdict.PASS:
        failed = executor.failure.reason if executor.failure else f"{executor.verdict}"
    return Film(case.id, profile, failed, tuple(run.frames), run.ended)
