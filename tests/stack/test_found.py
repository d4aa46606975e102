"""What the property tests have found, each as a plain scenario."""

from __future__ import annotations

import pytest

from conformance.link.impaired import Impairment
from conformance.stack.sock import Address
from conformance.stack.sysctl import MS, SECOND, Sysctl
from conformance.stack.tcp_fastopen import FastopenMetrics, tcp_fastopen_cookie_gen
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import MSG_FASTOPEN, MSG_OOB, MSG_PEEK, POLLOUT
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, PSH, SYN, URG, Segment
from tests.stack.stage import Error, Stage
from tests.stack.talk import Side
from tests.stack.test_delivery import Schedule, play

SACK_OK = b"\x02\x04\x05\xb4\x04\x02\x01\x01"
STAMPED = b"\x02\x04\x05\xb4\x04\x02\x08\x0a\x00\x00\x00\x64\x00\x00\x00\x00"


def sent(stage: Stage) -> list[Segment]:
    """The segments that the stack has sent."""
    packets = (read_frame(frame) for frame in stage.wire)
    return [packet for packet in packets if isinstance(packet, Segment) and packet.src == stage.own]


def test_an_urgent_octet_that_comes_before_the_data_does_not_end_the_sleep_of_recv() -> None:
    """RFC 9293, 3.8.5. recv looked again and again, for ever, though nothing was there to read."""
    stage = Stage()
    fd = stage.accepted()
    sk = stage.sk(fd)
    stage.call("fcntl", fd, False)
    task = stage.host.net.call("recvfrom", fd, 100)
    stage.segment(sk.dport, 80, sk.rcv_nxt + 5, sk.snd_nxt, ACK | URG, urgent=1, payload=b"!")
    assert not task.done
    stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK, payload=b"hello")
    assert task.value[0] == b"hello"


def test_a_peek_at_the_urgent_octet_shows_what_is_behind_it() -> None:
    """It returned nothing, which means that the peer has ended."""
    stage = Stage()
    fd = stage.accepted()
    sk = stage.sk(fd)
    stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK | URG | PSH, urgent=1, payload=b"!abc")
    assert stage.call("recvfrom", fd, 100, MSG_PEEK)[0] == b"abc"
    assert stage.call("recvfrom", fd, 1, MSG_OOB)[0] == b"!"
    assert stage.call("recvfrom", fd, 100)[0] == b"abc"


def test_what_went_with_a_syn_in_vain_is_sent_again_with_an_ack() -> None:
    """RFC 7413, 4.2.2; RFC 9293, 3.1: once the connection is established every segment has the ACK bit."""
    stage = Stage(sysctl=Sysctl(fast_open="both"))
    stage.host.net.fastopen_metrics[stage.peer] = FastopenMetrics(b"nonsense", 1460)
    fd = stage.socket()
    stage.call("sendto", fd, b"hello", MSG_FASTOPEN, Address(stage.peer, 99))
    sk = stage.sk(fd)
    stage.segment(99, sk.num, 7000, sk.iss + 1, SYN | ACK, options=SACK_OK)
    again = [segment for segment in sent(stage) if segment.payload == b"hello" and not segment.flags & SYN]
    assert [(segment.flags & ACK, segment.ack) for segment in again] == [(ACK, 7001)]


def test_small_segments_that_are_lost_are_joined_while_the_queue_is_walked() -> None:
    """RFC 9293, 3.8.6.2.1. The queue was walked by a copy, which still had what had been joined to another: ValueError."""
    stage = Stage(options=[("TCP_NODELAY", 1), ("TCP_MAXSEG", 100)])
    fd = stage.accepted()
    sk = stage.sk(fd)
    for _ in range(10):
        stage.call("sendto", fd, b"x" * 30)
    stage.wait(2 * SECOND)  # the timer has gone off: all are lost, and the first three go again in one
    assert [len(skb.data) for skb in sk.rtx_queue] == [90, *[30] * 7]
    while sk.rtx_queue:
        stage.segment(sk.dport, 80, sk.rcv_nxt, sk.rtx_queue[0].end_seq, ACK)
        stage.bounds.check()
    stage.end()


