"""What of a case may be left out or be simpler. Each edit takes a case's data and gives other data; whether it may is tried, not known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from conformance.case import notation
from conformance.case.case import MS, SECOND
from conformance.case.document import Data, Path
from conformance.case.errors import CaseError
from conformance.case.written_segment import WrittenSegment
from conformance.engine.shrink_numbers import gaps, rewritten, segment_of, with_gap
from conformance.engine.shrink_tree import Tree, changed, each_step, found, kind_of_step, mapped, spliced, without

__all__ = ["Edit", "Spot", "named_together", "neighbours", "number_spots", "trims", "unwraps"]

Edit = Callable[[Tree], Tree]
"""Leaves the data as it is where there is nothing to change. Those of :func:`trims` may be done in any order."""

_OPTIONAL = ("config", "needs", "timeout", "tolerance")
_MADE = re.compile(r"(?:call|start): *(\w+) *=")
_WORD = re.compile(r"\$?\w+")


# Steps to leave out together ---------------------------------------------------------------------------------------------


def named_together(data: Tree) -> list[frozenset[Path]]:
    """The steps of each connection, and those that name the same socket, call or variable, where there are several."""
    users: dict[str, set[Path]] = {}
    for path, step in each_step(data):
        kind = kind_of_step(step)
        said = str(step[kind]) if not isinstance(step[kind], dict | list) else ""
        if (on := step.get("on")) is not None:
            users.setdefault(f"on {on}", set()).add(path)
        if made := _MADE.match(f"{kind}: {said}"):
            users.setdefault(made[1], set())
        for word in dict.fromkeys(_WORD.findall(said)):
            if word in users or word.startswith("$"):
                users.setdefault(word, set()).add(path)
    return [frozenset(paths) for paths in users.values() if len(paths) > 1]


def neighbours(data: Tree, count: int) -> list[frozenset[Path]]:
    """Each ``count`` steps that stand below each other, the last first."""
    paths = [path for path, _ in each_step(data)]
    return [frozenset(paths[end - count : end]) for end in range(len(paths), count - 1, -1)]


# Groups ---------------------------------------------------------------------------------------------------------------


def unwraps(data: Tree) -> Iterator[Tree]:
    """Each group replaced by what it holds: a branch of ``either``, the steps of the others; and an ``either`` with a branch less."""
    for path, step in each_step(data):
        match kind := kind_of_step(step):
            case "optional" | "any_order":
                yield spliced(data, path, step[kind])
            case "either":
                for branch in step[kind]:
                    yield spliced(data, path, branch)
                if len(step[kind]) > 2:
                    yield from (without(data, [(*path, kind, number)]) for number in range(len(step[kind])))


# What can be left out of a case that keeps its steps ----------------------------------------------------------------------


def trims(data: Tree) -> list[Edit]:
    """Settings, connections, siblings of steps, fields, flags, windows and options. Kinds stand together: often all of one can go."""
    paths: list[Path] = [(key,) for key in _OPTIONAL if key in data]
    paths += [("config", name) for name in data.get("config") or {}]
    paths += [("connections", name) for name in data.get("connections") or {}]
    paths += [("connections", name, part) for name, one in (data.get("connections") or {}).items() for part in one]
    steps = list(each_step(data))
    last = len(data["steps"]) - 1
    paths += [(*path, "within") for path, step in steps if "within" in step and path[1] != last]  # without it the failure only takes longer
    paths += [(*path, "after") for path, step in steps if "after" in step]
    paths += [(*path, "with", name) for path, step in steps for name in step.get("with") or {}]
    written = [(path, step, segment) for path, step in steps if (segment := segment_of(step)) is not None]
    edits = [_leave_out(path) for path in paths]
    edits += [_at(path, _no_window) for path, _, segment in written if segment.win is not None]
    edits += [_at(path, _no_options) for path, _, segment in written if segment.options is not None]
    edits += [_everywhere(kind) for kind in dict.fromkeys(_kind(option) for _, _, one in written for option in one.options or ())]
    edits += [_at(path, _without_option(number)) for path, _, one in written if one.options for number in reversed(range(len(one.options)))]
    for flag in "PEWU":
        edits += [_at(path, _without_flag(flag)) for path, step, one in written if "inject" in step and flag in one.flags]
    return edits + [_at(path, _no_text) for path, _, segment in written if segment.data is not None]


def _leave_out(path: Path) -> Edit:
    def edit(data: Tree) -> Tree:
        here: Data = data
        for part in path[:-1]:
            if isinstance(here, dict) and part not in here:
                return data
            here = here[part]
        return without(data, [path]) if path[-1] in here else data

    return edit


def _at(path: Path, change: Callable[[WrittenSegment], WrittenSegment]) -> Edit:
    def edit(data: Tree) -> Tree:
        tree: Tree = changed(data, path, rewritten(found(data, path), change))
        return tree

    return edit


def _no_window(segment: WrittenSegment) -> WrittenSegment:
    return replace(segment, win=None)


def _no_options(segment: WrittenSegment) -> WrittenSegment:
    return replace(segment, options=None)


def _no_text(segment: WrittenSegment) -> WrittenSegment:
    return replace(segment, data=None)


def _without_flag(flag: str) -> Callable[[WrittenSegment], WrittenSegment]:
    def change(segment: WrittenSegment) -> WrittenSegment:
        return replace(segment, flags=segment.flags.replace(flag, "") or "-", urg=None if flag == "U" else segment.urg)

    return change


def _kind(option: str) -> str:
    words = option.split()
    return " ".join(words[:2]) if words[0] == "kind" else words[0]


def _everywhere(kind: str) -> Edit:
    """No segment has an option of this kind."""

    def change(segment: WrittenSegment) -> WrittenSegment:
        left = tuple(option for option in segment.options or () if _kind(option) != kind)
        return segment if segment.options is None or left == segment.options else replace(segment, options=left or None)

    return lambda data: mapped(data, lambda step: rewritten(step, change))


def _without_option(number: int) -> Callable[[WrittenSegment], WrittenSegment]:
    """By its place, counted from the first: those behind it go first, so that the place stays right as long as nothing else went."""

    def change(segment: WrittenSegment) -> WrittenSegment:
        options = segment.options or ()
        left = options[:number] + options[number + 1 :]
        return segment if number >= len(options) else replace(segment, options=left or None)

    return change


# Numbers --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spot:
    """A number that may be simpler."""

    value: int
    simpler: Sequence[int]
    """Those to try, the simplest first."""
    put: Callable[[int], Iterator[Tree]]
    """The case with another number there, in one way or several."""
    bisected: bool = False
    """Where exactly the failure begins is worth knowing."""


_ROUND = (1, 2, 10, 100, 1000, 10_000, 100_000, 1_000_000, 100_000_000)
_WAITS = (10 * MS, 100 * MS, SECOND, 10 * SECOND, 100 * SECOND, 1000 * SECOND)


def number_spots(data: Tree) -> list[Spot]:
    """Repetitions, lengths of data and gaps between numbers, windows, waits. As many as before after one of them was changed."""
    spots = [
        Spot(times, _below(_ROUND, times), lambda new, path=path: _put(data, (*path, "repeat", "times"), new), True)  # type: ignore[misc]
        for path, step in each_step(data)
        if "repeat" in step and isinstance(times := step["repeat"]["times"], int)
    ]
    spots += [Spot(gap.width, _below(_ROUND, gap.width), lambda new, gap=gap: with_gap(data, gap, new), True) for gap in gaps(data)]  # type: ignore[misc]
    return spots + list(_windows(data)) + list(_waits(data))


def _below(numbers: Sequence[int], limit: int) -> tuple[int, ...]:
    return tuple(number for number in numbers if number < limit)


def _put(data: Tree, path: Path, value: Data) -> Iterator[Tree]:
    yield changed(data, path, value)


def _windows(data: Tree) -> Iterator[Spot]:
    for path, step in each_step(data):
        segment = segment_of(step)
        if segment is not None and segment.win is not None and segment.win.isdecimal() and "inject" in step:
            value = int(segment.win)
            yield Spot(value, _rounded(value), lambda new, path=path: iter([_at(path, lambda one: replace(one, win=str(new)))(data)]))  # type: ignore[misc]


def _rounded(value: int) -> tuple[int, ...]:
    """Numbers of one figure and noughts about as large; none if it is one, or as large as can be."""
    step = 10 ** (len(str(value)) - 1)
    near = value // step * step, min(-(-value // step) * step, 0xFFFF)
    return () if value in (*near, 0xFFFF) else near


def _waits(data: Tree) -> Iterator[Spot]:
    for path, step in each_step(data):
        for key in ("after", "silence"):
            ns = _plain_duration(step.get(key))
            if ns is not None and not (key == "after" and kind_of_step(step) in ("expect", "expect_icmp", "finish")):
                yield Spot(ns, _below(_WAITS, ns), lambda new, path=path, key=key: _put(data, (*path, key), _duration(new)))  # type: ignore[misc]


def _plain_duration(text: Data) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return notation.duration(text)
    except CaseError:
        return None


_UNITS: Mapping[str, int] = {"s": SECOND, "ms": MS, "us": 1000, "ns": 1}


def _duration(ns: int) -> str:
    unit = next(name for name, size in _UNITS.items() if ns % size == 0)
    return f"{ns // _UNITS[unit]}{unit}"
