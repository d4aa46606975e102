"""Descriptors: numbers, EBADF, ENOTSOCK, EMFILE, and ppoll over several of them."""

from __future__ import annotations

import pytest

from conformance.stack.sock import Address
from conformance.stack.sysctl import SECOND
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import POLLHUP, POLLIN, POLLNVAL, POLLOUT
from tests.stack.sockets_bed import ANY, OWN, PEER, Bed, bed

__all__ = ["bed"]

CALLS = [
    ("bind", Address(bytes(4), 1)), ("listen", 1), ("connect", Address(bytes(4), 1)), ("accept",), ("sendto", b"x"), ("recvfrom", 1),
    ("shutdown", 1), ("close",), ("getsockname",), ("getpeername",), ("setsockopt", "SO_REUSEADDR", 1), ("getsockopt", "SO_ERROR"),
    ("fcntl", True), ("tcp_info",),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_descriptors_that_are_no_sockets(bed: Bed, call: tuple[object, ...]) -> None:
    name, *arguments = call
    for fd in (3, -1, 99999):
        assert bed.call(str(name), fd, *arguments) == "EBADF"
    assert bed.call(str(name), 1, *arguments) == "ENOTSOCK"


def test_the_lowest_number_that_is_free(bed: Bed) -> None:
    assert [bed.socket() for _ in range(4)] == [3, 4, 5, 6]
    assert bed.call("close", 4) == 0
    assert bed.call("close", 4) == "EBADF"
    assert [bed.socket(), bed.socket()] == [4, 7]


def test_no_number_left(bed: Bed) -> None:
    bed.net.max_files = 5
    s, _ = bed.socket(), bed.socket()
    assert bed.call("socket", 2, 3, 17) == "EMFILE"
    assert not bed.net.hashinfo.raw, "the socket that found no descriptor is gone"
    assert bed.call("socket", 1, 1, 0) == "EAFNOSUPPORT", "what is wrong with the socket is told first"
    bed.call("listen", s, 1)
    bed.connected(s, Address(PEER[2], 9))
    assert bed.call("accept", s) == "EMFILE"
    bed.call("close", 4)
    assert bed.call("accept", s) == (4, Address(PEER[2], 9)), "the connection was not lost"


def test_a_number_is_taken_while_accept_sleeps(bed: Bed) -> None:
    s = bed.socket()
    bed.call("listen", s, 1)
    task = bed.start("accept", s)
    assert not task.done and bed.socket() == 5
    assert bed.call("getsockname", 4) == "EBADF"
    bed.net.signal(task)
    assert task.error == "EINTR"
    assert bed.socket() == 4


def test_ppoll_wakes_for_any_of_its_sockets(bed: Bed) -> None:
    s, c = bed.socket(), bed.socket()
    bed.call("listen", s, 1)
    bed.call("fcntl", c, True)
    assert bed.call("connect", c, Address(PEER[2], 9)) == "EINPROGRESS"
    for _ in range(3):
        task = bed.start("ppoll", [(s, POLLIN), (c, POLLOUT), (-1, POLLIN)], None)
        assert not task.done
        bed.net.signal(task)
        assert task.error == "EINTR"
    task = bed.start("ppoll", [(s, POLLIN), (c, POLLOUT)], None)
    bed.become(bed.sk(c), TcpState.ESTABLISHED)
    assert task.value == [(c, POLLOUT)]
    bed.connected(s, Address(PEER[2], 10))
    assert bed.call("ppoll", [(s, POLLIN), (c, POLLOUT)], None) == [(s, POLLIN), (c, POLLOUT)]
    assert not bed.net._sleeping


def test_ppoll_has_an_end(bed: Bed) -> None:
    c = bed.socket()
    assert bed.call("ppoll", [(c, POLLIN)], 0) == []
    task = bed.start("ppoll", [(c, POLLIN)], SECOND)
    bed.after(0.5)
    assert not task.done
    bed.after(0.5)
    assert task.value == [] and bed.net.next_timer() is None
    assert bed.call("ppoll", [(77, 0)], None) == [(77, POLLNVAL)]
    assert bed.call("poll", 77) == POLLNVAL
    task = bed.start("ppoll", [], SECOND)
    bed.after(1)
    assert task.value == []


def test_hang_up_is_told_unasked(bed: Bed) -> None:
    u = bed.socket(kind=2)
    task = bed.start("ppoll", [(u, 0)], None)
    assert not task.done
    bed.call("shutdown", u, 2)
    assert task.value == [(u, POLLHUP)]


def test_a_timeout_that_was_not_needed_leaves_nothing(bed: Bed) -> None:
    u = bed.socket(kind=2, SO_RCVTIMEO=10 * SECOND)
    bed.call("bind", u, Address(ANY[2], 5000))
    for _ in range(3):
        task = bed.start("recvfrom", u, 10)
        bed.call("sendto", u, b"self", 0, Address(OWN[2], 5000))
        assert task.value == (b"self", Address(OWN[2], 5000))
    assert bed.net.next_timer() is None and not bed.net._sleeping
    task = bed.start("recvfrom", u, 10)
    bed.after(10)
    assert task.error == "EAGAIN"


@pytest.mark.parametrize("kind", [1, 2])
def test_addresses_that_are_none(bed: Bed, kind: int) -> None:
    fd = bed.socket(kind=kind)
    for call in ("bind", "connect"):
        assert bed.call(call, fd, Address(b"abc", 1)) == "EINVAL"
        assert bed.call(call, fd, Address(bytes(4), 65536)) == "EINVAL"
