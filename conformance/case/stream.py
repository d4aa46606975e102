"""The data that flows where a case does not write it out: a fixed pattern of the stream position.

So segments that overlap agree, and whatever arrives anywhere can be checked. The period is a prime, which no segment size in use is
a multiple of: data that is shifted, repeated or left out never looks right.
"""

from __future__ import annotations

__all__ = ["is_stretch", "stream"]

_PERIOD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678"
assert len(_PERIOD) == 61
_BLOCK = _PERIOD * 256


def stream(offset: int, length: int) -> bytes:
    """The octets ``offset`` … ``offset + length`` of a stream, counted from 0 (the octet after the SYN)."""
    start = offset % len(_PERIOD)
    if start + length <= len(_BLOCK):
        return _BLOCK[start : start + length]
    return (_PERIOD * ((start + length) // len(_PERIOD) + 1))[start : start + length]


def is_stretch(octets: bytes) -> bool:
    """Could these be octets of the stream, from wherever in it? (Each octet is in a period once.)"""
    start = _PERIOD.find(octets[:1])
    return start >= 0 and octets == stream(start, len(octets))
