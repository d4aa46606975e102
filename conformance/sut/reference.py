"""The reference stack as the stack under test: in this process, on a virtual clock, with no privilege, on any system.

Each case run has a stack of its own, so nothing that one leaves can reach another.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from random import Random

from conformance import __version__
from conformance.link.addressing import ADDRESSING, IPV6_MTU, PEER_MAC, SUT_MAC
from conformance.result import SutFacts
from conformance.stack.net import Net
from conformance.stack.sysctl import Sysctl
from conformance.sut.base import SiteEvents, SutFault
from conformance.sut.places import own_places
from conformance.sut.reference_agent import ReferenceAgent
from conformance.sut.reference_calls import StackAtWork
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = ["Reference", "ReferenceBed", "ReferenceSite"]

_MTU = 1500
_ONLY: Mapping[str, object] = {"congestion_control": "reno", "tlp": False, "rack": False, "mtu_probing": False, "autocork": False}
"""Settings of which it has one value."""
_MOST_RUNS = 1_000_000
"""Timers, calls, frames and deferred work of one case: more than any needs, by far."""
_MOST_FRAMES = 20_000
"""Frames that the stack sends at once: more than the executor takes of a whole case."""
_NETS = [
    (
        net.family,
        ipaddress.ip_address(net.sut).packed,
        net.prefix,
        ipaddress.ip_address(net.gateway).packed,
        ipaddress.ip_network(net.peers).network_address.packed,
        ipaddress.ip_network(net.peers).prefixlen,
    )
    for net in ADDRESSING
]
"""Family, own address, prefix length, gateway, the peers' net and its prefix length."""


def _shown(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


class Reference:
    """The stack in :mod:`conformance.stack`."""

    name = "reference"
    capabilities = frozenset({"ipv4", "ipv6", "states", "transitions", "info", "sockopt", "blocking", "icmp", "udp", "rfc5961-data"})
    features = None

    def facts(self) -> SutFacts:
        default = Sysctl()
        settings = {field.name: str(getattr(default, field.name)) for field in fields(Sysctl)}
        return SutFacts(self.name, f"{__version__}, in this process on a virtual clock", "stack", settings)

    def lacks(self, config: Mapping[str, object]) -> str | None:
        unknown = [name for name in config if name != "mtu" and name not in Sysctl.__dataclass_fields__]
        if unknown:
            return f"the reference stack has no setting for {', '.join(unknown)}"
        other = [name for name, only in _ONLY.items() if config.get(name, only) != only]
        return f"the reference stack has {', '.join(f'{name} {_shown(_ONLY[name])} only' for name in other)}" if other else None

    def virtual_bed(self, config: Mapping[str, object]) -> ReferenceBed:
        return ReferenceBed(config)

    def close(self) -> None:
        pass


class ReferenceBed:
    """A configuration."""

    def __init__(self, config: Mapping[str, object]) -> None:
        mtu = config.get("mtu", _MTU)
        assert isinstance(mtu, int)
        self.mtu = mtu
        try:
            self.sysctl = Sysctl.from_config(config)
        except KeyError as error:
            raise SutFault(f"the reference stack has no setting {error}") from None

    def virtual_site(self, family: Family, events: SiteEvents, rng: Random, now: int) -> ReferenceSite:
        return ReferenceSite(self, family, events, rng, now)


class ReferenceSite:
    """A stack with one interface, for one case run."""

    states_from = "stack"

    def __init__(self, bed: ReferenceBed, family: Family, events: SiteEvents, rng: Random, now: int) -> None:
        self.places = own_places(family)
        self._events = events
        self._happened: deque[Callable[[], None]] = deque()
        """To be told by :meth:`pump`, so that what the tester does about it does not happen in the middle of the stack."""
        with StackAtWork():
            self._net = _BoundedNet(bed.sysctl, rng, now)
            self._device = self._net.add_device("sut", SUT_MAC, bed.mtu, self._transmit)
            for of, own, prefix, gateway, peers, length in _NETS:
                if of is Family.IPV6 and bed.mtu < IPV6_MTU:
                    continue
                self._net.add_address(self._device, own, prefix)
                self._net.neighbours.add(self._device, gateway, PEER_MAC)
                self._net.fib.add(peers, length, gateway, self._device)
        self.agent = ReferenceAgent(family, self._net, events, self._happened)

    def _transmit(self, frame: bytes) -> None:
        if len(self._happened) > _MOST_FRAMES:
            raise SutFault(f"the reference stack floods: more than {_MOST_FRAMES} frames at once")
        t = self._net.now
        self._happened.append(lambda: self._events.frame(t, frame, False))

    def send(self, frame: bytes, /) -> None:
        with StackAtWork():
            self._net.receive(self._device, frame, self._net.now)

    def advance(self, now: int) -> None:
        with StackAtWork():
            self._net.advance(now)

    def next_timer(self) -> int | None:
        return self._net.next_timer()

    def pump(self) -> None:
        while self._happened:
            self._happened.popleft()()

    def disturbed(self, failed: bool = False) -> str | None:  # noqa: ARG002 - nothing makes it late
        return None

    def close(self, connections: Sequence[Endpoints]) -> None:
        """The stack goes with this object."""


class _BoundedNet(Net):
    """A stack that may have a mistake which keeps it going for ever: that ends one case run, and not the tester."""

    runs = 0

    def _run(self, work: Callable[[], None]) -> None:
        self._bound()
        super()._run(work)

    def later(self, work: Callable[[], None]) -> None:
        self._bound()
        super().later(work)

    def _bound(self) -> None:
        self.runs += 1
        if self.runs > _MOST_RUNS:
            raise SutFault(f"the reference stack does not come to rest: {_MOST_RUNS} timers, calls, frames and deferred pieces of work")
