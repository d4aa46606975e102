"""The oracle over a file: what is given to whom, and what ends it early."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.capture import read_pcap
from conformance.engine.checking import judge_file
from conformance.oracle.finding import Connection, Vantage, Verdict
from tests.cli.talk import good, odd, write, wrong


def test_each_connection_is_given_away_and_counted(tmp_path: Path) -> None:
    done: list[Connection] = []
    summary = judge_file(write(tmp_path / "x.pcap", good(), wrong(), odd()), None, done.append)
    assert sorted(connection.number for connection in done) == [1, 2, 3]
    assert (summary.packets, summary.connections, summary.error, summary.truncated) == (29, 3, "", "")
    assert summary.verdicts == {Verdict.CONFORMS: 2, Verdict.VIOLATION: 1} and summary.findings == {Verdict.VIOLATION: 1}
    assert summary.unjudged == {"begins in the middle": 1}


def test_those_that_are_not_asked_for_are_left_out(tmp_path: Path) -> None:
    done: list[Connection] = []
    summary = judge_file(write(tmp_path / "x.pcap", good(), wrong(), odd()), Vantage.SERVER, done.append, only={2})
    assert [(connection.number, connection.vantage) for connection in done] == [(2, Vantage.SERVER)]
    assert (summary.packets, summary.connections, summary.unjudged) == (29, 1, {})


def test_it_ends_when_it_is_told_to_with_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_pcap, "MOST", 5)
    path = write(tmp_path / "x.pcap", good(), wrong(), odd())
    told: list[int] = []

    def going(octets: int) -> bool:
        told.append(octets)
        return len(told) < 4

    done: list[Connection] = []
    judge_file(path, None, done.append, going=going)
    assert len(told) == 4 and told == sorted(told) and 0 < told[-1] <= path.stat().st_size
    assert {connection.number: connection.packets for connection in done} == {1: 10, 2: 10}


@pytest.mark.parametrize("content", [b"", b"no capture", b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1"])
def test_what_is_no_capture_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    summary = judge_file(tmp_path / "x", None, lambda _: None)
    assert (summary.error or summary.truncated) and summary.packets == 0


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    assert judge_file(tmp_path / "none", None, lambda _: None).error == "it cannot be read (No such file or directory)"
    assert judge_file(tmp_path, None, lambda _: None).error == "it cannot be read (Is a directory)"
