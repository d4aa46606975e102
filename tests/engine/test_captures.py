"""Recordings as they are made: what goes in, what stays of the one before, and how a run compares with one."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import dpkt
import pytest

from conformance.capture.errors import CaptureError
from conformance.capture.golden import Golden, packed, sections_of
from conformance.capture.trace_file import read_traces
from conformance.case.case import Case
from conformance.engine.against import Against, open_golden
from conformance.engine.captures import Captures, Recording
from conformance.engine.status import UsageError
from conformance.report.comparison import Comparison, Outcome
from conformance.result import CaseResult, Failure, SutFacts, Verdict
from conformance.trace import Endpoints, Event, Received, Sent, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import Family

SUT = SutFacts("toy", "1.0", "stack", {"sack": "on"})


PEER, TOY = (bytes([192, 0, 2, 1]), 40_000), (bytes([192, 0, 2, 2]), 80)


def frame(source: tuple[bytes, int], to: tuple[bytes, int], **fields: int) -> bytes:
    tcp = dpkt.tcp.TCP(sport=source[1], dport=to[1], **fields)
    return bytes(dpkt.ethernet.Ethernet(data=dpkt.ip.IP(src=source[0], dst=to[0], p=dpkt.ip.IP_PROTO_TCP, ttl=64, data=tcp)))


def trace(window: int = 1000, start: int = 5_000) -> Trace:
    """A SYN and what answers it."""
    there = frame(PEER, TOY, flags=dpkt.tcp.TH_SYN, seq=5)
    here = frame(TOY, PEER, flags=dpkt.tcp.TH_SYN | dpkt.tcp.TH_ACK, seq=9, ack=6, win=window)
    ends = Endpoints("default", PEER[0], PEER[1], TOY[0], TOY[1], 5, 9)
    events: list[Event] = [
        Sent(t=start + 10, step=0, frame=there, connection="default"),
        Received(t=start + 20, step=1, frame=here, packet=read_frame(here), connection="default"),
    ]
    return Trace(events=events, connections={"default": ends}, states_from="stack", start=start)


def result(
    name: str = "topic/a[1,ipv4]", verdict: Verdict = Verdict.PASS, *, window: int = 1000, expected: bool | None = None, **changes: object
) -> CaseResult:
    file = name.partition("[")[0] + ".yaml"
    case = Case(name, "A title", file, Family.IPV4, ("RFC9293/MUST-1",), "MUST", (), config={"sack": True})
    failure = None if verdict is Verdict.PASS else Failure(file, 3, "expect: S.", f"because of {verdict}")
    found = CaseResult(case, "toy", verdict, 0.1, failure=failure, trace=trace(window))
    found.expected = verdict is Verdict.PASS if expected is None else expected
    return replace(found, **changes)  # type: ignore[arg-type]


def recorded(folder: Path, *results: CaseResult) -> None:
    recording = Recording(folder, SUT, 7)
    for one in results:
        recording.add(one)
    recording.finish()


def test_each_case_file_is_a_file_with_all_that_is_known_of_its_runs(tmp_path: Path) -> None:
    recording = Recording(tmp_path, SUT, 7)
    for one in (result(), result("topic/a[2,ipv4]", Verdict.FAIL), result("topic/b[ipv4]")):
        recording.add(one)
    done = recording.finish()
    assert (done.runs, done.files, done.unjudged) == (3, 2, 0)
    assert done.octets == sum(path.stat().st_size for path in tmp_path.rglob("*.gz"))
    first, second = read_traces(tmp_path / "topic/a.pcapng.gz")
    assert (first.case, first.verdict, first.sut, first.seed, first.config) == ("topic/a[1,ipv4]", "pass", SUT, 7, {"sack": True})
    assert (second.case, second.verdict, second.reason) == ("topic/a[2,ipv4]", "fail", "because of fail")
    assert first.trace.events == trace().events


def test_the_date_does_not_show(tmp_path: Path) -> None:
    later = result()
    later.trace = trace(start=99_000_000_000)
    recorded(tmp_path / "now", result())
    recorded(tmp_path / "later", later)
    now, then = (next(read_traces(tmp_path / when / "topic/a.pcapng.gz")) for when in ("now", "later"))
    assert now.trace.start == 5_000 and then.trace.start == 99_000_000_000
    sizes = [len(gzip.decompress((tmp_path / when / "topic/a.pcapng.gz").read_bytes())) for when in ("now", "later")]
    assert sizes[1] - sizes[0] <= 12, "but for the start that the trace counts from"


def test_what_could_not_be_judged_is_not_recorded_unless_that_is_what_is_known(tmp_path: Path) -> None:
    recording = Recording(tmp_path, SUT, 7)
    recording.add(result("topic/a[1,ipv4]", Verdict.INCONCLUSIVE))
    recording.add(result("topic/a[2,ipv4]", Verdict.ERROR))
    recording.add(result("topic/a[3,ipv4]", Verdict.INCONCLUSIVE, expected=True))
    recording.add(result("topic/a[4,ipv4]", Verdict.SKIPPED, trace=Trace()))
    done = recording.finish()
    assert (done.runs, done.unjudged) == (1, 2)
    assert set(sections_of(tmp_path / "topic/a.pcapng.gz")) == {"topic/a[3,ipv4]"}


def test_runs_that_are_not_played_again_stay_if_there_still_are_such_cases(tmp_path: Path) -> None:
    recorded(tmp_path, *(result(f"topic/a[{number},ipv4]") for number in range(3)))
    before = sections_of(tmp_path / "topic/a.pcapng.gz")
    recording = Recording(tmp_path, SUT, 8)
    recording.add(result("topic/a[1,ipv4]", window=5))
    recording.finish({"topic/a[1,ipv4]", "topic/a[2,ipv4]"})
    after = sections_of(tmp_path / "topic/a.pcapng.gz")
    assert list(after) == ["topic/a[1,ipv4]", "topic/a[2,ipv4]"]
    assert after["topic/a[2,ipv4]"] == before["topic/a[2,ipv4]"] and after["topic/a[1,ipv4]"] != before["topic/a[1,ipv4]"]


def test_a_damaged_recording_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "topic").mkdir()
    (tmp_path / "topic/a.pcapng.gz").write_bytes(b"\x1f\x8bnothing")
    recorded(tmp_path, result())
    assert set(sections_of(tmp_path / "topic/a.pcapng.gz")) == {"topic/a[1,ipv4]"}


# Compared -------------------------------------------------------------------------------------------------------------


def compared(folder: Path, *results: CaseResult, complete: bool = False) -> list[Comparison]:
    against = Against(Golden(folder))
    found = list(against.compare(results, "toy", complete=complete))
    assert against.errors == []
    return found


@pytest.mark.parametrize(
    ("there", "here", "outcome", "kinds"),
    [
        (result(), result(), Outcome.SAME, []),
        (result(), result(window=7), Outcome.HARMLESS, ["harmless"]),
        (result(), result(window=0), Outcome.OTHER, ["allowed", "harmless"]),
        (result(), result(trace=Trace()), Outcome.OTHER, ["allowed"]),
        (result(verdict=Verdict.FAIL), result(verdict=Verdict.FAIL), Outcome.SAME, []),
        (result(verdict=Verdict.FAIL), result(), Outcome.VERDICT, []),
        (result(), result(verdict=Verdict.FAIL, window=7), Outcome.VERDICT, ["harmless"]),
        (result(), result("topic/a[2,ipv4]"), Outcome.ONLY_HERE, []),
        (result(), result(verdict=Verdict.SKIPPED, trace=Trace()), Outcome.ONLY_THERE, []),
    ],
)
def test_how_a_run_compares(tmp_path: Path, there: CaseResult, here: CaseResult, outcome: Outcome, kinds: list[str]) -> None:
    recorded(tmp_path, there)
    (one,) = compared(tmp_path, here)
    assert (one.outcome, [difference.kind for difference in one.differences]) == (outcome, kinds)
    assert one.verdict is here.verdict and one.golden == tmp_path.name and one.sut == "toy"


def test_both_verdicts_and_their_reasons_are_said(tmp_path: Path) -> None:
    recorded(tmp_path, result(verdict=Verdict.FAIL))
    (one,) = compared(tmp_path, result(verdict=Verdict.INCONCLUSIVE))
    assert (one.golden_verdict, one.golden_reason, one.verdict, one.reason) == (
        Verdict.FAIL, "because of fail", Verdict.INCONCLUSIVE, "because of inconclusive",
    )  # fmt: skip


def test_what_only_the_recording_has_is_said_of_a_whole_run(tmp_path: Path) -> None:
    recorded(tmp_path, result(), result("topic/b[ipv4]"))
    assert [one.outcome for one in compared(tmp_path, result())] == [Outcome.SAME]
    last = compared(tmp_path, result(), complete=True)[-1]
    assert (last.id, last.outcome, last.verdict) == ("topic/b[ipv4]", Outcome.ONLY_THERE, None)


def test_a_run_compares_with_the_captures_of_another(tmp_path: Path) -> None:
    captures = Captures(tmp_path, SUT, 7, virtual=True)
    captures.write(result())
    captures.write(result("topic/a[x/y,ipv4]"))
    assert [one.outcome for one in compared(tmp_path, result(), result("topic/a[x/y,ipv4]"))] == [Outcome.SAME, Outcome.SAME]


def test_a_damaged_recording_costs_its_case_file_alone(tmp_path: Path) -> None:
    recorded(tmp_path, result(), result("topic/b[ipv4]"))
    path = tmp_path / "topic/a.pcapng.gz"
    path.write_bytes(path.read_bytes()[:-30])
    against = Against(Golden(tmp_path))
    found = list(against.compare([result(), result("topic/b[ipv4]")], "toy", complete=False))
    assert [one.id for one in found] == ["topic/b[ipv4]"] and len(against.errors) == 1 and str(path) in against.errors[0]


@pytest.mark.parametrize("given", ["golden/toy-1.0", "captures/golden/toy-1.0"])
def test_a_recording_is_found_as_it_is_given_and_below_captures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.chdir(tmp_path)
    recorded(tmp_path / "captures/golden/toy-1.0", result())
    assert open_golden(Path(given), Path("cases")).name == "toy-1.0"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    if not given.startswith("captures"):
        assert open_golden(Path(given), tmp_path / "cases").name == "toy-1.0", "beside the case folder"


def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere, here or below captures: `conformance record` writes one"):
        open_golden(tmp_path / "nowhere", tmp_path)
    with pytest.raises(UsageError, match="holds no recordings"):
        open_golden(tmp_path, tmp_path)


def test_packed_sections_are_what_sections_of_reads(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng.gz"
    path.write_bytes(packed({}))
    assert sections_of(path) == {}
    with pytest.raises(CaptureError):
        sections_of(tmp_path / "nowhere")
