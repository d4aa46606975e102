"""What is known to deviate."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case.expectations import Expectation, Expectations, load_expectations

FILE = """\
- case: handshake/*
  verdict: fail
  reason: it does not do that
- case: handshake/passive-open[ipv4]
  verdict: inconclusive
  step: "expect: S. 0:0(0)"
  reason: it is slow
  source: net/ipv4/tcp.c
- {case: "*[FIN-WAIT-1,*]", verdict: skipped, reason: no such state}
"""


def load(path: Path, text: str) -> Expectations:
    file = path / "linux.yaml"
    file.write_text(text)
    return load_expectations(file)


def test_an_id_comes_before_patterns(tmp_path: Path) -> None:
    expectations = load(tmp_path, FILE)
    assert not expectations.errors
    assert expectations.lookup("handshake/passive-open[ipv4]") == Expectation(
        "handshake/passive-open[ipv4]", str(tmp_path / "linux.yaml"), 4, "inconclusive", "expect: S. 0:0(0)", "it is slow", "net/ipv4/tcp.c"
    )
    general = expectations.lookup("handshake/passive-open[ipv6]")
    assert general is not None
    assert (general.verdict, general.line) == ("fail", 1)
    assert expectations.lookup("reset/passive-open[ipv6]") is None


def test_brackets_are_only_brackets(tmp_path: Path) -> None:
    expectations = load(tmp_path, FILE)
    assert expectations.lookup("reset/x[FIN-WAIT-1,ipv4]") is not None
    assert expectations.lookup("reset/xF") is None
    assert load(tmp_path, "- {case: 'a?.[x]*', verdict: fail, reason: r}").lookup("a?.[x]y") is not None
    assert load(tmp_path, "- {case: 'a?.[x]*', verdict: fail, reason: r}").lookup("ab.x") is None


def test_entries_that_apply_to_nothing(tmp_path: Path) -> None:
    unused = load(tmp_path, FILE).unused(["handshake/passive-open[ipv6]", "handshake/other[ipv4]"])
    assert [entry.line for entry in unused] == [4, 9]


def test_invariants_that_apply_to_nothing(tmp_path: Path) -> None:
    rules = "- {invariant: window-shrunk, case: 'a/*[ipv4]', reason: r}\n- invariant: over-mss\n  case: a/c*\n  reason: r\n"
    expectations = load(tmp_path, rules)
    assert expectations.unused(["a/b[ipv4]", "a/b[ipv6]", "a/c[ipv6]"]) == []
    (left,) = expectations.unused(["a/b[ipv4]"])
    assert (left.case, left.line, left.file) == ("a/c*", 3, str(tmp_path / "linux.yaml"))
    assert expectations.knows("window-shrunk", "a/b[ipv4]") and not expectations.knows("window-shrunk", "a/b[ipv6]")


@pytest.mark.parametrize(
    ("text", "where", "found", "wanted"),
    [
        ("- {case: a, verdict: fails, reason: r}", (1, 22), "fails", "'fail'"),
        ("- {case: a, verdict: fail}", (1, 3), None, "reason: …"),
        ("- {case: a, verdict: fail, reason: r, why: x}", (1, 39), "why", "source"),
        ("- {case: a, verdict: fail, reason: r}\n- {case: a, verdict: fail, reason: r}", (2, 10), "a", "that of line 1"),
        ("- a", (1, 3), "a", "a mapping"),
        ("a: b", (1, 1), "a mapping", "a list of entries"),
        ("- {case: [", (2, 1), None, "YAML"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, where: tuple[int, int], found: str | None, wanted: str) -> None:
    (error,) = load(tmp_path, text).errors
    assert error.file == str(tmp_path / "linux.yaml")
    assert error.found == found
    assert abs(error.line - where[0]) <= 1
    assert error.column == where[1] or found is None
    assert wanted in str(error)


def test_the_other_entries_still_count(tmp_path: Path) -> None:
    expectations = load(tmp_path, FILE + "- {case: x, verdict: no, reason: r}\n")
    assert (len(expectations.entries), len(expectations.errors)) == (3, 1)


def test_a_file_that_is_not_there_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    assert len(load_expectations(tmp_path / "x.yaml").errors) == 1
    assert load(tmp_path, "# nothing is known\n") == Expectations()


def test_one_stack_is_like_another_but_for_what_its_own_file_says(tmp_path: Path) -> None:
    load(tmp_path, FILE + "- {invariant: window-shrunk, case: 'a/*', reason: r}\n")
    own = tmp_path / "uml.yaml"
    own.write_text("- like: linux\n- {case: 'handshake/*[ipv4]', verdict: pass, reason: an older one does}\n")
    expectations = load_expectations(own)
    assert not expectations.errors
    verdicts = [expectations.lookup(f"handshake/passive-open[{family}]") for family in ("ipv4", "ipv6")]
    assert [entry.verdict for entry in verdicts if entry] == ["pass", "fail"]
    assert expectations.knows("window-shrunk", "a/b")
    assert expectations.unused(["handshake/x[ipv4]"]) == []


@pytest.mark.parametrize("name", ["none", "uml", "other", "../linux"])
def test_no_stack_is_like_itself_or_like_one_that_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "other.yaml").write_text("- like: uml\n")
    (tmp_path / "uml.yaml").write_text(f"- like: {name}\n")
    assert len(load_expectations(tmp_path / "uml.yaml").errors) == 1
