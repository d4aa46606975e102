"""The executor, the virtual clock and the reference stack together."""

from __future__ import annotations

import pytest

from conformance.engine.virtual_run import STEP, play_virtual
from conformance.result import CaseResult, Verdict
from conformance.sut.reference import Reference
from conformance.trace import Received

from .desk import Read


def play(read: Read, steps: str, more: str = "", family: str = "ipv4") -> CaseResult:
    sut = Reference()
    case = read(steps, more, family)
    return play_virtual(case, sut.name, sut.virtual_bed(case.config), seed=1)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_case_passes(read: Read, family: str) -> None:
    steps = """
    - call:   s = socket()
    - call:   bind(s, port)
    - call:   listen(s, 1)
    - state:  s LISTEN
    - start:  r = accept(s)
    - inject: S 0:0(0) win 65535 <mss 1460>
    - expect: S. 0:0(0) ack 1
    - inject: . 1:1(0) ack 1
    - finish: r = *
    - states: LISTEN → SYN-RECEIVED → ESTABLISHED
    - inject: P. 1:11(10) ack 1
    - expect: . 1:1(0) ack 11
    """
    result = play(read, steps, family=family)
    assert result.verdict is Verdict.PASS, result.failure


def test_two_hours_of_keepalive_are_exact(read: Read) -> None:
    steps = """
    - call:   c = socket()
    - call:   setsockopt(c, SO_KEEPALIVE, 1)
    - start:  r = connect(c)
    - expect: S 0:0(0)
    - inject: S. 0:0(0) ack 1 win 65535 <mss 1460>
    - expect: . 1:1(0) ack 1
    - finish: r = 0
    - silence: 7199s
    - expect: . 0:0(0) ack 1
    """
    result = play(read, steps)
    assert result.verdict is Verdict.PASS, result.failure
    last = [event.t for event in result.trace.events if isinstance(event, Received)]
    assert abs(last[-1] - last[-2] - 7200 * 10**9) <= 2 * STEP and result.seconds < 1
