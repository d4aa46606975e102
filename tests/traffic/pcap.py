"""The least of pcap that a capture takes: a header, records that count nanoseconds, and how many there are."""

from __future__ import annotations

from pathlib import Path
from struct import Struct

__all__ = ["SNAP_ALL", "header", "packets", "record"]

SNAP_ALL = 262144
"""tcpdump's snapshot length if none is given: all of a packet."""
_HEADER = Struct("<IHHiIII")
_RECORD = Struct("<IIII")
_NANOSECONDS = 0xA1B23C4D
_ETHERNET = 1
_SECOND = 1_000_000_000


def header(snap: int) -> bytes:
    """What a file begins with."""
    return _HEADER.pack(_NANOSECONDS, 2, 4, 0, 0, snap, _ETHERNET)


def record(t: int, frame: bytes, length: int) -> bytes:
    """A packet that came at ``t`` (ns since 1970) and was ``length`` octets long, of which ``frame`` was kept."""
    return _RECORD.pack(t // _SECOND, t % _SECOND, len(frame), length) + frame


def packets(path: Path) -> int:
    """How many packets a file has that this machine has written; what a last record lacks is not missed."""
    content = path.read_bytes()
    at, count = _HEADER.size, 0
    while at + _RECORD.size <= len(content):
        at += _RECORD.size + _RECORD.unpack_from(content, at)[2]
        count += 1
    return count
