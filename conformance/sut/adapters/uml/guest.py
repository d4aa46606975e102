"""The first process of the guest: makes a machine of what the kernel has booted, and is the agent in it.

``adapter.py`` starts it, through the kernel's ``init=``.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from conformance.link.netns import libc_call
from conformance.sut.adapters.uml.agent import Linux
from conformance.sut.adapters.uml.channel import Frames, inflate
from conformance.sut.adapters.uml.interface import Network, device_up
from conformance.sut.adapters.uml.states import SocketStates
from conformance.sut.sdk import Session

_CGROUP = "/sys/fs/cgroup"
_MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("cgroup2", _CGROUP))
_MODULES = ("ipv6", "veth", "sch_ingress", "cls_matchall", "act_mirred")
_LARGEST = 21 << 20
"""More octets than a case sends at once: memory for them takes a second to get the first time, which no case is to wait for."""
_FINIT_MODULE = 313
"""x86-64's."""


def main() -> None:
    """Never returns: the host ends the machine."""
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    bytearray(_LARGEST)
    for kind, place in _MOUNTS:
        libc_call("mount", kind.encode(), place.encode(), kind.encode(), 0, None)
    for module in _MODULES:
        _load(module)
    for device in ("vec0", "vec1"):
        device_up(device)
    lines = Frames("vec1")
    adapter = Linux(Network("vec0"), SocketStates(_CGROUP))
    lines.write(b"\n")  # there is somebody now
    asyncio.run(_serve(adapter, lines))


async def _serve(adapter: Linux, lines: Frames) -> None:
    session = Session(adapter, lines.write, translate=inflate)

    def asked() -> None:
        for some in lines.read():
            session.feed(some)

    loop = asyncio.get_running_loop()
    loop.add_reader(lines.fileno(), asked)
    loop.add_reader(adapter.states.fileno(), session.turn)
    await loop.create_future()


def _load(name: str) -> None:
    """Load a module and those that it needs. OSError says what the kernel did not like."""
    folder = Path("/usr/lib/uml/modules", os.uname().release)
    for line in (folder / "modules.dep").read_text().splitlines():
        module, _, needed = line.partition(":")
        if module.endswith(f"/{name}.ko"):
            for file in [*reversed(needed.split()), module]:
                with (folder / file).open("rb") as image:
                    libc_call("syscall", _FINIT_MODULE, image.fileno(), b"", 0)


if __name__ == "__main__":
    main()
