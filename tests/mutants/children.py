"""Work in forked processes, a few at once: each has its result, or else how its process ended."""

from __future__ import annotations

import json
import mmap
import os
import resource
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = ["Children", "Ended", "Limits"]

_T = TypeVar("_T")
_GIB = 1 << 30


class Limits:
    """What a child may use; it says itself when the next piece of work begins."""

    def __init__(self, progress: mmap.mmap) -> None:
        self._progress = progress

    def memory(self, more: int = 2 * _GIB) -> None:
        """So much more than now; what asks for more gets a MemoryError."""
        now = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))

    def processor(self, seconds: float) -> None:
        """So many seconds in all, to the next whole one; then SIGXCPU ends the process."""
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))

    def begin(self, number: int, seconds: float) -> None:
        """Piece ``number`` may take so much processor time. Then SIGPROF ends the process, however deep in one instruction it is."""
        self._progress[:8] = number.to_bytes(8, "little")
        signal.setitimer(signal.ITIMER_PROF, seconds)


@dataclass(frozen=True, slots=True)
class Ended(Generic[_T]):
    """A child is done: ``result`` is what it returned; without one ``signal`` ended it in piece ``piece``, or it broke (``error``)."""

    task: _T
    result: Any
    signal: int = 0
    piece: int = 0
    error: str = ""


@dataclass(slots=True)
class _Child(Generic[_T]):
    task: _T
    pid: int
    pipe: int
    progress: mmap.mmap
    said: bytearray


class Children(Generic[_T]):
    """At most ``most`` at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._selector = selectors.DefaultSelector()
        self._running = 0

    def start(self, task: _T, work: Callable[[Limits], Any]) -> None:
        """Fork a child that does ``work``, which returns what JSON can say."""
        out, into = os.pipe()
        progress = mmap.mmap(-1, 8)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(out)
            _child(into, progress, work)
        os.close(into)
        self._running += 1
        self._selector.register(out, selectors.EVENT_READ, _Child(task, pid, out, progress, bytearray()))

    @property
    def full(self) -> bool:
        """Must one end before another is started?"""
        return self._running >= self._most

    def ended(self) -> Iterator[Ended[_T]]:
        """Wait until at least one has ended, if any runs."""
        while self._running:
            done = [child for key, _ in self._selector.select() if (child := self._read(key.data)) is not None]
            yield from map(self._reap, done)
            if done:
                return

    def _read(self, child: _Child[_T]) -> _Child[_T] | None:
        if piece := os.read(child.pipe, 1 << 20):
            child.said += piece
            return None
        return child

    def _reap(self, child: _Child[_T]) -> Ended[_T]:
        self._selector.unregister(child.pipe)
        os.close(child.pipe)
        _, status = os.waitpid(child.pid, 0)
        self._running -= 1
        piece = int.from_bytes(child.progress[:8], "little")
        child.progress.close()
        if os.WIFSIGNALED(status):
            return Ended(child.task, None, os.WTERMSIG(status), piece)
        if os.WEXITSTATUS(status):
            return Ended(child.task, None, 0, piece, child.said.decode("utf-8", "replace") or f"exit status {os.WEXITSTATUS(status)}")
        return Ended(child.task, json.loads(child.said))

    def close(self) -> None:
        """End those that run."""
        for key in list(self._selector.get_map().values()):
            os.kill(key.data.pid, signal.SIGKILL)
            self._reap(key.data)


def _child(into: int, progress: mmap.mmap, work: Callable[[Limits], Any]) -> None:
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            said, status = json.dumps(work(Limits(progress))), 0
        except BaseException:
            said = traceback.format_exc()
        signal.setitimer(signal.ITIMER_PROF, 0)
        data = said.encode()
        while data:
            data = data[os.write(into, data) :]
    finally:
        os._exit(status)
