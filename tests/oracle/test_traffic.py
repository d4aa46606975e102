"""In what Linux says to Linux, over paths that lose, reorder and repeat, the oracle finds only what is so, wherever it was captured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.oracle.finding import Finding
from conformance.oracle.rules import RULES
from tests.traffic.making import chosen
from tests.traffic.scenario import Capture

from .false_alarms import judged_all_ways
from .known import KNOWN, known

ROOT = Path(__file__).parents[2]
PACKETS = 1200
"""Of a scenario, over both families; those that take few have them all the same."""
SCENARIOS = ("requests", "loss-5", "no-options", "half-open", "rough", "reordering-much", "offloads-rough")
"""All of them, and far more packets, are for ``python -m tests.oracle.million``."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_there_is_no_false_alarm(scenario: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.traffic", "--out", str(tmp_path), "--only", scenario, "--packets", str(PACKETS)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if made.returncode == 3:
        pytest.skip(made.stderr)
    assert made.returncode == 0, made.stdout + made.stderr
    captures = [Capture(**entry) for entry in json.loads((tmp_path / "manifest.json").read_text())]
    assert {capture.family for capture in captures} == {"ipv4", "ipv6"}
    said = judged_all_ways(tmp_path, captures)
    assert all(one.packets > 0 < one.connections for one in said)
    assert not (lines := [line for one in said for line in one.lines(tmp_path)]), "\n".join(lines)


def test_what_is_known_is_of_rules_and_scenarios_that_there_are() -> None:
    assert {entry.rule for entry in KNOWN} <= set(RULES)
    assert all(chosen([name]) for entry in KNOWN for name in entry.scenarios)


def test_what_is_known_of_one_scenario_is_not_known_of_another() -> None:
    def found(rule: str, reason: str = "") -> Finding:
        return Finding(RULES[rule], 1, "192.0.2.1:80", 1, 0, True, reason)

    assert known(found("isn-constant"), "wrap-around") is not None and known(found("early-fast-retransmit"), "no-sack") is not None
    assert known(found("isn-constant"), "rough") is None and known(found("ack-of-unsent"), "wrap-around") is None
    assert known(found("stretch-ack", "no ACK for 52 ms, though"), "rough") is not None
    assert known(found("stretch-ack", "no ACK for 520 ms, though"), "rough") is None
