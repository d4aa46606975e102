"""The socket calls: from a descriptor to the operations of its kind of socket (net/socket.c).

Each is a generator (:data:`~conformance.stack.tasks.Call`), whether it may sleep or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from conformance.stack import sock_options
from conformance.stack.af_inet import inet6_family_ops, inet_family_ops
from conformance.stack.errors import SocketError
from conformance.stack.proto import SOCK_FLAGS, SOCK_TYPE_MASK
from conformance.stack.sock import Address, Sock, Socket
from conformance.stack.tasks import Call, Wait, Woken
from conformance.stack.uapi import (
    AF_INET,
    AF_INET6,
    AF_MAX,
    FIONREAD,
    MSG_DONTWAIT,
    POLLERR,
    POLLHUP,
    POLLNVAL,
    SIOCOUTQ,
    SOCK_MAX,
    SOCK_NONBLOCK,
)  # fmt: skip

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["SYSCALLS"]

_STANDARD_STREAMS = range(3)
"""Descriptors that a process has from the start, and that are no sockets."""

net_families = {AF_INET: inet_family_ops, AF_INET6: inet6_family_ops}
"""To each family the function that makes its sockets."""


# Descriptors ----------------------------------------------------------------------------------------------------------


def sockfd_lookup_light(net: Net, fd: int) -> Socket:
    """The socket of a descriptor; EBADF if there is none, ENOTSOCK if it is something else."""
    sock = net.files.get(fd)
    if sock is None:
        raise SocketError("ENOTSOCK" if fd in _STANDARD_STREAMS else "EBADF")
    return sock


def get_unused_fd_flags(net: Net) -> int:
    """The lowest number that is free; EMFILE if none is."""
    for fd in range(len(_STANDARD_STREAMS), net.max_files):
        if fd not in net.open_fds:
            net.open_fds.add(fd)
            return fd
    raise SocketError("EMFILE")


def put_unused_fd(net: Net, fd: int) -> None:
    """It was not needed after all."""
    net.open_fds.discard(fd)


def fd_install(net: Net, fd: int, sock: Socket) -> None:
    """From now on it stands for this socket."""
    net.files[fd] = sock


def sock_map_fd(sock: Socket) -> int:
    """A descriptor for a new socket."""
    fd = get_unused_fd_flags(sock.net)
    fd_install(sock.net, fd, sock)
    return fd


def move_addr_to_kernel(address: Address) -> Address:
    """Is it an address at all? EINVAL if not (the kernel looks at its length)."""
    if len(address.host) not in (0, 4, 16) or not 0 <= address.port <= 0xFFFF:
        raise SocketError("EINVAL")
    return address


# Making and closing ---------------------------------------------------------------------------------------------------


def sys_socket(net: Net, family: int, type: int, protocol: int = 0) -> Call:
    """A new socket's descriptor."""
    if type & ~SOCK_TYPE_MASK & ~SOCK_FLAGS:
        raise SocketError("EINVAL")
    sock = sock_create(net, family, type & SOCK_TYPE_MASK, protocol)
    sock.nonblock = bool(type & SOCK_NONBLOCK)
    try:
        return sock_map_fd(sock)
    except SocketError:
        yield from __sock_release(sock)
        raise


def sock_create(net: Net, family: int, type: int, protocol: int) -> Socket:
    """The steps of socket(2), each with its error: EAFNOSUPPORT, EINVAL, and what the family says."""
    return __sock_create(net, family, type, protocol)


def __sock_create(net: Net, family: int, type: int, protocol: int) -> Socket:
    if not 0 <= family < AF_MAX:
        raise SocketError("EAFNOSUPPORT")
    if not 0 <= type < SOCK_MAX:
        raise SocketError("EINVAL")
    sock = sock_alloc(net, type)
    create = net_families.get(family)
    if create is None:
        raise SocketError("EAFNOSUPPORT")
    create(net, sock, protocol)
    return sock


def sock_alloc(net: Net, type: int) -> Socket:
    """The caller's side of a socket, still empty."""
    return Socket(net, type)


def __sock_release(sock: Socket) -> Call:
    if sock.sk is not None:
        yield from sock.ops.release(sock)


def sys_close(net: Net, fd: int) -> Call:
    """The descriptor goes at once, even if the socket's release sleeps (SO_LINGER)."""
    sock = sockfd_lookup_light(net, fd)
    del net.files[fd]
    put_unused_fd(net, fd)
    yield from sock_close(sock)
    return 0


