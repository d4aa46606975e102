"""What cosmic-ray's operators make of a module, and what is left out. cosmic-ray comes with ``make mutants``."""

from __future__ import annotations

import pytest

pytest.importorskip("cosmic_ray")

from .generated import generate
from .mutant import mask

FILE = "some/module.py"
TEXT = '''\
"""Text with 1 and not."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from x import y
__all__ = ["f"]
LIMIT = 10

def f(a: "int | None", b: int = 3) -> "int | str":
    """Add 1."""
    assert a is not None
    net.count("Things")
    if a < LIMIT and not b:
        g(a & MASK,
          b)
        return a + 1
    x: int | None = None
    return x
'''


def made() -> dict[tuple[int, str, str], str]:
    return {(m.line, m.before, m.after): m.operator for m in generate({FILE: TEXT}, [FILE])}


def test_each_kind_is_made_once() -> None:
    assert {(line, after) for line, _, after in made()} == {
        (6, "LIMIT = 11"),
        (6, "LIMIT = 9"),
        (8, 'def f(a: "int | None", b: int = 4) -> "int | str":'),
        (8, 'def f(a: "int | None", b: int = 2) -> "int | str":'),
        (12, "if not a < LIMIT and not b:"),
        (12, "if a <= LIMIT and not b:"),
        (12, "if a < LIMIT or not b:"),
        (12, "if a < LIMIT and b:"),
        (13, "pass"),
        (15, "pass"),
        (15, "return a - 1"),
        (15, "return a + 2"),
        (15, "return a + 0"),
        (17, "pass"),
    }


def test_the_lines_that_lead_to_it() -> None:
    by_line = {m.line: m for m in generate({FILE: TEXT}, [FILE])}
    assert by_line[6].lines == {FILE: mask(6, 6) | mask(12, 12)}
    assert by_line[13].lines == {FILE: mask(13, 14)}
    assert by_line[8].lines == {FILE: mask(8, 17)}
    assert by_line[12].function == "f"


def test_they_differ_in_one_place_only() -> None:
    for mutant in generate({FILE: TEXT}, [FILE]):
        old, new = TEXT.split("\n"), mutant.texts[FILE].split("\n")
        assert sum(a != b for a, b in zip(old, new, strict=False)) >= 1
        compile(mutant.texts[FILE], FILE, "exec")
