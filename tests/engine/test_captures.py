"""Recordings as they are made: what goes in, what stays of the one before, and how a run compares with one."""

from __future__ import annotations

import gzip
import io
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import dpkt
import pytest
from rich.console import Console

from conformance.capture.errors import CaptureError
from conformance.capture.golden import Golden, packed, sections_of
from conformance.capture.trace_file import read_traces
from conformance.case.case import Case
from conformance.case.errors import CaseError
from conformance.case.steps import SilenceStep, Source
from conformance.engine.against import Against, open_golden
from conformance.engine.captures import Captures, Recording
from conformance.engine.status import UsageError
from conformance.engine.varying import load_varying
from conformance.report.comparison import Comparison, Outcome
from conformance.report.comparison_table import comparison_blocks
from conformance.result import CaseResult, Failure, SutFacts, Verdict
from conformance.trace import Endpoints, Event, Received, Sent, Trace
from conformance.wire.read import read_frame
from conformance.wire.segment import Family

ROOT = Path(__file__).parents[2]
SUT = SutFacts("toy", "1.0", "stack", {"sack": "on"})
STEP = SilenceStep(source=Source("topic/a.yaml", 5, 5, "silence: 1ms"), duration=1)


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


def test_what_the_stack_does_once_more_stays_as_it_was(tmp_path: Path) -> None:
    recorded(tmp_path, result("topic/a[1,ipv4]"), result("topic/a[2,ipv4]"))
    before = sections_of(tmp_path / "topic/a.pcapng.gz")
    recording = Recording(tmp_path, replace(SUT, version="1.1"), 8)
    recording.add(result("topic/a[1,ipv4]", trace=trace(start=70_000)))
    recording.add(result("topic/a[2,ipv4]", trace=trace(start=70_000, window=5)))
    assert recording.finish().unchanged == 1
    after = sections_of(tmp_path / "topic/a.pcapng.gz")
    assert after["topic/a[1,ipv4]"] == before["topic/a[1,ipv4]"] and after["topic/a[2,ipv4]"] != before["topic/a[2,ipv4]"]


@pytest.mark.parametrize(
    "change", [{"verdict": Verdict.FAIL}, {"case": replace(result().case, steps=(STEP,))}, {"case": replace(result().case, config={})}]
)
def test_a_case_run_of_which_anything_else_is_said_is_recorded_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    recorded(tmp_path, result())
    recording = Recording(tmp_path, SUT, 7)
    recording.add(replace(result(), **change))
    assert recording.finish().unchanged == 0


def test_a_damaged_recording_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "topic").mkdir()
    (tmp_path / "topic/a.pcapng.gz").write_bytes(b"\x1f\x8bnothing")
    recorded(tmp_path, result())
    assert set(sections_of(tmp_path / "topic/a.pcapng.gz")) == {"topic/a[1,ipv4]"}


# Compared -------------------------------------------------------------------------------------------------------------


def compared(folder: Path, *results: CaseResult, known: Collection[str] | None = None) -> list[Comparison]:
    against = Against(Golden(folder))
    found = list(against.compare(results, "toy", known))
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
    recorded(tmp_path, result(), result("topic/b[ipv4]"), result("topic/slow[ipv4]"))
    assert [one.outcome for one in compared(tmp_path, result())] == [Outcome.SAME]
    _, last = compared(tmp_path, result(), known=["topic/a[1,ipv4]", "topic/slow[ipv4]"])
    assert (last.id, last.outcome, last.verdict) == ("topic/b[ipv4]", Outcome.ONLY_THERE, None)


