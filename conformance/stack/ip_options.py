"""IPv4's options as a socket has them: source routes, which TCP keeps and turns around (net/ipv4/ip_options.c; RFC 1122, 3.2.1.8)."""

from __future__ import annotations

from typing import NamedTuple

from conformance.stack.errors import SocketError

__all__ = ["LOOSE_ROUTE", "STRICT_ROUTE", "IpOptions", "ip_options_build", "ip_options_echo", "ip_options_get"]

LOOSE_ROUTE, STRICT_ROUTE = 131, 137
_END, _NOP = 0, 1
_MOST = 40
_FIRST_POINTER = 4


class IpOptions(NamedTuple):
    """``struct ip_options_rcu``: what goes into each header."""

    data: bytes
    """Padded to words. A source route in it has room for the destination at its end."""
    faddr: bytes = b""
    """The first hop of a source route: there the packet goes first."""
    srr: int | None = None
    """Where the source route is in ``data``."""
    given: bytes = b""
    """As the caller of ``setsockopt`` wrote it: the first hop is in the route, the destination is not."""


def ip_options_get(data: bytes) -> IpOptions | None:
    """IP_OPTIONS: what a socket is to send from now on; None for nothing. EINVAL for what cannot be."""
    if len(data) > _MOST:
        raise SocketError("EINVAL")
    octets = bytearray(data + bytes(-len(data) % 4))
    faddr, srr = b"", None
    for kind, at, length in _walk(octets):
        if kind in (LOOSE_ROUTE, STRICT_ROUTE):
            if srr is not None or length < 7 or (length - 3) % 4 or octets[at + 2] != _FIRST_POINTER:
                raise SocketError("EINVAL")
            srr, faddr = at, bytes(octets[at + 3 : at + 7])
            octets[at + 3 : at + length] = octets[at + 7 : at + length] + bytes(4)
    return IpOptions(bytes(octets), faddr, srr, data) if octets else None


def _walk(octets: bytes | bytearray) -> list[tuple[int, int, int]]:
    """Kind, place and length of each option. EINVAL for one that does not fit."""
    found, at = [], 0
    while at < len(octets) and octets[at] != _END:
        if octets[at] == _NOP:
            at += 1
            continue
        length = octets[at + 1] if at + 1 < len(octets) else 0
        if length < 2 or at + length > len(octets):
            raise SocketError("EINVAL")
        found.append((octets[at], at, length))
        at += length
    return found


def ip_options_echo(options: bytes, saddr: bytes) -> IpOptions | None:
    """The return route of a packet that came from ``saddr`` along a source route; None if it came along none."""
    for kind, at, length in _walk(options):
        if kind not in (LOOSE_ROUTE, STRICT_ROUTE):
            continue
        end = min(options[at + 2] - 1, length)
        hops = [options[at + hop : at + hop + 4] for hop in range(3, end - 3, 4)][::-1]
        if hops and hops[-1] == saddr:  # some put themselves into the route (RFC 1812, section 5.3.13.4)
            del hops[-1]
        if not hops:
            return None
        route = bytes([kind, 3 + 4 * len(hops), _FIRST_POINTER]) + b"".join(hops[1:]) + bytes(4)
        return IpOptions(route + bytes(-len(route) % 4), hops[0], 0)
    return None


def ip_options_build(options: IpOptions, daddr: bytes) -> bytes:
    """The options of a packet for ``daddr``."""
    if options.srr is None:
        return options.data
    end = options.srr + options.data[options.srr + 1]
    return options.data[: end - 4] + daddr + options.data[end:]
