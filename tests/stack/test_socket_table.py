"""socket(2): family, type and protocol to operations and protocol, or the error of the step that says no."""

from __future__ import annotations

import pytest

from conformance.stack.sock import SocketState
from conformance.stack.uapi import SOCK_NONBLOCK
from tests.stack.sockets_bed import Bed, bed

__all__ = ["bed"]

STREAM, DGRAM, RAW, RDM, SEQPACKET, DCCP, PACKET = 1, 2, 3, 4, 5, 6, 10
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58


@pytest.mark.parametrize(
    ("family", "kind", "protocol", "ops", "prot"),
    [
        (2, STREAM, 0, "inet_stream_ops", "TCP"),
        (2, STREAM, TCP, "inet_stream_ops", "TCP"),
        (2, DGRAM, 0, "inet_dgram_ops", "UDP"),
        (2, DGRAM, UDP, "inet_dgram_ops", "UDP"),
        (2, DGRAM, ICMP, "inet_sockraw_ops", "PING"),
        (2, RAW, ICMP, "inet_sockraw_ops", "RAW"),
        (2, RAW, 255, "inet_sockraw_ops", "RAW"),
        (10, STREAM, 0, "inet6_stream_ops", "TCPv6"),
        (10, DGRAM, UDP, "inet6_dgram_ops", "UDPv6"),
        (10, DGRAM, ICMPV6, "inet6_sockraw_ops", "PINGv6"),
        (10, RAW, TCP, "inet6_sockraw_ops", "RAWv6"),
    ],
)
def test_what_there_is(bed: Bed, family: int, kind: int, protocol: int, ops: str, prot: str) -> None:
    fd = bed.socket(family, kind, protocol)
    sock = bed.net.files[fd]
    assert (sock.ops.name, bed.sk(fd).sk_prot.name, sock.state) == (ops, prot, SocketState.SS_UNCONNECTED)


@pytest.mark.parametrize(
    ("family", "kind", "protocol", "error"),
    [
        (1, STREAM, 0, "EAFNOSUPPORT"),
        (0, STREAM, 0, "EAFNOSUPPORT"),
        (46, STREAM, 0, "EAFNOSUPPORT"),
        (-1, STREAM, 0, "EAFNOSUPPORT"),
        (-1, 11, 0, "EAFNOSUPPORT"),  # the family is looked at first
        (2, 11, 0, "EINVAL"),
        (1, 11, 0, "EINVAL"),  # the type's range comes before the table of families
        (1, STREAM | 0x10, 0, "EINVAL"),  # a flag that is none comes before all
        (2, STREAM, -1, "EINVAL"),
        (2, STREAM, 263, "EINVAL"),
        (2, SEQPACKET, -1, "EINVAL"),
        (2, SEQPACKET, 0, "ESOCKTNOSUPPORT"),
        (2, RDM, TCP, "ESOCKTNOSUPPORT"),
        (2, DCCP, 0, "ESOCKTNOSUPPORT"),
        (2, STREAM, UDP, "EPROTOTYPE"),
        (2, DGRAM, TCP, "EPROTOTYPE"),
        (2, DGRAM, ICMPV6, "EPROTONOSUPPORT"),
        (2, RAW, 0, "EPROTONOSUPPORT"),
        (10, DGRAM, ICMP, "EPROTONOSUPPORT"),
        (10, STREAM, 132, "EPROTONOSUPPORT"),
    ],
)
def test_what_there_is_not(bed: Bed, family: int, kind: int, protocol: int, error: str) -> None:
    assert bed.call("socket", family, kind, protocol) == error
    assert not bed.net.files


def test_nonblock_comes_with_the_type(bed: Bed) -> None:
    fd = bed.socket(2, STREAM | SOCK_NONBLOCK)
    assert bed.net.files[fd].nonblock
    bed.call("fcntl", fd, False)
    assert not bed.net.files[fd].nonblock
