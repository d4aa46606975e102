"""``struct socket`` and ``struct sock``: what a descriptor stands for, towards the caller and towards the network (include/net/sock.h)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from conformance.stack.errors import SocketError
from conformance.stack.tasks import Call, Wait, Woken
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import AF_INET, AF_INET6, AF_UNSPEC

if TYPE_CHECKING:
    from conformance.stack.ip_options import IpOptions
    from conformance.stack.net import Net
    from conformance.stack.route import Dst

__all__ = ["Address", "ConnectionSock", "Proto", "ProtoOps", "Shutdown", "Sock", "Socket", "SocketState", "sk_wait"]


@dataclass(frozen=True, slots=True)
class Address:
    """``struct sockaddr_in`` and ``sockaddr_in6``: an address in network order (4 or 16 octets) and a port. An empty host is AF_UNSPEC."""

    host: bytes
    port: int

    @property
    def family(self) -> int:
        """AF_INET, AF_INET6 or AF_UNSPEC."""
        return {4: AF_INET, 16: AF_INET6}.get(len(self.host), AF_UNSPEC)


class SocketState(Enum):
    """``socket_state`` (include/uapi/linux/net.h): how far ``connect`` has come, as the caller sees it."""

    SS_UNCONNECTED = auto()
    SS_CONNECTING = auto()
    SS_CONNECTED = auto()
    SS_DISCONNECTING = auto()


class Shutdown:
    """``RCV_SHUTDOWN`` and ``SEND_SHUTDOWN``: bits of :attr:`Sock.sk_shutdown`."""

    RCV, SEND, BOTH = 1, 2, 3


class ProtoOps(Protocol):
    """``struct proto_ops``: what the calls on a kind of socket do (inet_stream_ops, inet_dgram_ops, inet_sockraw_ops)."""

    name: str

    def release(self, sock: Socket) -> Call: ...
    def bind(self, sock: Socket, address: Address) -> None: ...
    def connect(self, sock: Socket, address: Address, nonblock: bool) -> Call: ...
    def accept(self, sock: Socket, newsock: Socket, nonblock: bool) -> Call: ...
    def getname(self, sock: Socket, peer: int) -> Address: ...
    def poll(self, sock: Socket) -> int: ...
    def listen(self, sock: Socket, backlog: int) -> None: ...
    def shutdown(self, sock: Socket, how: int) -> None: ...
    def sendmsg(self, sock: Socket, data: bytes, flags: int, address: Address | None) -> Call: ...
    def recvmsg(self, sock: Socket, size: int, flags: int) -> Call: ...


class Proto(Protocol):
    """``struct proto``: what a transport protocol does (tcp_prot, tcpv6_prot, udp_prot, raw_prot …)."""

    name: str
    obj: type[Sock]
    """What ``sk_alloc`` makes."""

    def init(self, sk: Sock) -> None: ...
    def close(self, sk: Sock, timeout: int) -> Call: ...
    def connect(self, sk: Sock, address: Address) -> None: ...
    def disconnect(self, sk: Sock) -> None: ...
    def accept(self, sk: Sock, nonblock: bool) -> Call: ...
    def shutdown(self, sk: Sock, how: int) -> None: ...
    def setsockopt(self, sk: Sock, name: str, value: int | bytes) -> None: ...
    def getsockopt(self, sk: Sock, name: str) -> int | bytes: ...
    def sendmsg(self, sk: Sock, data: bytes, flags: int, address: Address | None) -> Call: ...
    def recvmsg(self, sk: Sock, size: int, flags: int) -> Call: ...
    def poll(self, sk: Sock) -> int: ...
    def hash(self, sk: Sock) -> None: ...
    def unhash(self, sk: Sock) -> None: ...
    def get_port(self, sk: Sock, port: int) -> None: ...


@dataclass(slots=True, eq=False)
class Socket:
    """``struct socket``: the caller's side of a socket. ``sk`` is the network's side."""

    net: Net
    type: int
    ops: ProtoOps = field(init=False)
    """Its family chooses them."""
    state: SocketState = SocketState.SS_UNCONNECTED
    sk: Sock | None = None
    nonblock: bool = False
    """O_NONBLOCK of its file."""


class Sock:
    """``struct sock`` with ``struct inet_sock``: what all protocols of both families keep of a socket."""

    def __init__(self, net: Net, family: int, kind: int, protocol: int, prot: Proto) -> None:
        self.net: Net = net
        self.sk_family, self.sk_type, self.sk_protocol, self.sk_prot = family, kind, protocol, prot
        self.sk_socket: Socket | None = None
        """None: an orphan, or not accepted yet."""
        self.sk_dead = False
        """SOCK_DEAD: no process has it any more."""
        self.sk_state = TcpState.CLOSED
        self.sk_err: str | None = None
        """An errno's name that the next call returns, once."""
        self.sk_err_soft: str | None = None
        """One that the network told, for the case that the connection fails later."""
        self.sk_shutdown = 0
        # inet_sock
        self.rcv_saddr = b""
        """The bound address; empty: any."""
        self.saddr = b""
        """The source address of what it sends; empty: not chosen yet."""
        self.daddr = b""
        self.num = 0
        """The bound port (inet_num, inet_sport); 0: none."""
        self.dport = 0
        self.bound_by_user = False
        """SOCK_BINDPORT_LOCK: an autobound port is given back when connect fails, this one is kept."""
        self.addr_bound_by_user = False
        """SOCK_BINDADDR_LOCK: the same for the address."""
        self.dst: Dst | None = None
        """The cached route."""
        # options
        self.sk_reuse: bool = False
        self.sk_reuseport: bool = False
        self.sk_keepalive: bool = False
        self.oobinline: bool = False
        self.linger: int | None = None
        """SO_LINGER's time in ns; None: off."""
        self.sk_rcvtimeo: int | None = None
        self.sk_sndtimeo: int | None = None
        """SO_RCVTIMEO, SO_SNDTIMEO in ns; None: for ever."""
        self.sk_rcvbuf: int = net.sysctl.receive_buffer
        self.sk_sndbuf: int = net.sysctl.send_buffer
        self.rcvbuf_locked = self.sndbuf_locked = False
        """Set by the caller: they do not grow any more."""
        self.ttl: int | None = None
        self.tos: int = 0
        self.v6only: bool = False
        self.recverr: bool = False
        self.inet_opt: IpOptions | None = None
        """IP_OPTIONS, or the return route of the peer's source route."""
        self.pmtudisc: int | None = None
        """IP_MTU_DISCOVER, as the caller set it."""
        self.options: dict[str, int] = {}
        """Options that are kept and given back; those that mean something are looked up where they do."""
        self.error_queue: deque[str] = deque()
        """Errors for MSG_ERRQUEUE (sk_error_queue), each as errno, origin, type, code and information: ``EHOSTUNREACH icmp 3 1 0``."""
        # queues of datagrams and raw packets (TCP has its own)
        self.datagrams: deque[tuple[bytes, Address]] = deque()

    # What happens to the socket ---------------------------------------------------------------------------------------

    def sk_wake(self) -> None:
        """sk_state_change, sk_data_ready, sk_write_space: whoever sleeps on this socket looks again."""
        self.net.wake(self)

    def sk_error_report(self, error: str) -> None:
        """Set ``sk_err`` and wake."""
        self.sk_err = error
        self.sk_wake()

    def sock_error(self) -> str | None:
        """Take the error that waits, if there is one."""
        error, self.sk_err = self.sk_err, None
        return error

    def raise_error(self) -> None:
        """The same as an exception."""
        if error := self.sock_error():
            raise SocketError(error)

    def deadline(self, timeout: int | None) -> int | None:
        """When a timeout that begins now is over."""
        return None if timeout is None else self.net.now + timeout


