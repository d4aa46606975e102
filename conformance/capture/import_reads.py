"""What the SUT's application read, from the windows that the SUT announced: their right edge moves on as the buffer is emptied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.capture.import_talk import Said, shifts_of
from conformance.wire.segment import FIN, RST, SYN, URG

__all__ = ["Read", "reads_of"]


@dataclass(frozen=True, slots=True)
class Read:
    """So many octets, before the moment with this index."""

    at: int
    size: int
    late: bool = False
    """It brought about what follows; else it was made right after the moment before."""


def reads_of(said: Sequence[Said]) -> Iterator[Read]:
    """From the segments of one connection. Where no window tells, all is read in the end; urgent data is read by calls of its own."""
    if any(not one.sut and one.has(URG) for one in said):
        return
    shift = shifts_of(said)[0]
    fin = next((one.end for one in said if not one.sut and one.has(FIN)), None)
    read = acked = 0
    edge: int | None = None
    last: Said | None = None
    shut = False
    for before, one in zip([None, *said], said, strict=False):
        if not one.sut or one.acked is None or one.has(SYN | RST):
            continue
        octets = one.acked - (fin is not None and one.acked > fin)
        window = one.segment.window << shift
        grown = edge is not None and octets + window - edge > 1 << shift
        if acked > read and last is not None and grown:
            late = before is last and octets == acked  # nothing came meanwhile: the read is why the SUT says it
            yield Read(one.at if late else last.at + 1, acked - read, late)
            read = acked
        edge, acked, last, shut = octets + window, octets, one, not window
    if acked > read and last is not None and not shut:
        yield Read(last.at + 1, acked - read)
