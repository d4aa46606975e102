"""Runs cases against a SUT, in one process: many at once in real time, which is the only place where the executor meets I/O, or one
after another on a virtual clock, where the SUT takes one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from conformance.case.case import MS, USUAL_TIMEOUT, Case
from conformance.case.features import features, wanted
from conformance.case.steps import SilenceStep, flatten
from conformance.engine.case_run import CaseRun
from conformance.engine.events import Stalled
from conformance.engine.virtual_run import play_virtual
from conformance.link.errors import EnvironmentFault
from conformance.result import CaseResult, Failure, Verdict
from conformance.sut.base import AnySut, Bed, RoomyBed, Sut, SutFault, VirtualSut

__all__ = ["ATTEMPTS", "Runner", "RunnerOptions"]

ATTEMPTS = 5
"""How often a case is tried at most while its verdict is inconclusive for a reason that is the tester's or the machine's."""

_LESS_COMPANY = 4
"""What could not be judged may have had too much company: each attempt is made with a quarter of that."""

_HEARTBEAT = 10 * MS
"""ns between two looks whether this process gets to run when it should."""

_STALL = 5 * MS
"""ns of delay from which on the executors are told."""


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How to run."""

    jobs: int = 64
    """Cases at once."""
    seed: int = 0
    """Of everything that is chosen at random."""
    shuffle: bool = False
    """Begin the cases in a random order, to show that none needs another; else the longest first."""


