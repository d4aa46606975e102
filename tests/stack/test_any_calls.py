"""Socket calls in any order, with any arguments: each returns, sleeps, or fails with an errno; and when all is closed nothing is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conformance.stack import sock_options, tcp_sockopt
from conformance.stack.sock import Address
from conformance.stack.socket import SYSCALLS
from conformance.stack.sysctl import MS, SECOND, Sysctl
from conformance.stack.tasks import Task
from conformance.stack.uapi import (
    FIONREAD,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_FASTOPEN,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SIOCATMARK,
    SIOCOUTQ,
    SIOCOUTQNSD,
    SOCK_NONBLOCK,
)  # fmt: skip
from tests.stack.bounds import Bounds
from tests.stack.brief import Brief
from tests.stack.budget import budget
from tests.stack.world import ADDRESSES, COUNTS, World, left_over

LONGEST = 24 * 3600 * SECOND
"""Of virtual time, until all is over once everything is closed."""
SIGNALS = 1000


@dataclass(frozen=True, repr=False)
class Do(Brief):
    """A call on one of the hosts; then so much time passes. Without a name: the call that has slept longest is interrupted."""

    host: int = 0
    name: str = ""
    arguments: tuple[Any, ...] = ()
    then: int = 0


def play(sysctls: tuple[Sysctl, Sysctl], script: list[Do]) -> None:
    """Do it all, then close everything and wait."""
    COUNTS["schedules"] += 1
    world = World(sysctls=sysctls)
    bounds = [Bounds(host) for host in world.hosts]
    asleep: list[list[Task]] = [[], []]
    for do in script:
        net = world.hosts[do.host].net
        world.hosts[do.host].run()
        if do.name:
            asleep[do.host].append(net.call(do.name, *do.arguments))
        elif asleep[do.host]:
            net.signal(asleep[do.host][0])
        world.run(until=world.now + do.then)
        for tasks, bound in zip(asleep, bounds, strict=True):
            tasks[:] = [task for task in tasks if not task.done]
            bound.check()
    for host, tasks in zip(world.hosts, asleep, strict=True):
        for task in tasks:
            for _ in range(SIGNALS):
                host.net.signal(task)
            assert task.done, f"{task.name} cannot be interrupted"
        for fd in list(host.net.files):
            host.run()
            closing = host.net.call("close", fd)
            host.net.signal(closing)
            assert closing.done
    began = world.now
    world.run()
    for host in world.hosts:
        assert not left_over(host)
    assert world.now - began <= LONGEST


NAMES = sorted(
    {*sock_options._SET_SOCKET, *sock_options._GET_SOCKET, *sock_options._SET_IP, *sock_options._GET_IP, *sock_options._SET_IPV6}
    | {*sock_options._GET_IPV6, *tcp_sockopt._SET, *tcp_sockopt._GET}
    | {"SO_LINGER", "SO_RCVTIMEO", "SO_SNDTIMEO", "TCP_CONGESTION", "SO_NONSENSE", "TCP_NONSENSE", "IP_NONSENSE", "IPV6_NONSENSE", ""}
)
FDS = st.one_of(st.integers(3, 7), st.sampled_from([-1, 0, 8, 9, 99]))
HOSTS = [
    *ADDRESSES[4], *ADDRESSES[6], *(bytes(10) + b"\xff\xff" + address for address in ADDRESSES[4]), b"\x7f\0\0\1", bytes(15) + b"\1",
    bytes(4), bytes(16), b"", b"\xff" * 4, b"\xe0\0\0\1", b"\xff\x02" + bytes(13) + b"\1", b"\xcb\0\x71\1", b"\xc0\0\2\x63", b"abc",
    b"\xfe\x80" + bytes(14),
]  # fmt: skip
addresses = st.builds(
    Address,
    st.one_of(st.sampled_from([*ADDRESSES[4], *ADDRESSES[6]]), st.sampled_from(HOSTS)),
    st.sampled_from([0, 80, 80, 81, 40000, 65535, -1]),
)
values = st.one_of(
    st.integers(-2, 3),
    st.sampled_from([100, 1000, 30000, 2**31 - 1, 2**31, -(2**31), 2**32, 1 << 32, 1 << 32 | 2, 2**64]),
    st.binary(max_size=5),
)
data = st.sampled_from([0, 1, 100, 3000, 70_000]).map(bytes)
bits = [MSG_DONTWAIT, MSG_PEEK, MSG_OOB, MSG_WAITALL, MSG_MORE, MSG_TRUNC, MSG_FASTOPEN, MSG_ERRQUEUE, 1 << 30]
flags = st.one_of(
    st.just(0), st.just(MSG_DONTWAIT), st.sampled_from(bits), st.builds(int.__or__, st.sampled_from(bits), st.sampled_from(bits))
)
kinds = st.one_of(st.sampled_from([1, 1, 1, 2, 3]), st.integers(-1, 12)).flatmap(lambda kind: st.sampled_from([kind, kind | SOCK_NONBLOCK]))
ARGUMENTS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "socket": st.tuples(st.sampled_from([2, 2, 10, 10, 0, 1, -1, 99]), kinds, st.sampled_from([0, 0, 0, 6, 17, 1, 58, 255, 262, -1])),
    "bind": st.tuples(FDS, addresses),
    "listen": st.tuples(FDS, st.sampled_from([0, 1, 5, -1, 10**6])),
    "connect": st.tuples(FDS, addresses),
    "accept": st.tuples(FDS),
    "sendto": st.one_of(st.tuples(FDS, data, flags), st.tuples(FDS, data, flags, addresses)),
    "recvfrom": st.tuples(FDS, st.sampled_from([0, 1, 100, 100_000, -1]), flags),
    "shutdown": st.tuples(FDS, st.integers(-1, 3)),
    "close": st.tuples(FDS),
    "getsockname": st.tuples(FDS),
    "getpeername": st.tuples(FDS),
    "setsockopt": st.tuples(FDS, st.sampled_from(NAMES), values),
    "getsockopt": st.tuples(FDS, st.sampled_from(NAMES)),
    "poll": st.tuples(FDS),
    "ppoll": st.tuples(
        st.lists(st.tuples(FDS, st.integers(0, 0x2FFF)), max_size=3), st.one_of(st.none(), st.sampled_from([0, MS, SECOND]))
    ),
    "fcntl": st.tuples(FDS, st.booleans()),
    "ioctl": st.tuples(FDS, st.sampled_from([FIONREAD, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD, 0])),
    "tcp_info": st.tuples(FDS),
}
assert ARGUMENTS.keys() == SYSCALLS.keys()
OFTEN = ["socket", "bind", "listen", "connect", "connect", "accept", "sendto", "sendto", "recvfrom", "setsockopt", "shutdown", "close"]
PAUSES = st.one_of(st.just(MS * 3), st.sampled_from([0, 0, 500_000, 50 * MS, 3 * SECOND, 100 * SECOND, 3 * 3600 * SECOND]))
does = st.builds(Do, st.integers(0, 1), st.sampled_from(["", *OFTEN, *ARGUMENTS])).flatmap(
    lambda do: st.builds(Do, st.just(do.host), st.just(do.name), ARGUMENTS.get(do.name, st.just(())), PAUSES)
)
PORT = Address(ADDRESSES[4][1], 80)
CONNECTED = [
    Do(1, "socket", (2, 1, 0)), Do(1, "bind", (3, PORT)), Do(1, "listen", (3, 3)),
    Do(0, "socket", (2, 1, 0)), Do(0, "connect", (3, PORT), 3 * MS), Do(1, "accept", (3,)),
]  # fmt: skip
scripts = st.builds(
    lambda connected, more: (CONNECTED if connected else []) + more,
    st.booleans(),
    st.one_of(st.lists(does, max_size=12), st.lists(does, min_size=15, max_size=60)),
)
sysctls = st.builds(
    lambda **config: Sysctl.from_config(config),
    profile=st.sampled_from(["rfc", "linux"]),
    fast_open=st.sampled_from(["client", "both", "off"]),
    syn_cookies=st.sampled_from(["on", "always"]),
    ephemeral_ports=st.sampled_from(["32768..60999", "40000..40001"]),
    tw_reuse=st.booleans(),
)


@budget(100)
@given(st.tuples(sysctls, sysctls), scripts)
def test_a_call_returns_sleeps_or_has_an_errno(settings: tuple[Sysctl, Sysctl], script: list[Do]) -> None:
    play(settings, script)
