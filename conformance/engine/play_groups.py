"""The steps that hold other steps: any_order, either, optional, repeat."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from conformance.case.steps import AnyOrderStep, EitherStep, ExpectIcmpStep, ExpectStep, OptionalStep, RepeatStep, SilenceStep, Step
from conformance.engine.connections import Connection
from conformance.engine.durations import duration_text
from conformance.engine.matcher import compare_icmp, compare_segment
from conformance.engine.play_segments import (
    actual_text,
    deadline_of,
    expected_text,
    fits,
    mismatch,
    nothing_came,
    take,
    take_optional,
    timing_difference,
)  # fmt: skip
from conformance.engine.stop import Stop
from conformance.result import Difference
from conformance.trace import Received

if TYPE_CHECKING:
    from conformance.engine.executor import Executor, Playing, Wish

__all__ = ["any_order", "either", "optional", "repeat"]


def any_order(play: Executor, step: AnyOrderStep) -> Playing:
    """Match each segment that comes with whichever of the expectations it fits."""
    missing = [inner for inner in step.steps if isinstance(inner, ExpectStep)]
    latest = play.base
    while missing:
        taken = None
        for inner in missing:
            connection = play.connections.use(inner.on)
            if connection.segments and fits(play, inner, connection.segments[0], connection):
                taken = inner
                break
        if taken is not None:
            connection = play.connections[taken.on]
            event = connection.segments.popleft()
            compare_segment(taken, event.packet, connection, play.variables)
            play.variables.stamp(event.t)
            event.step = play.index(taken)
            latest = max(latest, event.t)
            missing.remove(taken)
            continue
        came = [connection for connection in (play.connections[inner.on] for inner in missing) if connection.segments]
        if came:
            if not (yield from take_optional(play, came[0])):
                raise _closest(play, [inner for inner in missing if inner.on == came[0].name], came[0])
            continue
        first = min(missing, key=lambda inner: deadline_of(play, inner))
        deadline = deadline_of(play, first)
        if play.now >= deadline:
            raise nothing_came(play, first, play.connections[first.on], deadline)
        yield deadline
    for name in {inner.on for inner in step.steps}:
        play.connections[name].optional.clear()
    play.happened(latest)


def _closest(play: Executor, missing: list[ExpectStep], connection: Connection) -> Stop:
    """The exception for a segment that fits none of these expectations: it is held against the one from which it differs least."""
    event = connection.segments.popleft()

    def differences(inner: ExpectStep) -> list[Difference]:
        return compare_segment(inner, event.packet, connection, play.variables.copy()) + timing_difference(play, inner, event.t)

    closest = min(missing, key=lambda inner: len(differences(inner)))
    event.step = play.index(closest)
    return mismatch(play, closest, connection, event, differences(closest))


def either(play: Executor, step: EitherStep) -> Playing:
    """Play the first branch whose first step what comes next fits; a silence fits when nothing has come until its end."""
    firsts = [branch[0] for branch in step.branches]
    while True:
        for branch, first in zip(step.branches, firsts, strict=True):
            if _begins(play, first):
                for inner in branch:
                    yield from play.play(inner)
                return
        came = [event for event in (_head(play, first) for first in firsts) if event is not None]
        if came and (yield from _optional_came(play, came[0])):
            continue
        deadlines = [_end(play, first) for first in firsts]
        if came or play.now >= max(deadlines):
            raise _none_fits(play, step, firsts, came[0] if came else None, max(deadlines))
        yield min(deadline for deadline in deadlines if deadline > play.now)


def _optional_came(play: Executor, event: Received) -> Generator[Wish, None, bool]:
    """Does an optional step take this segment?"""
    connection = play.connections[event.connection or "default"]
    return bool(connection.segments) and connection.segments[0] is event and (yield from take_optional(play, connection))


def _head(play: Executor, first: Step) -> Received | None:
    connection = play.connections.use(first.on)
    queue = connection.messages if isinstance(first, ExpectIcmpStep) else connection.segments
    return queue[0] if queue else None


def _end(play: Executor, first: Step) -> int:
    return play.base + first.duration if isinstance(first, SilenceStep) else deadline_of(play, first)


def _begins(play: Executor, first: Step) -> bool:
    event, connection = _head(play, first), play.connections[first.on]
    match first:
        case SilenceStep():
            return play.now >= _end(play, first) and (event is None or event.t > _end(play, first))
        case ExpectIcmpStep():
            return event is not None and not compare_icmp(first, event.packet, connection, play.variables.copy())
        case ExpectStep():
            return event is not None and fits(play, first, event, connection)
    return False


def _none_fits(play: Executor, step: EitherStep, firsts: list[Step], event: Received | None, deadline: int) -> Exception:
    wanted = " or ".join(expected_text(first) for first in firsts)
    if event is None:
        return play.stop(step, f"nothing came within {duration_text(deadline - play.base)}", expected=wanted, actual="nothing")
    connection = play.connections[event.connection or "default"]
    take(play, step, event)
    event.failed = True
    actual = actual_text(connection, event)
    return play.stop(
        step, "what came fits none of the branches", expected=wanted, actual=actual, differences=(Difference("segment", wanted, actual),)
    )


def optional(play: Executor, step: OptionalStep) -> Playing:
    """Remember that the next segment may be this one: the step that takes the next segment looks here first."""
    play.connections.use(step.steps[0].on).optional.append(step)
    yield from ()


def repeat(play: Executor, step: RepeatStep) -> Playing:
    """Play the rounds, one after the other."""
    for one in step.rounds:
        for inner in one:
            yield from play.play(inner)
