"""Whatever the link does to the segments, every stream arrives whole and in order, both ends reach CLOSED, and nothing is left of them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from random import Random
from unittest.mock import patch

from hypothesis import event, given
from hypothesis import strategies as st

from conformance.host.process import Process
from conformance.link.impaired import Impairment
from conformance.stack.sysctl import MS, SECOND, Sysctl
from conformance.stack.tcp_fastopen import FastopenMetrics, tcp_fastopen_cookie_gen
from tests.stack.brief import Brief
from tests.stack.budget import budget
from tests.stack.forge import icmp_error
from tests.stack.talk import PORTS, Side, connecting, crossing, expected, serving
from tests.stack.world import ADDRESSES, COUNTS, MACS, World, left_over

LONGEST = 3600 * SECOND
"""Of virtual time, from the first SYN until both ends are done with TIME-WAIT."""
PATIENCE = 10 * SECOND
"""What the programs may take beside what they sleep, on a link without faults."""
HEALS = 30 * SECOND
"""The link is bad for so long at most: neither a SYN nor the data of an orphan are sent again for ever."""


@dataclass(frozen=True, repr=False)
class Schedule(Brief):
    """Two programs, two stacks and a link."""

    version: int = 4
    sides: tuple[Side, Side] = (Side(), Side())
    sysctls: tuple[Sysctl, Sysctl] = (Sysctl(), Sysctl())
    links: tuple[Impairment, Impairment] = (Impairment(delay=MS), Impairment(delay=MS))
    heals: int = HEALS
    opening: str = "passive"
    """``crossing``: both call connect at the same time; ``fast``: TCP Fast Open, with a good cookie, ``bad cookie`` with another;
    ``cookies``: SYN cookies always. With these the link is bad only once the handshake is over: what it loses of that is lost for good."""
    mtu: int = 1500
    path_mtu: int = 9000
    """Of a router on the way, which says so in an ICMP error about each frame that is longer."""
    replay: float = 0.0
    """That an older frame, any that was on the wire, is sent once more before this one."""
    isn: int | None = None
    """Where both sides' sequence numbers and timestamps begin; None: wherever the stack puts them."""
    now: int = SECOND
    seed: int = 0

    @property
    def is_clean(self) -> bool:
        """Is there no reason to send anything again?"""
        fine = Impairment(), Impairment(delay=MS), Impairment(delay=MS // 10), Impairment(delay=20 * MS)
        return (
            all(replace(link, hold_back=Impairment().hold_back) in fine for link in self.links)
            and not self.replay
            and self.path_mtu >= self.mtu
            and self.opening not in ("fast", "bad cookie")
        )


def play(plan: Schedule) -> World:
    """Run it to its end, and check all that is promised."""
    COUNTS["schedules"] += 1
    with ExitStack() as stack:
        if (isn := plan.isn) is not None:
            for name in ("secure_tcp_seq", "secure_tcp_ts_off"):
                stack.enter_context(patch(f"conformance.stack.tcp_ipv4.{name}", lambda *_: isn))
        world = World(impairments=plan.links, heals=plan.now + plan.heals, sysctls=plan.sysctls, mtu=plan.mtu, now=plan.now, seed=plan.seed)
        world.router = Router(plan, world).passes
        talkers = start(plan, world)
        world.run(*talkers)
        for talker, side, peer in zip(talkers, plan.sides, reversed(plan.sides), strict=True):
            assert talker.error is None, f"{talker.name}: {talker.error}"
            assert talker.value == expected(peer, side), f"{talker.name}: {difference(talker.value, expected(peer, side))}"
        if plan.is_clean:
            again = sum(host.net.mib["RetransSegs"] for host in world.hosts)
            linux = any(host.net.sysctl.linux for host in world.hosts)  # whose window probe takes the place of an acknowledgment
            assert not again or linux, f"{again} segments were sent again, and nothing was lost"
            waited = sum(sum(side.pauses) for side in plan.sides) * 2 * MS
            assert world.now - plan.now <= waited + PATIENCE, (
                f"{(world.now - plan.now) / SECOND} s, of which the programs slept {waited / SECOND}"
            )
        world.run()
    for host in world.hosts:
        assert not left_over(host)
    assert world.now - plan.now <= LONGEST, f"it took {(world.now - plan.now) // SECOND} s"
    return world


def start(plan: Schedule, world: World) -> tuple[Process, Process]:
    """Start both programs."""
    here, there = world.hosts
    own, peer = (world.address(number, plan.version, PORTS[number]) for number in (0, 1))
    if plan.opening == "crossing":
        return (
            here.processes.start(crossing(plan.version, plan.sides[0], own, peer), "first"),
            there.processes.start(crossing(plan.version, plan.sides[1], peer, own), "second"),
        )
    if plan.opening == "fast":
        addresses = ADDRESSES[plan.version]
        here.net.fastopen_metrics[peer.host] = FastopenMetrics(tcp_fastopen_cookie_gen(there.net, *addresses), 1460)
    elif plan.opening == "bad cookie":
        here.net.fastopen_metrics[peer.host] = FastopenMetrics(b"nonsense", 1460)
    if plan.opening == "cookies":
        spare(world, world.cured)
    server = there.processes.start(serving(plan.version, plan.sides[1], peer, lambda: spare(world, plan.links)), "server")
    there.run()
    fast = plan.opening in ("fast", "bad cookie")
    return here.processes.start(connecting(plan.version, plan.sides[0], peer, fast), "client"), server


def spare(world: World, links: tuple[Impairment, ...]) -> None:
    """From now on this is wrong with the links."""
    for link, wrong in zip(world.links, links, strict=True):
        link.impairment = wrong


class Router:
    """What is between the links: an MTU, and somebody who repeats old frames."""

    def __init__(self, plan: Schedule, world: World) -> None:
        self.plan, self.world, self.rng = plan, world, Random(plan.seed)
        self.seen: tuple[list[bytes], list[bytes]] = ([], [])

    def passes(self, to: int, frame: bytes) -> bool:
        """Does it go on to this host?"""
        plan, seen = self.plan, self.seen[to]
        if plan.replay and seen and self.rng.random() < plan.replay:
            self.world.put(to, self.rng.choice(seen))
        seen.append(frame)
        packet = frame[14:]
        if len(packet) <= plan.path_mtu or (plan.version == 4 and not packet[6] & 0x40):
            return True
        kind, code = (3, 4) if plan.version == 4 else (2, 0)
        addresses = ADDRESSES[plan.version]
        about = packet[:500]
        self.world.put(1 - to, icmp_error((MACS[1 - to], MACS[to]), addresses[to], addresses[1 - to], kind, code, plan.path_mtu, about))
        return False


def difference(got: bytes, wanted: bytes) -> str:
    """Where two streams part."""
    at = next((at for at, (one, other) in enumerate(zip(got, wanted, strict=False)) if one != other), min(len(got), len(wanted)))
    return f"{len(got)} octets instead of {len(wanted)}; they differ from {at} on: {got[at : at + 8].hex()}, {wanted[at : at + 8].hex()}"


# Schedules ----------------------------------------------------------------------------------------------------------------


def probabilities(most: float) -> st.SearchStrategy[float]:
    """Often none."""
    return st.one_of(st.just(0.0), st.sampled_from([most / 8, most / 3, most]))


SIZES = st.one_of(st.integers(1, 40), st.integers(1, 3000), st.integers(1, 20000))
OPTIONS: dict[str, st.SearchStrategy[int]] = {
    "TCP_NODELAY": st.just(1),
    "TCP_CORK": st.just(1),
    "TCP_MAXSEG": st.sampled_from([88, 100, 536, 1000]),
    "SO_RCVBUF": st.sampled_from([1, 1200, 3000, 8000, 100_000, 1_000_000]),
    "SO_SNDBUF": st.sampled_from([1, 3000, 20_000]),
    "TCP_QUICKACK": st.integers(0, 1),
    "SO_KEEPALIVE": st.just(1),
    "TCP_KEEPIDLE": st.sampled_from([1, 3]),
    "TCP_WINDOW_CLAMP": st.sampled_from([500, 3000]),
    "TCP_DEFER_ACCEPT": st.integers(1, 3),
    "SO_RCVLOWAT": st.sampled_from([2, 100]),
    "SO_LINGER": st.just(1 << 32 | 300),
}
options = st.lists(st.sampled_from(sorted(OPTIONS)), max_size=4, unique=True).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(name), OPTIONS[name]) for name in names))
)


