"""JUnit XML, as CI systems read it: a suite for each stack, a test case for each case run, the exchange in the failure's text.

JUnit knows no expected failure: such a case run is *skipped* there, with the reason that the expectations give. A verdict
that says nothing of the stack (inconclusive, error) is an *error*, as is a case file that cannot be read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from conformance.report.files import write_report
from conformance.report.judgement import Judgement, judge, topic
from conformance.report.records import Run
from conformance.report.safe_text import xml_text
from conformance.result import CaseResult, SutFacts

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from conformance.case.errors import CaseError

__all__ = ["junit_xml", "write_junit"]

_ELEMENTS = {
    Judgement.AS_EXPECTED: "skipped",
    Judgement.SKIPPED: "skipped",
    Judgement.UNEXPECTED_PASS: "failure",
    Judgement.INCONCLUSIVE: "error",
    Judgement.ERROR: "error",
    Judgement.DEVIATION: "failure",
    Judgement.VIOLATION: "failure",
}
_TOTALS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def write_junit(
    path: str | os.PathLike[str],
    results: Sequence[CaseResult],
    run: Run,
    broken: Sequence[CaseError] = (),
    requirement_texts: Mapping[str, str] | None = None,
) -> None:
    """Write the report; ``-`` is standard output."""
    write_report(path, junit_xml(results, run, broken, requirement_texts))


def junit_xml(
    results: Sequence[CaseResult],
    run: Run,
    broken: Sequence[CaseError] = (),
    requirement_texts: Mapping[str, str] | None = None,
) -> str:
    """The report."""
    suites = ElementTree.Element("testsuites", name="conformance")
    facts = {sut.name: sut for sut in run.suts}
    for name in dict.fromkeys([*facts, *(result.sut for result in results)]):
        mine = [result for result in results if result.sut == name]
        suite = ElementTree.SubElement(suites, "testsuite", name=xml_text(name), timestamp=run.started)
        _properties(suite, run, facts.get(name))
        for result in mine:
            _testcase(suite, result, requirement_texts or {})
        _totals(suite, mine)
    if broken:
        suite = ElementTree.SubElement(suites, "testsuite", name="case files", timestamp=run.started)
        for error in broken:
            testcase = ElementTree.SubElement(suite, "testcase", classname="case files", name=xml_text(error.file), time="0")
            _judgement(testcase, "error", "broken case file", str(error), str(error))
        _totals(suite, [])
    _totals(suites, results)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _properties(suite: Element, run: Run, sut: SutFacts | None) -> None:
    values: dict[str, object] = {"conformance": run.version, "seed": run.seed, **run.machine}
    if sut:
        values |= {"sut version": sut.version, "states from": sut.states_from, **sut.settings}
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=xml_text(name), value=xml_text(str(value)))


def _testcase(suite: Element, result: CaseResult, requirement_texts: Mapping[str, str]) -> None:
    folder, name = topic(result.case.id)
    testcase = ElementTree.SubElement(
        suite,
        "testcase",
        classname=xml_text(folder or result.case.file),
        name=xml_text(name),
        time=f"{result.seconds:.6f}",
        file=xml_text(result.case.file),
    )
    judgement = judge(result)
    if element := _ELEMENTS.get(judgement):
        reason = result.failure.reason if result.failure else ""
        message = result.explanation or reason if judgement.well else reason or result.explanation
        text = "" if element == "skipped" else _explained(result, requirement_texts)
        _judgement(testcase, element, judgement, message or judgement, text)


def _judgement(testcase: Element, element: str, kind: str, message: str, text: str) -> None:
    ElementTree.SubElement(testcase, element, type=kind, message=xml_text(message)).text = xml_text(text)


def _explained(result: CaseResult, requirement_texts: Mapping[str, str]) -> str:
    from conformance.report.ladder import ladder_text  # rich is slow to import, and not needed when all is well

    return ladder_text(result, requirement_texts, width=120)


def _totals(suite: Element, results: Sequence[CaseResult]) -> None:
    """The numbers that the attributes of a suite repeat."""
    kinds = Counter(element.tag for testcase in suite.iter("testcase") for element in testcase)
    suite.set("tests", str(sum(1 for _ in suite.iter("testcase"))))
    for attribute, element in _TOTALS.items():
        suite.set(attribute, str(kinds[element]))
    suite.set("time", f"{sum(result.seconds for result in results):.6f}")
