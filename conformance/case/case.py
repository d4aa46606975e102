"""A case run, fully expanded: one combination of parameters, one address family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from conformance.case.steps import ConnectionSpec, Step
from conformance.wire.segment import Family

MS = 1_000_000
SECOND = 1_000 * MS
USUAL_TIMEOUT = 5 * SECOND
"""ns that a step waits for a segment where the case does not say how long."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the executor needs. ``id`` is unique in a suite and readable."""

    id: str
    title: str
    file: str
    """Relative to the case folder."""
    family: Family
    requirements: tuple[str, ...]
    level: str
    """The strongest of its requirements: ``MUST``, ``SHOULD`` or ``MAY`` (their negations included)."""
    steps: tuple[Step, ...]
    """The preamble's come first, marked."""
    description: str = ""
    config: Mapping[str, object] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    connections: tuple[ConnectionSpec, ...] = (ConnectionSpec("default"),)
    given: str | None = None
    timeout: int = USUAL_TIMEOUT
    """ns that a step waits for a segment unless it says otherwise."""
    tolerance: int = 20 * MS
    """ns by which the tester itself may be late before a failure says nothing."""


def fingerprint(case: Case) -> str:
    """The same for what plays the same, wherever in which file it stands and whatever it says of why."""
    return sha256(repr((case.steps, case.connections, sorted(case.config.items()), case.timeout)).encode()).hexdigest()[:16]


def mtu_of(case: Case) -> int:
    """Octets of the largest IP packet on the case's link."""
    mtu = case.config.get("mtu", 1500)
    assert isinstance(mtu, int)
    return mtu
