"""``conformance run`` as a process that can be watched, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from .holdings import Holdings

__all__ = ["PATIENCE", "Run", "as_always", "no_test_bed", "verdicts"]

PATIENCE = 100
"""Seconds to wait for what must come; on a busy machine it may well take some."""
_LOOK = 0.01
"""Seconds between two looks."""


class Run:
    """A run that goes on beside this process, in a folder of its own for all that it writes. A context manager that leaves nothing."""

    def __init__(self, *arguments: str | os.PathLike[str], before: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="conformance-test-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.folder.chmod(0o777)  # the run may be that of another user
        self.temporary, self.reports = self.folder / "tmp", self.folder / "reports"
        for folder in (self.temporary, self.reports):
            folder.mkdir()
            folder.chmod(0o777)
        self.json, self.junit, self.tap = (self.reports / name for name in ("results.jsonl", "junit.xml", "results.tap"))
        reports = ["--json", self.json, "--junit", self.junit, "--tap", self.tap]
        self._said = (self.folder / "said").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "conformance", "run", *arguments, *reports],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(self.temporary), **(env or {})},
            cwd=self.folder,
        )
        self.pid = self.process.pid

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The whole lines of the results that are there by now."""
        text = self.json.read_text() if self.json.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def cases(self) -> dict[str, dict[str, Any]]:
        """Of those, the case runs by their ids."""
        return {line["id"]: line for line in self.lines if line["type"] == "case"}

    @property
    def summary(self) -> dict[str, Any]:
        """The last line."""
        assert self.lines and self.lines[-1]["type"] == "summary", self.said
        return self.lines[-1]

    @property
    def said(self) -> str:
        """What it printed."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")

    @property
    def ended(self) -> bool:
        """Is it over?"""
        return self.process.poll() is not None

    def until(self, condition: Callable[[], bool], what: str) -> bool:
        """Wait until something is so, or the run is over; was it so?"""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.ended:
                return condition()
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {PATIENCE} s for {what}: {self.said}")
            time.sleep(_LOOK)
        return True

    def until_results(self, number: int) -> bool:
        """Wait for so many case runs."""
        return self.until(lambda: self._written() >= number, f"{number} case runs")

    def _written(self) -> int:
        return self.json.read_bytes().count(b'\n{"type": "case"') if self.json.exists() else 0

    def asleep_in(self, calls: Sequence[int]) -> int:
        """How many of its threads sleep in one of these system calls."""
        numbers = [str(call) for call in calls]
        found = 0
        for task in Path(f"/proc/{self.pid}/task").glob("*/syscall"):
            try:
                found += task.read_text().split()[0] in numbers
            except OSError:
                continue
        return found

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its status, as a shell has it."""
        status = self.process.wait(PATIENCE)
        return status if status >= 0 else 128 - status

    def kill(self) -> Holdings:
        """Kill it in the middle of what it does, and say what it held then."""
        self.signal(signal.SIGSTOP)
        self.until(lambda: self._stopped(), "SIGSTOP")
        held = Holdings.of(self.pid)
        self.signal(signal.SIGKILL)
        self.wait()
        return held

    def _stopped(self) -> bool:
        """Do all its threads stand still?"""
        states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        return all(state in "TtZ" for state in states)

    def litter(self) -> list[str]:
        """What it left in the folder for temporary files, or beside its reports."""
        reports = (self.json, self.junit, self.tap)
        return [str(path) for folder in (self.temporary, self.reports) for path in folder.iterdir() if path not in reports]

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.ended:
            self.process.kill()
            self.process.wait()
        self._said.close()
        self._folder.cleanup()


def no_test_bed(status: int, said: str) -> str | None:
    """Why this machine cannot make a test bed, if that is how a run ended."""
    return said.strip().splitlines()[-1] if status == 3 and "namespace" in said else None


def as_always(run: Run) -> None:
    """Of a run of DIVERSE and the case that fails: its verdicts are what they are on an idle machine, by root, in the order of names."""
    failing = {"topic/fails[ipv4]": "fail", "topic/fails[ipv6]": "fail"}
    found = {name: verdict for name, verdict in verdicts(run.cases).items() if verdict != "pass"}
    assert found == failing, [case["failure"] for case in run.cases.values() if case["failure"]]
    assert len(run.cases) > 90 and run.process.returncode == 1 and not run.summary["interrupted"]


def verdicts(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Ids and verdicts."""
    return {name: case["verdict"] for name, case in cases.items()}
