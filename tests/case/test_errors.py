"""An error says where, what was found, and what would have been right."""

from __future__ import annotations

import pickle

from conformance.case.errors import CaseError, close_matches


def test_an_error_is_one_line() -> None:
    error = CaseError("a state", "cases/x.yaml", 12, 5, found="ESTAB", allowed=("LISTEN", "ESTABLISHED"))
    assert str(error) == "cases/x.yaml:12:5: a state: found 'ESTAB', expected one of LISTEN, ESTABLISHED (did you mean ESTABLISHED?)"


def test_parts_that_are_not_known_are_left_out() -> None:
    assert str(CaseError("no such file", "x.yaml")) == "x.yaml: no such file"
    assert str(CaseError("title is missing", "x.yaml", 1, 1, expected="title: …")) == "x.yaml:1:1: title is missing: expected title: …"
    assert str(CaseError("x", found="a", allowed=("zz",))) == "case: x: found 'a', expected zz"


def test_a_long_list_is_cut_to_what_comes_close() -> None:
    error = CaseError("a requirement", found="MUST-1l", allowed=tuple(f"MUST-{number}" for number in range(100)))
    assert "MUST-1," in error.wanted
    assert error.wanted.endswith("… (100 in all)")
    assert len(error.wanted) < 80


def test_letter_case_and_underscores_do_not_hide_a_match() -> None:
    assert close_matches("fin_wait_1", ("FIN-WAIT-1", "FIN-WAIT-2", "LISTEN"))[0] == "FIN-WAIT-1"
    assert close_matches("", ("a",)) == []
    assert close_matches("zzz", ("LISTEN",)) == []


def test_an_error_can_be_placed_compared_and_sent_to_another_process() -> None:
    error = CaseError("m", column=3, found="f", expected="e").at("x.yaml", 2, 9)
    assert (error.file, error.line, error.column, error.found) == ("x.yaml", 2, 9, "f")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert copy.order == error.order
