"""Neither the order of the cases, nor another run, nor a busy, halting or narrow machine changes a verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .cases import CASES, DIVERSE, write_failing
from .conftest import Start
from .program import PATIENCE, Run, no_test_bed, verdicts

_RUNS = 90
"""More case runs than these are in DIVERSE."""
_HALTS = 15
"""They last longer than the first round of cases, and not as long as all that a case is given."""


@pytest.fixture
def cases(tmp_path: Path) -> list[str | os.PathLike[str]]:
    """Arguments for a run of cases that pass and one that fails."""
    return ["--cases", CASES, *DIVERSE, write_failing(tmp_path / "failing") / "topic/fails.yaml"]


def test_a_random_order(play: Callable[..., Run], cases: list[str]) -> None:
    _as_always(play(*cases, "--shuffle", "--seed", "1", "--jobs", "16"))


def test_two_runs_at_once(start: Start, cases: list[str]) -> None:
    runs = [start(*cases), start(*cases)]
    for run in runs:
        _wait(run)
        _as_always(run)


def test_a_busy_machine(start: Start, cases: list[str]) -> None:
    with _busy():
        run = start(*cases)
        _wait(run)
    _as_always(run)


def test_a_machine_that_stands_still_now_and_then(start: Start, cases: list[str]) -> None:
    """As one that is suspended, or a virtual one that is moved: the tester is late, and the stack's timers are not."""
    run = start(*cases)
    run.until(lambda: bool(run.lines), "the first line of the results")
    for _ in range(_HALTS):
        if not run.ended:
            run.signal(signal.SIGSTOP)
            time.sleep(0.12)
            run.signal(signal.SIGCONT)
            time.sleep(0.03)
    _wait(run)
    _as_always(run)


def test_few_descriptors(start: Start, cases: list[str]) -> None:
    """A stack does not fail because this process may not open more files; the cases wait for each other instead."""
    run = start(*cases, before=["sh", "-c", 'ulimit -n 50; exec "$@"', "sh"])
    _wait(run)
    _as_always(run)


def _wait(run: Run) -> None:
    if fault := no_test_bed(run.wait(), run.said):
        pytest.skip(f"no test bed can be made here: {fault}")


def _as_always(run: Run) -> None:
    failing = {"topic/fails[ipv4]": "fail", "topic/fails[ipv6]": "fail"}
    found = {name: verdict for name, verdict in verdicts(run.cases).items() if verdict != "pass"}
    assert found == failing, [case["failure"] for case in run.cases.values() if case["failure"]]
    assert len(run.cases) > _RUNS and run.process.returncode == 1 and not run.summary["interrupted"]


@contextmanager
def _busy() -> Iterator[None]:
    """Keep all processors busy, and then some; what does so ends by itself too, if it must."""
    program = f"import signal; signal.alarm({PATIENCE})\nwhile True: pass"
    spinners = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2 * len(os.sched_getaffinity(0)))]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
        for spinner in spinners:
            spinner.wait()
