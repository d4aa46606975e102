"""The yardstick: of the planted bugs the notes say which show on the wire, and a handful of them is found, and only where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case.loader import load_suite
from tests.mutants import curated
from tests.mutants.subject import ROOT

from . import notes
from .films import Suite, hunted, plain
from .judging import against_sut, seen
from .mutants import FOUND, scored

BUGS = {bug.name: bug for bug in curated.read()}
HANDFUL = (
    "checksum-of-odd-length",
    "delayed-ack-too-late",
    "dsack-repeated",
    "ect-on-retransmission",
    "no-rto-backoff",
    "overlap-not-trimmed",
    "paws-skipped",
    "rst-answered",
)
WHERE = (
    "data/ack-within-500ms.yaml",
    "data/duplicate-after-read.yaml",
    "data/rto-backoff.yaml",
    "ecn/cwr-after-timeout.yaml",
    "header/checksum-sent.yaml",
    "options/timestamps-old.yaml",
    "reset/closed-rst.yaml",
    "sack/duplicate-below.yaml",
)
"""A file of cases for each of them."""


def test_each_bug_has_one_note() -> None:
    known = notes.read()
    assert set(known.bugs) == set(BUGS)
    assert [name for name, note in known.bugs.items() if bool(note.shows) == bool(note.invisible)] == []
    assert [name for name, note in known.bugs.items() if note.shows and not note.rule] == []


def test_the_notes_name_requirements() -> None:
    known, register = notes.read(), {requirement.id for requirement in load_suite(ROOT / "cases").register}
    named = {requirement for group in known.equal for requirement in group}
    named |= {requirement for note in known.bugs.values() for requirement in note.by}
    assert named <= register, named - register


@pytest.fixture(scope="module")
def suite() -> Suite:
    return Suite(only=[ROOT / "cases" / name for name in WHERE])


def quiet(_text: str) -> None:
    """Nobody waits for this."""


def test_a_handful_is_found(suite: Suite, tmp_path: Path) -> None:
    known = notes.read()
    bugs = [BUGS[name] for name in HANDFUL]
    found = {bug.name: scored(bug, films, known).status for bug, films in hunted(suite, bugs, 2, 2, quiet, folder=tmp_path)}
    assert found == dict.fromkeys(HANDFUL, FOUND)


def test_nothing_is_found_without_a_bug(suite: Suite, tmp_path: Path) -> None:
    numbers = [number for number in range(len(suite.runs)) if suite.profile(number) == "rfc"]
    films = plain(suite, numbers, 2, quiet, folder=tmp_path)
    assert len(films) > 2 * len(WHERE)
    found = [(film.case, finding.reason) for film in films.values() for finding in against_sut(seen(film.frames))]
    assert found == []


def test_what_fails_does_not_end_a_film(suite: Suite, tmp_path: Path) -> None:
    (_, films), *_ = hunted(suite, [BUGS["no-rto-backoff"]], 1, 1, quiet, folder=tmp_path)
    (film,) = films
    assert film.failed.startswith("expect: ")
    packets = seen(film.frames)
    assert 0 < film.ended < len(packets)
    assert [packet.number for packet in packets] == list(range(1, len(packets) + 1))
    assert [packet.t for packet in packets] == sorted(packet.t for packet in packets)
    assert packets[-1].outbound, "what else passes on the link says how long the capture went on"
