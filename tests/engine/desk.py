"""Where the runner sits: carries an executor's actions out on a virtual clock. A test says what the SUT does, and when."""

from __future__ import annotations

import heapq
import ipaddress
import itertools
import textwrap
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from conformance.case import notation
from conformance.case.case import MS, Case
from conformance.case.loader import load_suite
from conformance.case.steps import ConnectionSpec
from conformance.engine.connections import Connection
from conformance.engine.events import (
    Action,
    Answered,
    AskInfo,
    AskState,
    AskTransitions,
    Begin,
    Blocked,
    CallReturned,
    Event,
    Frame,
    MakeCall,
    Moved,
    Send,
    Tick,
    WakeAt,
)  # fmt: skip
from conformance.engine.executor import Executor
from conformance.engine.outgoing import OutgoingSegment
from conformance.engine.variables import Variables
from conformance.result import Failure, Verdict
from conformance.sut.base import Host, Outcome, Places, Transition
from conformance.wire.icmp import build_icmp, quoted
from conformance.wire.read import read_frame
from conformance.wire.segment import Family, Segment
from conformance.wire.text import segment_text

__all__ = ["MS", "SECOND", "START", "Desk", "Read", "places", "read"]

SECOND = 1000 * MS
START = 1_000 * SECOND
Read = Callable[..., Case]

_REGISTER = """\
rfc: TEST
title: What is tested
requirements:
  - {id: "1", level: MUST, section: "1", text: It works, observe: by its results}
"""
_PREAMBLE = """\
title: A listener that has answered a SYN
steps:
  - inject: S 0:0(0)
  - expect: S. 0:0(0) ack 1
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a case: its steps, and ``more`` that the file says beside them. The preamble ``SYN-RECEIVED`` is there to be used."""

    def read_case(steps: str, more: str = "", family: str = "ipv4") -> Case:
        for name, text in (("requirements/test", _REGISTER), ("preambles/SYN-RECEIVED", _PREAMBLE)):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        text = f"title: It works\nrequirements: [TEST/1]\n{textwrap.dedent(more).strip()}\nsteps:\n{textwrap.dedent(steps).strip()}\n"
        (tmp_path / "case.yaml").write_text(text, encoding="utf-8")
        suite = load_suite(tmp_path, families=[family])
        assert not suite.errors, "\n".join(map(str, suite.errors))
        return suite.cases[0]

    return read_case


