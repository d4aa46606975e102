"""ICMP messages of a story in the notation of the case language."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from conformance.capture.import_names import host_name, octets_text
from conformance.capture.import_notation import Notation
from conformance.capture.import_story import FromPeer, FromSut, Link, Moment, Story
from conformance.case.stream import stream
from conformance.wire.icmp import name_of, quoted, quotes
from conformance.wire.segment import Icmp, Segment
from conformance.wire.seq import diff
from conformance.wire.text import flags_text

__all__ = ["Messages"]

_NO_QUOTE = b"conformance"
"""What the tester sends in a message that quotes nothing."""
_TCP_SIZE = 20


class Messages:
    """Writes the messages of a story, in order; it has to see all packets."""

    def __init__(self, story: Story, notation: Notation) -> None:
        self._hosts: Mapping[bytes, str] = story.hosts
        self._notation = notation
        self._sut: dict[str, list[FromSut]] = {}
        self._peer: dict[str, list[FromPeer]] = {}

    def see(self, moment: Moment) -> None:
        """The next packet."""
        if isinstance(moment, FromSut):
            self._sut.setdefault(moment.link.name, []).append(moment)
        elif isinstance(moment, FromPeer):
            self._peer.setdefault(moment.link.name, []).append(moment)

    def injected(self, moment: FromPeer) -> tuple[str, dict[str, object]]:
        """``port-unreachable [S 0:0(0)]``, and ``with:``."""
        message = moment.packet
        assert isinstance(message, Icmp)
        fields: dict[str, object] = {}
        text = _name(message)
        if message.rest and not message.mtu:
            fields["rest"] = message.rest
        if not quotes(message.family, message.type):
            if message.body != _NO_QUOTE:
                same = message.body == stream(0, len(message.body))
                fields |= {"length": len(message.body)} if same else {"data": octets_text(self._hosts, message.body)}
            return text, fields
        quote, extra = self._quote(message, moment.link)
        return f"{text} [{quote}]" if quote else text, fields | extra

    def expected(self, moment: FromSut) -> tuple[str, dict[str, object]]:
        """The same for one that the SUT sends."""
        message, link = moment.packet, moment.link
        assert isinstance(message, Icmp)
        fields: dict[str, object] = {}
        text = _name(message)
        if message.rest and not message.mtu:
            fields["rest"] = message.rest
        if message.src != link.sut:
            fields["src"] = host_name(self._hosts, message.src)
        if message.quote is not None:
            about = next((one for one in reversed(self._peer.get(link.name, [])) if _is_about(message, one)), None)
            if about is not None:
                seq = diff(message.quote.seq, link.peer_isn)
                assert isinstance(about.packet, Segment)
                size = len(about.packet.payload)
                text += f" [{flags_text(about.packet.flags)} {seq}:{seq + size}({size})]"
        elif not quotes(message.family, message.type) and message.body:
            asked = self._peer.get(link.name, [])
            if asked and isinstance(asked[-1].packet, Icmp) and asked[-1].packet.body == message.body:
                fields["data"] = "same"
        return text, fields

    def _quote(self, message: Icmp, link: Link) -> tuple[str, dict[str, object]]:
        """The segment that a message quotes; empty if that is the SUT's last. Or the octets, if they are none of its segments'."""
        sent = [one for one in self._sut.get(link.name, []) if one.frame]
        if sent and quoted(sent[-1].frame) == message.body:
            return "", {}
        ends = (link.sut, link.peer, link.sut_port, link.peer_port)
        quote = message.quote
        if quote is None or (quote.src, quote.dst, quote.sport, quote.dport) != ends or not _is_usual(message):
            return "", {"data": octets_text(self._hosts, message.body)}
        isn = self._notation.sut_isn(link)
        seq = quote.seq if isn is None else diff(quote.seq, isn)
        same = [one.packet for one in sent if isinstance(one.packet, Segment) and quoted(one.frame) == message.body]
        same += [one.packet for one in sent if isinstance(one.packet, Segment) and one.packet.seq == quote.seq]
        if same:
            flags, size = flags_text(same[0].flags), len(same[0].payload)
        else:
            flags, size = _flags_and_size(message.body)
        return f"{flags} {seq}:{seq + size}({size})", {}


def _name(message: Icmp) -> str:
    name = name_of(message.family, message.type, message.code)
    return f"{name} mtu {message.mtu}" if message.mtu and name in ("frag-needed", "packet-too-big") else name


def _is_about(message: Icmp, moment: FromPeer) -> bool:
    return isinstance(moment.packet, Segment) and message.quote is not None and moment.packet.seq == message.quote.seq


def _is_usual(message: Icmp) -> bool:
    """Is it as long as a quote is that the tester makes?"""
    head = bytes(12) + (b"\x08\x00" if message.body[0] >> 4 == 4 else b"\x86\xdd")
    try:
        return len(quoted(head + message.body)) == len(message.body)
    except IndexError:
        return False


def _flags_and_size(body: bytes) -> tuple[str, int]:
    """Of the quoted segment, as far as they are there."""
    size, length = (20, struct.unpack_from(">H", body, 2)[0]) if body[0] >> 4 == 4 else (40, 40 + struct.unpack_from(">H", body, 4)[0])
    data = max(length - size - _TCP_SIZE, 0)
    return flags_text(body[size + 13]) if len(body) > size + 13 else ".", data
