"""What the SUT's application wrote, from the segments that carried it: where a write ends, what Nagle held, what was only a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from conformance.capture.import_talk import Said, mss_of, shifts_of
from conformance.wire.segment import FIN, RST, SYN, URG

__all__ = ["Write", "Writes", "writes_of"]

_AT_ONCE = 1_500_000
"""ns: what leaves so soon after a segment that came, or after another that left, was waiting for it."""
_IDLE = 900_000_000
"""ns of silence before a keepalive."""
_NO_MSS = 536
_FIRST_FLIGHT = 10
"""Segments of the initial window (RFC 6928): with fewer in flight, congestion control holds little back, unless something was lost."""


@dataclass(slots=True)
class Write:
    """So many octets at once, before the moment with this index."""

    at: int
    size: int
    early: bool = False
    """It was made right after the moment before; what follows came later."""
    urgent: bool = False
    more: bool = False
    """It was held back (MSG_MORE) until the FIN was asked for: it left with that, though nothing stood in its way."""


@dataclass(slots=True)
class Writes:
    """All that a connection tells of writing."""

    writes: list[Write] = field(default_factory=list)
    no_delay: bool = False
    """A short segment left while data was outstanding, which Nagle's rule does not allow."""
    fin_waits: bool = False
    """The FIN was asked for while data waited, and left with it."""
    keepalive: tuple[tuple[str, int], ...] = ()
    """The socket options that explain the keepalives."""


def writes_of(said: Sequence[Said]) -> Writes:
    """From the segments of one connection."""
    follower = _Follower(mss_of(said, sut=False) or _NO_MSS, shifts_of(said)[1])
    for at, one in enumerate(said):
        if one.sut:
            follower.sends(one, said[at:])
        else:
            follower.hears(one)
        follower.last = one
    return follower.done()


class _Follower:
    """Keeps account of what the SUT has sent, and of what it may send."""

    def __init__(self, mss: int, shift: int) -> None:
        self.found = Writes()
        self.last: Said | None = None
        self._mss, self._shift = mss, shift
        self._sent = self._acked = 0
        self._window = self._largest = 0
        self._full = False
        """The newest segment with new data was as long as can be."""
        self._before: tuple[int, bool] = (0, False)
        """Before the newest packet of the peer's: octets in flight, and whether its window was too small to be used."""
        self._lost = False
        self._probed: int | None = None
        """The index of the first probe of a window that is shut."""
        self._idle: list[int] = []

    def hears(self, one: Said) -> None:
        """What the peer said."""
        if one.acked is None or one.has(RST) or not one.segment.checksum_ok:
            return
        self._before = (self._sent - self._acked, self._is_tight())
        self._acked = max(self._acked, min(one.acked, self._sent))
        self._window = one.segment.window << (0 if one.has(SYN) else self._shift)
        self._largest = max(self._window, self._largest)

    def sends(self, one: Said, rest: Sequence[Said]) -> None:
        """What the SUT said; ``rest`` begins with it."""
        if one.has(RST):
            return
        new = one.end - max(self._sent, one.start)
        if one.size and new > 0:
            self._new(one, new, rest)
        elif one.size and one.end <= self._sent:
            self._lost = True
        elif one.start == self._sent - 1 and one.size <= 1 and not one.has(SYN | FIN):
            self._probe(one)

    def done(self) -> Writes:
        """Everything, once all was heard."""
        if self._probed is not None:  # it wanted to send something, and never could
            self.found.writes.append(Write(self._probed, 1, early=True))
        self.found.keepalive = _keepalive(self._idle)
        return self.found

    def _is_tight(self, more: int = 0) -> bool:
        """Is the room that the peer leaves too small for a stack to use (RFC 9293, section 3.8.6.2.1)?"""
        room = self._acked + self._window - self._sent - more
        return room < self._mss and (room <= 0 or room < self._largest // 2)

    def _new(self, one: Said, new: int, rest: Sequence[Said]) -> None:
        """New data leaves."""
        room = max(self._mss - len(one.segment.options_data), 1)
        small = new < room
        at_once = self.last is not None and one.t - self.last.t < _AT_ONCE
        opened = self._probed
        if opened is None and self.last and at_once and not self.last.sut and self._before == (0, True):
            opened = self.last.at  # data waited for this window
        writes, urgent = self.found.writes, one.has(URG)
        if writes and at_once and not urgent and not writes[-1].urgent and self._waited(small, rest):
            writes[-1].size += new
            self.found.fin_waits |= one.has(FIN)
        else:
            writes.append(Write(one.at if opened is None else opened, new, opened is not None, urgent, one.has(FIN) and opened is None))
            self.found.fin_waits |= one.has(FIN) and opened is not None
        self.found.no_delay |= small and not one.has(FIN) and self._sent > self._acked and not self._is_tight(new)
        self._sent += new
        self._full = not small
        self._probed = None

    def _waited(self, small: bool, rest: Sequence[Said]) -> bool:
        """Was this data there before what happened last, which let it go?"""
        assert self.last is not None
        if self.last.sut:
            return self._full  # of a burst
        flight, tight = self._before
        if not flight or not (self._full or tight):
            return False
        held = small and self._sent == self._acked  # by Nagle, the end of a write
        return tight or held or self._lost or flight >= _FIRST_FLIGHT * self._mss or self._burst(rest) > flight

    def _burst(self, rest: Sequence[Said]) -> int:
        """Octets that will be in flight when all that leaves now has left."""
        end, last = self._sent, rest[0]
        for one in rest:
            if not one.sut or one.t - last.t > _AT_ONCE:
                break
            end, last = max(end, one.end), one
        return end - self._acked

    def _probe(self, one: Said) -> None:
        if not self._window:
            self._probed = one.at if self._probed is None else self._probed
        elif self._acked >= self._sent and self.last is not None and one.t - self.last.t >= _IDLE:
            self._idle.append(round((one.t - self.last.t) / 1e9))


def _keepalive(idle: Sequence[int]) -> tuple[tuple[str, int], ...]:
    if not idle or not idle[0]:
        return ()
    interval = (("TCP_KEEPINTVL", idle[1]),) if len(idle) > 1 and idle[1] else ()
    return (("TCP_KEEPIDLE", idle[0]), *interval, ("SO_KEEPALIVE", 1))
