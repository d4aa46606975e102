"""What this machine can do, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Finding", "diagnose"]


_LIBRARIES = ("scapy", "dpkt", "PyYAML", "pydantic", "lark", "typer", "rich")
_LINUX_LIBRARIES = ("pyroute2",)
_ALLOW_NAMESPACES = (
    "run as root, or allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1 (Debian), "
    "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces above 0; "
    "in a container: --privileged, or --cap-add NET_ADMIN,NET_RAW,SYS_ADMIN"
)
_ALLOW_BED = "the kernel needs CONFIG_VETH, CONFIG_PACKET and CONFIG_INET_DIAG; in a container /proc/sys must be writable"
_ALLOW_TRACEPOINT = (
    "states come from inet_diag instead, after each step; for the kernel's own record of each transition run as root on the host"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the tester needs or can use."""

    subject: str
    works: bool
    detail: str
    remedy: str = ""
    """What to do where it does not work."""
    needed_for: str = ""
    """A SUT that cannot run without it; empty for what only makes results better."""


def diagnose() -> list[Finding]:
    """Try everything, each in a process of its own, so that nothing sticks to this one."""
    findings = [_python(), _kernel(), *(_library(name) for name in _LIBRARIES), _reference()]
    if sys.platform == "linux":
        findings += [_library(name, "linux") for name in _LINUX_LIBRARIES]
        findings.append(namespaces := _tried("namespaces", _try_namespaces, "linux", _ALLOW_NAMESPACES))
        for subject, attempt, needed_for, remedy in _WITHIN:
            without = Finding(subject, False, "not tried: it needs namespaces", "", needed_for)
            findings.append(_tried(subject, attempt, needed_for, remedy) if namespaces.works else without)
    return findings


def _python() -> Finding:
    works = sys.version_info >= (3, 11)
    return Finding("python", works, f"{platform.python_version()} at {sys.executable}", "install Python 3.11 or newer", "everything")


def _kernel() -> Finding:
    works = sys.platform == "linux"
    return Finding(
        "system", works, f"{platform.system()} {platform.release()}, {os.cpu_count()} processors", "the SUT linux needs Linux", "linux"
    )


def _reference() -> Finding:
    try:
        from conformance.stack.net import Net
        from conformance.stack.uapi import AF_INET, SOCK_STREAM

        Net().call("socket", AF_INET, SOCK_STREAM, 0)
    except Exception as error:  # whatever it is, it is the finding
        return Finding("reference stack", False, str(error), "reinstall the tester: it comes with it", "reference")
    return Finding("reference stack", True, "in this process: no privilege, no devices, any system")


def _library(name: str, needed_for: str = "everything") -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}", needed_for)


def _try_namespaces() -> str:
    from conformance.link.netns import acquire

    return f"as {acquire()}"


def _try_bed() -> str:
    from conformance.link.netns import acquire
    from conformance.link.veth import VethPair

    acquire()
    VethPair().close()
    return "two anonymous network namespaces joined by a veth pair"


def _try_tracepoint() -> str:
    from conformance.link.netns import acquire
    from conformance.sut.linux_trace import StateTracer

    acquire()
    StateTracer().close()
    return "sock:inet_sock_set_state in an instance of its own"


_WITHIN = (("test bed", _try_bed, "linux", _ALLOW_BED), ("tracepoint", _try_tracepoint, "", _ALLOW_TRACEPOINT))
"""What is tried in a namespace, what needs it, and what to do where it does not work."""


def _tried(subject: str, attempt: Callable[[], str], needed_for: str, remedy: str) -> Finding:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_in_child, args=(attempt, theirs))
    process.start()
    theirs.close()
    answered = ours.poll(20)
    try:
        works, detail = ours.recv() if answered else (False, "no answer within 20 s")
    except EOFError:
        works, detail = False, f"the attempt died with status {process.exitcode}"
    process.kill()
    process.join()
    return Finding(subject, works, detail, "" if works else remedy, needed_for)


def _in_child(attempt: Callable[[], str], pipe: object) -> None:
    try:
        answer = (True, attempt())
    except Exception as error:  # whatever it is, it is the finding
        answer = (False, str(error))
    pipe.send(answer)  # type: ignore[attr-defined]
