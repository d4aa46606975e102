"""Socket calls on Linux by name: the arguments of a case become those of the system call, its outcome a value or an errno."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import select
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

from conformance.case.vocabulary import OCTET_OPTIONS
from conformance.sut.base import Argument, Host, Outcome
from conformance.wire.segment import Family

__all__ = ["SocketCalls"]

_libc = ctypes.CDLL(None, use_errno=True)
"""For what Python's sockets do not let through."""
_FAMILIES = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}
_ADDRESS = {socket.AF_INET: 4, socket.AF_INET6: 16}
"""Octets of an address."""
_LEVELS = {"SO_": socket.SOL_SOCKET, "TCP_": socket.IPPROTO_TCP, "IP_": socket.IPPROTO_IP, "IPV6_": socket.IPPROTO_IPV6}
_MISSING_IN_PYTHON = {
    "TCP_FASTOPEN_CONNECT": 30, "TCP_NOTSENT_LOWAT": 25, "IP_MTU_DISCOVER": 10, "IP_MTU": 14, "IP_RECVERR": 11,
    "IPV6_MTU": 24, "IPV6_MTU_DISCOVER": 23, "IPV6_RECVERR": 25, "IP_FREEBIND": 15, "IP_MINTTL": 21, "IP_BIND_ADDRESS_NO_PORT": 24,
    "IP_LOCAL_PORT_RANGE": 51,
    "IPV6_MINHOPCOUNT": 73, "IPV6_FREEBIND": 78,
}  # fmt: skip
_REQUESTS = {"FIONREAD": 0x541B, "SIOCATMARK": 0x8905, "SIOCOUTQ": 0x5411, "SIOCOUTQNSD": 0x894B}
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
_ORIGINS = {0: "none", 1: "local", 2: "icmp", 3: "icmp6"}
"""include/uapi/linux/errqueue.h, struct sock_extended_err and where it comes from."""
_MOST_OPTIONS = 40
"""Octets of an IP header's options."""
_POLL_EVENTS = {name: getattr(select, name) for name in ("POLLIN", "POLLPRI", "POLLOUT", "POLLERR", "POLLHUP", "POLLRDHUP")}
_POLL_ALL = select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP
_NO_LINGER = (0, 0)
_ABORT = struct.pack("ii", 1, 0)
_TIMES = ("SO_RCVTIMEO", "SO_SNDTIMEO")


def constant(name: str) -> int:
    """The value of ``SOCK_STREAM``, ``MSG_PEEK|MSG_DONTWAIT`` …; ValueError for one that this machine does not know."""
    value = 0
    for part in name.split("|"):
        known = getattr(socket, part, _MISSING_IN_PYTHON.get(part))
        if known is None:
            raise ValueError(f"this machine has no constant {part}")
        value |= int(known)
    return value