class ConnectionSock(Sock):
    """``struct inet_connection_sock``: what a listener keeps of its queue."""

    def __init__(self, net: Net, family: int, kind: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, kind, protocol, prot)
        self.accept_queue: deque[Sock] = deque()
        """icsk_accept_queue: connections that are established and wait for ``accept``."""
        self.sk_max_ack_backlog = 0
        """What ``listen`` was given; the queue is full when it holds more."""
        self.requests = 0
        """How many connections of this listener are in SYN-RECEIVED (reqsk_queue_len)."""
        self.fastopen_children: list[tuple[Sock, int]] = []
        """Connections that took data with their SYN and may still wait for its acknowledgment, and since when (fastopenq)."""
        self.listener: ConnectionSock | None = None
        """Of a connection that waits for ``accept``."""

    @property
    def acceptq_is_full(self) -> bool:
        """sk_acceptq_is_full(): Linux takes one more than the backlog says."""
        return len(self.accept_queue) > self.sk_max_ack_backlog


def sk_wait(sk: Sock, deadline: int | None, until: Callable[[], bool]) -> Call:
    """Sleep until ``until()`` holds (sk_wait_event); returns how it ended, TIMEOUT or SIGNAL only if ``until()`` does not hold."""
    while not until():
        if deadline is not None and sk.net.now >= deadline:
            return Woken.TIMEOUT
        woken = yield Wait(sk, deadline)
        if woken is Woken.SIGNAL and not until():
            return Woken.SIGNAL
    return Woken.EVENT
