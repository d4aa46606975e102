"""Plays a case: takes events, gives actions, and ends with a verdict. It does no I/O and reads no clock.

The steps are played by generators (:mod:`conformance.engine.play_segments`, :mod:`conformance.engine.play_calls`). A generator yields
when it can do no more before something happens; what it yields is the time at which it wants to be woken
though nothing did, or None. Every event resumes it, and it looks for itself whether that was what it waited for.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Generator, Iterator, Sequence
from random import Random

from conformance.case.case import MS, Case, mtu_of
from conformance.case.steps import (
    ExpectStep,
    InjectIcmpStep,
    InjectStep,
    StartStep,
    Step,
    flatten,
)
from conformance.engine.connections import Connection, Connections
from conformance.engine.events import (
    Action,
    Answered,
    AskTransitions,
    Begin,
    Blocked,
    CallReturned,
    Disturbed,
    Event,
    Frame,
    Moved,
    Stalled,
    Tick,
    WakeAt,
)  # fmt: skip
from conformance.engine.outgoing import OutgoingSegment
from conformance.engine.play import HANDLERS
from conformance.engine.quick import quick
from conformance.engine.reflex import Reflex, make_reflexes
from conformance.engine.sockets import Sockets
from conformance.engine.stop import Stop
from conformance.engine.variables import Variables
from conformance.result import Failure, Verdict
from conformance.sut.base import Outcome, Places, SutFault, SutLacks
from conformance.trace import Called, Note, Received, Sent, StateChanged, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import Icmp

__all__ = ["Executor", "Playing"]

Wish = Action | int | None
"""What a step yields: an action, to be carried out at once; or the time at which it wants to be woken if nothing happens before."""

Playing = Generator[Wish, None, None]
"""A step that is being played."""

FLOOD = 10_000
"""More frames from the SUT than any case needs: it floods, and the case ends."""


class Executor:
    """One attempt at one case."""

    def __init__(self, case: Case, places: Places, rng: Random, *, poll_states: bool = False) -> None:
        """``poll_states``: ask for transitions after every step, because the SUT does not report them by itself."""
        self.case, self.places = case, places
        self.trace = Trace()
        self.verdict: Verdict | None = None
        """None as long as the case goes on."""
        self.failure: Failure | None = None
        self.retry = False
        """The verdict is inconclusive for a reason that another attempt may not meet."""
        self.connections = Connections(case.connections, places, rng)
        self.trace.connections = {connection.name: connection.ends for connection in self.connections}
        self.mtu = mtu_of(case)
        self.sockets = Sockets()
        self.variables = Variables()
        self._steps = flatten(case.steps)
        self._indexes = {id(step): index for index, step in enumerate(self._steps)}
        self.prepared = self._prepare()
        """What the case will send, by the identity of the step."""
        self.quick = {id(step): found for step in self._steps if isinstance(step, ExpectStep) and (found := quick(step))}
        """The expectations that can be compared quickly, by the identity of the step."""
        self._reflexes = {}
        if not poll_states:  # no step is left out where states are asked for after each
            self._reflexes = make_reflexes(case.steps, self.quick, self.prepared, self.connections, places, self.variables)
        self.now = 0
        self._base: int | Sent = 0
        self.ready = 0
        """When the step before was done, which may be later: what is late counts from here."""
        self.late = 0
        """The worst delay of the tester itself so far, in ns."""
        self.late_where = ""
        self.stalled = 0
        """The longest that the tester did not run since this step began: what it waits for may have been late for that."""
        self.outgoing: list[Sent] = []
        """Handed to the link, not known to have left; in order."""
        self.calls: dict[int, Called] = {}
        self.results: dict[int, tuple[int, Outcome]] = {}
        self.blocked: set[int] = set()
        self.pending: dict[str, tuple[int, StartStep]] = {}
        """Calls that were started and not finished, by name."""
        self.answers: dict[int, tuple[int, object]] = {}
        self._numbers = 0
        self._poll_states = poll_states
        self._settling = False
        self._actions: list[Action] = []
        self._received = 0
        self._script = self._play()

    # What the runner uses ---------------------------------------------------------------------------------------------

    def handle(self, event: Event) -> list[Action]:
        """Take an event; the actions must be carried out in order."""
        return list(self.react(event))

    def react(self, event: Event) -> Iterator[Action]:
        """The same, one action at a time: each is to be carried out before the next is asked for, so that an answer to the SUT leaves
        before the steps that follow it are looked at."""
        if self.verdict is None and self._take(event):
            yield from self._resume()

    def _take(self, event: Event) -> bool:
        """Note an event. Could it be what a step waits for?"""
        match event:
            case Frame(t, frame, True):
                if not self.left(t, frame):
                    return False
            case Frame(t, frame, False):
                self.came(t, frame)
            case CallReturned(t, number, outcome):
                self.results[number] = (t, outcome)
            case Blocked(t, number):
                self.blocked.add(number)
            case Answered(t, number, value):
                self.answers[number] = (t, value)
            case Moved(transitions):
                self._moved(transitions)
                return False
            case Stalled(t, late):
                self.stalled = max(self.stalled, late)
                return False
            case Disturbed(t, reason):
                self._end(Verdict.INCONCLUSIVE, Failure(self.case.file, 1, self.case.title, reason), retry=True)
                return False
            case Tick(t):
                pass
            case Begin(t):
                self._base = self.ready = self.trace.start = t
        self.now = max(self.now, t)
        return True

    def left(self, t: int, frame: bytes) -> bool:
        """A frame left at ``t``: what the trace had before was a guess. Does anything wait to hear of it?"""
        for position, sent in enumerate(self.outgoing):
            if sent.frame == frame:
                sent.t = t
                self.trace.add(sent)
                del self.outgoing[position]
                if t - sent.due > self.late:
                    self.was_late(t - sent.due, self.trace_name(sent))
                if sent is self._base:
                    self.ready = t
                break
        return self._settling

    def called(self, number: int, t: int) -> None:
        """The call with this number is made now: what the trace had before was a guess."""
        self.calls[number].t = t

    def broke(self, error: Exception) -> None:
        """The tester made a mistake, or the SUT's program broke: nothing can be said of the SUT."""
        reason = str(error)
        if not isinstance(error, SutFault):
            where = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"the tester broke: {type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})"
        verdict = Verdict.SKIPPED if isinstance(error, SutLacks) else Verdict.ERROR
        self._end(verdict, Failure(self.case.file, 1, self.case.title, reason))

    # What the steps use -----------------------------------------------------------------------------------------------

    def do(self, action: Action) -> None:
        """Ask for an action; the runner carries it out when the step yields."""
        self._actions.append(action)

    def number(self) -> int:
        """A number for a call or a question."""
        self._numbers += 1
        return self._numbers

    @property
    def base(self) -> int:
        """When the event before happened: ``after`` and ``within`` count from here.

        For a frame that was handed over just now this is a guess, on the early side, until the link says when it left.
        """
        return self._base if isinstance(self._base, int) else self._base.t

    def happened(self, t: int) -> None:
        """A step is done by an event at ``t``: time for the next one counts from there."""
        self._base = self.ready = t

    def sends(self, sent: Sent) -> None:
        """A step is done by a frame that is on its way: time for the next one counts from when it leaves."""
        self.outgoing.append(sent)
        self._base, self.ready = sent, self.now

    def due(self, step: Step) -> int:
        """When an active step wants to act."""
        return self.base + (step.after.low if step.after else 0)

    def wait_due(self, step: Step) -> Playing:
        """Wait until a step wants to act, if it says so."""
        if step.after is not None:
            while self.now < self.due(step):
                yield self.due(step)

    def wait_until(self, t: int) -> Playing:
        """Wait for a moment. What comes meanwhile is kept for the steps that ask for it."""
        while self.now < t:
            yield t

    def reflex(self, step: Step, connection: Connection) -> Reflex | None:
        """What may answer the segment that this step brings about before the steps that follow are played."""
        reflex = self._reflexes.get(id(step))
        return reflex if reflex is not None and reflex.is_ready and not connection.segments and not connection.optional else None

    def was_late(self, late: int, where: str) -> None:
        """The tester was late by ``late`` ns."""
        if late > self.late:
            self.late, self.late_where = late, where

    def acted(self, step: Step, t: int) -> None:
        """An active step acted at ``t``."""
        self.was_late(t - max(self.due(step), self.ready), f"line {step.source.line}")

    def index(self, step: Step) -> int:
        """The step's index in the trace."""
        return self._indexes[id(step)]

    def watch_states(self) -> None:
        """Take note of states now, if the SUT does not report them by itself."""
        if self._poll_states:
            self.ask_transitions()

    def ask_transitions(self) -> int:
        """Ask for what the SUT's sockets have done; the number is that of the answer."""
        number = self.number()
        self.do(AskTransitions(number, tuple(connection.ends for connection in self.connections)))
        return number

    def answer(self, step: Step, number: int) -> Generator[Wish, None, tuple[int, object]]:
        """Wait for the answer to a question: when it came, and what it says."""
        deadline = self.now + self.case.timeout
        while number not in self.answers:
            if self.now >= deadline:
                raise self.stop(step, "the SUT's agent does not answer", verdict=Verdict.ERROR)
            yield deadline
        return self.answers.pop(number)

    def trace_name(self, event: Sent) -> str:
        """Which step sent this."""
        return f"line {self._steps[event.step].source.line}" if event.step is not None else "a frame"

    def name_of(self, connection: Connection) -> str:
        """What the trace calls whoever has this connection: the socket's name, if the case knows it."""
        return self.sockets.holder(connection.name) or connection.name

    def stop(self, step: Step, reason: str, *, verdict: Verdict = Verdict.FAIL, **details: object) -> Stop:
        """The exception that ends the case at ``step``; ``details`` are those of :class:`~conformance.result.Failure`."""
        return Stop(step, verdict, reason, details)

    def play(self, step: Step) -> Playing:
        """Play one step."""
        playing: Playing = HANDLERS[type(step)](self, step)
        return playing

    # Inside -----------------------------------------------------------------------------------------------------------

    def _prepare(self) -> dict[int, OutgoingSegment]:
        prepared = {}
        for step in self._steps:
            try:
                segment = self._segment(step)
            except ValueError as error:
                source, reason = step.source, f"there can be no such packet: {error}"
                self._end(Verdict.ERROR, Failure(source.file, source.line, source.text, reason, index=self.index(step)))
                break
            if segment is not None:
                prepared[id(step)] = segment
        return prepared

    def _segment(self, step: Step) -> OutgoingSegment | None:
        """What ``step`` sends or quotes, if it does."""
        if isinstance(step, InjectStep):
            segment = OutgoingSegment(step.segment, step.fields, self.places)
        elif isinstance(step, InjectIcmpStep) and step.icmp.quoted is not None:
            segment = OutgoingSegment(step.icmp.quoted, {}, self.places, from_sut=True)
        else:
            return None
        connection = self.connections[step.on]
        segment.bind(connection.ends, connection.ends.sut_port or self.places.ports[connection.spec.port])
        return segment

    def _play(self) -> Playing:
        try:
            for step in self.case.steps:
                self.stalled = 0
                yield from self.play(step)
                self.watch_states()
            if self.case.steps:
                yield from self._settle(self.case.steps[-1])
        except Stop as stop:
            with contextlib.suppress(Stop):
                yield from self.answer(stop.step, self.ask_transitions())
            self._conclude(stop)
        else:
            self._end(Verdict.PASS, None)

    def _settle(self, last: Step) -> Playing:
        """Take in what belongs to the case though no step asks for it: the last transitions, and when the last frames left."""
        self._settling = True
        yield from self.answer(last, self.ask_transitions())
        deadline = self.now + self.case.timeout
        while self.outgoing:
            if self.now >= deadline:
                raise self.stop(last, "a frame never left the tester", verdict=Verdict.ERROR)
            yield deadline

    def _resume(self) -> Iterator[Action]:
        wake: int | None = None
        while self.verdict is None:
            try:
                wish = next(self._script)
            except StopIteration:
                break
            if self._actions:
                yield from self._actions
                self._actions.clear()
            if wish is None or isinstance(wish, int):
                wake = wish
                break
            yield wish
        yield WakeAt(wake if self.verdict is None else None)

    def came(self, t: int, frame: bytes) -> None:
        """A frame came from the SUT: a step that asks for it finds it."""
        if self.verdict is not None:
            return
        self.now = max(self.now, t)
        packet = read_frame(frame)
        connection = self.connections.of(packet)
        event = Received(t=t, frame=frame, packet=packet, connection=connection.name if connection else None)
        self.trace.add(event)
        self._received += 1
        if connection is not None:
            (connection.messages if isinstance(packet, Icmp) else connection.segments).append(event)
            connection.last = event
        if self._received > FLOOD:
            failure = Failure(self.case.file, 1, self.case.title, f"the SUT floods: more than {FLOOD} frames in one case")
            self._end(Verdict.ERROR, failure)

    def _moved(self, transitions: Sequence[object]) -> None:
        for move in transitions:
            connection = self.connections.of_transition(move)  # type: ignore[arg-type]
            if connection is not None:
                connection.moved(move.old, move.new)  # type: ignore[attr-defined]
                self.trace.add(StateChanged(t=move.t, who=self.name_of(connection), old=move.old, new=move.new))  # type: ignore[attr-defined]

    def _conclude(self, stop: Stop) -> None:
        """What a step that did not hold says: of the SUT, if the tester kept its time and the step is the case's own."""
        step, verdict, reason, retry = stop.step, stop.verdict, stop.reason, False
        late = max(self.late, self.stalled, stop.late)
        if verdict is Verdict.FAIL and late > self.case.tolerance and late >= stop.margin:
            verdict, retry = Verdict.INCONCLUSIVE, True
            where = self.late_where if late == self.late else "without a processor"
            reason = f"the tester was {late / MS:.0f} ms late ({where}), so this says nothing: {reason}"
        elif verdict is Verdict.FAIL and step.preamble:
            verdict = Verdict.INCONCLUSIVE
            reason = f"the preamble {self.case.given} did not reach its state: {reason}"
        source = step.source
        details = {"why": step.why, "index": self.index(step), **stop.details}
        if verdict is not Verdict.PASS:
            self.trace.add(Note(t=self.now, step=self.index(step), failed=True, text=reason))
        self._end(verdict, Failure(source.file, source.line, source.text, reason, **details), retry=retry)  # type: ignore[arg-type]

    def _end(self, verdict: Verdict, failure: Failure | None, *, retry: bool = False) -> None:
        self.verdict, self.failure, self.retry = verdict, failure, retry
