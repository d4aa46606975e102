"""A segment as a case writes it, in parts that can be changed and written again.

:class:`~conformance.case.steps.SegmentPattern` is what a segment means; this is how it is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

__all__ = ["Move", "WrittenSegment"]

Move = Callable[[int], int]
"""From a number of a stream to the one that stands in its place."""

_VALUE = r"-?\d+(?:\.\.-?\d+)?|\$[A-Za-z_]\w*(?:[+-]\d+)?|\*"
_SEGMENT = re.compile(
    rf"\s*(?P<flags>\S+)\s+(?P<seq>{_VALUE})\s*:\s*(?P<end>{_VALUE})\s*\(\s*(?P<length>{_VALUE})\s*\)"
    rf"(?:\s*ack\s+(?P<ack>{_VALUE}))?(?:\s*win\s+(?P<win>{_VALUE}))?(?:\s*urg\s+(?P<urg>{_VALUE}))?"
    r"(?:\s*<(?P<options>[^<>]*)>)?(?:\s*(?P<data>\"(?:\\.|[^\"\\])*\"))?\s*",
    re.DOTALL,
)
_INT = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True)
class WrittenSegment:
    """What stands in a segment's text; None where nothing does."""

    flags: str
    seq: str
    end: str
    length: str
    ack: str | None = None
    win: str | None = None
    urg: str | None = None
    options: tuple[str, ...] | None = None
    """An option each, ``TS val 100 ecr 0``; ``()`` for ``<>``."""
    data: str | None = None
    """With its quotes."""

    @staticmethod
    def of(text: str) -> WrittenSegment | None:
        """The parts of a segment in the notation of cases, None if it is none."""
        return _parts(text)

    def __str__(self) -> str:
        words = [self.flags, f"{self.seq}:{self.end}({self.length})"]
        words += [f"{name} {value}" for name, value in (("ack", self.ack), ("win", self.win), ("urg", self.urg)) if value is not None]
        if self.options is not None:
            words.append(f"<{','.join(self.options)}>")
        if self.data is not None:
            words.append(self.data)
        return " ".join(words)

    @property
    def span(self) -> tuple[int, int] | None:
        """The first number of its own stream and the one behind its last, FIN counted; None where they are not plain numbers."""
        if not (_INT.fullmatch(self.seq) and _INT.fullmatch(self.end)):
            return None
        return int(self.seq), int(self.end) + ("F" in self.flags)

    def own_numbers(self) -> Iterator[int]:
        """The plain numbers of the sender's stream."""
        yield from _ints(self.seq, self.end)

    def other_numbers(self) -> Iterator[int]:
        """Those of the receiver's stream: what is acknowledged."""
        yield from _ints(self.ack or "", *self._sacks())

    def _sacks(self) -> list[str]:
        return [option.removeprefix("sack") for option in self.options or () if option.split()[0] == "sack"]

    def moved(self, own: Move, other: Move) -> WrittenSegment:
        """The same with the numbers of both streams moved; its length is what they say then."""
        seq, end = _moved(self.seq, own), _moved(self.end, own)
        exact = _INT.fullmatch(seq) and _INT.fullmatch(end) and _INT.fullmatch(self.length)
        return replace(
            self,
            seq=seq,
            end=end,
            length=str(int(end) - int(seq)) if exact else self.length,
            ack=self.ack and _moved(self.ack, other),
            options=self.options and tuple(_moved(option, other) if option.split()[0] == "sack" else option for option in self.options),
        )


@lru_cache(8192)
def _parts(text: str) -> WrittenSegment | None:
    match = _SEGMENT.fullmatch(text)
    if match is None:
        return None
    parts = match.groupdict()
    options = parts.pop("options")
    split = None if options is None else tuple(one.strip() for one in options.split(",") if one.strip())
    return WrittenSegment(options=split, **parts)


def _ints(*texts: str) -> Iterator[int]:
    for text in texts:
        yield from (int(number) for number in _INT.findall(_apart(text)) if "$" not in text)


def _moved(text: str, move: Move) -> str:
    """A value, or several, with each plain number moved."""
    if "$" in text:
        return text
    return _INT.sub(lambda one: str(move(int(one[0]))), _apart(text)).replace(" .. ", "..")


def _apart(text: str) -> str:
    """The ends of a range as words of their own."""
    return text.replace("..", " .. ")
