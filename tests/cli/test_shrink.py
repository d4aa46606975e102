"""``conformance shrink``: what it writes, what it says, and how it ends."""

from __future__ import annotations

import io
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.report.shrinking import ShrinkProgress
from conformance.sut import registry
from conformance.sut.reference import Reference, ReferenceBed

from .program import PASSES, Folder, conformance, here

SOON = """\
title: What is lost is sent again soon
requirements: [RFC9293/MUST-1]
description: Which the reference stack does if it makes Linux's choices, and else does not.
parameters: {octets: [100, 200]}
connections: {c2: {peer: peer2}}
given: ESTABLISHED
steps:
  - call: getsockopt(c, SO_ERROR) = 0
  - repeat:
      times: 3
      steps:
        - inject: P. ${i*1000+1}:${i*1000+1001}(1000) ack 1 win 3000
        - optional: [{expect: ". 1:1(0) ack ${i*1000+1001}"}]
  - silence: 1s
  - call: recv(c, 10000) = 3000
  - call: send(c, $octets) = $octets
    why: it has data
  - expect: P?. 1:$octets+1($octets) ack 3001
  - expect: P?. 1:$octets+1($octets) ack 3001
    within: 900ms
    why: a second is long
  - call: recv(c, 10000) = EAGAIN
"""


@pytest.fixture
def late(folder: Folder) -> Folder:
    folder.write("topic/late.yaml", SOON)
    return folder


def test_the_smallest_case_is_written_and_fails_where_it_is(late: Folder, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "small.yaml"
    file.parent.mkdir()
    done = here("shrink", "topic/late[100,ipv6]", "--cases", late, "--sut", "reference", "-o", file)
    assert (done.status, done.out) == (0, ""), done.err
    text = file.read_text()
    lines = text.splitlines()
    assert re.fullmatch(r"# Shrunk from topic/late\[100,ipv6\]: 21 steps → \d+\.", lines[0])
    assert "nothing came within 900 ms; this fails in the same way." in lines[1]
    assert lines[2] == "# It passes on reference (linux)."
    assert lines[3] == f"# conformance run --cases {late.path} --sut reference {file}"
    assert "title: What is lost is sent again soon" in lines and "families: [ipv6]" in lines
    assert not any(word in text for word in ("recv", "win", "connections", "description", "it has data", "$", "silence", "optional"))
    assert lines[-1] == "    why:    a second is long"
    assert re.search(r"21 steps → \d+, \d+ runs in .* s; conformance run", done.err)
    assert len(text.partition("steps:")[2].splitlines()) < 14
    again = here("run", "--cases", late, "--sut", "reference", file)
    assert again.status == 1 and "1 violation" in again.out, again.out
    assert here("shrink", file, "--cases", late, "--sut", "reference").out.partition("steps:")[2] == text.partition("steps:")[2]


def test_of_a_file_the_first_run_that_fails(late: Folder) -> None:
    done = here("shrink", late.path / "topic/late.yaml", "--cases", late, "--sut", "reference")
    assert done.status == 0 and "Shrunk from topic/late[100,ipv4]" in done.out
    named = here("shrink", "topic/late", "--cases", late, "--sut", "reference")
    assert named.out == done.out
    assert done.out.splitlines()[3].endswith("--sut reference FILE")


def test_a_case_that_fails_on_the_control_too_is_no_proof(suite: Folder) -> None:
    done = here("shrink", "topic/fails[ipv4]", "--cases", suite, "--sut", "reference")
    assert done.status == 0  # the control is the stack itself
    assert "nothing shows that the smaller case would pass on a stack that is right" in done.err
    assert "It passes on" not in done.out and "ack 3" in done.out
    asked = here("shrink", "topic/fails[ipv4]", "--cases", suite, "--sut", "reference", "--control", "none")
    assert asked.status == 0 and "nothing shows" not in asked.err
    assert asked.out == done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["topic/passes[ipv4]"], "topic/passes[ipv4] does not fail on reference, its verdict is pass; only a case that fails can be"),
        (["topic/passes"], "its verdict is pass (and so do 1 more); only"),
        (["topic/nothing[ipv4]"], "there is no file and no case 'topic/nothing[ipv4]'; `conformance list` shows the cases"),
        (["topic/fails[ipv5]"], "there is no case 'topic/fails[ipv5]'; of this name there are topic/fails[ipv4], topic/fails[ipv6]"),
        (["topic/fails", "--control", "windows"], "the control: there is no SUT 'windows': linux, reference, "),
        (["topic/fails", "-o", "no/such/folder/x"], "-o no/such/folder/x cannot be written: there is no folder"),
        (["topic/broken"], "topic/broken.yaml:3:5: a step"),
        (["topic/needs[ipv4]"], "its verdict is skipped: reference lacks wings"),
    ],
)  # fmt: skip
def test_what_makes_no_sense(suite: Folder, arguments: list[str], said: str) -> None:
    suite.write("topic/broken.yaml", "title: x\nsteps:\n  - nothing: 1\nrequirements: [RFC9293/MUST-1]\n")
    suite.write("topic/needs.yaml", PASSES + "needs: [wings]\n")
    done = here("shrink", *arguments, "--cases", suite, "--sut", "reference")
    assert done.status == 2
    assert said in done.err
    assert done.out == ""


