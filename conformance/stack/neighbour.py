"""Neighbours: the link addresses behind IP addresses, and packets that wait for one (net/core/neighbour.c; RFC 4861, section 7.3).

The states are those of neighbour discovery for both families. How to ask is the business of arp.py and ndisc.py.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING

from conformance.stack.sysctl import SECOND

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net

__all__ = ["Neighbour", "NeighbourTable", "Nud"]

_FOREVER = 1 << 64
_REACHABLE_TIME = 30 * SECOND
_DELAY_FIRST_PROBE = 5 * SECOND
_RETRANS_TIME = SECOND
_PROBES = 3
"""Multicast as well as unicast solicitations (RFC 4861, section 10)."""
_ENTRIES_KEPT = 512
_PENDING_EACH = 16
_PENDING_ALL = 256
_ETHERTYPES = {4: b"\x08\x00", 16: b"\x86\xdd"}


class Nud(Enum):
    """``NUD_*``: how far the link address is known."""

    NONE = auto()
    INCOMPLETE = auto()
    REACHABLE = auto()
    STALE = auto()
    DELAY = auto()
    PROBE = auto()
    FAILED = auto()
    """It is in the table no more."""
    PERMANENT = auto()


class Neighbour:
    """``struct neighbour``."""

    __slots__ = ("address", "device", "header", "mac", "pending", "probes", "state", "table", "timer", "until")

    def __init__(self, table: NeighbourTable, device: Device, address: bytes) -> None:
        self.table, self.device, self.address = table, device, address
        self.state = Nud.NONE
        self.mac = b""
        self.header = b""
        """The Ethernet header of a packet to it."""
        self.until = 0
        """Until when ``header`` can be used without a further thought."""
        self.pending: deque[bytes] = deque()
        self.probes = 0
        self.timer = table.net.timer(self._timer_handler)

    def fix(self, mac: bytes) -> Neighbour:
        """It has this link address for good."""
        self._learn(mac)
        self._become(Nud.PERMANENT, _FOREVER)
        return self

    def output(self, packet: bytes) -> None:
        """neigh_output(): a whole IP packet; it waits if the link address has to be found out."""
        if self.table.net.now < self.until:
            self.device.transmit(self.header + packet)
        else:
            self._resolve_output(packet)

    def confirm(self, mac: bytes) -> None:
        """It has answered: it is there, and can hear us."""
        if self.state is not Nud.PERMANENT:
            self._learn(mac)
            self._become(Nud.REACHABLE, self.table.net.now + _REACHABLE_TIME)

    def hint(self, mac: bytes) -> None:
        """It has said its link address, which does not show that it hears us (RFC 4861, section 7.2.3)."""
        if self.state is not Nud.PERMANENT and (mac != self.mac or self.state is Nud.INCOMPLETE):
            self._learn(mac)
            self._become(Nud.STALE, 0)

    def reached(self) -> None:
        """neigh_confirm(): a layer above knows that packets arrive (RFC 4861, section 7.3.1)."""
        if self.state in (Nud.REACHABLE, Nud.STALE, Nud.DELAY, Nud.PROBE):
            self._become(Nud.REACHABLE, self.table.net.now + _REACHABLE_TIME)

    def forget(self) -> None:
        """It is out of the table; so are the packets that waited."""
        self.state, self.until = Nud.FAILED, 0
        self.timer.stop()
        self.table.waiting -= len(self.pending)
        self.pending.clear()

    # Inside -----------------------------------------------------------------------------------------------------------

    def _learn(self, mac: bytes) -> None:
        self.mac = mac
        self.header = mac + (self.device.mac or bytes(6)) + _ETHERTYPES[len(self.address)]

    def _become(self, state: Nud, until: int) -> None:
        """A state in which the link address is known: what has waited goes."""
        self.state, self.until = state, until
        self.timer.stop()
        self.table.waiting -= len(self.pending)
        while self.pending:
            self.device.transmit(self.header + self.pending.popleft())

    def _resolve_output(self, packet: bytes) -> None:
        """neigh_resolve_output()."""
        now = self.table.net.now
        if self.state is Nud.FAILED:
            self.table.lookup(self.device, self.address).output(packet)
        elif self.state in (Nud.NONE, Nud.INCOMPLETE):
            self._queue(packet)
            if self.state is Nud.NONE:
                self.state, self.probes = Nud.INCOMPLETE, 0
                self._timer_handler()
        else:  # stale: use it, and see to it soon whether it is still right
            self.state, self.probes = Nud.DELAY, 0
            self.until = now + _DELAY_FIRST_PROBE + _PROBES * _RETRANS_TIME
            self.timer.reset(now + _DELAY_FIRST_PROBE)
            self.device.transmit(self.header + packet)

    def _queue(self, packet: bytes) -> None:
        """RFC 1122, section 2.3.2.2: keep at least the last; the oldest give way."""
        if len(self.pending) >= _PENDING_EACH:
            self.pending.popleft()
        elif self.table.waiting >= _PENDING_ALL:
            self.table.net.count("NeighbourPendingFull")
            return
        else:
            self.table.waiting += 1
        self.pending.append(packet)

    def _timer_handler(self) -> None:
        """neigh_timer_handler(): ask (again), or give up."""
        if self.probes >= _PROBES:
            self._fail()
            return
        if self.state is Nud.DELAY:
            self.state = Nud.PROBE
        self.probes += 1
        self.timer.reset(self.table.net.now + _RETRANS_TIME)
        self.table.solicit(self)

    def _fail(self) -> None:
        """neigh_invalidate(): what waits cannot be delivered, and its senders hear of it."""
        waiting = list(self.pending)
        self.table.remove(self)
        for packet in waiting:
            self.table.unreachable(packet)


class NeighbourTable:
    """``arp_tbl`` and ``nd_tbl`` of one stack."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.entries: dict[tuple[Device, bytes], Neighbour] = {}
        self.waiting = 0
        """Packets that wait at all entries together."""

    def add(self, device: Device, address: bytes, mac: bytes) -> None:
        """A permanent entry: it is believed whatever the link says."""
        entry = self.find(device, address)
        if entry is None:
            entry = self.entries[device, address] = Neighbour(self, device, address)
        entry.fix(mac)

    def find(self, device: Device, address: bytes) -> Neighbour | None:
        """neigh_lookup()."""
        return self.entries.get((device, address))

    def lookup(self, device: Device, address: bytes) -> Neighbour:
        """The same; makes an entry if there is none (__neigh_create), for which another may have to go."""
        entry = self.find(device, address)
        if entry is None:
            if len(self.entries) >= _ENTRIES_KEPT:
                self._make_room()
            entry = self.entries[device, address] = Neighbour(self, device, address)
        return entry

    def _make_room(self) -> None:
        """Those of whom nothing is known go first: many of them may be made up by somebody."""
        temporary = [entry for entry in self.entries.values() if entry.state is not Nud.PERMANENT]
        unknown = (entry for entry in temporary if not entry.mac)
        victim = next(unknown, None) or next(iter(temporary), None)
        if victim is not None:
            self.remove(victim)

    def remove(self, entry: Neighbour) -> None:
        """Forget one. The cached routes that hold it have to be looked up again."""
        self.entries.pop((entry.device, entry.address), None)
        entry.forget()
        self.net.fib.flush()

    def solicit(self, entry: Neighbour) -> None:
        """Ask for its link address: everybody, or itself if there is one to confirm (arp_solicit, ndisc_solicit)."""
        from conformance.stack import arp, ndisc  # late: both import this module

        ask = arp.arp_solicit if len(entry.address) == 4 else ndisc.ndisc_solicit
        ask(self.net, entry)

    def unreachable(self, packet: bytes) -> None:
        """arp_error_report(), ndisc_error_report(): our own packet has not found its next hop."""
        from conformance.stack.icmp import icmp_send  # late: icmp.py imports the way here

        self.net.count("NeighbourFailed")
        if packet[0] >> 4 == 4:
            icmp_send(self.net, packet, 3, 1)
        else:
            icmp_send(self.net, packet, 1, 3)