def test_what_is_skipped_and_not_recorded_is_not_said(tmp_path: Path) -> None:
    recorded(tmp_path, result())
    assert compared(tmp_path, result("topic/a[2,ipv4]", Verdict.SKIPPED, trace=Trace())) == []


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({}, False),
        ({"steps": ()}, True),
        ({"config": {"sack": False}}, True),
        ({"steps": (replace(STEP, duration=2),)}, True),
        ({"steps": (replace(STEP, source=Source("elsewhere.yaml", 99, 9, "silence: 1ms"), why="as before"),)}, False),
        ({"title": "Another one", "file": "topic/a.yaml"}, False),
    ],
)
def test_a_case_that_has_changed_since_is_told(tmp_path: Path, change: dict[str, Any], changed: bool) -> None:
    before, now = result(), result()
    before.case = replace(before.case, steps=(STEP,))
    now.case = replace(before.case, **change)
    recorded(tmp_path, before)
    assert [one.changed for one in compared(tmp_path, now)] == [changed]


def test_changed_cases_and_those_of_which_there_is_one_are_named(tmp_path: Path) -> None:
    recorded(tmp_path, result(), result("topic/gone[ipv4]"))
    now = result()
    now.case = replace(now.case, steps=(STEP,))
    found = compared(
        tmp_path, now, result("topic/new[1,ipv4]"), result("topic/new[2,ipv4]"), known=["topic/a[1,ipv4]", "topic/new[1,ipv4]"]
    )
    console = Console(width=100, file=io.StringIO())
    console.print(*comparison_blocks(found, "toy", "toy-1.0", None))
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines[-4:] == [
        "1 the same",
        "2 only here topic/new",
        "1 only in the recording topic/gone",
        "1 of these have changed since they were recorded topic/a",
    ]


VARIES = """\
- {cases: ["topic/x*", "topic/a[*]"], differs: [zero*, window], reason: it is drawn}
- {cases: [topic/b*], differs: [extra ACK], reason: it is not}
"""


@pytest.mark.parametrize(
    ("here", "varies"),
    [
        (result(), ""),
        (result(window=7), "it is drawn"),
        (result(window=0), "it is drawn"),
        (result(trace=Trace()), ""),
        (result(verdict=Verdict.FAIL, window=7), ""),
    ],
)
def test_in_what_a_stack_differs_from_itself_is_told(tmp_path: Path, here: CaseResult, varies: str) -> None:
    recorded(tmp_path, result())
    (tmp_path / "varies.yaml").write_text(VARIES)
    found = compared(tmp_path, here)
    assert [one.varies for one in found] == [varies]
    console = Console(width=100, file=io.StringIO())
    console.print(*comparison_blocks(found, "toy", "toy-1.0", None))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert ("1  differ as the recorded stack does from run to run  topic/a" in said, "≠" in said) == (
        bool(varies), found[0].outcome in (Outcome.OTHER, Outcome.VERDICT) and not varies,
    )  # fmt: skip


def test_what_varies_on_one_stack_says_nothing_of_another(tmp_path: Path) -> None:
    recorded(tmp_path, result())
    (tmp_path / "varies.yaml").write_text(VARIES)
    (one,) = Against(Golden(tmp_path)).compare([result(window=7)], "other")
    assert (one.outcome, one.varies) == (Outcome.HARMLESS, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {cases: [a], differs: [], reason: r}", ":1"),
        ("- {cases: [a], differ: [x], reason: r}", "differs is missing"),
        ("a: b", "list"),
        ("[", "YAML"),
    ],
)
def test_mistakes_in_what_varies(tmp_path: Path, text: str, said: str) -> None:
    recorded(tmp_path, result())
    (tmp_path / "varies.yaml").write_text(text)
    with pytest.raises(CaseError, match=said):
        Against(Golden(tmp_path))


def test_the_recordings_of_linux_say_what_varies_of_cases_that_there_are() -> None:
    folder = ROOT / "captures" / "golden" / "linux-6.18"
    names = [str(path.relative_to(ROOT / "cases").with_suffix("")) for path in (ROOT / "cases").rglob("*.yaml")]
    names += [f"regressions/{path.stem}" for path in (ROOT / "captures" / "regressions").glob("*.yaml")]
    assert load_varying(folder)
    for entry in load_varying(folder):
        assert any(entry.cases.fullmatch(f"{name}{run}") for name in names for run in ("", "[x]")), entry.cases


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
    found = list(against.compare([result(), result("topic/b[ipv4]")], "toy"))
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
