"""Where packets go: the routing table, source addresses, and what is known of the paths (net/ipv4/route.c, fib_frontend.c, devinet.c)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conformance.stack.errors import SocketError
from conformance.stack.neighbour import Neighbour
from conformance.stack.sysctl import SECOND
from conformance.wire.checksum import pseudo_sum

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net

__all__ = [
    "Dst", "Fib", "dst_advmss", "dst_mtu", "inet_addr_type", "inet_select_addr", "ip_route_connect", "ip_route_output", "update_pmtu",
]  # fmt: skip

LOOPBACK4, LOOPBACK6 = b"\x7f\x00\x00\x01", bytes(15) + b"\x01"
ALL_ONES = b"\xff\xff\xff\xff"
_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK_MTU = 65535
_ROUTES_KEPT = 1024
_PATHS_KEPT = 1024
_PATH_AGE = 600 * SECOND
"""RFC 1191, section 6.3, and RFC 8201, section 5.3: ten minutes."""
_LEAST_PATH4, _LEAST_PATH4_LINUX = 68, 552
"""RFC 1191, section 3: never below 68. Linux: net.ipv4.route.min_pmtu."""
_LEAST_PATH6 = 1280
_LEAST_ADVMSS4 = 256
"""net.ipv4.route.min_adv_mss."""
_NO_ROUTE_MTU = {4: 576, 16: _LEAST_PATH6}
"""RFC 1122, section 3.3.3: what everybody can receive."""


@dataclass(slots=True, eq=False)
class Dst:
    """``struct dst_entry``: how to reach an address. Shared and cached; nobody changes one."""

    device: Device
    nexthop: bytes
    saddr: bytes
    """The source address: the one that was asked for, else the one that fits best."""
    kind: str
    """``unicast``, ``local``, ``broadcast`` or ``multicast``."""
    daddr: bytes
    """The destination; for the unspecified address, the loopback address that it stands for."""
    neighbour: Neighbour
    sum: int = 0
    """The sum of both addresses, for the header checksum."""


@dataclass(frozen=True, slots=True)
class _Route:
    """``struct fib_info``: the first ``length`` bits of an address lead to it."""

    prefix: int
    length: int
    bits: int
    gateway: bytes | None
    device: Device

    def matches(self, address: int) -> bool:
        return (address ^ self.prefix) >> (self.bits - self.length) == 0


@dataclass(slots=True)
class _Path:
    mtu: int
    expires: int
    locked: bool = False
    """It takes less than Linux makes packets for, so that they must be allowed to be fragmented (dst_metric_locked())."""


@dataclass(slots=True)
class IcmpLimit:
    """A token bucket (RFC 4443, section 2.4 (f)): what is left in it, and when that was so."""

    tokens: float
    at: int


@dataclass(slots=True)
class _Addresses:
    """The addresses of all devices."""

    local: dict[bytes, Device] = field(default_factory=dict)
    broadcast: set[bytes] = field(default_factory=lambda: {ALL_ONES})
    groups: set[bytes] = field(
        default_factory=lambda: {b"\xe0\x00\x00\x01", b"\xff\x01" + bytes(13) + b"\x01", b"\xff\x02" + bytes(13) + b"\x01"}
    )
    """Multicast groups that every host is in, and the solicited-node groups of the own addresses (RFC 4291, section 2.8)."""


class Fib:
    """The forwarding information base of one stack, with its caches."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.routes: dict[int, list[_Route]] = {4: [], 16: []}
        """By the octets of an address; the longest prefixes first."""
        self.addresses = _Addresses()
        self.local = self.addresses.local
        """Own unicast addresses, and their devices; not the loopback addresses, which no link has."""
        self.cache: dict[tuple[bytes, bytes], Dst] = {}
        """Routes that were looked up, by destination and source."""
        self.paths: dict[bytes, _Path] = {}
        """Destinations whose path MTU is less than the link's (struct fib_nh_exception)."""
        self.icmp_limits: dict[bytes, IcmpLimit] = {}
        """Whom errors were sent to (struct inet_peer); the empty address: all."""
        self.ip_id = net.rng.getrandbits(16)
        self._loopback: Device | None = None

    def add(self, prefix: bytes, length: int, gateway: bytes | None, device: Device) -> None:
        """A route: what begins like ``prefix`` goes through ``device``, to its destination or to ``gateway``."""
        if not 0 <= length <= len(prefix) * 8:
            raise SocketError("EINVAL")
        routes = self.routes[len(prefix)]
        routes.append(_Route(int.from_bytes(prefix, "big"), length, len(prefix) * 8, gateway, device))
        routes.sort(key=lambda route: -route.length)
        self._read_addresses()
        self.flush()

    def flush(self) -> None:
        """rt_cache_flush(): look every route up again."""
        self.cache.clear()

    def _read_addresses(self) -> None:
        """The devices may have got addresses."""
        found = self.addresses = _Addresses()
        for device in self.net.devices:
            for address, length in device.addresses:
                found.local[address] = device
                if len(address) == 16:
                    found.groups.add(solicited_node(address))
                elif length < 31:  # RFC 3021: a net of two has no broadcast address
                    hosts = (1 << 32 - length) - 1
                    found.broadcast.add((int.from_bytes(address, "big") | hosts).to_bytes(4, "big"))
        self.local = found.local

    @property
    def loopback(self) -> Device:
        """The loopback device, made when it is first needed."""
        if self._loopback is None:
            from conformance.stack.ip_output import loopback_device  # late: it imports this module

            self._loopback = loopback_device(self.net, _LOOPBACK_MTU)
        return self._loopback

    # Questions --------------------------------------------------------------------------------------------------------

    def is_local(self, address: bytes) -> bool:
        """Is this a unicast address of this host?"""
        return address in self.local or is_loopback(address)

    def joined(self, address: bytes) -> bool:
        """Does this host take what is sent to this broadcast or multicast address?"""
        return address in self.addresses.broadcast or address in self.addresses.groups

    def valid_source(self, address: bytes) -> bool:
        """Can a packet from the link have this source? Not one that stands for several hosts or for this one (RFC 1122, section 3.2.1.3;
        RFC 4291, sections 2.5.3 and 2.7; RFC 4038, section 4.2). ``::`` can be, in neighbour discovery.
        """
        if address in self.local:
            return False
        if len(address) == 4:
            return 0 < address[0] < 224 and address[0] != 127 and address not in self.addresses.broadcast
        return address[0] != 0xFF and address != LOOPBACK6 and not address.startswith(_MAPPED)

    def lookup(self, address: bytes) -> tuple[Device, bytes] | None:
        """fib_lookup(): device and next hop; None if there is no route."""
        number, near = int.from_bytes(address, "big"), is_link_local(address)
        for route in self.routes[len(address)]:
            if route.matches(number) and not (near and route.gateway):
                return route.device, route.gateway or address
        if self.net.devices and (near or is_multicast(address) or address == ALL_ONES):
            return self.net.devices[0], address  # these need no route: they do not leave the link
        return None


