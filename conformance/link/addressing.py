"""The addresses on a test bed's link: the stack's own, and the nets of peers that are reached through one gateway."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from conformance.wire.segment import Family

__all__ = ["ADDRESSING", "HOSTS", "IPV6_MTU", "PEER_MAC", "SUT_MAC", "Addressing"]

SUT_MAC, PEER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
IPV6_MTU = 1280
"""RFC 8200, section 5: IPv6 does not run on a link that takes less."""


@dataclass(frozen=True, slots=True)
class Addressing:
    """One family's addresses: the stack's own, and the net of peers that is reached through one gateway.

    Every case run gets peers of its own. They all sit behind the gateway, so one permanent neighbour serves them all and
    nothing that the stack remembers of a peer (metrics, path MTU, challenges) can reach another case.
    """

    family: Family
    sut: str
    prefix: int
    gateway: str
    peers: str


ADDRESSING = (
    Addressing(Family.IPV4, "192.0.2.1", 24, "192.0.2.2", "198.18.0.0/15"),
    Addressing(Family.IPV6, "2001:db8:0:1::1", 64, "2001:db8:0:1::2", "2001:db8:1::/48"),
)

_FIXED_HOSTS = {
    Family.IPV4: {
        "any": "0.0.0.0",
        "unrouted": "203.0.113.1",
        "foreign": "192.0.2.77",
        "loopback": "127.0.0.1",
        "multicast": "224.0.0.251",
        "broadcast": "255.255.255.255",
    },
    Family.IPV6: {"any": "::", "unrouted": "2001:db8:ffff::1", "foreign": "2001:db8:0:1::77", "loopback": "::1", "multicast": "ff02::fb"},
}
HOSTS: Mapping[Family, Mapping[str, bytes]] = {
    net.family: {name: ipaddress.ip_address(address).packed for name, address in (_FIXED_HOSTS[net.family] | {"sut": net.sut}).items()}
    for net in ADDRESSING
}
"""The addresses that are the same for all case runs, under the names that cases use."""
