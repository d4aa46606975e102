"""What a process holds of the kernel, and what of it is still there once the process is gone.

Everything is told from what other processes on this machine have: a process by its session, a socket by its inode, a namespace by the
handle that the kernel has for it as long as it is there (nsfs file handles, Linux 6.18; an older kernel says nothing of namespaces that
no process holds). Nothing is counted before and after.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from conformance.link.addressing import PEER_MAC, SUT_MAC
from conformance.link.errors import EnvironmentFault
from conformance.link.netns import libc_call
from conformance.link.tracefs import open_tracefs

__all__ = ["Holdings", "host_devices", "instances_of"]

_AT_EMPTY_PATH = 0x1000
_MACS = (SUT_MAC.hex(":"), PEER_MAC.hex(":"))


class _Handle(ctypes.Structure):
    """``struct file_handle`` of fcntl.h."""

    _fields_ = (("octets", ctypes.c_uint), ("kind", ctypes.c_int), ("value", ctypes.c_ubyte * 128))


@dataclass(slots=True)
class Holdings:
    """Of the process ``pid``, which leads a session of its own."""

    pid: int
    started: str
    namespaces: dict[str, _Handle | None] = field(default_factory=dict)
    """``net:[inode]`` to the kernel's handle, where it gives one."""
    sockets: set[str] = field(default_factory=set)
    """Inodes."""

    @classmethod
    def of(cls, pid: int) -> Holdings:
        """What it holds now. Stop the process before, if nothing may be missed."""
        held = cls(pid, _stat(pid)[19])
        own = _target(Path("/proc/self/ns/net"))
        for link in (*_links(Path(f"/proc/{pid}/fd")), *Path(f"/proc/{pid}/task").glob("*/ns/net")):
            target = _target(link)
            if target.startswith("net:[") and target != own and target not in held.namespaces:
                held.namespaces[target] = _handle(link)
            elif target.startswith("socket:["):
                held.sockets.add(target[8:-1])
        return held

    def left(self, patience: float = 20, *, killed: bool = False) -> list[str]:
        """What is still there though the process is gone; the kernel gets some time to tidy up.

        ``killed``: Linux goes on to close the connections of a process that was killed, for as long as its timers say, and the namespace
        stays as long. That is no more than the kernel does for any program, so it does not count.
        """
        deadline = time.monotonic() + patience
        while (found := self._left(killed)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def _left(self, killed: bool) -> list[str]:
        there = [(name, handle) for name, handle in self.namespaces.items() if _exists(handle)]
        return [
            *(f"process {pid}" for pid in _session(self.pid)),
            *(f"network namespace {name}" for name, handle in there if not (killed and _only_closes(handle))),
            *(f"Unix socket {name}" for name in self.shares()),
        ]

    def closing(self) -> list[str]:
        """The namespaces that are there, as :meth:`left` lets them be."""
        return [name for name, handle in self.namespaces.items() if _exists(handle)]

    def shares(self) -> list[str]:
        """The Unix sockets that say which peers are its own, of all that runs in this network namespace have."""
        return [name for name, inode in _unix_sockets() if inode in self.sockets]

    def instances(self) -> list[str]:
        """Its instances of the trace file system that are there."""
        return instances_of(self.pid, self.started)


def instances_of(pid: int, started: str) -> list[str]:
    """The tracing instances of a process; none where there is no trace file system."""
    try:
        root = open_tracefs()
    except EnvironmentFault:
        return []
    try:
        folder = os.open("instances", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
        try:
            names = os.listdir(folder)
        finally:
            os.close(folder)
    finally:
        os.close(root)
    return sorted(name for name in names if re.fullmatch(rf"conformance-{pid}-{started}(-\d+)?", name))


def host_devices() -> list[str]:
    """Devices of the tester in the network namespace that this process is in, where there must never be one."""
    found = []
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name = line.partition(":")[0].strip()
        address = Path("/sys/class/net", name, "address")
        if name in ("sut", "tester") or (address.exists() and address.read_text().strip() in _MACS):
            found.append(f"device {name}")
    return found


def _stat(pid: int) -> list[str]:
    """What proc(5) counts from field 3 on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _links(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # gone, or somebody else's
        return []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _processes() -> list[int]:
    return [int(path.name) for path in _links(Path("/proc")) if path.name.isdecimal()]


def _session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for pid in _processes():
        try:
            fields = _stat(pid)
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(pid)
    return found


def _unix_sockets() -> list[tuple[str, str]]:
    """Name and inode of the sockets through which runs agree on their peers."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return [(row[7], row[6]) for row in rows if len(row) > 7 and row[7].startswith("@conformance-")]


def _handle(link: Path) -> _Handle | None:
    """The kernel's handle for a namespace, which does not keep it alive; None from a kernel that gives none."""
    try:
        descriptor = os.open(link, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    handle, mount = _Handle(128, 0), ctypes.c_int()
    try:
        libc_call("name_to_handle_at", descriptor, b"", ctypes.byref(handle), ctypes.byref(mount), _AT_EMPTY_PATH)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return handle if _exists(handle) else None


def _exists(handle: _Handle | None) -> bool:
    """Is there still a namespace behind the handle?"""
    descriptor = _opened(handle)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _opened(handle: _Handle | None) -> int | None:
    """A descriptor of the namespace, if there still is one."""
    if handle is None:
        return None
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return libc_call("open_by_handle_at", here, ctypes.byref(handle), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    finally:
        os.close(here)


def _only_closes(handle: _Handle | None) -> bool:
    """Is there nothing in the namespace but its loopback device, and TCP connections that no process has any more?

    Only root can look; for others it is so.
    """
    descriptor = _opened(handle)
    if descriptor is None:
        return True
    try:
        if os.geteuid() != 0:
            return True
        devices = _looked(descriptor, "tail -qn +3 /proc/net/dev")
        connections = _looked(descriptor, "tail -qn +2 /proc/net/tcp /proc/net/tcp6")
    finally:
        os.close(descriptor)
    return [row[0] for row in devices] == ["lo:"] and all(row[9] == "0" for row in connections)  # the inode of the socket, if it has one


def _looked(namespace: int, command: str) -> list[list[str]]:
    """What a command prints in a namespace, line by line and word by word."""
    inside = ["nsenter", f"--net=/proc/self/fd/{namespace}", "sh", "-c", command]
    done = subprocess.run(inside, pass_fds=[namespace], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]
