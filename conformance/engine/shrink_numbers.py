"""The numbers of a case's streams, which hang together: a segment's length, and all that comes behind it and acknowledges it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from conformance.case.document import Path
from conformance.case.written_segment import Move, WrittenSegment
from conformance.engine.shrink_tree import Tree, each_step, kind_of_step, mapped, without

__all__ = ["Gap", "Side", "drop_closing", "drop_fitting", "gaps", "rewritten", "segment_of", "with_gap"]

Side = tuple[str, str]
"""A stream: the connection's name, and ``peer`` or ``sut``, who sends it."""

_SENDERS: Mapping[str, str] = {"inject": "peer", "expect": "sut", "inject_icmp": "sut", "expect_icmp": "peer"}
"""Whose segment it is that the step says, or that its message quotes."""
_QUOTED = re.compile(r"(.*\[)(.*)(\].*)", re.DOTALL)
_CALLS = ("call", "start", "finish")
_COUNT = re.compile(r"(?<![\w$.+-])\d+(?![\w.])")


def _parts(step: Tree) -> tuple[str, str, str] | None:
    """What stands before its segment, the segment, and what stands behind it."""
    kind = kind_of_step(step)
    if kind not in _SENDERS or not isinstance(step[kind], str):
        return None
    if kind in ("inject", "expect"):
        return "", step[kind], ""
    match = _QUOTED.fullmatch(step[kind])
    return (match[1], match[2], match[3]) if match else None


def segment_of(step: Tree) -> WrittenSegment | None:
    """The segment that a step says or quotes."""
    parts = _parts(step)
    return WrittenSegment.of(parts[1]) if parts else None


def rewritten(step: Tree, change: Callable[[WrittenSegment], WrittenSegment]) -> Tree:
    """The step with another segment."""
    parts, segment = _parts(step), segment_of(step)
    if parts is None or segment is None or (new := change(segment)) == segment:
        return step
    return {**step, kind_of_step(step): f"{parts[0]}{new}{parts[2]}"}


def _sides(step: Tree) -> tuple[Side, Side]:
    """The stream of the segment's sender, and the one that it acknowledges."""
    on, sender = str(step.get("on", "default")), _SENDERS[kind_of_step(step)]
    return (on, sender), (on, "sut" if sender == "peer" else "peer")


def _segments(data: Tree) -> Iterator[tuple[Path, Tree, WrittenSegment]]:
    for path, step in each_step(data):
        if (segment := segment_of(step)) is not None:
            yield path, step, segment


def _moved(data: Tree, moves: Mapping[Side, Move], calls: Callable[[str], str] = str) -> Tree:
    """The case with the numbers of streams moved, and with the texts of its calls changed."""

    def still(number: int) -> int:
        return number

    def change(step: Tree) -> Tree:
        kind = kind_of_step(step)
        if kind in _CALLS:
            return {**step, kind: calls(step[kind])}
        if kind not in _SENDERS:
            return step
        own, other = _sides(step)
        return rewritten(step, lambda segment: segment.moved(moves.get(own, still), moves.get(other, still)))

    return mapped(data, change)


# Gaps -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gap:
    """Between two numbers of a stream that a case names, nothing stands."""

    side: Side
    begin: int
    end: int

    @property
    def width(self) -> int:
        return self.end - self.begin


def gaps(data: Tree) -> list[Gap]:
    """All of them, stream by stream."""
    numbers: dict[Side, set[int]] = {}
    for _, step, segment in _segments(data):
        own, other = _sides(step)
        numbers.setdefault(own, {0}).update(segment.own_numbers())
        numbers.setdefault(other, {0}).update(segment.other_numbers())
    return [Gap(side, begin, end) for side, known in numbers.items() for begin, end in zip(sorted(known), sorted(known)[1:], strict=False)]


def with_gap(data: Tree, gap: Gap, width: int) -> Iterator[Tree]:
    """The case with the gap so wide, all that is behind it moved along; in calls the counts that may be meant by it are changed or not."""
    less = gap.width - width
    moves = {gap.side: _closing([(gap.begin + width, gap.end)])}

    def same(number: int) -> int:
        return width if number == gap.width else number

    def sums(number: int) -> int:
        return number - less if number >= gap.width else number

    for counted in (same, sums, None):
        yield _moved(data, moves, str if counted is None else lambda text, change=counted: _counts(text, change))  # type: ignore[misc]


def _counts(text: str, change: Move) -> str:
    return _COUNT.sub(lambda found: str(change(int(found[0]))), text)


# Leaving out ----------------------------------------------------------------------------------------------------------


def drop_closing(data: Tree, paths: Collection[Path]) -> Tree:
    """The case without these steps; what their segments alone had of a stream is closed, as if it had never been sent."""
    left = without(data, paths)
    before, after = _spans(data), _spans(left)
    moves = {side: _closing(holes) for side, spans in before.items() if (holes := _minus(spans, after.get(side, [])))}
    return _moved(left, moves) if moves else left


def drop_fitting(data: Tree, paths: Collection[Path]) -> Tree:
    """The same, and the SUT sends no more and receives no more than what is left of the two streams."""
    left = drop_closing(data, paths)
    before, after = _ends(data), _ends(left)
    if sum(sender == "sut" for _, sender in before) != 1:
        return left  # which socket has which stream is more than can be told here
    sent = after.get(next(side for side in before if side[1] == "sut"), 1) - 1
    received = {end - 1: after.get(side, 1) - 1 for side, end in before.items() if side[1] == "peer"}

    def fitted(text: str) -> str:
        nonlocal sent
        call = _COUNTED.search(text)
        if call is None or (call[1] == "send" and not sent):
            return text
        if call[1] == "recv":
            return _counts(text, lambda number: received.get(number, number))
        asked, sends = int(call[2]), min(int(call[2]), sent)
        sent -= sends
        return _counts(text, lambda number: sends if number == asked else number)

    return _moved(left, {}, fitted)


_COUNTED = re.compile(r"\b(send|recv)\(\w+, *(\d+)")


def _ends(data: Tree) -> dict[Side, int]:
    """Where each stream that has data ends, as far as the case says."""
    ends: dict[Side, int] = {}
    for _, step, segment in _segments(data):
        if segment.length != "0" and (numbers := list(segment.own_numbers())):
            side = _sides(step)[0]
            ends[side] = max(ends.get(side, 1), *numbers)
    return ends


def _spans(data: Tree) -> dict[Side, list[tuple[int, int]]]:
    """What of each stream its segments cover, joined, in order."""
    spans: dict[Side, list[tuple[int, int]]] = {}
    for _, step, segment in _segments(data):
        span = segment.span
        if span is not None and span[0] < span[1] and "icmp" not in kind_of_step(step):
            spans.setdefault(_sides(step)[0], []).append(span)
    return {side: _joined(known) for side, known in spans.items()}


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result


def _minus(spans: Iterable[tuple[int, int]], covered: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of these spans is not covered."""
    result = list(spans)
    for low, high in covered:
        pieces = [((begin, min(end, low)), (max(begin, high), end)) for begin, end in result]
        result = [piece for pair in pieces for piece in pair if piece[0] < piece[1]]
    return result


def _closing(holes: Iterable[tuple[int, int]]) -> Move:
    """Moves what is behind a hole to where it begins, and what is in it too."""
    known = list(holes)

    def move(number: int) -> int:
        return number - sum(min(number, end) - begin for begin, end in known if number > begin)

    return move
