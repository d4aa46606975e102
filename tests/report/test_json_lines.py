"""The results file: written, read back, cut off, and held against its schema."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from conformance.case.errors import CaseError
from conformance.report.comparison import Comparison, DifferenceRecord, Outcome
from conformance.report.json_lines import JsonLines, ResultsError, read_results
from conformance.report.records import CaseRecord, Run, Summary, record_type, results_schema
from conformance.result import CaseResult, Verdict

from .sample import FACTS, failure, result
from .test_safe_text import HOSTILE

BROKEN = CaseError("unknown field", file="handshake/x.yaml", line=3, column=5, found="stepz", allowed=("steps",))

COMPARISON = Comparison(
    id="handshake/passive-open[ipv4]",
    sut="reference",
    golden="linux-6.18",
    outcome=Outcome.HARMLESS,
    verdict=Verdict.PASS,
    golden_verdict=Verdict.PASS,
    differences=(
        DifferenceRecord(
            kind="harmless", what="window", reason="window: 1, not 2", expected="2", actual="1", expected_packet=4, actual_packet=4,
            connection="default",
        ),
    ),
)  # fmt: skip


def results() -> list[CaseResult]:
    return [
        result(),
        result(Verdict.FAIL, attempts=2, capture="out/x.pcapng"),
        result(Verdict.FAIL, level="SHOULD"),
        result(Verdict.FAIL, expected=True, explanation="known"),
        result(Verdict.SKIPPED),
    ]


def write(path: Path | str) -> None:
    with JsonLines(path) as file:
        file.start(Run(suts=(FACTS,), seed=7, arguments=("run", "cases")))
        file.broken(BROKEN)
        for case in results():
            file.case(case)
        file.comparison(COMPARISON)
        file.finish(Summary.of(results(), [BROKEN], 1.5))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "results.jsonl")
    return tmp_path / "results.jsonl"


def test_the_lines_are_what_the_docstring_says(path: Path) -> None:
    found = lines(path)
    assert [line["type"] for line in found] == ["run", "broken", *["case"] * 5, "comparison", "summary"]
    run, broken, first, second = found[:4]
    assert run["schema"] == 1 and run["seed"] == 7 and run["arguments"] == ["run", "cases"]
    assert run["suts"] == [{"name": "linux", "version": "6.1.0", "states_from": "tracepoint", "settings": {"net.ipv4.tcp_sack": "1"}}]
    assert {"python", "kernel", "cpus", "root"} <= run["machine"].keys()
    assert broken == {"type": "broken", "file": "handshake/x.yaml", "line": 3, "column": 5, "message": str(BROKEN)}
    assert first["failure"] is None and first["verdict"] == "pass" and first["family"] == "ipv4"
    assert second["failure"]["differences"] == [{"field": "ack", "expected": "1", "actual": "2"}]
    assert second["failure"]["line"] == 12 and second["states_from"] == "tracepoint" and second["capture"] == "out/x.pcapng"


def test_the_summary_counts(path: Path) -> None:
    assert lines(path)[-1] == {
        "type": "summary",
        "verdicts": {"pass": 1, "fail": 3, "inconclusive": 0, "error": 0, "skipped": 1},
        "violations": 1,
        "deviations": 1,
        "unexpected": 2,
        "broken_cases": 1,
        "seconds": 1.5,
        "interrupted": False,
    }


def test_what_was_written_is_read(path: Path) -> None:
    read = read_results(path)
    assert read.run.suts == (FACTS,) and read.run.seed == 7
    assert read.cases == [CaseRecord.of(case) for case in results()]
    assert read.comparisons == [COMPARISON]
    assert [broken.message for broken in read.broken] == [str(BROKEN)]
    assert read.summary == Summary.of(results(), [BROKEN], 1.5) and not read.truncated


def test_each_line_is_there_as_soon_as_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    file = JsonLines(path)
    file.start(Run())
    file.case(result())
    assert [line["type"] for line in lines(path)] == ["run", "case"]
    file.close()


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write("-")
    print("still open")
    assert capsys.readouterr().out.splitlines()[-1] == "still open"


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_a_killed_run_leaves_what_it_found(path: Path, kept: float) -> None:
    *whole, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole) + last[: max(1, int(len(last) * kept))])
    read = read_results(path)
    assert read.truncated and read.summary is None and len(read.cases) == len(results())


def test_a_whole_last_line_may_lack_its_newline(path: Path) -> None:
    path.write_bytes(path.read_bytes().rstrip())
    read = read_results(path)
    assert read.summary is not None and not read.truncated


def test_fields_that_a_later_version_adds_are_passed_over(path: Path) -> None:
    path.write_text("".join(json.dumps(line | {"later": 1}) + "\n" for line in lines(path)))
    assert len(read_results(path).cases) == len(results())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "holds no results"),
        ('{"type":', "not a results file"),
        ("[]\n", "not a results file"),
        ('{"type": "case"}\n', "not a results file"),
        ('{"type": "run", "schema": 2, "version": "9.9"}\n', "1: schema 2, written by conformance 9.9; this version reads schema 1 only"),
        ('RUN\n{"type": "case", "id": 5\n{}\n', "2: not a line of JSON"),
        ('RUN\n{"type": "verdict"}\n', "2: line: .*verdict"),
        ('RUN\n{"type": "broken", "file": "x", "line": "y", "column": 1, "message": ""}\n', "2: broken.line: .* found 'y'"),
        ("RUN\nRUN\n", "2: a second run"),
    ],
)
def test_errors_name_the_line_and_what_is_wrong(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(content.replace("RUN", json.dumps(dataclasses.asdict(Run()))))
    with pytest.raises(ResultsError, match=complaint):
        read_results(path)


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_any_text_is_kept_and_steers_no_terminal(tmp_path_factory: pytest.TempPathFactory, text: str, other: str) -> None:
    path = tmp_path_factory.mktemp("json") / "results.jsonl"
    case = result(Verdict.FAIL, failure=failure(reason=text, actual=other), explanation=other)
    with JsonLines(path) as file:
        file.start(Run())
        file.case(case)
    assert path.read_text().replace("\n", "").isprintable()
    assert read_results(path).cases == [CaseRecord.of(case)]


def test_the_schema_tells_the_lines_apart_and_says_what_each_has(path: Path) -> None:
    schema = results_schema()
    assert sorted(schema["discriminator"]["mapping"]) == ["broken", "case", "comparison", "run", "summary"]
    for line in lines(path):
        definition = schema["$defs"][schema["discriminator"]["mapping"][line["type"]].rpartition("/")[2]]
        assert set(definition["required"]) == set(definition["properties"]) == set(line)
        record_type().validate_python(line)


def test_the_schema_is_one_that_others_can_use(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(results_schema())
    validator.check_schema(results_schema())
    for line in lines(path):
        validator.validate(line)
    assert not validator.is_valid({"type": "broken", "file": "x"})
    assert not validator.is_valid(lines(path)[2] | {"verdict": "maybe"})
