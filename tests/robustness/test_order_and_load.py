"""Neither the order of the cases, nor another run, nor a busy, halting or narrow machine changes a verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from conformance.sut.linux import Linux
from conformance.wire.segment import Family

from .cases import CASES, DIVERSE, write_beside
from .conftest import Start
from .holdings import Holdings
from .program import PATIENCE, Run, as_always, no_test_bed

_HALTS, _HALT = 6, 0.25
"""Seconds: longer than Linux waits before it sends data again. They are over before a case has had all its attempts."""


@pytest.fixture
def cases(tmp_path: Path) -> list[str | os.PathLike[str]]:
    """Arguments for a run of cases that pass and one that fails."""
    return ["--cases", CASES, *DIVERSE, *write_beside(tmp_path / "beside")]


def test_two_runs_at_once_each_in_an_order_of_its_own(start: Start, cases: list[str]) -> None:
    runs = [start(*cases, "--shuffle", "--seed", str(seed), "--jobs", "16") for seed in (1, 2)]
    shares = [Holdings.of(run.pid).shares() for run in runs if run.until_results(1) and not run.ended]
    for run in runs:
        _wait(run)
        as_always(run)
    assert os.geteuid() != 0 or len(shares) < 2 or (len(shares[0]) == len(shares[1]) == 1 and shares[0] != shares[1]), shares
    assert [list(runs[0].cases)[:20]] != [list(runs[1].cases)[:20]], "else the order is not random"


def test_runs_in_other_containers_are_told_apart() -> None:
    """They cannot agree on their peers with this one, and the tracepoint shows what their sockets do: only the ports differ."""
    with patch("conformance.sut.peers._take_part", lambda: None):
        places = [Linux().places.next(Family.IPV4) for _ in range(2)]
    assert places[0].hosts["peer"] == places[1].hosts["peer"] and places[0].ports["peer_port"] != places[1].ports["peer_port"]


def test_a_busy_machine(start: Start, cases: list[str]) -> None:
    run = start(*cases)
    run.until(lambda: bool(run.lines), "the first line of the results")
    with _busy():
        _wait(run)
    as_always(run)


def test_a_machine_that_stands_still_now_and_then(start: Start, cases: list[str]) -> None:
    """As one that is suspended, or a virtual one that is moved: the tester is late, and the stack's timers are not."""
    run = start(*cases)
    run.until_results(1)
    for _ in range(_HALTS):
        if not run.ended:
            run.signal(signal.SIGSTOP)
            time.sleep(_HALT)
            run.signal(signal.SIGCONT)
            time.sleep(0.01)
    _wait(run)
    as_always(run)


def test_few_descriptors(start: Start, cases: list[str]) -> None:
    """A stack does not fail because this process may not open more files; the cases wait for each other instead."""
    run = start(*cases, before=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"])
    _wait(run)
    as_always(run)


def _wait(run: Run) -> None:
    if fault := no_test_bed(run.wait(), run.said):
        pytest.skip(f"no test bed can be made here: {fault}")


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
