"""How far the reading of a file is."""

from __future__ import annotations

import io

import pytest

from conformance.report.check import progress as module
from conformance.report.check.progress import ReadingProgress


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(module, "PATIENCE", 0.0)


def show(stream: io.StringIO | None, name: str = "field.pcapng") -> str:
    with ReadingProgress(stream, name, 1000) as progress:
        progress(10)
        progress(900)
    return stream.getvalue() if stream else ""


def test_a_terminal_shows_a_bar_that_goes_away() -> None:
    shown = show(Terminal())
    assert "reading field.pcapng" in shown and "0.9/1.0 kB" in shown
    assert shown.endswith("\x1b[2K"), "the line is empty again"


def test_a_log_and_nobody_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert show(io.StringIO()) == show(None) == ""
    monkeypatch.setenv("TERM", "dumb")
    assert show(Terminal()) == ""


def test_a_short_file_is_not_worth_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1e9)
    assert show(Terminal()) == ""


def test_names_neither_steer_the_terminal_nor_fill_it() -> None:
    shown = show(Terminal(), "[red]\x1b[31m" + "x" * 200)
    assert "\x1b[31mx" not in shown and "x" * 41 not in shown
