"""What was asked for makes no sense: a line on standard error says why, the status is 2, and nothing has run."""

from __future__ import annotations

from pathlib import Path

import pytest

from .program import CASES, Done, Folder, here


def test_an_unknown_sut(suite: Folder) -> None:
    said = _refused(here("run", "--cases", suite.path, "--sut", "bsd"))
    assert said == "conformance: there is no SUT 'bsd': linux" or said.startswith("conformance: there is no SUT 'bsd': linux, ")


def test_an_unknown_source_of_states(suite: Folder) -> None:
    said = _refused(here("run", "--cases", suite.path, "--states", "guess"))
    assert said == "conformance: there is no source of states 'guess': auto, tracepoint, inet_diag"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--family", "ipv5", ["--family", "'ipv5'", "ipv4", "ipv6"]),
        ("--family", "", ["--family", "''", "ipv4", "ipv6"]),
        ("--family", "ipv4,,ipv6", ["--family", "ipv4", "ipv6"]),
        ("--jobs", "0", ["--jobs", "1"]),
        ("--seed", "now", ["--seed", "int"]),
        ("--sed", "1", ["--sed"]),
    ],
)
def test_an_option_that_is_not_one(suite: Folder, option: str, value: str, words: list[str]) -> None:
    done = here("run", "--cases", suite.path, option, value)
    assert (done.status, done.out) == (2, "")
    said = done.err.splitlines()[-1]
    assert said.startswith("Error: ") and all(word in said for word in words), said


def test_an_unknown_command() -> None:
    done = here("ran")
    assert (done.status, done.out) == (2, "") and "'ran'" in done.err.splitlines()[-1]


def test_no_case_is_selected(suite: Folder) -> None:
    said = _refused(here("run", "--cases", suite.path, "-k", "neither"))
    assert said == f"conformance: no case is selected, of 4 in {suite.path}"


def test_no_case_is_selected_but_for_slow_ones(suite: Folder) -> None:
    slow = (suite.path / "topic/passes.yaml").read_text().replace("steps:", "tags: [slow]\nsteps:")
    suite.write("topic/slow.yaml", slow)
    said = _refused(here("run", "--cases", suite.path, "-k", "topic/slow"))
    assert said == f"conformance: no case is selected, of 6 in {suite.path}; 2 are marked slow and run with --slow"
    done = here("run", "--cases", suite.path, "-k", "topic/slow", "--sut", "reference", "--json", "-")
    assert done.status == 0 and len(done.cases) == 2, "a virtual clock waits for nothing"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("open and", "'open and' ends where a word is expected"),
        ("(open", "a parenthesis is not closed"),
        ("open)", "'and' or 'or' is expected before ')'"),
        ("or open", "'or' stands where a word is expected"),
        ("open close", "'and' or 'or' is expected before 'close'"),
        ("not", "'not' ends where a word is expected"),
    ],
)
@pytest.mark.parametrize("command", ["run", "list"])
def test_a_bad_expression(suite: Folder, command: str, expression: str, words: str) -> None:
    said = _refused(here(command, "--cases", suite.path, "-k", expression))
    assert said.startswith("conformance: -k ") and words in said


def test_a_case_folder_that_does_not_exist(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    assert f"there is no {missing}" in _refused(here("run", "--cases", missing))
    assert str(missing) in _refused(here("list", "--cases", missing))
    shown = here("show", "--cases", missing, "open")
    assert shown.status == 2 and f"{missing}: no such file or folder" in shown.err


def test_a_path_that_does_not_exist(suite: Folder) -> None:
    missing = suite.path / "topic/pases.yaml"
    assert f"there is no {missing}" in _refused(here("run", "--cases", suite.path, suite.path / "topic/passes.yaml", missing))
    assert str(missing) in _refused(here("list", "--cases", suite.path, missing))


def test_a_path_that_is_too_long() -> None:
    assert "too long" in _refused(here("run", "--cases", "x" * 5000))
    assert "too long" in _refused(here("list", "--cases", "x" * 5000))


def test_an_empty_case_folder(folder: Folder) -> None:
    assert _refused(here("run", "--cases", folder.path)) == f"conformance: no case is selected, of 0 in {folder.path}"


def test_expectations_that_do_not_exist(suite: Folder, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.yaml"
    assert str(missing) in _refused(here("run", "--cases", suite.path, "--expectations", missing))


@pytest.mark.parametrize("option", ["--json", "--junit", "--tap"])
def test_a_report_that_cannot_be_written(suite: Folder, tmp_path: Path, option: str) -> None:
    nowhere = tmp_path / "nowhere/report"
    said = _refused(here("run", "--cases", suite.path, option, nowhere))
    assert said == f"conformance: {option} {nowhere} cannot be written: there is no folder {nowhere.parent}"
    said = _refused(here("run", "--cases", suite.path, option, tmp_path))
    assert said == f"conformance: {option} {tmp_path} cannot be written: it is a folder"


def test_a_report_that_can_be_written_is_left_alone_by_the_check(suite: Folder, tmp_path: Path) -> None:
    """The report of the run before is there until there is a new one."""
    before = tmp_path / "before.json"
    before.write_text("before\n")
    _refused(here("run", "--cases", suite.path, "--json", before, "--tap", tmp_path / "nowhere/x"))
    assert before.read_text() == "before\n"


def test_captures_that_cannot_be_written(suite: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file/captures"
    assert _refused(here("run", "--cases", suite.path, "--captures", place)).startswith(f"conformance: --captures {place} cannot be made: ")


def test_two_reports_on_standard_output(suite: Folder) -> None:
    said = _refused(here("run", "--cases", suite.path, "--json", "-", "--tap", "-"))
    assert said == "conformance: only one report can go to standard output"


def test_a_case_that_is_not_there_cannot_be_shown(suite: Folder) -> None:
    said = _refused(here("show", "--cases", suite.path, "neither"))
    assert "no case fits 'neither'" in said and "conformance list" in said


def test_a_case_that_is_broken_cannot_be_shown_and_says_why(suite: Folder) -> None:
    file = suite.write("topic/broken.yaml", "title: x\nrequirements: [RFC9293/MUST-1]\n")
    done = here("show", "--cases", suite.path, "broken")
    assert (done.status, done.out) == (2, "") and f"{file}:1:1: steps is missing" in done.err


def test_the_default_case_folder_is_the_one_here_else_the_project_s_own(
    suite: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(suite.path.parent)
    assert here("list").out.splitlines()[0].startswith("topic/fails[ipv4]  ")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    own = here("list", "-k", "handshake/passive-open[ipv4]")
    assert own.out.startswith("handshake/passive-open[ipv4]  ")
    assert own == here("list", "-k", "handshake/passive-open[ipv4]", "--cases", CASES)


def _refused(done: Done) -> str:
    """The one line on standard error with which a command refuses."""
    assert (done.status, done.out) == (2, ""), done
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    return lines[0]