def test_a_stack_that_there_is_not(suite: Folder) -> None:
    done = here("shrink", "topic/fails", "--cases", suite, "--sut", "windows")
    assert done.status == 2 and done.err.startswith("conformance: there is no SUT 'windows': linux, reference, ")


def test_it_ends_after_so_many_runs(late: Folder) -> None:
    done = here("shrink", "topic/late[100,ipv4]", "--cases", late, "--sut", "reference", "--most-runs", "3")
    assert done.status == 0
    assert re.search(r"the search was ended: 21 steps → 20, [34] runs", done.err), done.err


def test_the_same_seed_leads_to_the_same_case(late: Folder) -> None:
    first, second = (here("shrink", "topic/late[200,ipv4]", "--cases", late, "--sut", "reference", "--seed", "7") for _ in range(2))
    assert first.out == second.out != ""


def test_on_the_running_kernel(suite: Folder) -> None:
    """In real time, several candidates at once."""
    done = conformance("shrink", "topic/fails[ipv4]", "--cases", suite, "--sut", "linux", "--control", "none", "--minutes", "1")
    if done.status == 3:
        pytest.skip(f"no test bed can be made here: {done.err.strip()}")
    assert done.status == 0, done.err
    steps = done.out.partition("steps:\n")[2].splitlines()
    assert steps[-1] == "  - expect: . 1:1(0) ack 3"
    assert steps[-2] == "  - inject: . 1:2(1) ack 1"
    assert "recv" not in done.out


def test_what_fails_only_once_is_in_doubt(late: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    class Once(Reference):
        """From its second case run on it makes Linux's choices."""

        name = "once"
        runs = 0

        def virtual_bed(self, config: Mapping[str, object]) -> ReferenceBed:
            self.runs += 1
            return super().virtual_bed(config if self.runs == 1 else {**config, "profile": "linux"})

    monkeypatch.setattr(registry, "SUTS", {**registry.SUTS, "once": registry.Entry("", lambda _: Once(), virtual=True)})
    done = here("shrink", "topic/late[100,ipv4]", "--cases", late, "--sut", "once")
    assert done.status == 1
    assert "topic/late[100,ipv4] does not fail in the same way every time" in done.err
    assert done.out.startswith("# Shrunk from topic/late[100,ipv4]: 21 steps → 21.")


def test_a_signal_leaves_the_smallest_so_far(late: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes as soon as there is a smaller case."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(ShrinkProgress, "show", lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        done = here("shrink", "topic/late[100,ipv4]", "--cases", late, "--sut", "reference")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert done.status == 128 + signal.SIGINT
    assert re.search(r"interrupted: 21 steps → 20, 2 runs", done.err), done.err
    assert done.out.startswith("# Shrunk from topic/late[100,ipv4]: 21 steps → 20.")
    assert "recv(c, 10000) = EAGAIN" not in done.out


def test_on_a_terminal_it_shows_how_far_it_is() -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    now = iter([0.0, 0.0, 0.05, 0.2, 0.2])
    progress = ShrinkProgress("steps", 34, terminal, lambda: next(now))
    for steps, runs in ((30, 1), (20, 2), (9, 120)):
        progress.show(steps, runs)
    progress.end()
    assert terminal.getvalue() == "\r\x1b[Ksteps 34 → 30, runs 1\r\x1b[Ksteps 34 → 9, runs 120\r\x1b[K"
    elsewhere = io.StringIO()
    quiet = ShrinkProgress("steps", 34, elsewhere)
    quiet.show(9, 1)
    quiet.end()
    assert elsewhere.getvalue() == ""
