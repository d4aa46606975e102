"""The gateway on a link whose other end asks for it: answers to ARP requests (RFC 826) and Neighbor Solicitations (RFC 4861). Pure.

Where the stack has a permanent neighbour entry for the gateway, it never asks.
"""

from __future__ import annotations

import ipaddress
import struct

from conformance.link.addressing import ADDRESSING, PEER_MAC
from conformance.wire.checksum import finish, ones_sum, pseudo_sum

__all__ = ["answer", "destination"]

_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_HEAD = (1, 0x0800, 6, 4)
"""Ethernet, IPv4, and the lengths of their addresses."""
_REQUEST, _REPLY = 1, 2
_ICMPV6, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136
_SOLICITED_OVERRIDE = 0x60000000
"""RFC 4861, section 4.4."""
_TARGET_LINK_ADDRESS = b"\x02\x01"
_ETHERNET, _IPV6 = 14, 40
_GATEWAYS = {ipaddress.ip_address(net.gateway).packed for net in ADDRESSING}


def answer(frame: bytes) -> bytes | None:
    """The answer to a frame that asks for a gateway's MAC address; None if it does not."""
    kind = frame[12:14]
    if kind == b"\x08\x06":
        return _arp(frame)
    if kind == b"\x86\xdd" and len(frame) >= _ETHERNET + _IPV6 + 24 and frame[20] == _ICMPV6:
        return _advertisement(frame)
    return None


def _arp(frame: bytes) -> bytes | None:
    if len(frame) < _ETHERNET + _ARP.size:
        return None
    fields: tuple[int, int, int, int, int, bytes, bytes, bytes, bytes] = _ARP.unpack_from(frame, _ETHERNET)
    operation, mac, sender, _, target = fields[4:]
    if fields[:4] != _ARP_HEAD or operation != _REQUEST or target not in _GATEWAYS:
        return None
    return mac + PEER_MAC + b"\x08\x06" + _ARP.pack(*_ARP_HEAD, _REPLY, PEER_MAC, target, mac, sender)


def _advertisement(frame: bytes) -> bytes | None:
    message = frame[_ETHERNET + _IPV6 :]
    asks, target = frame[22:38], message[8:24]
    if message[0] != _SOLICITATION or target not in _GATEWAYS or not any(asks):
        return None
    body = struct.pack("!BBHI", _ADVERTISEMENT, 0, 0, _SOLICITED_OVERRIDE) + target + _TARGET_LINK_ADDRESS + PEER_MAC
    checksum = finish(ones_sum(body) + pseudo_sum(target, asks, _ICMPV6, len(body)))
    body = body[:2] + checksum.to_bytes(2, "big") + body[4:]
    return frame[6:12] + PEER_MAC + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), _ICMPV6, 255) + target + asks + body


def destination(frame: bytes) -> bytes:
    """The address that a packet is for; empty if the frame is none of IP."""
    kind = frame[12:14]
    return frame[30:34] if kind == b"\x08\x00" else frame[38:54] if kind == b"\x86\xdd" else b""
