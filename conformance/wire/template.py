"""Packets that scapy builds once, and that are patched with what is only known at run time.

A :class:`Spec` becomes a :class:`Template` (a millisecond, by scapy), a template becomes a :class:`Bound` for the addresses and
ports of a case run (microseconds), and that renders frames (a few microseconds): it stands between a segment of the SUT's
and the reply to it, so all that does not change with a reply is worked out before.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from conformance.wire.checksum import LESS, finish, mangled, ones_sum, pseudo_sum
from conformance.wire.segment import Family
from conformance.wire.spec import ETHERNET, Spec, option_slots, resolve_raw

__all__ = ["Ahead", "Bound", "Spec", "Template", "build"]

_TCP_HEADER = 20
_TCP_PROTOCOL = 6
_MASK32 = 0xFFFF_FFFF

_put16 = struct.Struct(">H").pack_into
_put_numbers = struct.Struct(">II").pack_into


class _Layout(NamedTuple):
    """Where an IP header's fields are, in octets of the frame."""

    src: int
    dst: int
    length: int
    counted: int
    """Where that starts which the length field counts."""
    transport: int
    checksum: int | None


_LAYOUTS = {
    Family.IPV4: _Layout(src=ETHERNET + 12, dst=ETHERNET + 16, length=ETHERNET + 2, counted=ETHERNET, transport=34, checksum=ETHERNET + 10),
    Family.IPV6: _Layout(src=ETHERNET + 8, dst=ETHERNET + 24, length=ETHERNET + 4, counted=54, transport=54, checksum=None),
}


class _Patch(NamedTuple):
    """How a slot is filled: ``put(frame, offset, value & mask)``."""

    put: Callable[..., None]
    offset: int
    mask: int

    @property
    def width(self) -> int:
        """The octets of the slot."""
        return self.mask.bit_length() // 8


_WIDTHS = {width: (struct.Struct(code).pack_into, (1 << 8 * width) - 1) for width, code in ((1, ">B"), (2, ">H"), (4, ">I"))}


@dataclass(frozen=True, slots=True)
class Template:
    """A packet without addresses, ports, sequence numbers and checksums: all these are zero."""

    spec: Spec
    head: bytes
    """The frame up to the end of the TCP options."""
    patches: tuple[_Patch, ...]

    def bind(
        self, src_mac: bytes, dst_mac: bytes, src: bytes, dst: bytes, sport: int, dport: int, ip_extra: bytes = b""
    ) -> Bound:  # fmt: skip
        """The packet between these addresses and ports; ``ip_extra`` is the spec's with the addresses in it."""
        layout = _LAYOUTS[self.spec.family]
        if len(src) != len(dst) or layout.src + len(src) != layout.dst:
            raise ValueError(f"{src.hex()} and {dst.hex()} are not addresses of {self.spec.family}")
        head = bytearray(self.head)
        for at, address in ((0, dst_mac), (6, src_mac), (layout.src, src), (layout.dst, dst)):
            head[at : at + len(address)] = address
        transport = layout.transport + len(self.spec.ip_extra)
        if ip_extra:
            head[layout.transport : transport] = ip_extra
        struct.pack_into(">HH", head, transport, sport, dport)
        return _bound(self, bytes(head), self.spec.payload)


@dataclass(frozen=True, slots=True)
class Bound:
    """A packet that lacks only the numbers which :meth:`render` is given."""

    template: Template
    head: bytes
    payload: bytes
    transport: int
    """Where the TCP header starts, in octets of the frame."""
    rest_sum: int
    """What the TCP checksum covers beside the TCP header: the pseudo header and the payload."""
    raw: tuple[tuple[int, bytes], ...]

    def render(
        self,
        seq: int,
        ack: int,
        values: Sequence[int] = (),
        window: int | None = None,
        urgent: int | None = None,
        payload: bytes | None = None,
    ) -> bytes:
        """The frame. ``values`` fill the slots in order; ``window``, ``urgent``, ``payload`` replace the spec's.

        Numbers are taken modulo the width of their field. Another payload costs a few microseconds more.
        """
        if payload is not None:
            return _bound(self.template, self.head, payload).render(seq, ack, values, window, urgent)
        frame, tcp = bytearray(self.head), self.transport
        _put_numbers(frame, tcp + 4, seq & _MASK32, ack & _MASK32)
        if window is not None:
            _put16(frame, tcp + 14, window & 0xFFFF)
        if urgent is not None:
            _put16(frame, tcp + 18, urgent & 0xFFFF)
        for (put, offset, mask), value in zip(self.template.patches, values, strict=True):
            put(frame, offset, value & mask)
        total = int.from_bytes(frame[tcp:], "big") + self.rest_sum
        how = self.template.spec.checksum
        _put16(frame, tcp + 16, -total % 0xFFFF if how is None or how in LESS else mangled(finish(total), how))
        frame += self.payload
        for offset, data in self.raw:
            frame[offset : offset + len(data)] = data
        return bytes(frame)

    def ahead(self, seq: int, values: Sequence[int | None]) -> Ahead | None:
        """The frame, but for its acknowledgement number and the slots for which ``values`` has None.

        None where no number can be added later: in a frame whose checksum is wrong, or which is not what its fields say.
        """
        if self.template.spec.checksum is not None or self.raw:
            return None
        frame, at = bytearray(self.render(seq, 0, [value or 0 for value in values])), self.transport + 16
        total = -int.from_bytes(frame[at : at + 2], "big")
        frame[at : at + 2] = bytes(2)
        size, patches = len(frame), zip(self.template.patches, values, strict=True)
        lacks = [_Lack.at(self.transport + 8, 4, size)]
        lacks += [_Lack.at(patch.offset, patch.width, size) for patch, value in patches if value is None]
        return Ahead(int.from_bytes(frame, "big"), size, total, 8 * (size - at - 2), tuple(lacks))


