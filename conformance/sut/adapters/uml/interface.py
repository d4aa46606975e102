"""The guest's network: a namespace that is as new, with a device in it that the tester is behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from conformance.link.netns import CLONE_NEWNET, libc_call
from conformance.link.offloads import offloads_off
from conformance.sut.sdk import Interface
from conformance.sut.sdk.agents import packed

__all__ = ["MTU", "Network", "backlog_done", "device_up"]

_WIRE, _NAME = "wire", "sut"
"""The end of a pair that is joined to the device that carries frames out of the guest, and the other, which is the stack's."""
MTU = 9000
"""More than any case has."""
_QUIET = {
    "ipv6/conf/{}/accept_dad": "0",
    "ipv6/conf/{}/dad_transmits": "0",
    "ipv6/conf/{}/accept_ra": "0",
    "ipv6/conf/{}/autoconf": "0",
    "ipv6/conf/{}/router_solicitations": "0",
    "ipv6/conf/{}/addr_gen_mode": "1",
    "ipv4/conf/{}/rp_filter": "0",
}
"""Nothing is sent that no case asks for, and no address has to wait."""
_PATIENCE = 5.0
"""Seconds that the kernel's work queue may take."""
_SOFTNET = Path("/proc/net/softnet_stat")
_BACKLOG = 11
"""Its column of what waits (net/core/net-procfs.c, softnet_seq_show())."""
_RTF_LOCAL = 0x80000000
"""include/uapi/linux/ipv6_route.h."""


def device_up(device: str) -> None:
    """Have a device carry frames, and say nothing on it."""
    for where in ("default", device):
        Path(f"/proc/sys/net/ipv6/conf/{where}/disable_ipv6").write_text("1")
    _run("ip", f"link set {device} mtu {MTU} up")


def backlog_done() -> None:
    """Wait until every frame that was sent on the pair has come out at its other end.

    The kernel does that before the call that sends it returns, but not while ksoftirqd has something to do: then it leaves it to that.
    """
    end = time.monotonic() + _PATIENCE
    while any(int(line.split()[_BACKLOG], 16) for line in _SOFTNET.read_text().splitlines()) and time.monotonic() < end:
        os.sched_yield()


class Network:
    """The guest's namespaces, one after another. This thread is in the last one.

    The device itself stays where the machine has booted: it cannot be taken down, with which it closes the socket. What comes on it goes
    to a pair of virtual ones as it is, one of which is in the namespace, and the other way round.
    """

    def __init__(self, device: str) -> None:
        """Leave the namespace in which the machine has booted: in others some settings cannot be had, and it is those that count."""
        self._home, self._device = _here(), device
        _run("tc", f"qdisc add dev {device} clsact")
        libc_call("unshare", CLONE_NEWNET)

    def renew(self, interface: Interface) -> None:
        """Go to a new one, without anything that was in the old one. OSError: it cannot be made."""
        libc_call("unshare", CLONE_NEWNET)
        new = _here()
        for scope in ("all", "default"):  # before the device is there: it takes them along when it comes
            for file, value in _QUIET.items():
                Path("/proc/sys/net", file.format(scope)).write_text(value)
        libc_call("setns", self._home, CLONE_NEWNET)
        self._join(interface, new)
        libc_call("setns", new, CLONE_NEWNET)
        os.close(new)
        _run("ip", *_commands(interface))
        offloads_off(_NAME)
        _wait_until_local({packed(address).hex() for address, _ in interface.addresses if ":" in address})

    def _join(self, interface: Interface, namespace: int) -> None:
        """In the first namespace: a new pair in the place of the old one."""
        # The pair goes with the old namespace, sooner or later.
        _run("ip", f"link delete {_WIRE}", must=False)
        _run("tc", f"filter delete dev {self._device} ingress", must=False)
        mac, where = interface.mac.hex(":"), f"netns /proc/{os.getpid()}/fd/{namespace}"
        _run("ip", f"link add {_WIRE} mtu {MTU} type veth peer name {_NAME} address {mac} mtu {MTU} {where}", f"link set {_WIRE} up")
        _run(
            "tc",
            f"qdisc add dev {_WIRE} clsact",
            *(
                f"filter add dev {one} ingress matchall action mirred egress redirect dev {other}"
                for one, other in ((self._device, _WIRE), (_WIRE, self._device))
            ),
        )
        offloads_off(_WIRE)


def _here() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _run(program: str, *commands: str, must: bool = True) -> None:
    """One of iproute2's."""
    ran = subprocess.run([program, "-batch", "-"], input="\n".join(commands).encode(), capture_output=True, check=False)
    if must and ran.returncode:
        raise OSError(ran.returncode, f"{program}: {'; '.join(commands)}: {ran.stderr.decode(errors='replace').strip()}")


def _commands(interface: Interface) -> list[str]:
    commands = [f"link set {_NAME} mtu {interface.mtu} up", "link set lo up"]
    commands += [f"address add {address}/{prefix} dev {_NAME}" for address, prefix in interface.addresses]
    for gateway in interface.gateways:
        # IPv6 forgets what it learned of paths through a neighbour that is no router (rt6_age_examine_exception()).
        router = " router" if ":" in gateway.address else ""
        commands.append(f"neighbour add {gateway.address} lladdr {gateway.mac.hex(':')} dev {_NAME} nud permanent{router}")
        commands.append(f"route add {gateway.to} via {gateway.address} dev {_NAME}")
    return commands


def _wait_until_local(addresses: set[str]) -> None:
    """IPv6 takes what is sent to an address only once the route for that is there, which a work queue makes."""
    end = time.monotonic() + _PATIENCE
    while not addresses <= _local() and time.monotonic() < end:
        time.sleep(0.001)


def _local() -> set[str]:
    """Addresses with such a route."""
    routes = (line.split() for line in Path("/proc/net/ipv6_route").read_text().splitlines())
    return {to for to, *_, flags, _ in routes if int(flags, 16) & _RTF_LOCAL}
