"""IPv4's options as two exchanges compare them: without the times of the clock, and addresses by what they are to the packet."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.wire.segment import Segment

__all__ = ["ip_options_text"]

_END, _NOP, _TIMESTAMP = 0, 1, 68
_ROUTES = (7, 131, 137)
"""RFC 791, section 3.1: record route, loose and strict source route."""
_NEAR = 4
"""A case run has several peers, whose addresses follow each other."""


def ip_options_text(segment: Segment) -> str:
    """``83070812 destination``: in hex but for times and addresses; what is no option any more is in hex to the end."""
    octets, at = segment.ip_options, 0
    words: list[str] = []
    while at < len(octets) and octets[at] != _END:
        length = 1 if octets[at] == _NOP else octets[at + 1] if at + 1 < len(octets) else 0
        if not 0 < length <= len(octets) - at:
            break
        words += _words(octets[at : at + length], segment)
        at += length
    return " ".join([*words, *([octets[at:].hex()] if at < len(octets) else [])]) or "none"


def _words(option: bytes, segment: Segment) -> Iterator[str]:
    """What an option consists of."""
    stamps = option[0] == _TIMESTAMP and len(option) > 3
    head = 4 if stamps else 3 if option[0] in _ROUTES else len(option)
    alone = stamps and not option[3] & 0xF  # times without the addresses of those who say them
    yield option[:head].hex()
    for number, at in enumerate(range(head, len(option), 4)):
        word = option[at : at + 4]
        if stamps and (alone or number % 2):
            yield "time" if at + len(word) < option[2] else word.hex()
        else:
            yield _address(word, segment)


def _address(word: bytes, segment: Segment) -> str:
    if word == segment.src:
        return "source"
    distance = int.from_bytes(word, "big") - int.from_bytes(segment.dst, "big")
    return f"destination{distance:+}" if abs(distance) < _NEAR else word.hex()