def solicited_node(address: bytes) -> bytes:
    """The group that a host with this IPv6 address is in (RFC 4291, section 2.7.1)."""
    return b"\xff\x02" + bytes(9) + b"\x01\xff" + address[13:]


def is_multicast(address: bytes) -> bool:
    """ipv4_is_multicast(), ipv6_addr_is_multicast()."""
    return 224 <= address[0] < 240 if len(address) == 4 else address[0] == 0xFF


def is_loopback(address: bytes) -> bool:
    """ipv4_is_loopback(), ipv6_addr_loopback()."""
    return address[0] == 127 if len(address) == 4 else address == LOOPBACK6


def is_link_local(address: bytes) -> bool:
    """Is it an IPv6 address that means something on its link only?"""
    return len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80


def inet_addr_type(net: Net, address: bytes) -> str:
    """What an address is to this host: ``unspecified``, ``local``, ``broadcast``, ``multicast`` or ``unicast``."""
    if not any(address):
        return "unspecified"
    if net.fib.is_local(address):
        return "local"
    if is_multicast(address):
        return "multicast"
    return "broadcast" if address in net.fib.addresses.broadcast else "unicast"


def inet_select_addr(net: Net, device: Device, towards: bytes) -> bytes:
    """The source address for what leaves through ``device``; empty if there is none.

    The rules of RFC 6724, section 5, that matter here: the right scope (2), this interface (5), the longest matching prefix (8).
    """
    best, best_rank = b"", (-1, -1, -1)
    target = int.from_bytes(towards, "big")
    link_only = is_link_local(towards) or (len(towards) == 16 and towards[0] == 0xFF and towards[1] & 0xF <= 2)
    for other in net.devices:
        for address, length in other.addresses:
            if len(address) != len(towards):
                continue
            different = (int.from_bytes(address, "big") ^ target).bit_length()
            rank = (is_link_local(address) == link_only, other is device, min(len(address) * 8 - different, length))
            if rank > best_rank:
                best, best_rank = address, rank
    return best


def ip_route_output(net: Net, daddr: bytes, saddr: bytes = b"") -> Dst:
    """ip_route_output_key(), ip6_route_output(): how to reach ``daddr``, from ``saddr`` if that is given; raises ENETUNREACH."""
    dst = net.fib.cache.get((daddr, saddr))
    if dst is None:
        dst = _route(net, daddr, saddr)
        if len(net.fib.cache) >= _ROUTES_KEPT:
            net.fib.flush()
        net.fib.cache[daddr, saddr] = dst
    return dst


