"""Programs on a stack: coroutines whose every ``await`` is a socket call, or one of the few other things that a process waits for.

:class:`Processes` takes the place of the kernel's scheduler: it makes the programs' calls, and lets each go on when its call returns.
It does no I/O and reads no clock; whoever drives the stack calls :meth:`Processes.run` after everything that may have made a call return.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from conformance.stack.errors import SocketError
from conformance.stack.net import Net
from conformance.stack.tasks import Task

__all__ = ["Killed", "Process", "Processes", "Program", "ProgramError", "Request"]


_DEEPEST = 100
"""``finally`` inside of ``finally``."""


class ProgramError(Exception):
    """A program cannot go on; the message is for its user."""


class Killed(BaseException):
    """Somebody ended the program. It is raised where the program waits, so that ``finally`` still closes what is open."""


class Request(ABC):
    """What a program asks for when it waits. ``await`` it for the answer."""

    @abstractmethod
    def begin(self, processes: Processes, process: Process) -> None:
        """Start it; :meth:`Processes.wake` tells the answer."""

    @abstractmethod
    def interrupt(self, processes: Processes, process: Process) -> None:
        """The process is to wait no longer."""

    def __await__(self) -> Generator[Request, Any, Any]:
        return (yield self)


Program = Coroutine[Request, Any, Any]
"""What ``async def`` makes."""


class Process:
    """A program that runs, or that has ended with a value or an error."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.done = self.killed = self.ended_itself = False
        self.value: Any = None
        self.error: Exception | None = None
        self.waits_for: Request | None = None
        self.task: Task | None = None
        """The call that it is within."""
        self.heirs: list[Process] = []
        """Processes that wait for its end."""


class Processes:
    """All programs on one stack, whose :attr:`~conformance.stack.net.Net.on_return` it takes."""

    def __init__(self, net: Net, on_end: Callable[[Process], object] = lambda _: None) -> None:
        self.net, self.on_end = net, on_end
        self.alive: list[Process] = []
        self._ready: deque[tuple[Process, Any, BaseException | None]] = deque()
        net.on_return = self._returned

    def start(self, program: Program, name: str = "") -> Process:
        """A new process; it begins with the next :meth:`run`."""
        process = Process(program, name or getattr(program, "__name__", "program"))
        self.alive.append(process)
        self._ready.append((process, None, None))
        return process

    def run(self) -> None:
        """Let each process go on until it waits.

        Raises:
            Exception: a program has a mistake. SocketError, OSError and ProgramError end that program alone.
        """
        while self._ready:
            process, value, error = self._ready.popleft()
            if not process.done:
                self._step(process, value, error)

    def wake(self, process: Process, value: Any = None, error: BaseException | None = None) -> None:
        """What the process waited for is there: let it go on with the next :meth:`run`."""
        process.waits_for = process.task = None
        self._ready.append((process, value, error))

    def kill(self, process: Process) -> None:
        """End a process; it closes what it has open as it goes."""
        if process.done or process.killed:
            return
        process.killed = True
        if process.waits_for is not None:
            process.waits_for.interrupt(self, process)

    def abandon(self) -> None:
        """Break all programs off, wherever they are: nobody will make their calls any more."""
        for process in self.alive:
            for _ in range(_DEEPEST):
                try:
                    process.program.close()
                    break
                except RuntimeError:  # a ``finally`` wants to wait for something else first
                    continue
        self.alive.clear()

    def _returned(self, task: Task) -> None:
        if isinstance(task.tag, Process) and task.tag.task in (task, None):
            self.wake(task.tag, task.value, SocketError(task.error) if task.error is not None else None)

    def _step(self, process: Process, value: Any, error: BaseException | None) -> None:
        if process.killed:
            error = Killed()
            process.killed = False  # raised once: what the program does on its way out it does in peace
        try:
            request = process.program.throw(error) if error is not None else process.program.send(value)
        except StopIteration as returned:
            process.ended_itself = True
            self._ended(process, returned.value, None)
        except Killed:
            self._ended(process, None, None)
        except (SocketError, OSError, ProgramError) as failure:
            self._ended(process, None, failure)
        else:
            process.waits_for = request
            request.begin(self, process)

    def _ended(self, process: Process, value: Any, error: Exception | None) -> None:
        process.done, process.value, process.error = True, value, error
        self.alive.remove(process)
        for heir in process.heirs:
            self.wake(heir, value, error)
        self.on_end(process)
