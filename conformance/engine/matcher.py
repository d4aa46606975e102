"""Does a packet of the SUT say what a case expects? Field by field, so that a failure can show each one that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from conformance.case.steps import ANY_OPTION, Exact, ExpectIcmpStep, ExpectStep, Name, Num, Octets, OptionPattern, SegmentPattern, Wanted
from conformance.engine.connections import Connection
from conformance.engine.stream import stream
from conformance.engine.variables import COOKIES, Variables, cookie_number, is_cookie, wanted_text
from conformance.result import Difference
from conformance.wire import options as wire_options
from conformance.wire.icmp import name_of, type_and_code
from conformance.wire.options import Option
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, SYN, URG, Icmp, Packet, Segment, Unreadable
from conformance.wire.seq import diff
from conformance.wire.spec import ETHERNET
from conformance.wire.text import address_text, flags_text

__all__ = ["compare_icmp", "compare_segment"]

_FIELDS: Mapping[str, Callable[[Segment], int]] = {
    "ttl": lambda segment: segment.ttl,
    "tos": lambda segment: segment.tos,
    "ecn": lambda segment: segment.tos & 3,
    "df": lambda segment: segment.df,
    "id": lambda segment: segment.ip_id,
    "reserved": lambda segment: segment.reserved,
    "checksum": lambda segment: segment.checksum_ok,
    "flow_label": lambda segment: segment.flow_label,
    "size": lambda segment: segment.ip_size,
    "sport": lambda segment: segment.sport,
    "dport": lambda segment: segment.dport,
    "seq": lambda segment: segment.seq,
    "ack": lambda segment: segment.ack,
    "data_offset": lambda segment: 5 + len(segment.options_data) // 4,
}
"""What ``with:`` may compare, as numbers."""
_ICMP_FIELDS: Mapping[str, Callable[[Icmp], int]] = {
    "ttl": lambda message: message.ttl,
    "tos": lambda message: message.tos,
    "rest": lambda message: message.rest,
    "checksum": lambda message: message.checksum_ok,
}


def compare_segment(step: ExpectStep, packet: Packet, connection: Connection, variables: Variables) -> list[Difference]:
    """All fields in which ``packet`` is not what ``step`` expects; none if it fits. Variables keep what they were bound to only then."""
    if isinstance(packet, Unreadable):
        return [Difference("frame", "a TCP segment", f"unreadable: {packet.reason}")]
    if not isinstance(packet, Segment):
        return [Difference("packet", "a TCP segment", "an ICMP message")]
    pattern = step.segment
    found = _header(pattern, packet, connection, variables)
    if pattern.options is not None:
        found += _options(pattern, packet.options, connection, variables)
    found += _data(pattern, packet, connection)
    for name, wanted in step.fields.items():
        found += _field(name, wanted, packet, connection, variables)
    if "src" not in step.fields and packet.src != connection.ends.sut:
        found.append(Difference("src", "sut", address_text(packet.src)))
    if packet.options_data and not wire_options.well_formed(packet.options):
        written = ",".join(wire_options.text(option, connection.ends.peer_isn) for option in packet.options)
        found.append(Difference("options", "well-formed", f"<{written}>"))
    if "checksum" not in step.fields and not (packet.checksum_ok and packet.ip_checksum_ok):
        found.append(Difference("checksum", "good", "bad"))
    if found:
        variables.drop()
    else:
        variables.keep()
    return found


def _field(name: str, wanted: Wanted, packet: Segment | Icmp, connection: Connection, variables: Variables) -> list[Difference]:
    """The difference in a field of ``with:``, if there is one."""
    places = connection.places
    if isinstance(wanted, Name) and name in ("sport", "dport"):
        assert places is not None
        wanted = Exact(places.ports[wanted.name])
    if name in ("data", "quotes"):
        assert isinstance(packet, Icmp)
        return _body(name, wanted, packet.body, connection, variables)
    if isinstance(wanted, Name):
        assert places is not None
        actual = packet.src if name == "src" else packet.dst
        fits = actual == places.hosts[wanted.name]
        return [] if fits else [Difference(name, wanted.name, address_text(actual))]
    if name == "ip_options":
        assert isinstance(packet, Segment)
        return _ip_options(wanted, packet.ip_options, connection)
    assert not isinstance(wanted, Octets)
    number = int(_FIELDS[name](packet) if isinstance(packet, Segment) else _ICMP_FIELDS[name](packet))
    return [] if variables.fits(wanted, number) else [Difference(name, variables.text(wanted), str(number))]


def _ip_options(wanted: Wanted, actual: bytes, connection: Connection) -> list[Difference]:
    """Both padded with zeros, as they are in a header."""
    if not isinstance(wanted, Octets):
        return []
    assert connection.places is not None
    octets = wanted.value(connection.places.hosts)
    octets += bytes(-len(octets) % 4)
    return [] if actual == octets else [Difference("ip_options", octets.hex() or "none", actual.hex() or "none")]


def _body(name: str, wanted: Wanted, actual: bytes, connection: Connection, variables: Variables) -> list[Difference]:
    """What an ICMP message carries."""
    if isinstance(wanted, Octets):
        assert connection.places is not None
        octets = wanted.value(connection.places.hosts)
        return [] if actual == octets else [Difference(name, octets.hex(), actual.hex())]
    packet = connection.sent[ETHERNET:]
    if isinstance(wanted, Name):
        injected = read_frame(connection.sent)
        octets = injected.body if isinstance(injected, Icmp) else b""
        return [] if actual == octets else [Difference(name, f"the same {len(octets)} octets", f"{len(actual)} octets: {actual.hex()}")]
    if not packet.startswith(actual):
        same = next((at for at, pair in enumerate(zip(actual, packet, strict=False)) if pair[0] != pair[1]), len(packet))
        return [Difference(name, f"{variables.text(wanted)} octets of what was sent", f"{len(actual)} octets, other ones from {same} on")]
    fits = variables.fits(wanted, len(actual))
    return [] if fits else [Difference(name, f"{variables.text(wanted)} octets of what was sent", f"{len(actual)} octets")]


def _header(pattern: SegmentPattern, packet: Segment, connection: Connection, variables: Variables) -> list[Difference]:
    found: list[Difference] = []
    flags, ends, fits = pattern.flags, connection.ends, variables.fits

    def compare(name: str, wanted: Num, actual: int) -> None:
        if not fits(wanted, actual):
            found.append(Difference(name, variables.text(wanted), str(actual)))

    if not flags.any and (packet.flags ^ flags.value) & ~flags.optional & 0xFF:
        found.append(Difference("flags", flags_text(flags.value), flags_text(packet.flags)))
    seq, length = diff(packet.seq, ends.sut_isn or 0), len(packet.payload)
    compare("seq", pattern.seq, seq)
    compare("end", pattern.end, seq + length)
    compare("length", pattern.length, length)
    if pattern.ack is not None:
        # Without the flag the field acknowledges nothing (RFC 9293, 3.1) and is compared as it stands.
        compare("ack", pattern.ack, diff(packet.ack, ends.peer_isn) if packet.flags & ACK or flags.any else packet.ack)
    if pattern.win is not None:
        compare("win", pattern.win, packet.window)
    if pattern.urg is not None:
        if not packet.flags & URG:
            found.append(Difference("urg", wanted_text(pattern.urg), "no URG flag"))
        compare("urg", pattern.urg, packet.urgent)
    return found


def _data(pattern: SegmentPattern, packet: Segment, connection: Connection) -> list[Difference]:
    if pattern.data is not None:
        return [] if packet.payload == pattern.data else [Difference("data", repr(pattern.data), repr(packet.payload))]
    ends = connection.ends
    if not packet.payload or not connection.plain or ends.sut_isn is None:
        return []
    at = diff(packet.seq, ends.sut_isn) + bool(packet.flags & SYN)
    if at < 1:
        return []  # an octet from before the stream, as some send in a keepalive (RFC 9293, 3.8.4)
    wanted = stream(at - 1, len(packet.payload))
    return [] if packet.payload == wanted else [Difference("data", f"{wanted[:16]!r}… as it was sent", f"{packet.payload[:16]!r}…")]


# Options --------------------------------------------------------------------------------------------------------------

_PADDING = (wire_options.EOL, wire_options.NOP)
_NOT_TO_IGNORE = (*_PADDING, ANY_OPTION)


def _options(pattern: SegmentPattern, actual: tuple[Option, ...], connection: Connection, variables: Variables) -> list[Difference]:
    wanted = pattern.options or ()
    if wanted and not any(option.kind in _NOT_TO_IGNORE for option in wanted):
        actual = tuple(option for option in actual if option.kind not in _PADDING)  # where it stands is the stack's choice
    fits = len(actual) == len(wanted) or (pattern.more_options and len(actual) > len(wanted))
    if fits and all(_option(one, other, connection, variables) for one, other in zip(wanted, actual, strict=False)):
        return []
    base = connection.ends.peer_isn
    return [Difference("options", _pattern_text(pattern, variables), "<" + ",".join(wire_options.text(o, base) for o in actual) + ">")]


def _option(wanted: OptionPattern, actual: Option, connection: Connection, variables: Variables) -> bool:
    if wanted.kind == ANY_OPTION:
        return True
    if wanted.kind != actual.kind or actual.malformed:
        return False
    if not wanted.numbers:
        return wanted.data is None or wanted.data == actual.data
    if wanted.kind == wire_options.FAST_OPEN:
        return is_cookie(actual.data) and variables.fits(wanted.numbers[0], cookie_number(actual.data), COOKIES)
    values = _values(actual, connection.ends.peer_isn)
    if values is None or len(values) != len(wanted.numbers):
        return False
    return all(map(variables.fits, wanted.numbers, values))


def _values(option: Option, isn: int) -> list[int] | tuple[int, ...] | None:
    """The numbers that an option carries; those of SACK relative to the stream that is acknowledged. None: wrong length."""
    if option.kind == wire_options.TIMESTAMP:
        return wire_options.timestamps(option)
    if option.kind == wire_options.SACK:
        blocks = wire_options.sack_blocks(option)
        return None if blocks is None else [diff(edge, isn) for block in blocks for edge in block]
    number = wire_options.mss(option) if option.kind == wire_options.MSS else wire_options.wscale(option)
    return None if number is None else (number,)


def _pattern_text(pattern: SegmentPattern, variables: Variables) -> str:
    texts = [_option_text(option, variables) for option in pattern.options or ()]
    return "<" + ",".join([*texts, "..."] if pattern.more_options else texts) + ">"


def _option_text(option: OptionPattern, variables: Variables) -> str:
    numbers = [variables.text(number) for number in option.numbers]
    match option.kind:
        case wire_options.TIMESTAMP:
            return "TS val {} ecr {}".format(*numbers)
        case wire_options.SACK:
            return " ".join(["sack", *(f"{left}:{right}" for left, right in zip(numbers[::2], numbers[1::2], strict=True))])
        case wire_options.MSS:
            return f"mss {numbers[0]}"
        case wire_options.WSCALE:
            return f"wscale {numbers[0]}"
        case wire_options.FAST_OPEN if option.numbers:
            return f"tfo {wanted_text(option.numbers[0])}"
        case kind if kind == ANY_OPTION:
            return "any"
        case kind:
            return wire_options.text(Option(kind, option.data or b""))


# ICMP -----------------------------------------------------------------------------------------------------------------


def compare_icmp(step: ExpectIcmpStep, packet: Packet, connection: Connection, variables: Variables) -> list[Difference]:
    """The same for an ICMP message."""
    if not isinstance(packet, Icmp):
        return [Difference("packet", "an ICMP message", "something else")]
    pattern = step.icmp
    found: list[Difference] = []
    kind, code = (pattern.type, pattern.code) if pattern.type is not None else type_and_code(packet.family, pattern.name)
    if (kind, code) != (packet.type, packet.code):
        wanted_name = pattern.name if pattern.type is None else f"type {kind} code {code}"
        found.append(Difference("message", wanted_name, name_of(packet.family, packet.type, packet.code)))
    checks: list[tuple[str, Num, int]] = []
    if pattern.mtu is not None:
        checks.append(("mtu", pattern.mtu, packet.mtu))
    if pattern.quoted is not None and packet.quote is None:
        found.append(Difference("quoted", pattern.quoted.text, "no TCP segment"))
    elif pattern.quoted is not None and packet.quote is not None:
        checks.append(("quoted seq", pattern.quoted.seq, diff(packet.quote.seq, connection.ends.peer_isn)))
    for name, wanted in step.fields.items():
        found += _field(name, wanted, packet, connection, variables)
    found += [Difference(name, variables.text(num), str(actual)) for name, num, actual in checks if not variables.fits(num, actual)]
    if not packet.checksum_ok and "checksum" not in step.fields:
        found.append(Difference("checksum", "good", "bad"))
    if found:
        variables.drop()
    else:
        variables.keep()
    return found
