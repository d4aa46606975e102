"""The steps of a replay: what the peer sent in a capture, and what the SUT answered there. No case file has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from conformance.case.steps import SeriesStep, Step
from conformance.engine.replay_fragments import Piece
from conformance.engine.replay_progress import Goal
from conformance.trace import Endpoints
from conformance.wire.segment import Packet

__all__ = ["Acknowledged", "JudgeStep", "PeerStep", "ReplayStep", "SutStep"]


class Acknowledged(NamedTuple):
    """What the acknowledgement number of a captured segment counts."""

    isn: int
    """The SUT's in the capture."""
    incarnation: int
    """Which of its ISNs that is, from 0."""
    sent: bool
    """The SUT had sent what is acknowledged: not so if the peer lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStep(Step):
    """A packet of the peer's, to be sent again with the numbers of this run."""

    frame: bytes
    packet: Packet
    acknowledged: Acknowledged | None = None
    piece: Piece | None = None
    """It is a fragment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SutStep(Step):
    """A packet of the SUT's: the replay waits until the SUT has come as far."""

    packet: Packet
    goal: Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayStep(SeriesStep):
    """All of a capture, in its order."""

    times: tuple[int, ...]
    """When each of ``steps`` happened there, in ns."""
    ends: Mapping[str, Endpoints]
    """The connections there, by name."""
    macs: tuple[bytes, bytes]
    """The peer's and the SUT's there."""
    keep: bool = True
    """The peer and the callers wait as long as they did there; else no longer than they must."""
    linger: int = 0
    """ns to wait for more at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeStep(Step):
    """The SUT has done nothing that the oracle calls a violation, and nothing against these requirements."""

    requirements: tuple[str, ...] = ()
