"""``python -m conformance.stack``: help that helps, and one line for what was asked wrongly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 60
GOOD = ("--tap", "stack0", "--address", "192.0.2.1/24")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance.stack", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=LIMIT)


def test_the_help_names_programs_and_options() -> None:
    done = run("--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in (
        "--tap",
        "--address",
        "--gateway",
        "--loss",
        "--seed",
        "--config",
        "echo",
        "http",
        "fetch",
        "send",
        "receive",
        "Exit status",
    ):
        assert word in done.stdout, word
    assert "$ unshare --user --map-root-user --net sh\n" in done.stdout


@pytest.mark.parametrize("program", ["echo", "http", "fetch", "send", "receive"])
def test_each_program_has_help(program: str) -> None:
    done = run(*GOOD, program, "--help")
    assert done.returncode == 0 and "Usage: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--tap", "stack0", "echo"], "--address"),
        (["--address", "192.0.2.1/24", "echo"], "--tap"),
        ([*GOOD, "gopher"], "gopher"),
        ([*GOOD, "--address", "192.0.2.300/24", "echo"], "192.0.2.300"),
        ([*GOOD, "--gateway", "router", "echo"], "router"),
        ([*GOOD, "--loss", "120%", "echo"], "120%"),
        ([*GOOD, "--reorder", "1.2.3", "echo"], "1.2.3"),
        ([*GOOD, "--delay", "10", "echo"], "'10' is no duration"),
        ([*GOOD, "--mac", "01:00:5e:00:00:01", "echo"], "01:00:5e:00:00:01"),
        ([*GOOD, "--config", "colour=red", "echo"], "colour"),
        ([*GOOD, "--config", "sack=perhaps", "echo"], "sack"),
        ([*GOOD, "http", "--folder", "/nowhere"], "/nowhere"),
        ([*GOOD, "send", "192.0.2.2", "0", "1"], "PORT"),
        ([*GOOD, "send", "somebody", "9", "1"], "somebody"),
    ],
)
def test_what_is_asked_wrongly_is_refused(arguments: list[str], complaint: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == "" and complaint in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_device_that_cannot_be_had_is_one_line() -> None:
    done = run("--tap", "lo", "--address", "192.0.2.1/24", "echo")
    assert done.returncode == 3 and done.stdout == ""
    assert done.stderr.startswith("conformance.stack: ") and len(done.stderr.splitlines()) == 1, done.stderr
