"""The steps that call the SUT's sockets: call, start, finish, sockopt."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from conformance.case.steps import (
    Address,
    AnyValue,
    Call,
    CallStep,
    Errno,
    Exact,
    FinishStep,
    Flags,
    Includes,
    Name,
    Octets,
    OneOf,
    Range,
    Result,
    SockoptStep,
    StartStep,
    Step,
    Text,
    Var,
)  # fmt: skip
from conformance.case.vocabulary import ERRNOS
from conformance.engine.durations import duration_text
from conformance.engine.events import MakeCall
from conformance.engine.play_segments import deadline_of, missed_by, timing_difference
from conformance.engine.stream import stream
from conformance.result import Difference, Verdict
from conformance.sut.base import Argument, Host, Outcome
from conformance.trace import Called, Returned

if TYPE_CHECKING:
    from conformance.engine.executor import Executor, Playing, Wish

__all__ = ["call", "finish", "sockopt", "start"]

_MAKES_SOCKET = ("socket", "accept")


def call(play: Executor, step: CallStep) -> Playing:
    """Make a call that must not block, and compare what it returns."""
    yield from play.wait_due(step)
    number = _make(play, step, step.call)
    t, outcome = yield from _returned(play, step, number)
    play.acted(step, t)
    play.happened(t)
    _record(play, step, step.call, t, outcome)
    _compare(play, step, step.call, step.call.result, outcome)
    play.variables.stamp(t)
    _remember(play, step.call, outcome)


def start(play: Executor, step: StartStep) -> Playing:
    """Make a call that blocks, and go on when its caller sleeps."""
    yield from play.wait_due(step)
    number = _make(play, step, step.call, blocking=True)
    deadline = play.now + play.case.timeout
    while number not in play.blocked and number not in play.results:
        if play.now >= deadline:
            raise play.stop(step, "the call neither blocks nor returns", verdict=Verdict.ERROR)
        yield deadline
    assert step.call.target is not None
    play.pending[step.call.target] = (number, step)
    play.ready = play.now


def finish(play: Executor, step: FinishStep) -> Playing:
    """Wait for a call that was started, and compare what it returns and when."""
    if step.name not in play.pending:
        raise play.stop(step, f"there is no call {step.name} that is still to finish", verdict=Verdict.ERROR)
    number, started = play.pending.pop(step.name)
    t, outcome = yield from _returned(play, step, number)
    # A caller that waits for a processor returns late, and that is this machine's doing: so far may the time be off.
    wrong = [] if not timing_difference(play, step, t - outcome.late) else timing_difference(play, step, t)
    _record(play, started, started.call, t, outcome)
    if wrong:
        stop = play.stop(
            step, "the call returned at another time", expected=step.source.text, actual=wrong[0].actual, differences=tuple(wrong)
        )
        stop.late, stop.margin = outcome.late, missed_by(play, step, t)
        raise stop
    play.happened(t)
    _compare(play, step, started.call, step.result, outcome)
    play.variables.stamp(t)
    _remember(play, started.call, outcome)


def sockopt(play: Executor, step: SockoptStep) -> Playing:
    """Compare a socket option's value."""
    asked = Call("getsockopt", (Name(step.socket), Name(step.name)), result=step.value, text=f"getsockopt({step.socket}, {step.name})")
    yield from play.wait_due(step)
    number = _make(play, step, asked)
    t, outcome = yield from _returned(play, step, number)
    _record(play, step, asked, t, outcome)
    _compare(play, step, asked, asked.result, outcome)
    play.variables.stamp(t)
    play.ready = t


# Making a call --------------------------------------------------------------------------------------------------------


def _make(play: Executor, step: Step, what: Call, *, blocking: bool = False) -> int:
    number = play.number()
    arguments = tuple(_argument(play, step, what, position, argument) for position, argument in enumerate(what.args))
    if what.function == "connect":
        arguments = _connect(play, step, arguments)
    if what.function == "send":
        arguments = _data(play, arguments)
    called = Called(t=play.now, step=play.index(step), text=what.text, blocking=blocking)
    play.trace.add(called)
    play.calls[number] = called
    play.do(MakeCall(number, what.function, arguments, blocking))
    return number