def sock_close(sock: Socket) -> Call:
    """The last descriptor of a socket was closed."""
    yield from __sock_release(sock)


# Calls ----------------------------------------------------------------------------------------------------------------


def sys_bind(net: Net, fd: int, address: Address) -> Call:
    """Give a socket its own address and port."""
    yield from ()
    sock = sockfd_lookup_light(net, fd)
    address = move_addr_to_kernel(address)
    sock.ops.bind(sock, address)
    return 0


def sys_listen(net: Net, fd: int, backlog: int) -> Call:
    """Take connections. A backlog above somaxconn is somaxconn, a negative one 0 (POSIX); for Linux that is a large number."""
    yield from ()
    sock = sockfd_lookup_light(net, fd)
    if backlog < 0:
        backlog = net.sysctl.somaxconn if net.sysctl.linux else 0
    backlog = min(backlog, net.sysctl.somaxconn)
    sock.ops.listen(sock, backlog)
    return 0


def sys_connect(net: Net, fd: int, address: Address) -> Call:
    """Connect to ``address``; one without a host dissolves the connection (AF_UNSPEC)."""
    sock = sockfd_lookup_light(net, fd)
    address = move_addr_to_kernel(address)
    yield from sock.ops.connect(sock, address, sock.nonblock)
    return 0


def sys_accept(net: Net, fd: int) -> Call:
    """The next connection's descriptor, and its peer."""
    sock = sockfd_lookup_light(net, fd)
    newsock = sock_alloc(net, sock.type)
    newsock.ops = sock.ops
    newfd = get_unused_fd_flags(net)
    try:
        yield from sock.ops.accept(sock, newsock, sock.nonblock)
        try:
            peer = newsock.ops.getname(newsock, 2)
        except SocketError as error:
            yield from __sock_release(newsock)
            raise SocketError("ECONNABORTED") from error
    except SocketError:
        put_unused_fd(net, newfd)
        raise
    fd_install(net, newfd, newsock)
    return newfd, peer


def sys_getsockname(net: Net, fd: int) -> Call:
    """The socket's own address."""
    yield from ()
    sock = sockfd_lookup_light(net, fd)
    return sock.ops.getname(sock, 0)


def sys_getpeername(net: Net, fd: int) -> Call:
    """The peer's; ENOTCONN without one."""
    yield from ()
    sock = sockfd_lookup_light(net, fd)
    return sock.ops.getname(sock, 1)


def sys_sendto(net: Net, fd: int, data: bytes, flags: int = 0, address: Address | None = None) -> Call:
    """How many octets were taken."""
    sock = sockfd_lookup_light(net, fd)
    if address is not None:
        address = move_addr_to_kernel(address)
    if sock.nonblock:
        flags |= MSG_DONTWAIT
    return (yield from sock_sendmsg(sock, data, flags, address))


def sock_sendmsg(sock: Socket, data: bytes, flags: int, address: Address | None) -> Call:
    """To the operations of this kind of socket."""
    return (yield from sock.ops.sendmsg(sock, data, flags, address))


def sys_recvfrom(net: Net, fd: int, size: int, flags: int = 0) -> Call:
    """The data, and whom they came from where the protocol says that."""
    sock = sockfd_lookup_light(net, fd)
    if size < 0:
        raise SocketError("EINVAL")
    if sock.nonblock:
        flags |= MSG_DONTWAIT
    return (yield from sock_recvmsg(sock, size, flags))


def sock_recvmsg(sock: Socket, size: int, flags: int) -> Call:
    """To the operations of this kind of socket."""
    return (yield from sock.ops.recvmsg(sock, size, flags))


def sys_shutdown(net: Net, fd: int, how: int) -> Call:
    """End one direction or both."""
    yield from ()
    sock = sockfd_lookup_light(net, fd)
    sock.ops.shutdown(sock, how)
    return 0


# Options --------------------------------------------------------------------------------------------------------------


def sys_setsockopt(net: Net, fd: int, name: str, value: int | bytes) -> Call:
    """``name`` says the level as well."""
    yield from ()
    sock = sockfd_lookup_light(net, fd)
    sk = sock_options.sk_of(sock)
    if name.startswith("SO_"):
        sock_options.sock_setsockopt(sk, name, value)
    else:
        sock_options.sock_common_setsockopt(sk, name, value)
    return 0


