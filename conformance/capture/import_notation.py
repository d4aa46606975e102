"""Packets of a story in the notation of the case language, to inject and to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.capture.import_calls import text_of
from conformance.capture.import_names import host_name, octets_text
from conformance.capture.import_stamps import Chosen
from conformance.capture.import_story import FromPeer, FromSut, Link, Story
from conformance.case.stream import stream
from conformance.wire import options as wire
from conformance.wire.options import Option
from conformance.wire.segment import ACK, RST, SYN, URG, Segment
from conformance.wire.seq import MODULUS, diff
from conformance.wire.text import flags_text

__all__ = ["Notation"]

_USUAL_WINDOW = 65535
_PADDING = (wire.EOL, wire.NOP)
_INTERNET_TIMESTAMP = 68
"""The IP option with the clock of whom it passes (RFC 791, section 3.1)."""
_LONGEST_DATA = 2000
"""Octets of data that are written out."""


class Notation:
    """Writes a story's packets, in their order: relative numbers count from what the executor will know by then."""

    def __init__(self, story: Story) -> None:
        self._hosts: Mapping[bytes, str] = story.hosts
        self._chosen = Chosen(story.moments, exact=story.recorded)
        self._isns: dict[str, int] = {}
        """The SUT's, of connections on which it has sent a SYN."""
        self._shut: dict[str, bool] = {}
        """Was the SUT's last window zero?"""
        self._written_out = {link.name for link in story.links} if story.recorded else set()

    # The peer's ---------------------------------------------------------------------------------------------------------

    def injected(self, moment: FromPeer) -> str:
        """``P. 1:101(100) ack 1 win 500``."""
        segment, link = moment.packet, moment.link
        assert isinstance(segment, Segment)
        sut_isn = self.sut_isn(link)
        words = [flags_text(segment.flags), _range(diff(segment.seq, link.peer_isn), segment)]
        if segment.flags & ACK or segment.ack:
            words.append(f"ack {_number(segment.ack, sut_isn)}")
        if segment.window != _USUAL_WINDOW:
            words.append(f"win {segment.window}")
        if segment.flags & URG or segment.urgent:
            words.append(f"urg {segment.urgent}")
        options = [self._injected_option(option, moment, sut_isn) for option in _without_padding(segment)]
        if options:
            words.append(f"<{','.join(options)}>")
        return " ".join([*words, *self._data(segment, link, link.peer_isn)])

    def _injected_option(self, option: Option, moment: FromPeer, sut_isn: int | None) -> str:
        if option.kind == wire.TIMESTAMP and (values := wire.timestamps(option)) is not None:
            return f"TS val {values[0]} ecr {self._chosen.tsecr(moment, values[1])}"
        if option.kind == wire.FAST_OPEN and option.data:
            return f"tfo {self._chosen.cookie(option.data)}"
        return wire.text(option, 0 if sut_isn is None else sut_isn)

    # The SUT's ----------------------------------------------------------------------------------------------------------

    def expected(self, moment: FromSut) -> tuple[str, dict[str, object]]:
        """``S. 0:0(0) ack 1 <mss 1460>``, and what ``with:`` compares."""
        segment, link = moment.packet, moment.link
        assert isinstance(segment, Segment)
        if segment.flags & SYN:
            self._isns.setdefault(link.name, segment.seq)
        fields: dict[str, object] = {}
        words = [_expected_flags(segment), _range(_number(segment.seq, self.sut_isn(link)), segment)]
        if segment.flags & RST and not segment.seq and self.sut_isn(link):  # not the connection's number but none (RFC 9293, 3.10.7.1)
            words[1], fields["seq"] = f"*:*({len(segment.payload)})", 0
        if segment.flags & ACK:
            words.append(f"ack {diff(segment.ack, link.peer_isn)}")
        words += self._window(segment, link)
        if segment.flags & URG:
            words.append(f"urg {segment.urgent}")
        readable = [option for option in segment.options if option.kind not in _PADDING and not option.malformed]
        options = [self._expected_option(option, moment) for option in readable]
        if options or segment.flags & SYN:
            words.append(f"<{','.join(options)}>")
        if segment.src != link.sut:
            fields["src"] = host_name(self._hosts, segment.src)
        if segment.tos & 3:
            fields["ecn"] = segment.tos & 3
        if segment.ip_options:
            fields["ip_options"] = octets_text(self._hosts, segment.ip_options) if segment.ip_options[0] != _INTERNET_TIMESTAMP else "*"
        return " ".join([*words, *self._data(segment, link, self.sut_isn(link))]), fields

    def _window(self, segment: Segment, link: Link) -> list[str]:
        """Its size is the stack's own choice, but for whether there is a window."""
        shut = not segment.window and not segment.flags & (SYN | RST)
        before, self._shut[link.name] = self._shut.get(link.name, False), shut
        return ["win 0"] if shut else ["win 1..65535"] if before and not segment.flags & RST else []

    def _expected_option(self, option: Option, moment: FromSut) -> str:
        match option.kind:
            case wire.TIMESTAMP if (values := wire.timestamps(option)) is not None:
                return f"TS val {self._chosen.tsval(moment)} ecr {'*' if moment.echo_open else values[1]}"
            case wire.WSCALE if wire.wscale(option) is not None:
                return "wscale *"
            case wire.FAST_OPEN if option.data:
                return f"tfo {self._chosen.cookie(option.data)}"
        return wire.text(option, moment.link.peer_isn)

    # Both ---------------------------------------------------------------------------------------------------------------

    def sut_isn(self, link: Link) -> int | None:
        """What the SUT's numbers count from at this point."""
        return self._isns.get(link.name)

    def _data(self, segment: Segment, link: Link, isn: int | None) -> list[str]:
        """The data if it must be written out."""
        payload = segment.payload
        if not payload or segment.cut or link.name not in self._written_out or len(payload) > _LONGEST_DATA:
            return []
        at = diff(segment.seq, isn or 0) - 1 + bool(segment.flags & SYN)
        return [] if payload == stream(at, len(payload)) else [text_of(payload)]


def _number(number: int, isn: int | None) -> int:
    return number if isn is None else diff(number, isn)


def _range(start: int, segment: Segment) -> str:
    size = len(segment.payload) + segment.cut
    if start + size >= MODULUS:
        start -= MODULUS
    return f"{start}:{start + size}({size})"


def _expected_flags(segment: Segment) -> str:
    """PSH says when the application wrote, and of data a stack may set it or not."""
    flags = flags_text(segment.flags)
    if not segment.payload and not segment.cut:
        return flags
    return flags.replace("P", "P?") if "P" in flags else _insert_push(flags)


def _insert_push(flags: str) -> str:
    """``F.`` → ``FP?.``"""
    before = [letter for letter in flags if letter in "SFR"]
    return "".join(before) + "P?" + "".join(letter for letter in flags if letter not in "SFR-")


def _without_padding(segment: Segment) -> Sequence[Option]:
    """The options, but for an end of the list that is there only because the header has whole words."""
    options = segment.options
    if options and options[-1].kind == wire.EOL and not any(options[-1].data) and not options[-1].malformed:
        rest = options[:-1]
        if len(wire.pad(wire.encode(rest))) == len(segment.options_data):
            return rest
    return options
