"""Wrong ICMP messages. A healthy segment gets none from Linux, so these come for mangled ones."""

from __future__ import annotations

from .case import Planted, plain

__all__ = ["PLANTED"]

_UNKNOWN_PROTOCOL = {"ipv4": "{id: 4096, raw: {ip+4: 0f09, ip+9: fd}}", "ipv6": "{raw: {ip+6: fd}}"}
"""Protocol 253, for experiments. What it adds to the sum of the IPv4 header, the identification takes off again."""
_BAD_OPTION = {
    "ipv4": '{id: 4096, raw: {ip+0: "46", ip+4: 05fd, tcp+0: "0703020013880050000003ed"}}',
    "ipv6": '{raw: {ip+6: "00", tcp+0: "060080040000000013880050000003ed"}}',
}
"""An option for which the stack must complain (a record route that points into itself; an unknown one of type 10xxxxxx), and behind it
the start of a TCP header: ports 5000 and 80, sequence number 1005."""
_COMPLAINT = {"ipv4": "parameter-problem", "ipv6": "type 4 code 2"}


def _mangled(name: str, field: str, family: str, expected: str) -> Planted:
    steps = f"- {{inject: S 0:0(0), with: {_UNKNOWN_PROTOCOL[family]}}}\n- {{expect_icmp: {expected}}}"
    return plain(f"icmp-{name}-{family}", field, steps, families=(family,))


def _echoes(name: str, field: str, family: str, expected: str) -> Planted:
    """A ping of three octets, and the answer."""
    steps = f"""
        - {{inject_icmp: echo-request, with: {{rest: 0x00070001, data: 0a0b0c}}}}
        - {{expect_icmp: echo-reply, with: {{{expected}}}}}
    """
    return plain(f"icmp-{name}-{family}", field, steps, families=(family,))


def _quoting(family: str) -> Planted:
    steps = f"""
        - {{inject: S 0:0(0), on: other, with: {_BAD_OPTION[family]}}}
        - expect_icmp: {_COMPLAINT[family]} [S «5:5⇒6:6»(0)]
    """
    more = "connections: {default: {peer_port: 5000, isn: 1000}, other: {}}\n"
    return plain(f"icmp-quoted-{family}", "quoted seq", steps, more=more, families=(family,))


PLANTED = tuple(
    planted
    for family in ("ipv4", "ipv6")
    for planted in (
        _mangled("message", "message", family, "«protocol⇒port»-unreachable"),
        _mangled("type", "message", family, {"ipv4": "type 3 code «2⇒3»", "ipv6": "type 4 code «1⇒3»"}[family]),
        _mangled("ttl", "ttl", family, "protocol-unreachable, with: {ttl: «64⇒63»}"),
        _mangled("quotes-no-segment", "quoted", family, '"protocol-unreachable« ⇒ [S 0:0(0)]»"'),
        _mangled("tos", "tos", family, "protocol-unreachable, with: {tos: «0..255⇒1..2»}"),
        _mangled("src", "src", family, "protocol-unreachable, with: {src: «sut⇒foreign»}"),
        _mangled("dst", "dst", family, "protocol-unreachable, with: {dst: «peer⇒peer2»}"),
        _mangled("quotes", "quotes", family, "protocol-unreachable, with: {quotes: «40..60⇒61..99»}"),
        _echoes("rest", "rest", family, "rest: «0x00070001⇒0x00070002»"),
        _echoes("data", "data", family, "data: «0a0b0c⇒0a0b0d»"),
        _echoes("data-shorter", "data", family, "data: «same⇒0a0b»"),
        _quoting(family),
    )
)
