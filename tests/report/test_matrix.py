"""Topics × stacks: how a cell counts, what the table says of it, and how several results become one file."""

from __future__ import annotations

import io

import pytest

from conformance.report.json_lines import Results
from conformance.report.matrix import Cell, Matrix, merge
from conformance.report.records import CaseRecord, Run, Summary
from conformance.result import SutFacts, Verdict


def record(id: str, verdict: Verdict, sut: str = "one", expected: bool = False) -> CaseRecord:
    return CaseRecord(
        id=id,
        sut=sut,
        family="ipv4",
        verdict=verdict,
        expected=expected,
        level="MUST",
        requirements=(),
        seconds=0,
        attempts=1,
        states_from="",
    )


def results(sut: str, *cases: CaseRecord) -> Results:
    verdicts = {verdict: sum(case.verdict is verdict for case in cases) for verdict in Verdict}
    summary = Summary(verdicts=verdicts, violations=1, deviations=0, unexpected=1, broken_cases=0, seconds=1)
    return Results(Run(suts=(SutFacts(sut, "1.0", "adapter"),)), list(cases), summary=summary)


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        ([], "·"),
        ([Verdict.SKIPPED], "–"),
        ([Verdict.PASS, Verdict.PASS, Verdict.SKIPPED], "2"),
        ([Verdict.FAIL], "0 ✗1"),
        ([Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE], "1 ✗1 ?2"),
    ],
)
def test_a_cell_counts_what_came(verdicts: list[Verdict], text: str) -> None:
    cell = Cell()
    for verdict in verdicts:
        cell.take(record("topic/case[ipv4]", verdict))
    assert cell.text().plain == text


def test_failures_that_are_all_known_are_not_red() -> None:
    for expected, colour in ((True, "yellow"), (False, "red")):
        cell = Cell()
        cell.take(record("topic/case[ipv4]", Verdict.FAIL, expected=expected))
        assert colour in {str(span.style) for span in cell.text().spans}


def shown(interrupted: bool = False) -> list[str]:
    one = results("one", record("a/x[ipv4]", Verdict.PASS), record("b/y[c/d,ipv4]", Verdict.FAIL))
    two = results("two", record("b/y[c/d,ipv4]", Verdict.PASS, "two"))
    out = io.StringIO()
    Matrix.of({"one": one, "two": two}, {"three": "no \x1b[31mtools"}).show(out, 2.4, "again", interrupted)
    return out.getvalue().splitlines()


def test_the_table_has_topics_and_stacks() -> None:
    rows = {words[0]: words[1:] for words in map(str.split, shown()) if words}
    assert (rows["topic"], rows["a"], rows["b"]) == (["one", "two"], ["1", "·"], ["0", "✗1", "1"])
    assert (rows["all"], rows["skipped"]) == (["1", "✗1", "1"], ["·", "·"])
    assert "one: 1.0" in shown() and "3 case runs on 2 stacks in 2 s; again shows why" in shown()


def test_a_stack_that_did_not_run_is_named_and_nothing_reaches_the_terminal() -> None:
    assert any(line.startswith("three did not run: no ") for line in shown()) and "\x1b" not in "".join(shown())


def test_an_interrupted_run_says_so() -> None:
    assert shown(interrupted=True)[-1].startswith("interrupted after 3 case runs on 2 stacks")


def test_several_results_become_one_file() -> None:
    one, two = results("one", record("a/x[ipv4]", Verdict.PASS)), results("two", record("a/x[ipv4]", Verdict.FAIL, "two"))
    lines = list(merge([one, two], ("run", "--sut", "one,two"), 3.0, interrupted=False))
    assert [line["type"] for line in lines] == ["run", "case", "case", "summary"]
    assert [sut["name"] for sut in lines[0]["suts"]] == ["one", "two"] and lines[0]["arguments"] == ("run", "--sut", "one,two")
    assert (lines[-1]["verdicts"][Verdict.PASS], lines[-1]["verdicts"][Verdict.FAIL], lines[-1]["violations"]) == (1, 1, 2)
    assert list(merge([], (), 0.0, interrupted=True)) == []
