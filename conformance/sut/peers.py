"""The peers of a process's case runs: a part of the nets of peers that no other process here has, and another when that is used up."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

from conformance.link.addressing import ADDRESSING
from conformance.wire.segment import Family

__all__ = ["Peers"]

_PARTS = 32
"""Into how many each net of peers is cut: so many processes at once can tell their transitions apart."""
_SIZE = (1 << 17) // _PARTS
"""Addresses of a part, in both families; 198.18.0.0/15 holds 2^17."""
_NETS = {net.family: ipaddress.ip_network(net.peers) for net in ADDRESSING}


class Peers:
    """Two addresses for each case run, which none before it had, so that nothing that the stack remembers of a peer reaches another case.

    Only a process that has given out all parts which no other process holds begins again, with those that were used longest ago.
    """

    def __init__(self) -> None:
        self._locks: list[socket.socket] = []
        self._parts: list[int] = []
        self._offsets = {family: self._each() for family in _NETS}
        self._take()

    @property
    def own(self) -> bool:
        """Are they this process's alone? Not where others hold all parts."""
        return bool(self._locks)

    def pair(self, family: Family) -> tuple[bytes, bytes]:
        """The next two."""
        net = _NETS[family]
        first = int(net.network_address) + next(self._offsets[family])
        length = net.max_prefixlen // 8
        return first.to_bytes(length, "big"), (first + 1).to_bytes(length, "big")

    def close(self) -> None:
        """Let others have them."""
        for lock in self._locks:
            lock.close()
        self._locks.clear()

    def _each(self) -> Iterator[int]:
        """Where each pair of a family begins in its net."""
        at = 0
        while True:
            if at == len(self._parts) and not self._take():
                at = 0
            begin = (self._parts[at] if self._parts else 0) * _SIZE
            yield from range(begin + 1, begin + _SIZE - 2, 2)
            at += 1

    def _take(self) -> bool:
        """Have one part more, if there is a free one."""
        if (taken := _take_part()) is None:
            return False
        lock, part = taken
        self._locks.append(lock)
        self._parts.append(part)
        return True


def _take_part() -> tuple[socket.socket, int] | None:
    """One of the parts, held through an abstract Unix address, which goes with the process."""
    for part in range(_PARTS):
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0conformance-peers-{part}")
        except OSError:
            lock.close()
        else:
            return lock, part
    return None
