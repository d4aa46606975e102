"""State transitions as the kernel makes them: the tracepoint ``sock:inet_sock_set_state`` (net/ipv4/af_inet.c, inet_sk_set_state)."""

from __future__ import annotations

import os
import re
import socket

from conformance.link.tracefs import TraceInstance
from conformance.sut.base import Transition

__all__ = ["StateTracer"]

_EVENT = "events/sock/inet_sock_set_state"
_LINE = re.compile(
    rb" (\d+)\.(\d{6}): inet_sock_set_state: family=(\w+) protocol=IPPROTO_TCP sport=(\d+) dport=(\d+) saddr=\S+ daddr=(\S+)"
    rb" saddrv6=\S+ daddrv6=(\S+) oldstate=TCP_(\w+) newstate=TCP_(\w+)"
)
_LOST = re.compile(rb"^CPU:\d+ \[LOST (\d+) EVENTS\]$", re.MULTILINE)
_STATES = {
    b"ESTABLISHED": "ESTABLISHED", b"SYN_SENT": "SYN-SENT", b"SYN_RECV": "SYN-RECEIVED", b"FIN_WAIT1": "FIN-WAIT-1",
    b"FIN_WAIT2": "FIN-WAIT-2", b"TIME_WAIT": "TIME-WAIT", b"CLOSE": "CLOSED", b"CLOSE_WAIT": "CLOSE-WAIT", b"LAST_ACK": "LAST-ACK",
    b"LISTEN": "LISTEN", b"CLOSING": "CLOSING", b"NEW_SYN_RECV": "SYN-RECEIVED",
}  # fmt: skip


class StateTracer:
    """All transitions of TCP sockets that have a peer, machine-wide; the caller picks those whose remote address it gave out."""

    def __init__(self) -> None:
        self._instance = TraceInstance(clock="mono")
        self._instance.write(f"{_EVENT}/filter", f"protocol == {socket.IPPROTO_TCP} && dport != 0")
        self._pipe = self._instance.open("trace_pipe")
        self._instance.write(f"{_EVENT}/enable", "1")
        self._rest = b""
        self.lost = 0
        """How many transitions the kernel had no room for so far."""

    def read(self) -> list[Transition]:
        """All transitions since the last call, with the kernel's times (to the microsecond)."""
        text = self._rest
        while True:
            try:
                chunk = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                break
            if not chunk:
                break
            text += chunk
        whole, _, self._rest = text.rpartition(b"\n")
        self.lost += sum(map(int, _LOST.findall(whole)))
        return [_transition(match) for match in _LINE.finditer(whole)] if whole else []

    def close(self) -> None:
        """Stop tracing and remove the instance."""
        os.close(self._pipe)
        self._instance.close()


def _transition(match: re.Match[bytes]) -> Transition:
    seconds, micros, family, sport, dport, v4, v6, old, new = match.groups()
    remote = socket.inet_pton(socket.AF_INET, v4.decode()) if family == b"AF_INET" else socket.inet_pton(socket.AF_INET6, v6.decode())
    t = (int(seconds) * 1_000_000 + int(micros)) * 1000
    return Transition(t, int(sport), remote, int(dport), _STATES[old], _STATES[new])
