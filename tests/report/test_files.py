"""Report files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.report.files import write_report


def test_a_report_replaces_the_one_before_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    write_report(path, "old")
    write_report(path, "nëw")
    assert path.read_text("utf-8") == "nëw" and os.listdir(tmp_path) == ["report.xml"]


def test_a_report_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    write_report(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_report(path, "\ud800")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["report.xml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "latest.tap"
    link.symlink_to(tmp_path / "run.tap")
    write_report(link, "TAP")
    assert link.is_symlink() and (tmp_path / "run.tap").read_text() == "TAP"


def test_a_device_is_written_and_not_replaced() -> None:
    write_report("/dev/null", "text")
    assert not Path("/dev/null").is_file()


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_report("-", "text")
    assert capsys.readouterr().out == "text"


def test_a_report_is_readable_as_far_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_report(tmp_path / "r", "")
    finally:
        os.umask(before)
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o644
