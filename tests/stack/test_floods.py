"""What somebody can send without end is bounded in what it costs."""

from __future__ import annotations

from random import Random

from conformance.stack.sysctl import SECOND, Sysctl
from conformance.wire.segment import ACK, FIN, RST, SYN
from tests.stack.stage import Stage


def test_octets_with_holes_between_them_are_bounded() -> None:
    stage = Stage()
    sk = stage.sk(stage.accepted(options=b"\x02\x04\x05\xb4\x04\x02\x01\x01"))
    for at in range(1, 30_000, 2):
        stage.segment(sk.dport, 80, sk.rcv_nxt + at, sk.snd_nxt, ACK, payload=b"x")
    stage.bounds.check()
    stage.end()


def test_octets_that_overlap_are_kept_once() -> None:
    stage, rng = Stage(), Random(1)
    sk = stage.sk(stage.accepted(options=b"\x02\x04\x05\xb4\x04\x02\x01\x01"))
    for _ in range(3000):
        stage.segment(sk.dport, 80, sk.rcv_nxt + 1 + rng.randrange(60_000), sk.snd_nxt, ACK, payload=bytes(rng.randrange(1, 1400)))
        stage.bounds.check()
    stage.end()


def test_a_flood_of_syns_is_bounded() -> None:
    stage = Stage(sysctl=Sysctl(syn_cookies="off"), backlog=10)
    for port in range(1024, 12_000):
        stage.segment(port, 80, port, 0, SYN)
    assert len(stage.host.net.hashinfo.ehash) <= 10
    stage.bounds.check()
    stage.end()


def test_a_flood_of_syns_and_resets_is_bounded() -> None:
    """Each request is gone at once, and with it its timer, which would else be remembered until its time (RFC 4987, section 3)."""
    stage = Stage()
    for port in range(1024, 6000):
        stage.segment(port, 80, port, 0, SYN)
        stage.segment(port, 80, port + 1, 0, RST)
    stage.bounds.check()
    stage.end()


def test_connections_that_are_reset_leave_no_timers() -> None:
    """Keepalive's is hours away when the connection ends."""
    stage = Stage(options=[("SO_KEEPALIVE", 1)])
    for _ in range(500):
        fd = stage.accepted()
        sk = stage.sk(fd)
        stage.segment(sk.dport, 80, sk.rcv_nxt, 0, RST)
        stage.call("close", stage.fds.pop())
    stage.bounds.check()
    stage.end()


def test_time_wait_is_bounded() -> None:
    """RFC 9293, 3.6.1, wants TIME-WAIT; a peer that makes many connections end there must not fill the memory."""
    for most in (5, 4096, 10_000):
        stage = Stage(sysctl=Sysctl(max_tw_buckets=most))
        stage.host.net.tw_count = most - 3  # as if there were so many already
        for _ in range(10):
            fd = stage.accepted()
            sk = stage.sk(fd)
            stage.call("close", stage.fds.pop())
            stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK | FIN)
        assert len(stage.host.net.hashinfo.ehash) == 3, most
        assert stage.host.net.mib["TCPTimeWaitOverflow"] == 7
        stage.host.net.tw_count -= most - 3
        stage.end()


def test_a_window_that_is_closed_for_days_costs_a_probe_now_and_then() -> None:
    """RFC 9293, 3.8.6.1: as long as the peer answers, the connection stays (MUST-37)."""
    stage = Stage()
    fd = stage.accepted()
    sk = stage.sk(fd)
    stage.call("sendto", fd, bytes(100_000))
    while sk.rtx_queue:
        stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK, window=0)
    began, sent = stage.now, 0
    while stage.now - began < 3 * 86400 * SECOND:
        at = stage.host.net.next_timer()
        assert at is not None
        stage.wait(at - stage.now)
        sent += stage.host.sent
        stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK, window=0)
        stage.bounds.check()
    assert sent < 3000
    assert sk.sk_state == "ESTABLISHED"
    stage.end()
