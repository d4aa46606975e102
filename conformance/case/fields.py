"""``with:``: the fields below and around TCP, as pydantic models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from conformance.case import notation
from conformance.case.base import Base, Validated, whole
from conformance.case.document import shown
from conformance.case.errors import CaseError
from conformance.case.steps import AnyValue, Exact, Name, Num, Octets, Range, Wanted
from conformance.case.vocabulary import ADDRESSES, ECN, PORTS
from conformance.wire.checksum import LESS

__all__ = ["ExpectFields", "InjectFields", "InjectIcmpFields", "given_fields"]

_OFFSET = re.compile(r"(?:(?:ip|tcp)\+)?[0-9]{1,5}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


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
    octets = {}
    for offset, digits in value.items():
        if not _OFFSET.fullmatch(str(offset)):
            raise CaseError("an offset in raw", found=str(offset), expected="34 (in the frame), ip+8 or tcp+13")
        if isinstance(digits, bool | list | dict) or not _HEX.fullmatch(str(digits)):
            raise CaseError(f"octets at {offset}", found=shown(digits), expected="two hexadecimal digits an octet, such as 02ff")
        octets[str(offset)] = bytes.fromhex(str(digits))
    return octets


def _octets(value: Any) -> Octets:
    """``830704 peer2``: hexadecimal digits, and names of addresses that stand for theirs."""
    parts: list[bytes | str] = []
    for part in str(value).split() if not isinstance(value, bool | list | dict) else ():
        if part in ADDRESSES:
            parts.append(part)
        elif _HEX.fullmatch(part):
            parts.append(bytes.fromhex(part))
        else:
            raise CaseError(found=part, expected="two hexadecimal digits an octet, and names of addresses", allowed=tuple(ADDRESSES))
    if not parts:
        raise CaseError(found=shown(value), expected="octets such as 830704 peer2")
    return Octets(tuple(parts))


def _ip_options(value: Any) -> Wanted:
    if isinstance(value, str) and value.strip() == "*":
        return AnyValue()
    return Octets(()) if isinstance(value, str) and value.strip() == "none" else _octets(value)


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


class InjectIcmpFields(Base):
    """Fields of an injected ICMP message that differ from what a healthy host or router sends."""

    ttl: _Octet = Field(None, description="time to live, hop limit")
    tos: _Octet = Field(None, description="type of service, traffic class")
    ecn: _Ecn = Field(None, description="the two low bits of tos")
    checksum: _Checksum = Field(None, description="the checksum of the message: bad, zero, or a number")
    src: _Host = Field(None, description="the name of the source address")
    dst: _Host = Field(None, description="the name of the destination address")
    raw: _Raw = Field(
        None, description="octets that are written last, no checksum follows: offset in the frame (34), ip+8 or tcp+13 → digits"
    )


class InjectFields(InjectIcmpFields):
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


class ExpectIcmpFields(Base):
    """Fields of an ICMP message from the SUT to compare."""

    ttl: _ComparedOctet = Field(None, description="time to live, hop limit")
    tos: _ComparedOctet = Field(None, description="type of service, traffic class")
    checksum: Annotated[Wanted | None, *_one_of({"good": Exact(1)})] = Field(None, description="good: it must be right")
    src: _ComparedHost = Field(None, description="the name of the source address")
    dst: _ComparedHost = Field(None, description="the name of the destination address")


class ExpectFields(ExpectIcmpFields):
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
