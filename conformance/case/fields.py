"""``with:``: the fields below and around TCP, as pydantic models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from conformance.case import notation
from conformance.case.base import Base, Validated, whole
from conformance.case.calls import octets
from conformance.case.document import shown
from conformance.case.errors import CaseError
from conformance.case.steps import AnyValue, Exact, Extension, Name, Num, Octets, Range, Wanted
from conformance.case.vocabulary import ADDRESSES, ECN, PORTS
from conformance.wire.checksum import LESS
from conformance.wire.ip_extra import EXTENSIONS, Cut

__all__ = ["ExpectFields", "InjectFields", "InjectIcmpFields", "given_fields"]

_OFFSET = re.compile(r"(?:(?:ip|tcp)\+)?[0-9]{1,5}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_CUT = re.compile(r"([0-9]{1,5})(?::([0-9]{1,5}|\*))?")


def _one_of(words: Mapping[str, object]) -> Validated:
    """One of some words, each standing for a value."""

    def parse(value: Any) -> object:
        if not isinstance(value, str) or value not in words:
            raise CaseError(found=shown(value), allowed=tuple(words))
        return words[value]

    return PlainValidator(parse), WithJsonSchema({"enum": list(words)})


def _compared(high: int, words: Mapping[str, Wanted] | None = None, what: str = "") -> Validated:
    """A number, a range, ``*``, ``$x`` or a word that stands for something; ``what`` says which words those are."""
    known = words or {}
    expected = f"0..{high}, a range of that" + (what or "".join(f", {word}" for word in known)) + ", $name or *"

    def parse(value: Any) -> Wanted:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise CaseError(found=shown(value), expected=expected)
        if isinstance(value, str) and value in known:
            return known[value]
        try:
            number: Num = Exact(int(value)) if isinstance(value, int) else notation.number(value)
        except CaseError:
            raise CaseError(found=shown(value), expected=expected) from None
        ends = (number.low, number.high) if isinstance(number, Range) else (number.value,) if isinstance(number, Exact) else ()
        if any(not 0 <= end <= high for end in ends):
            raise CaseError(found=shown(value), expected=expected)
        return number

    choices = [{"type": "integer", "minimum": 0, "maximum": high}, {"type": "string", "examples": [*known, "1..64"]}]
    return PlainValidator(parse), WithJsonSchema({"anyOf": choices})


def _raw(value: Any) -> dict[str, bytes]:
    """``{34: ff, tcp+13: 02}``: where, and the octets to write there."""
    if not isinstance(value, dict) or not value:
        raise CaseError(found=shown(value), expected="a mapping of offset to hexadecimal digits, such as {tcp+13: 02}")
    writes = {}
    for offset, digits in value.items():
        if not _OFFSET.fullmatch(str(offset)):
            raise CaseError("an offset in raw", found=str(offset), expected="34 (in the frame), ip+8 or tcp+13")
        if isinstance(digits, bool | list | dict) or not _HEX.fullmatch(str(digits)):
            raise CaseError(f"octets at {offset}", found=shown(digits), expected="two hexadecimal digits an octet, such as 02ff")
        writes[str(offset)] = bytes.fromhex(str(digits))
    return writes


def _octets(value: Any) -> Octets:
    """``830704 peer2``: hexadecimal digits, and names of addresses that stand for theirs."""
    found = octets(str(value)) if not isinstance(value, bool | list | dict) else Octets(())
    if not found.parts:
        raise CaseError(found=shown(value), expected="octets such as 830704 peer2")
    return found


def _extensions(value: Any) -> tuple[Extension, ...]:
    """``[{hop-by-hop: "0502 0000"}, {routing: …}, {60: …}]``, in order."""
    headers = []
    for header in value if isinstance(value, list) else ():
        one: list[tuple[Any, Any]] = list(header.items()) if isinstance(header, dict) else []
        kind: Any = one[0][0] if one else None
        data: Any = one[0][1] if one else None
        if len(one) != 1 or not (kind in EXTENSIONS or (isinstance(kind, int) and 0 <= kind <= 255)):
            expected = "one header each, such as {hop-by-hop: 05020000}: a number, or one of"
            raise CaseError("an extension header", found=shown(header), expected=expected, allowed=tuple(EXTENSIONS))
        headers.append(Extension(EXTENSIONS.get(kind, kind), Octets(()) if data is None else _octets(data)))
    if not headers:
        raise CaseError(found=shown(value), expected="a list of headers such as [{hop-by-hop: 05020000}]")
    return tuple(headers)


def _cuts(value: Any) -> tuple[Cut, ...]:
    """``[0, 24]``, ``["24:*", "0:24"]``: where fragments begin and, if it is not where the next one does, end."""
    parts = value if isinstance(value, list) else []
    begins = sorted(part for part in parts if isinstance(part, int))
    cuts: list[Cut] = []
    for part in parts:
        match = _CUT.fullmatch(str(part))
        low = int(match[1]) if match else 1
        high = int(match[2]) if match and match[2] and match[2] != "*" else None
        if match and match[2] is None:
            high = next((begin for begin in begins if begin > low), None)
        if low % 8 or (high is not None and high <= low):
            raise CaseError(
                "a fragment", found=shown(part), expected="an octet to begin at, a multiple of 8, or a range such as 0:24 or 24:*"
            )
        cuts.append((low, high))
    if not cuts:
        raise CaseError(found=shown(value), expected="a list of where fragments begin, such as [0, 24]")
    return tuple(cuts)


def _ip_options(value: Any) -> Wanted:
    if isinstance(value, str) and value.strip() == "*":
        return AnyValue()
    return Octets(()) if isinstance(value, str) and value.strip() == "none" else _octets(value)


def _data(value: Any) -> Wanted:
    return Name("same") if value == "same" else _octets(value)


def _flag(value: Any) -> Num:
    if not isinstance(value, bool):
        raise CaseError(found=shown(value), expected="true or false")
    return Exact(int(value))


_Checksum = Annotated[int | str | None, *whole(65535, "bad", "zero")]
_TcpChecksum = Annotated[int | str | None, *whole(65535, "bad", "zero", *LESS)]
_Port = Annotated[int | str | None, *whole(65535, *PORTS)]
_Host = Annotated[str | None, *_one_of({name: name for name in ADDRESSES})]
_Octet = Annotated[int | None, *whole(255)]
_Ecn = Annotated[int | None, *_one_of(ECN)]
_Raw = Annotated[
    dict[str, bytes] | None,
    PlainValidator(_raw),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": r"^((ip|tcp)\+)?([0-9]+|\$[a-z{][A-Za-z0-9_.}]*)$"},
            "additionalProperties": {"type": ["string", "integer"]},
            "examples": [{"tcp+13": "02"}],
        }
    ),
]


_Octets = Annotated[Octets | None, PlainValidator(_octets), WithJsonSchema({"type": ["string", "integer"]})]
_Ext = Annotated[
    tuple[Extension, ...] | None,
    PlainValidator(_extensions),
    WithJsonSchema({"type": "array", "items": {"type": "object"}, "examples": [[{"hop-by-hop": "05020000"}]]}),
]
_Fragments = Annotated[
    tuple[Cut, ...] | None,
    PlainValidator(_cuts),
    WithJsonSchema({"type": "array", "items": {"type": ["integer", "string"]}, "examples": [[0, 24], ["24:*", "0:24"]]}),
]
_Mac = Annotated[str | None, *_one_of({name: name for name in ("sut", "broadcast", "multicast", "other")})]
_Nibble = Annotated[int | None, *whole(15)]


class _InjectedFields(Base):
    """What segments and ICMP messages have in common."""

    ttl: _Octet = Field(None, description="time to live, hop limit")
    tos: _Octet = Field(None, description="type of service, traffic class")
    ecn: _Ecn = Field(None, description="the two low bits of tos")
    checksum: _Checksum = Field(None, description="the checksum of the message: bad, zero, or a number")
    src: _Host = Field(None, description="the name of the source address")
    dst: _Host = Field(None, description="the name of the destination address")
    raw: _Raw = Field(
        None, description="octets that are written last, no checksum follows: offset in the frame (34), ip+8 or tcp+13 → digits"
    )

    ip_options: _Octets = Field(None, description="options of the IP header (IPv4), padded with zeros: octets, names of addresses")
    ext: _Ext = Field(None, description="extension headers (IPv6) in order: hop-by-hop, routing, destination or a number → octets")
    ip_version: _Nibble = Field(None, description="the version in the IP header")
    header_length: _Nibble = Field(None, description="IPv4's, in words of four octets; nothing moves")
    protocol: _Octet = Field(None, description="what the IP header, or the last extension header, says that follows it")
    fragments: _Fragments = Field(
        None, description="sent as fragments, in this order: where each begins in the IP payload, or a range such as 0:24 or 24:*"
    )
    fragment_id: Annotated[int | None, *whole(2**32 - 1)] = Field(None, description="the identification that fragments have in common")
    dst_mac: _Mac = Field(None, description="the Ethernet address that it is sent to: sut, broadcast, multicast (that of dst), other")


class InjectIcmpFields(_InjectedFields):
    """Fields of an injected ICMP message that differ from what a healthy host or router sends."""

    rest: Annotated[int | None, *whole(2**32 - 1)] = Field(None, description="the second word: identifier and number, pointer, MTU")
    data: _Octets = Field(None, description="what follows the second word, in place of a quoted segment")
    length: Annotated[int | None, *whole(65535)] = Field(None, description="so many octets of the pattern follow the second word")


class InjectFields(_InjectedFields):
    """Fields of an injected segment that differ from what a healthy peer sends."""

    checksum: _TcpChecksum = Field(None, description="TCP's checksum: bad, zero, a number, or right but for a part of the pseudo header")
    df: bool | None = Field(None, description="don't fragment (IPv4)")
    id: Annotated[int | None, *whole(65535)] = Field(None, description="identification (IPv4)")
    ip_checksum: _Checksum = Field(None, description="the checksum of the IP header (IPv4): bad, zero, or a number")
    ip_length: Annotated[int | None, *whole(65535)] = Field(None, description="IPv4's total length, IPv6's payload length")
    reserved: Annotated[int | None, *whole(15)] = Field(None, description="the four bits after the data offset")
    data_offset: Annotated[int | None, *whole(15)] = Field(None, description="in words of four octets; nothing moves")
    sport: _Port = Field(None, description="source port: a name or a number")
    dport: _Port = Field(None, description="destination port: a name or a number")


_Number = Annotated[Wanted | None, *_compared(65535)]
_Sequence = Annotated[Wanted | None, *_compared(2**32 - 1)]
_ComparedPort = Annotated[Wanted | None, *_compared(65535, {name: Name(name) for name in PORTS}, ", the name of a port")]
_ComparedHost = Annotated[Wanted | None, *_one_of({name: Name(name) for name in ADDRESSES})]
_ComparedOctet = Annotated[Wanted | None, *_compared(255)]


class _ExpectedFields(Base):
    """What segments and ICMP messages have in common."""

    ttl: _ComparedOctet = Field(None, description="time to live, hop limit")
    tos: _ComparedOctet = Field(None, description="type of service, traffic class")
    checksum: Annotated[Wanted | None, *_one_of({"good": Exact(1)})] = Field(None, description="good: it must be right")
    src: _ComparedHost = Field(None, description="the name of the source address")
    dst: _ComparedHost = Field(None, description="the name of the destination address")


class ExpectIcmpFields(_ExpectedFields):
    """Fields of an ICMP message from the SUT to compare."""

    rest: _Sequence = Field(None, description="the second word: identifier and number, pointer, MTU")
    data: Annotated[Wanted | None, PlainValidator(_data), WithJsonSchema({"type": ["string", "integer"]})] = Field(
        None, description="what follows the second word: octets, names of addresses; same: as in the message that was injected last"
    )
    quotes: _Number = Field(None, description="so many octets of the IP packet that was injected last follow, unchanged")


class ExpectFields(_ExpectedFields):
    """Fields of a segment from the SUT to compare."""

    ecn: Annotated[Wanted | None, *_compared(3, {word: Exact(number) for word, number in ECN.items()})] = Field(
        None, description="the two low bits of tos"
    )
    df: Annotated[Wanted | None, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})] = Field(
        None, description="don't fragment (IPv4)"
    )
    id: _Number = Field(None, description="identification (IPv4)")
    flow_label: Annotated[Wanted | None, *_compared(2**20 - 1)] = Field(None, description="flow label (IPv6)")
    size: _Number = Field(None, description="octets of the whole IP packet")
    ip_options: Annotated[Wanted | None, PlainValidator(_ip_options), WithJsonSchema({"type": "string"})] = Field(
        None, description="the options of the IP header (IPv4), padded with zeros: octets, names of addresses; none, or *"
    )
    sport: _ComparedPort = Field(None, description="source port")
    dport: _ComparedPort = Field(None, description="destination port")
    seq: _Sequence = Field(None, description="the sequence number as it is on the wire")
    ack: _Sequence = Field(None, description="the acknowledgment number as it is on the wire")
    reserved: Annotated[Wanted | None, *_compared(15)] = Field(None, description="the four bits after the data offset")
    data_offset: Annotated[Wanted | None, *_compared(15)] = Field(None, description="in words of four octets")


def given_fields(model: Base | None) -> dict[str, Any]:
    """What a model was given, by name."""
    return {name: getattr(model, name) for name in type(model).model_fields if name in model.model_fields_set} if model else {}
