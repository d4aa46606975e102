"""Probes: which mutants differ while the stack's own code runs."""

from __future__ import annotations

from typing import Any

import pytest

from .infection import install, instrumented
from .mutant import Mutant, place_of
from .purity import Purity

FILE = "module.py"
TEXT = """\
class Box:
    def __init__(self):
        self.value = 0
        self.calls = 0

    @property
    def doubled(self):
        return self.value * 2

    def count(self, by):
        self.calls += by
        return self.calls

def larger(a, b):
    return a if a > b else b

def scaled(a, by=2):
    return a * by

def run(box, a, b):
    if a > b and box.doubled < 10:
        box.value = larger(a, b)
    box.value = 3
    total = a // b
    if box.count(a + 1) > 1:
        total += 1
    return [total, *(part - 1 for part in (a, b))]
"""


def mutant(old: str, new: str) -> Mutant:
    at = next(number for number, line in enumerate(TEXT.split("\n"), 1) if old in line)
    function = place_of(TEXT, at).function
    return Mutant("", False, FILE, at, function, "", "", {FILE: TEXT.replace(old, new)}, "", {FILE: 1 << at})


def differing(old: str, new: str, a: int = 2, b: int = 1) -> bool | None:
    """Does the mutant differ when ``run`` is called? None: it has no probe."""
    probes = instrumented([mutant(old, new)], {FILE: TEXT})
    if not probes.numbers:
        return None
    seen: set[int] = set()
    begin = install(seen)
    names: dict[str, Any] = {}
    exec(compile(probes.texts[FILE], FILE, "exec"), names)
    own: dict[str, Any] = {}
    exec(compile(TEXT, FILE, "exec"), own)
    box, plain = names["Box"](), own["Box"]()
    begin()
    assert names["run"](box, a, b) == own["run"](plain, a, b)
    assert vars(box) == vars(plain)
    return seen == {0}


@pytest.mark.parametrize(
    ("old", "new", "a", "b", "differs"),
    [
        ("if a > b and", "if a >= b and", 2, 1, False),
        ("if a > b and", "if a >= b and", 1, 1, True),
        ("box.doubled < 10", "box.doubled <= 10", 2, 1, False),
        ("a > b and box", "a > b or box", 1, 2, True),
        ("a // b", "a * b", 2, 1, False),
        ("a // b", "a * b", 4, 2, True),
        ("return a if a > b else b", "return a if not a > b else b", 1, 1, False),
        ("return a if a > b else b", "return a if not a > b else b", 2, 1, True),
        ("box.value = larger(a, b)", "pass", 2, 1, True),
        ("box.value = 3", "pass", 3, 1, False),
        ("box.value = 3", "pass", 4, 1, True),
        ("total += 1", "pass", 2, 1, True),
        ("a + 1", "a - 1", 2, 1, True),
        ("a // b", "a // (b - 1)", 2, 1, True),  # it raises
    ],
)
def test_values_are_compared(old: str, new: str, a: int, b: int, differs: bool) -> None:
    assert differing(old, new, a, b) is differs


@pytest.mark.parametrize(("old", "new"), [("by=2", "by=3"), ("class Box:", "class Box(object if 1 else int):")])
def test_what_is_evaluated_once_has_no_probe(old: str, new: str) -> None:
    assert differing(old, new) is None


@pytest.mark.parametrize(("old", "new"), [("> 1:", ">= 1:"), ("return self.calls", "pass"), ("self.calls += by", "return")])
def test_what_cannot_be_evaluated_twice_has_no_probe(old: str, new: str) -> None:
    assert differing(old, new) is None


def test_what_is_pure() -> None:
    assert Purity([TEXT]).functions == {"__init__": False, "doubled": True, "count": False, "larger": True, "scaled": True, "run": False}


def test_a_name_is_pure_if_all_that_have_it_are() -> None:
    texts = ["def f():\n    return 1\n", "class A:\n    def f(self):\n        self.x = 1\n", "def g():\n    return f()\n"]
    assert Purity(texts).functions == {"f": False, "g": False}
    assert Purity(texts[::2]).functions == {"f": True, "g": True}


def test_a_field_that_holds_any_function_is_not_pure() -> None:
    text = "def h():\n    return 1\n\nproto = make(h=other)\n\ndef g(sk):\n    return sk.h()\n"
    assert not Purity([text]).functions["g"]
