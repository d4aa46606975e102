"""Recordings become cases that say what happened, and that pass where they were recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.capture.import_settings import written_settings
from conformance.capture.import_story import StoryError
from conformance.capture.import_trace import story_of_trace
from conformance.capture.importing import case_data
from conformance.case.case import Case
from conformance.case.loader import Suite, load_suite
from conformance.case.yaml_reader import read_file
from conformance.result import CaseResult, Verdict
from conformance.sut import registry
from conformance.sut.base import AnySut
from conformance.trace import Called, Endpoints, Returned, Trace
from tests.capture.round_trip import CASES, EXCEPTIONS, exemptions, play, round_trip

SAMPLE = {
    "handshake/passive-open": "", "handshake/simultaneous-open": "", "handshake/isn-wrap": "data", "handshake/closed-port": "",
    "close/data-then-fin": "", "data/urgent-sent": "", "data/send-order": "", "header/checksum-wrong-data": "", "header/reserved-bits": "",
    "ip/fragments-in-any-order": "2", "ip/fragment-atomic-ipv6": "", "ip/header-length": "", "ip/total-length-ipv4": "",
    "ip/source-route-given-ipv4": "", "icmp/echo": "", "icmp/bad-checksum-ipv6": "", "path-mtu/too-big-ipv4": "",
    "timestamps/answers": "", "fast-open/client-newest-cookie": "", "fast-open/server-takes-data": "", "time-wait/reopened": "",
    "backlog/cookie-mss": "", "sack/merge": "", "window/zero-probed": "", "sockets/connect-blocking": "", "sockets/keepalive": "",
    "timers/backoff": "", "ecn/ece-halves": "", "isn/ephemeral-range": "", "sockets/poll-data": "", "linux/linger2-negative": "",
    "icmp/unused-port-ipv6": "", "icmp/echo-to-group-ipv6": "", "ip/source-of-a-packet-ipv6": "",
    "ip/source-of-a-datagram-ipv4": "loopback",
}  # fmt: skip
"""Case files, and what the runs of them that count have in their names: something of everything that a case can do."""


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(CASES, [CASES / f"{name}.yaml" for name in SAMPLE])


@pytest.fixture(scope="module")
def reference() -> Iterator[AnySut]:
    sut = registry.make("reference")
    yield sut
    sut.close()


@pytest.fixture(scope="module")
def chosen(suite: Suite) -> list[Case]:
    return [case for case in suite.cases if SAMPLE[case.file.removesuffix(".yaml")] in case.id]


def recorded(case: Case, sut: AnySut) -> CaseResult:
    (result,) = play(sut, [case], 1)
    assert result.verdict is Verdict.PASS
    return result


def imported(case: Case, sut: AnySut) -> dict[str, object]:
    story = story_of_trace(recorded(case, sut).trace, written_settings(case.config))
    return case_data(story, case.title, case.requirements)[0]


def lines(case: Case, sut: AnySut) -> list[str]:
    """The steps on a line each, with all that stands beside them."""
    steps = imported(case, sut)["steps"]
    assert isinstance(steps, list)
    return [" | ".join(f"{key}: {value}" for key, value in step.items()) for step in steps]


def named(suite: Suite, case_id: str) -> Case:
    return next(case for case in suite.cases if case.id == case_id)


def test_each_case_of_the_sample_is_there(suite: Suite) -> None:
    assert not suite.errors
    assert {case.file.removesuffix(".yaml") for case in suite.cases} == set(SAMPLE)


def test_what_was_recorded_comes_back(suite: Suite, chosen: list[Case], reference: AnySut) -> None:
    outcomes = round_trip(reference, suite, chosen)
    assert len(outcomes) == len(chosen)
    assert [f"{outcome.id}: {outcome.reason}" for outcome in outcomes if not outcome.passed and not outcome.explained] == []


def test_most_comes_back_without_the_calls(suite: Suite, chosen: list[Case], reference: AnySut) -> None:
    outcomes = [one for one in round_trip(reference, suite, chosen, packets=True) if one.verdict != "import"]
    assert sum(outcome.passed for outcome in outcomes) >= 0.7 * len(outcomes)


def test_the_steps_of_a_handshake(suite: Suite, reference: AnySut) -> None:
    found = lines(named(suite, "handshake/passive-open[ipv4]"), reference)
    assert found[:3] == ["call: s = socket()", "call: bind(s, port)", "call: listen(s, 8)"]
    assert found[3] == "inject: S 0:0(0) <mss 1460> | after: 100ms"
    assert found[-1].startswith("states: LISTEN → SYN-RECEIVED → ESTABLISHED")


def test_timestamps_of_the_sut_become_variables(suite: Suite, reference: AnySut) -> None:
    case = next(case for case in suite.cases if case.file == "timestamps/answers.yaml")
    found = " ".join(lines(case, reference))
    assert re.search(r"expect: S\. 0:0\(0\) ack 1 <mss 1460,TS val \$t0 ecr 1000>", found)
    assert "ecr $t0" in found


@pytest.mark.parametrize(
    ("name", "injected"),
    [
        ("icmp/unused-port-ipv6", {"protocol": 17, "raw": {"tcp+4": "0014ffe0"}}),
        ("icmp/echo-to-group-ipv6", {"dst": "multicast", "raw": {"0": "3333000000fb", "ip+39": "01", "ip+44": "000000fa"}}),
    ],
)
def test_what_makes_up_for_what_is_written_over_in_a_checksum_still_does(
    suite: Suite, reference: AnySut, name: str, injected: dict[str, object]
) -> None:
    steps = imported(named(suite, f"{name}[ipv6]"), reference)["steps"]
    assert isinstance(steps, list) and steps[0]["with"] == injected


def test_of_octets_that_hold_a_checksum_of_each_run_only_the_number_is_expected(suite: Suite, reference: AnySut) -> None:
    covered, plain = (named(suite, f"ip/source-of-a-{name}]") for name in ("packet-ipv6[loopback,ipv6", "datagram-ipv4[loopback,ipv4"))
    assert lines(covered, reference)[-1].startswith("call: recv(s, 100) = 12 ")
    assert lines(plain, reference)[-1].startswith('call: recv(s, 100) = "\\0\\0')


def test_a_connection_that_is_opened_again_is_a_new_incarnation(suite: Suite, reference: AnySut) -> None:
    case = next(case for case in suite.cases if case.file == "time-wait/reopened.yaml")
    connections = imported(case, reference)["connections"]
    assert isinstance(connections, dict)
    assert [one for one in connections.values() if one.get("reuse") == "default"]


def test_settings_come_back_as_they_are_written() -> None:
    config = {"sack": True, "ecn": "off", "rto_min": 1_500_000_000, "fin_timeout": 60_000_000_000, "mtu": 1400, "unheard_of": 1}
    assert written_settings(config) == {"sack": "on", "ecn": "off", "rto_min": "1500ms", "fin_timeout": "60s", "mtu": 1400}


def test_a_trace_of_calls_alone() -> None:
    trace = Trace(connections={"default": Endpoints("default", bytes((192, 0, 2, 9)), 40000, bytes((192, 0, 2, 1)), 0, 7)})
    trace.add(Called(t=1, step=0, text="s = socket()"))
    trace.add(Returned(t=2, step=0, text="socket() = s"))
    trace.add(Called(t=3, step=1, text='send(s, "a)b") = EPIPE'))
    trace.add(Returned(t=4, step=1, text='send(s, "a)b") = -1 ENOTCONN'))
    steps, _ = case_data(story_of_trace(trace), "x", ["RFC9293/3.5"])
    assert steps["steps"] == [{"call": "s = socket()"}, {"call": 'send(s, "a)b") = ENOTCONN'}]


def test_a_trace_of_nothing_is_no_case() -> None:
    with pytest.raises(StoryError, match="nothing happens"):
        story_of_trace(Trace())


def test_exceptions_name_cases_that_there_are() -> None:
    """Each has a reason and stands for some file of the suite."""
    assert read_file(EXCEPTIONS).data
    for entry in exemptions():
        assert entry.reason and set(entry.suts) <= set(registry.SUTS)
        assert list(Path(CASES).glob(entry.case.partition("[")[0] + ".yaml")), entry.case
