"""One stack with a link and no transport protocols: what comes out below is read with scapy, what goes up is kept."""

from __future__ import annotations

import ipaddress
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from conformance.stack import icmp, ip, ip6_input
from conformance.stack.net import Net
from conformance.stack.protocol import InetProtos
from conformance.stack.sysctl import SECOND, Sysctl

OWN_MAC, PEER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
OWN4, PEER4, NET4 = "10.0.0.1", "10.0.0.2", 24
OWN6, PEER6, NET6 = "fd00::1", "fd00::2", 64
GATEWAY4, FAR4, FAR6 = "10.0.0.254", "192.0.2.1", "2001:db8::1"

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)  # fmt: skip
"""Few examples, and no verdict that depends on how busy the machine is."""


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def mac(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


class Lower:
    """A stack with ``eth0``, which has both families' addresses, and default routes."""

    def __init__(self, patch: pytest.MonkeyPatch, *, neighbours: bool = True, mtu: int = 1500, **sysctl: Any) -> None:
        self.frames: list[bytes] = []
        self.up: list[tuple[Any, ...]] = []
        """What the protocols got: their name and what they were given."""
        self.wanted: set[int] = set()
        """Protocols that a raw socket takes."""
        self.net = Net(Sysctl.from_config(sysctl), Random(1))
        self.device = self.net.add_device("eth0", mac(OWN_MAC), mtu, self.frames.append)
        self.net.add_address(self.device, packed(OWN4), NET4)
        self.net.add_address(self.device, packed(OWN6), NET6)
        self.net.fib.add(bytes(4), 0, packed(GATEWAY4), self.device)
        self.net.fib.add(bytes(16), 0, packed(PEER6), self.device)
        if neighbours:
            for address in (PEER4, PEER6, GATEWAY4):
                self.net.neighbours.add(self.device, packed(address), mac(PEER_MAC))
        protos = InetProtos(
            lambda _, *given: self.up.append(("tcp", *given)),
            lambda _, *given: self.up.append(("tcp_err", *given)),
            lambda _, *given: self.up.append(("udp", *given)),
            lambda _, *given: self.up.append(("udp_err", *given)),
            self._raw_rcv,
        )
        for module in (ip, ip6_input, icmp):
            patch.setattr(module, "inet_protos", lambda: protos)

    def _raw_rcv(self, _: Net, protocol: int, *given: bytes) -> bool:
        if protocol in self.wanted:
            self.up.append(("raw", protocol, given[2]))
        return protocol in self.wanted

    def receive(self, packet: Packet | bytes, dst: str = OWN_MAC) -> None:
        """A packet (or a whole frame, as octets) comes from the link."""
        frame = packet if isinstance(packet, bytes) else bytes(Ether(src=PEER_MAC, dst=dst) / packet)
        self.net.receive(self.device, frame, self.net.now)

    def after(self, seconds: float) -> None:
        self.net.advance(self.net.now + int(seconds * SECOND))

    def sent(self) -> list[Packet]:
        """Take the frames that went out, as scapy reads them."""
        frames, self.frames[:] = list(self.frames), []
        return [Ether(frame) for frame in frames]

    def taken(self) -> list[tuple[Any, ...]]:
        """Take what went up."""
        up, self.up[:] = list(self.up), []
        return up

    def xmit(self, data: bytes, to: str, protocol: int = 17, saddr: str | None = None, **more: Any) -> None:
        """ip_queue_xmit(), as a protocol within the stack calls it."""
        source = packed(saddr) if saddr else b""
        self.net._run(lambda: ip.ip_queue_xmit(self.net, data, source, packed(to), protocol, **more))


def ip4(payload: Packet | bytes = b"", **fields: Any) -> Packet:
    """An IPv4 packet from the peer."""
    return IP(**{"src": PEER4, "dst": OWN4, **fields}) / (Raw(payload) if isinstance(payload, bytes) else payload)


def ip6(payload: Packet | bytes = b"", **fields: Any) -> Packet:
    """An IPv6 packet from the peer."""
    return IPv6(**{"src": PEER6, "dst": OWN6, **fields}) / (Raw(payload) if isinstance(payload, bytes) else payload)
