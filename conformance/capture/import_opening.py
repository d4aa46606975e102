"""How a connection was opened, and what its SYNs tell of the stack's settings and the socket's options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.capture.import_story import FromPeer, FromSut, Story
from conformance.capture.import_talk import Said, mss_of
from conformance.wire import options as wire
from conformance.wire.segment import ACK, CWR, ECE, RST, SYN, Family, Segment

__all__ = ["Opening", "opening_of", "settings_of"]

_SETTINGS = {wire.TIMESTAMP: "timestamps", wire.SACK_OK: "sack", wire.WSCALE: "window_scaling"}
_SMALL_WINDOW = 20_000
"""A first window below this is not what stacks choose by themselves."""
_USUAL_MSS = {Family.IPV4: 1460, Family.IPV6: 1440}
_AHEAD = 1 << 16
"""Sequence numbers that a first segment of the peer's may be ahead: one that was overtaken."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a connection was opened."""

    at: int
    """The index of the moment before which it must have been asked for."""
    active: bool
    established: int | None
    """The index of the moment with which the handshake was over; None: it never was."""
    options: tuple[tuple[str, int], ...]
    """Socket options that must have been set before."""
    with_data: int = 0
    """Octets that the SUT's SYN carries."""


def opening_of(said: Sequence[Said], family: Family, refused: int) -> Opening | None:
    """From the segments of one connection; None if the SUT sends no SYN. ``refused`` is the index of the last moment at which nothing
    listened."""
    syn = next((one for one in said if one.sut and one.has(SYN)), None)
    if syn is None:
        return None
    active = not syn.has(ACK)
    at = syn.at if active else next((one.at for one in said if one.at > refused), syn.at)
    return Opening(at, active, _established(said, syn), tuple(_options(said, syn, family, active)), syn.size if active else 0)


def _options(said: Sequence[Said], syn: Said, family: Family, active: bool) -> Iterator[tuple[str, int]]:
    if syn.segment.window < _SMALL_WINDOW:
        yield "SO_RCVBUF", syn.segment.window
    mss = mss_of(said, sut=True)
    if mss is not None and mss < _USUAL_MSS[family]:
        yield "TCP_MAXSEG", mss
    if any(option.kind == wire.FAST_OPEN for option in syn.segment.options):
        yield ("TCP_FASTOPEN_CONNECT", 1) if active else ("TCP_FASTOPEN", 8)


def _established(said: Sequence[Said], syn: Said) -> int | None:
    """With the peer's segment that acknowledges the SUT's SYN, once the SUT has the peer's; or with data in a SYN, if that is taken."""
    if syn.has(ACK) and any(one.size and one.has(SYN) and not one.sut and one.at < syn.at and (syn.acked or 0) > 0 for one in said):
        return syn.at - 1
    heard = syn.has(ACK)
    for one in said:
        if one.at <= syn.at:
            continue
        if one.sut:
            heard |= one.has(SYN) and one.has(ACK)
        elif one.acked in (0, syn.size) and _is_good(one) and (one.has(SYN) or (heard and 0 <= one.start < _AHEAD)):
            return one.at
    return None


def _is_good(one: Said) -> bool:
    return one.segment.checksum_ok and not one.has(RST)


def settings_of(story: Story) -> dict[str, object]:
    """``config:`` as the SUT's SYNs suggest: what it did not offer, or did not take though it was offered, is off."""
    settings: dict[str, object] = {}
    offered: dict[int, Segment] = {}
    for moment in story.moments:
        if not isinstance(moment, FromPeer | FromSut) or not isinstance(moment.packet, Segment) or not moment.packet.flags & SYN:
            continue
        if isinstance(moment, FromPeer):
            offered.setdefault(id(moment.link), moment.packet)
        else:
            settings |= dict(_said(moment.packet, offered.get(id(moment.link))))
    return settings


def _said(syn: Segment, asked: Segment | None) -> Iterator[tuple[str, object]]:
    kinds, wanted = _kinds(syn), set(_SETTINGS) if asked is None else _kinds(asked)
    if asked is not None and not syn.flags & ACK:
        return
    yield from ((setting, "off") for kind, setting in _SETTINGS.items() if kind in wanted - kinds)
    both = ECE | CWR
    if asked is None and syn.flags & both == both:
        yield "ecn", "on"
    elif asked is not None and asked.flags & both == both and not syn.flags & ECE:
        yield "ecn", "off"
    if wire.FAST_OPEN in kinds:
        yield "fast_open", "client" if asked is None else "server"


def _kinds(segment: Segment) -> set[int]:
    return {option.kind for option in segment.options if not option.malformed}
