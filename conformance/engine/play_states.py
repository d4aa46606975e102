"""The steps that ask where a socket is: state, states, info."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.case.case import MS
from conformance.case.steps import InfoStep, StatesStep, StateStep
from conformance.engine.connections import Connection
from conformance.engine.durations import duration_text
from conformance.engine.events import AskInfo, AskState
from conformance.result import Difference, Verdict

if TYPE_CHECKING:
    from conformance.engine.executor import Executor, Playing

__all__ = ["info", "state", "states"]

SETTLE = 1000 * MS
"""ns that a SUT has to get to a state after the event that leads there, unless ``within`` says otherwise."""
_AGAIN = 2 * MS
"""ns between two looks."""

_TIMES = ("rto", "ato", "rtt", "rttvar", "rcv_rtt")


def _socket_and_connection(play: Executor, step: StateStep | StatesStep) -> tuple[int | None, Connection | None]:
    if step.socket is None:
        return None, play.connections[step.on]
    if step.socket not in play.sockets:
        raise play.stop(step, f"there is no socket {step.socket}", verdict=Verdict.ERROR)
    known = play.sockets[step.socket]
    return known.handle, play.connections[known.connection] if known.connection else None


def state(play: Executor, step: StateStep) -> Playing:
    """The SUT says that the socket is in this state, now or soon: what it does takes its own time, which is not the tester's to judge."""
    handle, connection = _socket_and_connection(play, step)
    yield from play.wait_due(step)
    deadline = play.now + (step.within or SETTLE)
    while True:
        number = play.number()
        play.do(AskState(number, handle, connection.ends if connection else None))
        t, actual = yield from play.answer(step, number)
        # Without a socket there is nothing left to tell a connection that is gone from its listener.
        if actual == step.state or (step.socket is None and step.state == "CLOSED" and actual == "LISTEN"):
            play.ready = t
            return
        if t >= deadline:
            if step.socket is None and actual == "LISTEN" and step.state != "LISTEN":
                actual = "CLOSED"  # what is left is the listener
            raise play.stop(
                step,
                f"the state is {actual}",
                expected=step.state,
                actual=str(actual),
                differences=(Difference("state", step.state, str(actual)),),
            )
        yield from play.wait_until(t + _AGAIN)


def states(play: Executor, step: StatesStep) -> Playing:
    """The transitions since the last such step are these, in order; the state before the first may be written or not."""
    _, connection = _socket_and_connection(play, step)
    if connection is None:
        raise play.stop(step, f"the socket {step.socket} has no connection yet", verdict=Verdict.ERROR)
    yield from play.wait_due(step)
    deadline = play.now + (step.within or SETTLE)
    while True:
        t, _ = yield from play.answer(step, play.ask_transitions())
        path = tuple(connection.path)
        if step.states in (path, path[1:]):
            connection.path = list(path[-1:])
            play.ready = t
            return
        if t >= deadline:
            wanted, actual = " → ".join(step.states), " → ".join(path) or "no transition"
            raise play.stop(
                step, "the transitions differ", expected=wanted, actual=actual, differences=(Difference("states", wanted, actual),)
            )
        yield from play.wait_until(t + _AGAIN)


def info(play: Executor, step: InfoStep) -> Playing:
    """The figures that the SUT keeps of a connection."""
    if step.socket not in play.sockets:
        raise play.stop(step, f"there is no socket {step.socket}", verdict=Verdict.ERROR)
    yield from play.wait_due(step)
    number = play.number()
    play.do(AskInfo(number, play.sockets[step.socket].handle))
    t, answer = yield from play.answer(step, number)
    figures: dict[str, int] = dict(answer)  # type: ignore[call-overload]
    found = []
    for name, wanted in step.values:
        if name not in figures:
            found.append(Difference(name, play.variables.text(wanted), "not known"))
        elif not play.variables.fits(wanted, figures[name], 1 << 64):
            show = duration_text if name in _TIMES else str
            found.append(Difference(name, play.variables.text(wanted), show(figures[name])))
    if found:
        play.variables.drop()
        actual = ", ".join(f"{difference.field} = {difference.actual}" for difference in found)
        raise play.stop(step, "the figures differ", expected=step.source.text, actual=actual, differences=tuple(found))
    play.variables.keep()
    play.variables.stamp(t)
    play.ready = t
