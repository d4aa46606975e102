"""Which requirements an exchange shows, for a case that nobody has given any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.capture.import_story import Story
from conformance.capture.import_talk import Said, talk
from conformance.wire.segment import FIN, RST, SYN

__all__ = ["shown"]

_HANDSHAKE, _CLOSED = "RFC9293/3.5", "RFC9293/3.5.2-closed"
_TAKEN, _SENT, _RETRANSMITTED = "RFC9293/3.10.7.4", "RFC9293/3.10.2-established", "RFC9293/3.10.8-retransmission"
_SHUT, _PROBED = "RFC9293/3.8.6.1-receiver", "RFC9293/3.8.6.1"
_ENDED, _ABORTED = "RFC9293/3.3.2", "RFC9293/3.6-abort"
_ANYTHING = "RFC9293/3.10.7"


def shown(story: Story) -> tuple[str, ...]:
    """Their ids, those of one connection after those of the one before; at least one."""
    ids = [one for link in story.links for one in _of(list(talk(story.moments, link)))]
    return tuple(dict.fromkeys(ids)) or (_ANYTHING,)


def _of(said: Sequence[Said]) -> Iterator[str]:
    own = [one for one in said if one.sut]
    peers = [one for one in said if not one.sut]
    if any(one.has(SYN) for one in own):
        yield _HANDSHAKE
    elif any(one.has(RST) for one in own):
        yield _CLOSED
        return
    if any(one.size and not one.has(SYN) for one in peers):
        yield _TAKEN
    yield from _sending(own, peers)
    if any(not one.segment.window and not one.has(RST | SYN) for one in own):
        yield _SHUT
    if any(one.has(FIN) for one in said):
        yield _ENDED
    elif any(one.has(RST) for one in own):
        yield _ABORTED


def _sending(own: Sequence[Said], peers: Sequence[Said]) -> Iterator[str]:
    end = 0
    again = False
    for one in own:
        again |= one.size > 0 and one.end <= end and not one.has(RST)
        end = max(end, one.end)
    if end > 0:
        yield _SENT
    if again:
        yield _RETRANSMITTED
    if any(not one.segment.window and not one.has(RST) for one in peers) and any(one.start == end - 1 and one.size <= 1 for one in own):
        yield _PROBED
