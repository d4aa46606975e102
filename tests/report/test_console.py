"""A run on a terminal and in a log."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from rich.console import Console as RichConsole

from conformance.case.errors import CaseError
from conformance.report import progress
from conformance.report.console import Console
from conformance.report.progress import LineProgress, LiveProgress
from conformance.result import CaseResult, SutFacts, Verdict

from .sample import FACTS, failure, result
from .test_safe_text import HOSTILE

REFERENCE = SutFacts("reference", "0.1.0", "stack")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def some_results() -> list[CaseResult]:
    return [
        result(case_id="handshake/a[ipv4]"),
        result(Verdict.FAIL, case_id="handshake/b[ipv4]"),
        result(Verdict.FAIL, case_id="reset/c[ipv4]", expected=True),
        result(Verdict.FAIL, case_id="reset/d[ipv4]", level="SHOULD"),
        result(Verdict.PASS, case_id="reset/e[ipv4]", expected=False, explanation="fails since 2.6"),
    ]


def run(console: Console, results: list[CaseResult], **facts: object) -> None:
    with console:
        console.start(len(results), [FACTS])
        for each in results:
            console.running(each.case.id, each.sut)
            console.result(each)
        console.finish(results, seconds=1.5, **facts)  # type: ignore[arg-type]


def logged(results: list[CaseResult], limit: int | None = 5, **facts: object) -> str:
    stream = io.StringIO()
    run(Console(stream, limit=limit, expectations={"linux": "cases/expectations/linux.yaml"}), results, **facts)
    return stream.getvalue()


def rows(text: str) -> dict[str, list[str]]:
    """The table: a row's numbers by its topic."""
    return {words[0]: words[1:] for line in text.splitlines() if re.fullmatch(r" \S+( +(\d+|·)){6} *", line) and (words := line.split())}


# In a log -------------------------------------------------------------------------------------------------------------


def test_failures_are_said_at_once_and_shown_in_full_afterwards() -> None:
    lines = logged(some_results()).splitlines()
    assert lines[:4] == [
        "linux: 6.1.0, states from tracepoint",
        "✗ violation  handshake/b[ipv4] on linux: The segment differs in its ack.",
        "✗ deviation  reset/d[ipv4] on linux: The segment differs in its ack.",
        "! unexpected pass  reset/e[ipv4] on linux: fails since 2.6",
    ]
    heads = [line for line in lines if re.search("^✗ .* (MUST|SHOULD) ", line)]
    assert [head.split()[1] for head in heads] == ["handshake/b[ipv4]", "reset/d[ipv4]"]


def test_the_table_counts_by_topic() -> None:
    assert rows(logged(some_results())) == {
        "handshake": ["1", "1", "·", "·", "·", "·"],
        "reset": ["1", "1", "1", "·", "·", "·"],
        "all": ["2", "2", "1", "·", "·", "·"],
    }


def test_the_last_line_says_it_in_words() -> None:
    assert logged(some_results()).splitlines()[-1] == (
        "5 case runs on linux in 1.5 s: 1 pass, 1 deviates as expected (cases/expectations/linux.yaml), "
        "1 passes although it is expected not to, 1 deviation, 1 violation"
    )


def test_only_some_failures_are_shown_in_full_unless_all_are_asked_for() -> None:
    failures = [result(Verdict.FAIL, case_id=f"a/{number}[ipv4]") for number in range(7)]
    assert logged(failures).count("again      conformance run") == 5
    assert "… and 2 more, which --all shows." in logged(failures)
    assert logged(failures, limit=None).count("again      conformance run") == 7


def test_violations_are_shown_first() -> None:
    text = logged([result(Verdict.INCONCLUSIVE), result(Verdict.ERROR), result(Verdict.FAIL)])
    heads = re.findall(r"(\w+)   MUST   on linux", text)
    assert heads == ["violation", "error", "inconclusive"]


def test_broken_case_files_are_named() -> None:
    text = logged([result()], broken=[CaseError("unknown step", file="a/b.yaml", line=3, column=1)])
    assert "✗ broken case file  a/b.yaml:3:1: unknown step\n" in text
    assert text.endswith("1 pass, 1 case file cannot be read\n")


def test_requirements_are_paraphrased() -> None:
    assert "The handshake has three ways." in logged(some_results(), requirement_texts={"RFC9293/3.5": "The handshake has three ways."})


def test_an_interrupted_run_says_so() -> None:
    stream = io.StringIO()
    with Console(stream) as console:
        console.start(9, [FACTS])
        console.finish([result()], seconds=2, interrupted=True)
    assert stream.getvalue().endswith("interrupted after 1 of 9 case runs on linux in 2.0 s: 1 pass\n")


