"""``kill -9``; the script does it as often as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[1] / "kill_nine.py"
_CASES = _SCRIPT.parents[1] / "cases/close"


def test_a_run_that_is_killed_leaves_nothing() -> None:
    command = [sys.executable, _SCRIPT, "--times", "3", "--patience", "0", _CASES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    if done.returncode == 3:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.startswith("kill ") for line in lines) == 3 and lines[-1].startswith("3 kills: nothing left; "), done.stdout
