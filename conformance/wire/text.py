"""Packets in the notation of the case language, for people to read: in ladders, and in what a failure prints."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop

from conformance.wire import options
from conformance.wire.icmp import name_of
from conformance.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Icmp, Segment
from conformance.wire.seq import relative

__all__ = ["address_text", "flags_text", "icmp_text", "parse_flags", "segment_text"]

_LETTERS = {"S": SYN, "F": FIN, "R": RST, "P": PSH, "U": URG, "E": ECE, "W": CWR, ".": ACK}
"""In the order in which they are written."""


def flags_text(flags: int) -> str:
    """tcpdump's letters: ``S.``, ``P.``, ``-`` for none."""
    return "".join(letter for letter, bit in _LETTERS.items() if flags & bit) or "-"


def address_text(address: bytes) -> str:
    """As people write it."""
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


def parse_flags(text: str) -> int:
    """The flags that ``text`` stands for, its letters in any order."""
    if text == "-":
        return 0
    unknown = [letter for letter in text if letter not in _LETTERS]
    if not text or unknown or len(set(text)) != len(text):
        raise ValueError(f'"{text}" are no flags; write each of {"".join(_LETTERS)} at most once, or - for none')
    return sum(_LETTERS[letter] for letter in text)


def segment_text(segment: Segment, isn_src: int | None, isn_dst: int | None) -> str:
    """``S. 0:0(0) ack 1 win 65535 <mss 1460,nop,wscale 7>``, relative to the ISNs of the sender and the other side.

    Numbers whose ISN is None are absolute. An acknowledgement number without an ACK flag is written unless it is 0, an
    urgent pointer without an URG flag too; no options are written as nothing.
    """
    start, size = relative(segment.seq, isn_src), len(segment.payload) + segment.cut
    words = [flags_text(segment.flags), f"{start}:{start + size}({size})"]
    if segment.flags & ACK or segment.ack:
        words.append(f"ack {relative(segment.ack, isn_dst)}")
    words.append(f"win {segment.window}")
    if segment.flags & URG or segment.urgent:
        words.append(f"urg {segment.urgent}")
    if segment.options:
        words.append(f"<{','.join(options.text(option, isn_dst) for option in segment.options)}>")
    return " ".join(words)


def icmp_text(icmp: Icmp) -> str:
    """``port-unreachable``, ``frag-needed mtu 1400``."""
    name = name_of(icmp.family, icmp.type, icmp.code)
    return f"{name} mtu {icmp.mtu}" if icmp.mtu else name
