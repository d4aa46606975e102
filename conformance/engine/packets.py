"""What a case injects, made ready to build: a pattern of the case language becomes a spec and the numbers it leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from conformance.case.steps import ANY_OPTION, RAW_OPTION, Exact, Num, Octets, OptionPattern, SegmentPattern, Var
from conformance.case.vocabulary import ADDRESSES
from conformance.wire.ip_extra import BROADCAST_MAC, extension_chain, group_mac, padded_options
from conformance.wire.options import EOL, FAST_OPEN, MSS, NOP, SACK, TIMESTAMP, WSCALE
from conformance.wire.segment import Family
from conformance.wire.spec import Spec

__all__ = ["CONNECTION_FIELDS", "SlotValue", "icmp_fields", "ip_extra", "spec_from_pattern", "target_mac"]

CONNECTION_FIELDS = frozenset({"sport", "dport", "src", "dst"})
"""Fields of ``with:`` that are not the spec's business: they go to :meth:`~conformance.wire.template.Template.bind`."""

_SPEC_FIELDS = {
    "ttl": "ttl", "tos": "tos", "df": "df", "id": "ip_id", "checksum": "checksum", "ip_checksum": "ip_checksum", "reserved": "reserved",
    "data_offset": "data_offset", "ip_length": "ip_length", "ip_version": "ip_version", "header_length": "header_length",
}  # fmt: skip
"""Fields of ``with:`` and the attributes of a Spec that they set."""
_FRAMING = frozenset({"ip_options", "ext", "protocol", "dst_mac", "fragments", "fragment_id"})
"""Fields of ``with:`` that have functions of their own."""
_OF_MESSAGES = frozenset({"rest", "data", "length"})
"""Fields of ``with:`` that are arguments of ``build_icmp``."""
_TCP, _ICMP = 6, {Family.IPV4: 1, Family.IPV6: 58}
_SOMEONE_ELSE = bytes.fromhex("0200000000fe")
_ECN = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}
"""RFC 3168, section 5."""
_WIDTHS = {MSS: (2,), WSCALE: (1,), TIMESTAMP: (4, 4)}
"""Octets of the numbers of an option; a SACK has two of 4 a block."""


class SlotValue(NamedTuple):
    """The number that goes into a slot; ``relative`` ones (SACK edges) count from the ISN of the acknowledged stream."""

    num: Exact | Var
    relative: bool


def spec_from_pattern(
    family: Family, pattern: SegmentPattern, payload: bytes, fields: Mapping[str, object]
) -> tuple[Spec, tuple[SlotValue, ...]]:
    """The packet that ``pattern`` and ``with:`` describe, and what fills its slots in order.

    A window or urgent pointer that is a variable is left as 65535 or 0: the executor gives it to ``render``. ValueError where
    no packet can be like that.
    """
    if pattern.flags.any or pattern.flags.optional or pattern.more_options:
        raise ValueError(f"{pattern.text}: a segment to inject leaves no flags or options open")
    parts: list[bytes | int] = []
    values: list[SlotValue] = []
    for option in pattern.options or ():
        option_parts, option_values = _option(option)
        parts += option_parts
        values += option_values
    spec = Spec(
        family=family,
        flags=pattern.flags.value,
        window=_constant(pattern.win, 0xFFFF),
        urgent=_constant(pattern.urg, 0),
        options=tuple(parts),
        payload=payload,
    )
    return replace(spec, **_mangling(family, fields, _TCP)), tuple(values)


def icmp_fields(family: Family, fields: Mapping[str, object], hosts: Mapping[str, bytes]) -> dict[str, Any]:
    """``with:`` of an ICMP message as the keywords of :func:`~conformance.wire.icmp.build_icmp`."""
    return _mangling(family, {name: value for name, value in fields.items() if name not in _OF_MESSAGES}, _ICMP[family], hosts)


def ip_extra(family: Family, fields: Mapping[str, object], last: int, hosts: Mapping[str, bytes] | None = None) -> tuple[int, bytes]:
    """What the IP header says that follows it, and IPv4's options or IPv6's extension headers. Without ``hosts`` addresses are zeros.

    ``last`` is the protocol of what is behind them, unless ``fields`` have another.
    """
    options, headers, protocol = fields.get("ip_options"), fields.get("ext"), fields.get("protocol", last)
    assert isinstance(protocol, int)
    known = dict.fromkeys(ADDRESSES, bytes(4 if family is Family.IPV4 else 16)) if hosts is None else hosts
    if isinstance(options, Octets):
        return protocol, padded_options(options.value(known))
    if isinstance(headers, tuple):
        return extension_chain([(header.kind, header.data.value(known)) for header in headers], protocol)
    return protocol, b""


def target_mac(name: object, own: bytes, address: bytes) -> bytes:
    """The Ethernet address that ``dst_mac:`` stands for; ``own`` is the receiver's, ``address`` the one in the IP header."""
    if name == "multicast":
        return group_mac(address)
    return {"broadcast": BROADCAST_MAC, "other": _SOMEONE_ELSE}.get(str(name), own)


def _constant(num: Num | None, default: int) -> int:
    return num.value if isinstance(num, Exact) else default


def _mangling(family: Family, fields: Mapping[str, object], last: int, hosts: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """``with:`` as attributes of a Spec, under the names that ICMP messages share."""
    changes: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _SPEC_FIELDS:
            changes[_SPEC_FIELDS[name]] = value
        elif name == "raw" and isinstance(value, Mapping):
            changes["raw"] = tuple((str(offset), data) for offset, data in value.items())
        elif name not in CONNECTION_FIELDS | _FRAMING | {"ecn"}:
            raise ValueError(f"with: {name} is no field of an injected segment")
    if "ecn" in fields:
        ecn: Any = fields["ecn"]
        changes["tos"] = changes.get("tos", 0) & ~3 | (ecn if isinstance(ecn, int) else _ECN[ecn])
    if fields.keys() & {"ip_options", "ext", "protocol"}:
        changes["protocol"], changes["ip_extra"] = ip_extra(family, fields, last, hosts)
    return changes


def _option(option: OptionPattern) -> tuple[list[bytes | int], list[SlotValue]]:
    """One option's octets and slots, and the values of those."""
    kind, data = option.kind, option.data
    if kind == ANY_OPTION:
        raise ValueError("an option to inject cannot be any")
    if kind == RAW_OPTION:
        return [data or b""], []
    if kind in (EOL, NOP) and data is None:
        return [bytes((kind,))], []
    if kind == FAST_OPEN and option.numbers:
        return [bytes((kind, 2))], []  # a cookie that the SUT has yet to send: the executor writes it out before the segment leaves
    if data is not None:
        return [bytes((kind, len(data) + 2)) + data], []
    widths = (4,) * len(option.numbers) if kind == SACK else _WIDTHS.get(kind, ())
    if len(widths) != len(option.numbers):
        raise ValueError(f"option {kind} has {len(widths)} numbers, not {len(option.numbers)}")
    values = [SlotValue(_known(num, width, kind), kind == SACK) for num, width in zip(option.numbers, widths, strict=True)]
    return [bytes((kind, 2 + sum(widths))), *widths], values


def _known(num: Num, width: int, kind: int) -> Exact | Var:
    """``num`` if it will be a number at run time and fits its slot. SACK edges are relative, so they may be negative."""
    if not isinstance(num, Exact | Var):
        raise ValueError(f"a number of option {kind} to inject is {num}, neither a number nor a variable")
    if isinstance(num, Exact) and kind != SACK and not 0 <= num.value < 1 << 8 * width:
        raise ValueError(f"{num.value} does not fit into {width} octets of option {kind}")
    return num