def _argument(play: Executor, step: Step, what: Call, position: int, argument: object) -> Argument:
    match argument:
        case Exact(value):
            return value
        case Text(data):
            return data
        case Flags(names):
            return "|".join(names)
        case Address(host, port):
            return Host(_host(play, step, host), _port(play, step, port))
        case Octets():
            return argument.value(play.places.hosts)
        case Name("AF_UNSPEC") if what.function == "connect":
            return Host(b"", 0)
        case Name(name) if name in play.sockets:
            return play.sockets[name].handle
        case Name(name) if what.function in ("bind", "connect") and position == 1:
            return Host(play.places.hosts["any"], _port(play, step, name))
        case Name(name) if position == 0 and what.function != "socket":
            raise play.stop(step, f"there is no socket {name}", verdict=Verdict.ERROR)
        case Name(name):
            return name
    raise TypeError(f"{argument!r} is no argument")


def _host(play: Executor, step: Step, name: str) -> bytes:
    if name not in play.places.hosts:
        known = ", ".join(sorted(play.places.hosts))
        raise play.stop(step, f"there is no address {name} over {play.places.family}: {known}", verdict=Verdict.ERROR)
    return play.places.hosts[name]


def _port(play: Executor, step: Step, port: str | int) -> int:
    if isinstance(port, int):
        return port
    if port not in play.places.ports:
        raise play.stop(step, f"there is no port {port}: {', '.join(sorted(play.places.ports))}", verdict=Verdict.ERROR)
    return play.places.ports[port]


