"""In what Linux says to Linux, over paths that lose, reorder and repeat, the oracle finds only what is so, wherever it was captured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.capture.reader import CaptureReader
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.judge import Judge

ROOT = Path(__file__).parents[2]
PACKETS = 1500
"""Of a scenario, over both families; those that take few have them all the same."""
TRUE = {
    "sack-of-acknowledged": "in FIN-WAIT Linux acknowledges a FIN before it forgets the SACK blocks that have it: tcp_fin()",
    "syn-no-backoff": "Linux repeats the first SYNs every second: tcp_syn_linear_timeouts",
    "window-shrunk": "Linux takes back some of a window that it cannot scale",
}
"""What is found and is so: rules that Linux does break in such captures, seen in each by eye, and why."""
SCENARIOS = ("requests", "loss-5", "no-options", "half-open")
"""Rougher ones, of which no two runs are alike, are for ``python -m tests.traffic``."""


def judged(path: Path, vantage: Vantage | None) -> list[Connection]:
    """The connections of a capture."""
    connections: list[Connection] = []
    judge = Judge(connections.append, vantage)
    with CaptureReader(path) as reader:
        for seen in reader.packets():
            judge.see(seen)
    judge.end()
    return connections


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_there_is_no_false_alarm(scenario: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.traffic", "--out", str(tmp_path), "--only", scenario, "--packets", str(PACKETS)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if made.returncode == 3:
        pytest.skip(made.stderr)
    assert made.returncode == 0, made.stdout + made.stderr
    alarms = []
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    for capture in manifest:
        for vantage in (Vantage(capture["vantage"]), None):
            connections = judged(tmp_path / capture["file"], vantage)
            assert sum(connection.packets for connection in connections) > 0, capture["file"]
            alarms += [
                f"{capture['file']}, captured {vantage or 'somewhere'}, packet {found.packet}, {found.rule.name}: {found.reason}"
                for connection in connections
                for found in connection.findings
                if found.certain and found.rule.name not in TRUE
            ]
    assert {capture["family"] for capture in manifest} == {"ipv4", "ipv6"}
    assert not alarms, "\n".join(alarms)
