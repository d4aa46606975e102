"""Numbers that a connection starts with, and that nobody outside can foresee (net/core/secure_seq.c)."""

from __future__ import annotations

from hashlib import blake2s
from typing import TYPE_CHECKING

from conformance.stack.tcp_sock import MASK

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["secure_tcp_seq", "secure_tcp_ts_off"]


def secure_tcp_seq(net: Net, saddr: bytes, daddr: bytes, sport: int, dport: int) -> int:
    """RFC 6528: a clock of 4 µs (64 ns in Linux) plus a keyed hash of the connection's four numbers."""
    message = saddr + daddr + sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
    digest = int.from_bytes(blake2s(message, key=net.secret, digest_size=4, person=b"isn").digest(), "big")
    return (digest + net.now // (64 if net.sysctl.linux else 4000)) & MASK


def secure_tcp_ts_off(net: Net, saddr: bytes, daddr: bytes, sport: int, dport: int) -> int:
    """RFC 7323, section 7.1: timestamps begin elsewhere for each connection, but not for a later one of the same four numbers."""
    message = saddr + daddr + sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
    return int.from_bytes(blake2s(message, key=net.secret, digest_size=4, person=b"ts").digest(), "big")
