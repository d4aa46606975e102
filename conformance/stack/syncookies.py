"""net/ipv4/syncookies.c: a SYN,ACK whose number is all that is remembered of a SYN (RFC 4987, section 3.6).

The number holds the minute, an MSS and a keyed hash. What else was negotiated goes into the low bits of the timestamp, if the peer sends
one.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import TYPE_CHECKING

from conformance.stack.sysctl import SECOND
from conformance.stack.tcp_sock import MASK, OptionsReceived

if TYPE_CHECKING:
    from conformance.stack.net import Net
    from conformance.wire.segment import Segment

__all__ = ["cookie_ecn_ok", "cookie_init_sequence", "cookie_init_timestamp", "cookie_options", "cookie_v4_check"]

_MSS = (64, 216, 536, 1000, 1220, 1300, 1440, 1460)
"""Values for three bits: what paths really have, and one for peers that take next to nothing."""
_MSS_LINUX = {4: (536, 1300, 1440, 1460), 16: (1220, 1420, 1440, 8940)}
"""msstab by the octets of an address; a lower MSS than the first is taken for that."""
_MINUTE = 60 * SECOND
_AGE = 2
"""Minutes for which a cookie is good (MAX_SYNCOOKIE_AGE)."""
_OPTION_BITS = 6
_NO_WSCALE = 0xF


def _values(net: Net, skb: Segment) -> tuple[int, ...]:
    return _MSS_LINUX[len(skb.src)] if net.sysctl.linux else _MSS


def _hash(net: Net, saddr: bytes, sport: int, daddr: bytes, dport: int, irs: int, minute: int, index: int) -> int:
    message = saddr + daddr + b"".join(number.to_bytes(4, "big") for number in (sport, dport, irs, minute, index))
    return int.from_bytes(blake2s(message, key=net.secret, digest_size=3).digest(), "big")


def cookie_init_sequence(net: Net, skb: Segment, mss: int) -> int:
    """The ISN that stands for this SYN: five bits of the minute, three of the MSS, twenty-four of the hash."""
    minute = net.now // _MINUTE
    index = max((at for at, value in enumerate(_values(net, skb)) if value <= mss), default=0)
    return (minute & 31) << 27 | index << 24 | _hash(net, skb.src, skb.sport, skb.dst, skb.dport, skb.seq, minute, index)


def cookie_v4_check(net: Net, skb: Segment) -> int | None:
    """The MSS of the SYN that this ACK completes, or None if we never sent such a cookie."""
    cookie, irs, now = (skb.ack - 1) & MASK, (skb.seq - 1) & MASK, net.now // _MINUTE
    index = cookie >> 24 & 7
    if index >= len(_values(net, skb)):
        return None
    for age in range(_AGE):
        minute = now - age
        if cookie >> 27 == minute & 31 and cookie & 0xFFFFFF == _hash(net, skb.src, skb.sport, skb.dst, skb.dport, irs, minute, index):
            return _values(net, skb)[index]
    return None


def cookie_init_timestamp(stamp: int, options: OptionsReceived, ecn: bool) -> int:
    """TSval of the SYN,ACK: the clock, with its low bits used for window scale, SACK and ECN (cookie_init_timestamp)."""
    bits = (_NO_WSCALE if options.wscale is None else options.wscale) | options.sack_ok << 4 | ecn << 5
    value = stamp >> _OPTION_BITS << _OPTION_BITS | bits
    return (value if value <= stamp else value - (1 << _OPTION_BITS)) & MASK


def cookie_options(tsecr: int) -> OptionsReceived:
    """What the echo of that timestamp says of the SYN's options."""
    scale = tsecr & 0xF
    return OptionsReceived(wscale=None if scale == _NO_WSCALE else scale, sack_ok=bool(tsecr >> 4 & 1))


def cookie_ecn_ok(net: Net, tsecr: int) -> bool:
    """Was ECN agreed to?"""
    return net.sysctl.ecn != "off" and bool(tsecr >> 5 & 1)
