"""A guest that runs in user mode: how it is booted, and what keeps it from outliving this process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conformance.sut.adapters.uml.interface import MTU

__all__ = ["KERNEL", "boot"]

KERNEL = "linux.uml"
_MEMORY = 384
"""MB."""
_RUN = "/dev/shm"
"""The guest's memory is a file there, and what it writes about itself; both go with it."""
_HERE = Path(__file__).parent
_ROOT = _HERE.parents[3]
"""The folder that the package is in."""
_WRAP = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
"""The guest is several processes, and leaves the process group: in a namespace of their own the kernel ends all of them at once."""
_INSIDE = f'mount -t tmpfs -o size={2 * _MEMORY}m tmpfs {_RUN} && "$@"; exit'


def boot(frames: int, lines: int) -> subprocess.Popen[bytes]:
    """Boot a guest whose stack has the socket ``frames`` for its network, and whose agent has the socket ``lines``.

    FileNotFoundError: there is no such kernel, or no util-linux.
    """
    wrap = _WRAP if os.geteuid() == 0 else (*_WRAP, "--map-root-user")
    return subprocess.Popen(
        [*wrap, "--", "sh", "-c", _INSIDE, "sh", KERNEL, *_command_line(frames, lines)],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        pass_fds=[frames, lines],
    )


def _command_line(frames: int, lines: int) -> list[str]:
    return [
        f"mem={_MEMORY}M", f"uml_dir={_RUN}", "quiet", "loglevel=2", "panic=-1", "noreboot",
        # This machine's files, which the guest only reads.
        "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
        # What the kernel has to say goes to standard error.
        "con=null", "con0=null,fd:2", "ssl=null",
        f"vec0:transport=fd,fd={frames},mtu={MTU}", f"vec1:transport=fd,fd={lines},mtu={MTU}",
        # A page that is new to a process costs a guest 100 µs: what was given back is kept for the next time.
        "MALLOC_MMAP_THRESHOLD_=1000000000", "MALLOC_TRIM_THRESHOLD_=1000000000",
        f'PYTHONPATH="{_ROOT}"', f'init="{sys.executable}"', "--", f'"{_HERE / "guest.py"}"',
    ]  # fmt: skip
