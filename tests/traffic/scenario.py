"""A scenario, and captures of it: ``NAME-FAMILY-VANTAGE.pcap``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .network import network
from .pcap import packets
from .setup import Setup
from .world import World

__all__ = ["Capture", "Scenario", "make"]

_TRIES = 4


@dataclass(frozen=True, slots=True)
class Scenario:
    """What two hosts do, and where."""

    name: str
    program: Callable[[World], object]
    setup: Setup = field(default_factory=Setup)
    share: float = 0
    """Of the packets that are wanted in all, beside other scenarios' shares; 0: it takes few, and always as many."""
    deviates: str = ""
    """What Linux does there that the RFCs advise against, so that findings about it are right."""
    families: tuple[str, ...] = ("ipv4", "ipv6")

    @property
    def vantages(self) -> tuple[str, ...]:
        """Where it is captured: between the ends only if there is something between them."""
        return ("client", "server") if self.setup.impairment is None else ("client", "middle", "server")


@dataclass(frozen=True, slots=True)
class Capture:
    """A file, as the manifest has it."""

    file: str
    scenario: str
    family: str
    vantage: str
    """``client``, ``server``, or ``middle``: neither end is near."""
    near: str
    """The address of the end that is; with a simultaneous open no end is the client more than the other."""
    packets: int
    snap: int
    deviates: str
    sysctls: dict[str, dict[str, str]]
    """By host."""
    forwarder: dict[str, dict[str, int]]
    """What became of the frames from either side, if there was a forwarder."""


def make(scenario: Scenario, family: str, folder: Path, wanted: int, seed: int) -> list[Capture]:
    """Run a scenario, and capture it at every vantage, with ``wanted`` packets at the client if it is one that can be had longer.

    A capture that has missed a packet is made again.

    Raises:
        OSError: the machine does not give what the scenario asks for, or a capture misses packets each time.
    """
    setup = scenario.setup
    files = {vantage: folder / f"{scenario.name}-{family}-{vantage}.pcap" for vantage in scenario.vantages}
    for attempt in range(_TRIES):
        with network(setup, family, seed + attempt, files) as net:
            with World(net, Random(seed), wanted) as world:
                scenario.program(world)
                world.join()
            taken = net.stop()
            forwarded = net.forwarder.stop() if net.forwarder else {}
            near = {host.name: host.address for host in (net.client, net.server)}
        if not any(tap.missed for tap in taken.values()):
            break
    else:
        raise OSError(f"{scenario.name} over {family}: captures miss packets, {_TRIES} times: {taken}")
    sysctls = {host: {**setup.sysctls, **own} for host, own in (("client", setup.client), ("server", setup.server))}
    return [
        Capture(
            file=path.name, scenario=scenario.name, family=family, vantage=vantage, near=near.get(vantage, ""),
            packets=packets(path), snap=setup.snap, deviates=scenario.deviates, sysctls=sysctls, forwarder=forwarded,
        )
        for vantage, path in files.items()
    ]  # fmt: skip
