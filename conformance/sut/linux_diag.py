"""The state of a connection by its addresses and ports, from the kernel's sock_diag (``sock_diag(7)``, net/ipv4/inet_diag.c).

It also sees what no socket stands for: SYN-RECEIVED before the handshake's last ACK, and TIME-WAIT.
"""

from __future__ import annotations

import socket
import struct

from conformance.trace import Endpoints

__all__ = ["KERNEL_STATES", "SockDiag"]

KERNEL_STATES = {
    1: "ESTABLISHED", 2: "SYN-SENT", 3: "SYN-RECEIVED", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT", 7: "CLOSED", 8: "CLOSE-WAIT",
    9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN-RECEIVED", 13: "CLOSED",
}  # fmt: skip
"""include/net/tcp_states.h, in the RFC's words."""

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY, _DESTROY = 20, 21
_REQUEST, _ACK = 1, 4
_ERROR = 2
_MESSAGE = struct.Struct("=IHHII")
_QUERY = struct.Struct("=BBBxI")
_SOCKID = struct.Struct("!HH16s16s4s8s")
_ANY_COOKIE = b"\xff" * 8


class SockDiag:
    """A sock_diag socket in the network namespace that the thread is in when this object is made."""

    def __init__(self) -> None:
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self._netlink.settimeout(5)  # the kernel answers within the call; this only bounds a broken one
        self._sequence = 0

    def state(self, connection: Endpoints) -> str:
        """The RFC state; ``LISTEN`` where only a listener would take a segment of this connection, ``CLOSED`` where nothing would."""
        reply = self._ask(_BY_FAMILY, _REQUEST, connection)
        return KERNEL_STATES[reply[1]] if reply else "CLOSED"

    def destroy(self, connection: Endpoints, *, listener: bool = False) -> None:
        """Remove the connection without a trace of it, if it is there, and after it perhaps its listener (tcp_abort)."""
        if self.state(connection) not in ("CLOSED", "LISTEN"):
            self._ask(_DESTROY, _REQUEST | _ACK, connection)
        if listener and self.state(connection) == "LISTEN":
            self._ask(_DESTROY, _REQUEST | _ACK, connection)

    def _ask(self, kind: int, flags: int, connection: Endpoints) -> bytes:
        family = socket.AF_INET if len(connection.sut) == 4 else socket.AF_INET6
        self._sequence += 1
        identity = _SOCKID.pack(connection.sut_port, connection.peer_port, connection.sut, connection.peer, bytes(4), _ANY_COOKIE)
        body = _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + identity
        self._netlink.send(_MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, self._sequence, 0) + body)
        while True:
            answer = self._netlink.recv(8192)
            _, answer_kind, _, sequence, _ = _MESSAGE.unpack_from(answer)
            if sequence == self._sequence:
                return b"" if answer_kind == _ERROR else answer[_MESSAGE.size :]

    def close(self) -> None:
        """Close the descriptor."""
        self._netlink.close()
