"""A client and a server, each in a network namespace of its own, joined by a veth pair or by a path with a forwarder in its middle."""

from __future__ import annotations

import ctypes
import fcntl
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from pyroute2 import IPRoute

from conformance.link.netns import Namespace
from conformance.link.veth import write_sysctl

from .forwarder import Order
from .setup import Setup
from .tap import ROOT, Taken, Tap

__all__ = ["PATIENCE", "Forwarder", "Host", "Network", "network"]

PATIENCE = 60
"""Seconds after which a socket call fails: only what hangs takes so long."""
_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_ADDRESSES = {
    "ipv4": {"client": "192.0.2.1", "server": "192.0.2.2", "nobody": "192.0.2.3"},
    "ipv6": {"client": "2001:db8::1", "server": "2001:db8::2", "nobody": "2001:db8::3"},
}
_PREFIX = {"ipv4": 24, "ipv6": 64}
_DEVICE, _LEFT, _RIGHT = "eth0", "left", "right"
_MACS = {name: f"02:00:00:00:00:{number:02x}" for number, name in enumerate(("client", "server", "nobody", _LEFT, _RIGHT), 1)}
_QUIET = ("accept_dad", "dad_transmits", "accept_ra", "router_solicitations")
_LEAST_MTU = {"ipv4": 68, "ipv6": 1280}
_SIOCETHTOOL = 0x8946
_OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x25, 0x2C)
"""linux/ethtool.h: the commands that set rx checksums, tx checksums, scatter-gather, TSO, GSO, GRO."""


class Host:
    """A machine: where sockets are made, and how many packets its device has seen."""

    def __init__(self, name: str, family: str, setup: Setup) -> None:
        self.name, self.family = name, family
        self.address = _ADDRESSES[family][name]
        self._setup = setup
        self.namespace = Namespace()
        sysctls = {**setup.sysctls, **(setup.client if name == "client" else setup.server)}
        with self.namespace.entered():
            for setting in _QUIET:
                write_sysctl(f"net/ipv6/conf/default/{setting}", "0")
            for setting, value in sysctls.items():
                write_sysctl(f"net/ipv4/{setting}", value)

    def socket(self) -> socket.socket:
        """A TCP socket of this host, which gives up after a while."""
        with self.namespace.entered():
            made = socket.socket(_FAMILIES[self.family], socket.SOCK_STREAM, self._setup.protocol)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self._setup.congestion.encode())
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(PATIENCE)
        return made

    def packets(self) -> int:
        """How many have passed its device, in both directions."""
        with self.namespace.entered():
            lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
        fields = next(line.partition(":")[2].split() for line in lines if line.strip().startswith(f"{_DEVICE}:"))
        return int(fields[1]) + int(fields[9])

    def plug_in(self, mtu: int, offloads: bool) -> None:
        """Take the device, which is in the namespace by now, into use."""
        with self.namespace.entered():
            with IPRoute() as netlink:
                index = netlink.link_lookup(ifname=_DEVICE)[0]
                netlink.link("set", index=netlink.link_lookup(ifname="lo")[0], state="up")
                netlink.link("set", index=index, state="up", mtu=mtu)
                netlink.addr("add", index=index, address=self.address, prefixlen=_PREFIX[self.family], family=_FAMILIES[self.family])
                for other in _ADDRESSES[self.family].keys() - {self.name}:
                    address = _ADDRESSES[self.family][other]
                    netlink.neigh("add", ifindex=index, dst=address, lladdr=_MACS[other], state="permanent", family=_FAMILIES[self.family])
            _set_offloads(_DEVICE, offloads)


