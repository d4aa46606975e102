"""Where case runs take place: always the same for one that has a stack of its own, else peers and ports that no other has."""

from __future__ import annotations

import ipaddress
import itertools
import secrets
from functools import cache

from conformance.link.addressing import ADDRESSING, HOSTS, PEER_MAC, SUT_MAC
from conformance.sut.base import Places
from conformance.sut.peers import Peers
from conformance.wire.segment import Family

__all__ = ["SharedPlaces", "own_places"]

_PORTS = (1024, 32000)
"""Ports for cases to bind, below the range from which stacks choose by themselves."""
_PORTS_A_CASE = 3
_OWN_PORTS = {"port": 5000, "port2": 5001, "port3": 5002, "peer_port": 40000, "peer_port2": 40001}
"""Of a case that has a stack of its own; those to bind are below that range, too."""
_PEER_PORTS = 20000
"""Linux's tracepoint sees runs in other containers too, which may have the same peers: that each begins elsewhere tells them apart."""


@cache
def own_places(family: Family) -> Places:
    """Addresses and ports of a case that has a stack of its own: always the same."""
    peers = ipaddress.ip_network(next(net.peers for net in ADDRESSING if net.family is family))
    return Places(family, SUT_MAC, PEER_MAC, {**HOSTS[family], "peer": peers[1].packed, "peer2": peers[2].packed}, _OWN_PORTS)


class SharedPlaces:
    """A place for each case run, until it is closed."""

    def __init__(self) -> None:
        self._peers = Peers()
        self._counter = itertools.count(1)
        self._first_peer_port = secrets.randbelow(_PEER_PORTS)

    @property
    def own(self) -> bool:
        """Are the peers this process's alone?"""
        return self._peers.own

    def next(self, family: Family) -> Places:
        """Addresses that no other case run of this machine has, and none of this process had; ports that none of it used lately."""
        number = next(self._counter)
        peer, peer2 = self._peers.pair(family)
        hosts = {**HOSTS[family], "peer": peer, "peer2": peer2}
        low, high = _PORTS
        port = low + _PORTS_A_CASE * (number % ((high - low) // _PORTS_A_CASE))
        ports = {"port": port, "port2": port + 1, "port3": port + 2, "peer_port": 40000 + (self._first_peer_port + number) % _PEER_PORTS}
        ports["peer_port2"] = ports["peer_port"] + 1
        return Places(family, SUT_MAC, PEER_MAC, hosts, ports)

    def close(self) -> None:
        """Let others have the peers."""
        self._peers.close()
