"""Which failures count as the same: other numbers do not matter, another step, field, side or answer does."""

from __future__ import annotations

import pytest

from conformance.engine.signature import Signature, signature
from conformance.engine.virtual_run import play_virtual
from conformance.sut.reference import Reference

from .desk import Read

OPEN = """\
- call: s = socket()
- call: bind(s, port)
- call: listen(s, 8)
- inject: S 0:0(0) <mss 1460,sackOK>
- expect: S. 0:0(0) ack 1
- inject: . 1:1(0) ack 1
- call: c = accept(s)
"""


def kind(read: Read, steps: str, more: str = "") -> Signature:
    """How a case fails on a stack that is right, after a handshake."""
    sut = Reference()
    case = read(OPEN + "\n".join(f"- {step.strip()}" for step in steps.splitlines() if step.strip()), more)
    found = signature(play_virtual(case, sut.name, sut.virtual_bed(case.config), seed=1))
    assert found is not None
    return found


ACK_102 = "inject: P. 1:101(100) ack 1\nexpect: . 1:1(0) ack 102"
SILENCE = "inject: P. 1:2(1) ack 1\nsilence: 1s"
AHEAD = "inject: . 5:6(1) ack 1\n"
SAME = [
    (ACK_102, "inject: . 1:2(1) ack 1\nexpect: . 1:1(0) ack 7 win *"),
    ("inject: P. 1:101(100) ack 1\nsilence: 1s", "inject: P. 1:2(1) ack 1\nsilence: 10ms"),
    ("call: send(c, 100)\nsilence: 1s", "call: send(c, 1)\nsilence: 10ms"),
    ("expect: . 1:1(0) ack 1", "inject: . 1:1(0) ack 1\nexpect: . 1:1(0) ack 100"),
    ("call: recv(c, 100) = 100", "call: recv(c, 1) = 1"),
    ("call: send(c, 100) = 101", "call: send(c, 1) = 2"),
    ("inject: . 5:6(1) ack 1\nexpect: . 1:1(0) ack 1 <mss *>", "inject: . 9:10(1) ack 1\nexpect: . 1:1(0) ack 1 <nop,mss 7>"),
    ("state: c CLOSE-WAIT", "inject: . 1:11(10) ack 1\nstate: c CLOSE-WAIT"),
    (
        "call: send(c, 10)\nexpect: P?. 1:11(10) ack 1\nexpect: P. 1:11(10) ack 1\nafter: 5s",
        "call: send(c, 1)\nexpect: P. 1:2(1) ack 1\nexpect: P. 1:2(1) ack 1\nafter: 3s",
    ),
    ("info: c mss = 5", "info: c mss = 6"),
]
OTHERS = {
    "another field": (ACK_102, "inject: P. 1:101(100) ack 1\nexpect: . 2:2(0) ack 101"),
    "on the other side": (ACK_102, "inject: P. 1:101(100) ack 1\nexpect: . 1:1(0) ack 99"),
    "nothing": (ACK_102, "expect: . 1:1(0) ack 102"),
    "another flag": ("inject: P. 1:2(1) ack 1\nexpect: R 1:1(0)", "inject: F. 1:1(0) ack 1\nexpect: S 1:1(0)"),
    "another kind of step": ("expect: . 1:1(0) ack 1", "optional: [{expect: . 1:1(0) ack 1}]\nstate: c CLOSED"),
    "in a group": ("expect: . 1:1(0) ack 1", "any_order: [{expect: . 1:1(0) ack 1}]"),
    "another breach of silence": (SILENCE, "call: send(c, 1)\nsilence: 1s"),
    "before the silence": (SILENCE, "inject: P. 1:2(1) ack 1\ncall: getsockopt(c, SO_ERROR) = 0\nafter: 1s\nsilence: 1s"),
    "an errno": ("call: recv(c, 100) = 100", "inject: P. 1:2(1) ack 1\nexpect: '* *:*(*)'\ncall: recv(c, 100) = 100"),
    "another state": ("state: c FIN-WAIT-1", "state: c FIN-WAIT-2"),
    "options that are too many": (AHEAD + "expect: . 1:1(0) ack 1 <mss *>", AHEAD + "expect: . 1:1(0) ack 1 <>"),
    "late, not early": (
        "call: send(c, 10)\nexpect: P?. 1:11(10) ack 1\nexpect: P. 1:11(10) ack 1\nafter: 5s",
        "call: send(c, 10)\nexpect: P?. 1:11(10) ack 1\nexpect: P. 1:11(10) ack 1\nafter: 0.1s..4s\nwithin: 1ms",
    ),
    "another figure": ("info: c mss = 5", "info: c cwnd = 5"),
    "zero": ("call: send(c, 1)\nexpect: P. 1:2(1) ack 1 win 0", "call: send(c, 1)\nexpect: P. 1:2(1) ack 1 urg 1"),
}  # fmt: skip


def steps(text: str) -> str:
    """Siblings of a step belong to the step before."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.partition(":")[0] in ("after", "within"):
            lines[-1] = f"{{{_flow(lines[-1])}, {line}}}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _flow(step: str) -> str:
    key, _, value = step.strip("{}").partition(": ")
    return f'{key}: "{value}"' if not step.startswith("{") else step.strip("{}")


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(read: Read, one: str, other: str) -> None:
    first, second = kind(read, steps(one)), kind(read, steps(other))
    assert first == second
    assert first.like(second)


@pytest.mark.parametrize(("one", "other"), OTHERS.values(), ids=OTHERS)
def test_not_the_same(read: Read, one: str, other: str) -> None:
    assert not kind(read, steps(one)).like(kind(read, steps(other)))


def test_the_stimulus_counts_only_where_it_is_asked_for(read: Read) -> None:
    one, other = (
        kind(read, "inject: R -9:-9(0)\nexpect: . 1:1(0) ack 100"),
        kind(read, "call: recv(c, 1) = EAGAIN\nexpect: . 1:1(0) ack 100"),
    )
    assert one.like(other) and one.like(one, stimulus=True)
    assert not one.like(other, stimulus=True)
    assert not one.like(None) and not one.like(None, stimulus=True)


@pytest.mark.parametrize("text", ["expect: . 1:1(0) ack 2", "inject: . 1:2(1) ack $x", "state: c ESTABLISHED"])
def test_what_is_no_failure_has_none(read: Read, text: str) -> None:
    sut = Reference()
    preamble = "given: SYN-RECEIVED" if "ack 2" in text else ""  # nobody listens, so that it is inconclusive
    more = "" if "$x" not in text else "\n- optional: [{expect: . 1:1(0) ack $x}]\n"
    case = read((OPEN if not preamble else "") + more.lstrip("\n") + f"- {text}", preamble)
    result = play_virtual(case, sut.name, sut.virtual_bed(case.config), seed=1)
    assert signature(result) is None, result.verdict


def test_which_side_a_number_of_another_stream_is_on_is_chance(read: Read) -> None:
    """The RST that nobody's socket sends is number 0 (RFC 9293, section 3.10.7.1), wherever the stack's ISN was before."""
    sut = Reference()
    case = read(
        "- call: c = socket()\n- call: connect(c) = EINPROGRESS\n- expect: S 0:0(0)\n- inject: R. 0:0(0) ack 1\n"
        "- inject: S 0:0(0)\n- expect: R. 1:1(0) ack 1"
    )
    results = [play_virtual(case, sut.name, sut.virtual_bed(case.config), seed) for seed in range(12)]
    sides = {one.actual.startswith("-") for result in results if result.failure for one in result.failure.differences}
    assert sides == {True, False}
    assert len({signature(result) for result in results}) == 1