class Forwarder:
    """The middle of the path; see :mod:`tests.traffic.forwarder`."""

    def __init__(self, setup: Setup, mtu: int, path: Path, seed: int) -> None:
        there = setup.impairment
        assert there is not None
        self._mtu = mtu
        self._setup_order = Order(
            left=_LEFT, right=_RIGHT, mtu=setup.narrow or mtu, impairments=[asdict(there), asdict(setup.back or there)], marks=setup.marks,
            offloads=setup.offloads, path=str(path), snap=setup.snap, seed=seed,
        )  # fmt: skip
        self.namespace = Namespace()
        with self.namespace.entered():
            write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Take both devices, which are in the namespace by now, into use, and forward."""
        with self.namespace.entered():
            with IPRoute() as netlink:
                for name in (_LEFT, _RIGHT):
                    netlink.link("set", index=netlink.link_lookup(ifname=name)[0], state="up", mtu=self._mtu)
                    _set_offloads(name, False)
            command = [sys.executable, "-m", "tests.traffic.forwarder"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._order(json.dumps(asdict(self._setup_order)))

    def cut(self, *directions: str) -> None:
        """From now on all that comes from these sides (``left`` is the client's, ``right`` the server's) is lost, and nothing else is."""
        self._order(" ".join(directions))

    def _order(self, line: str) -> None:
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise OSError("the forwarder has ended")

    def stop(self) -> dict[str, dict[str, int]]:
        """End, and say what became of the frames."""
        if self._process is None:
            return {}
        said, _ = self._process.communicate(timeout=60)
        self._process = None
        counts: dict[str, dict[str, int]] = json.loads(said or "{}")
        return counts

    def kill(self) -> None:
        """End without a result."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self.namespace.close()


class Network:
    """The hosts, what joins them, and captures of all that passes."""

    def __init__(self, setup: Setup, family: str, seed: int, files: dict[str, Path], resources: ExitStack) -> None:
        self.family, self.nobody = family, _ADDRESSES[family]["nobody"]
        self.client, self.server = (Host(name, family, setup) for name in ("client", "server"))
        self.forwarder: Forwarder | None = None
        mtu = max(setup.mtu, _LEAST_MTU[family])
        for host in (self.client, self.server):
            resources.callback(host.namespace.close)
        ends = [(host.namespace, _DEVICE, _MACS[host.name]) for host in (self.client, self.server)]
        if setup.impairment is None:
            _wire(*ends)
        else:
            self.forwarder = Forwarder(setup, mtu, files["middle"], seed)
            resources.callback(self.forwarder.kill)
            for end, name in zip(ends, (_LEFT, _RIGHT), strict=True):
                _wire(end, (self.forwarder.namespace, name, _MACS[name]))
        for host in (self.client, self.server):
            host.plug_in(mtu, setup.offloads)
        if self.forwarder:
            self.forwarder.start()
        self._taps = {}
        for host in (self.client, self.server):
            tap = self._taps[host.name] = Tap(host.namespace, _DEVICE, files[host.name], setup.snap)
            resources.callback(tap.kill)

    def stop(self) -> dict[str, Taken]:
        """End the captures."""
        return {name: tap.stop() for name, tap in self._taps.items()}


@contextmanager
def network(setup: Setup, family: str, seed: int, files: dict[str, Path]) -> Iterator[Network]:
    """A network for the length of a ``with`` block. OSError: the machine does not give what ``setup`` asks for."""
    with ExitStack() as resources:
        yield Network(setup, family, seed, files, resources)


def _wire(near: tuple[Namespace, str, str], far: tuple[Namespace, str, str]) -> None:
    """A veth pair; each end is a namespace, the device's name there, and its address."""
    (home, name, mac), (other, other_name, other_mac) = near, far
    with home.entered(), IPRoute() as netlink:
        netlink.link("add", kind="veth", ifname=name, address=mac, peer={"ifname": other_name, "address": other_mac, "net_ns_fd": other.fd})


def _set_offloads(interface: str, on: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS:
            value = (ctypes.c_uint32 * 2)(command, on)  # struct ethtool_value
            fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("=16sQ16x", interface.encode(), ctypes.addressof(value)))
