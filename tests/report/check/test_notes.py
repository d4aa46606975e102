"""The comments of an annotated capture."""

from __future__ import annotations

import pytest

from conformance.report.check import notes as module
from conformance.report.check.notes import Notes

from .sample import SERVER, SHOULD, connection, finding


def test_each_finding_stands_at_its_packet() -> None:
    notes = Notes()
    notes.take(connection(finding(6), finding(6, rule=SHOULD), finding(9, certain=False)))
    rule = "RFC9293/3.10.7.4-ack-unsent"
    assert notes.texts == {
        6: [
            f"{rule} (violation) ack-of-unsent by {SERVER}: acknowledges 6000, where 1 is all that was sent",
            f"RFC9293/SHLD-18 (deviation) late-ack by {SERVER}: acknowledges 6000, where 1 is all that was sent",
        ],
        9: [f"{rule} (ambiguous) ack-of-unsent by {SERVER}: acknowledges 9000, where 1 is all that was sent"],
    }
    assert notes.dropped == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    monkeypatch.setattr(module, "MOST_OF_A_PACKET", 3)
    notes = Notes()
    for packet in range(100):
        notes.take(connection(*[finding(packet)] * 4))
    assert {packet: len(texts) for packet, texts in notes.texts.items()} == {0: 3, 1: 3, 2: 3, 3: 1}
    assert notes.dropped == 390