@pytest.mark.parametrize(("options", "seq", "last"), [(STAMPED, 0, b""), (SACK_OK, 65535, b"")])
def test_an_ack_that_the_connection_would_drop_makes_none(options: bytes, seq: int, last: bytes) -> None:
    """RFC 7323, 3.2 (no timestamp), RFC 9293, 3.10.7.4 (the right edge): a connection in SYN-RECEIVED without a timer was left."""
    stage = Stage()
    stage.segment(1000, 80, 5000, 0, SYN, options=options)
    request = stage.host.net.hashinfo.established(stage.peer, 1000, stage.own, 80)
    assert request is not None
    stage.segment(1000, 80, 5001 + (seq and request.rcv_wnd), request.iss + 1, ACK, options=last)
    assert stage.call("accept", stage.listener) == "EAGAIN"
    assert stage.host.net.hashinfo.established(stage.peer, 1000, stage.own, 80) is request


def test_small_segments_cannot_push_a_scaled_window_open() -> None:
    """RFC 7323, 2.4. The window was rounded up to what can be said with each ACK, so that it never closed, and the queue grew for ever."""
    stage = Stage()
    sk = stage.sk(stage.accepted(options=SACK_OK[:4] + b"\x01\x03\x03\x07"))
    assert sk.rcv_wscale > 5
    for _ in range(1500):
        stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK, payload=bytes(60))
        stage.bounds.check()
    assert sk.receive_window == 0


def test_ipv6_listens_to_packet_too_big_whatever_the_settings_say() -> None:
    """RFC 8200, section 5: nobody else makes fragments. The connection ended with EMSGSIZE."""
    stage = Stage(6, Sysctl(pmtu_discovery=False))
    fd = stage.accepted(options=SACK_OK)
    stage.call("sendto", fd, bytes(1400))
    stage.act(Error(kind=2, word=1280))
    assert stage.sk(fd).sk_state is TcpState.ESTABLISHED
    assert len(sent(stage)[-1].payload) <= 1220


def test_a_fast_open_server_answers_before_the_handshake_is_over() -> None:
    """RFC 7413, 4.2.2. poll said that there was room, and send that there was not."""
    stage = Stage(sysctl=Sysctl(fast_open="both"), options=[("TCP_FASTOPEN", 5), ("TCP_NODELAY", 1)])
    cookie = tcp_fastopen_cookie_gen(stage.host.net, stage.peer, stage.own)
    stage.segment(1000, 80, 5000, 0, SYN, options=SACK_OK + b"\x22\x0a" + cookie + b"\x01\x01", payload=b"hello")
    fd = stage.call("accept", stage.listener)[0]
    assert stage.sk(fd).sk_state is TcpState.SYN_RECEIVED
    assert stage.call("poll", fd) & POLLOUT
    assert stage.call("sendto", fd, b"world") == 5
    assert sent(stage)[-1].payload == b"world"


def test_an_orphan_at_a_closed_window_ends_though_the_peer_answers() -> None:
    """RFC 9293, 3.8.6.1: the system may end it (RFC 6429). Each answer counted as a sign of life, and there was nobody to end it."""
    stage = Stage()
    fd = stage.accepted()
    sk = stage.sk(fd)
    stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK, window=0)
    stage.call("sendto", fd, b"hello")
    stage.call("close", fd)
    for _ in range(100):
        if (probe := stage.host.net.next_timer()) is None or sk.sk_state is TcpState.CLOSED:
            break
        stage.wait(probe - stage.now)
        stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK, window=0)
    assert sk.sk_state is TcpState.CLOSED


def test_a_window_probe_is_no_acknowledgment() -> None:
    """RFC 9293, 3.8.6.3 (MUST-58). What waited to be acknowledged was thought to be, by a segment that the peer drops for its number."""
    stage = Stage()
    fd = stage.accepted()
    sk = stage.sk(fd)
    stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK, window=0)
    stage.call("setsockopt", fd, "TCP_QUICKACK", 0)
    stage.call("sendto", fd, b"hello")
    probe = stage.host.net.next_timer()
    assert probe is not None
    stage.wait(probe - stage.now - MS)
    stage.segment(sk.dport, 80, sk.rcv_nxt, sk.snd_nxt, ACK | PSH, window=0, payload=b"x")
    stage.wire.clear()
    stage.wait(MS)
    assert [(segment.seq - sk.snd_nxt, segment.ack - sk.rcv_nxt) for segment in sent(stage)] == [(0, 0), (-1, 0)]


def test_a_fast_open_that_is_refused_on_a_bad_link() -> None:
    side = Side(writes=(2000, 2000))
    bad = Impairment(loss=0.3, delay=MS, jitter=100 * MS)
    play(Schedule(sides=(side, side), links=(bad, bad), opening="bad cookie", seed=1, sysctls=(Sysctl(fast_open="both"),) * 2))
