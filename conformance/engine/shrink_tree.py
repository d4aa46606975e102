"""A case's data as a tree of steps: where each stands, and the same tree with some of it left out or written otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from conformance.case.document import Data, Path
from conformance.case.parameters import Substitution
from conformance.case.step_models import STEP_MODELS

__all__ = [
    "Tree", "changed", "count_played", "each_step", "found", "kind_of_step", "mapped", "plain", "spliced", "tidy", "unrolled", "without",
]  # fmt: skip

Tree = dict[str, Data]
"""A case's data: preambles and parameters filled in."""
_GROUPS = ("any_order", "optional", "either", "repeat")


def kind_of_step(step: Tree) -> str:
    """The key that names it."""
    return next(key for key in step if key in STEP_MODELS)


def _branches(step: Tree) -> list[tuple[Path, list[Tree]]]:
    """The lists of steps in a step, and where in it they are."""
    kind = kind_of_step(step)
    match kind:
        case "any_order" | "optional":
            return [((kind,), step[kind])]
        case "either":
            return [((kind, number), branch) for number, branch in enumerate(step[kind])]
        case "repeat":
            return [((kind, "steps"), step[kind]["steps"])]
    return []


def each_step(data: Tree) -> Iterator[tuple[Path, Tree]]:
    """All steps as they stand there, each group before what it holds."""
    return _each(data["steps"], ("steps",))


def _each(steps: list[Tree], path: Path) -> Iterator[tuple[Path, Tree]]:
    for index, step in enumerate(steps):
        yield (*path, index), step
        for where, inner in _branches(step):
            yield from _each(inner, (*path, index, *where))


def count_played(steps: list[Tree]) -> int:
    """How many steps there are, every round of repetitions counted, groups not."""
    total = 0
    for step in steps:
        inner = sum(count_played(branch) for _, branch in _branches(step))
        times = step["repeat"]["times"] if "repeat" in step else 1
        total += inner * times if _branches(step) else 1
    return total


# Changes, each of which leaves what it is given as it is ----------------------------------------------------------------


def found(data: Data, path: Path) -> Data:
    """What stands at a path."""
    for part in path:
        data = data[part]
    return data


def changed(data: Data, path: Path, value: Data) -> Data:
    """The same with another value at a path."""
    if not path:
        return value
    copy: Any = data.copy()
    copy[path[0]] = changed(data[path[0]], path[1:], value)
    return copy


def without(data: Tree, paths: Collection[Path]) -> Tree:
    """The same without what stands at these paths, and without groups that hold nothing any more."""
    gone = set(paths)

    def kept(value: Data, path: Path) -> Data:
        if isinstance(value, dict):
            return {key: kept(one, (*path, key)) for key, one in value.items() if (*path, key) not in gone}
        if isinstance(value, list):
            return [kept(one, (*path, index)) for index, one in enumerate(value) if (*path, index) not in gone]
        return value

    tree: Tree = tidy(kept(data, ()))
    return tree


def tidy(data: Tree) -> Tree:
    """The same without mappings and groups that are empty."""
    slim = {key: value for key, value in data.items() if key not in ("config", "connections", "needs", "tags") or value}
    return {**slim, "steps": _tidy_steps(data["steps"])}


def _tidy_steps(steps: list[Tree]) -> list[Tree]:
    return [tidied for step in steps if (tidied := _tidy_step(step)) is not None]


def _tidy_step(step: Tree) -> Tree | None:
    kind = kind_of_step(step)
    if "with" in step and not step["with"]:
        step = {key: value for key, value in step.items() if key != "with"}
    if kind not in _GROUPS:
        return step
    inner = [branch for _, old in _branches(step) if (branch := _tidy_steps(old))]
    if not inner:
        return None
    if kind == "either":
        return {**step, kind: inner}
    return {**step, kind: {**step[kind], "steps": inner[0]} if kind == "repeat" else inner[0]}


def mapped(data: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """The same with each step that is no group changed."""

    def of(steps: list[Tree]) -> list[Tree]:
        return [inside(step) if _branches(step) else change(step) for step in steps]

    def inside(step: Tree) -> Tree:
        for where, inner in _branches(step):
            step = changed(step, where, of(inner))
        return step

    return {**data, "steps": of(data["steps"])}


def spliced(data: Tree, path: Path, steps: list[Tree]) -> Tree:
    """The same with these steps in place of the one at ``path``."""
    *around, index = path
    old = found(data, tuple(around))
    assert isinstance(index, int)
    tree: Tree = changed(data, tuple(around), [*old[:index], *steps, *old[index + 1 :]])
    return tree


def unrolled(data: Tree, most: int) -> Tree:
    """The same with repetitions written out, but for those that are more than ``most`` steps then."""
    return {**data, "steps": _unrolled(data["steps"], most)}


def _unrolled(steps: list[Tree], most: int) -> list[Tree]:
    result: list[Tree] = []
    for step in steps:
        if "repeat" in step and count_played([step]) <= most:
            for number in range(step["repeat"]["times"]):
                result += _unrolled(Substitution({"i": number}, shadowed=True).data(step["repeat"]["steps"]), most)
        else:
            for where, inner in _branches(step) if "repeat" not in step else ():
                step = changed(step, where, _unrolled(inner, most))
            result.append(step)
    return result


def plain(data: Tree) -> Tree:
    """The same without what is for readers of the whole case: its description, and all ``why`` but that of the last step."""
    last = len(data["steps"]) - 1
    said = [(*path, "why") for path, step in each_step(data) if "why" in step and path[1] != last]
    return without(data, [("description",), *said])
