"""Ctrl-C, and being asked to end: what is known by then is reported, and nothing is left."""

from __future__ import annotations

import platform
import re
import signal
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.report.json_lines import read_results

from .cases import CASES, write_hanging
from .conftest import Start
from .holdings import Holdings, host_devices
from .program import Run, no_test_bed, verdicts

_BLOCKING = {"x86_64": (288, 42, 45, 44, 3), "aarch64": (242, 203, 207, 206, 57)}.get(platform.machine(), ())
"""The numbers of accept4, connect, recvfrom, sendto and close."""
_FEW = 30
"""Seconds. The cases would hang for ten times as long; to end takes less than one, on a machine that is not busy."""
_SIGNALS = pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@pytest.mark.skipif(not _BLOCKING, reason="the numbers of this machine's system calls are not known here")
@_SIGNALS
def test_a_run_that_is_interrupted_while_calls_hang(start: Start, tmp_path: Path, number: int, status: int) -> None:
    run = start("--cases", write_hanging(tmp_path / "cases"))
    _skip_without_test_bed(run, run.until(lambda: len(run.cases) == 4 and run.asleep_in(_BLOCKING) == 10, "ten calls that hang"))
    held, known = Holdings.of(run.pid), run.cases
    assert len(held.namespaces) >= 2 and len(held.sockets) > 20, "else it is not seen whether they go"

    begun = time.monotonic()
    run.signal(number)
    assert run.wait() == status
    assert time.monotonic() - begun < _FEW

    assert run.cases == known and sorted(set(verdicts(known).values())) == ["fail", "pass"]
    assert run.summary["interrupted"] and run.summary["violations"] == 2 and run.summary["verdicts"]["pass"] == 2
    assert read_results(run.json).summary is not None
    root = ElementTree.parse(run.junit).getroot()
    assert (root.get("tests"), root.get("failures")) == ("4", "2")
    assert run.tap.read_text().splitlines()[1] == "1..4" and run.tap.read_text().splitlines()[-1] == "Bail out! interrupted"
    assert re.search(r"interrupted after 4 of 14 case runs on linux in .*: 2 pass, 2 violations", run.said) and "Traceback" not in run.said
    assert [*held.left(), *host_devices(), *held.instances(), *run.litter()] == []


@_SIGNALS
def test_a_run_that_is_interrupted_as_soon_as_it_begins(start: Start, tmp_path: Path, number: int, status: int) -> None:
    run = start("--cases", write_hanging(tmp_path / "cases"))
    _skip_without_test_bed(run, run.until(lambda: bool(run.lines), "the first line of the results"))
    held = Holdings.of(run.pid)
    run.signal(number)
    assert run.wait() == status and "Traceback" not in run.said
    assert run.summary["interrupted"]
    assert [*held.left(), *host_devices(), *held.instances(), *run.litter()] == []


def test_impatience(start: Start) -> None:
    """Ctrl-C again and again ends a run no otherwise than once."""
    run = start("--cases", CASES, CASES / "close", CASES / "reset")
    _skip_without_test_bed(run, run.until_results(10))
    held = Holdings.of(run.pid)
    while not run.ended:
        run.signal(signal.SIGINT)
        time.sleep(0.005)
    assert run.wait() == 130 and "Traceback" not in run.said
    assert run.summary["interrupted"] and len(run.cases) >= 10
    assert ElementTree.parse(run.junit).getroot().get("tests") == str(len(run.cases))
    assert [*held.left(), *host_devices(), *held.instances(), *run.litter()] == []


def _skip_without_test_bed(run: Run, came: bool) -> None:
    if not came:
        fault = no_test_bed(run.wait(), run.said)
        assert fault, f"it ended before that: {run.said}"
        pytest.skip(f"no test bed can be made here: {fault}")
