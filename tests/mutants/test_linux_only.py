"""What counts with Linux's profile only has no mutants."""

from __future__ import annotations

import pytest

pytest.importorskip("parso")

import parso

from .linux_only import only_linux, only_linux_functions

TEXT = """\
def f(sk, a):
    if sk.net.sysctl.linux:
        in_linux()
    else:
        in_rfc()
    if a:
        first_rfc()
    elif not sk.net.sysctl.linux:
        second_rfc()
    else:
        else_linux()
    x = one_linux() if sk.net.sysctl.linux else other_rfc()
    y = one_rfc() if not sk.net.sysctl.linux else other_linux()
    if and_linux() and sk.net.sysctl.linux or beside_rfc():
        both_rfc()
    if or_linux() or not sk.net.sysctl.linux:
        both_rfc()
    if sk.net.sysctl.linux and a:
        with_linux()
    elif a:
        then_rfc()
    while a:
        if not sk.net.sysctl.linux:
            break
        after_linux()
    if not sk.net.sysctl.linux:
        out_rfc()
        return None
    return end_linux()
"""


def test_by_condition() -> None:
    module = parso.parse(TEXT)
    leaf = module.get_first_leaf()
    seen = {}
    while leaf is not None:
        if leaf.type == "name" and leaf.value.endswith(("_rfc", "_linux")):
            seen[leaf.value] = only_linux(leaf)
        leaf = leaf.get_next_leaf()
    assert seen == {name: name.endswith("_linux") for name in seen} and len(seen) == 18


def test_functions_that_only_linux_calls() -> None:
    sources = {
        "a": "from b import called, shared\ndef f(sk):\n    if sk.sysctl.linux:\n        called()\n    shared()\n",
        "b": "def called():\n    inner()\n    shared()\ndef inner():\n    pass\ndef shared():\n    pass\n# linux\n",
    }
    assert only_linux_functions(sources) == {"called", "inner"}
    assert only_linux_functions({**sources, "c": "inner()\n"}) == {"called"}
