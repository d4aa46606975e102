"""Neighbour discovery (RFC 4861, section 7; net/ipv6/ndisc.c): solicitations and advertisements. Routers and redirects are not believed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conformance.stack.neighbour import Neighbour, Nud
from conformance.stack.route import inet_select_addr, is_multicast, solicited_node
from conformance.wire.checksum import finish, ones_sum, pseudo_sum

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net
    from conformance.wire.segment import Icmp

__all__ = ["ndisc_rcv", "ndisc_solicit"]

SOLICITATION, ADVERTISEMENT = 135, 136
_SOURCE_LINK_ADDRESS, _TARGET_LINK_ADDRESS = 1, 2
_SOLICITED, _OVERRIDE = 0x4000_0000, 0x2000_0000
_ICMPV6 = 58
_ALL_NODES = b"\xff\x02" + bytes(13) + b"\x01"
_HOPS = 255
_HEADER = struct.Struct(">IHBB16s16s")


def ndisc_rcv(net: Net, device: Device, message: Icmp, flags: int) -> None:
    """A message of type 135 or 136, its checksum right. ``flags`` is the word before the target.

    RFC 4861, sections 7.1.1 and 7.1.2, say what is valid.
    """
    target = message.body[:16]
    options = _options(message.body[16:])
    if message.ttl != _HOPS or message.code or len(target) < 16 or is_multicast(target) or options is None:
        net.count("Icmp6InErrors")
    elif message.type == SOLICITATION:
        _ndisc_recv_ns(net, device, message, target, options.get(_SOURCE_LINK_ADDRESS))
    else:
        _ndisc_recv_na(net, device, message, flags, target, options.get(_TARGET_LINK_ADDRESS))


def _options(data: bytes) -> dict[int, bytes] | None:
    """The link addresses among the options by type; None if one has the length 0 or is cut off."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 2 > len(data) or not data[at + 1] or at + data[at + 1] * 8 > len(data):
            return None
        if data[at + 1] == 1 and not data[at + 2] & 1:
            found[data[at]] = data[at + 2 : at + 8]
        at += data[at + 1] * 8
    return found


def _ndisc_recv_ns(net: Net, device: Device, message: Icmp, target: bytes, mac: bytes | None) -> None:
    """Somebody asks for ``target`` (RFC 4861, section 7.2.3)."""
    anonymous = not any(message.src)
    if anonymous and (mac is not None or message.dst != solicited_node(target)):
        net.count("Icmp6InErrors")
        return
    if net.fib.local.get(target) is not device:
        return
    if anonymous:  # it wants the address for itself (RFC 4862, section 5.4.3)
        _send_advertisement(device, target, _ALL_NODES, b"\x33\x33\x00\x00\x00\x01", 0)
        return
    if mac is not None:
        net.neighbours.lookup(device, message.src).hint(mac)
    known = net.neighbours.find(device, message.src)
    to_mac = mac or (known.mac if known is not None else b"")
    if to_mac:
        _send_advertisement(device, target, message.src, to_mac, _SOLICITED)
    else:  # it has not said where it is: that has to be found out first
        packet = _packet(target, message.src, ADVERTISEMENT, _SOLICITED | _OVERRIDE, target + _link_option(_TARGET_LINK_ADDRESS, device))
        net.neighbours.lookup(device, message.src).output(packet)


def _send_advertisement(device: Device, target: bytes, to: bytes, to_mac: bytes, flags: int) -> None:
    packet = _packet(target, to, ADVERTISEMENT, flags | _OVERRIDE, target + _link_option(_TARGET_LINK_ADDRESS, device))
    device.transmit(to_mac + device.mac + b"\x86\xdd" + packet)


def _ndisc_recv_na(net: Net, device: Device, message: Icmp, flags: int, target: bytes, mac: bytes | None) -> None:
    """A neighbour says where it is (RFC 4861, section 7.2.5)."""
    if is_multicast(message.dst) and flags & _SOLICITED:
        net.count("Icmp6InErrors")
        return
    entry = net.neighbours.find(device, target)
    if entry is None or entry.state is Nud.NONE:
        return
    if not entry.mac:
        if mac is not None:
            (entry.confirm if flags & _SOLICITED else entry.hint)(mac)
    elif mac is None or mac == entry.mac:
        if flags & _SOLICITED:
            entry.confirm(entry.mac)
    elif flags & _OVERRIDE:
        (entry.confirm if flags & _SOLICITED else entry.hint)(mac)
    elif entry.state is Nud.REACHABLE:
        entry.until, entry.state = 0, Nud.STALE


def ndisc_solicit(net: Net, entry: Neighbour) -> None:
    """Ask for a neighbour's link address, or whether it is still there."""
    device, target = entry.device, entry.address
    source = inet_select_addr(net, device, target)
    if not source:
        return
    to = target if entry.mac else solicited_node(target)
    to_mac = entry.mac or b"\x33\x33" + to[12:]
    packet = _packet(source, to, SOLICITATION, 0, target + _link_option(_SOURCE_LINK_ADDRESS, device))
    device.transmit(to_mac + device.mac + b"\x86\xdd" + packet)


def _link_option(kind: int, device: Device) -> bytes:
    return bytes((kind, 1)) + device.mac


def _packet(src: bytes, dst: bytes, kind: int, flags: int, body: bytes) -> bytes:
    """A message with hop limit 255, by which the receiver knows that no router has passed it on."""
    message = struct.pack(">BBHI", kind, 0, 0, flags) + body
    checksum = finish(ones_sum(message) + pseudo_sum(src, dst, _ICMPV6, len(message)))
    message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
    return _HEADER.pack(6 << 28, len(message), _ICMPV6, _HOPS, src, dst) + message
