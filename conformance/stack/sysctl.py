"""The settings of one stack, under the neutral names of ``config:`` (:mod:`conformance.case.settings`), and two profiles of defaults.

Where Linux and an RFC disagree the profile ``rfc`` follows the RFC and ``linux`` follows Linux. What a profile decides beyond these
numbers asks for :attr:`Sysctl.linux` where it is done, with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

__all__ = ["MS", "SECOND", "Sysctl"]

MS, SECOND = 1_000_000, 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sysctl:
    """Durations in ns, buffers in octets."""

    profile: str = "rfc"
    timestamps: bool = True
    sack: bool = True
    dsack: bool = True
    window_scaling: bool = True
    ecn: str = "passive"
    syn_cookies: str = "on"
    fast_open: str = "client"
    pmtu_discovery: bool = True
    mtu_probing: bool = False
    ttl: int = 64
    syn_retries: int = 7
    """1, 2, 4 … 64 s, and then 64 s (RFC 6298's least maximum is 60) each: more than the three minutes of RFC 9293, 3.8.3 (MUST-23)."""
    syn_linear_timeouts: int = 0
    synack_retries: int = 5
    retries1: int = 3
    retries2: int = 15
    orphan_retries: int = 8
    fin_timeout: int = 60 * SECOND
    keepalive_time: int = 7200 * SECOND
    keepalive_interval: int = 75 * SECOND
    keepalive_probes: int = 9
    somaxconn: int = 4096
    syn_backlog: int = 4096
    abort_on_overflow: bool = False
    rto_min: int = SECOND
    """RFC 6298, (2.4)."""
    rto_max: int = 120 * SECOND
    tw_reuse: bool = False
    rfc1337: bool = False
    max_tw_buckets: int = 4096
    challenge_ack_limit: int = 2**31 - 1
    invalid_ratelimit: int = 500 * MS
    ephemeral_ports: str = "32768..60999"
    receive_buffer: int = 131072
    send_buffer: int = 16384
    """What a socket starts with; it grows with the congestion window up to ``send_buffer_max``, as Linux's does."""
    send_buffer_max: int = 4 << 20
    receive_buffer_max: int = 6 << 20
    congestion_control: str = "reno"
    initial_window: int = 10
    """Segments (RFC 6928)."""
    slow_start_after_idle: bool = True
    tlp: bool = False
    rack: bool = False
    autocork: bool = False
    icmp_ratelimit: bool = False
    source_route: bool = True
    """Packets that came along a source route are taken."""

    @property
    def linux(self) -> bool:
        """Does Linux decide where it and an RFC disagree?"""
        return self.profile == "linux"

    @property
    def ports(self) -> tuple[int, int]:
        """The first and the last of the ports that the stack chooses from."""
        low, _, high = self.ephemeral_ports.partition("..")
        return int(low), int(high)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Sysctl:
        """The settings for a case's ``config:``; KeyError names one that the stack has not got. ``mtu`` belongs to the link."""
        own = {name: value for name, value in config.items() if name != "mtu"}
        known = {field.name for field in fields(cls)}
        for name in own:
            if name not in known:
                raise KeyError(name)
        return replace(_LINUX if own.get("profile") == "linux" else cls(), **own)


_LINUX = Sysctl(profile="linux", syn_retries=6, syn_linear_timeouts=4, rto_min=200 * MS, source_route=False)
"""Documentation/networking/ip-sysctl.rst."""
