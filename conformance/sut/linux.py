"""The running Linux kernel as the stack under test: network namespaces, veth pairs, and sockets used directly from this process."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import resource
import socket
from collections.abc import Mapping, Sequence

from pyroute2.netlink.exceptions import NetlinkError

from conformance.link.errors import EnvironmentFault
from conformance.link.veth import VethPair, write_sysctl
from conformance.result import SutFacts
from conformance.sut.base import SiteEvents, SutFault, Transition
from conformance.sut.linux_agent import LinuxAgent
from conformance.sut.linux_diag import SockDiag
from conformance.sut.linux_settings import BASE, SYSCTLS, missing, sysctls
from conformance.sut.linux_trace import StateTracer
from conformance.sut.places import SharedPlaces
from conformance.trace import Endpoints
from conformance.wire.segment import Family

__all__ = ["Linux"]


class Linux:
    """The kernel that this process runs on."""

    name = "linux"
    capabilities = frozenset({"ipv4", "ipv6", "states", "transitions", "info", "sockopt", "blocking", "icmp", "udp", "rfc5961-data"})
    features = None

    def __init__(self, *, trace: bool = True) -> None:
        """``trace=False`` does without the tracepoint, as on a machine where tracefs cannot be read."""
        with contextlib.suppress(OSError, ValueError):  # a soft limit of 1024 is soon used up by cases that run side by side
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.places = SharedPlaces()
        self._tracer: StateTracer | None = None
        self.sites: dict[bytes, LinuxSite] = {}
        if trace and self.places.own:
            with contextlib.suppress(EnvironmentFault):
                self._tracer = StateTracer()

    def facts(self) -> SutFacts:
        return SutFacts("linux", platform.release(), "tracepoint" if self._tracer else "inet_diag", dict(BASE))

    def lacks(self, config: Mapping[str, object]) -> str | None:
        unknown = [name for name in config if name not in SYSCTLS and name not in ("mtu", "profile")]
        if unknown:
            return f"Linux has no setting for {', '.join(unknown)}"
        if config.get("profile") not in (None, "linux"):
            return f"Linux has no profile {config['profile']}"
        return missing(config)

    def bed(self, config: Mapping[str, object]) -> LinuxBed:
        return LinuxBed(self, config)

    def trace(self) -> None:
        """Hand what the tracer saw to the sites whose peers it names."""
        if self._tracer is not None:
            for move in self._tracer.read():
                remote = move.remote
                site = self.sites.get(remote)
                if site is not None:
                    site.seen.append(move)

    @property
    def lost(self) -> int:
        """How many transitions were lost so far, whosever they were."""
        return self._tracer.lost if self._tracer is not None else 0

    @property
    def traces(self) -> bool:
        """Is there a tracer?"""
        return self._tracer is not None

    def close(self) -> None:
        if self._tracer is not None:
            self._tracer.close()
            self._tracer = None
        self.places.close()


class LinuxBed:
    """A network namespace with one configuration and a veth pair to the tester."""

    def __init__(self, sut: Linux, config: Mapping[str, object]) -> None:
        self.sut = sut
        mtu = config.get("mtu", 1500)
        assert isinstance(mtu, int)
        try:
            self._pair = VethPair(mtu)
        except (OSError, NetlinkError) as error:
            raise EnvironmentFault(f"a network namespace with a veth pair cannot be made: {error}") from error
        self._listening: asyncio.AbstractEventLoop | None = None
        self._disturbances: list[str] = []
        self.send = self._pair.ring.send
        try:
            with self._pair.sut.entered():
                for file, value in sysctls(config).items():
                    _configure(file, value)
                self.diag = SockDiag()
        except BaseException:
            self._pair.close()
            raise

    def make_socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """A socket in the stack's namespace."""
        with self._pair.sut.entered():
            return socket.socket(family, kind, protocol)

    def site(self, family: Family, events: SiteEvents) -> LinuxSite:
        loop = asyncio.get_running_loop()
        if self._listening is not loop:
            loop.add_reader(self._pair.ring.fileno(), self.pump)
            self._listening = loop
        return LinuxSite(self, family, events)

    def pump(self) -> None:
        """Hand every frame that is there to the case run whose peer it names."""
        sites = self.sut.sites
        for t, frame, outgoing in self._pair.ring.read():
            kind = frame[12:14]
            if kind == b"\x08\x00":
                site = sites.get(frame[26:30] if outgoing else frame[30:34])
            elif kind == b"\x86\xdd":
                site = sites.get(frame[22:38] if outgoing else frame[38:54])
            else:
                site = None
            if site is not None and site.bed is self:
                site.events.frame(t, frame, outgoing)
            elif outgoing:  # a case may send from any address: it knows its own frame
                for site in {site for site in sites.values() if site.bed is self}:
                    site.events.frame(t, frame, outgoing)

    def disturbances(self) -> list[str]:
        """All that has made traces of this bed worthless so far; it only grows."""
        if lost := self._pair.ring.lost():
            self._disturbances.append(f"the tester lost {lost} frames")
        if self._pair.ring.clock.was_set():
            self._disturbances.append("the machine's clock was set")
        return self._disturbances

    def close(self) -> None:
        if self._listening is not None and not self._listening.is_closed():
            self._listening.remove_reader(self._pair.ring.fileno())
        self.diag.close()
        self._pair.close()


def _configure(file: str, value: str) -> None:
    try:
        write_sysctl(file, value)
    except OSError as error:
        if file in BASE and BASE[file] == value:
            return  # an older kernel, or a namespace that may not: the base is a courtesy, a case's own wish is not
        raise SutFault(f"/proc/sys/{file} = {value}: {error.strerror}") from error


class LinuxSite:
    """One case run's place on a bed."""

    def __init__(self, bed: LinuxBed, family: Family, events: SiteEvents) -> None:
        self.bed, self.events = bed, events
        self.places = bed.sut.places.next(family)
        self.seen: list[Transition] = []
        self._disturbances = len(bed.disturbances())
        self._lost = bed.sut.lost
        self.states_from = "tracepoint" if bed.sut.traces else "inet_diag"
        self.agent = LinuxAgent(family, bed.make_socket, bed.diag, self._traced if bed.sut.traces else None, events)
        self.send = bed.send
        self.pump = bed.pump
        for name in ("peer", "peer2"):
            bed.sut.sites[self.places.hosts[name]] = self

    def _traced(self) -> list[Transition]:
        self.bed.sut.trace()
        seen, self.seen = self.seen, []
        return seen

    def disturbed(self, failed: bool = False) -> str | None:  # noqa: ARG002 - nothing makes it late
        new = self.bed.disturbances()[self._disturbances :]
        if lost := self.bed.sut.lost - self._lost:
            new.append(f"the kernel's trace lost {lost} transitions")
        if self.agent.starved:
            new.append("the tester has no descriptor left for a socket (ulimit -n)")
        return "; ".join(new) or None

    def close(self, connections: Sequence[Endpoints]) -> None:
        for name in ("peer", "peer2"):
            self.bed.sut.sites.pop(self.places.hosts[name], None)
        self.agent.close(connections)
