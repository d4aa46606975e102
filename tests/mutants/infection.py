"""Which mutants a run can notice at all: those whose expression, in that run, ever has another value than the stack's own.

Each expression that mutants change is wrapped, in one instrumented copy of the stack, so that the mutated ones are evaluated beside it
and compared; all mutants at once, in one more play of the suite. Where the values never differ the stack goes on exactly as without the
mutant, and so does the run. This is only done for expressions that change nothing when they are evaluated, and for assignments that are
left out: there the question is whether what is assigned was there already.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .mutant import Mutant, place_of
from .purity import Purity

__all__ = ["Probes", "install", "instrumented"]

_PROBE, _KEPT = "__mutants_probe__", "__mutants_kept__"
_PLAIN = (int, str, bytes, bool, type(None), float)
_SCOPES = (ast.Lambda, ast.comprehension, ast.GeneratorExp, ast.ListComp, ast.FunctionDef, ast.ClassDef)
_ENOUGH = 300
"""Times that an expression is evaluated beside its mutants in one run; those that were the same so often may still come to differ."""
Span = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Probes:
    """The instrumented stack."""

    texts: Mapping[str, str]
    numbers: frozenset[int]
    """Of the mutants that are probed; the others are noticed by whatever comes through their lines, as far as one can tell."""


@dataclass(frozen=True, slots=True)
class _Unit:
    span: Span
    mutated: ast.expr
    truth: bool
    """Only whether it is true counts."""


def instrumented(mutants: Sequence[Mutant], sources: Mapping[str, str]) -> Probes:
    """The stack with a probe for each mutant that can be probed."""
    purity = Purity(sources.values())
    units: defaultdict[str, defaultdict[Span, list[tuple[int, _Unit]]]] = defaultdict(lambda: defaultdict(list))
    kept: defaultdict[str, dict[Span, int]] = defaultdict(dict)
    trees = {file: ast.parse(text) for file, text in sources.items()}
    found: set[int] = set()
    for number, mutant in enumerate(mutants):
        if mutant.curated or mutant.lines is None or not mutant.function or place_of(sources[mutant.file], mutant.line).once:
            continue
        place = _differing(*_changed(sources[mutant.file], mutant.texts[mutant.file], trees[mutant.file]))
        if place is None:
            continue
        old, new = place
        if isinstance(new, ast.Pass):
            if isinstance(old, ast.Assign | ast.AugAssign) and _assigns_plainly(old, purity):
                kept[mutant.file][_span(old)] = number
                found.add(number)
        elif (unit := _unit(old, new, purity)) is not None:
            units[mutant.file][unit.span].append((number, unit))
            found.add(number)
    texts = {
        file: ast.unparse(ast.fix_missing_locations(_Wrap(units[file], kept[file]).visit(tree)))
        for file, tree in trees.items()
        if file in units or file in kept
    }
    return Probes(texts, frozenset(found))


def install(seen: set[int]) -> Callable[[], None]:
    """Make the probes note in ``seen`` which mutants differ; what is returned is to be called before each run."""
    times: dict[int, int] = {}
    """How often each expression was evaluated; above _ENOUGH nothing is left to find out."""

    def probe(value: Callable[[], Any], mutated: tuple[tuple[int, bool, Callable[[], Any]], ...]) -> Any:
        own = value()
        unit = mutated[0][0]
        so_far = times.get(unit, 0)
        if so_far > _ENOUGH:
            return own
        times[unit] = so_far + 1
        alive = 0
        for number, truth, other in mutated:
            if number in seen:
                continue
            try:
                theirs = other()
                same = bool(own) == bool(theirs) if truth else type(own) is type(theirs) and own == theirs
            except Exception:
                same = False
            if not same or so_far == _ENOUGH:
                seen.add(number)
            else:
                alive += 1
        if not alive:
            times[unit] = _ENOUGH + 1
        return own

    def kept(number: int, before: Callable[[], tuple[Any, ...]], after: Callable[[], tuple[Any, ...]]) -> None:
        if number in seen:
            return
        try:
            old, new = before(), after()
            same = len(old) == len(new) and all(
                a is b or (type(a) is type(b) and isinstance(a, _PLAIN) and a == b) for a, b in zip(old, new, strict=True)
            )
        except Exception:
            same = False
        if not same:
            seen.add(number)

    def begin() -> None:
        seen.clear()
        times.clear()

    setattr(builtins, _PROBE, probe)
    setattr(builtins, _KEPT, kept)
    return begin


# Where they differ -------------------------------------------------------------------------------------------------------


def _changed(old: str, new: str, tree: ast.Module) -> tuple[ast.AST, ast.AST]:
    """The statement of the module that differs, as it is and as it is in the other text."""
    one, other = old.split("\n"), new.split("\n")
    first = next(at for at, (a, b) in enumerate(zip(one, other, strict=False), 1) if a != b)
    statement = next(node for node in reversed(tree.body) if node.lineno <= first)
    begin = min([statement.lineno, *(mark.lineno for mark in getattr(statement, "decorator_list", []))])
    end = (statement.end_lineno or 0) + len(other) - len(one)
    part = ast.parse("\n" * (begin - 1) + "\n".join(other[begin - 1 : end]))
    return statement, part.body[0]


def _differing(old: ast.AST, new: ast.AST) -> tuple[ast.stmt, ast.stmt] | None:
    """The innermost statement that holds all that differs, inside of a function; and what it is in the other tree."""
    if type(old) is not type(new):
        return (old, new) if isinstance(old, ast.stmt) and isinstance(new, ast.stmt) else None
    differing: list[tuple[Any, Any]] = []
    for name, one in ast.iter_fields(old):
        other = getattr(new, name)
        if isinstance(one, list) and one and isinstance(one[0], ast.stmt | ast.ExceptHandler | ast.match_case):
            if len(one) != len(other):
                return None
            differing += [(a, b) for a, b in zip(one, other, strict=True) if not _same(a, b)]
        elif not _same(one, other):
            differing.append((None, None))
    if len(differing) == 1 and differing[0][0] is not None:
        return _differing(*differing[0])
    return (old, new) if isinstance(old, ast.stmt) and isinstance(new, ast.stmt) else None


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, ast.AST):
        return type(old) is type(new) and all(_same(one, getattr(new, name)) for name, one in ast.iter_fields(old))
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(_same, old, new))
    return type(old) is type(new) and bool(old == new)


def _children(node: ast.AST) -> list[tuple[str, Any]]:
    """Expressions right below, with what they are to it."""
    found: list[tuple[str, Any]] = []
    for name, value in ast.iter_fields(node):
        if name in ("body", "orelse", "finalbody", "handlers", "cases") and isinstance(value, list):
            continue
        found += [(name, part) for part in (value if isinstance(value, list) else [value])]
    return found


def _unit(old: ast.AST, new: ast.AST, purity: Purity, truth: bool = False) -> _Unit | None:
    """The largest pure expression around all that differs."""
    if isinstance(old, ast.expr) and isinstance(new, ast.expr) and purity.of(old) and purity.of(new) and _loads(old):
        return _Unit(_span(old), new, truth)
    if type(old) is not type(new) or isinstance(
        old, ast.Lambda | ast.comprehension | ast.GeneratorExp | ast.ListComp | ast.FunctionDef | ast.ClassDef
    ):
        return None
    one, other = _children(old), _children(new)
    if len(one) != len(other):
        return None
    differing = [(name, a, b) for (name, a), (_, b) in zip(one, other, strict=True) if not _same(a, b)]
    if len(differing) != 1:
        return None
    name, a, b = differing[0]
    if not isinstance(a, ast.AST) or not isinstance(b, ast.AST) or name in ("target", "targets", "annotation"):
        return None
    inherits = truth and isinstance(old, ast.BoolOp)
    condition = name == "test" or inherits or (isinstance(old, ast.UnaryOp) and isinstance(old.op, ast.Not))
    return _unit(a, b, purity, condition)


def _loads(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load) and not isinstance(node, ast.Starred | ast.Slice | ast.FormattedValue)


def _span(node: ast.AST) -> Span:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


def _assigns_plainly(node: ast.Assign | ast.AugAssign, purity: Purity) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return purity.of(node.value) and all(isinstance(part, ast.Name | ast.Attribute) and purity.of(part) for part in flat)


# The copy ----------------------------------------------------------------------------------------------------------------


class _Wrap(ast.NodeTransformer):
    def __init__(self, units: Mapping[Span, Sequence[tuple[int, _Unit]]], kept: Mapping[Span, int]) -> None:
        self._units, self._kept = units, kept

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and (units := self._units.get(_span(node))) and _loads(node):
            mutated = [
                ast.Tuple([ast.Constant(number), ast.Constant(unit.truth), _lambda(unit.mutated)], ast.Load()) for number, unit in units
            ]
            return ast.Call(ast.Name(_PROBE, ast.Load()), [_lambda(node), ast.Tuple(mutated, ast.Load())], [])
        if isinstance(node, ast.Assign | ast.AugAssign) and (number := self._kept.get(_span(node))) is not None:
            before, after = _assigned(node)
            call = ast.Call(ast.Name(_KEPT, ast.Load()), [ast.Constant(number), _lambda(before), _lambda(after)], [])
            return [ast.Expr(call), self.generic_visit(node)]
        return self.generic_visit(node)


def _lambda(body: ast.expr) -> ast.Lambda:
    return ast.Lambda(ast.arguments([], [], None, [], [], None, []), body)


def _assigned(node: ast.Assign | ast.AugAssign) -> tuple[ast.expr, ast.expr]:
    """Tuples of what is there, and of what shall be."""
    if isinstance(node, ast.AugAssign):
        there = _loaded(node.target)
        return ast.Tuple([there], ast.Load()), ast.Tuple([ast.BinOp(there, node.op, node.value)], ast.Load())
    before: list[ast.expr] = []
    after: list[ast.expr] = []
    for target in node.targets:
        if isinstance(target, ast.Tuple):
            before += map(_loaded, target.elts)
            after.append(ast.Starred(node.value, ast.Load()))
        else:
            before.append(_loaded(target))
            after.append(node.value)
    return ast.Tuple(before, ast.Load()), ast.Tuple(after, ast.Load())


def _loaded(node: ast.expr) -> ast.expr:
    return ast.Name(node.id, ast.Load()) if isinstance(node, ast.Name) else ast.Attribute(node.value, node.attr, ast.Load())  # type: ignore[attr-defined]
