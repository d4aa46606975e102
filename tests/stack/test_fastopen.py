"""TCP Fast Open between two stacks (RFC 7413): a cookie first, data with the SYN from then on."""

from __future__ import annotations

import pytest

from conformance.stack.tcp_fastopen import FastopenMetrics
from conformance.stack.uapi import AF_INET, MSG_DONTWAIT, MSG_FASTOPEN, SOCK_STREAM

from .pair import HERE, SERVER, Pair


def fast(server: str = "both") -> Pair:
    """Two stacks, of which the server's settings may be against it."""
    return Pair({"fast_open": "both"}, {"fast_open": server}, TCP_FASTOPEN=8)


def accepted(pair: Pair) -> bytes:
    """What the server reads of the next connection."""
    accept = pair.do(1, "accept", pair.listener)
    assert accept.done, "there is a connection"
    data: bytes = pair.do(1, "recvfrom", accept.value[0], 100).value[0]
    return data


def sent(pair: Pair, data: bytes, flags: int = 0) -> int:
    fd = pair.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
    task = pair.do(0, "sendto", fd, data, MSG_FASTOPEN | flags, HERE)
    assert task.error is None, task.error
    return int(task.value)


def test_the_second_connection_sends_its_data_with_the_syn() -> None:
    pair = fast()
    assert sent(pair, b"one") == 3
    assert accepted(pair) == b"one"
    assert [len(syn.payload) for syn in pair.syns] == [0, 0]
    pair.seen.clear()
    assert sent(pair, b"two", MSG_DONTWAIT) == 3
    assert accepted(pair) == b"two"
    assert [syn.payload for syn in pair.syns] == [b"two", b""]
    assert pair.syns[1].ack == pair.syns[0].seq + 4 & 0xFFFFFFFF, "the SYN,ACK acknowledges the data, too"


def test_a_server_without_it_gets_the_data_after_the_handshake() -> None:
    pair = fast(server="off")
    for _ in range(2):
        assert sent(pair, b"data") == 4
        assert accepted(pair) == b"data"
    assert not any(syn.payload for syn in pair.syns)


def test_a_forged_cookie_is_not_believed() -> None:
    pair = fast()
    sent(pair, b"one")
    accepted(pair)
    pair.nets[0].fastopen_metrics[SERVER] = FastopenMetrics(bytes(8), 1460)
    pair.seen.clear()
    sent(pair, b"two")
    assert pair.syns[1].ack == pair.syns[0].seq + 1 & 0xFFFFFFFF, "the data is not taken"
    assert accepted(pair) == b"two", "but sent again"
    assert pair.nets[0].fastopen_metrics[SERVER].cookie != bytes(8)


@pytest.mark.parametrize("cookie", [False, True])
def test_connect_that_waits_for_data(cookie: bool) -> None:
    pair = fast()
    if cookie:
        sent(pair, b"one")
        accepted(pair)
    pair.seen.clear()
    fd = pair.do(0, "socket", AF_INET, SOCK_STREAM, 0).value
    pair.do(0, "setsockopt", fd, "TCP_FASTOPEN_CONNECT", 1)
    assert pair.do(0, "connect", fd, HERE).error is None
    assert bool(pair.syns) is not cookie, "with a cookie the SYN waits"
    assert pair.do(0, "sendto", fd, b"hello").value == 5
    assert accepted(pair) == b"hello"
    assert (pair.syns[0].payload == b"hello") is cookie
