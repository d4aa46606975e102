"""Two network namespaces joined by a veth pair: the stack under test in one, the tester's end without an address in the other."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

from conformance.link.netns import Namespace
from conformance.link.packet_ring import PacketRing

__all__ = ["PEER_MAC", "SUT_MAC", "Addressing", "VethPair", "write_sysctl"]

SUT_MAC, PEER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
_IPV6_MTU = 1280
_SIOCETHTOOL = 0x8946
_OFFLOADS_OFF = (0x15, 0x17, 0x19, 0x1F, 0x25, 0x2C)
"""linux/ethtool.h: the commands that set rx checksums, tx checksums, scatter-gather, TSO, GSO, GRO."""


@dataclass(frozen=True, slots=True)
class Addressing:
    """One family's addresses: the stack's own, and the net of peers that is reached through one gateway.

    Every case run gets peers of its own. They all sit behind the gateway, so one permanent neighbour serves them all and
    nothing that the stack remembers of a peer (metrics, path MTU, challenges) can reach another case.
    """

    family: socket.AddressFamily
    sut: str
    prefix: int
    gateway: str
    peers: str


ADDRESSING = (
    Addressing(socket.AF_INET, "192.0.2.1", 24, "192.0.2.2", "198.18.0.0/15"),
    Addressing(socket.AF_INET6, "2001:db8:0:1::1", 64, "2001:db8:0:1::2", "2001:db8:1::/48"),
)

_QUIET_IPV6 = {
    "accept_dad": "0",
    "dad_transmits": "0",
    "accept_ra": "0",
    "autoconf": "0",
    "router_solicitations": "0",
    "addr_gen_mode": "1",
}


def write_sysctl(name: str, value: str) -> None:
    """Set ``net/…`` in the thread's current network namespace; OSError names the file."""
    Path("/proc/sys", name).write_text(value)


def _offloads_off(interface: str) -> None:
    """Make the kernel fill in every checksum and cut every segment itself, so that what is captured is what was meant."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS_OFF:
            value = (ctypes.c_uint32 * 2)(command, 0)  # struct ethtool_value
            fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("=16sQ16x", interface.encode(), ctypes.addressof(value)))


class VethPair:
    """The pair, its namespaces, and the ring on the tester's end."""

    def __init__(self, mtu: int = 1500) -> None:
        self.sut, self.tester = Namespace(), Namespace()
        try:
            with self.tester.entered():
                write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
            with self.sut.entered():
                self._quiet()
                self._wire(mtu)
            with self.tester.entered():
                self._tester_end(mtu)
                self.ring = PacketRing("tester", frame_size=mtu + 18, frames=1024)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _quiet() -> None:
        for name, value in _QUIET_IPV6.items():
            for scope in ("all", "default"):
                write_sysctl(f"net/ipv6/conf/{scope}/{name}", value)
        for scope in ("all", "default"):
            write_sysctl(f"net/ipv4/conf/{scope}/rp_filter", "0")

    def _wire(self, mtu: int) -> None:
        with IPRoute() as netlink:
            netlink.link(
                "add", ifname="sut", kind="veth", address=_mac(SUT_MAC), mtu=mtu,
                peer={"ifname": "tester", "address": _mac(PEER_MAC), "net_ns_fd": self.tester.fd, "mtu": mtu},
            )  # fmt: skip
            index = netlink.link_lookup(ifname="sut")[0]
            netlink.link("set", index=netlink.link_lookup(ifname="lo")[0], state="up")
            netlink.link("set", index=index, state="up")
            for net in ADDRESSING:
                if net.family == socket.AF_INET6 and mtu < _IPV6_MTU:
                    continue  # the kernel takes IPv6 off such a device
                netlink.addr("add", index=index, address=net.sut, prefixlen=net.prefix, family=net.family)
                netlink.neigh("add", ifindex=index, dst=net.gateway, lladdr=_mac(PEER_MAC), state="permanent", family=net.family)
                netlink.route("add", dst=net.peers, gateway=net.gateway, oif=index, family=net.family)
        _offloads_off("sut")

    @staticmethod
    def _tester_end(mtu: int) -> None:
        with IPRoute() as netlink:
            netlink.link("set", index=netlink.link_lookup(ifname="tester")[0], state="up", mtu=mtu)
        _offloads_off("tester")

    def close(self) -> None:
        """Close everything; the kernel removes devices and namespaces."""
        if hasattr(self, "ring"):
            self.ring.close()
        self.sut.close()
        self.tester.close()


def _mac(address: bytes) -> str:
    return address.hex(":")
