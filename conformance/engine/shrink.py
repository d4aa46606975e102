"""The smallest case that still fails in the same way: delta debugging of a case's data.

Nothing here plays a case. ``first`` does, and says which of the candidates that it is given, one by one as it asks for them, is the first
that will do. The search is greedy and always ends: each candidate is simpler than what it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from conformance.case.document import Path
from conformance.engine.shrink_edits import Spot, named_together, neighbours, number_spots, trims, unwraps
from conformance.engine.shrink_numbers import drop_closing, drop_fitting
from conformance.engine.shrink_tree import Tree, each_step, unrolled, without
from conformance.engine.signature import Signature

__all__ = ["Fails", "First", "first_like", "most", "shrink"]

E = TypeVar("E")
T = TypeVar("T")
First = Callable[[Iterable[T]], tuple[int, T] | None]
"""The first candidate that will do, and its number from 0; None: none of them, or it is time to end."""
Fails = Callable[[Tree], Signature | None]
"""How a candidate fails, if it does."""

_UNROLLED = 300
"""Steps of a repetition that is written out, so that single ones of them can be left out."""
_NEIGHBOURS = (2, 3)


def first_like(fails: Fails, wanted: Signature) -> First[Tree]:
    """Those candidates will do that fail like ``wanted``."""

    def first(candidates: Iterable[Tree]) -> tuple[int, Tree] | None:
        return next(((number, one) for number, one in enumerate(candidates) if wanted.like(fails(one))), None)

    return first


def shrink(data: Tree, first: First[Tree]) -> Tree:
    """The smallest that the search finds; ``data`` itself will do, and is what comes back if nothing smaller does."""
    while True:
        before = data = unrolled(data, _UNROLLED)
        for simplify in (_drop_steps, _unwrap, _trim, _simplify_numbers):
            data = simplify(data, first)
        if data == before:
            return data


def _drop_steps(data: Tree, first: First[Tree]) -> Tree:
    """Without the steps that it fails without: alone, in runs, all that name one thing; what they sent closed up behind them, or not."""
    for drop in (drop_fitting, drop_closing, without):
        for sets, at_once in ((_single, True), (named_together, False), *((_runs(count), False) for count in _NEIGHBOURS)):
            data = _drop(data, sets(data), drop, first, at_once)
    return data


def _single(data: Tree) -> list[frozenset[Path]]:
    """Each step alone, the last first: what it names was made before it."""
    return [frozenset((path,)) for path, _ in reversed(list(each_step(data)))]


def _runs(count: int) -> Callable[[Tree], list[frozenset[Path]]]:
    return lambda data: neighbours(data, count)


def _drop(
    data: Tree, sets: Sequence[frozenset[Path]], drop: Callable[[Tree, Collection[Path]], Tree], first: First[Tree], at_once: bool
) -> Tree:
    def dropped(chosen: Sequence[frozenset[Path]]) -> Tree:
        return drop(data, frozenset[Path]().union(*chosen))

    chosen = most(sets, lambda tries: _number(first(dropped(one) for one in tries)), len(sets) if at_once else 1)
    return dropped(chosen) if chosen else data


def _unwrap(data: Tree, first: First[Tree]) -> Tree:
    while (won := first(unwraps(data))) is not None:
        data = won[1]
    return data


def _trim(data: Tree, first: First[Tree]) -> Tree:
    def trimmed(chosen: Iterable[Callable[[Tree], Tree]]) -> Tree:
        result = data
        for edit in chosen:
            result = edit(result)
        return result

    return trimmed(most(trims(data), lambda tries: _number(first(trimmed(one) for one in tries))))


def _number(won: tuple[int, Tree] | None) -> int | None:
    return None if won is None else won[0]


def most(edits: Sequence[E], first: Callable[[Iterator[Sequence[E]]], int | None], size: int = 0) -> list[E]:
    """As many edits as may be made together: of those that are left no single one may be added.

    Args:
        edits: in the order in which they are made.
        first: the number of the first of some choices of edits that may be made.
        size: how many are tried at once at first, all of them unless it says otherwise; then ever fewer.
    """
    chosen: list[E] = []
    left = list(edits)
    size = size or len(left)
    while left and size:
        taken, begin = False, 0
        while begin < len(left):
            starts = range(begin, len(left), size)
            won = first([*chosen, *left[start : start + size]] for start in starts)
            if won is None:
                break
            begin = starts[won]
            chosen += left[begin : begin + size]
            del left[begin : begin + size]
            taken = True
        size = min(size, len(left)) if size == 1 and taken else size // 2
    return chosen


# Numbers --------------------------------------------------------------------------------------------------------------


def _simplify_numbers(data: Tree, first: First[Tree]) -> Tree:
    index = 0
    while index < len(spots := number_spots(data)):
        data = _simplify(spots[index], first) or data
        index += 1
    return data


def _simplify(spot: Spot, first: First[Tree]) -> Tree | None:
    """The case with the simplest number there that will do; the least one where that is worth knowing. None: it stays as it is."""
    tries = [(value, candidate) for value in spot.simpler for candidate in spot.put(value)]
    won = first(candidate for _, candidate in tries)
    value, best = (spot.value, None) if won is None else (tries[won[0]][0], won[1])
    if not spot.bisected or not spot.simpler or value == spot.simpler[0]:
        return best
    refused = max(one for one in spot.simpler if one < value)
    if value == spot.value and first(spot.put(value - 1)) is None:
        return best  # it has to be just this
    while value - refused > 1:
        middle = (value + refused) // 2
        won = first(spot.put(middle))
        value, refused = (middle, refused) if won else (value, middle)
        best = won[1] if won else best
    return best
