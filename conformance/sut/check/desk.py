"""An adapter that was started as the tester starts it, and the peers' end of its link, on either clock.

On the virtual clock nothing is waited for: what a request brings about is there when it is answered, and time goes by from one thing that
the stack has to do to the next. In real time each thing may take :data:`PATIENCE`.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.link.gateway import answer, destination
from conformance.sut.adapter import interface
from conformance.sut.base import Outcome
from conformance.sut.check.finding import Lack
from conformance.sut.check.heard import HeardProcess, told
from conformance.sut.manifest import Manifest
from conformance.sut.places import own_places
from conformance.sut.protocol import VERSION, Description, Message, Moved, ProtocolFault, describe, moved, outcome, state_name
from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Segment

if TYPE_CHECKING:
    from conformance.link.tap_pair import TapPair

__all__ = ["PATIENCE", "STEP", "Desk", "When", "shown"]

STEP = 1000
"""ns of the virtual clock between two things that happen."""
PATIENCE = 10.0
"""Seconds that the stack may take for something in real time."""
_LONG = 600.0
"""Seconds of the virtual clock that a timer may take."""
_MTU = 1500
_TURNS = 100
"""How often a stack may want to be woken while no time goes by."""
_T = TypeVar("_T")
_PEERS = {own_places(family).hosts[name] for family in Family for name in ("peer", "peer2")}


def shown(found: Outcome) -> str:
    """What a call returned, for people."""
    return found.error or (f'"{found.value.hex()}"' if isinstance(found.value, bytes) else str(found.value))


class When(Enum):
    """When something is to be there, by the virtual clock."""

    ALREADY = auto()
    """The request that was answered last brought it about."""
    NOW = auto()
    """Once the stack has looked at the link."""
    LATER = auto()
    """Once a timer of the stack's has expired."""


