"""Mutation operators in cosmic-ray's form that it does not have itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator

__all__ = ["StatementDeletion"]


class StatementDeletion(Operator):
    """A statement is left out: a call, an assignment that is not a local name's first one, ``return``, ``raise``, ``del``."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if node.type == "simple_stmt" and len(node.children) == 2 and _may_go(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        assert index == 0
        prefix = node.get_first_leaf().prefix
        node.children[0] = parso.parse(prefix + "pass")
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return (Example("f()\n", "pass\n"), Example("x.y = 1\n", "pass\n"), Example("x += 1\n", "pass\n"))


def _may_go(statement: Any) -> bool:
    if statement.type in ("return_stmt", "raise_stmt", "del_stmt"):
        return True
    if statement.type == "keyword":
        return bool(statement.value in ("return", "raise"))
    if statement.type in ("atom_expr", "power"):
        return True
    if statement.type != "expr_stmt":
        return False
    target, sign = statement.children[:2]
    if sign.type == "annassign":
        return False
    if target.type in ("atom_expr", "power") or (sign.type == "operator" and sign.value != "="):
        return True
    if target.type == "testlist_star_expr":  # a.b, a.c = …
        return any(child.type in ("atom_expr", "power") for child in target.children)
    return target.type == "name" and _bound_before(statement, target.value)


def _bound_before(statement: Any, name: str) -> bool:
    """Has the name another value without this statement, which stands below a condition?"""
    function = parso.tree.search_ancestor(statement, "funcdef", "lambdef")
    if function is None or statement.parent.parent.parent is function:
        return False
    begin = statement.start_pos
    return any(leaf.value == name and leaf.start_pos < begin and leaf.is_definition() for leaf in _names(function))


def _names(node: Any) -> Iterator[Any]:
    if node.type == "name":
        yield node
    for child in getattr(node, "children", ()):
        yield from _names(child)