def test_several_stacks_have_rows_of_their_own() -> None:
    other = result()
    other.sut = "reference"
    stream = io.StringIO()
    with Console(stream) as console:
        console.start(2, [FACTS, REFERENCE])
        console.finish([result(), other], seconds=2)
    table = [line.split()[:3] for line in stream.getvalue().splitlines() if "handshake" in line]
    assert table == [["linux", "handshake", "1"], ["reference", "handshake", "1"]]
    assert "2 case runs on linux and reference" in stream.getvalue()


def test_a_run_that_never_began_has_a_summary() -> None:
    stream = io.StringIO()
    Console(stream).finish([], [CaseError("x", file="a.yaml")], seconds=0)
    assert stream.getvalue().endswith("0 case runs on no stack in 0 ms: 1 case file cannot be read\n")


def test_a_locale_without_arrows_gets_question_marks() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    run(Console(stream), some_results())
    stream.flush()
    assert stream.buffer.getvalue().isascii()


def test_one_run_can_be_shown_in_full() -> None:
    stream = io.StringIO()
    Console(stream, width=80).show(result(Verdict.FAIL))
    assert "├─ S 0:0(0)" in stream.getvalue()


@settings(deadline=None, max_examples=50)
@given(HOSTILE, HOSTILE)
def test_a_log_has_no_control_codes_whatever_a_stack_says(text: str, other: str) -> None:
    hostile = result(Verdict.FAIL, case_id=text, failure=failure(reason=text, actual=other), explanation=other)
    hostile.sut = other
    passing = result(case_id=other, expected=False, explanation=text)
    stream = io.StringIO()
    with Console(stream, expectations={other: text}) as console:
        console.start(1, [SutFacts(other, text, text)])
        console.running(text, other)
        console.result(hostile)
        console.finish([hostile, passing], [CaseError(text, file=other)], seconds=1, requirement_texts={"RFC9293/3.5": other})
    assert stream.getvalue().replace("\n", "").isprintable()


# Progress -------------------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_says_how_far_it_is_and_what_it_waits_for() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = LineProgress(RichConsole(file=stream, width=40), 9, clock)
    lines.result(result())
    lines.running("keepalive/idle[ipv4]", "linux")
    lines.running("keepalive/idle[ipv6]", "linux")
    clock.now = 12.0
    lines.line()
    assert stream.getvalue() == "1 of 9 in 12.0 s: 1 pass; waiting for keepalive/idle[ipv4] on linux (12.0 s), and 1 more\n"


def test_what_is_over_is_not_waited_for() -> None:
    stream = io.StringIO()
    lines = LineProgress(RichConsole(file=stream), 9, Clock())
    lines.running("handshake/passive-open[ipv4]", "linux")
    lines.result(result())
    lines.line()
    assert stream.getvalue() == "1 of 9 in 0 ms: 1 pass\n"


def test_a_log_gets_a_line_every_so_often_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.01)
    stream = io.StringIO()
    with Console(stream) as console:
        console.start(2, [FACTS])
        console.running("a/b[ipv4]", "linux")
        wait_for(lambda: stream.getvalue().count("0 of 2 in") >= 2)
    said = stream.getvalue()
    assert "waiting for a/b[ipv4] on linux" in said and "\x1b" not in said


def wait_for(done: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


# On a terminal --------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_a_terminal_gets_colours_and_its_cursor_back(terminal: Terminal) -> None:
    run(Console(terminal, width=80), some_results())
    written = terminal.getvalue()
    assert "\x1b[1;31m" in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_no_color_means_no_colour(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    run(Console(terminal, width=80), some_results())
    assert not re.search(r"\x1b\[[0-9;]*(3|4|9|10)[0-7]m", terminal.getvalue())


def test_a_dumb_terminal_gets_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    run(Console(terminal, width=80), some_results())
    assert "\x1b" not in terminal.getvalue()


def test_the_display_says_how_far_it_is_and_what_it_waits_for(terminal: Terminal) -> None:
    clock = Clock()
    console = RichConsole(file=terminal, width=100, force_terminal=True, color_system=None)
    live = LiveProgress(console, 9, clock)
    live.result(result())
    live.running("keepalive/idle[ipv4]", "linux")
    clock.now = 3.2
    with console.capture() as captured:
        console.print(live._render())
    first, second = captured.get().splitlines()[:2]
    assert "1 of 9 in 3.2 s: 1 pass" in first
    assert second == "waiting for keepalive/idle[ipv4] on linux (3.2 s)"


def test_the_cursor_comes_back_when_the_run_is_torn_down(terminal: Terminal) -> None:
    with pytest.raises(KeyboardInterrupt), Console(terminal, width=80) as console:
        console.start(9, [FACTS])
        raise KeyboardInterrupt
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_standard_output_of_others_is_left_alone(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    with Console(terminal, width=80) as console:
        console.start(9, [FACTS])
        print('{"type": "case"}')
    assert capsys.readouterr().out == '{"type": "case"}\n'