class Runner:
    """Plays cases on a SUT and hands each result to ``done`` as soon as it is there."""

    def __init__(
        self, sut: AnySut, options: RunnerOptions, done: Callable[[CaseResult], None], begun: Callable[[str], None] | None = None
    ) -> None:
        self._sut, self._options, self._done, self._begun = sut, options, done, begun
        self._beds: dict[tuple[tuple[str, object], ...], asyncio.Task[Bed]] = {}
        self._running: set[CaseRun] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        """Of cases that wait for room on their bed."""
        self._stopping = False

    def stop(self) -> None:
        """Begin no more cases and end those that run, without a result; may be called twice."""
        self._stopping = True
        for task in self._waiting:
            task.cancel()
        for run in self._running:
            if not run.finished.done():
                run.finished.set_result(None)

    async def run(self, cases: Sequence[Case]) -> None:
        """Run all cases; returns when each has its result, or after :meth:`stop`."""
        async with self.ready():
            await self.play(cases)

    @contextlib.asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """What :meth:`play` takes: a watch on delays, and test beds that are given back at the end."""
        heartbeat = None if isinstance(self._sut, VirtualSut) else asyncio.create_task(self._heartbeat())
        gc.freeze()  # what is loaded stays: the collector would walk it again and again, and stall the cases
        try:
            yield
        finally:
            if heartbeat is not None:
                heartbeat.cancel()
            gc.unfreeze()
            self.close()

    async def play(self, cases: Sequence[Case]) -> None:
        """Run these cases, perhaps beside others: inside :meth:`ready`, as often as there are cases to run."""
        sut = self._sut
        order = list(cases) if isinstance(sut, VirtualSut) else sorted(cases, key=_waits, reverse=True)
        if self._options.shuffle:
            Random(self._options.seed).shuffle(order)
        if isinstance(sut, VirtualSut):
            await self._play_virtual(sut, order)
        else:
            await self._play_real(sut, order)

    async def _play_virtual(self, sut: VirtualSut, order: Sequence[Case]) -> None:
        """One after another: none waits for anything, so there is nothing to do meanwhile."""
        for case in order:
            await asyncio.sleep(0)  # for stop(), and for others that use this loop
            if self._stopping:
                break
            if self._begun is not None:
                self._begun(case.id)
            self._done(self._virtual_result(sut, case))

    def _virtual_result(self, sut: VirtualSut, case: Case) -> CaseResult:
        if (lacking := self._lacking(case)) is not None:
            return lacking
        try:
            return play_virtual(case, sut.name, sut.virtual_bed(self._config(case)), self._options.seed)
        except SutFault as fault:
            return self._without_trace(case, Verdict.ERROR, str(fault))
        except Exception as error:  # what breaks around a case costs this case, and no other
            return self._without_trace(case, Verdict.ERROR, f"the test bed broke: {type(error).__name__}: {error}")

    async def _play_real(self, sut: Sut, order: Sequence[Case]) -> None:
        # All test beds first, side by side: to make one takes this process tens of milliseconds, which would make cases late.
        await asyncio.gather(*(self._bed(sut, case) for case in {self._key(case): case for case in order}.values()))
        again = list(order)
        for attempt in range(1, ATTEMPTS + 1):
            again = await self._round(sut, again, max(self._options.jobs // _LESS_COMPANY ** (attempt - 1), 1), attempt)

    def close(self) -> None:
        """Give the test beds back."""
        for run in list(self._running):
            run.close()
        self._running.clear()
        beds = [bed.result() for bed in self._beds.values() if bed.done() and not bed.cancelled() and bed.exception() is None]
        self._beds.clear()
        if beds:  # the kernel lets each wait for a grace period, and all for the same one
            with ThreadPoolExecutor(len(beds)) as pool:
                list(pool.map(lambda bed: bed.close(), beds))

    async def _round(self, sut: Sut, cases: Sequence[Case], jobs: int, attempt: int) -> list[Case]:
        """One attempt at each case; returns those that want another."""
        again: list[Case] = []
        places = asyncio.Semaphore(jobs)
        tasks: list[asyncio.Task[None]] = []

        async def attempt_one(case: Case, bed: Bed) -> None:
            """In a place that was taken."""
            try:
                if self._begun is not None:
                    self._begun(case.id)
                result = await self._attempt(case, bed, attempt)
                if result is None:
                    again.append(case)
                elif not self._stopping:
                    self._done(result)
            finally:
                places.release()

        async def attempt_in_room(case: Case, bed: RoomyBed) -> None:
            """Whoever waits for room keeps no place from the others."""
            waiting = asyncio.current_task()
            assert waiting is not None
            self._waiting.add(waiting)
            try:
                async with bed.room():
                    self._waiting.discard(waiting)
                    if not self._stopping:
                        await places.acquire()
                        await self._quiet()
                        await attempt_one(case, bed)
            except SutFault as fault:
                self._done(self._without_trace(case, Verdict.ERROR, str(fault)))
            except asyncio.CancelledError:
                if not self._stopping:
                    raise
            finally:
                self._waiting.discard(waiting)

        for case in cases:
            bed = await self._bed(sut, case)
            if isinstance(bed, CaseResult):
                self._done(bed)
                continue
            if isinstance(bed, RoomyBed):
                tasks.append(asyncio.create_task(attempt_in_room(case, bed)))
                continue
            await places.acquire()
            await self._quiet()
            if self._stopping:
                break
            tasks.append(asyncio.create_task(attempt_one(case, bed)))
        await asyncio.gather(*tasks)
        return [] if self._stopping else again

    async def _quiet(self) -> None:
        """Wait until the cases that run are all waiting, so that a new one does not make an old one late."""
        while not self._stopping:
            before = sum(run.activity for run in self._running)
            await asyncio.sleep(0)
            if sum(run.activity for run in self._running) == before:
                return

    def _config(self, case: Case) -> Mapping[str, object]:
        """What the stack is to be configured as; of one that may have little, no more is asked for than the case needs."""
        return case.config if self._sut.features is None else wanted(case)

    def _key(self, case: Case) -> tuple[tuple[str, object], ...]:
        """Cases of which this is the same share a test bed."""
        return tuple(sorted(self._config(case).items()))

    def _lacking(self, case: Case) -> CaseResult | None:
        """The result of a case that needs what the stack has not got."""
        missing = [need for need in (case.family.value, *case.needs) if need not in self._sut.capabilities]
        if (has := self._sut.features) is not None:
            missing += sorted(features(case) - has)
        lack = f"{self._sut.name} lacks {', '.join(missing)}" if missing else self._sut.lacks(self._config(case))
        return None if lack is None else self._without_trace(case, Verdict.SKIPPED, lack)

    async def _bed(self, sut: Sut, case: Case) -> Bed | CaseResult:
        """The test bed for a case, made now if there is none with its configuration; or the result, if there can be none."""
        if (lacking := self._lacking(case)) is not None:
            return lacking
        key = self._key(case)
        if key not in self._beds:
            self._beds[key] = asyncio.create_task(asyncio.to_thread(sut.bed, self._config(case)))
        try:
            return await asyncio.shield(self._beds[key])
        except (SutFault, EnvironmentFault, OSError) as error:
            return self._without_trace(case, Verdict.ERROR, str(error))
        except Exception as error:  # a mistake in making a bed costs the cases that want it, and no others
            return self._without_trace(case, Verdict.ERROR, f"the test bed cannot be made: {type(error).__name__}: {error}")

    def _without_trace(self, case: Case, verdict: Verdict, reason: str) -> CaseResult:
        return CaseResult(case, self._sut.name, verdict, 0.0, failure=Failure(case.file, 1, case.title, reason))

    async def _attempt(self, case: Case, bed: Bed, attempt: int) -> CaseResult | None:
        """Play the case once; None if it should be tried again."""
        try:
            return await self._play(case, bed, attempt)
        except SutFault as fault:
            return self._without_trace(case, Verdict.ERROR, str(fault))
        except Exception as error:  # what breaks around a case costs this case, and no other
            return self._without_trace(case, Verdict.ERROR, f"the test bed broke: {type(error).__name__}: {error}")

    async def _play(self, case: Case, bed: Bed, attempt: int) -> CaseResult | None:
        started = time.monotonic()
        run = CaseRun(case, bed, Random(f"{self._options.seed} {case.id} {attempt}"))
        self._running.add(run)
        try:
            run.begin()
            await run.finished
            disturbed = run.site.disturbed(run.executor.verdict is Verdict.FAIL)
        finally:
            self._running.discard(run)
            run.close()
        executor = run.executor
        verdict, failure = executor.verdict or Verdict.INCONCLUSIVE, executor.failure
        if disturbed is not None:
            verdict, failure, executor.retry = Verdict.INCONCLUSIVE, Failure(case.file, 1, case.title, disturbed), True
        if executor.retry and attempt < ATTEMPTS:
            return None
        return CaseResult(case, self._sut.name, verdict, time.monotonic() - started, attempt, failure, executor.trace)

    async def _heartbeat(self) -> None:
        """Notice when this process did not run though it should have: nothing that a case waited for can then be held against the SUT."""
        due = time.monotonic_ns()
        while True:
            due += _HEARTBEAT
            await asyncio.sleep((due - time.monotonic_ns()) / 1e9)
            now = time.monotonic_ns()
            if now - due > _STALL:
                for run in list(self._running):
                    run.tell(Stalled(now, now - due))
                due = now


def _waits(case: Case) -> int:
    """ns that a case may spend waiting, by what it says itself. The longest begin first, so that the others run beside them.

    That is what its steps name, or the time that it gives a single step if that is more than usual.
    """
    total = 0
    for step in flatten(case.steps):
        total += step.duration if isinstance(step, SilenceStep) else step.after.low if step.after else 0
    return max(total, case.timeout if case.timeout > USUAL_TIMEOUT else 0)
