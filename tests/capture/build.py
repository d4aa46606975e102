"""Captures made by hand: frames, and files that hold them, octet by octet as the specifications say."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.wire.checksum import finish, ones_sum, pseudo_sum

__all__ = [
    "EPOCH", "ETHER4", "ETHER6", "HOSTS4", "HOSTS6", "STAMPED", "Block", "Record", "enhanced", "ethernet", "icmp4", "icmp6", "interface",
    "ip4", "ip6", "obsolete", "option", "pcap", "pcapng", "section", "simple", "tcp",
]  # fmt: skip

HOSTS4 = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
HOSTS6 = bytes.fromhex("20010db8000000000000000000000001"), bytes.fromhex("20010db8000000000000000000000002")
ETHER4, ETHER6 = bytes(12) + b"\x08\x00", bytes(12) + b"\x86\xdd"
STAMPED = b"\x01\x01\x08\x0a" + struct.pack(">II", 1000, 2000)
EPOCH = 1_700_000_000_000_000_000


# Packets --------------------------------------------------------------------------------------------------------------


def tcp(
    payload: bytes = b"", *, seq: int = 1, ack: int = 1, flags: int = 0x10, window: int = 512, options: bytes = b"", sport: int = 40000,
    dport: int = 80, urgent: int = 0, hosts: tuple[bytes, bytes] = HOSTS4, checksum: int | None = None, reserved: int = 0,
) -> bytes:  # fmt: skip
    """A TCP segment, with a checksum for these hosts unless another is given."""
    offset = 5 + len(options) // 4 << 4 | reserved
    octets = bytearray(struct.pack(">HHIIBBHHH", sport, dport, seq, ack, offset, flags, window, 0, urgent) + options + payload)
    right = finish(ones_sum(octets) + pseudo_sum(*hosts, 6, len(octets)))
    struct.pack_into(">H", octets, 16, right if checksum is None else checksum)
    return bytes(octets)


def icmp4(type: int, code: int, body: bytes, rest: int = 0) -> bytes:
    octets = bytearray(struct.pack(">BBHI", type, code, 0, rest) + body)
    struct.pack_into(">H", octets, 2, finish(ones_sum(octets)))
    return bytes(octets)


def icmp6(type: int, code: int, body: bytes, rest: int = 0, hosts: tuple[bytes, bytes] = HOSTS6) -> bytes:
    octets = bytearray(struct.pack(">BBHI", type, code, 0, rest) + body)
    struct.pack_into(">H", octets, 2, finish(ones_sum(octets) + pseudo_sum(*hosts, 58, len(octets))))
    return bytes(octets)


def ip4(
    payload: bytes, *, hosts: tuple[bytes, bytes] = HOSTS4, protocol: int = 6, ttl: int = 64, tos: int = 0, identification: int = 7,
    fragment: int = 0x4000, options: bytes = b"", length: int | None = None, checksum: int | None = None,
) -> bytes:  # fmt: skip
    size = 20 + len(options)
    header = bytearray(
        struct.pack(
            ">BBHHHBBH", 0x40 | size // 4, tos, size + len(payload) if length is None else length, identification, fragment,
            ttl, protocol, 0,
        )
        + b"".join(hosts) + options
    )  # fmt: skip
    struct.pack_into(">H", header, 10, finish(ones_sum(header)) if checksum is None else checksum)
    return bytes(header) + payload


def ip6(
    payload: bytes, *, hosts: tuple[bytes, bytes] = HOSTS6, following: int = 6, hops: int = 64, traffic: int = 0, flow: int = 5,
    length: int | None = None,
) -> bytes:  # fmt: skip
    word = 6 << 28 | traffic << 20 | flow
    return struct.pack(">IHBB", word, len(payload) if length is None else length, following, hops) + b"".join(hosts) + payload


def ethernet(packet: bytes, tags: Sequence[int] = ()) -> bytes:
    """A frame around an IP packet, with VLAN tags of these ethertypes."""
    ethertype = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    types = [*tags, ethertype]
    return bytes(12) + b"".join(struct.pack(">HH", kind, 5) for kind in types[:-1]) + struct.pack(">H", ethertype) + packet


# pcap -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A frame in a file: what was kept of it, when, and how long it was."""

    data: bytes
    t: int = EPOCH
    size: int | None = None


def pcap(
    frames: Iterable[bytes | Record], *, order: str = "<", nano: bool = False, link: int = 1, snap: int = 65535, magic: int | None = None
) -> bytes:
    """A pcap file; frames without a time of their own are a millisecond apart."""
    parts = [struct.pack(f"{order}IHHiIII", magic or (0xA1B23C4D if nano else 0xA1B2C3D4), 2, 4, 0, 0, snap, link)]
    for index, frame in enumerate(frames):
        record = frame if isinstance(frame, Record) else Record(frame, EPOCH + index * 1_000_000)
        kept = record.data[:snap]
        seconds, rest = divmod(record.t, 1_000_000_000)
        size = len(record.data) if record.size is None else record.size
        parts.append(struct.pack(f"{order}IIII", seconds, rest if nano else rest // 1000, len(kept), size) + kept)
    return b"".join(parts)


# pcapng ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A block: its type, and its body for a byte order; ``order`` is filled in where it becomes octets."""

    kind: int
    parts: tuple[tuple[str, tuple[int | bytes, ...]], ...]

    def octets(self, order: str) -> bytes:
        body = b"".join(struct.pack(order + form, *values) for form, values in self.parts)
        body += bytes(-len(body) % 4)
        length = len(body) + 12
        return struct.pack(f"{order}II", self.kind, length) + body + struct.pack(f"{order}I", length)


Part = tuple[str, tuple[int | bytes, ...]]


def option(code: int, value: bytes) -> Part:
    """One whose value is octets; numbers in it are the caller's to order."""
    padded = value + bytes(-len(value) % 4)
    return f"HH{len(padded)}s", (code, len(value), padded)


def section(*options: Part) -> Block:
    return Block(0x0A0D0D0A, (("IHHQ", (0x1A2B3C4D, 1, 0, (1 << 64) - 1)), *options))


def interface(link: int = 1, snap: int = 0, *options: Part) -> Block:
    return Block(1, (("HHI", (link, 0, snap)), *options))


def enhanced(
    data: bytes, t: int = EPOCH // 1000, *options: Part, interface: int = 0, size: int | None = None, kept: int | None = None
) -> Block:
    """``t`` is in the interface's units; ``kept`` is how many octets the block says that it holds."""
    padded = data + bytes(-len(data) % 4)
    fixed = interface, t >> 32, t & 0xFFFFFFFF, len(data) if kept is None else kept, len(data) if size is None else size
    return Block(6, ((f"IIIII{len(padded)}s", (*fixed, padded)), *options))


def simple(data: bytes, size: int | None = None) -> Block:
    return Block(3, ((f"I{len(data)}s", (len(data) if size is None else size, data)),))


def obsolete(data: bytes, t: int = EPOCH // 1000, interface: int = 0) -> Block:
    padded = data + bytes(-len(data) % 4)
    return Block(2, ((f"HHIIII{len(padded)}s", (interface, 0xFFFF, t >> 32, t & 0xFFFFFFFF, len(data), len(data), padded)),))


def pcapng(blocks: Iterable[Block | bytes], order: str = "<") -> bytes:
    """Blocks one after the other; octets as they are."""
    return b"".join(block if isinstance(block, bytes) else block.octets(order) for block in blocks)
