"""What of the stack is only ever executed, or only ever counts, with ``profile: linux``.

There the yardstick is not an RFC but the kernel, with which ``tests/sut/test_profiles.py`` compares the stack. A case that noticed a bug
there would hold every stack to Linux's taste, so nothing is planted there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import parso

__all__ = ["begins_linux", "only_linux", "only_linux_functions"]

_JUMPS = ("return", "raise", "continue", "break")


def only_linux_functions(sources: Mapping[str, str]) -> frozenset[str]:
    """Functions of modules, named once, that nothing calls but what is only executed with that profile."""
    trees = {file: parso.parse(text) for file, text in sources.items() if "linux" in text}
    defined = [node.name.value for tree in trees.values() for node in tree.iter_funcdefs()]
    able = {name for name in defined if defined.count(name) == 1}
    uses: dict[str, list[Any]] = {name: [] for name in able}
    for tree in trees.values():
        for leaf in _leaves(tree):
            if leaf.type == "name" and leaf.value in able and not _names_only(leaf):
                uses[leaf.value].append(leaf)
    elsewhere = "\n".join(text for text in sources.values() if "linux" not in text)
    found: set[str] = set()
    while new := {
        name
        for name, leaves in uses.items()
        if name not in found and name not in elsewhere and leaves and all(only_linux(leaf, found) for leaf in leaves)
    }:
        found |= new
    return frozenset(found)


def only_linux(node: Any, functions: frozenset[str] | set[str] = frozenset()) -> bool:
    """Is this part of a module's tree without effect in any other profile? ``functions``: names of those that are."""
    while node is not None:
        if begins_linux(node, functions):
            return True
        node = node.parent
    return False


def begins_linux(node: Any, functions: frozenset[str] | set[str] = frozenset()) -> bool:
    """The same, of a part of which it is known that what it stands in is not."""
    if node.type == "funcdef" and node.name.value in functions:
        return True
    parent = node.parent
    return parent is not None and (_shut_off(parent, node) or _after_a_way_out(parent, node))


def _shut_off(parent: Any, node: Any) -> bool:
    """Does ``parent`` come to ``node`` only with Linux's profile, or need its value only then?"""
    parts = parent.children
    at = parts.index(node)
    if parent.type == "if_stmt" and at:
        words = [at for at, part in enumerate(parts[:at]) if part.type == "keyword"]  # if, elif, else
        tests = [parts[word + 1] for word in words if parts[word].value != "else"]
        inside = at - 1 not in words  # else it is one of the tests
        last = tests.pop() if parts[words[-1]].value != "else" else None
        return any(map(_else_linux, tests)) or (inside and last is not None and _is_linux(last))
    if parent.type == "test":
        return (at == 0 and _is_linux(parts[2])) or (at == 4 and _else_linux(parts[2]))
    if parent.type == "and_test":
        return any(_is_linux(part) for part in parts if part is not node)
    if parent.type == "or_test":
        return any(_else_linux(part) for part in parts if part is not node)
    return False


def _after_a_way_out(parent: Any, node: Any) -> bool:
    """Does an ``if not linux: return`` stand before it among the same statements?"""
    if parent.type not in ("suite", "file_input"):
        return False
    before = parent.children[: parent.children.index(node)]
    return any(part.type == "if_stmt" and len(part.children) == 4 and _else_linux(part.children[1]) and _jumps(part) for part in before)


def _jumps(statement: Any) -> bool:
    last = statement.get_last_leaf().get_previous_leaf()
    line = last.parent
    while line.parent is not None and line.type not in ("simple_stmt", "suite"):
        line = line.parent
    return str(line.get_first_leaf().value) in _JUMPS and line.parent.parent is statement


def _is_linux(test: Any) -> bool:
    """Is it true with Linux's profile only?"""
    if test.type == "and_test":
        return any(map(_is_linux, test.children))
    if test.type == "atom" and test.children[0].value == "(":
        return _is_linux(test.children[1])
    if test.type == "name":
        return str(test.value) == "linux"
    return test.type in ("power", "atom_expr") and str(test.get_code().strip()).endswith("sysctl.linux")


def _else_linux(test: Any) -> bool:
    """Is it false with Linux's profile only?"""
    if test.type == "or_test":
        return any(map(_else_linux, test.children))
    return test.type == "not_test" and _is_linux(test.children[1])


def _names_only(leaf: Any) -> bool:
    """Does it only say that there is such a name?"""
    node = leaf
    while node.parent is not None:
        if node.parent.type in ("import_from", "import_name"):
            return True
        if node.parent.type in ("funcdef", "classdef"):
            return leaf is node.parent.name
        node = node.parent
    return False


def _leaves(node: Any) -> Iterator[Any]:
    if not hasattr(node, "children"):
        yield node
    for child in getattr(node, "children", ()):
        yield from _leaves(child)
