"""The command that looks for false alarms among a million packets sees one, and tells it from what is known."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.oracle.million import main
from tests.traffic.pcap import packets
from tests.traffic.scenario import Capture

REGRESSIONS = Path(__file__).parents[2] / "captures/regressions"


def judged(folder: Path, name: str, scenario: str, more: int = 0) -> int:
    """The exit status for a capture, told to be of this scenario and to have so many packets more than it has."""
    path = shutil.copy(REGRESSIONS / f"{name}.pcap", folder)
    capture = Capture(Path(path).name, scenario, "ipv4", "middle", "", packets(Path(path)) + more, 262144, "", {}, {"left": {}})
    (folder / "manifest.json").write_text(json.dumps([asdict(capture)]))
    return main(["--judge", str(folder)])


def test_what_is_certain_and_not_known_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(tmp_path, "window-shrunk", "bulk") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("window-shrunk (RFC9293/SHLD-14, deviation)") for line in lines if line.startswith(f"  {tmp_path}")] == [1, 1]
    assert lines[-1].endswith("left: 2, failed: 0")


def test_what_is_known_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(tmp_path, "window-shrunk", "shrinking-window") == 0
    assert "2 × window-shrunk" in capsys.readouterr().out


def test_a_capture_is_judged_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(tmp_path, "window-shrunk", "shrinking-window", more=1) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("left: 0, failed: 2")
