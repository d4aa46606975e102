"""How the SUT's application let go of a connection: shut down its side, closed it, or aborted it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from conformance.capture.import_talk import Said
from conformance.wire.segment import ACK, FIN, RST, SYN

__all__ = ["Ending", "Way", "ending_of"]

_AT_ONCE = 1_000_000
"""ns: a RST that comes so soon after a packet is the answer to it."""


class Way(StrEnum):
    """What the application called."""

    SHUTDOWN = "shutdown"
    CLOSE = "close"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Ending:
    """How, and the index of the moment before which."""

    at: int
    way: Way


def ending_of(said: Sequence[Said], established: int | None) -> Ending | None:
    """From the segments of one connection, whose handshake was over with the moment ``established``; None if nothing shows."""
    sent, before = 0, None
    for position, one in enumerate(said):
        if one.sut and one.has(FIN):
            return Ending(one.at, Way.CLOSE if _is_closed(said[position + 1 :]) else Way.SHUTDOWN)
        if one.sut and one.has(RST) and one.has(ACK) and one.start == sent and not _is_answer(one, before, established):
            return Ending(one.at, Way.ABORT)
        if one.sut:
            sent = max(sent, one.end)
        before = one
    return None


def _is_answer(reset: Said, before: Said | None, established: int | None) -> bool:
    """Does this RST answer a segment? In a connection that exists hardly any asks for one (RFC 9293, section 3.5.2)."""
    if before is None or before.sut or reset.t - before.t >= _AT_ONCE:
        return False
    return established is None or reset.at < established or before.has(SYN | RST)


def _is_closed(later: Sequence[Said]) -> bool:
    """Is data that comes behind the FIN answered with a RST? Then no process has the socket any more."""
    data = False
    for one in later:
        if one.sut and one.has(RST):
            return data
        data |= not one.sut and one.size > 0
    return False
