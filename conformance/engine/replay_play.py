"""Plays a replay: the peer of a capture against a SUT that need not answer as the one in the capture did.

A packet of the peer goes when the SUT has come as far as it had in the capture by then (:mod:`conformance.engine.replay_progress`), and
if waits are kept, not before the peer's own time. What the SUT never does is not waited for longer than :data:`_PATIENCE`; what it does
otherwise is no failure here, but for :mod:`conformance.capture.compare` and the oracle to judge, who are given the trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from conformance.case.case import MS, SECOND
from conformance.case.steps import CallStep, FinishStep, Step
from conformance.engine.connections import Connection
from conformance.engine.events import Send
from conformance.engine.replay_frames import translated
from conformance.engine.replay_numbers import Translation
from conformance.engine.replay_progress import Progress
from conformance.engine.replay_steps import PeerStep, ReplayStep, SutStep
from conformance.engine.stop import Stop
from conformance.trace import Note, Received, Sent
from conformance.wire.segment import FIN, RST, SYN, Segment

if TYPE_CHECKING:
    from conformance.engine.executor import Executor, Playing

__all__ = ["END", "replay"]

END = "here the capture ends"
"""What the trace notes when all of the capture has been played."""

_PATIENCE = SECOND
"""ns by which the SUT may be later than it was in the capture."""
_IMPATIENCE = 100 * MS
"""ns, the same for a SUT that has let the replay wait in vain again and again, and for data that it sent at once: if it does not, it is no
timer that it waits for, but the peer."""
_AT_ONCE = 20 * MS
_SHORTEST = MS // 5
"""ns: a wait that is not longer has passed before this machine would have come to wait."""
_AGAIN = MS
"""ns between the first two calls of accept() where there is nothing to accept yet."""


def replay(play: Executor, step: ReplayStep) -> Playing:
    """Play all of a capture."""
    yield from _Player(play, step).play()


class _Player:
    """What a replay keeps in mind between its steps."""

    def __init__(self, play: Executor, step: ReplayStep) -> None:
        self._play, self._step = play, step
        self._lag = play.now - step.times[0] if step.times else 0
        """ns between the time of something in the capture and its time here."""
        self._patience = _PATIENCE
        self._acted = 0
        """When the peer, or a caller, did something last in the capture."""
        self._since = play.now
        """When that was, or when the SUT came as far as it had, here."""
        self._acknowledged: dict[str, int] = {}
        """Up to where the peer has acknowledged what the SUT sent where that was less than in the capture, by connection."""
        self._progress = {connection.name: Progress(connection.ends.peer_isn) for connection in play.connections}
        self._translation = Translation(step, play.connections, play.places, self._progress)
        for connection in play.connections:
            connection.plain = False  # the data is the capture's

    def play(self) -> Playing:
        """All steps, and the time after the last."""
        play, following = self._play, _following(self._step.steps)
        for at, (t, part) in enumerate(zip(self._step.times, self._step.steps, strict=True)):
            if isinstance(part, SutStep):
                yield from self._await(part, t, following[at])
            elif isinstance(part, PeerStep):
                yield from self._send(part, t)
            elif isinstance(part, FinishStep):
                yield from self._finish(part, t)
            else:
                yield from self._call(part, t)
            play.watch_states()
        self._note(self._step, END)
        yield from play.wait_until(play.now + self._step.linger)

    # The SUT ----------------------------------------------------------------------------------------------------------

    def _await(self, part: SutStep, t: int, next_of_peer: PeerStep | None) -> Playing:
        """Wait until the SUT has come as far as with this packet."""
        play, progress = self._play, self._progress[part.on]
        at_once = part.goal.sort == "octets" and t - self._acted < _AT_ONCE
        deadline = max(t + self._lag, self._since) + (_IMPATIENCE if at_once else self._patience)
        self._take()
        while (at := progress.met(part.goal)) is None:
            if play.now < deadline:
                yield deadline
            elif self._lets_go_on(next_of_peer):
                assert next_of_peer is not None
                yield from self._put(next_of_peer)
                deadline = play.now + _IMPATIENCE
            else:
                self._patience = max(self._patience // 2, _IMPATIENCE)
                return
            self._take()
        event = progress.packets[at]
        if event.step is None:
            event.step = play.index(part)
        self._translation.learn(part, event)
        self._lag = max(self._lag, event.t - t)
        self._patience, self._since = _PATIENCE, play.now

    def _lets_go_on(self, part: PeerStep | None) -> bool:
        """Would a first part of what this packet acknowledges let a SUT go on that sends less at a time than the one in the capture?"""
        if part is None or not isinstance(part.packet, Segment) or part.packet.length or part.packet.flags & (SYN | FIN | RST):
            return False
        _, lacks = self._translation.of(part)
        top = self._progress[part.on].sent.top
        return bool(lacks) and top > self._acknowledged.get(part.on, 0)

    def _take(self) -> None:
        """See how far what has come brings the SUT."""
        for connection in self._play.connections:
            for event in _arrived(connection):
                self._progress[connection.name].add(event)

    # The peer and the callers -----------------------------------------------------------------------------------------

    def _wait(self, t: int) -> Playing:
        """Wait until what happened at ``t`` in the capture is due."""
        play = self._play
        if self._step.keep and t + self._lag - play.now > _SHORTEST:
            yield from play.wait_until(t + self._lag)
        self._lag, self._acted, self._since = play.now - t, t, play.now
        play.happened(play.now)
        self._take()

    def _send(self, part: PeerStep, t: int) -> Playing:
        self._play.connections.use(part.on)
        yield from self._wait(t)
        yield from self._put(part)
        self._progress[part.on].heard(part.packet)

    def _put(self, part: PeerStep) -> Playing:
        """Send a packet of the peer's. What it acknowledges is what this SUT has sent, if that is less."""
        play = self._play
        connection = play.connections[part.on]
        if not connection.ends.sut_port:
            connection.ends.sut_port = play.places.ports[connection.spec.port]
        numbers, lacks = self._translation.of(part)
        if lacks:
            self._note(part, f"packet {part.source.line} of the capture acknowledges {lacks} octets more than this SUT has sent")
        if part.acknowledged is not None and part.acknowledged.sent:
            self._acknowledged[part.on] = max(self._acknowledged.get(part.on, 0), self._progress[part.on].sent.top if lacks else 0)
        frame = translated(part.frame, numbers, part.piece)
        connection.sent = frame
        play.sends(Sent(t=play.now, step=play.index(part), frame=frame, connection=connection.name, due=play.now))
        yield Send(frame)
        self._since = play.now

    def _call(self, part: Step, t: int) -> Playing:
        """Make a call; one that cannot be made here is noted, and no more."""
        yield from self._wait(t)
        play = self._play
        deadline, wait = play.now + self._patience, _AGAIN
        while True:
            try:
                yield from play.play(part)
            except Stop as stop:
                if not (_is_accept(part) and play.now < deadline):
                    self._note(part, f"{part.source.text}: {stop.reason}")
                    return
            else:
                return
            yield from play.wait_until(play.now + wait)  # the connection is not there yet
            wait *= 2

    def _finish(self, part: FinishStep, t: int) -> Playing:
        """Wait until a call returns, as for a packet of the SUT."""
        play = self._play
        if part.name not in play.pending:
            return
        deadline = max(t + self._lag, play.now) + self._patience
        while play.pending[part.name][0] not in play.results:
            if play.now >= deadline:
                self._note(part, f"{part.name} still blocks")
                return
            yield deadline
        self._lag = max(self._lag, play.results[play.pending[part.name][0]][0] - t)
        try:
            yield from play.play(part)
        except Stop as stop:
            self._note(part, stop.reason)

    def _note(self, part: Step, text: str) -> None:
        self._play.trace.add(Note(t=self._play.now, step=self._play.index(part), text=text))


def _following(steps: Sequence[Step]) -> list[PeerStep | None]:
    """For each step the packet of the peer's that comes next on its connection."""
    coming: dict[str, PeerStep] = {}
    found: list[PeerStep | None] = []
    for step in reversed(steps):
        found.append(coming.get(step.on))
        if isinstance(step, PeerStep):
            coming[step.on] = step
    return found[::-1]


def _is_accept(part: Step) -> bool:
    return isinstance(part, CallStep) and part.call.function == "accept" and part.call.result is None


def _arrived(connection: Connection) -> Iterator[Received]:
    """What has come on a connection, in its order, and is then forgotten there."""
    segments, messages = connection.segments, connection.messages
    while segments or messages:
        later = not segments or (messages and messages[0].t < segments[0].t)
        yield (messages if later else segments).popleft()
