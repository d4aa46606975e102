"""Values for the tests of this folder: packets as scapy makes them, and the numbers in them."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from conformance.wire.segment import Family

SRC_MAC, DST_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ADDRESSES = {
    Family.IPV4: (bytes((10, 0, 0, 1)), bytes((192, 168, 255, 254))),
    Family.IPV6: (ipaddress.ip_address("fd00::1").packed, ipaddress.ip_address("2001:db8::ffff").packed),
}

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Few examples, and no verdict that depends on how busy the machine is."""

families = st.sampled_from(list(Family))
numbers = st.integers(0, 2**32 - 1)
words = st.integers(0, 2**16 - 1)
octets = st.integers(0, 255)


def scapy_frame(family: Family, tcp: TCP, payload: bytes = b"", **ip: Any) -> bytes:
    """``tcp`` and ``payload`` in a frame, every length and checksum worked out by scapy."""
    src, dst = (str(ipaddress.ip_address(octets)) for octets in ADDRESSES[family])
    header: IP | IPv6
    if family is Family.IPV4:
        header = IP(**{"src": src, "dst": dst, "id": 0, "flags": "DF", "ttl": 64, **ip})
    else:
        header = IPv6(**{"src": src, "dst": dst, "hlim": 64, **ip})
    ether = Ether(src=SRC_MAC.hex(":"), dst=DST_MAC.hex(":"), type=0x0800 if family is Family.IPV4 else 0x86DD)
    return bytes(ether / header / tcp / Raw(payload))
