"""The address resolution protocol on Ethernet (RFC 826; net/ipv4/arp.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conformance.stack.neighbour import Neighbour, Nud
from conformance.stack.route import inet_select_addr

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net

__all__ = ["arp_rcv", "arp_solicit"]

_ARP = b"\x08\x06"
_ETHERNET_IPV4 = b"\x00\x01\x08\x00\x06\x04"
_REQUEST, _REPLY = 1, 2
_BROADCAST = b"\xff" * 6
_SIZE = 28
_FIELDS = struct.Struct(">6sH6s4s6s4s")


def arp_rcv(net: Net, device: Device, frame: bytes) -> None:
    """A frame of ethertype 0x0806."""
    if len(frame) < 14 + _SIZE:
        net.count("ArpInErrors")
        return
    kind, operation, sender_mac, sender, _, target = _FIELDS.unpack_from(frame, 14)
    if kind != _ETHERNET_IPV4 or operation not in (_REQUEST, _REPLY) or sender_mac[0] & 1 or sender_mac == device.mac:
        net.count("ArpInErrors")
        return
    if net.fib.local.get(target) is not device:
        target = b""
    _arp_process(net, device, operation, sender_mac, sender, target)


def _arp_process(net: Net, device: Device, operation: int, sender_mac: bytes, sender: bytes, target: bytes) -> None:
    """RFC 826, "Packet Reception". ``target`` is an address of ours, or empty.

    An entry that there is takes the new link address; a new one is made for who asks for us only.
    """
    if net.fib.valid_source(sender):
        entry = net.neighbours.find(device, sender)
        if entry is None and target and operation == _REQUEST:
            entry = net.neighbours.lookup(device, sender)
        if entry is not None:
            if operation == _REPLY and target and entry.state is not Nud.NONE:
                entry.confirm(sender_mac)
            else:
                entry.hint(sender_mac)
    elif any(sender):  # all zeros: it asks whether the address is free (RFC 5227); it hears that it is not
        net.count("ArpInErrors")
        return
    if target and operation == _REQUEST:
        arp_send(device, _REPLY, sender_mac, target, sender_mac, sender)


def arp_send(device: Device, operation: int, to_mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> None:
    """Send a request or a reply."""
    device.transmit(to_mac + device.mac + _ARP + _FIELDS.pack(_ETHERNET_IPV4, operation, device.mac, sender, target_mac, target))


def arp_solicit(net: Net, entry: Neighbour) -> None:
    """Ask for a neighbour's link address."""
    sender = inet_select_addr(net, entry.device, entry.address) or bytes(4)
    arp_send(entry.device, _REQUEST, entry.mac or _BROADCAST, sender, bytes(6), entry.address)
