"""The exit status says what a run came to, and the expectations what of it was known before."""

from __future__ import annotations

import pytest

from .program import FAILS, PASSES, Folder, play

_NO_CONNECTION = PASSES.replace("given: ESTABLISHED", "given: NOWHERE")
_NOWHERE = "title: A preamble that no stack gets through\nsteps:\n  - call: close(s)\n"
_REFUSED = PASSES.replace("given:", "config: {syn_retries: 200}\ngiven:")
"""Linux takes 127 at most."""
_LACKED = PASSES.replace("given:", "config: {congestion_control: none_such}\ngiven:")


def test_0_all_as_required(folder: Folder) -> None:
    folder.write("topic/passes.yaml", PASSES)
    done = play("--cases", folder, "--json", "-")
    assert done.status == 0
    assert {id: (case["verdict"], case["expected"]) for id, case in done.cases.items()} == {
        "topic/passes[ipv4]": ("pass", True),
        "topic/passes[ipv6]": ("pass", True),
    }


def test_0_a_should_that_is_not_kept_is_a_deviation(folder: Folder) -> None:
    folder.write("topic/slow.yaml", FAILS.replace("MUST-1", "SHLD-2"))
    done = play("--cases", folder, "--json", "-", "--family", "ipv4")
    assert done.status == 0 and (done.summary["deviations"], done.summary["violations"]) == (1, 0)
    assert done.cases["topic/slow[ipv4]"]["verdict"] == "fail" and done.cases["topic/slow[ipv4]"]["level"] == "SHOULD"


def test_1_a_must_that_is_not_kept(suite: Folder) -> None:
    done = play("--cases", suite, "--json", "-")
    assert done.status == 1 and (done.summary["violations"], done.summary["unexpected"]) == (2, 2)
    failure = done.cases["topic/fails[ipv4]"]["failure"]
    assert (failure["file"], failure["line"], failure["step"]) == ("topic/fails.yaml", 6, "expect: . 1:1(0) ack 12")
    assert [(each["field"], each["expected"], each["actual"]) for each in failure["differences"]] == [("ack", "12", "11")]


def test_2_wins_over_3_and_loses_to_1(folder: Folder) -> None:
    """A machine that cannot judge is found once the cases are right; a violation is one whatever else is wrong."""
    folder.write("topic/broken.yaml", "title: x\n")
    folder.write("topic/judged-nowhere.yaml", _REFUSED)
    assert play("--cases", folder, "--family", "ipv4").status == 2


def test_3_what_cannot_be_judged(folder: Folder) -> None:
    folder.write(
        "preambles/NOWHERE.yaml", _NOWHERE.replace("close(s)", "s = socket()").rstrip() + "\n  - expect: S 0:0(0)\n    within: 50ms\n"
    )
    folder.write("topic/unreached.yaml", _NO_CONNECTION.replace("  - call: recv(c, 100) = 10\n", ""))
    folder.write("topic/unconfigured.yaml", _REFUSED)
    folder.write("topic/lacked.yaml", _LACKED)
    folder.write("topic/passes.yaml", PASSES)
    done = play("--cases", folder, "--json", "-", "--family", "ipv4")
    assert done.status == 3
    assert {id: case["verdict"] for id, case in done.cases.items()} == {
        "topic/unreached[ipv4]": "inconclusive",
        "topic/unconfigured[ipv4]": "error",
        "topic/lacked[ipv4]": "skipped",
        "topic/passes[ipv4]": "pass",
    }
    assert "the preamble NOWHERE did not reach its state" in done.cases["topic/unreached[ipv4]"]["failure"]["reason"]
    assert "tcp_syn_retries = 200" in done.cases["topic/unconfigured[ipv4]"]["failure"]["reason"]
    assert "none_such" in done.cases["topic/lacked[ipv4]"]["failure"]["reason"] and done.cases["topic/lacked[ipv4]"]["expected"]


