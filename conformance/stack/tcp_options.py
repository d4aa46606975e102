"""What a peer's options say (tcp_parse_options of net/ipv4/tcp_input.c). What makes no sense is as if it were not there."""

from __future__ import annotations

import struct

from conformance.stack.tcp_sock import MASK, OptionsReceived
from conformance.wire.segment import SYN, Segment

__all__ = ["MAX_WSCALE", "tcp_parse_options", "ts_older"]

MAX_WSCALE = 14
"""RFC 7323, section 2.3: more is taken for 14."""
_EOL, _NOP, _MSS, _WSCALE, _SACK_OK, _SACK, _TIMESTAMP, _FAST_OPEN = 0, 1, 2, 3, 4, 5, 8, 34
_STAMPS_ALONE = b"\x01\x01\x08\x0a"
_TWO_NUMBERS = struct.Struct("!II")


def ts_older(value: int, recent: int, slack: int = 0) -> bool:
    """Is timestamp ``value`` older than ``recent``, by more than ``slack``? Half of the circle is not older (RFC 7323, section 5.2)."""
    return slack < (recent - value) & MASK < 1 << 31


def tcp_parse_options(skb: Segment) -> OptionsReceived:
    """The options that may stand in such a segment: those that negotiate count in a SYN only (RFC 9293, 3.2; MUST-4 to MUST-7)."""
    data = skb.options_data
    found = OptionsReceived()
    if len(data) == 12 and data[:4] == _STAMPS_ALONE:
        found.tsval, found.tsecr = _TWO_NUMBERS.unpack_from(data, 4)
        return found
    at, size, syn = 0, len(data), bool(skb.flags & SYN)
    while at < size:
        kind = data[at]
        if kind == _EOL:
            break
        if kind == _NOP:
            at += 1
            continue
        length = data[at + 1] if at + 1 < size else 0
        if length < 2 or at + length > size:
            break  # nothing after it can be told apart
        _take(found, kind, data[at + 2 : at + length], syn)
        at += length
    return found


def _take(found: OptionsReceived, kind: int, body: bytes, syn: bool) -> None:
    if kind == _TIMESTAMP and len(body) == 8:
        found.tsval, found.tsecr = _TWO_NUMBERS.unpack(body)
    elif kind == _SACK and not syn and body and len(body) % 8 == 0:
        found.sacks = tuple((left, right) for left, right in _TWO_NUMBERS.iter_unpack(body))
    elif not syn:
        return
    elif kind == _MSS and len(body) == 2:
        found.mss = int.from_bytes(body, "big") or None
    elif kind == _WSCALE and len(body) == 1:
        found.wscale = min(body[0], MAX_WSCALE)
    elif kind == _SACK_OK and not body:
        found.sack_ok = True
    elif kind == _FAST_OPEN and (not body or (4 <= len(body) <= 16 and len(body) % 2 == 0)):
        found.fast_open = body