def ip_route_connect(net: Net, daddr: bytes, saddr: bytes) -> Dst:
    """The route of a connection that is to be opened, and with it the source address, unless one is bound (include/net/route.h)."""
    return ip_route_output(net, daddr, saddr)


def _route(net: Net, daddr: bytes, saddr: bytes) -> Dst:
    """The same, looked up."""
    fib, asked = net.fib, saddr if any(saddr) else b""
    kind = inet_addr_type(net, daddr)
    if kind == "unspecified":  # as BSD has it: the own host
        kind, daddr = "local", LOOPBACK4 if len(daddr) == 4 else LOOPBACK6
    if kind == "local":
        device, nexthop, chosen = fib.loopback, daddr, asked or daddr
        return Dst(device, nexthop, chosen, kind, daddr, fixed_neighbour(net, device, nexthop, bytes(6)), pseudo_sum(chosen, daddr, 0, 0))
    found = fib.lookup(daddr)
    if found is None:
        raise SocketError("ENETUNREACH")
    device, nexthop = found
    if kind != "unicast":
        nexthop = daddr
    chosen = asked or inet_select_addr(net, device, nexthop if len(daddr) == 4 else daddr)
    stays = is_loopback(chosen) and not (net.sysctl.linux and len(chosen) == 16)  # RFC 1122, 3.2.1.3 (g); Linux lets ::1 out
    if not chosen or (stays and device is not fib.loopback):
        raise SocketError("ENETUNREACH")
    if kind == "unicast":
        neighbour = net.neighbours.lookup(device, nexthop)
    else:
        neighbour = fixed_neighbour(net, device, daddr, _group_mac(daddr) if kind == "multicast" else b"\xff" * 6)
    return Dst(device, nexthop, chosen, kind, daddr, neighbour, pseudo_sum(chosen, daddr, 0, 0))


def fixed_neighbour(net: Net, device: Device, address: bytes, mac: bytes) -> Neighbour:
    """One that stands in no table: its address needs no resolution (NUD_NOARP)."""
    return Neighbour(net.neighbours, device, address).fix(mac)


def _group_mac(address: bytes) -> bytes:
    """RFC 1112, section 6.4; RFC 2464, section 7."""
    if len(address) == 4:
        return b"\x01\x00\x5e" + bytes([address[1] & 0x7F]) + address[2:]
    return b"\x33\x33" + address[12:]


# Path MTU -------------------------------------------------------------------------------------------------------------


def dst_mtu(net: Net, daddr: bytes) -> int:
    """How long a packet to ``daddr`` can be, as far as is known."""
    path = net.fib.paths.get(daddr)
    if path is not None:
        if net.now < path.expires:
            return path.mtu
        del net.fib.paths[daddr]
    try:
        return ip_route_output(net, daddr).device.mtu
    except SocketError:
        return _NO_ROUTE_MTU[len(daddr)]


def dst_advmss(net: Net, dst: Dst) -> int:
    """What the MSS option says: what the link can bring (RFC 1191, section 6.4; RFC 8201, section 5.4).

    Linux takes it from the path MTU (ipv4_default_advmss(), ip6_default_advmss()), though that is the way out.
    """
    headers, least = (40, _LEAST_ADVMSS4) if len(dst.daddr) == 4 else (60, _LEAST_PATH6 - 60)
    if net.sysctl.linux and net.fib.paths:
        return max(dst_mtu(net, dst.daddr) - headers, least)
    return dst.device.mtu - headers


def update_pmtu(net: Net, daddr: bytes, mtu: int) -> None:
    """ip_rt_update_pmtu(), ip6_rt_update_pmtu(): somebody on the path said that ``mtu`` is all that it takes.

    It never raises what is known (RFC 1191, section 3). For IPv6 a value below 1280 is no news (RFC 8201, section 4).
    """
    locked = False
    if len(daddr) == 4:
        locked = net.sysctl.linux and mtu < _LEAST_PATH4_LINUX
        mtu = max(mtu, _LEAST_PATH4_LINUX if net.sysctl.linux else _LEAST_PATH4)
    elif mtu < _LEAST_PATH6:
        return
    if mtu >= dst_mtu(net, daddr):
        return
    paths = net.fib.paths
    paths.pop(daddr, None)
    if len(paths) >= _PATHS_KEPT:
        del paths[next(iter(paths))]
    paths[daddr] = _Path(mtu, net.now + _PATH_AGE, locked)
