"""UDP, raw and echo sockets on the wire: bind, connect, send, receive, and errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6
from scapy.packet import Packet, Raw

from conformance.stack.sock import Address
from conformance.stack.uapi import MSG_DONTWAIT, MSG_PEEK, POLLERR, POLLIN, POLLOUT
from tests.stack.lower import OWN4, PEER4, PEER6, ip4, ip6, quick
from tests.stack.sockets_bed import ANY, OWN, PEER, Bed, bed, mapped

__all__ = ["bed"]

FAMILIES = pytest.mark.parametrize("family", [2, 10], ids=["ipv4", "ipv6"])
NOWAIT = MSG_DONTWAIT


def _from_peer(family: int, payload: Packet) -> Packet:
    return ip4(payload) if family == 2 else ip6(payload)


def _udp(family: int, dport: int, data: bytes = b"hello", sport: int = 9) -> Packet:
    return _from_peer(family, UDP(sport=sport, dport=dport) / Raw(data))


def _bound(bed: Bed, family: int, port: int = 5000, **options: int) -> int:
    u = bed.socket(family, 2, **options)
    assert bed.call("bind", u, Address(ANY[family], port)) == 0
    return u


@FAMILIES
def test_receive(bed: Bed, family: int) -> None:
    u = _bound(bed, family)
    assert bed.call("poll", u) == POLLOUT and bed.call("recvfrom", u, 10, NOWAIT) == "EAGAIN"
    task = bed.start("recvfrom", u, 3)
    bed.receive(_udp(family, 5000))
    assert task.value == (b"hel", Address(PEER[family], 9)), "the rest is lost"
    bed.receive(_udp(family, 5000, b""))
    assert bed.call("poll", u) == POLLIN | POLLOUT
    assert bed.call("recvfrom", u, 10, MSG_PEEK) == bed.call("recvfrom", u, 10) == (b"", Address(PEER[family], 9))
    assert not bed.sent()


@FAMILIES
def test_send(bed: Bed, family: int) -> None:
    u = bed.socket(family, 2)
    assert bed.call("sendto", u, b"hi") == "EDESTADDRREQ"
    assert bed.call("sendto", u, b"hi", 0, Address(PEER[family], 0)) == "EINVAL"
    assert bed.call("sendto", u, b"hi", 0, Address(PEER[family], 53)) == 2
    (frame,) = bed.sent()
    assert (frame[UDP].sport, frame[UDP].dport, bytes(frame[UDP].payload)[:2]) == (bed.sk(u).num, 53, b"hi")
    wanted = frame[UDP].chksum
    del frame[UDP].chksum
    assert type(frame)(bytes(frame))[UDP].chksum == wanted
    assert bed.call("sendto", u, bytes(65536), 0, Address(PEER[family], 53)) == "EMSGSIZE"
    assert bed.call("sendto", u, bytes(65528), 0, Address(PEER[family], 53)) == "EMSGSIZE"
    assert bed.call("sendto", u, b"x", 1, Address(PEER[family], 53)) == "EOPNOTSUPP"


@FAMILIES
def test_more_than_a_packet(bed: Bed, family: int) -> None:
    u = bed.socket(family, 2)
    to = Address(PEER[family], 53)
    assert bed.call("sendto", u, bytes(4000), 0, to) == 4000
    assert len(bed.sent()) == 3, "in fragments"
    bed.call("setsockopt", u, "IP_MTU_DISCOVER" if family == 2 else "IPV6_MTU_DISCOVER", 2)
    assert bed.call("sendto", u, bytes(4000), 0, to) == "EMSGSIZE"


@FAMILIES
def test_connected(bed: Bed, family: int) -> None:
    u = bed.socket(family, 2)
    assert bed.call("getpeername", u) == "ENOTCONN"
    assert bed.call("connect", u, Address(PEER[family], 53)) == 0
    own = bed.call("getsockname", u)
    assert own.host == OWN[family] and bed.call("getpeername", u) == Address(PEER[family], 53)
    assert bed.call("sendto", u, b"hi") == 2
    bed.receive(_udp(family, own.port, b"other", sport=54))
    assert bed.call("recvfrom", u, 10, NOWAIT) == "EAGAIN", "only the peer's"
    bed.receive(_udp(family, own.port, b"peer", sport=53))
    assert bed.call("recvfrom", u, 10) == (b"peer", Address(PEER[family], 53))
    assert bed.call("connect", u, Address(b"", 0)) == 0
    assert bed.call("getsockname", u) == Address(ANY[family], 0)


@FAMILIES
def test_the_connected_socket_is_more_specific(bed: Bed, family: int) -> None:
    one, two = _bound(bed, family, SO_REUSEADDR=1), _bound(bed, family, SO_REUSEADDR=1)
    bed.call("connect", two, Address(PEER[family], 9))
    bed.receive(_udp(family, 5000))
    assert bed.call("recvfrom", one, 10, NOWAIT) == "EAGAIN"
    assert bed.call("recvfrom", two, 10)[0] == b"hello"


@FAMILIES
def test_a_closed_port_answers(bed: Bed, family: int) -> None:
    bed.receive(_udp(family, 5000))
    (answer,) = bed.sent()
    if family == 2:
        assert (answer[ICMP].type, answer[ICMP].code, answer[IP].dst) == (3, 3, PEER4)
    else:
        assert (answer[ICMPv6DestUnreach].code, answer[IPv6].dst) == (4, PEER6)
    assert bed.net.mib["UdpNoPorts"] == 1


@FAMILIES
def test_refused(bed: Bed, family: int) -> None:
    u = bed.socket(family, 2)
    bed.call("connect", u, Address(PEER[family], 53))
    bed.call("sendto", u, b"hi")
    (sent,) = bed.sent()
    sent = sent[IP if family == 2 else IPv6]
    error = ICMP(type=3, code=3) / sent if family == 2 else ICMPv6DestUnreach(code=4) / sent
    bed.receive(_from_peer(family, error))
    assert bed.call("poll", u) & POLLERR
    assert bed.call("recvfrom", u, 10) == "ECONNREFUSED"
    assert bed.call("recvfrom", u, 10, NOWAIT) == "EAGAIN", "told once"
    bed.receive(_from_peer(family, error))
    assert bed.call("sendto", u, b"hi") == "ECONNREFUSED"
    assert bed.call("sendto", u, b"hi") == 2


def test_errors_that_are_not_told(bed: Bed) -> None:
    u = _bound(bed, 2)
    bed.call("sendto", u, b"hi", 0, Address(PEER[2], 53))
    sent = bed.sent()[0][IP]
    for code in (3, 1):
        bed.receive(ip4(ICMP(type=3, code=code) / sent))
    assert bed.call("getsockopt", u, "SO_ERROR") == b"", "not connected"
    bed.call("connect", u, Address(PEER[2], 53))
    bed.receive(ip4(ICMP(type=3, code=1) / sent))
    assert bed.call("getsockopt", u, "SO_ERROR") == b"", "soft"
    bed.call("setsockopt", u, "IP_RECVERR", 1)
    bed.receive(ip4(ICMP(type=3, code=1) / sent))
    assert bed.call("getsockopt", u, "SO_ERROR") == b"EHOSTUNREACH"


@FAMILIES
def test_the_path_gets_narrow(bed: Bed, family: int) -> None:
    u = bed.socket(family, 2)
    bed.call("connect", u, Address(PEER[family], 53))
    bed.call("sendto", u, bytes(1400))
    sent = bed.sent()[0][IP if family == 2 else IPv6]
    error = ICMP(type=3, code=4, nexthopmtu=1300) / sent if family == 2 else ICMPv6PacketTooBig(mtu=1300) / sent
    bed.receive(_from_peer(family, error))
    assert bed.call("getsockopt", u, "SO_ERROR") == b"EMSGSIZE"
    assert bed.call("getsockopt", u, "IP_MTU" if family == 2 else "IPV6_MTU") == 1300
    bed.call("sendto", u, bytes(1400))
    assert len(bed.sent()) == 2


def test_dual_stack(bed: Bed) -> None:
    u = _bound(bed, 10)
    bed.receive(_udp(2, 5000))
    assert bed.call("recvfrom", u, 10) == (b"hello", Address(mapped(PEER4), 9))
    for to in (Address(mapped(PEER4), 9), Address(PEER[2], 9)):
        assert bed.call("sendto", u, b"back", 0, to) == 4
        assert bed.sent()[0][IP].dst == PEER4
    assert bed.call("connect", u, Address(mapped(PEER4), 9)) == 0
    assert bed.call("getpeername", u) == Address(mapped(PEER4), 9)
    assert bed.call("getsockname", u) == Address(mapped(OWN4), 5000)
    only = _bound(bed, 10, 5001, IPV6_V6ONLY=1)
    assert bed.call("sendto", only, b"x", 0, Address(mapped(PEER4), 9)) == "ENETUNREACH"
    bed.receive(_udp(2, 5001))
    assert bed.call("recvfrom", only, 10, NOWAIT) == "EAGAIN"
    four = bed.socket(2, 2)
    assert bed.call("sendto", four, b"x", 0, Address(PEER[10], 9)) == "EAFNOSUPPORT"
    assert bed.call("connect", four, Address(PEER[10], 9)) == "EAFNOSUPPORT"


def test_broadcast(bed: Bed) -> None:
    u, to = bed.socket(2, 2), Address(bytes([10, 0, 0, 255]), 9)
    assert bed.call("sendto", u, b"x", 0, to) == bed.call("connect", u, to) == "EACCES"
    bed.call("setsockopt", u, "SO_BROADCAST", 1)
    assert bed.call("sendto", u, b"x", 0, to) == 1
    assert bed.sent()[0].dst == "ff:ff:ff:ff:ff:ff"
    a, b = (_bound(bed, 2, SO_REUSEADDR=1) for _ in range(2))
    bed.receive(ip4(UDP(sport=9, dport=5000) / Raw(b"all"), dst="10.0.0.255"))
    assert [bed.call("recvfrom", fd, 10, NOWAIT)[0] for fd in (a, b)] == [b"all", b"all"]
    bed.receive(ip4(UDP(sport=9, dport=5001) / Raw(b"none"), dst="10.0.0.255"))
    assert not bed.sent()


def test_a_queue_is_bounded(bed: Bed) -> None:
    u = _bound(bed, 2, SO_RCVBUF=2304)
    for _ in range(100):
        bed.receive(_udp(2, 5000, b""))
    assert 0 < len(bed.sk(u).datagrams) < 10 and bed.net.mib["UdpRcvbufErrors"] > 90


def test_shut_down(bed: Bed) -> None:
    u = bed.socket(2, 2)
    bed.call("connect", u, Address(PEER[2], 9))
    task = bed.start("recvfrom", u, 10)
    assert bed.call("shutdown", u, 2) == 0
    assert task.value == (b"", None) and bed.call("sendto", u, b"x") == "EPIPE"
    assert bed.call("shutdown", bed.socket(2, 2), 2) == "ENOTCONN"


def test_loopback(bed: Bed) -> None:
    u = _bound(bed, 2)
    c = bed.socket(2, 2)
    assert bed.call("connect", c, Address(ANY[2], 5000)) == 0
    bed.call("sendto", c, b"me")
    assert bed.call("recvfrom", u, 10)[0] == b"me"
    bed.call("close", u)
    bed.call("sendto", c, b"me")
    assert bed.call("recvfrom", c, 10) == "ECONNREFUSED"


@quick
@given(data=st.binary(max_size=60), family=st.sampled_from([2, 10]))
def test_datagrams_that_are_none(data: bytes, family: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        bed = Bed(patch)
        u = _bound(bed, family, 0)
        packet = ip4(data, proto=17) if family == 2 else ip6(data, nh=17)
        bed.receive(packet)
        bed.receive(ip4(ICMP(type=3, code=3) / Raw(data)) if family == 2 else ip6(ICMPv6DestUnreach() / Raw(data)))
        assert bed.call("recvfrom", u, 10, NOWAIT) == "EAGAIN"


# Raw and echo sockets -------------------------------------------------------------------------------------------------


@FAMILIES
def test_raw(bed: Bed, family: int) -> None:
    r = bed.socket(family, 3, 200)
    bed.receive(ip4(b"payload", proto=200) if family == 2 else ip6(b"payload", nh=200))
    data, source = bed.call("recvfrom", r, 100)
    assert source == Address(PEER[family], 0) and data[20 if family == 2 else 0 :] == b"payload"
    assert not bed.sent(), "the protocol is not unreachable"
    assert bed.call("sendto", r, b"out", 0, Address(PEER[family], 0)) == 3
    (frame,) = bed.sent()
    assert (frame[IP].proto if family == 2 else frame[IPv6].nh) == 200
    assert bed.call("bind", r, Address(OWN[family], 0)) == 0
    assert bed.call("bind", r, Address(b"\x01" * len(OWN[family]), 0)) == "EADDRNOTAVAIL"
    bed.call("close", r)
    assert not bed.net.hashinfo.raw


def test_raw_with_a_header(bed: Bed) -> None:
    r = bed.socket(2, 3, 255)
    packet = bytes(IP(src=OWN4, dst=PEER4, proto=201, ttl=7) / Raw(b"mine"))
    assert bed.call("sendto", r, packet, 0, Address(PEER[2], 0)) == len(packet)
    frame = bed.sent()[0]
    assert (frame[IP].ttl, frame[IP].proto, bytes(frame[IP].payload)[:4]) == (7, 201, b"mine")
    assert bed.call("sendto", r, b"short", 0, Address(PEER[2], 0)) == "EINVAL"


@FAMILIES
def test_ping(bed: Bed, family: int) -> None:
    p = bed.socket(family, 2, 1 if family == 2 else 58)
    kind = bytes(ICMP(type=8))[:1] if family == 2 else bytes(ICMPv6EchoRequest())[:1]
    request = kind + bytes(5) + b"\0\x01data"
    to = Address(PEER[family], 0)
    assert bed.call("sendto", p, b"\x0d" + request[1:], 0, to) == "EINVAL"
    assert bed.call("sendto", p, request, 0, to) == len(request)
    (frame,) = bed.sent()
    asked = frame[ICMP] if family == 2 else frame[ICMPv6EchoRequest]
    assert (asked.id, asked.seq) == (bed.sk(p).num, 1)
    if family == 2:
        reply: Packet = ICMP(type=0, id=asked.id, seq=1) / Raw(b"data")
    else:
        reply = ICMPv6EchoReply(id=asked.id, seq=1, data=b"data")
    bed.receive(_from_peer(family, reply))
    data, source = bed.call("recvfrom", p, 100)
    assert source == to
    assert data[8:] == b"data"
