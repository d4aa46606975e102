"""What it costs to have reports at hand."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "json_lines",
        "junit",
        "tap",
        "records",
        "judgement",
        "words",
        "files",
        "lines",
        "check.records",
        "check.summary",
        "check.notes",
        "check.progress",
    ],
)
@pytest.mark.parametrize("library", ["rich", "pydantic"])
def test_only_the_console_needs_rich_and_only_readers_need_pydantic(module: str, library: str) -> None:
    program = f"import sys, conformance.report.{module}; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
