"""``struct inet_hashinfo``: who has which port, which connection a segment belongs to, and who listens (net/ipv4/inet_hashtables.c).

The kernel's hash tables are dictionaries here. A table of bound ports, one of connections by their four numbers, one of listeners.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from conformance.stack.errors import SocketError
from conformance.stack.in6 import INADDR_ANY
from conformance.stack.sock import ConnectionSock, Sock
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import AF_INET, AF_INET6

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = [
    "BindBucket",
    "HashEntry",
    "InetHashinfo",
    "inet_hash",
    "inet_hash_connect",
    "inet_put_port",
    "inet_rcv_saddr_equal",
    "inet_unhash",
]

Key = tuple[bytes, int, bytes, int]


class HashEntry(Protocol):
    """What stands for a connection: a TcpSock, a RequestSock or a TimeWaitSock. Addresses are as on the wire."""

    saddr: bytes
    num: int
    daddr: bytes
    dport: int


@dataclass(slots=True)
class BindBucket:
    """``struct inet_bind_bucket``: a port and who has it."""

    owners: dict[Sock, bool] = field(default_factory=dict)
    """To each: did connect choose the port (tb->fastreuse of -1)?"""


class InetHashinfo:
    """The tables of one stack."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.bhash: dict[int, BindBucket] = {}
        self.ehash: dict[Key, Any] = {}
        """Seen from the wire: the peer's address and port, our address and port."""
        self._keys: dict[Any, Key] = {}
        self._ports: dict[int, set[Any]] = {}
        """The connections by our port."""
        self.listening: dict[int, list[ConnectionSock]] = {}
        self.udp: dict[int, list[Sock]] = {}
        """udp_table: datagram sockets by port."""
        self.ping: dict[int, list[Sock]] = {}
        """ping_table: echo sockets by identifier."""
        self.raw: list[Sock] = []
        """raw_hashinfo."""
        self.perturb = 0
        """RFC 6056, algorithm 3: the counter behind the offset (table_perturb)."""

    # Connections ------------------------------------------------------------------------------------------------------

    def insert(self, entry: HashEntry) -> None:
        """A connection is there; it takes the place of one with the same addresses (a request's child does) (inet_ehash_insert)."""
        key = (entry.daddr, entry.dport, entry.saddr, entry.num)
        self.remove(entry)
        old = self.ehash.get(key)
        if old is not None:
            self.remove(old)
        self.ehash[key] = entry
        self._keys[entry] = key
        self._ports.setdefault(entry.num, set()).add(entry)

    def remove(self, entry: HashEntry) -> None:
        """A connection is there no more; it does not matter if it was not."""
        key = self._keys.pop(entry, None)
        if key is None:
            return
        del self.ehash[key]
        there = self._ports[key[3]]
        there.discard(entry)
        if not there:
            del self._ports[key[3]]

    def established(self, saddr: bytes, sport: int, daddr: bytes, dport: int) -> Any | None:
        """Whose is a segment from ``saddr`` and ``sport`` (__inet_lookup_established)?"""
        return self.ehash.get((saddr, sport, daddr, dport))

    def entries(self) -> list[Any]:
        """All that is in the table of connections."""
        return list(self.ehash.values())

    # Listeners --------------------------------------------------------------------------------------------------------

    def listen(self, sk: ConnectionSock) -> None:
        """It takes SYNs from now on."""
        there = self.listening.setdefault(sk.num, [])
        if sk not in there:
            there.append(sk)

    def unlisten(self, sk: ConnectionSock) -> None:
        """It takes no more; it does not matter if it did not."""
        there = self.listening.get(sk.num, [])
        if sk in there:
            there.remove(sk)
            if not there:
                del self.listening[sk.num]

    def listener(self, daddr: bytes, dport: int, saddr: bytes = b"", sport: int = 0) -> ConnectionSock | None:
        """Who listens at this address, the most specific first (__inet_lookup_listener). With SO_REUSEPORT the peer's address chooses."""
        best, found = 0, list[ConnectionSock]()
        for sk in self.listening.get(dport, ()):
            score = compute_score(sk, daddr)
            if score > best:
                best, found = score, [sk]
            elif score == best and score:
                found.append(sk)
        if len(found) < 2:
            return found[0] if found else None
        return found[self.keyed_hash(saddr, sport.to_bytes(2, "big"), daddr) % len(found)]

    # Ports ------------------------------------------------------------------------------------------------------------

    def get_port(self, sk: Sock, port: int, by_connect: bool = False) -> None:
        """Note that a socket has a port (inet_bind_hash)."""
        self.bhash.setdefault(port, BindBucket()).owners.setdefault(sk, by_connect)
        sk.num = port

    def put_port(self, sk: Sock) -> None:
        """Give it back (__inet_put_port)."""
        bucket = self.bhash.get(sk.num)
        if bucket is not None and bucket.owners.pop(sk, None) is not None and not bucket.owners:
            del self.bhash[sk.num]
        sk.num = 0

    def owners(self, port: int) -> Iterator[Any]:
        """All that have a port: sockets that are bound, accepted connections, connections in TIME-WAIT. Requests do not count."""
        bucket = self.bhash.get(port)
        bound = bucket.owners if bucket is not None else {}
        yield from bound
        for entry in self._ports.get(port, ()):
            if entry not in bound and (isinstance(entry, Sock) or _in_time_wait(entry)):
                yield entry

    def connect_may_share(self, port: int) -> bool:
        """May connect choose this port: is it free, or taken by other connects alone?"""
        bucket = self.bhash.get(port)
        bound = bucket.owners if bucket is not None else {}
        return all(bound.values()) and all(entry in bound or not isinstance(entry, Sock) for entry in self._ports.get(port, ()))

    def keyed_hash(self, *parts: bytes) -> int:
        """A hash that nobody outside can foresee."""
        return int.from_bytes(blake2b(b"\0".join(parts), key=self.net.secret, digest_size=8).digest(), "big")


