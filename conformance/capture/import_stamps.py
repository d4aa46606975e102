"""What the SUT chose and the peer repeats: TSvals and Fast Open cookies become variables, and where nobody repeats them they are open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.capture.import_story import FromPeer, FromSut, Link, Moment
from conformance.wire.options import FAST_OPEN, TIMESTAMP, Option, timestamps
from conformance.wire.segment import Segment
from conformance.wire.seq import diff

__all__ = ["Chosen"]

_FAR = 1 << 24
"""A TSecr that is further from every TSval than that is no TSval with something added, but a number."""
_COOKIES = range(4, 17)
"""Octets of a cookie (RFC 7413, section 4.1.1)."""


class Chosen:
    """Which number of the SUT's each repetition repeats."""

    def __init__(self, moments: Sequence[Moment], *, exact: bool) -> None:
        """``exact``: a TSecr that is no TSval was meant to be none; else its segment is one of those that may come or not."""
        self._exact = exact
        self._names: dict[int, str] = {}
        """Of the SUT's packets whose TSval is repeated, by the identity of the moment."""
        self._echoes: dict[int, str] = {}
        """What stands for the peer's TSecr, the same."""
        self._cookies: dict[bytes, str] = {}
        self._given: set[bytes] = set()
        """Cookies that the peer has made up."""
        seen: list[tuple[FromSut, int]] = []
        offered: dict[bytes, FromSut] = {}
        for moment in moments:
            if isinstance(moment, FromSut) and isinstance(moment.packet, Segment) and not moment.may:
                seen += [(moment, value) for value, _ in _stamps(moment.packet)]
                offered |= dict.fromkeys(_cookies(moment.packet), moment)
            elif isinstance(moment, FromPeer) and isinstance(moment.packet, Segment):
                for _, echo in _stamps(moment.packet):
                    if echo:
                        self._echoes[id(moment)] = self._echo(seen, moment.link, echo)
                for data in _cookies(moment.packet):
                    if data in offered:
                        self._cookies.setdefault(data, f"cookie{len(self._cookies) or ''}")
                    else:
                        self._given.add(data)

    def tsval(self, moment: FromSut) -> str:
        """How a case writes the TSval of this packet of the SUT's."""
        return f"${self._names[id(moment)]}" if id(moment) in self._names else "*"

    def tsecr(self, moment: FromPeer, value: int) -> str:
        """How a case writes the TSecr of this packet of the peer's."""
        return self._echoes.get(id(moment), str(value))

    def cookie(self, data: bytes) -> str:
        """How it writes a cookie: as the variable that keeps it, or as its octets if the peer made it up; ``*`` if nobody repeats it."""
        if data in self._cookies:
            return f"${self._cookies[data]}"
        return data.hex() if data in self._given or len(data) not in _COOKIES else "*"

    def _echo(self, seen: Sequence[tuple[FromSut, int]], link: Link, echo: int) -> str:
        same = [one for one in seen if one[0].link is link] or list(seen)
        exact = next((one for one in reversed(same) if one[1] == echo), None)
        exact = exact or next((one for one in reversed(seen) if one[1] == echo), None)
        found = exact or min(reversed(same), key=lambda one: abs(diff(echo, one[1])), default=None)
        if found is None or abs(diff(echo, found[1])) > _FAR:
            return str(echo)
        name = self._names.setdefault(id(found[0]), f"t{len(self._names)}")
        offset = diff(echo, found[1]) if self._exact else 0
        return f"${name}{offset:+d}" if offset else f"${name}"


def _stamps(segment: Segment) -> Iterator[tuple[int, int]]:
    for option in segment.options:
        if option.kind == TIMESTAMP and (values := timestamps(option)) is not None:
            yield values
            return


def _cookies(segment: Segment) -> Iterator[bytes]:
    options: Sequence[Option] = segment.options
    yield from (option.data for option in options if option.kind == FAST_OPEN and len(option.data) in _COOKIES)
