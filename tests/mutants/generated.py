"""Mutants that cosmic-ray's operators make of the stack's TCP files. Running them is our own affair: its way takes a process for each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

import parso
import yaml
from cosmic_ray.operators.provider import OperatorProvider
from parso.tree import search_ancestor

from .linux_only import begins_linux, only_linux_functions
from .mutant import Lines, Mutant, mask, place_of, users
from .operators import StatementDeletion

__all__ = ["CONFIG", "generate", "operators"]

CONFIG = Path(__file__).with_name("generated.yaml")
_COUNTER = re.compile(r"\bnet\.count\(")
_OWN = {"StatementDeletion": StatementDeletion}
_TEXTS = ("fstring", "string", "strings")


@lru_cache(1)
def operators() -> dict[str, Any]:
    """Those of the configuration, by name."""
    theirs = OperatorProvider()
    return {name: _OWN[name]() if name in _OWN else theirs[name]() for name in yaml.safe_load(CONFIG.read_text("utf-8"))["operators"]}


def generate(sources: Mapping[str, str], patterns: Sequence[str] | None = None) -> list[Mutant]:
    """All mutants of those of these files that the configuration names (or that match ``patterns``)."""
    patterns = patterns or yaml.safe_load(CONFIG.read_text("utf-8"))["files"]
    made: list[Mutant] = []
    linux = only_linux_functions(sources)
    for file, text in sources.items():
        if any(fnmatch(file, pattern) for pattern in patterns):
            made += _of_file(file, text, sources, linux)
    return made


def _of_file(file: str, text: str, sources: Mapping[str, str], linux: frozenset[str]) -> Iterator[Mutant]:
    module = parso.parse(text)
    seen = {_plain(text)}
    lines = text.split("\n")
    for statement in module.children:
        first, last = statement.get_start_pos_of_prefix()[0], statement.end_pos
        head = _until(lines, first, statement.get_start_pos_of_prefix()[1])
        tail = text[len(head) + len(statement.get_code()) :]
        assert head + statement.get_code() + tail == text, (file, last)
        for node in _nodes(statement, linux):
            for name, operator in operators().items():
                for index, (begin, _) in enumerate(operator.mutation_positions(node)):
                    if _trivial(name, node, index):
                        continue
                    changed = _applied(operator, node, index, statement)
                    mutated = head + changed + tail
                    if (plain := _plain(mutated)) in seen or not _compiles(changed):
                        continue
                    seen.add(plain)
                    yield _mutant(file, text, mutated, begin[0], name, sources)


def _until(lines: list[str], line: int, column: int) -> str:
    return "\n".join([*lines[: line - 1], lines[line - 1][:column]])


def _plain(text: str) -> str:
    """Without what only looks different."""
    return re.sub(r"[ \t]+", "", text)


def _compiles(statement: str) -> bool:
    try:
        compile(statement, "<mutant>", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _nodes(node: Any, linux: frozenset[str]) -> Iterator[Any]:
    """What may be mutated, from the top."""
    if _left_out(node) or begins_linux(node, linux):
        return
    yield node
    for child in getattr(node, "children", ()):
        yield from _nodes(child, linux)


def _left_out(node: Any) -> bool:
    kind, parent = node.type, node.parent
    if kind in ("decorator", "decorators", "assert_stmt", "import_name", "import_from", *_TEXTS):
        return True
    if parent is not None:
        place = parent.children.index(node)
        if parent.type == "annassign" and place == 1:
            return True
        if parent.type == "tfpdef" and place == 2:  # def f(name: annotation)
            return True
        if parent.type == "funcdef" and place and getattr(parent.children[place - 1], "value", "") == "->":
            return True
    if kind == "if_stmt" and node.children[1].get_code().strip() == "TYPE_CHECKING":
        return True
    if kind == "simple_stmt":
        code = node.get_code().strip()
        return code.startswith("__all__") or _COUNTER.search(code) is not None
    return False


def _trivial(operator: str, node: Any, index: int) -> bool:
    """Is it a mutant that another operator makes as well, or that any run would notice?"""
    if operator == "AddNot":
        condition = node.children[1] if node.type in ("if_stmt", "while_stmt") else node.children[2]
        return condition.type in ("comparison", "not_test")
    if operator == "NumberReplacer":
        return index == 1 and node.value == "0"
    if operator == "ReplaceBinaryOperator_BitAnd_BitOr":
        following = node.get_next_sibling()
        return following is not None and following.get_code().strip() == "MASK"
    if operator == "StatementDeletion":
        function = search_ancestor(node, "funcdef")
        return function is not None and function.name.value.startswith(("__init__", "_init_"))
    return False


def _applied(operator: Any, node: Any, index: int, statement: Any) -> str:
    """The code of ``statement`` with the mutation in it; the tree stays as it was."""
    kept = [(part, list(part.children)) for part in _all(node) if hasattr(part, "children")]
    leaves = [(part, part.value, part.prefix) for part in _all(node) if not hasattr(part, "children")]
    parent = node.parent
    siblings = list(parent.children)
    changed = operator.mutate(node, index)
    if changed is None:
        parent.children.remove(node)
    elif changed is not node:
        parent.children[parent.children.index(node)] = changed
    try:
        return str(changed.get_code() if node is statement else statement.get_code())
    finally:
        parent.children[:] = siblings
        for part, children in kept:
            part.children[:] = children
        for part, value, prefix in leaves:
            part.value, part.prefix = value, prefix


def _all(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", ()):
        yield from _all(child)


def _mutant(file: str, text: str, mutated: str, line: int, operator: str, sources: Mapping[str, str]) -> Mutant:
    old, new = text.split("\n"), mutated.split("\n")
    at = next(i for i, (one, other) in enumerate(zip(old, new, strict=False)) if "".join(one.split()) != "".join(other.split()))
    place = place_of(text, line)
    before, after = _tidy(old[at]), _tidy(new[at])
    lines: Lines | None
    if not place.at_load:
        whole = place.body if _is_header(text, place.first) else 0
        lines = {file: whole or mask(place.first, place.last)}
    elif (inner := _lambda(text, line)) is not None:
        lines = {file: inner}
    else:
        lines = users(place.names, sources)
    name = f"{file}:{line} {place.function} {operator}"
    return Mutant(name, False, file, at + 1, place.function, before, after, {file: mutated}, operator, lines)


def _tidy(line: str) -> str:
    return " ".join(line.split())


def _is_header(text: str, line: int) -> bool:
    return text.split("\n")[line - 1].lstrip().startswith(("def ", "async def "))


def _lambda(text: str, line: int) -> int | None:
    """The lines of the lambda that this line of a table stands in."""
    found = [n for n in _lambdas(text) if n.lineno <= line <= (n.end_lineno or n.lineno)]
    node = found[0] if found else None
    assert node is None or isinstance(node, ast.Lambda)
    return mask(node.lineno, node.end_lineno or node.lineno) if node is not None else None


@lru_cache(64)
def _lambdas(text: str) -> list[Any]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Lambda)]
