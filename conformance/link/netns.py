"""Network namespaces without names: they belong to a descriptor, so the kernel removes them however the process ends.

Without root the process makes itself a user namespace first (:func:`acquire`); inside it, it may make network
namespaces, devices and raw sockets of its own, and nothing outside changes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.link.errors import EnvironmentFault

__all__ = ["Namespace", "acquire", "libc_call", "privileged"]

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_CAP_NET_ADMIN, _CAP_NET_RAW, _CAP_SYS_ADMIN = 12, 13, 21

_libc = ctypes.CDLL(None, use_errno=True)


def libc_call(function: str, *arguments: object) -> int:
    """Call a libc function that returns -1 for an error, and raise OSError then."""
    result: int = getattr(_libc, function)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
    return result


def privileged() -> bool:
    """Does this process already hold the capabilities that a test bed takes (in its own user namespace)?"""
    if sys.platform != "linux":
        return False
    status = Path("/proc/self/status").read_text()
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    return all(effective >> capability & 1 for capability in (_CAP_NET_ADMIN, _CAP_NET_RAW, _CAP_SYS_ADMIN))


def acquire() -> str:
    """Get what a test bed takes: ``root`` if this process has it, else ``user namespace`` after entering one.

    Call it before the process has a second thread: the kernel lets only a single thread change its user namespace.

    Raises:
        EnvironmentFault: neither can be had; the message says why.
    """
    if sys.platform != "linux":
        raise EnvironmentFault(f"network namespaces are Linux's; this is {sys.platform}")
    if privileged():
        return "root"
    uid, gid = os.getuid(), os.getgid()
    try:
        # The network namespace comes along so that the tester owns the one it returns to: setns(2) into the host's would be refused.
        libc_call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
    except OSError as error:
        raise EnvironmentFault(_why_no_user_namespace(error)) from error
    # Identity maps keep file ownership as the user knows it; setgroups(2) must go before an unprivileged process may map its group.
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError as error:
        raise EnvironmentFault(f"not root, and a user namespace cannot be given this user: {error}") from error
    if not privileged():
        raise EnvironmentFault(
            "a user namespace was made, but a security module took its capabilities away (AppArmor? see `conformance doctor`)"
        )
    return "user namespace"


def _why_no_user_namespace(error: OSError) -> str:
    switches = {
        "/proc/sys/kernel/unprivileged_userns_clone": "0",
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
        "/proc/sys/user/max_user_namespaces": "0",
    }
    for path, closed in switches.items():
        file = Path(path)
        if file.exists() and file.read_text().strip() == closed:
            return f"not root, and user namespaces are switched off: {path} is {closed} ({error.strerror}); see `conformance doctor`"
    return f"not root, and no user namespace can be made: {error.strerror}; see `conformance doctor`"


class Namespace:
    """A network namespace that lives as long as this object's descriptor, and its devices with it."""

    def __init__(self) -> None:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc_call("unshare", CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            libc_call("setns", home, CLONE_NEWNET)
        finally:
            os.close(home)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is in the namespace for the length of a ``with`` block; what it opens there stays there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc_call("setns", self.fd, CLONE_NEWNET)
            try:
                yield
            finally:
                libc_call("setns", home, CLONE_NEWNET)
        finally:
            os.close(home)

    def close(self) -> None:
        """Let go; the kernel removes the namespace once no socket holds it either."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
