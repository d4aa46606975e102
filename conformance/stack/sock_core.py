"""What net/core/sock.c does with the structures of :mod:`conformance.stack.sock`: made, joined, parted; and their timeouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack.sock import Proto, Sock, Socket

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["sk_alloc", "sock_graft", "sock_init_data", "sock_orphan", "sock_rcvtimeo", "sock_sndtimeo"]


def sk_alloc(net: Net, family: int, kind: int, protocol: int, prot: Proto) -> Sock:
    """The network's side of a socket, of the type that its protocol needs."""
    return prot.obj(net, family, kind, protocol, prot)


def sock_init_data(sock: Socket, sk: Sock) -> None:
    """Join the two sides of a new socket."""
    sk.sk_socket = sock
    sock.sk = sk


def sock_graft(sk: Sock, parent: Socket) -> None:
    """Give a connection that waited for ``accept`` its caller's side."""
    parent.sk = sk
    sk.sk_socket = parent
    sk.sk_dead = False


def sock_orphan(sk: Sock) -> None:
    """No process has it any more."""
    sk.sk_dead = True
    sk.sk_socket = None


def sock_rcvtimeo(sk: Sock, nonblock: bool) -> int | None:
    """How long a call that receives may sleep, in ns; None: for ever."""
    return 0 if nonblock else sk.sk_rcvtimeo


def sock_sndtimeo(sk: Sock, nonblock: bool) -> int | None:
    """The same for one that sends or connects."""
    return 0 if nonblock else sk.sk_sndtimeo