def places(family: Family) -> Places:
    """Addresses and ports of a case run."""
    net = "192.0.2.{}" if family is Family.IPV4 else "2001:db8::{}"
    names = ("sut", "peer", "peer2", "any", "unrouted", "foreign", "loopback", "multicast", "broadcast")
    hosts = {name: ipaddress.ip_address(net.format(number)).packed for number, name in enumerate(names, 1)}
    ports = {"port": 80, "port2": 81, "port3": 82, "peer_port": 40_000, "peer_port2": 40_001}
    return Places(family, b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", hosts, ports)


class Desk:
    """Plays one case. Calls succeed unless ``returns`` says otherwise, and frames leave at once."""

    def __init__(
        self, case: Case, *, returns: Mapping[str, Outcome | None] | None = None, leaves_after: int | None = 0,
        answers: bool = True, poll_states: bool = False,
    ) -> None:  # fmt: skip
        """``returns``: function → what each call of it returns; None: it never does. ``answers``: the SUT's agent says what it is asked."""
        self.places = places(case.family)
        self.executor = Executor(case, self.places, Random(1), poll_states=poll_states)
        self.now = START
        self.leaves_after: int | None = leaves_after
        """ns from when a frame is handed over to when it is on the wire; None: for ever."""
        self.isns = {connection.name: 0 for connection in case.connections}
        """The SUT's ISN by connection. It is 0, so its numbers are the same before and after its SYN."""
        self.sent: list[tuple[int, bytes]] = []
        self.calls: list[MakeCall] = []
        self.asked: list[Action] = []
        self.state = "ESTABLISHED"
        self.info: Mapping[str, int] = {}
        self._answers = answers
        self._returns = returns or {}
        self._handles = itertools.count(3)
        self._wake: int | None = None
        self._inbox: deque[Event] = deque()
        self._later: list[tuple[int, int, Event]] = []
        self._order = itertools.count()
        self.tell(Begin(START))

    # What happens -----------------------------------------------------------------------------------------------------

    def sut(self, text: str, *, on: str = "default", after: int = 0) -> bytes:
        """The SUT sends a segment; times and numbers as in a case. Gives the frame."""
        self.pass_time(after)
        frame = self.frame(text, on)
        self.tell(Frame(self.now, frame, False))
        return frame

    def frame(self, text: str, on: str = "default") -> bytes:
        """A segment of the SUT's."""
        ends = self.executor.connections[on].ends
        ends = replace(ends, sut_isn=self.isns[on], sut_port=ends.sut_port or self.places.ports["port"])
        segment = OutgoingSegment(notation.inject_segment(text), {}, self.places, from_sut=True)
        return segment.frame(Connection(ConnectionSpec(on), ends), Variables())

    def sut_icmp(self, kind: int, code: int, about: bytes | None = None, *, mtu: int = 0) -> None:
        """The SUT sends an ICMP message about a frame, or about nothing."""
        hosts = self.places.hosts
        body = b"" if about is None else quoted(about)
        macs = self.places.sut_mac, self.places.peer_mac
        frame = build_icmp(self.places.family, *macs, hosts["sut"], hosts["peer"], kind, code, mtu, body)
        self.tell(Frame(self.now, frame, False))

    def returned(self, outcome: Outcome, *, after: int = 0) -> None:
        """The call made last returns."""
        self.pass_time(after)
        self.tell(CallReturned(self.now, self.calls[-1].number, outcome))

    def moves(self, *states: str, on: str = "default") -> None:
        """A socket of the SUT goes through these states."""
        ends = self.executor.connections[on].ends
        moves = [Transition(self.now, ends.sut_port, ends.peer, ends.peer_port, old, new) for old, new in itertools.pairwise(states)]
        self.tell(Moved(moves))

    def pass_time(self, duration: int) -> None:
        """Time passes, and what was to happen in it does."""
        end = self.now + duration
        while (t := self._next()) is not None and t <= end:
            self.now = max(self.now, t)
            if self._later and self._later[0][0] == t:
                self.tell(heapq.heappop(self._later)[2])
            else:
                self._wake = None
                self.tell(Tick(self.now))
        self.now = end

    def run(self, limit: int = 100 * SECOND) -> Verdict:
        """Nothing more comes from the SUT: the verdict, which must be there in ``limit``."""
        self.pass_time(limit)
        assert self.verdict is not None, f"no verdict after {limit / SECOND} s"
        return self.verdict

    # What came of it --------------------------------------------------------------------------------------------------

    @property
    def verdict(self) -> Verdict | None:
        return self.executor.verdict

    @property
    def failure(self) -> Failure:
        assert self.executor.failure is not None
        return self.executor.failure

    @property
    def fields(self) -> list[str]:
        """Those in which what came differed."""
        return [difference.field for difference in self.failure.differences]

    def sent_texts(self, on: str = "default") -> list[str]:
        """The segments that the tester sent on a connection, in the notation."""
        ends = self.executor.connections[on].ends
        packets = [packet for _, frame in self.sent if isinstance(packet := read_frame(frame), Segment)]
        own = [packet for packet in packets if (packet.src, packet.sport) == (ends.peer, ends.peer_port)]
        return [segment_text(packet, ends.peer_isn, self.isns[on]) for packet in own]

    # Inside -----------------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Something happens now; what comes of it happens after it."""
        self._inbox.append(event)
        if len(self._inbox) == 1:
            while self._inbox:
                for action in self.executor.handle(self._inbox[0]):
                    self._carry_out(action)
                self._inbox.popleft()

    def _next(self) -> int | None:
        times = [self._later[0][0]] if self._later else []
        return min([*times, self._wake]) if self._wake is not None else min(times, default=None)

    def _at(self, t: int, event: Event) -> None:
        if t == self.now:
            self.tell(event)
        else:
            heapq.heappush(self._later, (t, next(self._order), event))

    def _carry_out(self, action: Action) -> None:
        match action:
            case Send(frame):
                self.sent.append((self.now, frame))
                if self.leaves_after is not None:
                    t = self.now + self.leaves_after
                    self._at(t, Frame(t, frame, True))
            case MakeCall(number, function, _, blocking):
                self.calls.append(action)
                if blocking:
                    self.tell(Blocked(self.now, number))
                elif (outcome := self._returns.get(function, self._success(action))) is not None:
                    self.tell(CallReturned(self.now, number, outcome))
            case AskState(number) if self._answers:
                self.tell(Answered(self.now, number, self.state))
            case AskInfo(number) if self._answers:
                self.tell(Answered(self.now, number, self.info))
            case AskTransitions(number) if self._answers:
                self.tell(Answered(self.now, number, 0))
            case WakeAt(t):
                self._wake = t
        if not isinstance(action, WakeAt):
            self.asked.append(action)

    def _success(self, call: MakeCall) -> Outcome:
        if call.function == "socket":
            return Outcome(next(self._handles))
        if call.function == "accept":
            return Outcome(next(self._handles), peer=Host(self.places.hosts["peer"], self.places.ports["peer_port"]))
        if call.function == "send" and isinstance(call.arguments[1], bytes):
            return Outcome(len(call.arguments[1]))
        return Outcome(0)
