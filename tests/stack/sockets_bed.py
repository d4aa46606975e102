"""A stack whose TCP is a stand-in: what the socket layer does can be seen alone. UDP, raw IP and all below are the real ones."""

from __future__ import annotations

import sys
from random import Random
from types import ModuleType
from typing import Any

import pytest
from scapy.layers.l2 import Ether
from scapy.packet import Packet

import conformance.stack
from conformance.stack import icmp, ip, ip6_input, raw, udp
from conformance.stack.errors import SocketError
from conformance.stack.in6 import on_wire
from conformance.stack.inet_connection_sock import inet_csk_accept, inet_csk_get_port, inet_csk_listen_stop, inet_csk_reqsk_queue_add
from conformance.stack.inet_hashtables import inet_hash, inet_hash_connect, inet_put_port, inet_unhash
from conformance.stack.net import Net
from conformance.stack.proto import InetProto
from conformance.stack.protocol import InetProtos
from conformance.stack.route import ip_route_output
from conformance.stack.sock import Address, ConnectionSock, Sock
from conformance.stack.sysctl import SECOND, Sysctl
from conformance.stack.tasks import Call, Task
from conformance.stack.tcp_states import TcpState, tcp_set_state
from conformance.stack.uapi import POLLIN, POLLOUT, SOCK_STREAM
from tests.stack.lower import OWN4, OWN6, OWN_MAC, PEER4, PEER6, PEER_MAC, mac, packed

OWN = {2: packed(OWN4), 10: packed(OWN6)}
PEER = {2: packed(PEER4), 10: packed(PEER6)}
ANY = {2: bytes(4), 10: bytes(16)}


def mapped(address: str) -> bytes:
    return bytes(10) + b"\xff\xff" + packed(address)


# A protocol that connects when it is told to -----------------------------------------------------------------------------


def _connect(sk: Sock, address: Address) -> None:
    daddr = on_wire(address.host)
    dst = ip_route_output(sk.net, daddr, sk.saddr)
    sk.saddr, sk.rcv_saddr, sk.daddr, sk.dport = dst.saddr, dst.saddr, daddr, address.port
    tcp_set_state(sk, TcpState.SYN_SENT)
    try:
        inet_hash_connect(sk)
    except SocketError:
        _disconnect(sk)
        raise


def _disconnect(sk: Sock) -> None:
    if sk.sk_state is TcpState.LISTEN:
        assert isinstance(sk, ConnectionSock)
        inet_csk_listen_stop(sk)
    tcp_set_state(sk, TcpState.CLOSED)
    inet_unhash(sk)
    if not sk.bound_by_user:
        inet_put_port(sk)
    if not sk.addr_bound_by_user:
        sk.saddr = sk.rcv_saddr = b""
    sk.dport, sk.daddr = 0, b""


def _close(sk: Sock, _timeout: int) -> Call:
    yield from ()
    _disconnect(sk)
    inet_put_port(sk)


def _sendmsg(_sk: Sock, data: bytes, _flags: int, _address: Address | None) -> Call:
    yield from ()
    return len(data)


def _recvmsg(_sk: Sock, _size: int, _flags: int) -> Call:
    yield from ()
    return b"stream"


def _poll(sk: Sock) -> int:
    if isinstance(sk, ConnectionSock) and sk.sk_state is TcpState.LISTEN:
        return POLLIN if sk.accept_queue else 0
    return POLLOUT if sk.sk_state is TcpState.ESTABLISHED else 0


def _refuse(*_: Any) -> Any:
    raise SocketError("ENOPROTOOPT")


def _nothing(*_: Any) -> None:
    pass


def _prot(name: str) -> InetProto:
    return InetProto(
        name=name, obj=ConnectionSock, init=_nothing, close=_close, connect=_connect, disconnect=_disconnect, accept=inet_csk_accept,
        shutdown=_nothing, setsockopt=_refuse, getsockopt=_refuse, sendmsg=_sendmsg, recvmsg=_recvmsg, poll=_poll, hash=inet_hash,
        unhash=inet_unhash, get_port=inet_csk_get_port,
    )  # fmt: skip


