"""The stack behind a TAP device and Linux: files pass whole both ways over a bad link, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.robustness.holdings import Holdings

ROOT = Path(__file__).parents[2]
BED = Path(__file__).with_name("tap_bed.py")
LIMIT = 110
BAD_LINK = ("--loss=2%", "--duplicate=2%", "--reorder=2%", "--seed=1")

pytestmark = [pytest.mark.timeout(LIMIT + 10), pytest.mark.parametrize("family", ["ipv4", "ipv6"])]


def play(scenario: str, family: str, octets: int, *options: str) -> dict[str, Any]:
    """What the bed says in the end. It leads a session, and nothing of what it made may be left."""
    bed = subprocess.Popen(
        [sys.executable, str(BED), scenario, family, str(octets), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    try:
        assert bed.stdout is not None
        held = Holdings.of(bed.pid) if bed.stdout.readline() == "ready\n" else None
        said, complaint = bed.communicate(timeout=LIMIT)
        left = held.left() if held else []
    finally:
        with suppress(ProcessLookupError):
            os.killpg(bed.pid, signal.SIGKILL)
        bed.wait()
    if bed.returncode == 3:
        pytest.skip(f"no TAP device in a network namespace here: {complaint.strip()}")
    assert bed.returncode == 0, complaint
    assert held and held.namespaces and not left, left
    assert "stack0" not in Path("/proc/net/dev").read_text()
    result: dict[str, Any] = json.loads(said)
    return result


@pytest.mark.parametrize("scenario", ["serve", "fetch"])
def test_twenty_megabytes_pass_whole_over_a_bad_link(scenario: str, family: str) -> None:
    result = play(scenario, family, 20_000_000, *BAD_LINK)
    for way in ("in", "out"):
        line = next(line for line in result["said"].splitlines() if line.startswith(f"link {way}: "))
        assert all(word in line for word in ("lost", "duplicated", "reordered")), line
    assert result["received"] == result["sent"] and result["status"] == 0, result


@pytest.mark.parametrize("octets", [100, 4000], ids=["one-packet", "in-fragments"])
def test_what_linux_sends_to_the_echo_server_comes_back(octets: int, family: str) -> None:
    result = play("echo", family, octets)
    assert result["received"] == result["sent"] and result["status"] == 0, result


def test_a_client_that_waits_is_ended_by_a_signal_and_closes_its_connection(family: str) -> None:
    result = play("signal", family, 0)
    assert result["said"].startswith("GET /source HTTP/1.0\r\n") and result["status"] == 128 + signal.SIGINT, result
