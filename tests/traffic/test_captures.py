"""Captures that are made without tcpdump have what passed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conformance.capture.reader import CaptureReader
from conformance.wire.segment import Segment
from tests.sut.needs import namespaces

from .scenario import make
from .scenarios import SCENARIOS


@namespaces
@pytest.mark.parametrize("installed", [True, False], ids=["tcpdump", "no tcpdump"])
def test_both_ends_see_the_same_connection(installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        monkeypatch.setattr(shutil, "which", lambda _: None)
    refused = next(scenario for scenario in SCENARIOS if scenario.name == "refused")
    seen = []
    for capture in make(refused, "ipv4", tmp_path, 0, seed=1):
        with CaptureReader(tmp_path / capture.file) as reader:
            segments = [packet.packet for packet in reader.packets() if isinstance(packet.packet, Segment)]
        assert all(segment.checksum_ok for segment in segments)
        seen.append([(segment.sport, segment.dport, segment.seq, segment.flags) for segment in segments])
    assert len(seen[0]) == 20 and seen[0] == seen[1]
