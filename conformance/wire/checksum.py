"""The internet checksum (RFC 1071): ones' complement sums of 16-bit words in network order.

2^16 is 1 modulo 65535, so the sum of a message's words is the message itself, read as one big number, modulo 65535.
Ones' complement has two zeros: 0xffff is the sum of words that are not all zero, 0 only of words that are. The functions
here keep them apart, as RFC 1071's own code does; to a receiver a checksum field of either is the same.
"""

from __future__ import annotations

__all__ = ["LESS", "finish", "mangled", "ones_sum", "pseudo_sum", "verify"]

_ONES = 0xFFFF
LESS = ("no-source", "no-destination", "no-protocol", "no-length", "no-pseudo-header")
"""Checksums that a sender works out who forgets a part of the pseudo header."""


def ones_sum(data: bytes | bytearray) -> int:
    """The sum of the words of ``data``, in 0..0xffff; an odd last octet is followed by a zero."""
    number = int.from_bytes(data, "big") << (8 if len(data) & 1 else 0)
    return number % _ONES or (_ONES if number else 0)


def pseudo_sum(src: bytes, dst: bytes, protocol: int, length: int, less: int | str | None = None) -> int:
    """The sum over the pseudo header of RFC 9293, section 3.1 (IPv4) or RFC 8200, section 8.1 (IPv6); not folded.

    ``length`` is that of the upper-layer header and its data in octets. ``less`` is what is forgotten, if it is one of :data:`LESS`.
    """
    if less in LESS:
        kept = {part: less not in (part, "no-pseudo-header") for part in LESS}
        src, dst = src if kept["no-source"] else b"", dst if kept["no-destination"] else b""
        protocol, length = protocol if kept["no-protocol"] else 0, length if kept["no-length"] else 0
    return int.from_bytes(src + dst, "big") % _ONES + protocol + length


def finish(total: int) -> int:
    """The checksum field for a message whose words, with that field zero, add up to ``total`` (folded or not)."""
    return -total % _ONES if total else _ONES


def verify(data: bytes, pseudo: int = 0) -> bool:
    """Is the checksum that stands within ``data`` right, given the sum of its pseudo header?"""
    total = ones_sum(data) + pseudo
    return total > 0 and total % _ONES == 0


def mangled(right: int, how: int | str | None) -> int:
    """The field to write when a case asks for ``how``: None for the right one, ``bad``, ``zero``, or a number.

    ``bad`` is neither the right checksum under its other name (0 for 0xffff) nor 0, which might mean "not computed".
    """
    if how is None:
        return right
    if isinstance(how, int):
        return how
    if how not in ("bad", "zero"):
        raise ValueError(f'a checksum can be "bad", "zero" or a number, not "{how}"')
    return right % _ONES + 1 if how == "bad" else 0
