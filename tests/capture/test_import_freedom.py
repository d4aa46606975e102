"""What a stack may do otherwise the next time is not asked for, and everything else is."""

from __future__ import annotations

from conformance.capture.import_freedom import leave_open
from conformance.capture.import_infer import infer_calls
from conformance.capture.import_packets import Conversation, story_of_packets
from conformance.capture.importing import case_data
from tests.capture.dialogue import CLIENT, SERVER, seen

OPENING = """
    0.000 > S 0:0(0) <mss 1460,nop,nop,TS val 10 ecr 0>
    0.001 < S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 50 ecr 10>
    0.002 > . 1:1(0) ack 1 <nop,nop,TS val 11 ecr 50>
"""


def steps(dialogue: str) -> list[str]:
    story = story_of_packets([Conversation(1, CLIENT, SERVER, seen(OPENING + dialogue))], "server")
    infer_calls(story)
    leave_open(story)
    written = case_data(story, "x", ["RFC9293/3.5"])[0]["steps"]
    assert isinstance(written, list)
    return [_shown(step) for step in written if "call" not in step][3:]


def _shown(step: dict[str, object]) -> str:
    if "optional" in step:
        (inner,) = step["optional"]  # type: ignore[misc]
        return f"optional {inner['expect']}"
    return str(step.get("inject") or step.get("expect") or step)


def row(*acks: int, window: int = 65535) -> str:
    """A thousand octets three times, and acknowledgments."""
    lines = [f"0.1 > . {at * 1000 + 1}:{at * 1000 + 1001}(1000) ack 1 <nop,nop,TS val {12 + at} ecr 50>" for at in range(3)]
    return "\n".join([*lines, *(f"0.101 < . 1:1(0) ack {ack} win {window} <nop,nop,TS val 60 ecr 12>" for ack in acks)])


def test_of_a_row_of_acknowledgments_the_last_must_come() -> None:
    assert steps(row(1001, 2001, 3001)) == [
        ". 1:1001(1000) ack 1 <nop,nop,TS val 12 ecr $t0>",
        "optional . 1:1(0) ack 1001 <TS val * ecr *>",
        ". 1001:2001(1000) ack 1 <nop,nop,TS val 13 ecr $t0>",
        "optional . 1:1(0) ack 2001 <TS val * ecr *>",
        ". 2001:3001(1000) ack 1 <nop,nop,TS val 14 ecr $t0>",
        ". 1:1(0) ack 3001 <TS val * ecr *>",
    ]


def test_one_acknowledgment_is_no_row() -> None:
    assert not any(step.startswith("optional") for step in steps(row(3001)))


def test_what_tells_more_stays() -> None:
    assert not any(step.startswith("optional") for step in steps(row(1001, 1001, 3001)))  # a duplicate
    assert not any(step.startswith("optional") for step in steps(row(501, 3001)))  # of a part
    assert not any(step.startswith("optional") for step in steps(row(1001, 3001, window=0)))


def test_a_single_segment_echoes_what_came_before_and_several_do_not_say() -> None:
    alone = steps("0.1 < P. 1:11(10) ack 1 <nop,nop,TS val 70 ecr 11>\n0.2 > . 1:1(0) ack 11 <nop,nop,TS val 20 ecr 70>")
    assert alone[0] == "P?. 1:11(10) ack 1 <TS val $t1 ecr 11>"
    two = steps("0.1 < . 1:11(10) ack 1 <nop,nop,TS val 70 ecr 11>\n0.1 < P. 11:21(10) ack 1 <nop,nop,TS val 70 ecr 11>")
    assert two == ["P?. 1:11(10) ack 1 <TS val * ecr *>", "P?. 11:21(10) ack 1 <TS val * ecr *>"]
