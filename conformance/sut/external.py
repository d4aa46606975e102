"""Stacks that stand behind the SUT protocol (``adapters/PROTOCOL.md``), on the virtual clock.

One adapter's process serves one case after another: it is configured if need be, and reset, for each. One that breaks costs the case
that it broke in, and is started again for the next.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from conformance.link.gateway import answer, destination
from conformance.result import SutFacts
from conformance.sut.adapter import Adapter
from conformance.sut.base import Argument, Places, SiteEvents, SutFault, SutLacks, Transition
from conformance.sut.manifest import Manifest
from conformance.sut.places import own_places
from conformance.sut.protocol import (
    NOT_THERE,
    Message,
    ProtocolFault,
    connection_params,
    figures,
    lacking,
    moved,
    outcome,
    parameters,
    state_name,
)
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = ["External"]

_MOST_WAITING = 20_000
"""Things that an adapter tells at one time: more than the executor takes of a whole case."""
_MOST_TURNS = 1000
"""How often an adapter is told what time it is while no time goes by."""


class External:
    """A stack behind an adapter that takes the time from the tester."""

    def __init__(self, manifest: Manifest) -> None:
        """Starts the adapter, to ask what it is. Raises SutFault."""
        self.name = manifest.name
        self._manifest = manifest
        self._adapter: Adapter | None = Adapter(manifest)
        self.description = self._adapter.description
        if "virtual" not in self.description.clocks:
            self.close()
            raise SutFault(f"the adapter of {self.name} has no virtual clock, though {manifest.file} says so")
        self.capabilities = self.description.capabilities
        self.features = self.description.features

    def facts(self) -> SutFacts:
        return SutFacts(self.name, f"{self.description.name} {self.description.version}, on a virtual clock", "adapter")

    def lacks(self, config: Mapping[str, object]) -> str | None:
        return self.description.lacks(config)

    def virtual_bed(self, config: Mapping[str, object]) -> ExternalBed:
        return ExternalBed(self, config)

    def adapter(self) -> Adapter:
        """The process, started again if the last one broke."""
        if self._adapter is None or not self._adapter.process.alive:
            self.close()
            self._adapter = Adapter(self._manifest)
        return self._adapter

    def close(self) -> None:
        if self._adapter is not None:
            self._adapter.close()
            self._adapter = None


class ExternalBed:
    """A configuration."""

    def __init__(self, sut: External, config: Mapping[str, object]) -> None:
        self._sut, self._config = sut, config

    def virtual_site(self, family: Family, events: SiteEvents, rng: Random, now: int) -> ExternalSite:
        adapter = self._sut.adapter()
        adapter.configure(self._config, "virtual")
        return ExternalSite(adapter, family, events, rng.getrandbits(32), now)


class ExternalSite:
    """A stack that begins now, and its agent."""

    states_from = "adapter"

    def __init__(self, adapter: Adapter, family: Family, events: SiteEvents, seed: int, now: int) -> None:
        self.places: Places = own_places(family)
        self.agent = self
        self._adapter, self._process = adapter, adapter.process
        self._family, self._events = family, events
        self._begin = self._now = self._told = now
        """When the stack began, what time it is, and what the adapter knows of that; ns."""
        self._next: int | None = None
        self._unsure = False
        """The adapter may have something to do that it has not told."""
        self._turns = 0
        """How often it was told what time it is since time went by."""
        self._replies: deque[bytes] = deque()
        """Of the gateway, not on the link yet."""
        self._happened: deque[Callable[[], None]] = deque()
        """To be told by :meth:`pump`."""
        self._moves: list[Transition] = []
        self._calls: dict[int, tuple[int, str, dict[str, object]]] = {}
        """Calls that have not returned, by the request's id: the executor's number, function and parameters."""
        self._domains: dict[int, str] = {}
        self._peers = {self.places.hosts[name] for name in ("peer", "peer2")}
        self._process.on_frame, self._process.on_message = self._frame, self._message
        self._request("reset", {"seed": seed})

    # Requests ---------------------------------------------------------------------------------------------------------

    def _request(self, method: str, params: Mapping[str, object]) -> Message:
        """Ask, wait, and hear when the stack wants to be woken."""
        id = self._process.ask(method, params)
        return self._taken(method, self._process.wait(id, method))

    def _taken(self, method: str, message: Message) -> Message:
        if message.error is not None:
            raise self._process.fault(f"cannot {method}: {message.error}")
        if message.id is None:  # blocked
            self._unsure = True
            return message
        due = message.result.get("next")
        if due is not None and (isinstance(due, bool) or not isinstance(due, int)):
            raise self._process.fault(f"answers {method} with next {due!r}, which must be a time in ns or null")
        self._next = None if due is None else self._begin + due
        return message

    def _catch_up(self) -> None:
        """The adapter knows what time it is, and has done what there is to do."""
        while self._told < self._now or self._unsure or (self._next is not None and self._next <= self._now):
            at = self._now if self._next is None or self._next <= self._told else min(self._now, self._next)  # each thing at its own time
            self._turns = 0 if self._told < at else self._turns + 1
            if self._turns > _MOST_TURNS:
                wants = f"; it wants to be woken at {self._next - self._begin} ns" if self._next is not None else ""
                raise self._process.fault(f"has no end of things to do at {self._now - self._begin} ns{wants}")
            self._answer_solicitations()
            self._told, self._unsure, was = at, bool(self._replies), self._next
            self._request("advance", {"to": at - self._begin})
            if at == self._now and not self._unsure and self._next is not None and self._next <= at and self._next == was:
                return  # it may be too early: it is asked again when time has gone by

    # What the process says --------------------------------------------------------------------------------------------

    def _answer_solicitations(self) -> None:
        """As many as there is room for: the adapter reads the link when it is asked for something."""
        while self._replies and self._process.offer(self._replies[0]):
            self._replies.popleft()

    def _frame(self, _: int, frame: bytes) -> None:
        if (reply := answer(frame)) is not None:
            self._replies.append(reply)
            self._unsure = True
        elif destination(frame) in self._peers:
            t = self._told
            self._tell(lambda: self._events.frame(t, frame, False))

    def _message(self, message: Message) -> None:
        try:
            self._read(message)
        except ProtocolFault as fault:
            raise self._process.fault(str(fault)) from None

    def _read(self, message: Message) -> None:
        if message.id is not None:
            if message.id not in self._calls:
                raise ProtocolFault(f"answers request {message.id}, which was not asked or is answered already")
            self._returned(message.id, message)
        elif message.method == "stateChanged":
            move = moved(message.params)
            self._moves.append(Transition(self._told, move.local_port, move.remote, move.remote_port, move.old, move.new))
            if len(self._moves) > _MOST_WAITING:
                raise ProtocolFault(f"floods: more than {_MOST_WAITING} changes of states at once")
        elif message.method == "blocked":
            raise ProtocolFault(f"says that request {message.params.get('id')!r} blocks, which is not the one that was made")

    def _returned(self, id: int, message: Message) -> None:
        number, function, params = self._calls.pop(id)
        self._taken(function, message)
        result = outcome(function, params, message.result)
        if result.error == NOT_THERE:
            self._tell(lambda: self._lacks(function, params))  # not here: another request may be waiting for its answer
            return
        if function == "socket" and isinstance(result.value, int):
            self._domains[result.value] = str(params["domain"])
        t = self._told
        self._tell(lambda: self._events.returned(number, t, result))

    def _lacks(self, function: str, params: Mapping[str, object]) -> None:
        raise SutLacks(lacking(function, params))

    def _tell(self, what: Callable[[], None]) -> None:
        self._happened.append(what)
        if len(self._happened) > _MOST_WAITING:
            raise self._process.fault(f"floods: more than {_MOST_WAITING} frames at once")

    # Site -------------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes, /) -> None:
        self._process.send(frame)
        self._unsure = True

    def advance(self, now: int) -> None:
        self._now = max(self._now, now)
        if self._unsure or (self._next is not None and self._next <= self._now):
            self._catch_up()

    def next_timer(self) -> int | None:
        return self._next

    def pump(self) -> None:
        if self._unsure:
            self._catch_up()
        while self._happened:
            self._happened.popleft()()

    def disturbed(self, failed: bool = False) -> str | None:  # noqa: ARG002 - nothing makes it late
        return None

    def close(self, connections: Sequence[Endpoints]) -> None:  # noqa: ARG002 - none is left
        """The next case begins with a new stack."""
        self._process.on_frame, self._process.on_message = lambda *_: None, lambda _: None

    # Agent ------------------------------------------------------------------------------------------------------------

    def call(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        self._call(number, function, arguments, blocking=False)

    def start(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        if self._call(number, function, arguments, blocking=True):
            t = self._now
            self._tell(lambda: self._events.blocked(number, t))

    def _call(self, number: int, function: str, arguments: Sequence[Argument], *, blocking: bool) -> bool:
        """Make a call. Does it sleep?"""
        self._catch_up()
        params: dict[str, object] = {**parameters(function, arguments, self._family, self._domains), "blocking": blocking}
        id = self._process.ask(function, params)
        self._calls[id] = number, function, params
        message = self._process.wait(id, function)
        if message.id is None:
            self._unsure = True
            return True
        self._message(message)
        return False

    def state(self, number: int, handle: int | None, connection: Endpoints | None) -> None:
        self._catch_up()
        message = self._request("state", connection_params(handle, connection))
        with self._faults():
            state = state_name(message.result.get("state"))
        self._events.answered(number, self._now, state)

    def transitions(self, connections: Sequence[Endpoints]) -> None:  # noqa: ARG002 - there are no others
        self._catch_up()
        if self._moves:
            moves, self._moves = self._moves, []
            self._events.moved(moves)

    def info(self, number: int, handle: int) -> None:
        self._catch_up()
        message = self._request("info", {"socket": handle})
        with self._faults():
            found: dict[str, int] = {} if "errno" in message.result else figures(message.result)
        self._events.answered(number, self._now, found)

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except ProtocolFault as fault:
            raise self._process.fault(str(fault)) from None