def _bound(template: Template, head: bytes, payload: bytes) -> Bound:
    """``head`` with the lengths and the IP checksum that ``payload`` asks for, and all that is known of the TCP checksum."""
    spec, layout = template.spec, _LAYOUTS[template.spec.family]
    tcp, size = layout.transport + len(spec.ip_extra), len(head) + len(payload)
    length = size - layout.counted if spec.ip_length is None else spec.ip_length
    if length > 0xFFFF:
        raise ValueError(f"an IP packet cannot hold {len(payload)} octets of data")
    patched = bytearray(head)
    _put16(patched, layout.length, length)
    if layout.checksum is not None:
        _put16(patched, layout.checksum, 0)
        _put16(patched, layout.checksum, mangled(finish(ones_sum(patched[ETHERNET:tcp])), spec.ip_checksum))
    # The receiver's TCP sees what the IP header says there is, so it is that which the checksum has to be right for.
    # (Where that ends within the TCP header nobody gets as far as the checksum.)
    end = max(layout.counted + length, len(head))
    addresses = bytes(patched[layout.src : 2 * layout.dst - layout.src])
    half = len(addresses) // 2
    pseudo = pseudo_sum(addresses[:half], addresses[half:], _TCP_PROTOCOL, end - tcp, spec.checksum)
    return Bound(
        template=template,
        head=bytes(patched),
        payload=payload,
        transport=tcp,
        rest_sum=pseudo + ones_sum(payload[: end - len(head)]),
        raw=resolve_raw(spec.raw, tcp, size),
    )


class _Lack(NamedTuple):
    """A number that is not known yet: where it goes in a frame that is read as one number, and what it counts in the checksum."""

    mask: int
    shift: int
    weight: int

    @classmethod
    def at(cls, offset: int, width: int, size: int) -> _Lack:
        """The number of ``width`` octets at ``offset`` in a frame of ``size``."""
        end = offset + width
        return cls((1 << 8 * width) - 1, 8 * (size - end), 256 if end & 1 else 1)


class Ahead(NamedTuple):
    """A frame that was rendered ahead, with zeros for the numbers that are not known yet.

    It is kept as one big number, to which the others and the checksum are added: nothing else is as quick.
    """

    number: int
    size: int
    total: int
    """The sum that the checksum is taken of, without the numbers that lack."""
    checksum: int
    """How far the checksum is from the frame's end, in bits."""
    lacks: tuple[_Lack, ...]

    def render(self, *values: int) -> bytes:
        """The frame with the numbers that lack: the acknowledgement number first, then the slots' in order."""
        number, total = self.number, self.total
        for value, (mask, shift, weight) in zip(values, self.lacks, strict=True):
            value &= mask
            number += value << shift
            total += value * weight
        return (number + (-total % 0xFFFF << self.checksum)).to_bytes(self.size, "big")


@lru_cache(maxsize=4096)
def build(spec: Spec) -> Template:
    """The template of ``spec``; a ValueError says what cannot be built."""
    options, slots = option_slots(spec.options)
    transport = _LAYOUTS[spec.family].transport + len(spec.ip_extra)
    start = transport + _TCP_HEADER
    resolve_raw(spec.raw, transport, start + len(options) + len(spec.payload))
    patches = tuple(_Patch(_WIDTHS[slot.width][0], start + slot.offset, _WIDTHS[slot.width][1]) for slot in slots)
    return Template(spec, _headers(spec, options), patches)


def _headers(spec: Spec, options: bytes) -> bytes:
    """The frame up to the end of the options, by scapy, with zeros for whatever :class:`Bound` fills in."""
    from scapy.layers.inet import TCP
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    tcp = TCP(
        sport=0, dport=0, seq=0, ack=0, chksum=0, window=spec.window, urgptr=spec.urgent,
        dataofs=5 + len(options) // 4 if spec.data_offset is None else spec.data_offset,
        reserved=spec.reserved >> 1, flags=(spec.reserved & 1) << 8 | spec.flags,  # scapy still counts RFC 3540's NS among the flags
    )  # fmt: skip
    ether = Ether(src=bytes(6), dst=bytes(6), type=_ETHERTYPES[spec.family])
    return bytes(ether / _IP_HEADERS[spec.family](spec) / Raw(spec.ip_extra) / tcp / Raw(options))


def _ipv4_header(spec: Spec) -> Any:
    from scapy.layers.inet import IP

    return IP(
        src="0.0.0.0", dst="0.0.0.0", len=0, chksum=0, proto=spec.protocol, version=4 if spec.ip_version is None else spec.ip_version,
        ihl=5 + len(spec.ip_extra) // 4 if spec.header_length is None else spec.header_length,
        tos=spec.tos, id=spec.ip_id or 0, flags="DF" if spec.df else 0, ttl=spec.ttl,
    )  # fmt: skip


def _ipv6_header(spec: Spec) -> Any:
    from scapy.layers.inet6 import IPv6

    version = 6 if spec.ip_version is None else spec.ip_version
    return IPv6(version=version, src="::", dst="::", plen=0, nh=spec.protocol, tc=spec.tos, hlim=spec.ttl)


_ETHERTYPES = {Family.IPV4: 0x0800, Family.IPV6: 0x86DD}
_IP_HEADERS: dict[Family, Callable[[Spec], Any]] = {Family.IPV4: _ipv4_header, Family.IPV6: _ipv6_header}