_EXPECTATIONS = """\
- case: topic/fails[*]
  verdict: fail
  step: "expect: . 1:1(0) ack 12"
  reason: eleven octets were never sent
- case: topic/elsewhere[*]
  verdict: fail
  step: "call: recv(c, 100) = 10"
  reason: another step than this is a new failure
- case: topic/passes[ipv6]
  verdict: fail
  reason: it was thought not to
- case: topic/gone[*]
  verdict: fail
  reason: nobody knows any more
"""


def test_expectations(folder: Folder) -> None:
    """What is expected is no violation; what fails otherwise than expected is, and what passes shows."""
    folder.write("topic/passes.yaml", PASSES)
    folder.write("topic/fails.yaml", FAILS)
    file = folder.write("expectations/linux.yaml", _EXPECTATIONS)
    done = play("--cases", folder, "--json", "-")
    assert done.status == 2, "an expectation that does not hold is an error, and so is one of no case"
    assert {id: (case["verdict"], case["expected"], case["explanation"]) for id, case in done.cases.items()} == {
        "topic/fails[ipv4]": ("fail", True, "eleven octets were never sent"),
        "topic/fails[ipv6]": ("fail", True, "eleven octets were never sent"),
        "topic/passes[ipv4]": ("pass", True, ""),
        "topic/passes[ipv6]": ("pass", False, f"{file}:9 expects fail: it was thought not to"),
    }
    assert (done.summary["violations"], done.summary["deviations"], done.summary["unexpected"]) == (0, 0, 1)
    assert f"passes, though expected not to  topic/passes[ipv6] on linux: {file}:9 expects fail" in done.err
    for line, name in ((5, "topic/elsewhere[*]"), (12, "topic/gone[*]")):
        assert f"{file}:{line}: an expectation of no case: found '{name}'" in done.err


def test_an_expectation_that_does_not_hold(folder: Folder) -> None:
    folder.write("topic/passes.yaml", PASSES)
    folder.write("expectations/linux.yaml", "- {case: 'topic/passes[*]', verdict: fail, reason: it was thought not to}\n")
    assert play("--cases", folder, "--json", "-").status == 2
    assert play("--cases", folder, "--json", "-", "--sut", "reference").status == 0


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{invariant: window-shrunk, case: 'topic/past[*]', reason: r}", "an expectation of no case: found 'topic/past[*]'"),
        ("{invariant: window-shrank, case: 'topic/passes[*]', reason: r}", "an invariant: found 'window-shrank'"),
    ],
)
def test_an_invariant_of_no_case_or_of_no_rule(folder: Folder, entry: str, said: str) -> None:
    folder.write("topic/passes.yaml", PASSES)
    file = folder.write("expectations/reference.yaml", f"- {{invariant: window-shrunk, case: '*', reason: r}}\n- {entry}\n")
    done = play("--cases", folder, "--sut", "reference")
    assert done.status == 2 and f"{file}:2: {said}" in done.out


def test_an_expectation_of_no_case(folder: Folder) -> None:
    folder.write("topic/passes.yaml", PASSES)
    file = folder.write("expectations/linux.yaml", "- {case: 'topic/past[*]', verdict: fail, reason: it was thought not to}\n")
    done = play("--cases", folder)
    assert done.status == 2 and f"{file}:1: an expectation of no case: found 'topic/past[*]'" in done.out
    assert play("--cases", folder, folder.path / "topic").status == 0, "a part of the cases says nothing of the entries"


def test_a_failure_at_another_step_than_expected_is_a_violation(folder: Folder) -> None:
    folder.write("topic/elsewhere.yaml", FAILS)
    folder.write("expectations/linux.yaml", _EXPECTATIONS)
    done = play("--cases", folder, "--json", "-", "--family", "ipv4")
    assert done.status == 1 and not done.cases["topic/elsewhere[ipv4]"]["expected"]
    assert "of no case" not in done.err, "a part of the cases says nothing of the entries"


def test_expectations_of_another_file(suite: Folder, folder: Folder) -> None:
    file = folder.write("../mine.yaml", _EXPECTATIONS.partition("- case: topic/elsewhere")[0])
    assert play("--cases", suite, "--expectations", file, "-k", "fails").status == 0
