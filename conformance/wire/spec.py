"""What a packet to be built looks like, its numbers that are only known at run time left open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from conformance.wire.checksum import LESS, mangled
from conformance.wire.options import pad
from conformance.wire.segment import Family

__all__ = ["ETHERNET", "RawWrites", "Slot", "Spec", "check_limits", "option_slots", "resolve_raw"]

ETHERNET = 14
"""Octets of an Ethernet header: where the IP header starts."""

RawWrites = tuple[tuple[str, bytes], ...]
"""``raw:`` of the case language: octets and where they go, ``34``, ``ip+8`` or ``tcp+13``."""

_LIMITS = {
    "flags": 0xFF, "window": 0xFFFF, "urgent": 0xFFFF, "ttl": 0xFF, "tos": 0xFF, "ip_id": 0xFFFF, "checksum": 0xFFFF,
    "ip_checksum": 0xFFFF, "reserved": 0xF, "data_offset": 0xF, "ip_length": 0xFFFF,
    "ip_version": 0xF, "header_length": 0xF, "protocol": 0xFF,
}  # fmt: skip
_IPV4_ONLY = ("ip_id", "ip_checksum", "header_length")
_RAW_OFFSET = re.compile(r"(?:(ip|tcp)\+)?([0-9]+)")


@dataclass(frozen=True, slots=True)
class Spec:
    """A packet but for its addresses, ports, sequence and acknowledgement number.

    The second half is ``with:`` of the case language: what differs from a packet that a healthy peer sends. None is what
    is right. Checksums are right for the packet as it is otherwise mangled, but for ``raw``, which is written last.
    """

    family: Family
    flags: int = 0
    window: int = 0xFFFF
    urgent: int = 0
    options: tuple[bytes | int, ...] = ()
    """Octets as they are, and numbers left open: an int is a slot of that many octets (1, 2 or 4)."""
    payload: bytes = b""

    ttl: int = 64
    tos: int = 0
    df: bool = True
    ip_id: int | None = None
    checksum: int | str | None = None
    """``bad``, ``zero``, a number, or one of :data:`~conformance.wire.checksum.LESS`."""
    ip_checksum: int | Literal["bad", "zero"] | None = None
    reserved: int = 0
    """All four bits after the data offset."""
    data_offset: int | None = None
    """In words. Says so in the header without moving anything."""
    ip_length: int | None = None
    """IPv4's total length, IPv6's payload length."""
    ip_version: int | None = None
    header_length: int | None = None
    """IPv4's, in words. Says so in the header without moving anything."""
    protocol: int = 6
    """What the IP header says that follows it."""
    ip_extra: bytes = b""
    """IPv4's options, IPv6's extension headers; zeros for what :meth:`~conformance.wire.template.Template.bind` fills in."""
    raw: RawWrites = ()

    def __post_init__(self) -> None:
        check_limits({name: getattr(self, name) for name in _LIMITS})
        if self.family is Family.IPV6:
            if not self.df:
                raise ValueError("df: off has no meaning in IPv6, which no router fragments")
            for name in _IPV4_ONLY:
                if getattr(self, name) is not None:
                    raise ValueError(f"an IPv6 header has no field for {name}")
        for how in (None if self.checksum in LESS else self.checksum, self.ip_checksum):
            mangled(0, how)
        option_slots(self.options)


def check_limits(values: Mapping[str, object]) -> None:
    """ValueError if a number among ``values`` does not fit its field."""
    for name, value in values.items():
        if isinstance(value, int) and not 0 <= value <= _LIMITS[name]:
            raise ValueError(f"{name} is {value}, the field holds 0..{_LIMITS[name]}")


class Slot(NamedTuple):
    """A number that is left open: octets from the start of the options, and its width in octets."""

    offset: int
    width: int


def option_slots(parts: tuple[bytes | int, ...]) -> tuple[bytes, tuple[Slot, ...]]:
    """The padded option field with zeros in the slots, and where those are; ValueError if no header can hold it."""
    octets, slots = b"", []
    for part in parts:
        if isinstance(part, int):
            slots.append(Slot(len(octets), part))
            octets += bytes(part)
        else:
            octets += part
    return pad(octets), tuple(slots)


def resolve_raw(raw: RawWrites, transport: int, size: int) -> tuple[tuple[int, bytes], ...]:
    """``raw`` as offsets into a frame of ``size`` octets whose transport header starts at ``transport``."""
    bases = {None: 0, "ip": ETHERNET, "tcp": transport}
    writes = []
    for where, data in raw:
        if (match := _RAW_OFFSET.fullmatch(where)) is None:
            raise ValueError(f'raw: "{where}" is no offset; write 34, ip+8 or tcp+13')
        offset = bases[match[1]] + int(match[2])
        if offset + len(data) > size:
            raise ValueError(f"raw: {len(data)} octets at {where} end at octet {offset + len(data)} of a frame of {size}")
        writes.append((offset, data))
    return tuple(writes)
