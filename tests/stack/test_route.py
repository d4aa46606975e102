"""Where packets go, from which address, and how long they can be."""

from __future__ import annotations

import pytest

from conformance.stack.errors import SocketError
from conformance.stack.route import dst_mtu, inet_addr_type, ip_route_output, update_pmtu
from tests.stack.lower import FAR4, FAR6, GATEWAY4, OWN4, OWN6, PEER4, PEER6, Lower, packed


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> Lower:
    return Lower(monkeypatch)


@pytest.mark.parametrize(
    ("to", "nexthop", "saddr", "kind"),
    [
        (PEER4, PEER4, OWN4, "unicast"), (FAR4, GATEWAY4, OWN4, "unicast"), (OWN4, OWN4, OWN4, "local"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", "local"), ("127.1.2.3", "127.1.2.3", "127.1.2.3", "local"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1", "local"), ("10.0.0.255", "10.0.0.255", OWN4, "broadcast"),
        ("255.255.255.255", "255.255.255.255", OWN4, "broadcast"), ("224.0.0.5", "224.0.0.5", OWN4, "multicast"),
        (PEER6, PEER6, OWN6, "unicast"), (FAR6, PEER6, OWN6, "unicast"), (OWN6, OWN6, OWN6, "local"), ("::1", "::1", "::1", "local"),
        ("fe80::2", "fe80::2", OWN6, "unicast"), ("::", "::1", "::1", "local"), ("ff02::5", "ff02::5", OWN6, "multicast"),
    ],
)  # fmt: skip
def test_routes(low: Lower, to: str, nexthop: str, saddr: str, kind: str) -> None:
    dst = ip_route_output(low.net, packed(to))
    assert (dst.nexthop, dst.saddr, dst.kind) == (packed(nexthop), packed(saddr), kind)
    assert dst is ip_route_output(low.net, packed(to))
    assert (dst.device is low.device) == (kind != "local")


def test_the_longest_prefix_wins(low: Lower) -> None:
    other = low.net.add_device("eth1", b"\x02\x00\x00\x00\x00\x09", 1400, low.frames.append)
    ip_route_output(low.net, packed(FAR4))
    low.net.add_address(other, packed("192.0.2.9"), 24)
    low.net.fib.add(packed("192.0.2.1"), 32, packed("10.0.0.9"), low.device)
    near, exact = ip_route_output(low.net, packed("192.0.2.2")), ip_route_output(low.net, packed(FAR4))
    assert (near.device, near.saddr, near.nexthop) == (other, packed("192.0.2.9"), packed("192.0.2.2"))
    assert (exact.device, exact.saddr, exact.nexthop) == (low.device, packed(OWN4), packed("10.0.0.9"))


def test_the_source_that_is_asked_for(low: Lower) -> None:
    low.net.add_address(low.device, packed("10.0.0.7"), 24)
    assert ip_route_output(low.net, packed(PEER4), packed("10.0.0.7")).saddr == packed("10.0.0.7")
    assert ip_route_output(low.net, packed(PEER4)).saddr == packed(OWN4)
    assert ip_route_output(low.net, packed(OWN4), packed("10.0.0.7")).saddr == packed("10.0.0.7")
    with pytest.raises(SocketError, match="ENETUNREACH"):
        ip_route_output(low.net, packed(PEER4), packed("127.0.0.1"))


def test_source_addresses_of_ipv6(low: Lower) -> None:
    """RFC 6724, section 5: the scope before the longest match."""
    low.net.add_address(low.device, packed("fe80::1"), 64)
    low.net.add_address(low.device, packed("2001:db8:1::1"), 64)
    for to, saddr in (("fe80::2", "fe80::1"), ("ff02::2", "fe80::1"), (FAR6, "2001:db8:1::1"), (PEER6, OWN6)):
        assert ip_route_output(low.net, packed(to)).saddr == packed(saddr)


def test_no_route_at_all(low: Lower) -> None:
    low.net.fib.routes = {4: [], 16: []}
    for to in (FAR4, FAR6):
        with pytest.raises(SocketError, match="ENETUNREACH"):
            ip_route_output(low.net, packed(to))
    assert ip_route_output(low.net, packed("ff02::1")).kind == "multicast"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0.0.0.0", "unspecified"), ("::", "unspecified"), (OWN4, "local"), (OWN6, "local"), ("127.9.9.9", "local"), ("::1", "local"),
        ("10.0.0.255", "broadcast"), ("255.255.255.255", "broadcast"), ("239.1.1.1", "multicast"), ("ff05::3", "multicast"),
        (PEER4, "unicast"), (PEER6, "unicast"), ("10.0.0.0", "unicast"),
    ],
)  # fmt: skip
def test_what_an_address_is(low: Lower, address: str, kind: str) -> None:
    assert inet_addr_type(low.net, packed(address)) == kind
    assert low.net.fib.is_local(packed(address)) == (kind == "local")


def test_path_mtu(low: Lower) -> None:
    for to, least in ((FAR4, 68), (FAR6, 1280)):
        far = packed(to)
        assert dst_mtu(low.net, far) == 1500
        update_pmtu(low.net, far, 1600)
        assert dst_mtu(low.net, far) == 1500
        update_pmtu(low.net, far, 1400)
        update_pmtu(low.net, far, 1450)
        assert dst_mtu(low.net, far) == 1400
        low.after(599)
        assert dst_mtu(low.net, far) == 1400
        low.after(1)
        assert dst_mtu(low.net, far) == 1500
        update_pmtu(low.net, far, least)
        assert dst_mtu(low.net, far) == least
    assert dst_mtu(low.net, packed(OWN4)) == 65535


def test_a_path_mtu_that_no_path_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for profile, least in (("rfc", 68), ("linux", 552)):
        low = Lower(monkeypatch, profile=profile)
        for to, expected in ((FAR4, least), (FAR6, 1500)):  # RFC 8201, section 4: an MTU below 1280 is ignored
            update_pmtu(low.net, packed(to), 40)
            assert dst_mtu(low.net, packed(to)) == expected


def test_paths_and_routes_take_bounded_memory(low: Lower) -> None:
    for number in range(5000):
        update_pmtu(low.net, b"\xc0\x00" + number.to_bytes(2, "big"), 1400)
        ip_route_output(low.net, b"\x0a\x00\x00" + bytes([number & 0x7F]), b"\x0a\x00" + number.to_bytes(2, "big"))
        ip_route_output(low.net, b"\xfd" + bytes(13) + number.to_bytes(2, "big"))
    assert len(low.net.fib.paths) <= 1024
    assert len(low.net.fib.cache) <= 1024
    assert len(low.net.neighbours.entries) <= 512


def test_fragments_for_a_narrow_path(low: Lower) -> None:
    for to, mtu in ((FAR4, 600), (FAR6, 1280)):
        update_pmtu(low.net, packed(to), mtu)
        low.xmit(bytes(1400), to, df=False)
        assert max(map(len, low.frames)) in range(14 + mtu - 8, 14 + mtu + 1)
        assert len(low.sent()) > 1
        with pytest.raises(SocketError, match="EMSGSIZE"):
            low.xmit(bytes(1400), to, quiet=False)
