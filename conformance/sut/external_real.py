"""Stacks that stand behind the SUT protocol (``adapters/PROTOCOL.md``), in real time.

A few processes serve all cases: each one case at a time, reset before it, or, where the adapter says ``shared``, many at once that want
the same configuration. A process that breaks costs the cases that it served, and another is started for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conformance.link.errors import EnvironmentFault
from conformance.result import SutFacts
from conformance.sut.base import Argument, SiteEvents, SutFault, SutLacks, Transition
from conformance.sut.lane import Lane
from conformance.sut.manifest import Manifest
from conformance.sut.places import SharedPlaces, own_places
from conformance.sut.protocol import NOT_THERE, Message, ProtocolFault, connection_params, figures, lacking, outcome, parameters, state_name
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = ["ExternalReal", "ExternalRealBed", "ExternalRealSite"]

_MOST_LANES, _MOST_SHARED = 16, 8
"""Processes at once: small ones that serve one case each, and those that serve many."""
_MOST_CASES = 48
"""Cases at once on a shared one."""
_MOST_WAIT = 5_000_000
"""ns that a stack's process may have waited for a processor while a case ran that failed: what is more may be why it did."""


class ExternalReal:
    """A stack behind an adapter that runs in real time."""

    def __init__(self, manifest: Manifest) -> None:
        """Starts the adapter, to ask what it is. Raises SutFault, EnvironmentFault."""
        self.name = manifest.name
        self._manifest = manifest
        if manifest.link == "tap":
            from conformance.link.netns import acquire

            acquire()
        first = Lane(manifest)
        self.description = first.description
        if "real" not in self.description.clocks:
            first.close()
            raise SutFault(f"the adapter of {self.name} has no real clock, though {manifest.file} says so")
        self.capabilities, self.features = self.description.capabilities, self.description.features
        self.places = SharedPlaces() if self.description.shared else None
        self._lanes = [first]
        self._started: list[Lane] = []
        """By a thread, and not looked at yet."""
        self._starting = 0
        self._change = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def facts(self) -> SutFacts:
        return SutFacts(self.name, f"{self.description.name} {self.description.version}", "adapter")

    def lacks(self, config: Mapping[str, object]) -> str | None:
        return self.description.lacks(config)

    def bed(self, config: Mapping[str, object]) -> ExternalRealBed:
        return ExternalRealBed(self, config)

    async def lane(self, config: Mapping[str, object]) -> Lane:
        """A process that has room for a case, configured so and as new; it must be given back. Raises SutFault."""
        while True:
            self._adopt()
            self._lanes = [lane for lane in self._lanes if lane.fault is None]
            if (lane := self._fitting(config)) is not None:
                break
            if len(self._lanes) + self._starting < (_MOST_SHARED if self.description.shared else _MOST_LANES):
                await self._start()
            else:
                self._change.clear()
                await self._change.wait()
        lane.busy += 1
        try:
            await self._prepare(lane, config)
        except BaseException:
            self.give_back(lane)
            raise
        return lane

    def _adopt(self) -> None:
        """The processes are read by the event loop that runs now."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._change = loop, asyncio.Event()
            for lane in self._lanes:
                lane.listen()
        while self._started:
            lane = self._started.pop()
            lane.listen()
            self._lanes.append(lane)

    def _fitting(self, config: Mapping[str, object]) -> Lane | None:
        if self.description.shared:
            same = [lane for lane in self._lanes if lane.config == config and lane.busy < _MOST_CASES]
            if same:
                return min(same, key=lambda lane: lane.busy)
        idle = [lane for lane in self._lanes if not lane.busy]
        return next((lane for lane in idle if lane.config == config), idle[0] if idle else None)

    async def _start(self) -> None:
        self._starting += 1
        try:
            await asyncio.to_thread(self._start_lane)
        finally:
            self._starting -= 1
            self._change.set()  # whoever waits for room tries again, also where there is none

    def _start_lane(self) -> None:
        """In a thread, which ends what it does though nobody may wait for it any more."""
        self._started.append(Lane(self._manifest))

    async def _prepare(self, lane: Lane, config: Mapping[str, object]) -> None:
        if lane.config == config and self.description.shared:
            if lane.preparing is not None:
                await asyncio.shield(lane.preparing)
            return
        lane.config = config
        lane.preparing = asyncio.ensure_future(lane.begin(config))
        await asyncio.shield(lane.preparing)

    def give_back(self, lane: Lane) -> None:
        """A case is over."""
        lane.busy -= 1
        self._change.set()

    def close(self) -> None:
        if self.places is not None:
            self.places.close()
        lanes, self._lanes, self._started = [*self._lanes, *self._started], [], []
        if lanes:
            with ThreadPoolExecutor(len(lanes)) as pool:  # each may take its time to end
                list(pool.map(Lane.close, lanes))


class ExternalRealBed:
    """A configuration."""

    def __init__(self, sut: ExternalReal, config: Mapping[str, object]) -> None:
        self.sut, self._config = sut, config
        self._reserved: dict[asyncio.Task[Any] | None, Lane] = {}
        """By the task that wants the place: rooms and sites need not come in the same order."""

    @contextlib.asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Inside is a place for one case run, which :meth:`site` gives. Raises SutFault."""
        try:
            lane = await self.sut.lane(self._config)
        except (EnvironmentFault, OSError) as error:
            raise SutFault(str(error)) from None
        task = asyncio.current_task()
        self._reserved[task] = lane
        try:
            yield
        finally:
            self._reserved.pop(task, None)
            self.sut.give_back(lane)

    def site(self, family: Family, events: SiteEvents) -> ExternalRealSite:
        return ExternalRealSite(self.sut, self._reserved.pop(asyncio.current_task()), family, events)

    def close(self) -> None:
        """The processes are the SUT's."""


