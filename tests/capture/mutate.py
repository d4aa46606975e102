"""Captures made wrong on purpose: octets, lengths, records, headers of every layer."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from random import Random

__all__ = ["mutated", "records"]

INTERESTING = (0, 1, 2, 3, 4, 8, 12, 16, 20, 28, 32, 40, 64, 255, 256, 1500, 65535, 65536, 262144, 1 << 20, (1 << 20) + 1, 1 << 24,
               (1 << 24) + 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)  # fmt: skip
LINKS = (0, 1, 9, 12, 14, 101, 105, 108, 113, 147, 228, 229, 276, 0xFFFF)
LAYERS = (0, 12, 14, 16, 18, 20, 34, 38, 46, 48, 54, 58, 60, 70, 74)
"""Where in a frame the headers of its layers, and what is in them, begin."""


def records(data: bytes) -> tuple[int, list[tuple[int, int]]]:
    """The size of the file's header and where its records or blocks are, as far as they follow each other."""
    if data[:4] in (b"\x0a\x0d\x0d\x0a",):
        order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        return 0, _walk(data, 0, lambda at: struct.unpack_from(f"{order}I", data, at + 4)[0])
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\x34\xcd\xb2\xa1") else ">"
    header = 24 if data[:4] == b"\x34\xcd\xb2\xa1" else 16
    return 24, _walk(data, 24, lambda at: header + struct.unpack_from(f"{order}I", data, at + 8)[0])


def _walk(data: bytes, at: int, length: Callable[[int], int]) -> list[tuple[int, int]]:
    found = []
    while at + 16 <= len(data) and (size := length(at)) >= 12 and at + size <= len(data):
        found.append((at, at + size))
        at += size
    return found


def mutated(data: bytes, random: Random) -> bytes:
    """A few things wrong with it."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        data = random.choice(MUTATIONS)(data, random)
    if random.random() < 0.1:
        data = gzip.compress(data, 1, mtime=0)
        if random.random() < 0.7:
            data = random.choice((_flip, _cut, _delete))(data, random)
    return data


def _place(data: bytes, random: Random) -> int:
    """Anywhere, more often in the beginning."""
    return random.randrange(max(1, len(data) if random.random() < 0.7 else min(len(data), 64)))


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        if changed:
            changed[_place(data, random)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(data: bytes, random: Random) -> bytes:
    return data[: _place(data, random)]


def _delete(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + data[at + random.choice((1, 2, 4, 16, 100)) :]


def _insert(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + random.choice((bytes, random.randbytes))(random.choice((1, 2, 4, 16, 100, 5000))) + data[at:]


def _word(data: bytes, random: Random) -> bytes:
    """A number that is a length somewhere."""
    at, value = _place(data, random) & ~1, random.choice(INTERESTING)
    form = random.choice(("<I", ">I", "<H", ">H", "B"))
    size = struct.calcsize(form)
    return data[:at] + struct.pack(form, value & (1 << 8 * size) - 1) + data[at + size :]


def _shuffle(data: bytes, random: Random) -> bytes:
    """Records that come twice, elsewhere, or not."""
    _, found = records(data)
    if not found:
        return data
    parts = [data[begin:end] for begin, end in found]
    for _ in range(random.choice((1, 3, 10))):
        at = random.randrange(len(parts))
        match random.randrange(3):
            case 0:
                parts.insert(random.randrange(len(parts)), parts[at])
            case 1:
                parts.insert(random.randrange(len(parts)), parts.pop(at))
            case _ if len(parts) > 1:
                parts.pop(at)
    return data[: found[0][0]] + b"".join(parts) + data[found[-1][1] :]


def _field(data: bytes, random: Random) -> bytes:
    """A field of a record's header: its time, its lengths, a block's type."""
    _, found = records(data)
    if not found:
        return data
    begin, _ = random.choice(found)
    at = begin + 4 * random.randrange(8)
    value = random.choice((*INTERESTING, random.getrandbits(32), 1, 2, 3, 5, 6, 10, 0x0A0D0D0A))
    return data[:at] + struct.pack(random.choice("<>") + "I", value) + data[at + 4 :]


def _garbage(data: bytes, random: Random) -> bytes:
    """Nonsense in the headers of some layer of a frame."""
    _, found = records(data)
    if not found:
        return data
    changed = bytearray(data)
    for begin, end in random.sample(found, min(len(found), random.choice((1, 3, 10)))):
        at = begin + random.choice((16, 28)) + random.choice(LAYERS) + random.choice((0, 0, 0, 4))
        octets = random.randbytes(random.choice((1, 2, 4, 8, 20)))
        if at + len(octets) <= end:
            changed[at : at + len(octets)] = octets
    return bytes(changed)


def _link(data: bytes, random: Random) -> bytes:
    """Another link type."""
    value = random.choice(LINKS)
    if data[:4] != b"\x0a\x0d\x0d\x0a":
        return data[:20] + struct.pack(random.choice("<>") + "I", value) + data[24:]
    changed = bytearray(data)
    for begin, end in records(data)[1]:
        if data[begin : begin + 4] in (b"\1\0\0\0", b"\0\0\0\1") and end - begin >= 20:
            struct.pack_into("<H" if data[begin] else ">H", changed, begin + 8, value)
    return bytes(changed)


MUTATIONS = (_flip, _cut, _delete, _insert, _word, _word, _shuffle, _field, _field, _garbage, _garbage, _link)
