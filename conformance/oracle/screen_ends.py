"""The ends of connections that the screen has cleared: what names them, and what they say about where the capture was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.judge import Key
from conformance.oracle.screen_state import NEVER, NONE, State
from conformance.oracle.whereabouts import Whereabouts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Cleared", "cleared", "gather", "host", "kinds", "name_of"]

_IPV4, _IPV6 = 4, 6
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: multiplied by it, every bit has a say in the higher ones."""
_VANTAGES = {(True, True): Vantage.BOTH, (True, False): Vantage.CLIENT, (False, True): Vantage.SERVER, (False, False): Vantage.MIDDLE}


def name_of(key: Key) -> bytes:
    """What names a connection in :meth:`conformance.capture.columns.Columns.groups`."""
    low, low_port, high, high_port = key
    family = _IPV4 if len(low) == 4 else _IPV6
    ports = low_port.to_bytes(2, "big") + high_port.to_bytes(2, "big")
    return bytes([family]) + low.rjust(16, b"\0") + high.rjust(16, b"\0") + ports


@dataclass(slots=True)
class _End:
    """What :class:`Whereabouts` asks about a side."""

    host: str
    port: int
    reaction: int | None
    outbound: bool | None
    deaf: bool
    missing: bool = False

    @property
    def name(self) -> str:
        """As :func:`conformance.oracle.judge.endpoint_name`."""
        return f"{self.host}:{self.port}"


@dataclass(slots=True)
class Cleared:
    """A connection that got no closer look, or not yet."""

    key: int
    number: int
    first: int
    last: int
    packets: int
    isns: list[int]
    client: _End
    server: _End
    doubtful: list[int]

    def suspected(self, whereabouts: Whereabouts) -> bool:
        """Did a side do what it must not do where the capture may have been taken?"""
        if not any(self.doubtful):
            return False
        near = whereabouts.near(self.client, self.server)
        return any(doubt and at is not False for doubt, at in zip(self.doubtful, near, strict=True))

    def connection(self, whereabouts: Whereabouts) -> Connection:
        """What there is to tell: nothing was found."""
        near = whereabouts.by_now(self.client, self.server)
        isn, theirs = self.isns
        vantage = _VANTAGES[near[0] is True, near[1] is True]
        connection = Connection(
            self.number, self.client.name, self.server.name, isn, theirs, self.first, self.last, self.packets, vantage
        )  # fmt: skip
        if self.packets == 1:  # a SYN, and no answer
            connection.server_isn, connection.unjudged = None, "one side only"
        return connection


def cleared(state: State, names: list[bytes]) -> Iterator[Cleared]:
    """Each connection of a state."""
    columns = [getattr(state, name)[:, 0].tolist() for name in ("key", "number", "first", "last", "packets", "client")]
    pairs = [getattr(state, name).tolist() for name in ("isn", "reaction", "outbound", "deaf", "doubtful")]
    for name, key, number, first, last, packets, low, isns, took, out, deaf, doubtful in zip(names, *columns, *pairs, strict=True):
        ends = name[1:17], name[17:33], int.from_bytes(name[33:35], "big"), int.from_bytes(name[35:37], "big")
        here, there, port, other = ends if low else (ends[1], ends[0], ends[3], ends[2])
        client = _End(_host(name[0], here), port, *_seen(took[0], out[0]), deaf[0] != 0)
        server = _End(_host(name[0], there), other, *_seen(took[1], out[1]), deaf[1] != 0)
        yield Cleared(key, number, first, last, packets, isns, client, server, doubtful)


def _seen(reaction: int, outbound: int) -> tuple[int | None, bool | None]:
    return None if reaction == NEVER else reaction, None if outbound == NONE else outbound == 1


@lru_cache(4096)
def _host(family: int, address: bytes) -> str:
    if family == _IPV4:
        return str(ip_address(address[12:]))
    return f"[{ip_address(address)}]"


def host(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.int64]:
    """What stands for addresses: numbers that are hardly ever the same for two."""
    return ((high ^ high >> np.uint64(29)) * _MIX + low).view(np.int64)


def gather(state: State, names: list[bytes], whereabouts: Whereabouts) -> None:
    """Tell what these connections show of their hosts, all at once."""
    if not names:
        return
    hosts, sample, of = np.unique(state.host, return_index=True, return_inverse=True)
    of = of.reshape(state.host.shape)
    reaction, outbound = np.full(len(hosts), NEVER), np.full(len(hosts), NONE)
    np.minimum.at(reaction, of, state.reaction)
    known = state.outbound != NONE
    outbound[of[known]] = state.outbound[known]
    far = np.bincount(of.reshape(-1), state.deaf.reshape(-1) != 0) > 0
    client = state.client[:, 0]
    for place, took, out, deaf in zip(sample.tolist(), reaction.tolist(), outbound.tolist(), far.tolist(), strict=True):
        row, server = divmod(place, 2)
        address = names[row][1:17] if (client[row] != 0) != (server == 1) else names[row][17:33]
        whereabouts.learn(_End(_host(names[row][0], address), 0, *_seen(took, out), deaf))


def kinds(state: State, names: list[bytes], whereabouts: Whereabouts) -> Iterator[tuple[Connection, int]]:
    """One of each kind of connection, as far as there is anything to tell of them, and how many are alike."""
    alone = np.repeat(state.packets[:, :1] == 1, 2, axis=1)
    rows, times = np.unique(np.concatenate([state.host, state.deaf, alone], axis=1), axis=0, return_index=True, return_counts=True)[1:]
    some = cleared(state.take(rows), [names[row] for row in rows])
    yield from zip((one.connection(whereabouts) for one in some), times.tolist(), strict=True)
