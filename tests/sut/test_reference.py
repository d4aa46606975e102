"""The reference stack as a stack under test: its sites, its agent, and what it does without."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import pytest

from conformance.engine.virtual_run import START
from conformance.link.addressing import PEER_MAC, SUT_MAC
from conformance.stack import uapi
from conformance.stack.net import Net
from conformance.sut import linux_calls, registry
from conformance.sut.base import Argument, Host, Outcome, SutFault, Transition
from conformance.sut.reference import Reference, ReferenceSite
from conformance.trace import Endpoints
from conformance.wire.read import read_frame
from conformance.wire.segment import ACK, FIN, RST, SYN, Family, Segment
from conformance.wire.template import Spec, build

ISN = 1_000_000
NO_CONFIG: Mapping[str, object] = {}


class Peer:
    """Talks with a site by hand. It takes what the site tells."""

    def __init__(self, family: Family, config: Mapping[str, object] = NO_CONFIG) -> None:
        self.frames: list[Segment] = []
        self.returns: dict[int, Outcome] = {}
        self.answers: dict[int, object] = {}
        self.asleep: set[int] = set()
        self.moves: list[Transition] = []
        self.site: ReferenceSite = Reference().virtual_bed(config).virtual_site(family, self, Random(1), START)
        self._numbers = 0
        self.now = START

    # What the site tells
    def frame(self, t: int, frame: bytes, outgoing: bool) -> None:
        assert not outgoing and t <= self.now
        packet = read_frame(frame)
        assert isinstance(packet, Segment), packet
        self.frames.append(packet)

    def returned(self, call: int, t: int, outcome: Outcome) -> None:
        assert t <= self.now
        self.returns[call] = outcome

    def blocked(self, call: int, t: int) -> None:
        assert t <= self.now
        self.asleep.add(call)

    def answered(self, query: int, t: int, value: object) -> None:
        assert t <= self.now
        self.answers[query] = value

    def moved(self, transitions: Sequence[Transition]) -> None:
        self.moves += transitions

    # What a test does
    @property
    def host(self) -> Host:
        places = self.site.places
        return Host(places.hosts["peer"], places.ports["peer_port"])

    @property
    def own(self) -> Host:
        places = self.site.places
        return Host(places.hosts["sut"], places.ports["port"])

    def call(self, function: str, *arguments: Argument, blocking: bool = False) -> Outcome | None:
        """Make a call; None if it has not returned."""
        self._numbers += 1
        (self.site.agent.start if blocking else self.site.agent.call)(self._numbers, function, arguments)
        self.site.pump()
        return self.returns.get(self._numbers)

    def number(self, function: str, *arguments: Argument) -> int:
        """The same for a call that returns a number."""
        outcome = self.call(function, *arguments)
        assert outcome is not None and outcome.error is None and isinstance(outcome.value, int), outcome
        return outcome.value

    def send(self, flags: int, seq: int, ack: int, payload: bytes = b"", port: int = 0) -> list[Segment]:
        """Send a segment and give what comes back at once."""
        places = self.site.places
        ends = (places.hosts["peer"], places.hosts["sut"], self.host.port, port or self.own.port)
        before = len(self.frames)
        spec = Spec(places.family, flags=flags, payload=payload)
        self.site.send(build(spec).bind(places.peer_mac, places.sut_mac, *ends).render(seq, ack))
        self.site.pump()
        return self.frames[before:]

    def wait(self, duration: int) -> None:
        self.now += duration
        self.site.advance(self.now)
        self.site.pump()

    def ask(self, handle: int | None, ends: Endpoints | None = None) -> object:
        self._numbers += 1
        self.site.agent.state(self._numbers, handle, ends)
        return self.answers[self._numbers]

    def ends(self) -> Endpoints:
        return Endpoints("default", self.host.address, self.host.port, self.own.address, self.own.port, ISN)

    def listener(self) -> int:
        handle = self.number("socket")
        assert self.call("bind", handle, Host(self.site.places.hosts["any"], self.own.port)) == Outcome(0)
        assert self.call("listen", handle, 8) == Outcome(0)
        return handle

    def connection(self) -> tuple[int, int, Segment]:
        """A listener, a connection that it accepted, and the SYN,ACK."""
        listener = self.listener()
        (answer,) = self.send(SYN, ISN, 0)
        assert self.send(ACK, ISN + 1, answer.seq + 1) == []
        outcome = self.call("accept", listener)
        assert outcome is not None and outcome.error is None and outcome.peer == self.host and isinstance(outcome.value, int)
        return listener, outcome.value, answer


@pytest.fixture(params=list(Family), ids=str)
def peer(request: pytest.FixtureRequest) -> Peer:
    return Peer(request.param)


# Calls ----------------------------------------------------------------------------------------------------------------


def test_a_connection_from_its_first_segment_to_its_last(peer: Peer) -> None:
    listener, handle, answer = peer.connection()
    assert (answer.flags, answer.ack) == (SYN | ACK, ISN + 1)
    iss = answer.seq
    assert (peer.ask(listener), peer.ask(handle), peer.ask(None, peer.ends())) == ("LISTEN", "ESTABLISHED", "ESTABLISHED")
    assert peer.call("getsockname", handle) == Outcome(peer.own) and peer.call("getpeername", handle) == Outcome(peer.host)
    peer.send(ACK, ISN + 1, iss + 1, b"hello")
    assert peer.call("recv", handle, 100, "MSG_PEEK") == peer.call("recv", handle, 3 + 97) == Outcome(b"hello")
    assert peer.call("recv", handle, 100) == Outcome(error="EAGAIN")
    assert peer.call("send", handle, b"world", "MSG_NOSIGNAL") == Outcome(5)
    assert peer.frames[-1].payload == b"world"
    peer.send(ACK, ISN + 6, iss + 6)
    assert peer.call("close", handle) == Outcome(0)
    assert peer.frames[-1].flags & FIN
    assert peer.ask(None, peer.ends()) == "FIN-WAIT-1"
    peer.send(ACK | FIN, ISN + 6, iss + 7)
    assert peer.ask(None, peer.ends()) == "TIME-WAIT"
    peer.site.agent.transitions([peer.ends()])
    moves = [(move.old, move.new) for move in peer.moves if (move.remote, move.remote_port) == (peer.host.address, peer.host.port)]
    assert [new for _, new in moves] == ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"] and moves[0][0] == "LISTEN"
    assert all(move.local_port == peer.own.port for move in peer.moves if move.remote)


def test_a_call_that_blocks_sleeps_and_returns_later(peer: Peer) -> None:
    handle = peer.number("socket")
    assert peer.call("connect", handle, peer.host, blocking=True) is None
    number = peer._numbers
    assert peer.asleep == {number} and peer.ask(handle) == "SYN-SENT"
    syn = peer.frames[-1]
    peer.send(SYN | ACK, ISN, syn.seq + 1, port=syn.sport)
    assert peer.returns[number] == Outcome(0) and peer.ask(handle) == "ESTABLISHED"
    assert peer.call("recv", handle, 10, blocking=True) is None, "the descriptor blocks for a call that may"
    assert peer.call("recv", handle, 10) == Outcome(error="EAGAIN"), "and does not for one that must not"


def test_connect_that_must_not_block(peer: Peer) -> None:
    handle = peer.number("socket")
    assert peer.call("connect", handle, peer.host) == Outcome(error="EINPROGRESS")
    syn = peer.frames[-1]
    assert peer.call("poll", handle) == Outcome(0)
    peer.send(RST | ACK, 0, syn.seq + 1, port=syn.sport)
    assert peer.call("getsockopt", handle, "SO_ERROR") == Outcome("ECONNREFUSED")
    assert peer.call("getsockopt", handle, "SO_ERROR") == Outcome(0)


def test_options_have_the_units_of_cases(peer: Peer) -> None:
    handle = peer.number("socket")
    assert peer.call("setsockopt", handle, "SO_RCVTIMEO", 1500) == Outcome(0)
    assert peer.call("getsockopt", handle, "SO_RCVTIMEO") == Outcome(1500)
    assert peer.call("setsockopt", handle, "TCP_NODELAY", 1) == Outcome(0) and peer.call("getsockopt", handle, "TCP_NODELAY") == Outcome(1)
    assert peer.call("setsockopt", handle, "TCP_CONGESTION", b"reno") == Outcome(0)
    assert peer.call("getsockopt", handle, "TCP_CONGESTION") == Outcome(b"reno")


def test_close_with_a_linger_time_of_zero_resets(peer: Peer) -> None:
    _, handle, _ = peer.connection()
    assert peer.call("setsockopt", handle, "SO_LINGER", 1, 0) == Outcome(0)
    assert peer.call("close", handle) == Outcome(0)
    assert peer.frames[-1].flags & RST


def test_close_with_a_linger_time_returns_when_the_peer_has_acknowledged(peer: Peer) -> None:
    _, handle, answer = peer.connection()
    assert peer.call("setsockopt", handle, "SO_LINGER", 1, 10) == Outcome(0)
    assert peer.call("close", handle) is None
    peer.wait(50_000_000)
    peer.send(ACK, ISN + 1, answer.seq + 2)
    assert peer.returns[peer._numbers] == Outcome(0)


def test_what_fails_has_an_errno_s_name(peer: Peer) -> None:
    assert peer.call("listen", 77, 1) == Outcome(error="EBADF")
    assert peer.call("socket", "AF_INET", "SOCK_STREAM", "IPPROTO_UDP") == Outcome(error="EPROTOTYPE")
    handle = peer.number("socket")
    assert peer.call("accept", handle) == Outcome(error="EINVAL")
    assert peer.call("getpeername", handle) == Outcome(error="ENOTCONN")


def test_info_has_times_in_ns(peer: Peer) -> None:
    _, handle, _ = peer.connection()
    peer.site.agent.info(99, handle)
    figures = peer.answers[99]
    assert isinstance(figures, dict) and 10**8 < figures["rto"] < 10**11 and figures["snd_cwnd"] > 1


def test_the_constants_are_linux_s() -> None:
    """Where Python's socket module has them and runs on Linux; the stack never asks it."""
    if sys.platform != "linux":
        pytest.skip("Python has this system's numbers here")
    names = [name for name in uapi.__all__ if name.startswith(("AF_INET", "SOCK_STREAM", "MSG_", "SHUT_", "IPPROTO_T"))]
    assert {name: getattr(uapi, name) for name in names if name != "MSG_FASTOPEN"} == {
        name: linux_calls.constant(name) for name in names if name != "MSG_FASTOPEN"
    }


