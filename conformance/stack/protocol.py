"""Who takes what IP delivers (net/ipv4/protocol.c)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.stack.net import Net
    from conformance.wire.segment import Icmp, Segment

__all__ = ["InetProtos", "inet_protos"]


@dataclass(slots=True)
class InetProtos:
    """``inet_protos`` and ``inet6_protos``, one for both families. Packets have their IPv6 extension headers taken off."""

    tcp_v4_rcv: Callable[[Net, Segment, bool], object]
    """The segment, and whether it was addressed to this host alone."""
    tcp_v4_err: Callable[[Net, Icmp], object]
    udp_rcv: Callable[[Net, bytes, bytes, bytes], object]
    """The whole packet, its source and its destination."""
    udp_err: Callable[[Net, Icmp], object]
    raw_rcv: Callable[[Net, int, bytes, bytes, bytes, bytes], object]
    """Protocol, source, destination, payload, the whole packet; the answer is true if a socket wanted it."""


@cache
def inet_protos() -> InetProtos:
    """The table. The protocols are imported only now since they import the way out."""
    from conformance.stack import raw, tcp_icmp, tcp_ipv4, udp

    return InetProtos(tcp_ipv4.tcp_v4_rcv, tcp_icmp.tcp_v4_err, udp.udp_rcv, udp.udp_err, raw.raw_rcv)
