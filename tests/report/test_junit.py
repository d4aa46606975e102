"""JUnit XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from conformance.case.errors import CaseError
from conformance.report.junit import junit_xml, write_junit
from conformance.report.records import Run
from conformance.result import CaseResult, SutFacts, Verdict

from .sample import FACTS, failure, result
from .test_safe_text import HOSTILE

RUN = Run(suts=(FACTS,), seed=7)


def parsed(results: list[CaseResult], run: Run = RUN, broken: tuple[CaseError, ...] = ()) -> ElementTree.Element:
    return ElementTree.fromstring(junit_xml(results, run, broken))


def test_a_pass_is_a_test_case_without_more() -> None:
    (testcase,) = parsed([result()]).iter("testcase")
    assert testcase.attrib == {
        "classname": "handshake",
        "name": "passive-open[ipv4]",
        "time": "0.250000",
        "file": "handshake/passive-open.yaml",
    }
    assert not list(testcase)


@pytest.mark.parametrize(
    ("verdict", "changes", "element", "kind", "message"),
    [
        (Verdict.FAIL, {}, "failure", "violation", "The segment differs in its ack."),
        (Verdict.FAIL, {"level": "SHOULD"}, "failure", "deviation", "The segment differs in its ack."),
        (Verdict.FAIL, {"expected": True, "explanation": "known"}, "skipped", "as expected", "known"),
        (Verdict.PASS, {"expected": False, "explanation": "mended?"}, "failure", "unexpected pass", "mended?"),
        (Verdict.INCONCLUSIVE, {}, "error", "inconclusive", "The segment differs in its ack."),
        (Verdict.ERROR, {"failure": None}, "error", "error", "error"),
        (Verdict.SKIPPED, {"failure": failure(reason="lacks sack")}, "skipped", "skipped", "lacks sack"),
    ],
)
def test_each_judgement_has_its_element(verdict: Verdict, changes: dict[str, object], element: str, kind: str, message: str) -> None:
    (testcase,) = parsed([result(verdict, **changes)]).iter("testcase")  # type: ignore[arg-type]
    (found,) = testcase
    assert (found.tag, found.get("type"), found.get("message")) == (element, kind, message)
    assert bool(found.text) is (element != "skipped")


def test_a_failure_shows_the_exchange() -> None:
    text = parsed([result(Verdict.FAIL)]).findtext(".//failure")
    assert text and "S. 0:0(0) ack 1" in text and "handshake/passive-open.yaml:12" in text


def test_suites_count_what_is_in_them() -> None:
    other = result(Verdict.ERROR)
    other.sut = "reference"
    run = Run(suts=(FACTS, SutFacts("reference", "0.1.0", "stack"), SutFacts("idle", "", "none")))
    root = parsed([result(), result(Verdict.FAIL), result(Verdict.SKIPPED), other], run)
    counts = {suite.get("name"): [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")] for suite in root}
    assert counts == {
        "linux": ["3", "1", "0", "1", "0.750000"],
        "reference": ["1", "0", "1", "0", "0.250000"],
        "idle": ["0", "0", "0", "0", "0.000000"],
    }
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped", "time")] == ["4", "1", "1", "1", "1.000000"]


def test_the_properties_say_what_was_tested_and_where() -> None:
    properties = {item.get("name"): item.get("value") for item in parsed([]).iter("property")}
    assert properties["sut version"] == "6.1.0" and properties["net.ipv4.tcp_sack"] == "1" and properties["seed"] == "7"
    assert "kernel" in properties


def test_a_broken_case_file_is_an_error() -> None:
    root = parsed([], broken=(CaseError("unknown step", file="a/b.yaml", line=3, column=1),))
    (error,) = root.iter("error")
    assert error.text == "a/b.yaml:3:1: unknown step" and root.get("errors") == "1"


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_any_text_can_be_in_it(text: str, other: str) -> None:
    hostile = result(Verdict.FAIL, case_id=text, failure=failure(reason=text, actual=other, step=other), explanation=text)
    hostile.sut = other
    run = Run(suts=(SutFacts(text, other, text, {text: other}),))
    junit_xml([hostile], run, (CaseError(text, file=other),)).encode()
    assert len(list(parsed([hostile], run).iter("failure"))) == 1


def test_it_is_written(tmp_path: Path) -> None:
    write_junit(tmp_path / "junit.xml", [result()], RUN)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert root.tag == "testsuites"
