"""Where a capture was taken, by the evidence in it: who answers at once, and who cannot have seen what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from conformance.oracle.finding import Vantage

__all__ = ["End", "Whereabouts"]

_AT_ONCE = 20_000
"""ns within which an end answers that is on this machine, or on the other end of a virtual link. A network, however short, takes longer."""
_MUCH = 20
"""How many times longer the other end takes that is behind a network."""
_NEAR_ENOUGH = 5_000_000
"""ns: who always takes longer is not near, however long the other end takes. It is half of what a judge allows an ordinary machine."""
_MOST_HOSTS = 65_536
"""That are remembered: which was heard of first is forgotten for another."""

_NEAR_CLIENT, _NEAR_SERVER = (Vantage.CLIENT, Vantage.BOTH), (Vantage.SERVER, Vantage.BOTH)


@dataclass(slots=True)
class _Host:
    """What all connections of an address have shown."""

    reaction: int | None = None
    """ns: its quickest answer."""
    far: bool = False
    """It sent what was not captured, or not in that order, or did not get what was."""
    outbound: bool | None = None


class End(Protocol):
    """What is asked about a side of a connection; see :class:`conformance.oracle.side.Side`."""

    @property
    def host(self) -> str:
        """Its address."""

    reaction: int | None
    missing: bool
    deaf: bool
    outbound: bool | None


class Whereabouts:
    """Gathers the evidence, connection by connection.

    Args:
        given: where it was taken, if somebody knows; then there is nothing to find out.
    """

    def __init__(self, given: Vantage | None) -> None:
        self.given = given
        self._hosts: dict[str, _Host] = {}

    def near(self, client: End, server: End) -> tuple[bool | None, bool | None]:
        """Was the capture taken near the client, near the server? None: there is no telling."""
        self.learn(client)
        self.learn(server)
        return self.by_now(client, server)

    def by_now(self, client: End, server: End) -> tuple[bool | None, bool | None]:
        """As :meth:`near`, by what has been gathered of other connections, and what this one shows itself."""
        if self.given is not None:
            return self.given in _NEAR_CLIENT, self.given in _NEAR_SERVER
        a, b = self._hosts.get(client.host) or _Host(), self._hosts.get(server.host) or _Host()
        return self._is_near(client, a, b), self._is_near(server, b, a)

    def learn(self, side: End) -> None:
        """Gather what a connection shows of this host."""
        if self.given is not None:
            return
        host = self._hosts.get(side.host)
        if host is None:
            if len(self._hosts) >= _MOST_HOSTS:
                del self._hosts[next(iter(self._hosts))]
            host = self._hosts[side.host] = _Host()
        if side.reaction is not None and (host.reaction is None or side.reaction < host.reaction):
            host.reaction = side.reaction
        host.far = host.far or side.deaf or side.missing
        if side.outbound is not None:
            host.outbound = side.outbound

    def _is_near(self, side: End, host: _Host, other: _Host) -> bool | None:
        if side.deaf or side.missing or host.far or host.outbound is False:
            return False
        if host.outbound:
            return True
        if host.reaction is None:
            return None
        if host.reaction <= _AT_ONCE:
            return True
        if other.reaction is None:
            return None
        if host.reaction * _MUCH < other.reaction and host.reaction <= _NEAR_ENOUGH:
            return True
        return False if other.reaction * _MUCH < host.reaction else None
