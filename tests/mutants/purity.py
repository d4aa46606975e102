"""Which expressions of the stack change nothing when they are evaluated, so that they may be evaluated once more."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping

__all__ = ["Purity"]

_FUNCTIONS = frozenset(
    """abs all any bool bytearray bytes chain dict enumerate float frozenset getattr hasattr hash int isinstance issubclass len list max min
    next ord range repr reversed round set sorted str sum tuple type zip""".split()  # noqa: SIM905
)
_METHODS = frozenset(
    """bit_length blake2b blake2s count decode digest encode endswith find from_bytes get index items iter_unpack join keys pack partition
    removeprefix removesuffix rpartition split startswith strip to_bytes unpack unpack_from values""".split()  # noqa: SIM905
)
_EXPRESSIONS = (
    ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript, ast.Slice, ast.Tuple,
    ast.List, ast.Set, ast.Dict, ast.Call, ast.keyword, ast.Starred, ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.comprehension, ast.JoinedStr, ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
)  # fmt: skip
_STATEMENTS = (
    ast.Return, ast.If, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.For, ast.While, ast.Assert, ast.Pass, ast.Break,
    ast.Continue, ast.ImportFrom, ast.Raise,
)  # fmt: skip
_LOCAL = (ast.Name, ast.Tuple, ast.Starred, ast.expr_context)


class Purity:
    """Found out from the text of all modules. A name counts as pure if everything that has it is."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._all: defaultdict[str, list[ast.FunctionDef]] = defaultdict(list)
        self._properties: set[str] = set()
        self._tables: set[str] = set()
        """What is a field that may hold any function (``hash=inet_hash``)."""
        for text in sources:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef):
                    self._all[node.name].append(node)
                    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list):
                        self._properties.add(node.name)
                elif isinstance(node, ast.keyword) and isinstance(node.value, ast.Name | ast.Attribute) and node.arg:
                    self._tables.add(node.arg)
        self._pure = set(self._all)
        while changed := {name for name in self._pure if not all(map(self._body, self._all[name]))}:
            self._pure -= changed

    @property
    def functions(self) -> Mapping[str, bool]:
        """By name: is it pure?"""
        return {name: name in self._pure for name in self._all}

    def of(self, node: ast.AST) -> bool:
        """Is this expression pure, and its value not one that is used up or remembered (a generator, a lambda)?"""
        return not isinstance(node, ast.GeneratorExp | ast.Lambda) and self._expression(node)

    def _expression(self, node: ast.AST) -> bool:
        return all(self._part(part) for part in ast.walk(node))

    def _part(self, node: ast.AST) -> bool:
        if not isinstance(node, _EXPRESSIONS):
            return False
        if isinstance(node, ast.Attribute):
            return node.attr not in self._properties or node.attr in self._pure
        if not isinstance(node, ast.Call):
            return True
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name == "next" and not isinstance(node.args[0], ast.GeneratorExp):
                return False  # it goes on with something that was begun elsewhere
            return name in self._pure if name in self._all else name in _FUNCTIONS
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            return name not in self._tables and (name in self._pure if name in self._all else name in _METHODS)
        return False

    def _body(self, function: ast.FunctionDef) -> bool:
        return all(self._statement(node) for node in function.body)

    def _statement(self, node: ast.stmt) -> bool:
        if not isinstance(node, _STATEMENTS):
            return False
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not all(isinstance(part, _LOCAL) for target in targets if target is not None for part in ast.walk(target)):
            return False
        for name, value in ast.iter_fields(node):
            if name in ("targets", "target", "annotation", "names"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.stmt):
                    if not self._statement(part):
                        return False
                elif isinstance(part, ast.AST) and not self._expression(part):
                    return False
        return True
