"""A conversation with the tester: lines in, calls of the adapter's methods, lines out, in the order that the protocol asks for.

It waits for nothing and knows no descriptors but the link: :func:`~conformance.sut.sdk.serve.serve` joins it to the process. An adapter
that has a loop of its own hands what comes on standard input to :meth:`Session.feed`.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import GeneratorType
from typing import Any

from conformance.sut.sdk.adapter import CALLS, LATER, Adapter, Call, Errno, Interface, Result, Unable
from conformance.sut.sdk.link import Link
from conformance.sut.sdk.messages import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    BadRequest,
    Request,
    arguments,
    description,
    end,
    ends,
    error,
    interface,
    needed,
    read,
    result,
)

__all__ = ["Session"]

_SECOND = 1_000_000_000


class Session:
    """One adapter's conversation.

    Args:
        adapter: whose methods are called.
        write: takes whole lines, for standard output.
        link: opens the link, when ``initialize`` asks; None: the adapter has frames come and go by itself.
        translate: makes what the protocol says of a request that was changed on its way.
    """

    def __init__(
        self,
        adapter: Adapter,
        write: Callable[[bytes], None],
        link: Callable[[], Link] | None = None,
        translate: Callable[[Request], Request] = lambda request: request,
    ) -> None:
        self.adapter, self._write, self._open_link, self._translate = adapter, write, link, translate
        self.link: Link | None = None
        self._rest: list[bytes] = []
        """Of a line that has not ended yet: pieces, for one can be long."""
        self._out: list[dict[str, Any]] = []
        """What was said and is not written yet."""
        self._busy = False
        """Is more to be said before it is written?"""
        self._waiting: dict[Call, GeneratorType[None, None, Result] | None] = {}
        """Calls that are not answered, and how they go on; None: the adapter will say."""
        self._next: tuple[str, Interface, Mapping[str, Any]] | None = None
        """How the next reset makes the stack."""
        self._made = False
        self._began = 0
        """When the stack was made: CLOCK_MONOTONIC, in ns."""
        self._now = 0
        """With the virtual clock: the last time that the tester told."""
        self._methods: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "initialize": self._initialize, "configure": self._configure, "reset": self._reset, "state": self._state, "info": self._info,
            "advance": self._advance, "forget": self._forget,
        }  # fmt: skip
        adapter.transmit, adapter.notify, adapter.time = self._transmit, self._notify, self.time

    # What the process does --------------------------------------------------------------------------------------------

    @property
    def real(self) -> bool:
        """Does time go by on its own, for a stack that is there?"""
        return self._made and self.adapter.clock == "real"

    def time(self) -> int:
        """ns since ``reset``."""
        return time.monotonic_ns() - self._began if self.real else self._now

    def wait(self) -> float | None:
        """How many seconds :meth:`turn` can wait if nothing comes; None: for as long as it takes."""
        due = self.adapter.next_timer() if self.real else None
        return None if due is None else max(due - self.time(), 0) / _SECOND

    def turn(self) -> None:
        """Take the frames that are on the link, and do what is due, if time goes by on its own."""
        if self.real:
            with self._saying():
                self._take_frames()
                self.adapter.settle()

    def feed(self, data: bytes) -> None:
        """Something came on standard input."""
        first, *others = data.split(b"\n")
        self._rest.append(first)
        for next in others:
            line, self._rest = b"".join(self._rest), [next]
            self._handle(line)

    # Requests ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def _saying(self) -> Iterator[None]:
        """What is said in this ``with`` block goes out in one piece at its end."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            self._flush()

    def _handle(self, line: bytes) -> None:
        with self._saying():
            self._carry_out_line(line)

    def _carry_out_line(self, line: bytes) -> None:
        request: Request | None = None
        try:
            request = read(line)
            if request is None:
                return
            request = self._translate(request)
            if self._made and request.method != "advance":
                self._take_frames()
            self._carry_out(request)
            self._go_on()
            if self._made:
                self.adapter.settle()
        except BadRequest as fault:
            self._out.append(error(request.id if request else fault.id, fault.code, str(fault)))
        except Exception as broke:
            self._out.append(error(request.id if request else None, INTERNAL_ERROR, _why(broke)))
        if request is not None:  # the tester goes on when it has the answer: what else the request has brought about comes before
            self._out.sort(key=lambda message: _concerns(message) == request.id)

    def _carry_out(self, request: Request) -> None:
        if request.method in CALLS:
            self._call(request)
            return
        if request.method not in self._methods:
            raise BadRequest(METHOD_NOT_FOUND, f"there is no method {request.method!r}")
        answer = self._methods[request.method](request.params)
        self._go_on()
        self._answer(request.id, answer)

    def _call(self, request: Request) -> None:
        self._need_stack(request.method)
        call = Call(request.id, request.method, request.params.get("socket"), bool(request.params.get("blocking")), self)
        self._waiting[call] = None
        try:
            value = self.adapter.perform(call, arguments(call.name, request.params))
        except Errno as errno:
            value = errno
        except BaseException:
            self._waiting.pop(call, None)
            raise
        if isinstance(value, GeneratorType):
            self._waiting[call] = value
            self._resume(call, value)
            self._wait(call, value)
        elif value is not LATER:
            self.done(call, value)

    def _wait(self, call: Call, steps: GeneratorType[None, None, Result]) -> None:
        """A call that has not returned yet waits, if it may."""
        if call.blocking:
            self.blocked(call)
        elif call in self._waiting:
            steps.close()
            self.done(call, Errno("EINPROGRESS" if call.name == "connect" else "EAGAIN"))

    def _resume(self, call: Call, steps: GeneratorType[None, None, Result]) -> None:
        try:
            next(steps)
        except StopIteration as returned:
            self.done(call, returned.value)
        except Errno as errno:
            self.done(call, errno)

    def _go_on(self) -> None:
        """Something has happened: let each call that waits see whether it was for that, until none goes on."""
        waited = -1
        while len(self._waiting) != waited:
            waited = len(self._waiting)
            for call, steps in list(self._waiting.items()):
                if steps is not None and call in self._waiting:
                    self._resume(call, steps)

    def blocked(self, call: Call) -> None:
        """The call waits."""
        if call in self._waiting:
            self._settle_alone()
            self._notify("blocked", {"id": call.id})

    def done(self, call: Call, value: Result) -> None:
        """The call returned. One from before ``reset`` is not answered."""
        if call not in self._waiting:
            return
        del self._waiting[call]
        self._settle_alone()
        self._answer(call.id, {"errno": str(value)} if isinstance(value, Errno) else result(call.name, value))

    def _settle_alone(self) -> None:
        """What there is to tell comes before what the adapter says by itself of a call, as it comes before an answer."""
        if not self._busy:
            self.adapter.settle()

    # Other than calls -------------------------------------------------------------------------------------------------

    def _initialize(self, _: Mapping[str, Any]) -> dict[str, Any]:
        if self.link is None and self._open_link is not None:
            self.link = self._open_link()
        return description(self.adapter)

    def _configure(self, params: Mapping[str, Any]) -> dict[str, Any]:
        adapter, clock = self.adapter, needed(params, "clock", "configure")
        if clock not in adapter.clocks:
            raise Unable(f"{adapter.name} has no {clock} clock")
        self._next = clock, interface(needed(params, "interface", "configure")), params.get("settings", {})
        return {}

    def _reset(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if self._next is None:
            raise Unable("reset before configure")
        self._waiting.clear()
        if self.link is not None:
            while self.link.read() is not None:
                pass  # it was for the stack that is no more
        self._now, self._began = 0, time.monotonic_ns()
        self._made = False
        self.adapter.clock, self.adapter.interface, self.adapter.configuration = self._next
        self.adapter.reset(int(params.get("seed", 0)))
        self._made = True
        return {}

    def _state(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._need_stack("state")
        return {"state": self.adapter.state(params.get("socket"), end(params.get("local")), end(params.get("remote")))}

    def _info(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._need_stack("info")
        try:
            return dict(self.adapter.info(needed(params, "socket", "info")))
        except Errno as errno:
            return {"errno": str(errno)}

    def _advance(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._need_stack("advance")
        if self.real:
            raise Unable("advance is for the virtual clock")
        self._now = max(self._now, int(needed(params, "to", "advance")))
        self.adapter.advance(self._now)
        self._take_frames()  # they came now, and not when the tester last told the time
        return {}

    def _forget(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._need_stack("forget")
        sockets = params.get("sockets", [])
        self._waiting = {call: steps for call, steps in self._waiting.items() if call.socket not in sockets}
        self.adapter.forget(sockets, ends(needed(params, "connections", "forget")))
        return {}

    def _need_stack(self, method: str) -> None:
        if not self._made:
            raise Unable(f"{method} before reset")

    # Frames and lines -------------------------------------------------------------------------------------------------

    def _take_frames(self) -> None:
        """Hand the stack all frames that are on the link. With the real clock, time goes by as well."""
        while True:
            if self.real:
                self.adapter.advance(self.time())
            frame = self.link.read() if self.link is not None else None
            if frame is None:
                break
            self.adapter.receive(frame)
        self._go_on()

    def _transmit(self, frame: bytes) -> None:
        if self.link is not None:
            self.link.write(frame)

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        self._say({"jsonrpc": "2.0", "method": method, "params": params})

    def _answer(self, id: int | str, answer: dict[str, Any]) -> None:
        self._say({"jsonrpc": "2.0", "id": id, "result": answer})

    def _say(self, message: dict[str, Any]) -> None:
        self._out.append(message)
        if not self._busy:
            self._flush()

    def _flush(self) -> None:
        """Say what there is to say, in one piece. With the virtual clock every result tells when the stack does something next."""
        if not self._out:
            return
        if self._next is not None and (self.adapter.clock if self._made else self._next[0]) == "virtual":
            due = self.adapter.next_timer() if self._made else None
            for message in self._out:
                if "result" in message:
                    message["result"]["next"] = due
        said, self._out = self._out, []
        self._write(b"".join(json.dumps(message, separators=(",", ":")).encode() + b"\n" for message in said))


def _concerns(message: dict[str, Any]) -> object:
    """The request that a message says something of."""
    return message["params"].get("id") if message.get("method") == "blocked" else message.get("id")


def _why(broke: Exception) -> str:
    """What went wrong, in a line, for the tester; where, for whoever reads standard error."""
    if isinstance(broke, Unable):
        return str(broke)
    traceback.print_exception(broke)
    sys.stderr.flush()
    where = traceback.extract_tb(broke.__traceback__)[-1]
    return f"{type(broke).__name__}: {broke} ({where.filename.rpartition('/')[2]}:{where.lineno}, in {where.name})"
