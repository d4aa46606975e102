"""What a scenario asks of its path and its hosts."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.link.impaired import Impairment

__all__ = ["HEADERS", "MS", "Setup"]

MS = 1_000_000
HEADERS = 192
"""Octets that hold every header, and some data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The machines and what joins them."""

    impairment: Impairment | None = None
    """Of either direction; None: there is no forwarder, but one veth pair from end to end."""
    back: Impairment | None = None
    """Of the direction from server to client, if it is not the same."""
    marks: float = 0
    """The probability that the middle marks a packet whose sender allows it (ECN)."""
    narrow: int = 0
    """What the middle takes, if that is less than the hosts believe; it says nothing of what it drops."""
    mtu: int = 1500
    """IPv6 gets 1280 at least."""
    offloads: bool = False
    """TSO, GRO and checksums are left to the devices, so that a capture has segments longer than the path's, without checksums.

    The middle of a path passes them on cut and summed, and the other end's device joins them again.
    """
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Of both hosts, by their names below ``net/ipv4``."""
    client: Mapping[str, str] = field(default_factory=dict)
    server: Mapping[str, str] = field(default_factory=dict)
    """Of one host, besides."""
    congestion: str = "cubic"
    """Every socket's congestion control."""
    protocol: int = socket.IPPROTO_TCP
    snap: int = HEADERS
    """Octets that are kept of each packet."""
