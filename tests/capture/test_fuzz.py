"""Some of ``make fuzz`` in every run, and that it would notice something."""

from __future__ import annotations

from random import Random

import pytest

from conformance.capture import network, transport
from conformance.capture.network import Unread

from . import fuzz
from .mutate import MUTATIONS, mutated, records
from .samples import samples


@pytest.mark.parametrize("first", range(0, 250, 50))
def test_some_captures_that_are_wrong(first: int) -> None:
    found = fuzz.run(first, 50)
    assert not found.finds, found.finds[0][1]
    assert found.counts["captures"] == 50 and found.counts["packets"] > 50


def test_a_capture_is_made_again_from_its_seed() -> None:
    assert fuzz.made(77) == fuzz.made(77) != fuzz.made(78)


def test_the_project_s_captures_are_among_what_it_begins_with_and_its_recordings_are_not() -> None:
    folders = {path.relative_to(fuzz.CAPTURES).parts[0] for path in fuzz.kept()}
    assert folders == {"regressions"}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_mutation_changes_something_and_takes_anything(mutation: type[mutated]) -> None:  # type: ignore[valid-type]
    data = samples()["kinds"]
    assert any(mutation(data, Random(seed)) != data for seed in range(20))  # type: ignore[operator]
    for seed in range(20):
        for short in (b"", b"\n", data[:5], data[:30]):
            mutation(short, Random(seed))  # type: ignore[operator]


def test_records_are_found() -> None:
    assert len(records(samples()["micro"])[1]) == 47
    assert len(records(samples()["modified"])[1]) == 47
    assert len(records(samples()["kinds"])[1]) == len(records(samples()["kinds-big"])[1]) == 57


def planted(*_: object) -> None:
    raise ValueError("planted")


def test_an_exception_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "Network", planted)
    monkeypatch.setattr(fuzz, "made", lambda _: samples()["micro"])
    finds = fuzz.run(1, 1).finds
    assert finds and "planted" in finds[0][1]


def test_a_disagreement_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(*_: object) -> tuple[bool, bool]:
        return True, False

    monkeypatch.setattr(transport, "_checksum", blind)
    monkeypatch.setattr(fuzz, "made", lambda _: samples()["micro"])
    finds = fuzz.run(1, 1).finds
    assert finds and "offloaded" in finds[0][1]


def test_a_loop_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    def forever(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "LONGEST", 0.05)
    monkeypatch.setattr(fuzz, "agree", forever)
    finds = fuzz.run(1, 1).finds
    assert finds and "processor time" in finds[0][1]


def test_memory_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "MOST_MEMORY", 1000)
    finds = fuzz.run(0, 1).finds
    assert finds and "octets of memory" in finds[0][1]


def test_the_reader_says_why_by_an_exception_of_its_own() -> None:
    assert not issubclass(Unread, (ValueError, AssertionError)), "else a bug would look like a packet that is not read"
