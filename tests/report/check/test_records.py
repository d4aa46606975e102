"""The lines of ``check --json``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from conformance.oracle.finding import Finding, Rule, Vantage
from conformance.report.check.records import (
    CheckLines,
    CheckSummary,
    ConnectionRecord,
    FileRecord,
    FindingRecord,
    check_record_type,
    check_schema,
)
from conformance.report.check.summary import FileSummary

from ..test_safe_text import HOSTILE
from .sample import MS, SERVER, SHOULD, START, connection, finding, summary


def written(path: Path, *, file: str = "field.pcapng") -> list[dict[str, Any]]:
    found = connection(finding(), finding(rule=SHOULD, certain=False), unjudged="one side only")
    with CheckLines(path) as lines:
        lines.connection(file, found)
        total = summary(found)
        total.unread = Counter({"protocol 17": 2, "IP version 9": 5})
        total.wrong, total.offloaded, total.truncated = 1, 2, "octet 9: the file ends"
        lines.file(FileRecord.of(file, total))
        lines.finish(CheckSummary.of(total, 3, 1, 1.23456, interrupted=True))
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_connection_and_its_findings(tmp_path: Path) -> None:
    one, two, three, *_ = written(tmp_path / "x")
    assert one == {
        "type": "connection", "file": "field.pcapng", "number": 2, "client": "192.0.2.1:40000", "server": "192.0.2.2:80", "packets": 40,
        "first": 1, "last": 40, "vantage": "server", "verdict": "violation", "unjudged": "one side only",
    }  # fmt: skip
    assert two == {
        "type": "finding", "file": "field.pcapng", "connection": 2, "endpoint": SERVER, "packet": 6, "time": "1700000000.006000000",
        "requirement": "RFC9293/3.10.7.4-ack-unsent", "rule": "ack-of-unsent", "level": "MUST", "certainty": "certain",
        "reason": "acknowledges 6000, where 1 is all that was sent",
    }  # fmt: skip
    assert (three["level"], three["certainty"]) == ("SHOULD", "ambiguous")


def test_a_file_and_the_summary(tmp_path: Path) -> None:
    *_, file, last = written(tmp_path / "x")
    assert file == {
        "type": "file", "file": "field.pcapng", "packets": 1204, "connections": 1, "violations": 1, "deviations": 0, "ambiguous": 1,
        "unread": 7, "unread_reasons": {"IP version 9": 5, "protocol 17": 2}, "offloaded": 2, "wrong_checksums": 1,
        "truncated": "octet 9: the file ends", "error": "",
    }  # fmt: skip
    assert last.pop("version") and last == {
        "type": "summary", "schema": 1, "files": 3, "broken_files": 1, "packets": 1204, "connections": 1, "violations": 1, "deviations": 0,
        "ambiguous": 1, "unread": 7, "vantages": {"client": 0, "server": 1, "both": 0, "middle": 0}, "seconds": 1.235, "interrupted": True,
    }  # fmt: skip


def test_the_schema_and_the_reader_take_each_line(tmp_path: Path) -> None:
    schema = check_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    kinds = (ConnectionRecord, FindingRecord, FindingRecord, FileRecord, CheckSummary)
    for line, kind in zip(written(tmp_path / "x"), kinds, strict=True):
        validator.validate(line)
        assert isinstance(check_record_type().validate_python(line), kind)
        for name in line:
            assert not validator.is_valid({field: value for field, value in line.items() if field != name}), "every field is always there"


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0.000000000"),
        (1, "0.000000001"),
        (START + 6 * MS, "1700000000.006000000"),
        (-1, "-0.000000001"),
        (1 << 62, "4611686018.427387904"),
    ],
)
def test_times_keep_their_nanoseconds(ns: int, text: str) -> None:
    rule = Rule("x", "RFC1/1", "MUST", "")
    assert FindingRecord.of("x", Finding(rule, 1, SERVER, 1, ns, True, "")).time == text


@settings(deadline=None)
@given(HOSTILE)
def test_a_line_is_ascii_whatever_is_in_it(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "lines"
    assert [line["file"] for line in written(path, file=text)[:4]] == [text] * 4
    assert path.read_text(encoding="ascii").replace("\n", "").isprintable()


def test_what_was_counted_of_several_files_adds_up() -> None:
    total = FileSummary()
    for _ in range(3):
        one = summary(connection(finding()), connection(vantage=Vantage.BOTH, unjudged="one side only"))
        one.unread["protocol 17"] = 4
        one.wrong, one.offloaded = 1, 2
        total.add(one)
    record = FileRecord.of("x", total)
    assert (record.packets, record.connections, record.violations, record.unread) == (3612, 6, 3, 12)
    assert (record.wrong_checksums, record.offloaded) == (3, 6)
    assert total.vantages == {Vantage.SERVER: 3, Vantage.BOTH: 3} and total.unjudged == {"one side only": 3}
