"""setsockopt and getsockopt by name."""

from __future__ import annotations

import pytest

from conformance.stack.sock import Address
from tests.stack.sockets_bed import OWN, PEER, Bed, bed

__all__ = ["bed"]


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("SO_SNDBUF", 10000, 20000),
        ("SO_SNDBUF", 1, 4608),
        ("SO_SNDBUF", -1, 8 << 20),
        ("SO_RCVBUF", 10000, 20000),
        ("SO_RCVBUF", 0, 2304),
        ("SO_RCVBUF", 1 << 30, 8 << 20),
        ("SO_RCVBUFFORCE", 1 << 24, 1 << 25),
        ("SO_REUSEADDR", 7, 1),
        ("SO_KEEPALIVE", 1, 1),
        ("SO_LINGER", 1 << 32 | 5, 1 << 32 | 5),
        ("SO_LINGER", 5, 0),
        ("SO_RCVTIMEO", 123, 123),
        ("SO_SNDTIMEO", 0, 0),
        ("SO_RCVLOWAT", 0, 1),
        ("SO_REUSEADDR", b"\x01\0\0\0", 1),
        ("IP_TTL", 5, 5),
        ("IP_TTL", -1, 64),
        ("IP_TOS", 0xFF, 0xFC),
        ("IP_MTU_DISCOVER", 2, 2),
    ],
)
def test_set_and_get(bed: Bed, name: str, value: int | bytes, read: int) -> None:
    s = bed.socket()
    assert bed.call("setsockopt", s, name, value) == 0
    assert bed.call("getsockopt", s, name.removesuffix("FORCE")) == read


@pytest.mark.parametrize(
    ("family", "name", "value", "error"),
    [
        (2, "SO_TYPE", 1, "ENOPROTOOPT"),
        (2, "SO_NONSENSE", 1, "ENOPROTOOPT"),
        (2, "SO_REUSEADDR", b"\1", "EINVAL"),
        (2, "SO_RCVTIMEO", -1, "EDOM"),
        (2, "IP_TTL", 0, "EINVAL"),
        (2, "IP_TTL", 256, "EINVAL"),
        (2, "IP_HDRINCL", 1, "ENOPROTOOPT"),
        (2, "IPV6_V6ONLY", 1, "ENOPROTOOPT"),
        (10, "IPV6_TCLASS", 256, "EINVAL"),
        (10, "IPV6_UNICAST_HOPS", -2, "EINVAL"),
        (2, "TCP_NONSENSE", 1, "ENOPROTOOPT"),
    ],
)
def test_refused(bed: Bed, family: int, name: str, value: int | bytes, error: str) -> None:
    assert bed.call("setsockopt", bed.socket(family), name, value) == error


def test_what_a_socket_is(bed: Bed) -> None:
    s = bed.socket(10, 2)
    assert [bed.call("getsockopt", s, name) for name in ("SO_DOMAIN", "SO_TYPE", "SO_PROTOCOL", "SO_ACCEPTCONN")] == [10, 2, 17, 0]
    assert bed.call("setsockopt", s, "TCP_NODELAY", 1) == "ENOPROTOOPT"
    assert bed.call("tcp_info", s) == "ENOPROTOOPT"


def test_the_path(bed: Bed) -> None:
    u = bed.socket(2, 2)
    assert bed.call("getsockopt", u, "IP_MTU") == "ENOTCONN"
    bed.call("connect", u, Address(PEER[2], 9))
    assert bed.call("getsockopt", u, "IP_MTU") == 1500


def test_the_soft_error_comes_last(bed: Bed) -> None:
    s = bed.socket()
    bed.sk(s).sk_err, bed.sk(s).sk_err_soft = "ECONNRESET", "EHOSTUNREACH"
    assert [bed.call("getsockopt", s, "SO_ERROR") for _ in range(3)] == [b"ECONNRESET", b"EHOSTUNREACH", b""]


def test_bind_without_a_port(bed: Bed) -> None:
    s = bed.socket(IP_BIND_ADDRESS_NO_PORT=1)
    assert bed.call("bind", s, Address(OWN[2], 0)) == 0
    assert bed.call("getsockname", s) == Address(OWN[2], 0)
    f = bed.socket(IP_FREEBIND=1)
    assert bed.call("bind", f, Address(bytes([198, 51, 100, 1]), 80)) == 0