def _connect(play: Executor, step: Step, arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """Fill in the connection's peer, and remember which connection the socket asks for."""
    connection = play.connections[step.on]
    if len(arguments) == 1:  # without an address, to the connection's peer
        play.connections.use(step.on)
        arguments = (*arguments, Host(connection.ends.peer, connection.ends.peer_port))
    target = arguments[1]
    found = play.connections.at(target.address, target.port) if isinstance(target, Host) else None
    socket = next((name for name in play.sockets if play.sockets[name].handle == arguments[0]), None)
    if found is not None and socket is not None and play.sockets[socket].connection is None:
        play.sockets[socket].connection = connection.name if len(arguments) == 1 or found is connection else found.name
    return arguments


def _data(play: Executor, arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """The octets to send: a number stands for so many of the stream's next ones."""
    handle, data, *flags = arguments
    socket = next(play.sockets[name] for name in play.sockets if play.sockets[name].handle == handle)
    if isinstance(data, int):
        data = stream(socket.sent, data)
    elif socket.connection:
        play.connections[socket.connection].plain = False
    return (handle, data, *flags)


# Its result -----------------------------------------------------------------------------------------------------------


def _returned(play: Executor, step: Step, number: int) -> Generator[Wish, None, tuple[int, Outcome]]:
    while number not in play.results:
        # A caller that has been woken may still wait for a processor; how long it did comes with its outcome.
        blocks = isinstance(step, FinishStep)
        deadline = deadline_of(play, step) + play.case.tolerance if blocks else play.calls[number].t + play.case.timeout
        if play.now >= deadline:
            reason = f"the call still blocks after {duration_text(deadline - play.base)}" if blocks else "the call never returned"
            verdict = Verdict.FAIL if blocks else Verdict.ERROR
            raise play.stop(step, reason, verdict=verdict, expected=step.source.text, actual="no return")
        yield deadline
    return play.results.pop(number)


def _record(play: Executor, step: Step, what: Call, t: int, outcome: Outcome) -> None:
    named = what.function in _MAKES_SOCKET and outcome.error is None and what.target
    result = what.target if named else outcome_text(outcome)
    play.trace.add(Returned(t=t, step=play.index(step), text=f"{_call_text(what)} = {result}"))


def _call_text(what: Call) -> str:
    """The call as it was written, without the names on either side."""
    begin = what.text.index(what.function)
    return what.text[begin : what.text.rindex(")") + 1]


def outcome_text(outcome: Outcome) -> str:
    """A result as strace writes it."""
    if outcome.error is not None:
        return f"-1 {outcome.error}"
    if isinstance(outcome.value, bytes):
        shown = outcome.value if len(outcome.value) <= 24 else outcome.value[:24]
        return f"{len(outcome.value)} {shown!r}" + ("…" if shown is not outcome.value else "")
    if isinstance(outcome.value, Host):
        return f"{outcome.value.address.hex()}:{outcome.value.port}"
    return str(outcome.value)


def _compare(play: Executor, step: Step, what: Call, wanted: Result | None, outcome: Outcome) -> None:
    problem = _problem(play, step, wanted, outcome)
    if problem is None and isinstance(outcome.value, bytes) and not isinstance(wanted, Text):
        problem = _corrupted(play, what, outcome.value)
    if problem is not None:
        expected, actual = problem
        play.variables.drop()
        for event in play.trace.events[-1:]:
            event.failed = True
        reason = f"{what.function}() returned {actual}"
        raise play.stop(step, reason, expected=expected, actual=actual, differences=(Difference("result", expected, actual),))
    play.variables.keep()


def _problem(play: Executor, step: Step, wanted: Result | None, outcome: Outcome) -> tuple[str, str] | None:
    """What was wanted and what came, if they differ."""
    actual = outcome_text(outcome)
    number = len(outcome.value) if isinstance(outcome.value, bytes) else outcome.value
    match wanted:
        case None:
            return ("success", actual) if outcome.error else None
        case AnyValue():
            return None
        case Errno(name):
            said = outcome.error or (outcome.value.split()[0] if isinstance(outcome.value, str) else None)
            return None if isinstance(said, str) and ERRNOS.get(said, said) == name else (f"-1 {name}", actual)  # one number, two names
        case Exact() | Range() | Var():
            fits = outcome.error is None and isinstance(number, int) and play.variables.fits(wanted, number, 1 << 64)
            return None if fits else (play.variables.text(wanted), actual)
        case Text(data):
            text = outcome.value.encode() if isinstance(outcome.value, str) else outcome.value
            return None if text == data else (repr(data), actual)
        case Flags(names):
            same = isinstance(outcome.value, str) and set(outcome.value.split("|")) == set(names)
            return None if same else ("|".join(names), actual)
        case Octets():
            octets = wanted.value(play.places.hosts)
            return None if outcome.value == octets else (octets.hex(), actual)
        case Includes(names, absent):
            there = set(outcome.value.split("|")) if isinstance(outcome.value, str) else set()
            holds = outcome.error is None and (not there & set(names) if absent else there >= set(names))
            return None if holds else (("none of " if absent else "at least ") + "|".join(names), actual)
        case OneOf(results):
            missed = []
            for one in results:
                if (problem := _problem(play, step, one, outcome)) is None:
                    return None
                missed.append(problem[0])
            return " or ".join(missed), actual
        case Address(host, port):
            host_wanted = Host(_host(play, step, host), _port(play, step, port))
            any_port = port == 0 and isinstance(outcome.value, Host) and outcome.value.address == host_wanted.address and outcome.value.port
            return None if outcome.value == host_wanted or any_port else (f"{host}:{port}", actual)
    raise TypeError(f"{wanted!r} is no result")


def _corrupted(play: Executor, what: Call, data: bytes) -> tuple[str, str] | None:
    """Received data that is not the stream's, where the case left it to the stream."""
    socket = play.sockets[what.args[0].name]  # type: ignore[union-attr]
    if socket.connection is None or not play.connections[socket.connection].plain:
        return None
    wanted = stream(socket.received, len(data))
    return None if data == wanted else (f"the octets that were sent, {wanted[:16]!r}…", f"{data[:16]!r}…")


def _remember(play: Executor, what: Call, outcome: Outcome) -> None:
    """What a call that succeeded changes: a socket more, a position in a stream."""
    if outcome.error is not None:
        return
    if what.function in _MAKES_SOCKET and what.target and isinstance(outcome.value, int):
        peer = play.connections.at(outcome.peer.address, outcome.peer.port) if outcome.peer else None
        play.sockets.add(what.target, outcome.value, peer.name if peer else None)
    elif what.function == "connect" and Name("AF_UNSPEC") in what.args:
        name = what.args[0].name  # type: ignore[union-attr]
        play.sockets.add(name, play.sockets[name].handle)
    elif what.function in ("send", "recv"):
        socket = play.sockets[what.args[0].name]  # type: ignore[union-attr]
        if what.function == "send" and isinstance(outcome.value, int):
            socket.sent += outcome.value
        elif isinstance(outcome.value, int | bytes) and not _has(what, "MSG_PEEK"):  # with MSG_TRUNC only how many there were
            socket.received += outcome.value if isinstance(outcome.value, int) else len(outcome.value)


def _has(what: Call, flag: str) -> bool:
    return any((isinstance(argument, Flags) and flag in argument.names) or argument == Name(flag) for argument in what.args)