class SocketCalls:
    """The sockets of one case run, and the calls on them. Handles are descriptors."""

    def __init__(self, family: Family, make: Callable[[int, int, int], socket.socket]) -> None:
        """``make`` makes a socket in the SUT's network namespace."""
        self._family = _FAMILIES[family]
        self._make = make
        self.open: dict[int, socket.socket] = {}
        self._lingers: dict[int, tuple[int, int]] = {}
        """What the case has set, by descriptor."""
        self.starved = False
        """Has a call failed because this process, or this machine, has no descriptor left? That is not the stack's doing."""

    def perform(self, function: str, arguments: Sequence[Argument], blocking: bool) -> Outcome:
        """Make the call now. What goes wrong comes back as the errno's name, as strace shows it."""
        try:
            if function == "socket":
                return self._socket(arguments)
            handle, *rest = arguments
            sock = self.open.get(handle) if isinstance(handle, int) else None
            if sock is None:
                return Outcome(error="EBADF")
            sock.setblocking(blocking)
            outcome: Outcome = getattr(self, f"_{function}")(sock, *rest)
            return outcome
        except OSError as error:
            self.starved |= error.errno in (errno.EMFILE, errno.ENFILE)
            return Outcome(error=errno.errorcode.get(error.errno or 0, str(error.errno)))

    def lingers(self, arguments: Sequence[Argument]) -> bool:
        """Would close wait for the peer (SO_LINGER with a time)?"""
        on, seconds = self._lingers.get(arguments[0], _NO_LINGER) if isinstance(arguments[0], int) else _NO_LINGER
        return bool(on and seconds)

    def _keep(self, sock: socket.socket) -> Outcome:
        """Take a new socket in: one that the kernel aborts if this process dies, and closes as the case wants if the case closes it.

        A connection that goes on without a socket would hold its namespace for minutes. What is accepted inherits it.
        """
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self.open[sock.fileno()] = sock
        return Outcome(sock.fileno())

    def _socket(self, arguments: Sequence[Argument]) -> Outcome:
        numbers = [
            constant(argument) if isinstance(argument, str) else argument for argument in arguments if isinstance(argument, int | str)
        ]
        if not (isinstance(arguments[0], str) and arguments[0].startswith("AF_") if arguments else False):
            numbers.insert(0, self._family)
        family, kind, protocol = [*numbers, socket.SOCK_STREAM, 0][:3] if len(numbers) < 2 else [*numbers, 0][:3]
        sock = self._make(family, kind, protocol)
        return self._keep(sock)

    def _bind(self, sock: socket.socket, host: Host) -> Outcome:
        if len(host.address) != _ADDRESS.get(sock.family):
            if any(host.address):
                raw = _raw_sockaddr(host)
                _raise_errno(_libc.bind(sock.fileno(), raw, len(raw)))
                return Outcome(0)
            host = Host(bytes(_ADDRESS.get(sock.family, 0)), host.port)  # the wildcard is the socket's family's
        sock.bind(_sockaddr(host))
        return Outcome(0)

    def _listen(self, sock: socket.socket, backlog: int) -> Outcome:
        if backlog < 0:  # socket.listen() makes 0 of it
            _raise_errno(_libc.listen(sock.fileno(), backlog))
        else:
            sock.listen(backlog)
        return Outcome(0)

    def _connect(self, sock: socket.socket, host: Host) -> Outcome:
        if not host.address:
            _raise_errno(_libc.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16))
            return Outcome(0)
        if len(host.address) != _ADDRESS.get(sock.family):
            raw = _raw_sockaddr(host)
            _raise_errno(_libc.connect(sock.fileno(), raw, len(raw)))
        else:
            sock.connect(_sockaddr(host))
        return Outcome(0)

    def _accept(self, sock: socket.socket) -> Outcome:
        accepted, address = sock.accept()
        return replace(self._keep(accepted), peer=_host(accepted, address))

    def _send(self, sock: socket.socket, data: bytes, flags: str | int = 0) -> Outcome:
        # MSG_NOSIGNAL keeps SIGPIPE away from the harness; the errno is the same.
        return Outcome(sock.send(data, _flags(flags) | socket.MSG_NOSIGNAL))

    def _recv(self, sock: socket.socket, size: int, flags: str | int = 0) -> Outcome:
        number = _flags(flags)
        if number & socket.MSG_ERRQUEUE:
            return Outcome(_queued_error(sock, size, number))
        if number & socket.MSG_TRUNC:  # more than the buffer holds, or octets that were never put there
            buffer = ctypes.create_string_buffer(max(size, 1))
            return Outcome(_raise_errno(_libc.recv(sock.fileno(), buffer, ctypes.c_size_t(size), number)))
        return Outcome(sock.recv(size, _flags(flags)))

    def _shutdown(self, sock: socket.socket, how: str | int) -> Outcome:
        sock.shutdown(_flags(how))
        return Outcome(0)

    def _close(self, sock: socket.socket) -> Outcome:
        del self.open[sock.fileno()]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *self._lingers.pop(sock.fileno(), _NO_LINGER)))
        sock.close()
        return Outcome(0)

    def _setsockopt(self, sock: socket.socket, name: str, *values: int | bytes) -> Outcome:
        value: int | bytes = values[0]
        if name == "SO_LINGER":
            on, seconds = (int(value) for value in values)
            self._lingers[sock.fileno()] = on, seconds  # close() takes it from there
            return Outcome(0)
        if name in _TIMES and isinstance(value, int):
            value = struct.pack("ll", *divmod(value * 1000, 1_000_000))  # a case gives milliseconds, struct timeval takes µs
        sock.setsockopt(_level(name), constant(name), value)
        return Outcome(0)

    def _getsockopt(self, sock: socket.socket, name: str) -> Outcome:
        if name == "TCP_CONGESTION":
            return Outcome(sock.getsockopt(_level(name), constant(name), 16).rstrip(b"\0"))
        if name in _TIMES:
            seconds, micros = struct.unpack("ll", sock.getsockopt(_level(name), constant(name), 16))
            return Outcome(int(seconds * 1000 + micros // 1000))
        if name in OCTET_OPTIONS:
            return Outcome(sock.getsockopt(_level(name), constant(name), _MOST_OPTIONS))
        value = sock.getsockopt(_level(name), constant(name))
        if name == "SO_ERROR" and value:
            return Outcome(errno.errorcode[value])
        return Outcome(value)

    def _getsockname(self, sock: socket.socket) -> Outcome:
        return Outcome(_host(sock, sock.getsockname()))

    def _getpeername(self, sock: socket.socket) -> Outcome:
        return Outcome(_host(sock, sock.getpeername()))

    def _poll(self, sock: socket.socket) -> Outcome:
        poller = select.poll()
        poller.register(sock, _POLL_ALL)
        happened = sum(mask for _, mask in poller.poll(0))
        return Outcome("|".join(name for name, mask in _POLL_EVENTS.items() if happened & mask) or 0)

    def _ioctl(self, sock: socket.socket, request: str) -> Outcome:
        return Outcome(struct.unpack("i", fcntl.ioctl(sock, _REQUESTS[request], bytes(4)))[0])

    def _sockatmark(self, sock: socket.socket) -> Outcome:
        return self._ioctl(sock, "SIOCATMARK")


def _queued_error(sock: socket.socket, size: int, flags: int) -> str:
    """``EHOSTUNREACH icmp 3 1 0``: the error that waits, who told it, type, code and information (an MTU)."""
    _, ancillary, _, _ = sock.recvmsg(size, 1024, flags)
    for level, kind, data in ancillary:
        if (level, kind) in (
            (socket.IPPROTO_IP, _MISSING_IN_PYTHON["IP_RECVERR"]),
            (socket.IPPROTO_IPV6, _MISSING_IN_PYTHON["IPV6_RECVERR"]),
        ):
            number, origin, icmp_type, code, info, _ = _EXTENDED_ERROR.unpack_from(data)
            return f"{errno.errorcode.get(number, number)} {_ORIGINS.get(origin, origin)} {icmp_type} {code} {info}"
    return "no error"


def _raise_errno(result: int) -> int:
    """What a call of the C library returned, if that is no error."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def _level(name: str) -> int:
    return next(level for prefix, level in _LEVELS.items() if name.startswith(prefix))


def _flags(flags: str | int) -> int:
    return constant(flags) if isinstance(flags, str) else flags


def _sockaddr(host: Host) -> tuple[str, int]:
    family = socket.AF_INET if len(host.address) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, host.address), host.port


def _raw_sockaddr(host: Host) -> bytes:
    """What Python would not pass: an address of another family than the socket's."""
    if len(host.address) == 4:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H", host.port) + host.address + bytes(8)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!H", host.port) + bytes(4) + host.address + bytes(4)


def _host(sock: socket.socket, address: tuple[str, int]) -> Host:
    return Host(socket.inet_pton(sock.family, address[0]), address[1])
