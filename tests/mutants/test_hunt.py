"""The machinery, on something small."""

from __future__ import annotations

from pathlib import Path

import pytest

from .__main__ import hunt
from .equivalent import Claim, claimed
from .equivalent import read as read_claims
from .mutant import Mutant
from .report import Report
from .toy import FILE, Toy, planted

ADDITION = planted("result += number", "result -= number")
BOUNDARY = planted("number > LIMIT", "number >= LIMIT")  # at the limit both give the limit
LIMIT = planted("LIMIT = 10", "LIMIT = 11")
HANG = planted("result += number", "while True: pass")
DEEP_HANG = planted("result += number", "result = sum(range(10 ** 15))")
GREEDY = planted("result += number", "result = bytes(1 << 40)")
EXIT = planted("result += number", "raise SystemExit(0)")
BROKEN = planted("LIMIT = 10", "LIMIT = [][0]")
DIES = planted("result += number", "__import__('os').kill(__import__('os').getpid(), 9)")


def played(folder: Path, *mutants: Mutant, toy: Toy | None = None) -> Report:
    told: list[str] = []
    return hunt(toy or Toy(), mutants, range(len(mutants)), folder, 2, told.append)


def test_what_is_noticed_is_killed_and_by_whom_is_said(tmp_path: Path) -> None:
    report = played(tmp_path, ADDITION, LIMIT)
    assert [report.status(number) for number in (0, 1)] == ["killed", "killed"]
    assert report.json()["generated"]["all"][1]["by"] == "total/two"
    assert report.outcomes[0].reason == "-3 instead of 3"
    assert report.score(False) == 100.0 and not report.mistakes


def test_what_is_not_noticed_survives(tmp_path: Path) -> None:
    report = played(tmp_path, BOUNDARY, ADDITION)
    assert [report.status(number) for number in (0, 1)] == ["survived", "killed"]
    assert report.score(False) == 50.0
    assert report.mistakes == ["50.0 % of the generated mutants are killed, and 95 % should be"]
    assert "- if number > LIMIT:\n    + if number >= LIMIT:" in report.text()
    assert "2 runs come through it" in report.text()


def test_a_curated_mutant_that_survives_is_a_mistake(tmp_path: Path) -> None:
    report = played(tmp_path, planted("number > LIMIT", "number >= LIMIT", curated=True))
    assert report.mistakes == ["the curated mutant number > LIMIT → number >= LIMIT survived"]


@pytest.mark.parametrize("mutant", [HANG, DEEP_HANG], ids=["in Python", "in one instruction"])
def test_a_hang_ends_and_counts_as_killed(tmp_path: Path, mutant: Mutant) -> None:
    report = played(tmp_path, mutant)
    assert report.status(0) == "timeout" and report.outcomes[0].killed
    assert report.json()["generated"]["all"][0]["by"] == "total/two"


@pytest.mark.parametrize("mutant", [GREEDY, EXIT, BROKEN], ids=["memory", "exit", "not loaded"])
def test_what_breaks_counts_as_killed(tmp_path: Path, mutant: Mutant) -> None:
    assert played(tmp_path, mutant).status(0) == "killed"


def test_a_process_that_dies_counts_as_killed(tmp_path: Path) -> None:
    report = played(tmp_path, DIES, BOUNDARY)
    assert [report.outcomes[number].killed for number in (0, 1)] == [True, False]
    assert report.outcomes[0].reason == "signal 9"


def test_where_no_run_comes_through_nothing_is_played(tmp_path: Path) -> None:
    report = played(tmp_path, ADDITION, toy=Toy(["clipped/low"]))
    assert report.status(0) == "survived" and report.outcomes[0].played == 0
    assert "no run comes through it" in report.text()