class ExternalRealSite:
    """One case run's place, and its agent."""

    states_from = "adapter"

    def __init__(self, sut: ExternalReal, lane: Lane, family: Family, events: SiteEvents) -> None:
        self.places = sut.places.next(family) if sut.places is not None else own_places(family)
        self.events = events
        self.agent = self
        self.moves: list[Transition] = []
        self._shared = sut.places is not None
        self._lane, self._family = lane, family
        self._domains: dict[int, str] = {}
        self._disturbances = len(lane.disturbances())
        self._waited = lane.waited()
        self._closed = False
        self.send, self.pump = lane.send, lane.pump
        self._peers = [self.places.hosts[name] for name in ("peer", "peer2")]
        for peer in self._peers:
            lane.sites[peer] = self

    def disturbed(self, failed: bool = False) -> str | None:
        new = self._lane.disturbances()[self._disturbances :]
        if failed and (waited := self._lane.waited() - self._waited) > _MOST_WAIT:
            new.append(f"the stack's process waited {waited / 1e6:.0f} ms for a processor, so a failure says nothing")
        return "; ".join(new) or None

    def close(self, connections: Sequence[Endpoints]) -> None:
        self._closed = True
        for peer in self._peers:
            self._lane.sites.pop(peer, None)
        ends = [connection_params(None, connection) for connection in connections]
        self._forget([*self._domains], [{"local": one["local"], "remote": one["remote"]} for one in ends])

    def _forget(self, handles: Sequence[int], connections: Sequence[Mapping[str, object]] = ()) -> None:
        """What is left of the case goes, where the stack is not reset before the next."""
        if self._shared and self._lane.fault is None:
            with contextlib.suppress(SutFault):
                self._lane.ask("forget", {"sockets": list(handles), "connections": list(connections)}, _nothing)

    # Agent ------------------------------------------------------------------------------------------------------------

    def call(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        self._call(number, function, arguments, blocking=False)

    def start(self, number: int, function: str, arguments: Sequence[Argument]) -> None:
        self._call(number, function, arguments, blocking=True)

    def _call(self, number: int, function: str, arguments: Sequence[Argument], *, blocking: bool) -> None:
        params: dict[str, object] = {**parameters(function, arguments, self._family, self._domains), "blocking": blocking}

        def returned(message: Message) -> None:
            result = outcome(function, params, self._result(function, message))
            if result.error == NOT_THERE:
                self.events.broke(SutLacks(lacking(function, params)))
                return
            if function in ("socket", "accept") and isinstance(result.value, int):
                self._domains[result.value] = str(params.get("domain", ""))
            elif function == "close" and isinstance(arguments[0], int):
                self._domains.pop(arguments[0], None)
            if not self._closed:
                self.events.returned(number, time.monotonic_ns(), result)
            elif function in ("socket", "accept") and isinstance(result.value, int):
                self._forget([result.value])

        def blocked() -> None:
            if blocking and not self._closed:
                self.events.blocked(number, time.monotonic_ns())

        self._lane.ask(function, params, returned, blocked=blocked)

    @staticmethod
    def _result(method: str, message: Message) -> Mapping[str, object]:
        if message.error is not None:
            raise ProtocolFault(f"cannot {method}: {message.error}")
        return message.result

    def state(self, number: int, handle: int | None, connection: Endpoints | None) -> None:
        def answered(message: Message) -> None:
            state = state_name(self._result("state", message).get("state"))
            if not self._closed:
                self.events.answered(number, time.monotonic_ns(), state)

        self._lane.ask("state", connection_params(handle, connection), answered)

    def transitions(self, connections: Sequence[Endpoints]) -> None:  # noqa: ARG002 - the site's peers have no others
        if self.moves:
            moves, self.moves = self.moves, []
            self.events.moved(moves)

    def info(self, number: int, handle: int) -> None:
        def answered(message: Message) -> None:
            result = self._result("info", message)
            if not self._closed:
                self.events.answered(number, time.monotonic_ns(), {} if "errno" in result else figures(result))

        self._lane.ask("info", {"socket": handle}, answered)


def _nothing(message: Message) -> None:
    """What is left of a case is taken away as well as it can be."""
