"""Fixtures: runs that end with the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from .program import Run, no_test_bed

__all__ = ["Start"]

Start = Callable[..., Run]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a run; whatever becomes of the test, nothing of it stays."""
    with ExitStack() as stack:

        def begin(*arguments: str | os.PathLike[str], before: Sequence[str] = ()) -> Run:
            return stack.enter_context(Run(*arguments, before=before))

        yield begin


@pytest.fixture
def play(start: Start) -> Callable[..., Run]:
    """A run, once it is over; the test is skipped where no test bed can be made."""

    def wait(*arguments: str | os.PathLike[str], before: Sequence[str] = ()) -> Run:
        run = start(*arguments, before=before)
        if fault := no_test_bed(run.wait(), run.said):
            pytest.skip(f"no test bed can be made here: {fault}")
        return run

    return wait
