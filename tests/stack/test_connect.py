"""connect and shutdown of stream sockets: SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED, ports, and the order of the layers."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from conformance.stack.sock import Address, SocketState
from conformance.stack.sysctl import SECOND
from conformance.stack.tcp_states import TcpState
from tests.stack.sockets_bed import ANY, OWN, PEER, Bed, bed, linux, mapped
from tests.stack.test_bind import TimeWaitSock

__all__ = ["bed", "linux"]

_S = TcpState


@pytest.mark.parametrize("family", [2, 10])
def test_blocking(bed: Bed, family: int) -> None:
    c = bed.socket(family)
    task = bed.start("connect", c, Address(PEER[family], 9))
    assert not task.done and bed.net.files[c].state is SocketState.SS_CONNECTING
    name = bed.call("getsockname", c)
    assert name.host == OWN[family] and name.port == bed.sk(c).num
    assert bed.call("getpeername", c) == "ENOTCONN"
    bed.become(bed.sk(c), _S.ESTABLISHED)
    assert task.value == 0 and bed.net.files[c].state is SocketState.SS_CONNECTED
    assert bed.call("connect", c, Address(PEER[family], 9)) == "EISCONN"
    assert bed.call("getpeername", c) == Address(PEER[family], 9)


def test_nonblocking(bed: Bed, linux: Bed) -> None:
    for one, first in ((bed, "EISCONN"), (linux, 0)):
        c, peer = one.socket(1 << 1, 1 | 0o4000), Address(PEER[2], 9)
        assert one.call("connect", c, peer) == "EINPROGRESS"
        assert one.call("connect", c, peer) == "EALREADY"
        one.become(one.sk(c), _S.ESTABLISHED)
        assert one.call("connect", c, peer) == first
        assert one.call("connect", c, peer) == "EISCONN"


@pytest.mark.parametrize("error", ["ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH"])
def test_an_attempt_that_fails_can_be_made_again(bed: Bed, error: str) -> None:
    c = bed.socket()
    for _ in range(2):
        task = bed.start("connect", c, Address(PEER[2], 9))
        bed.become(bed.sk(c), _S.CLOSED, error)
        assert task.error == error
        sk = bed.sk(c)
        assert (sk.num, sk.saddr, sk.daddr) == (0, b"", b"") and bed.net.files[c].state is SocketState.SS_UNCONNECTED
        assert not bed.net.hashinfo.bhash and not bed.net.hashinfo.ehash


def test_an_error_that_so_error_took(bed: Bed) -> None:
    c = bed.socket(2, 1 | 0o4000)
    bed.call("connect", c, Address(PEER[2], 9))
    bed.become(bed.sk(c), _S.CLOSED, "ECONNREFUSED")
    assert [bed.call("getsockopt", c, "SO_ERROR") for _ in range(2)] == [b"ECONNREFUSED", b""]
    assert bed.call("connect", c, Address(PEER[2], 9)) == "ECONNABORTED"
    assert bed.call("connect", c, Address(PEER[2], 9)) == "EINPROGRESS"


def test_interrupted_and_overdue(bed: Bed) -> None:
    c, peer = bed.socket(SO_SNDTIMEO=SECOND), Address(PEER[2], 9)
    task = bed.start("connect", c, peer)
    bed.net.signal(task)
    assert task.error == "EINTR"
    task = bed.start("connect", c, peer)
    bed.after(1)
    assert task.error == "EALREADY", "the attempt goes on all the time"
    c = bed.socket(SO_SNDTIMEO=SECOND)
    task = bed.start("connect", c, peer)
    bed.after(1)
    assert task.error == "EINPROGRESS"


def test_dissolved(bed: Bed) -> None:
    c = bed.socket()
    bed.call("bind", c, Address(ANY[2], 80))
    bed.start("connect", c, Address(PEER[2], 9))
    bed.become(bed.sk(c), _S.ESTABLISHED)
    assert bed.call("connect", c, Address(b"", 0)) == 0
    assert bed.sk(c).sk_state is _S.CLOSED and bed.call("getsockname", c) == Address(ANY[2], 80), "what bind asked for stays"
    bed.call("fcntl", c, True)
    assert bed.call("connect", c, Address(PEER[2], 10)) == "EINPROGRESS"


def test_no_route(bed: Bed) -> None:
    c = bed.socket()
    assert bed.call("connect", c, Address(bytes([198, 51, 100, 1]), 9)) == "ENETUNREACH"
    assert bed.net.files[c].state is SocketState.SS_UNCONNECTED


def test_a_v6_socket_connects_to_ipv4(bed: Bed) -> None:
    c = bed.socket(10, 1 | 0o4000)
    assert bed.call("connect", c, Address(mapped("10.0.0.2"), 9)) == "EINPROGRESS"
    bed.become(bed.sk(c), _S.ESTABLISHED)
    assert bed.call("getpeername", c) == Address(mapped("10.0.0.2"), 9)
    assert bed.call("getsockname", c).host == mapped("10.0.0.1")
    assert bed.net.hashinfo.established(PEER[2], 9, OWN[2], bed.sk(c).num) is bed.sk(c)


def test_ephemeral_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    bed = Bed(monkeypatch, ephemeral_ports="50000..50003")
    bed.call("bind", bed.socket(), Address(ANY[2], 50001))
    ports = []
    for place in range(5):
        c = bed.socket(2, 1 | 0o4000)
        result = bed.call("connect", c, Address(PEER[2], 9))
        assert result == ("EINPROGRESS" if place < 3 else "EADDRNOTAVAIL")
        ports.append(bed.sk(c).num)
    assert sorted(ports[:3]) == [50000, 50002, 50003] and not any(ports[3:])
    c = bed.socket(2, 1 | 0o4000)
    assert bed.call("connect", c, Address(PEER[2], 10)) == "EINPROGRESS", "another peer: the connection differs"


def test_even_ports_are_for_connect(bed: Bed) -> None:
    for _ in range(20):
        c = bed.socket(2, 1 | 0o4000)
        bed.call("connect", c, Address(PEER[2], 9))
        assert bed.sk(c).num % 2 == 0


@pytest.mark.parametrize("unique", [False, True])
def test_time_wait_gives_way_if_tcp_says_so(monkeypatch: pytest.MonkeyPatch, unique: bool) -> None:
    bed = Bed(monkeypatch, ephemeral_ports="50000..50000")
    bed.unique = unique
    bed.net.hashinfo.insert(TimeWaitSock(OWN[2], 50000, PEER[2], 9))
    c = bed.socket(2, 1 | 0o4000)
    assert bed.call("connect", c, Address(PEER[2], 9)) == ("EINPROGRESS" if unique else "EADDRNOTAVAIL")


def test_the_same_four_numbers(bed: Bed) -> None:
    c, d = (bed.socket(2, 1 | 0o4000, SO_REUSEADDR=1) for _ in range(2))
    assert bed.call("bind", c, Address(ANY[2], 80)) == bed.call("bind", d, Address(ANY[2], 80)) == 0
    assert bed.call("connect", c, Address(PEER[2], 9)) == "EINPROGRESS"
    assert bed.call("connect", d, Address(PEER[2], 9)) == "EADDRNOTAVAIL"
    assert bed.call("connect", d, Address(PEER[2], 10)) == "EINPROGRESS"


def test_shutdown(bed: Bed) -> None:
    c = bed.socket(2, 1 | 0o4000)
    assert bed.call("shutdown", c, 3) == bed.call("shutdown", c, -1) == "EINVAL"
    assert [bed.call("shutdown", c, how) for how in range(3)] == ["ENOTCONN"] * 3
    c = bed.socket(2, 1 | 0o4000)
    bed.call("connect", c, Address(PEER[2], 9))
    assert bed.call("shutdown", c, 1) == 0
    assert bed.sk(c).sk_state is _S.CLOSED and bed.net.files[c].state is SocketState.SS_UNCONNECTED
    bed.call("connect", c, Address(PEER[2], 9))
    bed.become(bed.sk(c), _S.ESTABLISHED)
    assert bed.call("shutdown", c, 0) == 0 and bed.sk(c).sk_shutdown == 1


# The order of the layers ----------------------------------------------------------------------------------------------

WALKS = {
    "socket": "sys_socket sock_create __sock_create sock_alloc inet_create sk_alloc sock_init_data "
    "sock_map_fd get_unused_fd_flags fd_install",
    "bind": "sys_bind sockfd_lookup_light move_addr_to_kernel inet_bind inet_csk_get_port inet_csk_bind_conflict",
    "listen": "sys_listen sockfd_lookup_light inet_listen __inet_listen_sk inet_csk_listen_start tcp_set_state inet_csk_get_port inet_hash",
    "accept": "sys_accept sockfd_lookup_light sock_alloc get_unused_fd_flags inet_accept inet_csk_accept inet_csk_wait_for_connect",
    "accepted": "reqsk_queue_remove __inet_accept sock_graft inet_getname fd_install",
    "connect": "sys_connect sockfd_lookup_light move_addr_to_kernel inet_stream_connect __inet_stream_connect _connect tcp_set_state "
    "inet_hash_connect __inet_hash_connect __inet_check_established inet_wait_for_connect",
}


def test_walks(bed: Bed) -> None:
    walks: dict[str, list[str]] = {}

    def record(name: str, work: Any) -> None:
        names = walks.setdefault(name, [])

        def profile(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call":
                names.append(frame.f_code.co_name)

        sys.setprofile(profile)
        try:
            work()
        finally:
            sys.setprofile(None)

    record("socket", lambda: bed.start("socket", 2, 1, 0))
    record("bind", lambda: bed.start("bind", 3, Address(ANY[2], 80)))
    record("listen", lambda: bed.start("listen", 3, 5))
    record("accept", lambda: bed.start("accept", 3))
    record("accepted", lambda: bed.connected(3, Address(PEER[2], 9)))
    bed.socket()
    record("connect", lambda: bed.start("connect", 5, Address(PEER[2], 9)))
    for name, walk in WALKS.items():
        wanted = walk.split()
        seen = iter(walks[name])
        assert all(step in seen for step in wanted), (name, walks[name])
