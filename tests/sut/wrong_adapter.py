"""The reference stack's adapter, with one thing wrong: ``wrong_adapter.py MODE``. For ``conformance sut-check``, which must find it."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from conformance.sut.manifest import ADAPTERS
from conformance.sut.sdk import Call, Errno, Session, serve

_spec = importlib.util.spec_from_file_location("reference_adapter", ADAPTERS / "reference/adapter.py")
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)


class Right(_module.Reference):  # type: ignore[misc,name-defined]
    """As it should be."""

    options = tuple(name for name in _module.Reference.options if name != "IP_LOCAL_PORT_RANGE")


class LateNext(Right):
    def next_timer(self) -> int | None:
        due = super().next_timer()
        return None if due is None else due + 150_000_000


class StuckNext(Right):
    def next_timer(self) -> int | None:
        return 1000


class NoReset(Right):
    made = False

    def reset(self, seed: int) -> None:
        if not self.made:
            super().reset(seed)
        self.made = True


class LateFrames(Right):
    """On the link once the stack is asked for something more."""

    def reset(self, seed: int) -> None:
        self.late: list[bytes] = []
        on_the_link = self.transmit
        self.transmit = self.late.append
        super().reset(seed)
        self.transmit = on_the_link

    def flush(self) -> None:
        while self.late:
            self.transmit(self.late.pop(0))

    def advance(self, now: int) -> None:
        self.flush()
        super().advance(now)

    def perform(self, call: Call, arguments: Any) -> Any:
        self.flush()
        return super().perform(call, arguments)


class NoErrno(Right):
    """A call on no socket breaks it."""

    def perform(self, call: Call, arguments: Any) -> Any:
        if "socket" in arguments and arguments["socket"] not in self._net.files:
            raise KeyError(arguments["socket"])
        return super().perform(call, arguments)


class WrongState(Right):
    def state(self, *where: Any) -> str:
        found = super().state(*where)
        return "ESTABLISHED" if found == "SYN-RECEIVED" else str(found)


class NoMoves(Right):
    def state_changed(self, *_: object, **__: object) -> None:
        pass


class NeverWaits(Right):
    def perform(self, call: Call, arguments: Any) -> Any:
        call.blocking = False
        return super().perform(call, arguments)


class OtherPeer(Right):
    """It is the stack's own end that accept() tells."""

    def _returned(self, task: Any) -> None:
        if task.tag is not None and task.tag[0].name == "accept" and task.error is None:
            task.tag[0].returns((task.value[0], ("192.0.2.1", 5000)))
        else:
            super()._returned(task)


class NoSettings(Right):
    def reset(self, seed: int) -> None:
        self.configuration = {}
        super().reset(seed)


class WrongSettings(Right):
    settings: Mapping[str, object] = {**Right.settings, "timestamps": [True, False], "rto_min": ["200ms"]}


class Refuses(Right):
    """One of the values that it says that it can have."""

    def reset(self, seed: int) -> None:
        if "keepalive_time" in self.configuration:
            raise ValueError("keepalive_time")
        super().reset(seed)


class Takes0(Right):
    def perform(self, call: Call, arguments: Any) -> Any:
        return 0 if call.name == "send" and arguments["socket"] in self._net.files else super().perform(call, arguments)


class Stays(Right):
    """When its standard input has ended."""


class TypesCapability(Right):
    capabilities = (*Right.capabilities, "half-close")


def no_next(session: type[Session]) -> None:
    flush = session._flush

    def without(self: Session) -> None:
        clock, self.adapter.clock = self.adapter.clock, "real"
        flush(self)
        self.adapter.clock = clock

    session._flush = without  # type: ignore[method-assign]


def frames_last(session: type[Session]) -> None:
    """They are taken when the time is told, and only then."""
    take, advance = session._take_frames, session._advance
    session._take_frames = lambda _: None  # type: ignore[method-assign]

    def tell(self: Session, params: Any) -> dict[str, Any]:
        result = advance(self, params)
        take(self)
        return result

    session._advance = tell  # type: ignore[method-assign]


def half_lines(session: type[Session]) -> None:
    feed = session.feed
    session.feed = lambda self, data: feed(self, data if data.endswith(b"\n") else data + b"\n")  # type: ignore[method-assign]


def answers_the_dead(session: type[Session]) -> None:
    """Calls of the stack before are answered."""
    reset = session._reset

    def forget_nothing(self: Session, params: Any) -> dict[str, Any]:
        waiting = list(self._waiting)
        result = reset(self, params)
        for call in waiting:
            self._waiting[call] = None
            self.done(call, Errno("ECONNABORTED"))
        return result

    session._reset = forget_nothing  # type: ignore[method-assign]


def dies_of_nonsense(session: type[Session]) -> None:
    carry_out = session._carry_out

    def die(self: Session, request: Any) -> None:
        if request.method == "fly":
            os._exit(9)
        carry_out(self, request)

    session._carry_out = die  # type: ignore[method-assign]


def prints(session: type[Session]) -> None:
    """Among its messages."""
    flush = session._flush

    def chatty(self: Session) -> None:
        if any("value" in message.get("result", ()) for message in self._out):
            self._write(b"Hello, world!\n")
        flush(self)

    session._flush = chatty  # type: ignore[method-assign]


ADAPTERS_: dict[str, type[Right]] = {
    "late-next": LateNext, "stuck-next": StuckNext, "no-reset": NoReset, "late-frames": LateFrames, "no-errno": NoErrno,
    "wrong-state": WrongState, "no-moves": NoMoves, "never-waits": NeverWaits, "other-peer": OtherPeer, "no-settings": NoSettings,
    "wrong-settings": WrongSettings, "refuses": Refuses, "takes-0": Takes0, "stays": Stays, "typo": TypesCapability,
}  # fmt: skip
SESSIONS: dict[str, Callable[[type[Session]], None]] = {
    "no-next": no_next, "frames-last": frames_last, "half-lines": half_lines, "answers-the-dead": answers_the_dead,
    "dies-of-nonsense": dies_of_nonsense, "prints": prints,
}  # fmt: skip


if __name__ == "__main__":
    mode = sys.argv[1]
    if mode in SESSIONS:
        SESSIONS[mode](Session)
    serve(ADAPTERS_.get(mode, Right)())
    while mode == "stays":
        time.sleep(60)
