"""bind, listen and accept: addresses, ports, conflicts, queues."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from conformance.stack.sock import Address, SocketState
from conformance.stack.sysctl import SECOND
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import SOCK_DGRAM, SOCK_STREAM
from tests.stack.sockets_bed import ANY, OWN, PEER, Bed, bed, linux, mapped

__all__ = ["bed", "linux"]

BROADCAST, GROUP, FOREIGN = bytes([10, 0, 0, 255]), bytes([224, 0, 0, 9]), bytes([198, 51, 100, 1])
FOREIGN6, GROUP6 = b"\x20\x01" + bytes(13) + b"\x09", b"\xff\x02" + bytes(13) + b"\x09"


@dataclass(eq=False)
class TimeWaitSock:
    saddr: bytes
    num: int
    daddr: bytes
    dport: int
    sk_reuse: bool = False
    sk_reuseport: bool = False
    sk_family: int = 2
    sk_state = TcpState.TIME_WAIT


@pytest.mark.parametrize("family", [2, 10])
def test_bind_once(bed: Bed, family: int) -> None:
    s = bed.socket(family)
    assert bed.call("bind", s, Address(OWN[family], 80)) == 0
    assert bed.call("getsockname", s) == Address(OWN[family], 80)
    assert bed.call("bind", s, Address(OWN[family], 81)) == "EINVAL"
    assert bed.call("getsockname", s) == Address(OWN[family], 80)
    assert bed.call("getsockname", bed.socket(family)) == Address(ANY[family], 0)


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_DGRAM])
def test_addresses(bed: Bed, kind: int) -> None:
    results = {
        (2, FOREIGN): "EADDRNOTAVAIL", (2, BROADCAST): 0, (2, GROUP): 0, (2, b"\xff" * 4): 0, (2, b"\x7f\0\0\x05"): 0,
        (2, OWN[10]): "EAFNOSUPPORT", (2, b""): 0, (10, FOREIGN6): "EADDRNOTAVAIL",
        (10, GROUP6): 0 if kind == SOCK_DGRAM else "EINVAL", (10, OWN[2]): "EINVAL",
        (10, b""): "EAFNOSUPPORT", (10, mapped("10.0.0.1")): 0, (10, mapped("198.51.100.1")): "EADDRNOTAVAIL", (10, bytes(15) + b"\x01"): 0,
    }  # fmt: skip
    for (family, host), result in results.items():
        s = bed.socket(family, kind)
        assert bed.call("bind", s, Address(host, 0)) == result, host
        assert bool(bed.sk(s).num) == (result == 0)


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_DGRAM])
def test_port_zero_is_any_that_is_free(bed: Bed, kind: int) -> None:
    low, high = bed.net.sysctl.ports
    ports = set()
    for family in (2, 10) * 20:
        s = bed.socket(family, kind)
        assert bed.call("bind", s, Address(OWN[family], 0)) == 0
        ports.add(bed.sk(s).num)
    assert len(ports) == 40 and all(low <= port <= high for port in ports)


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_DGRAM])
def test_no_port_left(monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    bed = Bed(monkeypatch, ephemeral_ports="5000..5002")
    for _ in range(3):
        assert bed.call("bind", bed.socket(kind=kind), Address(ANY[2], 0)) == 0
    s = bed.socket(kind=kind)
    assert bed.call("bind", s, Address(ANY[2], 0)) == "EADDRINUSE"
    assert bed.call("bind", s, Address(ANY[2], 80)) == 0, "it is unbound still"


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_DGRAM])
@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ((2, ANY[2]), (2, OWN[2]), True),
        ((2, OWN[2]), (2, ANY[2]), True),
        ((2, OWN[2]), (2, OWN[2]), True),
        ((2, OWN[2]), (2, b"\x7f\0\0\x01"), False),
        ((10, ANY[10]), (2, OWN[2]), True),  # :: takes IPv4 too
        ((2, OWN[2]), (10, ANY[10]), True),
        ((10, OWN[10]), (2, ANY[2]), False),
        ((10, mapped("10.0.0.1")), (2, ANY[2]), True),
        ((10, mapped("0.0.0.0")), (2, OWN[2]), True),
        ((10, mapped("10.0.0.1")), (10, OWN[10]), False),
        ((10, ANY[10]), (10, OWN[10]), True),
    ],
)
def test_conflicts(bed: Bed, kind: int, first: tuple[int, bytes], second: tuple[int, bytes], clash: bool) -> None:
    for reuse, expected in ((0, clash), (1, False)):
        bed.net.hashinfo.bhash.clear()
        bed.net.hashinfo.udp.clear()
        for place, (family, host) in enumerate((first, second)):
            s = bed.socket(family, kind, SO_REUSEADDR=reuse)
            result = bed.call("bind", s, Address(host, 80))
            assert result == ("EADDRINUSE" if place and expected else 0)


def test_v6only_shares_the_port_with_ipv4(bed: Bed) -> None:
    s6 = bed.socket(10, IPV6_V6ONLY=1)
    assert bed.call("bind", s6, Address(ANY[10], 80)) == 0
    assert bed.call("setsockopt", s6, "IPV6_V6ONLY", 0) == "EINVAL"
    s4 = bed.socket(2)
    assert bed.call("bind", s4, Address(ANY[2], 80)) == 0
    assert bed.call("bind", bed.socket(10, IPV6_V6ONLY=1), Address(mapped("10.0.0.1"), 81)) == "EINVAL"
    assert bed.call("listen", s6, 1) == bed.call("listen", s4, 1) == 0
    assert bed.net.hashinfo.listener(OWN[2], 80) is bed.sk(s4)
    assert bed.net.hashinfo.listener(OWN[10], 80) is bed.sk(s6)


def test_reuseaddr_and_listeners(bed: Bed) -> None:
    s, d = bed.socket(SO_REUSEADDR=1), bed.socket(SO_REUSEADDR=1)
    assert bed.call("bind", s, Address(ANY[2], 80)) == bed.call("bind", d, Address(ANY[2], 80)) == 0
    assert bed.call("listen", s, 8) == 0
    assert bed.call("listen", d, 8) == "EADDRINUSE"
    assert bed.sk(d).sk_state is TcpState.CLOSED and bed.sk(d).num == 80
    assert bed.call("bind", bed.socket(SO_REUSEADDR=1), Address(ANY[2], 80)) == "EADDRINUSE"
    bed.call("close", s)
    assert bed.call("listen", d, 8) == 0


def test_reuseport(bed: Bed) -> None:
    fds = [bed.socket(SO_REUSEPORT=1) for _ in range(3)]
    assert [bed.call("bind", fd, Address(ANY[2], 80)) or bed.call("listen", fd, 1) for fd in fds] == [0, 0, 0]
    assert bed.call("bind", bed.socket(), Address(ANY[2], 80)) == "EADDRINUSE"
    chosen = [bed.net.hashinfo.listener(OWN[2], 80, PEER[2], port) for port in range(1000, 1200)]
    assert set(chosen) == {bed.sk(fd) for fd in fds}
    assert chosen == [bed.net.hashinfo.listener(OWN[2], 80, PEER[2], port) for port in range(1000, 1200)]


@pytest.mark.parametrize(("old", "new", "result"), [(0, 0, "EADDRINUSE"), (0, 1, "EADDRINUSE"), (1, 0, "EADDRINUSE"), (1, 1, 0)])
def test_time_wait(bed: Bed, old: int, new: int, result: object) -> None:
    bed.net.hashinfo.insert(TimeWaitSock(OWN[2], 80, PEER[2], 9, sk_reuse=bool(old)))
    assert bed.call("bind", bed.socket(SO_REUSEADDR=new), Address(ANY[2], 80)) == result


def test_a_connection_keeps_its_port(bed: Bed) -> None:
    s = bed.socket()
    bed.call("bind", s, Address(ANY[2], 80))
    bed.call("listen", s, 1)
    bed.connected(s, Address(PEER[2], 9))
    c, _ = bed.call("accept", s)
    bed.call("close", s)
    assert bed.call("bind", bed.socket(), Address(ANY[2], 80)) == "EADDRINUSE"
    bed.call("close", c)
    assert bed.call("bind", bed.socket(), Address(ANY[2], 80)) == 0


# listen and accept ----------------------------------------------------------------------------------------------------


def test_listen(bed: Bed) -> None:
    s = bed.socket()
    assert bed.call("accept", s) == "EINVAL"
    assert bed.call("listen", s, 5) == 0
    assert bed.sk(s).num and bed.call("getsockopt", s, "SO_ACCEPTCONN") == 1
    assert bed.call("bind", s, Address(OWN[2], 80)) == "EINVAL"
    for backlog, kept in ((7, 7), (99999, 4096), (-1, 0), (0, 0)):
        assert bed.call("listen", s, backlog) == 0
        assert bed.sk(s).sk_max_ack_backlog == kept
    assert bed.moves == [(TcpState.CLOSED, TcpState.LISTEN)]
    assert bed.call("connect", s, Address(PEER[2], 9)) == "EISCONN"
    assert bed.call("getpeername", s) == "ENOTCONN"


@pytest.mark.parametrize("family", [2, 10])
def test_only_streams_listen(bed: Bed, family: int) -> None:
    for kind, protocol in ((2, 0), (3, 200)):
        s = bed.socket(family, kind, protocol)
        assert bed.call("listen", s, 8) == bed.call("accept", s) == "EOPNOTSUPP"


@pytest.mark.parametrize("peer", [Address(PEER[2], 9), Address(PEER[10], 9)], ids=["ipv4", "ipv6"])
def test_accept(bed: Bed, peer: Address) -> None:
    s = bed.socket(10)
    bed.call("bind", s, Address(ANY[10], 80))
    bed.call("listen", s, 5)
    task = bed.start("accept", s)
    assert not task.done
    child = bed.connected(s, peer)
    shown = Address(mapped("10.0.0.2"), 9) if len(peer.host) == 4 else peer
    assert task.value == (4, shown) and bed.net.files[4].state is SocketState.SS_CONNECTED
    assert bed.call("getpeername", 4) == shown
    assert bed.call("getsockname", 4).host[-4:] == child.saddr[-4:]
    assert bed.net.files[4].sk is child and child.sk_socket is bed.net.files[4] and child.listener is None
    assert bed.call("accept", 4) == bed.call("listen", 4, 1) == "EINVAL"
    assert bed.call("recvfrom", 4, 10) == (b"stream", None)


def test_accept_that_may_not_sleep(bed: Bed) -> None:
    s = bed.socket(SO_RCVTIMEO=SECOND)
    bed.call("listen", s, 5)
    task = bed.start("accept", s)
    bed.after(1)
    assert task.error == "EAGAIN"
    bed.call("fcntl", s, True)
    assert bed.call("accept", s) == "EAGAIN"
    bed.connected(s, Address(PEER[2], 1))
    bed.connected(s, Address(PEER[2], 2))
    assert [bed.call("accept", s)[1].port for _ in range(2)] == [1, 2]


def test_a_listener_that_is_shut_down_wakes_accept(bed: Bed) -> None:
    s = bed.socket()
    bed.call("listen", s, 5)
    waiting = bed.start("accept", s)
    child = bed.connected(s, Address(PEER[2], 1))
    assert waiting.done
    task = bed.start("accept", s)
    assert bed.call("shutdown", s, 1) == 0 and not task.done
    assert bed.call("shutdown", s, 0) == 0
    assert task.error == "EINVAL" and bed.sk(s).sk_state is TcpState.CLOSED and child not in bed.forgotten


def test_what_waits_is_forgotten_with_the_listener(bed: Bed) -> None:
    s = bed.socket()
    bed.call("listen", s, 5)
    children = [bed.connected(s, Address(PEER[2], port)) for port in (1, 2)]
    bed.call("close", s)
    assert bed.forgotten == children and not bed.net.hashinfo.listening


def test_a_connection_reset_while_it_waits(bed: Bed, linux: Bed) -> None:
    for one, result in ((bed, "ECONNABORTED"), (linux, (4, Address(PEER[2], 1)))):
        s = one.socket()
        one.call("listen", s, 5)
        child = one.connected(s, Address(PEER[2], 1))
        one.become(child, TcpState.CLOSED, "ECONNRESET")
        assert one.call("accept", s) == result
        assert one.sk(s).sk_state is TcpState.LISTEN
    assert linux.call("getpeername", 4) == "ENOTCONN"
    assert linux.call("getsockopt", 4, "SO_ERROR") == b"ECONNRESET"


def test_the_most_specific_listener(bed: Bed) -> None:
    hosts = [(10, ANY[10]), (10, mapped("10.0.0.1")), (10, OWN[10])]
    info = bed.net.hashinfo
    found = []
    for family, host in hosts:
        s = bed.socket(family, SO_REUSEPORT=1)
        assert bed.call("bind", s, Address(host, 80)) == bed.call("listen", s, 1) == 0
        found.append(bed.sk(s))
    assert info.listener(OWN[2], 80) is found[1] and info.listener(OWN[10], 80) is found[2]
    assert info.listener(b"\x7f\0\0\x01", 80) is found[0] and info.listener(OWN[2], 81) is None
