"""Small captures for the tests of ``check``: conversations of a client and a server, with or without something wrong."""

from __future__ import annotations

import gzip
import ipaddress
import struct
from collections.abc import Iterable
from pathlib import Path

import dpkt

__all__ = ["EPOCH", "MS", "Frames", "good", "odd", "packet", "segment", "write", "wrong"]

ENDS = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
"""Of client and server."""
ENDS_6 = ipaddress.ip_address("2001:db8::1").packed, ipaddress.ip_address("2001:db8::2").packed
IPV6_FROM = 50_000
"""Connections with such a port and above are IPv6's."""
EPOCH = 1_700_000_000_000_000_000
MS = 1_000_000
MSS = b"\2\4\5\xb4"
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_ISNS = {True: 7_000_000, False: 4_294_967_290}

Frames = list[tuple[int, bytes]]


def segment(
    port: int, from_client: bool, flags: int, seq: int, ack: int = 0, data: bytes = b"", options: bytes = b"", window: int = 64_000
) -> bytes:
    """An Ethernet frame; numbers count from the ISNs."""
    sport, dport = (port, 80) if from_client else (80, port)
    own, other = _ISNS[from_client] + port, _ISNS[not from_client] + port
    tcp = dpkt.tcp.TCP(
        sport=sport, dport=dport, seq=(own + seq) % 2**32, ack=(other + ack) % 2**32 if flags & ACK else 0, flags=flags, win=window,
        off=5 + len(options) // 4, opts=options, data=data,
    )  # fmt: skip
    return packet(from_client, tcp, port >= IPV6_FROM)


def packet(from_client: bool, content: dpkt.Packet, ipv6: bool = False, protocol: int = 6, **fields: int) -> bytes:
    """An Ethernet frame from one to the other."""
    ends = ENDS_6 if ipv6 else ENDS
    src, dst = ends if from_client else ends[::-1]
    if ipv6:
        ip = dpkt.ip6.IP6(src=src, dst=dst, nxt=protocol, hlim=64, plen=len(content), data=content)
        ip.extension_hdrs, ip.p = {}, protocol
        return bytes(dpkt.ethernet.Ethernet(type=dpkt.ethernet.ETH_TYPE_IP6, data=ip))
    return bytes(dpkt.ethernet.Ethernet(data=dpkt.ip.IP(src=src, dst=dst, p=protocol, ttl=64, data=content, **fields)))


def conversation(port: int, begins: int, middle: Iterable[bytes]) -> Frames:
    """A handshake, ``middle``, and both close; a packet each half millisecond from ``begins`` ms on."""
    frames = [
        segment(port, True, SYN, 0, options=MSS),
        segment(port, False, SYN | ACK, 0, 1, options=MSS),
        segment(port, True, ACK, 1, 1),
        *middle,
        segment(port, True, FIN | ACK, 101, 201),
        segment(port, False, FIN | ACK, 201, 102),
        segment(port, True, ACK, 102, 202),
    ]
    return [(EPOCH + begins * MS + index * MS // 2, frame) for index, frame in enumerate(frames)]


def _exchange(port: int, options: bytes) -> list[bytes]:
    """A hundred octets there, two hundred back; ``options`` stand in the server's second segment of data."""
    return [
        segment(port, True, PSH | ACK, 1, 1, b"q" * 100),
        segment(port, False, PSH | ACK, 1, 101, b"a" * 100),
        segment(port, False, PSH | ACK, 101, 101, b"b" * 100, options),
        segment(port, True, ACK, 101, 201),
    ]


def good(port: int = 40_000, begins: int = 0) -> Frames:
    """Ten packets as they should be."""
    return conversation(port, begins, _exchange(port, b""))


def wrong(port: int = 40_001, begins: int = 100) -> Frames:
    """Ten packets; the sixth has an MSS option outside of the handshake (RFC 9293, MUST-65)."""
    return conversation(port, begins, _exchange(port, MSS))


def odd(port: int = 40_002, begins: int = 200) -> Frames:
    """The last nine of ten packets that are as they should be: no SYN."""
    return good(port, begins)[1:]


def write(path: Path, *conversations: Frames, zipped: bool = False, cut: int = 0) -> Path:
    """A pcap file with nanoseconds; ``cut`` octets are missing at its end."""
    frames = sorted(frame for conversation in conversations for frame in conversation)
    content = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 1)
    content += b"".join(struct.pack("<IIII", t // 10**9, t % 10**9, len(data), len(data)) + data for t, data in frames)
    content = content[: len(content) - cut]
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path