class Desk:
    """An adapter, and what it said and sent. Raises SutFault where the tester would give it up.

    Args:
        link: ``socket`` or ``tap``.
    """

    def __init__(self, manifest: Manifest, link: str, clock: str) -> None:
        self.clock = clock
        self._tap: TapPair | None = None
        if link == "tap":
            from conformance.link.tap_pair import TapPair

            self._tap = TapPair()
        try:
            with self._tap.entered() if self._tap else contextlib.nullcontext():
                self.process = HeardProcess(manifest.command, manifest.folder, f"tap:{self._tap.name}" if self._tap else None)
        except BaseException:
            self._close_tap()
            raise
        self.process.on_frame, self.process.on_message = self._frame, self._message
        self.now = 0
        """ns since reset, by the virtual clock."""
        self.next: int | None = None
        self.segments: deque[Segment] = deque()
        """From the stack to the peers, not looked at yet."""
        self.moves: list[Moved] = []
        self.answers: dict[int, Message] = {}
        """To calls that waited."""
        self.without_next: set[str] = set()
        """Methods whose results lacked it."""
        self._waiting: dict[int, str] = {}
        self._started: dict[int, tuple[str, Mapping[str, object]]] = {}
        """Calls that waited at first, or still do."""
        self._replies: deque[bytes] = deque()
        self._configured: Mapping[str, object] | None = None
        self.description: Description

    # Requests ---------------------------------------------------------------------------------------------------------

    def initialize(self) -> Mapping[str, Any]:
        """The result of ``initialize``, as it came."""
        result = self.result("initialize", protocol=VERSION)
        try:
            self.description = describe(result)
        except ProtocolFault as fault:
            raise self.process.fault(str(fault)) from None
        return result

    def begin(self, settings: Mapping[str, object] | None = None, *, seed: int = 1) -> None:
        """A stack as new, configured so."""
        wanted = settings or {}
        if self._configured != wanted or self.description.shared:
            mtu = wanted.get("mtu", _MTU)
            assert isinstance(mtu, int)
            self.result("configure", clock=self.clock, interface=interface(mtu), settings=wanted)
            self._configured = wanted
        if self.clock == "virtual":  # in real time what waits may return just before it
            self._waiting.clear()
        self.result("reset", seed=seed)
        self.now = 0
        for kept in (self.segments, self.moves, self.answers, self._waiting, self._replies):
            kept.clear()

    def request(self, method: str, params: Mapping[str, Any]) -> tuple[int, Message]:
        """The request's id, and its answer or ``blocked``."""
        id = self.process.ask(method, params)
        message = self.process.wait(id, method)
        self._take_next(method, message)
        return id, message

    def result(self, method: str, **params: object) -> Mapping[str, Any]:
        """The result of a request that must have one at once."""
        _, message = self.request(method, params)
        if message.error is not None or message.id is None:
            raise Lack(f"a result of {told(method, params)}", f"the error {message.error}" if message.error else "`blocked`")
        return message.result

    def try_call(self, function: str, **params: object) -> Outcome:
        """What a call that must not block returned."""
        return self.outcome(function, params, self.result(function, **params, blocking=False))

    def call(self, function: str, **params: object) -> Outcome:
        """The same of one that must succeed."""
        found = self.try_call(function, **params)
        if found.error is not None:
            raise Lack(f"{told(function, params)} to succeed", found.error)
        return found

    def handle(self, function: str, **params: object) -> int:
        """The socket that such a call gave."""
        value = self.call(function, **params).value
        assert isinstance(value, int), "outcome() has seen to that"
        return value

    def start(self, function: str, **params: object) -> int:
        """A call that has to wait; its id."""
        id, message = self.request(function, {**params, "blocking": True})
        if message.id is not None:
            came = f"the error {message.error}" if message.error is not None else f"the result {told('', message.result)}"
            raise Lack(f"{told(function, params)} to say that it waits (`blocked`)", came)
        self._waiting[id], self._started[id] = function, (function, params)
        return id

    def finish(self, function: str, **params: object) -> Outcome:
        """What a call returned that may wait, and need not. In real time who is quick may see it wait for the stack."""
        id, message = self.request(function, {**params, "blocking": True})
        if message.id is not None:
            return self._outcome_of(function, params, message)
        self._waiting[id], self._started[id] = function, (function, params)
        if self.clock == "virtual":
            raise Lack(f"{told(function, params)} to return at once: what it is to wait for was on the link before it", "`blocked`")
        return self.returned(id)

    def returned(self, id: int, when: When = When.NOW) -> Outcome:
        """What a call that waited returned."""
        function, params = self._started[id]
        message = self.until(lambda: self.answers.get(id), when)
        if message is None:
            raise Lack(f"an answer to {told(function, params)}, which waits no more", "none")
        return self._outcome_of(function, params, message)

    def _outcome_of(self, function: str, params: Mapping[str, object], message: Message) -> Outcome:
        if message.error is not None:
            raise Lack(f"a result of {told(function, params)}", f"the error {message.error}")
        return self.outcome(function, params, message.result)

    def outcome(self, function: str, params: Mapping[str, object], result: Mapping[str, Any]) -> Outcome:
        """What a result says."""
        try:
            return outcome(function, params, result)
        except ProtocolFault as fault:
            raise self.process.fault(str(fault)) from None

    def state(self, handle: int | None = None, ends: Mapping[str, object] | None = None) -> str:
        """The state of a socket, or of a connection between two ends."""
        result = self.result("state", **{"socket": handle, "local": None, "remote": None, **(ends or {})})
        try:
            return state_name(result.get("state"))
        except ProtocolFault as fault:
            raise self.process.fault(str(fault)) from None

    # Time -------------------------------------------------------------------------------------------------------------

    def until(self, found: Callable[[], _T | None], when: When = When.NOW) -> _T | None:
        """What ``found`` finds, at the time when it is to be there. In real time that is soon."""
        if self.clock == "real":
            return self._until_real(found, PATIENCE)
        if when is When.ALREADY and not self._replies:  # who asks for the gateway's MAC address first, can send once it is told
            return found()
        return self._until_virtual(found, _LONG if when is When.LATER else 0)

    def pause(self, seconds: float) -> None:
        """Time goes by."""
        if self.clock == "virtual":
            self._until_virtual(lambda: None, seconds)
        else:
            self._until_real(lambda: None, seconds)

    def settle(self) -> None:
        """The stack has done what there is to do now, as far as that can be told."""
        if self.clock == "virtual":
            self._until_virtual(lambda: None, 0)
        else:
            self._read()

    def step(self, ns: int) -> None:
        """Virtual clock: this much goes by, if the stack has nothing to do before; else as much as until then."""
        self._advance(self.now + ns if self.next is None else max(self.now + 1, min(self.now + ns, self.next)))

    def _until_virtual(self, found: Callable[[], _T | None], seconds: float) -> _T | None:
        limit, turns = self.now + int(seconds * 1e9), 0
        self._advance(self.now)
        while (something := found()) is None:
            if self._replies or (self.next is not None and self.next <= self.now and turns < _TURNS):
                turns += 1
                self._advance(self.now)
            elif turns >= _TURNS:
                raise Lack("`next` to be ahead once the stack knows what time it is", f"next {self.next} at {self.now}, {turns} times")
            elif self.next is None or self.next > limit:
                self._advance(limit)
                return found()
            else:
                turns = 0
                self._advance(self.next)
        return something

    def _advance(self, to: int) -> None:
        while self._replies and self.process.offer(self._replies[0]):
            self._replies.popleft()
        self.now = to
        self.result("advance", to=to)

    def _until_real(self, found: Callable[[], _T | None], seconds: float) -> _T | None:
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for stream in (*self.process.streams(), *([self._tap.ring.fileno()] if self._tap else ())):
                selector.register(stream, selectors.EVENT_READ)
            while True:
                self._read()
                if (something := found()) is not None:
                    return something
                if (left := deadline - time.monotonic()) <= 0:
                    return None
                selector.select(min(left, 0.1))

    # What the adapter says --------------------------------------------------------------------------------------------

    def _read(self) -> None:
        alive = self.process.read()
        self._read_ring()
        self.process.deliver()
        if not alive:
            raise self.process.ended("between requests")

    def _read_ring(self) -> None:
        for t, frame, outgoing in self._tap.ring.read() if self._tap is not None else ():
            if not outgoing:
                self.process.count("frames", len(frame))
                self._frame(t, frame)

    def _take_next(self, method: str, message: Message) -> None:
        self._read_ring()
        if self.clock != "virtual" or message.id is None or message.error is not None or method in ("initialize", "configure"):
            return
        if "next" not in message.result:
            self.without_next.add(method)
        due = message.result.get("next")
        if due is not None and (isinstance(due, bool) or not isinstance(due, int)):
            raise self.process.fault(f"answers {method} with next {due!r}, which must be a time in ns or null")
        self.next = due

    def _frame(self, _: int, frame: bytes) -> None:
        if (reply := answer(frame)) is not None:
            if self.clock == "virtual":
                self._replies.append(reply)
            else:
                self._put(reply)
        elif destination(frame) in _PEERS and isinstance(packet := read_frame(frame), Segment):
            self.process.note(packet, received=True)
            self.segments.append(packet)

    def _message(self, message: Message) -> None:
        if message.id is not None:
            function = self._waiting.pop(message.id, None)
            if function is None:
                raise self.process.fault(f"answers request {message.id}, which was not asked or is answered already")
            self.answers[message.id] = message
            self._take_next(function, message)
        elif message.method == "stateChanged":
            try:
                self.moves.append(moved(message.params))
            except ProtocolFault as fault:
                raise self.process.fault(str(fault)) from None
        elif message.method == "blocked":
            raise self.process.fault(f"says that request {message.params.get('id')!r} blocks, which is not the one that was made")

    # Frames -----------------------------------------------------------------------------------------------------------

    def put(self, frame: bytes) -> None:
        """Put a frame on the link: on the virtual clock the stack gets it with the next request."""
        if self.clock == "virtual":
            self.step(STEP)
        if isinstance(packet := read_frame(frame), Segment):
            self.process.note(packet, received=False)
        self._put(frame)

    def _put(self, frame: bytes) -> None:
        if self._tap is not None:
            self._tap.ring.send(frame)
        else:
            self.process.send(frame)

    # Ends -------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the adapter and give everything back."""
        self.process.close()
        self._close_tap()

    def _close_tap(self) -> None:
        if self._tap is not None:
            self._tap.close()
            self._tap = None