def test_a_constant_that_there_is_not_is_a_fault(peer: Peer) -> None:
    with pytest.raises(SutFault, match="has no constant SOCK_PACKET"):
        peer.call("socket", "SOCK_PACKET")


# The stack under test -------------------------------------------------------------------------------------------------


def test_settings_it_has_not_got_are_named() -> None:
    assert Reference().lacks({"sack": True, "mtu": 576, "profile": "linux"}) is None
    assert Reference().lacks({"sack": True, "teleport": True}) == "the reference stack has no setting for teleport"


def test_settings_reach_the_stack() -> None:
    peer = Peer(Family.IPV4, {"ttl": 9, "mtu": 600, "timestamps": False})
    handle = peer.number("socket")
    peer.call("connect", handle, peer.host)
    syn = peer.frames[-1]
    assert syn.ttl == 9 and syn.options_data.startswith(b"\x02\x04" + (600 - 40).to_bytes(2, "big"))


def test_sites_share_nothing() -> None:
    first, second = Peer(Family.IPV4), Peer(Family.IPV4)
    first.listener()
    second.listener()
    assert len(first.send(SYN, ISN, 0)) == len(second.send(SYN, ISN, 0)) == 1


def test_what_the_stack_raises_is_a_fault_that_names_the_place(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(Net, "receive", breaks)
    with pytest.raises(
        SutFault, match=r"the reference stack broke: ZeroDivisionError: division by zero \(test_reference.py:\d+, in breaks\)"
    ):
        peer.send(SYN, ISN, 0)


def test_a_stack_that_never_rests_is_stopped(peer: Peer) -> None:
    net = peer.site._net
    timer = net.timer(lambda: timer.reset(net.now))
    timer.reset(net.now + 1)
    with pytest.raises(SutFault, match="does not come to rest"):
        peer.wait(10)


# No Linux -------------------------------------------------------------------------------------------------------------

_BLOCKED = (
    "pyroute2",
    "resource",
    "conformance.link.veth",
    "conformance.link.netns",
    "conformance.link.packet_ring",
    "conformance.sut.linux",
)
"""fcntl is not among them: scapy takes it where there is one."""
_WITHOUT_LINUX = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None  # an import of it raises ImportError
from conformance import cli
sys.argv = ["conformance", "run", "--sut", "reference", "--cases", {cases!r}, "-k", "handshake/passive-open"]
try:
    cli.main()
except SystemExit as end:
    assert not end.code, end.code
"""


def test_nothing_of_linux_is_imported() -> None:
    cases = str(Path(__file__).parents[2] / "cases")
    program = _WITHOUT_LINUX.format(blocked=_BLOCKED, cases=cases)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "reference: " in done.stdout and " pass" in done.stdout


def test_the_stack_does_not_use_what_a_system_has() -> None:
    """No clock, no system's sockets, no threads: it only imports what computes."""
    forbidden = {"socket", "select", "time", "threading", "asyncio", "os", "fcntl", "subprocess", "resource"}
    folder = Path(uapi.__file__).parent
    for file in folder.glob("*.py"):
        if file.name == "__main__.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not forbidden & {name.partition(".")[0] for name in names}, file


def test_the_registry_has_it() -> None:
    sut = registry.make("reference")
    assert (sut.name, sut.facts().states_from) == ("reference", "stack")
    assert (Peer(Family.IPV4).site.places.sut_mac, Peer(Family.IPV4).site.places.peer_mac) == (SUT_MAC, PEER_MAC)
