"""A TAP device in a namespace of its own: a stack's program opens it by its name, and the tester sees what passes through a ring.

The device stays while nobody has it open (TUNSETPERSIST), and belongs to this user (TUNSETOWNER), so that the program needs no
privilege to open it. It goes with its namespace.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyroute2 import IPRoute

from conformance.link.addressing import PEER_MAC
from conformance.link.netns import Namespace
from conformance.link.packet_ring import PacketRing
from conformance.link.tap import Tap
from conformance.link.veth import write_sysctl

__all__ = ["TapPair"]

_NAME = "sut"
_TUNSETPERSIST, _TUNSETOWNER = 0x400454CB, 0x400454CC
_LONGEST = 9018
"""Octets of a frame, whatever the MTU of a case."""


class TapPair:
    """The device, its namespace, and the ring. Raises EnvironmentFault and OSError."""

    name = _NAME

    def __init__(self) -> None:
        self._namespace = Namespace()
        try:
            with self._namespace.entered():
                write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")  # the tester's own kernel says nothing on it
                tap = Tap(_NAME)
                try:
                    fcntl.ioctl(tap.fileno(), _TUNSETPERSIST, 1)
                    fcntl.ioctl(tap.fileno(), _TUNSETOWNER, os.getuid())
                finally:
                    tap.close()
                with IPRoute() as netlink:
                    index = netlink.link_lookup(ifname=_NAME)[0]
                    netlink.link("set", index=index, state="up", mtu=_LONGEST - 18, address=PEER_MAC.hex(":"), arp=False)
                self.ring = PacketRing(_NAME, frame_size=_LONGEST)
        except BaseException:
            self._namespace.close()
            raise

    @contextmanager
    def entered(self) -> Iterator[None]:
        """A program that is started in this ``with`` block is in the device's namespace."""
        with self._namespace.entered():
            yield

    def close(self) -> None:
        """Give it back."""
        self.ring.close()
        self._namespace.close()