class Bed:
    """One stack with ``eth0``, and calls on it."""

    def __init__(self, patch: pytest.MonkeyPatch, **sysctl: Any) -> None:
        self.forgotten: list[Sock] = []
        tcp, ipv4, requests, minisocks = map(ModuleType, ("tcp", "tcp_ipv4", "request_sock", "tcp_minisocks"))
        ipv4.tcp_prot, ipv4.tcpv6_prot = _prot("TCP"), _prot("TCPv6")  # type: ignore[attr-defined]
        tcp.inet_child_forget = self.forgotten.append  # type: ignore[attr-defined]
        self.unique = False
        requests.reqsk_drop = _nothing  # type: ignore[attr-defined]
        minisocks.tcp_twsk_unique = lambda _sk, _tw: self.unique  # type: ignore[attr-defined]
        minisocks.inet_twsk_deschedule_put = lambda tw: self.net.hashinfo.remove(tw)  # type: ignore[attr-defined]
        for module in (tcp, ipv4, requests, minisocks):
            patch.setattr(conformance.stack, module.__name__, module, raising=False)
            patch.setitem(sys.modules, f"conformance.stack.{module.__name__}", module)
        protos = InetProtos(_nothing, _nothing, udp.udp_rcv, udp.udp_err, raw.raw_rcv)
        for place in (ip, ip6_input, icmp):
            patch.setattr(place, "inet_protos", lambda: protos)
        self.frames: list[bytes] = []
        self.moves: list[tuple[TcpState, TcpState]] = []
        self.net = Net(Sysctl.from_config(sysctl), Random(1))
        self.net.on_state = lambda _sk, old, new: self.moves.append((old, new))
        self.device = self.net.add_device("eth0", mac(OWN_MAC), 1500, self.frames.append)
        self.net.add_address(self.device, OWN[2], 24)
        self.net.add_address(self.device, OWN[10], 64)
        for peer in PEER.values():
            self.net.neighbours.add(self.device, peer, mac(PEER_MAC))

    def start(self, name: str, *arguments: Any) -> Task:
        return self.net.call(name, *arguments)

    def call(self, name: str, *arguments: Any) -> Any:
        """What a call that must not sleep returns; an errno's name if it fails."""
        task = self.start(name, *arguments)
        assert task.done, f"{name} sleeps"
        return task.error or task.value

    def socket(self, family: int = 2, kind: int = SOCK_STREAM, protocol: int = 0, **options: int) -> int:
        fd = self.call("socket", family, kind, protocol)
        assert isinstance(fd, int), fd
        for name, value in options.items():
            assert self.call("setsockopt", fd, name, value) == 0
        return fd

    def sk(self, fd: int) -> ConnectionSock:
        sk = self.net.files[fd].sk
        assert sk is not None
        return sk  # type: ignore[return-value]

    def become(self, sk: Sock, state: TcpState, error: str | None = None) -> None:
        """TCP's part: the state changes, and whoever waits is woken."""

        def change() -> None:
            tcp_set_state(sk, state)
            sk.sk_err = error
            sk.sk_wake()

        self.net._run(change)

    def connected(self, listener: int, peer: Address) -> ConnectionSock:
        """TCP's part: a handshake with ``peer`` is complete."""
        sk = self.sk(listener)
        child = ConnectionSock(self.net, sk.sk_family, sk.sk_type, sk.sk_protocol, sk.sk_prot)
        child.sk_state, child.num, child.dport, child.daddr = TcpState.ESTABLISHED, sk.num, peer.port, on_wire(peer.host)
        child.saddr = child.rcv_saddr = OWN[2] if len(child.daddr) == 4 else OWN[10]
        child.sk_reuse = sk.sk_reuse
        self.net.hashinfo.insert(child)

        def done() -> None:
            inet_csk_reqsk_queue_add(sk, child)
            sk.sk_wake()

        self.net._run(done)
        return child

    def receive(self, packet: Packet) -> None:
        self.net.receive(self.device, bytes(Ether(src=PEER_MAC, dst=OWN_MAC) / packet), self.net.now)

    def after(self, seconds: float) -> None:
        self.net.advance(self.net.now + int(seconds * SECOND))

    def sent(self) -> list[Packet]:
        frames, self.frames[:] = list(self.frames), []
        return [Ether(frame) for frame in frames]


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> Bed:
    return Bed(monkeypatch)


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> Bed:
    return Bed(monkeypatch, profile="linux")
