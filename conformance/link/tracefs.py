"""The kernel's trace file system, in a mount that nobody else sees, and an instance that belongs to this process."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from pathlib import Path

from conformance.link.errors import EnvironmentFault
from conformance.link.netns import libc_call

__all__ = ["TraceInstance", "open_tracefs"]

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same on every architecture
_FSCONFIG_CMD_CREATE = 6
_PREFIX = "conformance-"
_numbers = itertools.count(1)


class TraceInstance:
    """A ring buffer of its own for the events of this process's choice; what others trace on this machine is not touched.

    The instance is named after this process, so that the next run can tell one that was left by a process that was killed, and numbered.
    """

    def __init__(self, clock: str = "mono") -> None:
        self._root = open_tracefs()
        try:
            _remove_stale(self._root)
            self._path = f"instances/{_PREFIX}{os.getpid()}-{_started(os.getpid())}-{next(_numbers)}"
            os.mkdir(self._path, dir_fd=self._root)
            self.write("trace_clock", clock)
        except OSError as error:
            os.close(self._root)
            raise EnvironmentFault(f"tracefs cannot be used: {error}") from error

    def write(self, file: str, value: str) -> None:
        """Write a control file of the instance."""
        descriptor = os.open(f"{self._path}/{file}", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, dir_fd=self._root)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)

    def open(self, file: str) -> int:
        """A descriptor to read a file of the instance without blocking."""
        return os.open(f"{self._path}/{file}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._root)

    def close(self) -> None:
        """Remove the instance. Descriptors from :meth:`open` must be closed before."""
        if self._root >= 0:
            with contextlib.suppress(OSError):
                os.rmdir(self._path, dir_fd=self._root)
            os.close(self._root)
            self._root = -1


def open_tracefs() -> int:
    """A descriptor of tracefs' root: a detached mount, which goes away with the descriptor."""
    try:
        context = libc_call("syscall", _FSOPEN, b"tracefs", 1)
        try:
            libc_call("syscall", _FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
            mount = libc_call("syscall", _FSMOUNT, context, 1, 0)
        finally:
            os.close(context)
        try:
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
        finally:
            os.close(mount)
    except OSError as error:
        raise EnvironmentFault(f"tracefs cannot be read: {error}") from error


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks, which with its number tells it from all others; None if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _remove_stale(root: int) -> None:
    instances = os.open("instances", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    try:
        for name in os.listdir(instances):
            owner = re.fullmatch(rf"{_PREFIX}(\d+)-(\d+)(-\d+)?", name)
            if owner and _started(int(owner[1])) != owner[2]:
                with contextlib.suppress(OSError):
                    os.rmdir(name, dir_fd=instances)
    finally:
        os.close(instances)