def _in_time_wait(entry: Any) -> bool:
    return getattr(entry, "sk_state", None) is TcpState.TIME_WAIT or type(entry).__name__ == "TimeWaitSock"


def compute_score(sk: Sock, daddr: bytes) -> int:
    """How well a listener fits an address; 0: not at all (net/ipv4/inet_hashtables.c)."""
    own = sk.rcv_saddr
    if len(daddr) == 4 and sk.sk_family == AF_INET6 and sk.v6only:
        return 0
    if own == daddr:
        return 4
    if len(daddr) == 4:
        if sk.sk_family == AF_INET and not own:
            return 3
        return 2 if sk.sk_family == AF_INET6 and own in (b"", INADDR_ANY) else 0
    return 3 if sk.sk_family == AF_INET6 and not own else 0


def inet_rcv_saddr_equal(sk: Any, other: Any) -> bool:
    """Do two sockets' own addresses overlap, the wildcard being all of them (net/ipv4/inet_connection_sock.c)?"""
    here, there = _bound_to(sk), _bound_to(other)
    if here is None or there is None:  # one is ::, which takes IPv4 as well unless it is v6only
        if here is None and there is None:
            return True
        wild, bound = (sk, there) if here is None else (other, here)
        assert bound is not None
        return not (len(bound) == 4 and getattr(wild, "v6only", False))
    if len(here) != len(there):
        return False
    return here == there or (len(here) == 4 and INADDR_ANY in (here, there))


def _bound_to(sk: Any) -> bytes | None:
    """Its own address; 0.0.0.0 is IPv4's wildcard, None is ``::``."""
    own: bytes = getattr(sk, "rcv_saddr", sk.saddr)
    if own:
        return own
    return None if getattr(sk, "sk_family", AF_INET) == AF_INET6 else INADDR_ANY


# What TCP calls -------------------------------------------------------------------------------------------------------


def inet_put_port(sk: Sock) -> None:
    """Give the port back."""
    sk.net.hashinfo.put_port(sk)


def inet_hash(sk: Sock) -> None:
    """Enter a listener or a connection into its table (``sk_prot->hash``)."""
    if sk.sk_state is TcpState.LISTEN:
        assert isinstance(sk, ConnectionSock)
        sk.net.hashinfo.listen(sk)
    else:
        sk.net.hashinfo.insert(sk)


def inet_unhash(sk: Sock) -> None:
    """Take it out of whichever it is in (``sk_prot->unhash``)."""
    if isinstance(sk, ConnectionSock):
        sk.net.hashinfo.unlisten(sk)
    sk.net.hashinfo.remove(sk)


def inet_hash_connect(sk: Sock) -> None:
    """Give a connecting socket a port, unless it has one, and enter it among the connections; EADDRNOTAVAIL if that is not possible."""
    info = sk.net.hashinfo
    offset = info.keyed_hash(sk.saddr, sk.daddr, sk.dport.to_bytes(2, "big")) if not sk.num else 0
    __inet_hash_connect(sk, offset)


def __inet_hash_connect(sk: Sock, port_offset: int) -> None:
    """RFC 6056, section 3.3.3; like Linux it tries the even ports first, and leaves the odd ones to ``bind``."""
    info = sk.net.hashinfo
    if sk.num:
        if not __inet_check_established(sk, sk.num):
            raise SocketError("EADDRNOTAVAIL")
        info.insert(sk)
        return
    low, high = sk.net.sysctl.ports
    count = high - low + 1
    start = (info.perturb + port_offset) % count & ~1
    for step in chain(range(0, count, 2), range(1, count, 2)):
        port = low + (start + step) % count
        if info.connect_may_share(port) and __inet_check_established(sk, port):
            info.perturb += step + 2
            info.get_port(sk, port, by_connect=True)
            info.insert(sk)
            return
    raise SocketError("EADDRNOTAVAIL")


def __inet_check_established(sk: Sock, port: int) -> bool:
    """Is a connection from this port unlike all others? One in TIME-WAIT gives way if TCP says that it may."""
    info = sk.net.hashinfo
    other = info.established(sk.daddr, sk.dport, sk.saddr, port)
    if other is None or other is sk:
        return True
    if not _in_time_wait(other):
        return False
    from conformance.stack import tcp_minisocks  # which needs this module

    if not tcp_minisocks.tcp_twsk_unique(sk, other):
        return False
    tcp_minisocks.inet_twsk_deschedule_put(other)
    return True
