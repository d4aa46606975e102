"""Small captures with a bit of everything: what the reader's tests look at, and what the fuzzer begins with."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import cache

from .build import (
    EPOCH,
    ETHER4,
    HOSTS4,
    HOSTS6,
    STAMPED,
    Record,
    enhanced,
    ethernet,
    icmp4,
    icmp6,
    interface,
    ip4,
    ip6,
    obsolete,
    option,
    pcap,
    pcapng,
    section,
    simple,
    tcp,
)  # fmt: skip

__all__ = ["FILES", "FRAMES", "conversation", "samples"]

SYN, ACK, PSH, FIN = 2, 16, 8, 1
SYN_OPTIONS = bytes.fromhex("020405b40402080a00000001000000000103030a")
SACKED = STAMPED + bytes.fromhex("0101050a") + struct.pack(">II", 101, 201)
Ip = Callable[..., bytes]


def conversation(ip: Ip = ip4, hosts: tuple[bytes, bytes] = HOSTS4, stamped: bool = True) -> Iterator[bytes]:
    """A connection from its SYN to its FINs, as IP packets; a segment is lost and sent again."""
    there, back = {"hosts": hosts}, {"hosts": hosts[::-1]}
    stamps = STAMPED if stamped else b""

    def client(payload: bytes = b"", flags: int = ACK, seq: int = 1, ack: int = 1, options: bytes = stamps) -> bytes:
        return ip(tcp(payload, flags=flags, seq=seq, ack=ack, options=options, **there), **there)  # type: ignore[arg-type]

    def server(payload: bytes = b"", flags: int = ACK, seq: int = 1, ack: int = 1, options: bytes = stamps) -> bytes:
        return ip(tcp(payload, flags=flags, seq=seq, ack=ack, options=options, sport=80, dport=40000, **back), **back)  # type: ignore[arg-type]

    yield client(flags=SYN, seq=0, ack=0, options=SYN_OPTIONS)
    yield server(flags=SYN | ACK, seq=0, options=SYN_OPTIONS)
    yield client()
    yield client(b"x" * 100, PSH | ACK)
    yield server(ack=101)
    yield client(b"z" * 100, seq=201)
    yield server(ack=101, options=SACKED if stamped else b"")
    yield client(b"y" * 100, seq=101)
    yield server(b"answer", PSH | ACK, ack=301)
    yield client(flags=FIN | ACK, seq=301, ack=7)
    yield server(flags=FIN | ACK, seq=7, ack=302)
    yield client(seq=302, ack=8)


def _fragments(packet: bytes) -> list[bytes]:
    """The same IPv4 packet in three pieces, the last one first."""
    payload = packet[20:]
    return [
        ip4(payload[48:], fragment=6, identification=9),
        ip4(payload[:24], fragment=0x2000, identification=9),
        ip4(payload[24:48], fragment=0x2003, identification=9),
    ]


def _oddities() -> Iterator[bytes]:
    """IP packets that are not plain segments."""
    quoted = ip4(tcp(b"x" * 30))
    yield ip4(icmp4(3, 4, quoted[:28], 1400), protocol=1, hosts=HOSTS4[::-1])
    yield ip4(icmp4(8, 0, b"ping", 77), protocol=1)
    yield ip6(icmp6(2, 0, ip6(tcp(b"x", hosts=HOSTS6)), 1280, HOSTS6[::-1]), following=58, hosts=HOSTS6[::-1])
    yield from _fragments(ip4(tcp(b"in three pieces" * 5)))
    yield ip6(struct.pack(">BBHI", 6, 0, 1, 7) + tcp(b"two of", hosts=HOSTS6)[:24], following=44)
    yield ip6(struct.pack(">BBHI", 6, 0, 3 << 3, 7) + tcp(b"two of", hosts=HOSTS6)[24:], following=44)
    yield ip6(bytes([6, 0, 1, 4, 0, 0, 0, 0]) + tcp(b"behind options", hosts=HOSTS6), following=0)
    yield ip4(tcp(b"routed"), options=b"\x01" * 4)
    yield ip4(tcp(b"urgent", flags=0x30, urgent=4))
    yield ip4(tcp(options=bytes.fromhex("fd040102") + b"\x22\x02\x01\x00"))
    yield ip4(tcp(options=b"\x08\x03\x01\x00"))
    yield ip4(tcp(b"left to the hardware", checksum=_partial(40)))
    yield ip4(tcp(b"wrong", checksum=0x1234))
    yield ip4(tcp(b"of no length" * 200), length=0)
    yield ip4(bytes(30), protocol=17)
    yield ip6(bytes(30), following=17)


def _partial(length: int) -> int:
    """What CHECKSUM_PARTIAL leaves: the folded sum of the pseudo header."""
    words = struct.unpack(">4H", b"".join(HOSTS4))
    total = sum(words) + 6 + length
    return (total & 0xFFFF) + (total >> 16)


FRAMES: list[bytes] = [
    *(ethernet(packet) for packet in conversation()),
    *(ethernet(packet) for packet in conversation(ip6, HOSTS6)),
    *(ethernet(packet) for packet in _oddities()),
    ethernet(ip4(tcp(b"tagged")), (0x88A8, 0x8100)),
    ethernet(ip4(tcp())) + bytes(6),
    bytes(12) + b"\x08\x06" + bytes(46),
    ETHER4,
    b"",
]


def _cooked(packet: bytes, sent: bool) -> bytes:
    return struct.pack(">HHH8sH", 4 if sent else 0, 1, 6, bytes(8), 0x0800 if packet[0] >> 4 == 4 else 0x86DD) + packet


def _cooked2(packet: bytes, sent: bool) -> bytes:
    return struct.pack(">HHIHBB8s", 0x0800 if packet[0] >> 4 == 4 else 0x86DD, 0, 2, 1, 4 if sent else 0, 6, bytes(8)) + packet


def _families(wrap: Callable[[bytes, int], bytes]) -> list[bytes]:
    """Conversations over IPv4 and IPv6, each packet in a link header; ``wrap`` gets the packet and its number."""
    return [wrap(packet, index) for index, packet in enumerate([*conversation(), *conversation(ip6, HOSTS6, stamped=False)])]


def _loopback(order: str) -> Callable[[bytes, int], bytes]:
    return lambda packet, _: struct.pack(f"{order}I", 2 if packet[0] >> 4 == 4 else 30) + packet


def _ppp(packet: bytes, index: int) -> bytes:
    return b"\xff\x03" * (index % 2) + (b"\x00\x21" if packet[0] >> 4 == 4 else b"\x00\x57") + packet


def _many_kinds(order: str) -> bytes:
    """pcapng with two sections, several interfaces, every block with packets, comments, and blocks that say nothing to us."""
    nano, micro = option(9, b"\x09"), option(9, b"\x06")
    direction = [option(2, struct.pack(f"{order}I", flags)) for flags in (2, 1, 0)]
    plain = [ethernet(packet) for packet in conversation()]
    raw = list(conversation(ip6, HOSTS6))
    unknown = section().octets(order).replace(struct.pack(f"{order}I", 0x0A0D0D0A), struct.pack(f"{order}I", 0x0BAD), 1)
    first = [
        section(option(1, b"first section"), option(3, b"Linux"), option(0, b"")),
        interface(1, 0, option(2, b"eth0"), nano),
        interface(101, 0, option(2, b"tun0"), micro, option(14, struct.pack(f"{order}q", 5))),
        interface(1, 80, option(9, b"\x94")),
        *(enhanced(frame, EPOCH + index, option(1, b"why"), direction[index % 3]) for index, frame in enumerate(plain)),
        unknown,
        *(enhanced(packet, EPOCH // 1000 + index, interface=1) for index, packet in enumerate(raw)),
        enhanced(plain[3][:80], (EPOCH << 20) // 10**9, interface=2, size=len(plain[3])),
    ]
    second = [section(), interface(1, 90), *(simple(frame[:90], len(frame)) for frame in plain), *map(obsolete, plain), simple(plain[0])]
    return pcapng([*first, *second], order)


@cache
def samples() -> dict[str, bytes]:
    """Whole files by name."""
    files = {
        "micro": pcap(FRAMES),
        "nano-big": pcap(FRAMES, order=">", nano=True),
        "snap": pcap(FRAMES, snap=70),
        "modified": pcap([], magic=0xA1B2CD34) + b"".join(
            struct.pack("<IIIIIHBB", 1_700_000_000, 1, len(frame), len(frame), 3, 8, 4 * (index % 2), 0) + frame
            for index, frame in enumerate(FRAMES)
        ),
        "pcapng": pcapng([section(), interface(), *(enhanced(frame) for frame in FRAMES)]),
        "kinds": _many_kinds("<"),
        "kinds-big": _many_kinds(">"),
        "both-orders": _many_kinds(">") + _many_kinds("<"),
        "cooked": pcap(_families(lambda packet, index: _cooked(packet, index % 2 == 0)), link=113),
        "cooked2": pcap(_families(lambda packet, index: _cooked2(packet, index % 2 == 0)), link=276),
        "raw": pcap(_families(lambda packet, _: packet), link=101),
        "null": pcap(_families(_loopback("<")), link=0),
        "null-big": pcap(_families(_loopback(">")), link=0),
        "loop": pcap(_families(_loopback(">")), link=108),
        "ppp": pcap(_families(_ppp), link=9),
        "unknown-link": pcap(FRAMES, link=147),
        "empty": pcap([]),
    }  # fmt: skip
    files["far-apart"] = pcap([Record(frame, EPOCH + index * 61 * 10**9) for index, frame in enumerate(FRAMES)])
    return files


FILES = sorted(samples())
