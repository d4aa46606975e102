"""dpkt's headers, each read on its own.

dpkt's classes go on to read what a header carries, down to the packet within an ICMP error. Here the caller decides whether
and how to go on: that halves the time, bounds how deep a packet can be, and keeps clear of what dpkt stumbles over (a
fragment header that is not the last of the extension headers).
"""

from __future__ import annotations

from typing import Any, ClassVar

import dpkt

__all__ = ["Icmp4Header", "Icmp6Header", "Ip4Header", "Ip6Header", "UnpackError"]

UnpackError = dpkt.UnpackError
"""What all of them raise for octets that are not such a header."""

_FRAGMENT = 44
_EXTENSION_MIN = 8
_EXTENSIONS = {0: (8, 8), 43: (8, 8), _FRAGMENT: (0, 8), 51: (4, 8), 60: (8, 8)}
"""Hop-by-hop options, routing, fragment, authentication (RFC 4302), destination options: unit of the length, and what it leaves out."""


class Ip4Header(dpkt.ip.IP):  # type: ignore[misc]
    """An IPv4 header (RFC 791, section 3.1); ``data`` is what its total length covers after it and its options, ``size`` theirs."""

    def unpack(self, buf: bytes) -> None:
        dpkt.Packet.unpack(self, buf)
        self.size = (self._v_hl & 0xF) * 4
        if self.size < self.__hdr_len__:
            raise UnpackError(f"header length of {self.size} octets")
        self.data = buf[self.size : self.len]


class Ip6Header(dpkt.ip6.IP6):  # type: ignore[misc]
    """An IPv6 header and its extension headers (RFC 8200, sections 3 and 4).

    ``data`` is what follows them, ``p`` says what it is, and ``offset`` and ``mf`` are the fragment header's, as in IPv4.
    """

    def unpack(self, buf: bytes) -> None:
        dpkt.Packet.unpack(self, buf)
        rest = buf[self.__hdr_len__ : self.__hdr_len__ + self.plen]
        protocol, self.offset, self.mf = self.nxt, 0, 0
        while protocol in _EXTENSIONS:
            unit, added = _EXTENSIONS[protocol]
            if len(rest) < _EXTENSION_MIN or len(rest) < (length := rest[1] * unit + added):
                raise UnpackError("extension header cut off")
            if protocol == _FRAGMENT:
                fragment = int.from_bytes(rest[2:4], "big")
                self.offset, self.mf = fragment >> 3, fragment & 1
            protocol, rest = rest[0], rest[length:]
        self.p, self.data = protocol, rest


class Icmp4Header(dpkt.icmp.ICMP):  # type: ignore[misc]
    """The first four octets of an ICMP message (RFC 792)."""

    _typesw: ClassVar[dict[int, Any]] = {}


class Icmp6Header(dpkt.icmp6.ICMP6):  # type: ignore[misc]
    """The first four octets of an ICMPv6 message (RFC 4443, section 2.1)."""

    _typesw: ClassVar[dict[int, Any]] = {}
