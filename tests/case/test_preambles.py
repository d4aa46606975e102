"""``given:``: chains of preambles, their arguments, and what can be wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case import steps as s

from .folder import HEAD, Folder, place

CASE = HEAD + "given: {given}\nsteps:\n  - state: s LISTEN\n"


def test_arguments_go_down_the_chain(folder: Folder) -> None:
    suite = folder.load(CASE.format(given="{preamble: ESTABLISHED, backlog: 7}"))
    assert not suite.errors
    assert [step.source.text for step in suite.cases[0].steps if step.preamble][2:4] == [
        "call: listen(s, 7)",
        "inject: S 0:0(0) win 65535 <mss 1460>",
    ]


def test_a_preamble_may_have_no_steps_and_no_arguments(folder: Folder) -> None:
    folder.write("preambles/CLOSED.yaml", "title: Nothing\nsteps: []\n")
    suite = folder.load(HEAD + "given: CLOSED\nsteps: [silence: 1s]\n")
    assert not suite.errors
    assert len(suite.cases[0].steps) == 1
    error = folder.error(HEAD + "given: {preamble: CLOSED, x: 1}\nsteps: [silence: 1s]\n")
    assert (place(error), error.found, error.expected) == ((3, 27), "x", "no arguments")


def test_no_preamble_can_be_a_parameter(folder: Folder) -> None:
    suite = folder.load(HEAD + "parameters: {from: {nothing: null, listen: LISTEN}}\ngiven: $from\nsteps: [silence: 1s]\n")
    assert not suite.errors
    assert [case.given for case in suite.cases if case.family == "ipv4"] == [None, "LISTEN"]


@pytest.mark.parametrize(("first", "second"), [("A", "B"), ("A", "A")])
def test_preambles_that_need_each_other(folder: Folder, first: str, second: str) -> None:
    folder.write(f"preambles/{first}.yaml", f"title: x\ngiven: {second}\nsteps: []\n")
    if first != second:
        folder.write(f"preambles/{second}.yaml", f"title: x\ngiven: {first}\nsteps: []\n")
    suite = folder.load(HEAD + "given: A\nsteps: [silence: 1s]\n")
    assert not suite.cases
    assert suite.errors
    for error in suite.errors:
        assert "/preambles/" in error.file
        assert (place(error), error.message) == ((2, 8), "preambles that need each other")
        assert " → " in (error.found or "")


def test_a_mistake_in_a_preamble_is_told_once_and_in_its_file(folder: Folder) -> None:
    folder.write("preambles/BAD.yaml", "title: x\nsteps:\n  - call: sockt()\n")
    for name in ("one", "two"):
        folder.write(f"topic/{name}.yaml", HEAD + "given: BAD\nsteps: [silence: 1s]\n")
    suite = folder.load()
    assert not suite.cases
    (error,) = suite.errors
    assert (Path(error.file).name, place(error), error.found) == ("BAD.yaml", (3, 11), "sockt")


def test_preambles_that_no_case_asks_for_are_checked_too(folder: Folder) -> None:
    folder.write("preambles/BAD.yaml", "title: x\narguments: {a: [1]}\nsteps: 3\n")
    suite = folder.load()
    assert [(place(error), error.message, error.found) for error in suite.errors] == [
        ((2, 16), "a", "a list"),
        ((3, 8), "steps", "3"),
    ]


def test_a_mistake_that_an_argument_makes_names_who_gave_it(folder: Folder) -> None:
    error = folder.error(CASE.format(given="{preamble: LISTEN, backlog: many}"))
    assert (Path(error.file).name, error.found) == ("LISTEN.yaml", "many")
    assert error.message == f"an argument (as {folder.path / 'topic/case.yaml'}:3 gives it)"


@pytest.mark.parametrize("text", ["", "3", "title: x\nsteps: [", "- a"])
def test_files_that_are_no_preambles(folder: Folder, text: str) -> None:
    folder.write("preambles/BAD.yaml", text)
    suite = folder.load(HEAD + "given: BAD\nsteps: [silence: 1s]\n")
    assert not suite.cases
    assert {Path(error.file).name for error in suite.errors} == {"BAD.yaml"}


def test_a_preamble_that_does_not_fit_the_case_is_the_cases_mistake(folder: Folder) -> None:
    folder.write("preambles/TWO.yaml", "title: x\nsteps:\n  - silence: 1s\n    on: c2\n")
    error = folder.error(HEAD + "given: TWO\nsteps: [silence: 1s]\n")
    assert (place(error), error.found) == ((3, 1), "c2")
    assert "preambles/TWO.yaml:3" in error.message
    suite = folder.load(HEAD + "given: TWO\nconnections: {c2: {}}\nsteps: [silence: 1s]\n")
    assert not suite.errors


def test_what_a_preamble_makes_can_be_used(folder: Folder) -> None:
    text = HEAD + "given: ESTABLISHED\nsteps:\n  - inject: . 1:1(0) ack 1 <mss $mss>\n  - call: send(c, 1)\n  - call: close(s)\n"
    suite = folder.load(text)
    assert not suite.errors
    step = suite.cases[0].steps[-3]
    assert isinstance(step, s.InjectStep)
    assert step.segment.options == (s.OptionPattern(2, (s.Var("mss"),)),)


def test_steps_of_preambles_count(folder: Folder) -> None:
    folder.write("preambles/LONG.yaml", "title: x\nsteps: [repeat: {times: 4000, steps: [{silence: 1s}]}]\n")
    error = folder.error(HEAD + "given: LONG\nsteps: [repeat: {times: 4000, steps: [{silence: 1s}]}]\n")
    assert error.message == "too many steps"