def test_a_run_that_fails_without_a_bug_is_not_played(tmp_path: Path) -> None:
    toy = Toy()
    toy.judge = lambda: lambda number: "always" if number == 0 else None  # type: ignore[method-assign]
    report = played(tmp_path, ADDITION, toy=toy)
    assert report.mistakes[0].startswith("total/two does not end as expected on the stack without a bug")
    assert report.status(0) == "survived"


def test_what_is_known_is_not_played_again(tmp_path: Path) -> None:
    first = played(tmp_path, BOUNDARY, ADDITION, toy=Toy(["total/two", "clipped/low"]))
    assert [first.status(number) for number in (0, 1)] == ["survived", "killed"]
    size = (tmp_path / "results.jsonl").stat().st_size
    again = played(tmp_path, BOUNDARY, ADDITION, toy=Toy(["total/two", "clipped/low"]))
    assert [again.outcomes[number].seconds for number in (0, 1)] == [0.0, 0.0]
    assert (tmp_path / "results.jsonl").stat().st_size == size
    # With a new run the survivor is played against that one only; the other stays killed.
    more = played(tmp_path, BOUNDARY, ADDITION, toy=Toy(["total/two", "clipped/low", "clipped/high"]))
    assert more.outcomes[0].seconds and more.outcomes[0].played == 2 and not more.outcomes[1].seconds
    # Without the run that noticed it is played again.
    less = played(tmp_path, ADDITION, toy=Toy(["total/none"]))
    assert less.status(0) == "survived"


@pytest.mark.parametrize("kind", ["same", "allowed"])
def test_equivalent_mutants_do_not_count_and_must_survive(tmp_path: Path, kind: str) -> None:
    claim = Claim(FILE, "", "if number > LIMIT:", "if number >= LIMIT:", kind, "at the limit it is the same number")
    report = played(tmp_path, BOUNDARY, ADDITION)
    report.claims, errors = claimed([claim], report.mutants)
    assert not errors and report.status(0) == kind and report.score(False) == 100.0 and not report.mistakes
    noticed = Claim(FILE, "", "result += number", "result -= number", kind, "no")
    report.claims, errors = claimed([claim, noticed], report.mutants)
    assert report.mistakes == [f"equivalent: {noticed}: total/two notices"]


def test_entries_about_nothing_or_about_more_than_one_are_errors() -> None:
    gone = Claim(FILE, "", "no such line", "pass", "same", "…")
    here = Claim(FILE, "", "if number > LIMIT:", "if number >= LIMIT:", "same", "…")
    assert "there is no such mutant" in claimed([gone], [BOUNDARY])[1][0]
    assert "nth: says which" in claimed([here], [BOUNDARY, BOUNDARY])[1][0]
    assert "said twice" in claimed([here, here], [BOUNDARY])[1][0]


def test_an_entry_names_several_mutations_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "tcp.yaml").write_text('- {function: f, line: a, mutations: [b, c], kind: allowed, why: "either will do"}\n')
    assert [claim.key for claim in read_claims(tmp_path)] == [("conformance/stack/tcp.py", "f", "a", mutation) for mutation in "bc"]


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("{line: x, mutations: [y], kind: same}", "why is missing"),
        ("{line: x, mutations: y, kind: same, why: z}", "mutations is wrong"),
        ("{line: x, mutations: [y], kind: other, why: z}", "kind is other and should be one of same, allowed"),
        ("{line: x, mutations: [y], kind: same, why: z, file: f}", "file is none of"),
        ("text", "found no mapping"),
    ],
)
def test_an_entry_that_is_not_whole_is_named(tmp_path: Path, entry: str, wrong: str) -> None:
    (tmp_path / "tcp.yaml").write_text(f"- {entry}\n")
    with pytest.raises(ValueError, match=rf"tcp.yaml: entry 1: {wrong}"):
        read_claims(tmp_path)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "tcp.yaml").write_text("- line: if x: y\n")
    with pytest.raises(ValueError, match=r"tcp.yaml: mapping values are not allowed here .* line 1"):
        read_claims(tmp_path)
