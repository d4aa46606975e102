"""Scenario after scenario, each over its families, until about as many packets are captured as are wanted."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from .scenario import Capture, Scenario, make
from .scenarios import SCENARIOS

__all__ = ["Made", "chosen", "made", "runs", "seed_of"]


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a scenario over a family."""

    scenario: str
    family: str
    seconds: float
    captures: list[Capture] = field(default_factory=list)
    error: str = ""
    """Why there are none."""


def chosen(only: Sequence[str]) -> list[Scenario]:
    """Those of these names, in which ``*`` is anything; without names all."""
    return [scenario for scenario in SCENARIOS if not only or any(fnmatch(scenario.name, name) for name in only)]


def runs(scenarios: Sequence[Scenario], packets: int, *, everywhere: bool = False) -> Iterator[tuple[Scenario, str, int]]:
    """Each scenario with a family, and how many packets it is to have at the client.

    Args:
        packets: about as many at all clients together; ``everywhere``: in all captures, wherever they are taken.
    """
    weights = [scenario.share * len(scenario.families) * (len(scenario.vantages) if everywhere else 1) for scenario in scenarios]
    share = packets / (sum(weights) or 1)
    for scenario in scenarios:
        for family in scenario.families:
            yield scenario, family, int(share * scenario.share)


def seed_of(scenario: Scenario, family: str, seed: int) -> int:
    """Of one scenario over one family, whichever others are made."""
    return seed + zlib.crc32(f"{scenario.name} {family}".encode())


def made(scenario: Scenario, family: str, folder: Path, wanted: int, seed: int) -> Made:
    """The captures of one scenario, or why there are none."""
    began = time.monotonic()
    try:
        captures = make(scenario, family, folder, wanted, seed_of(scenario, family, seed))
    except (OSError, EOFError) as error:
        return Made(scenario.name, family, time.monotonic() - began, error=f"{error}")
    return Made(scenario.name, family, time.monotonic() - began, captures)
