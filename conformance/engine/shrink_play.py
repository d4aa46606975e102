"""Plays the candidates of a search: on the stack that fails, and on stacks that are right, on which a smaller case has to pass."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any, Generic, TypeVar

from conformance.case.case import MS, Case
from conformance.case.document import Document
from conformance.case.loader import load_document
from conformance.case.register import Register
from conformance.engine.ready import build_packets
from conformance.engine.runner import Runner, RunnerOptions
from conformance.engine.shrink_tree import Tree
from conformance.engine.signature import Signature, signature
from conformance.result import CaseResult, Verdict
from conformance.sut.base import AnySut, VirtualSut

__all__ = ["Control", "Judge", "Limits", "Player", "like", "passed", "patience_of", "tree_loader"]

T = TypeVar("T")

_LEAST_PATIENCE = 300 * MS


class Player:
    """Plays cases on one stack again and again, and keeps its test beds in between.

    A stack in real time has an event loop in a thread of its own: it has to run while the search thinks, so that nothing looks late.
    """

    def __init__(self, sut: AnySut, *, jobs: int = 16, seed: int = 0) -> None:
        self.sut = sut
        self.at_once = 1 if isinstance(sut, VirtualSut) else jobs
        """How many cases are worth playing together."""
        self._results: dict[int, CaseResult] = {}
        self._runner = Runner(sut, RunnerOptions(jobs=jobs, seed=seed), self._done)
        self._loop = asyncio.new_event_loop()
        self._thread: Thread | None = None
        self._ready: AbstractAsyncContextManager[None] = self._runner.ready()

    def __enter__(self) -> Player:
        if not isinstance(self.sut, VirtualSut):
            self._thread = Thread(target=self._loop.run_forever, name=f"plays on {self.sut.name}", daemon=True)
            self._thread.start()
        self._do(self._ready.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._ready.__aexit__(None, None, None))
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def play(self, cases: Sequence[Case]) -> list[CaseResult | None]:
        """The result of each; None if :meth:`stop` came before."""
        self._results.clear()
        self._do(self._runner.play(cases))
        return [self._results.get(id(case)) for case in cases]

    def stop(self) -> None:
        """Break off what is played, and play nothing more. From a signal's handler, too."""
        if self._thread is None:
            self._runner.stop()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._runner.stop)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._thread is None:
            return self._loop.run_until_complete(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _done(self, result: CaseResult) -> None:
        self._results[id(result.case)] = result


@dataclass(frozen=True, slots=True)
class Control:
    """A stack that is right, as far as the case that is shrunk can tell: it passes there."""

    player: Player
    profile: str | None = None
    """Of the reference stack: whose choices it makes."""

    @property
    def name(self) -> str:
        """For people."""
        return self.player.sut.name + (f" ({self.profile})" if self.profile else "")

    def result(self, case: Case) -> CaseResult | None:
        """Of the case there; None after :meth:`Player.stop`."""
        if self.profile is not None:
            case = replace(case, config={"profile": self.profile, **case.config})
        return self.player.play([case])[0]


def passed(result: CaseResult) -> bool:
    """It is a pass, and neither skipped nor in doubt."""
    return result.verdict is Verdict.PASS


def like(wanted: Signature, controls: Sequence[Control]) -> Callable[[CaseResult], bool]:
    """Does a case fail in this way? Where no control keeps the failure from becoming another, after the same stimulus."""
    return lambda result: wanted.like(signature(result), stimulus=not controls)


@dataclass(slots=True)
class Limits:
    """When a search ends though it could go on."""

    most_runs: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    runs: int = 0
    """On the stack that fails, so far."""
    stopped: bool = False
    """Somebody wants it to end."""
    _begun: float = 0.0

    def __post_init__(self) -> None:
        self._begun = self.clock()

    @property
    def took(self) -> float:
        """Seconds, so far."""
        return self.clock() - self._begun

    @property
    def over(self) -> bool:
        """Is it time to end?"""
        return self.stopped or self.runs >= self.most_runs or self.took >= self.seconds


def tree_loader(name: str, register: Register) -> Callable[[Tree], Case | None]:
    """How a case's data become the case that a file of this name would hold; None if they are none that can be played."""

    def load(tree: Tree) -> Case | None:
        cases, errors = load_document(Document(name, name, tree, {}, {}), register)
        playable, wrong = build_packets(cases)
        return None if errors or wrong else playable[0]

    return load


@dataclass(slots=True)
class Judge(Generic[T]):
    """Knows which candidates will do: those that are a case, which fails in the same way, twice and with other initial sequence numbers,
    and passes on each control. One that was looked at before, will not do: it is what the search has by now, or was refused."""

    load: Callable[[T], Case | None]
    """The case that a candidate stands for."""
    player: Player
    controls: Sequence[Control]
    fails: Callable[[CaseResult], bool]
    """Is a result on the stack that fails the same failure?"""
    limits: Limits
    better: Callable[[T], object] = lambda _: None
    """Is told of each candidate that will do."""
    passes: Callable[[CaseResult], bool] = passed
    """Is a result on a control as it has to be?"""
    patience: int | None = None
    """ns that a step waits for a segment, if that is less than the case says; see :func:`patience_of`."""
    _seen: set[str] = field(default_factory=set)

    def first(self, candidates: Iterable[T]) -> tuple[int, T] | None:
        """The first that will do, and its number; None if none will, or it is time to end."""
        fresh = self._fresh(candidates)
        while not self.limits.over and (batch := _take(fresh, self.player.at_once)):
            for number, candidate in self._good(batch):
                self.better(candidate)
                return number, candidate
        return None

    def know(self, candidate: T) -> None:
        """This one is not to be looked at any more."""
        self._seen.add(_key(candidate))

    def _fresh(self, candidates: Iterable[T]) -> Iterator[tuple[int, T, Case]]:
        for number, candidate in enumerate(candidates):
            if (key := _key(candidate)) not in self._seen:
                self._seen.add(key)
                if (case := self.load(candidate)) is not None:
                    yield number, candidate, case

    def _good(self, batch: Sequence[tuple[int, T, Case]]) -> Iterator[tuple[int, T]]:
        """Those of a batch that will do, in order. What takes no time comes first."""
        virtual = isinstance(self.player.sut, VirtualSut)
        quick = [control for control in self.controls if isinstance(control.player.sut, VirtualSut) and not virtual]
        others = [control for control in self.controls if control not in quick]
        left = [one for one in batch if self._pass(one[2], quick)]
        failing = self._fail([case for _, _, case in left]) if left else []
        for (number, candidate, case), fails in zip(left, failing, strict=True):
            again = replace(case, id=f"{case.id} again")  # which is what its initial sequence numbers depend on
            if fails and self._pass(case, others) and self._fail([again])[0]:
                yield number, candidate

    def _pass(self, case: Case, controls: Sequence[Control]) -> bool:
        results = (control.result(case) for control in controls)
        return all(result is not None and self.passes(result) for result in results)

    def _fail(self, cases: Sequence[Case]) -> list[bool]:
        """Which of these fail in the same way?"""
        self.limits.runs += len(cases)
        if (patience := self.patience) is not None:
            cases = [replace(case, timeout=min(case.timeout, patience)) for case in cases]
        return [result is not None and self.fails(result) for result in self.player.play(cases)]


def patience_of(result: CaseResult) -> int | None:
    """How long it is worth waiting for a segment in real time where the failure is that something came, and not that nothing did.

    A candidate for which the stack takes much longer than for what it comes from is another one. None: as long as the case says.
    """
    times = [event.t for event in result.trace.sorted()]
    if result.failure is None or result.failure.actual == "nothing" or len(times) < 2:
        return None
    return 2 * max(after - before for before, after in itertools.pairwise(times)) + _LEAST_PATIENCE


def _key(candidate: object) -> str:
    return json.dumps(candidate, default=str)


def _take(stream: Iterator[T], count: int) -> list[T]:
    """The next ``count``, or what is left."""
    return [one for _, one in zip(range(count), stream, strict=False)]
