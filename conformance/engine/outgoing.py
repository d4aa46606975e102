"""Segments that a case injects, made ready before the case begins and finished when they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from conformance.case.steps import Exact, Num, OptionPattern, SegmentPattern, Var
from conformance.engine.connections import Connection
from conformance.engine.packets import SlotValue, ip_extra, spec_from_pattern, target_mac
from conformance.engine.stream import stream
from conformance.engine.variables import Variables, cookie_octets
from conformance.sut.base import Places
from conformance.trace import Endpoints
from conformance.wire.options import FAST_OPEN
from conformance.wire.segment import SYN, Family
from conformance.wire.template import Ahead, Bound, Template, build

__all__ = ["OutgoingSegment", "template_of"]

_TCP = 6


def _template(
    family: Family, pattern: SegmentPattern, payload: bytes, fields: Mapping[str, object] | None
) -> tuple[Template, tuple[SlotValue, ...]]:
    spec, slots = spec_from_pattern(family, pattern, payload, fields or {})
    return build(spec), slots


_plain_template = lru_cache(maxsize=16384)(_template)
"""Most segments stand in many case runs, and preambles in most."""


def template_of(family: Family, pattern: SegmentPattern, fields: Mapping[str, object]) -> tuple[Template, tuple[SlotValue, ...], bool]:
    """The template of a segment to send, the numbers it leaves open, and whether its data is in it. ValueError: there can be none."""
    payload = pattern.data
    if payload is None and isinstance(pattern.seq, Exact) and isinstance(pattern.length, Exact):
        payload = _data(pattern, pattern.seq.value, pattern.length.value)
    make = _template if fields else _plain_template
    template, slots = make(family, pattern, payload or b"", fields or None)
    return template, slots, payload is not None


def _data(pattern: SegmentPattern, seq: int, length: int) -> bytes:
    """The stream's octets for a segment of this length; a SYN takes the number before its data."""
    return stream(seq - 1 + bool(pattern.flags.value & SYN), length)


class OutgoingSegment:
    """One segment to send: built by scapy when this object is made, so that only numbers are missing when it is due."""

    def __init__(self, pattern: SegmentPattern, fields: Mapping[str, object], places: Places, *, from_sut: bool = False) -> None:
        """``from_sut`` makes a segment as the SUT would have sent it, for ICMP to quote. ValueError: there can be no such packet."""
        self._pattern, self._fields, self._places, self._from_sut = pattern, fields, places, from_sut
        self._template, self._slots, self._payload_known = template_of(places.family, pattern, fields)
        self._late = tuple(slot for slot in self._slots if isinstance(slot.num, Var))
        self._cookie = any(option.kind == FAST_OPEN and option.numbers for option in pattern.options or ())
        self._bound: Bound | None = None
        self._ahead: Ahead | None = None
        self._bound_to: Endpoints | None = None
        self._bound_port = 0

    def bind(self, ends: Endpoints, sut_port: int) -> Bound:
        """Fill in addresses and ports, and all numbers that are known, unless that is done."""
        if self._bound is None or self._bound_to is not ends or self._bound_port != sut_port:
            self._bound, self._bound_to, self._bound_port = self._bind(ends, sut_port), ends, sut_port
            self._ahead = self._render_ahead(self._bound, ends)
        return self._bound

    def _bind(self, ends: Endpoints, sut_port: int) -> Bound:
        places, fields = self._places, self._fields
        sut, peer = (places.sut_mac, ends.sut, sut_port), (places.peer_mac, ends.peer, ends.peer_port)
        source, target = (sut, peer) if self._from_sut else (peer, sut)
        destination = self._host("dst", target[1])
        extra = ip_extra(places.family, fields, _TCP, places.hosts)[1] if "ip_options" in fields or "ext" in fields else b""
        return self._template.bind(
            source[0], target_mac(fields.get("dst_mac"), target[0], destination), self._host("src", source[1]), destination,
            self._port(fields.get("sport", source[2])), self._port(fields.get("dport", target[2])), extra,
        )  # fmt: skip

    def _render_ahead(self, bound: Bound, ends: Endpoints) -> Ahead | None:
        """The frame without what the SUT's segments have yet to say, if that is all that it lacks."""
        pattern = self._pattern
        relative = any(slot.relative for slot in self._slots)
        if self._cookie:
            return None
        if self._from_sut or relative or not self._payload_known or isinstance(pattern.win, Var) or isinstance(pattern.urg, Var):
            return None
        if not isinstance(pattern.seq, Exact):
            return None
        values = [slot.num.value if isinstance(slot.num, Exact) else None for slot in self._slots]
        return bound.ahead(pattern.seq.value + ends.peer_isn, values)

    def ready(self, sut_isn: int, variables: Variables) -> bytes | None:
        """The frame as it was rendered ahead, with what lacked; None if it is not of that kind. Raises Unbound."""
        if self._ahead is None:
            return None
        ack = self._pattern.ack
        return self._ahead.render(0 if ack is None else variables.value(ack) + sut_isn, *[variables.value(slot.num) for slot in self._late])

    def is_ready(self, ends: Endpoints) -> bool:
        """Was it rendered ahead, for these ends as they are now?"""
        return self._ahead is not None and self._bound_to is ends and self._bound_port == ends.sut_port

    def frame(self, connection: Connection, variables: Variables) -> bytes:
        """The frame, now that all numbers are known. Raises Unbound for a variable that is not."""
        pattern, ends = self._pattern, connection.ends
        if self._cookie:
            written = replace(pattern, options=tuple(_with_cookie(option, variables) for option in pattern.options or ()))
            return OutgoingSegment(written, self._fields, self._places, from_sut=self._from_sut).frame(connection, variables)
        bound = self.bind(ends, ends.sut_port)
        if (ready := self.ready(ends.sut_isn or 0, variables)) is not None:
            return ready
        own, other = (ends.sut_isn or 0, ends.peer_isn) if self._from_sut else (ends.peer_isn, ends.sut_isn or 0)
        seq = variables.value(pattern.seq)
        ack = 0 if pattern.ack is None else variables.value(pattern.ack) + other
        values = [variables.value(slot.num) + (other if slot.relative else 0) for slot in self._slots]
        payload = None if self._payload_known else _data(pattern, seq, variables.value(pattern.length))
        return bound.render(seq + own, ack, values, _late(pattern.win, variables), _late(pattern.urg, variables), payload)

    def _host(self, field: str, default: bytes) -> bytes:
        name = self._fields.get(field)
        return self._places.hosts[name] if isinstance(name, str) else default

    def _port(self, port: object) -> int:
        return self._places.ports[port] if isinstance(port, str) else int(port)  # type: ignore[call-overload]


def _with_cookie(option: OptionPattern, variables: Variables) -> OptionPattern:
    """``tfo $x`` with the cookie that the SUT has given, whose length nobody knew before."""
    if option.kind != FAST_OPEN or not option.numbers:
        return option
    return OptionPattern(FAST_OPEN, data=cookie_octets(variables.value(option.numbers[0])))


def _late(num: Num | None, variables: Variables) -> int | None:
    """The value of a field that only the run knows; None where it has been built in."""
    return variables.value(num) if isinstance(num, Var) else None