def sys_getsockopt(net: Net, fd: int, name: str) -> Call:
    """Its value."""
    yield from ()
    sock = sockfd_lookup_light(net, fd)
    sk = sock_options.sk_of(sock)
    if name.startswith("SO_"):
        return sock_options.sk_getsockopt(sk, name)
    return sock_options.sock_common_getsockopt(sk, name)


def sys_fcntl(net: Net, fd: int, nonblock: bool) -> Call:
    """F_SETFL with or without O_NONBLOCK."""
    yield from ()
    sockfd_lookup_light(net, fd).nonblock = nonblock
    return 0


def sys_ioctl(net: Net, fd: int, request: int) -> Call:
    """FIONREAD (SIOCINQ), SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD. ENOTTY for one that the protocol does not know."""
    from conformance.stack.tcp_recv import tcp_ioctl  # it needs the tables here
    from conformance.stack.tcp_sock import TcpSock

    yield from ()
    sk = sock_options.sk_of(sockfd_lookup_light(net, fd))
    if isinstance(sk, TcpSock):
        return tcp_ioctl(sk, request)
    if request == FIONREAD:
        return len(sk.datagrams[0][0]) if sk.datagrams else 0
    if request == SIOCOUTQ:
        return 0  # what is sent is gone
    raise SocketError("ENOTTY")


def sys_tcp_info(net: Net, fd: int) -> Call:
    """TCP_INFO by Linux's names of its fields; ENOPROTOOPT if it is no TCP socket."""
    from conformance.stack import tcp  # it needs the tables here
    from conformance.stack.tcp_sock import TcpSock

    yield from ()
    sk = sock_options.sk_of(sockfd_lookup_light(net, fd))
    if not isinstance(sk, TcpSock):
        raise SocketError("ENOPROTOOPT")
    return tcp.tcp_get_info(sk)


# Readiness ------------------------------------------------------------------------------------------------------------


def sock_poll(sock: Socket) -> int:
    """What can be done without sleeping."""
    return sock.ops.poll(sock)


def sys_poll(net: Net, fd: int) -> Call:
    """All that is so now, POLLNVAL for no socket."""
    yield from ()
    sock = net.files.get(fd)
    return POLLNVAL if sock is None else sock_poll(sock)


def sys_ppoll(net: Net, fds: Sequence[tuple[int, int]], timeout: int | None = None) -> Call:
    """Those of the descriptors that are ready, with what for: sleeps until one is, at most ``timeout`` ns (None: for ever). EINTR."""
    deadline = None if timeout is None else net.now + timeout
    while True:
        ready = do_pollfd(net, fds)
        if ready or (deadline is not None and net.now >= deadline):
            return ready
        woken = yield Wait(_socks(net, fds), deadline)
        if woken is Woken.SIGNAL and not do_pollfd(net, fds):
            raise SocketError("EINTR")


def do_pollfd(net: Net, fds: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Errors are told whether they are asked for or not; a negative descriptor is skipped."""
    ready = []
    for fd, events in fds:
        if fd < 0:
            continue
        sock = net.files.get(fd)
        mask = POLLNVAL if sock is None else sock_poll(sock) & (events | POLLERR | POLLHUP)
        if mask:
            ready.append((fd, mask))
    return ready


def _socks(net: Net, fds: Sequence[tuple[int, int]]) -> tuple[Sock, ...]:
    """Each once."""
    there = {sock.sk: None for fd, _ in fds if (sock := net.files.get(fd)) is not None and sock.sk is not None}
    return tuple(there)


SYSCALLS: dict[str, Callable[..., Call]] = {
    "socket": sys_socket, "bind": sys_bind, "listen": sys_listen, "connect": sys_connect, "accept": sys_accept, "sendto": sys_sendto,
    "recvfrom": sys_recvfrom, "shutdown": sys_shutdown, "close": sys_close, "getsockname": sys_getsockname, "getpeername": sys_getpeername,
    "setsockopt": sys_setsockopt, "getsockopt": sys_getsockopt, "poll": sys_poll, "ppoll": sys_ppoll, "fcntl": sys_fcntl,
    "ioctl": sys_ioctl, "tcp_info": sys_tcp_info,
}  # fmt: skip
"""The calls by their names."""
