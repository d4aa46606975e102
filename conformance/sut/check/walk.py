"""Which checks are made, in what order, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.case.settings import SETTINGS
from conformance.case.vocabulary import CALLS, MESSAGE_FLAGS, SOCKET_OPTIONS
from conformance.link.errors import EnvironmentFault
from conformance.sut.base import SutFault
from conformance.sut.check.desk import Desk
from conformance.sut.check.exchange import EXCHANGE, QUESTIONS
from conformance.sut.check.finding import Check, Finding, Lack, NotOffered
from conformance.sut.check.opening import OPENING, OPTIONS
from conformance.sut.check.peer import listener
from conformance.sut.check.requests import REQUESTS, RESETS
from conformance.sut.check.timing import TIMING
from conformance.sut.check.waiting import WAITING
from conformance.sut.check.watching import WATCHING
from conformance.sut.manifest import Manifest
from conformance.sut.protocol import CAPABILITIES, CLOCKS, Description
from conformance.wire.segment import Family

__all__ = ["LINKS", "Introduction", "Section", "introduce", "walk"]

LINKS = ("socket", "tap")
_GROUPS = (REQUESTS, RESETS, OPENING, OPTIONS, EXCHANGE, QUESTIONS, WAITING, WATCHING, TIMING)
_FAREWELL = 5.0
"""Seconds that it may take to end; the protocol says at once, and a machine may be busy."""
_MOST_BREAKS = 5
"""So often is an adapter started again: then the rest of a section is not tried."""
_FAMILIES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an adapter says of itself."""

    description: Description
    links: Mapping[str, str]
    """Those that there are, and why one cannot be had; empty: it can."""
    unknown: tuple[str, ...]
    """What it names that this tester does not know."""


@dataclass(frozen=True, slots=True)
class Section:
    """The findings that follow are over this link and on this clock."""

    link: str
    clock: str


def introduce(manifest: Manifest, links: Sequence[str]) -> Introduction:
    """Start it over each link, and ask what it is. Raises SutFault if it can be started over none."""
    had: dict[str, str] = {}
    description: Description | None = None
    unknown: tuple[str, ...] = ()
    for link in links:
        try:
            desk = Desk(manifest, link, "real")
        except EnvironmentFault as fault:
            had[link] = f"not tried: {fault}"
            continue
        try:
            unknown = _unknown(desk.initialize())
            description, had[link] = desk.description, ""
        except (SutFault, Lack) as refusal:
            had[link] = str(refusal)
        finally:
            desk.close()
    if description is None:
        raise SutFault("; ".join(dict.fromkeys(had.values())))
    return Introduction(description, had, unknown)


def _unknown(result: Mapping[str, object]) -> tuple[str, ...]:
    known: Mapping[str, object] = {
        "clocks": CLOCKS, "capabilities": CAPABILITIES, "calls": CALLS, "options": SOCKET_OPTIONS, "flags": MESSAGE_FLAGS,
        "settings": SETTINGS,
    }  # fmt: skip
    members = {"protocol", "name", "version", "shared", "next", *known}
    found = [f"the member {name}" for name in result if name not in members]
    for member, words in known.items():
        given = result.get(member)
        assert isinstance(words, tuple | Mapping)
        found += [f"{member} {word}" for word in (given if isinstance(given, list | dict) else ()) if word not in words]
    return tuple(found)


def walk(manifest: Manifest, introduction: Introduction, clocks: Sequence[str]) -> Iterator[Section | Finding]:
    """All checks, over each link that can be had and on each clock that the adapter has."""
    if manifest.file.suffix in (".yaml", ".yml"):
        yield Finding(f"{manifest.file.name} names a clock and a link that there are", _misnamed(manifest, introduction))
    for link, trouble in introduction.links.items():
        for clock in (clock for clock in introduction.description.clocks if clock in clocks and not trouble):
            yield Section(link, clock)
            yield from _Round(manifest, link, clock, introduction.description).findings()


def _misnamed(manifest: Manifest, introduction: Introduction) -> str:
    wrong = [] if manifest.clock in introduction.description.clocks else [f"clock: {manifest.clock}, which the adapter has not"]
    if trouble := introduction.links.get(manifest.link):
        wrong.append(f"link: {manifest.link}, over which it cannot be had ({trouble})")
    return "; ".join(wrong)


class _Round:
    """The checks over one link on one clock."""

    def __init__(self, manifest: Manifest, link: str, clock: str, description: Description) -> None:
        self._manifest, self._link, self._clock = manifest, link, clock
        self._desk: Desk | None = None
        self._breaks = 0
        self._families = [family for family in Family if family.value in description.capabilities]
        settings = {f"setting {name} {value}" for name, values in description.settings.items() for value in values or ()}
        free = {name for name, values in description.settings.items() if values is None}
        self._has = {*description.features, *settings, *(["shared"] if description.shared else [])}
        self._has |= {f"setting {name} off" for name in free} | ({"setting mtu 1400"} if "mtu" in free else set())

    def findings(self) -> Iterator[Finding]:
        try:
            for check in (check for group in (*_GROUPS, _ENDS) for check in group if self._clock in check.clocks):
                yield from self._findings_of(check)
        finally:
            self._end()

    def _findings_of(self, check: Check) -> Iterator[Finding]:
        lacking = [need for need in check.needs if need not in self._has]
        if lacking or not self._families:
            yield Finding(check.title, not_offered=f"not offered ({', '.join(lacking) or 'ipv4, ipv6'})")
            return
        for family in self._families if check.families else self._families[:1]:
            yield self._make(check, family)

    def _make(self, check: Check, family: Family) -> Finding:
        title = f"{check.title} ({_FAMILIES[family]})" if check.families else check.title
        if self._breaks >= _MOST_BREAKS:
            return Finding(title, not_offered=f"not tried, after it broke {self._breaks} times")
        try:
            desk = self._started()
            desk.process.dialogue.clear()
            check.walk(desk, family)
        except NotOffered as reason:
            return Finding(title, not_offered=str(reason))
        except Lack as lack:
            return Finding(title, str(lack), dialogue=self._dialogue())
        except SutFault as fault:
            self._breaks += 1
            return Finding(title, str(fault), dialogue=self._dialogue())
        return Finding(title)

    def _dialogue(self) -> tuple[str, ...]:
        return tuple(self._desk.process.dialogue) if self._desk is not None else ()

    def _started(self) -> Desk:
        """The adapter, started again if it has ended."""
        if self._desk is None or not self._desk.process.alive:
            self._end()
            self._desk = Desk(self._manifest, self._link, self._clock)
            self._desk.initialize()
        return self._desk

    def _end(self) -> None:
        if self._desk is not None:
            self._desk.close()
            self._desk = None


# The end of an adapter ------------------------------------------------------------------------------------------------


def ends_with_input(desk: Desk, _: Family) -> None:
    desk.begin()
    _ends(desk)


def ends_while_waiting(desk: Desk, family: Family) -> None:
    desk.begin()
    desk.start("accept", socket=listener(desk, family))
    _ends(desk)


def _ends(desk: Desk) -> None:
    try:
        if not desk.process.farewell(_FAREWELL):
            raise Lack("it to end once its standard input has ended", f"nothing of the sort within {_FAREWELL:g} s")
        if left := desk.process.strays():
            raise Lack("all that it started to end with it", f"{len(left)} processes that still run")
    finally:
        desk.close()


_ENDS = (
    Check("it ends with its standard input", ends_with_input, families=False),
    Check("it ends with its standard input while a call waits", ends_while_waiting, ("blocking",), families=False),
)