@st.composite
def side_of(draw: st.DrawFn) -> Side:
    writes = tuple(draw(st.lists(SIZES, max_size=8)))
    return Side(
        writes=writes,
        reads=tuple(draw(st.lists(SIZES, min_size=1, max_size=3))),
        pauses=tuple(draw(st.lists(st.sampled_from([1, 50, 700, 4000]), max_size=3))),
        options=draw(options),
        polls=draw(st.booleans()),
        more=draw(st.booleans()),
        peeks=draw(st.booleans()),
        whole=draw(st.booleans()),
        urgent=draw(st.one_of(st.none(), st.none(), st.integers(0, len(writes) - 1))) if writes else None,
        inline=draw(st.booleans()),
        ending=draw(st.sampled_from(["shutdown", "shutdown", "close", "late"])),
        seed=draw(st.integers(0, 3)),
    )


def impairments(corrupting: bool) -> st.SearchStrategy[Impairment]:
    return st.builds(
        Impairment,
        loss=probabilities(0.3),
        duplicate=probabilities(0.3),
        reorder=probabilities(0.4),
        corrupt=probabilities(0.2) if corrupting else st.just(0.0),
        delay=st.sampled_from([MS // 10, MS, 20 * MS, 300 * MS]),
        jitter=st.sampled_from([0, MS, 100 * MS]),
        hold_back=st.sampled_from([2 * MS, 200 * MS, 3 * SECOND]),
    )


@st.composite
def sysctl_of(draw: st.DrawFn) -> Sysctl:
    config: dict[str, object] = {"profile": draw(st.sampled_from(["rfc", "linux"])), "fast_open": "both"}
    for name in ("timestamps", "sack", "dsack", "window_scaling", "pmtu_discovery", "slow_start_after_idle"):
        config[name] = draw(st.integers(0, 3)) > 0
    config["ecn"] = draw(st.sampled_from(["passive", "off", "on"]))
    config["receive_buffer"] = draw(st.sampled_from([131072, 131072, 4096, 20000]))
    return Sysctl.from_config(config)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    version = draw(st.sampled_from([4, 6]))
    sysctls = draw(sysctl_of()), draw(sysctl_of())
    one, other = draw(side_of()), draw(side_of())
    if one.ending != "shutdown" and other.ending != "shutdown":  # each would wait for the other
        other = replace(other, ending="shutdown")
    opening = draw(st.sampled_from(["passive", "passive", "crossing", "fast", "bad cookie", "cookies"]))
    if opening == "cookies":
        sysctls = sysctls[0], replace(sysctls[1], syn_cookies="always")
    if opening in ("fast", "bad cookie"):  # what goes with a SYN is not urgent
        one = replace(one, urgent=one.urgent or None)
    # A flipped bit in a header that nothing protects, IPv6's, makes an ICMP error, and with one Linux's connect ends.
    corruptible = version == 4 or not any(sysctl.linux for sysctl in sysctls)
    links, path_mtu, replay = (draw(impairments(corruptible)), draw(impairments(corruptible))), 9000, 0.0
    if draw(st.integers(0, 4)):
        path_mtu, replay = draw(st.sampled_from([9000, 1280, 1400] + [600] * (version == 4))), draw(probabilities(0.3))
    else:
        links = (Impairment(delay=draw(st.sampled_from([MS // 10, MS, 20 * MS]))),) * 2
    return Schedule(
        version=version,
        sides=(one, other),
        sysctls=sysctls,
        links=links,
        heals=draw(st.sampled_from([0, 2, 30])) * SECOND,
        opening=opening,
        mtu=draw(st.sampled_from([1500, 1500, 9000, 1280] + [576, 296] * (version == 4))),
        path_mtu=path_mtu,
        replay=replay,
        isn=draw(st.one_of(st.none(), st.integers(2**32 - 3000, 2**32 - 1), st.just(0), st.just(2**31 - 500))),
        now=draw(st.sampled_from([SECOND, 0, 10**15])),
        seed=draw(st.integers(0, 2**32)),
    )


@budget(160)
@given(schedules())
def test_every_stream_arrives(plan: Schedule) -> None:
    world = play(plan)
    event(plan.opening)
    for link in world.links:
        for what in ("lost", "duplicated", "reordered", "corrupted"):
            if link.counts[what]:
                event(what)


def test_nothing_special() -> None:
    play(Schedule())
