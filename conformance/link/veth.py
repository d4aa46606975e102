"""Two network namespaces joined by a veth pair: the stack under test in one, the tester's end without an address in the other."""

from __future__ import annotations

import errno
import socket
import time
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.ndmsg import NTF_ROUTER

from conformance.link.addressing import ADDRESSING, IPV6_MTU, PEER_MAC, SUT_MAC
from conformance.link.netns import Namespace
from conformance.link.offloads import offloads_off
from conformance.link.packet_ring import PacketRing
from conformance.wire.segment import Family

__all__ = ["VethPair", "write_sysctl"]

_FAMILIES = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}
_PATIENCE = 20
"""Seconds that the kernel's work queue may take."""
_RTN_LOCAL = 2
"""linux/rtnetlink.h."""

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


def _wait_until_local(netlink: IPRoute, address: str) -> None:
    """Wait until the stack takes what is sent to this IPv6 address of its own.

    Linux makes the route for it later, in a work queue (addrconf_dad_work), though duplicates are not looked for: on a busy machine
    a SYN could come before it and be dropped. OSError: it takes too long.
    """
    end = time.monotonic() + _PATIENCE
    while not _is_local(netlink, address):
        if time.monotonic() > end:
            raise OSError(errno.ETIMEDOUT, f"{address} has no local route after {_PATIENCE} s")
        time.sleep(0.0005)


def _is_local(netlink: IPRoute, address: str) -> bool:
    try:
        return bool(netlink.route("get", dst=address, family=socket.AF_INET6)[0]["type"] == _RTN_LOCAL)
    except NetlinkError as error:
        if error.code != errno.ENETUNREACH:
            raise
        return False


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
                if net.family is Family.IPV6 and mtu < IPV6_MTU:
                    continue  # the kernel takes IPv6 off such a device
                family = _FAMILIES[net.family]
                netlink.addr("add", index=index, address=net.sut, prefixlen=net.prefix, family=family)
                # IPv6 forgets what it learned of paths through a neighbour that is no router (rt6_age_examine_exception()).
                flags = NTF_ROUTER if net.family is Family.IPV6 else 0
                netlink.neigh("add", ifindex=index, dst=net.gateway, lladdr=_mac(PEER_MAC), state="permanent", flags=flags, family=family)
                netlink.route("add", dst=net.peers, gateway=net.gateway, oif=index, family=family)
            if mtu >= IPV6_MTU:
                _wait_until_local(netlink, next(net.sut for net in ADDRESSING if net.family is Family.IPV6))
        offloads_off("sut")

    @staticmethod
    def _tester_end(mtu: int) -> None:
        with IPRoute() as netlink:
            netlink.link("set", index=netlink.link_lookup(ifname="tester")[0], state="up", mtu=mtu)
        offloads_off("tester")

    def close(self) -> None:
        """Close everything; the kernel removes devices and namespaces."""
        if hasattr(self, "ring"):
            self.ring.close()
        self.sut.close()
        self.tester.close()


def _mac(address: bytes) -> str:
    return address.hex(":")
