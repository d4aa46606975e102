"""Two exchanges side by side: in what the SUT's packets differ, and how much each difference means.

::

    differences = compare(expected, actual)          # two Exchanges: see exchange_of_trace, exchange_of_seen
    worst = max((one.kind for one in differences), default=None)
    for one in differences:                          # violation · missing SYN-ACK · S. 0:0(0) ack 1 win 65535 is not sent
        print(one.kind, one.what, one.reason, sep=" · ")

Only what the SUT sent is compared; what the peer sent is the ground on which it stands. Each connection's packets are aligned by what they
are (a SYN, data, an acknowledgement, …) and by their relative numbers; what is left between is paired by what it is, and what has no
partner then stands alone. Nothing depends on who chose an ISN, a port, an address or the clock of the timestamps, and of times only the
class counts: at once, as late as a delayed acknowledgement may be, as late as a timer.

The kinds are those of :class:`~conformance.capture.difference.Kind`. A *violation* is what two exchanges alone show: data, a SYN, a FIN
or a RST that only one of them sent, octets acknowledged that were never sent, a wrong checksum. Whoever knows more, such as that a case
passed on both, may say less of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from conformance.capture.compare_fields import FieldDifference, fields_that_differ
from conformance.capture.difference import Difference, Kind
from conformance.capture.exchange import Exchange, Role
from conformance.capture.voices import Answer, Delay, Voice, voices_of

__all__ = ["Difference", "Kind", "compare"]

_SAME_TIME = 1.5
"""Two times are the same, whatever their classes, if one is not so many times the other, or they are close to each other."""
_TOGETHER = 400
"""Packets of either side that are aligned at a time, which takes up to the product of the two."""
_TIMES = {Delay.AT_ONCE: "at once", Delay.DELAYED: "delayed", Delay.TIMER: "after a timer"}

_Pair = tuple[Answer | None, Answer | None]
"""A packet that was expected and the one that came, as far as there are both."""


def compare(expected: Exchange, actual: Exchange, *, times: bool = True) -> list[Difference]:
    """The differences in what the SUT sent, by connection and in the order in which they occur.

    Args:
        expected: what is held to be right. Where one of the two is not :attr:`~conformance.capture.exchange.Exchange.whole`, the
            other counts only as far as its peer had sent as much.
        actual: what is compared with it.
        times: compare the classes of times as well.
    """
    stimuli = [sum(not turn.from_sut for turn in one.turns) for one in (expected, actual)]
    most = None if expected.whole and actual.whole else min(stimuli)
    there, here = voices_of(expected, most), voices_of(actual, most)
    found: list[Difference] = []
    for name in dict.fromkeys((*there, *here)):
        found += _Comparison(expected, actual, there.get(name, Voice()), here.get(name, Voice()), name, times).differences()
    return found


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What the SUT said on one connection of two exchanges."""

    expected: Exchange
    actual: Exchange
    there: Voice
    here: Voice
    name: str
    times: bool

    def differences(self) -> Iterator[Difference]:
        """All of them."""
        for there, here in _reunited(list(_aligned(self.there.answers, self.here.answers))):
            if there and here:
                yield from self._pair(there, here)
            elif there:
                text = self.expected.text(there.turn)
                kind, what = _alone(there, self.there, self.here)
                yield Difference(kind, f"missing {what}", f"{text} is not sent", text, "", there.turn.number, None, self.name)
            elif here:
                text = self.actual.text(here.turn)
                kind, what = _alone(here, self.here, self.there)
                if here.essence.role is not Role.RST and _beyond(here.essence.ack, here.heard):
                    kind, what = Kind.VIOLATION, "ACK of what was never sent"
                yield Difference(kind, f"extra {what}", f"{text} is sent, though not expected", "", text, None, here.turn.number, self.name)

    def _pair(self, there: Answer, here: Answer) -> Iterator[Difference]:
        """What differs between a packet and its counterpart."""
        numbers = there.turn.number, here.turn.number
        for one in fields_that_differ((self.expected, there), (self.actual, here)):
            kind = max(one.kind, self._weight(one, there, here))
            yield Difference(kind, one.what, f"{one.what}: {one.actual}, not {one.expected}", one.expected, one.actual, *numbers, self.name)
        if there.after != here.after:
            a, b = (f"after {one.after} of the peer's packets" for one in (there, here))
            yield Difference(Kind.ALLOWED, "order", f"{self.actual.text(here.turn)} is sent {b}, not {a}", a, b, *numbers, self.name)
        elif self.times and _another_time(there.wait, here.wait) and _another_time(there.reaction, here.reaction):
            a, b = (f"{_TIMES[Delay.of(one.wait)]} ({one.wait / 1e9:.3g} s)" for one in (there, here))
            yield Difference(Kind.ALLOWED, "timing", f"{self.actual.text(here.turn)} is sent {b}, not {a}", a, b, *numbers, self.name)

    def _weight(self, one: FieldDifference, there: Answer, here: Answer) -> Kind:
        """What a field means at least, by what else was sent."""
        if one.what == "segmentation" and (_beyond(there.essence.end, self.here.sent) or _beyond(here.essence.end, self.there.sent)):
            return Kind.VIOLATION  # not the same octets in other portions, but other octets
        if one.what == "acknowledgement number":
            never = _beyond(here.essence.ack, here.heard)
            nevermore = _beyond(there.essence.ack, self.here.acknowledged) and here.after < self.here.stimuli
            return Kind.VIOLATION if never or nevermore else Kind.HARMLESS
        return Kind.HARMLESS


def _alone(answer: Answer, own: Voice, other: Voice) -> tuple[Kind, str]:
    """What it means that the other exchange has no such packet, and what to call it."""
    role, essence = answer.essence.role, answer.essence
    if role is Role.OTHER:
        return Kind.HARMLESS, role
    if role is Role.ICMP:
        return Kind.ALLOWED, role
    if role is Role.ACK:
        if answer.prompt and not answer.news:  # an answer that is owed, or that must not be: nothing else says why it was sent
            answered = any(one.after == answer.after for one in other.answers)
            return (Kind.ALLOWED, "ACK") if answered else (Kind.VIOLATION, "answer")
        pending = answer.after == own.stimuli
        return (Kind.ALLOWED if pending or not _beyond(essence.ack, other.acknowledged) else Kind.VIOLATION), "ACK"
    if role is Role.DATA:
        if answer.again:
            return Kind.ALLOWED, "retransmission"
        return (Kind.VIOLATION if _beyond(essence.end, other.sent) else Kind.ALLOWED), "segment of data"
    if role in other.roles:
        return Kind.ALLOWED, f"retransmission of {role}"
    return Kind.VIOLATION, role


def _beyond(number: int | None, limit: int | None) -> bool:
    return number is not None and (limit is None or number > limit)


def _another_time(a: int, b: int) -> bool:
    return Delay.of(a) is not Delay.of(b) and max(a, b) > _SAME_TIME * min(a, b) and abs(a - b) > Delay.AT_ONCE


# Which packet is which ------------------------------------------------------------------------------------------------


def _aligned(there: Sequence[Answer], here: Sequence[Answer]) -> Iterator[_Pair]:
    """The packets of both, in order: those that are the same side by side, then what is alike between them, then what is left."""
    i = j = 0
    while i < len(there) or j < len(here):
        if i < len(there) and j < len(here) and there[i].essence == here[j].essence:  # so it is the last of several that has no partner
            yield there[i], here[j]
            i, j = i + 1, j + 1
            continue
        a, b = there[i : i + _TOGETHER], here[j : j + _TOGETHER]
        x = y = 0
        for block_x, block_y, size in _same(a, b, lambda one: one.essence):
            yield from _alike(a[x:block_x], b[y:block_y])
            x, y = block_x + size, block_y + size
            yield from zip(a[block_x:x], b[block_y:y], strict=True)
        if not (x or y) or (i + len(a) == len(there) and j + len(b) == len(here)):  # nothing is the same, or there is no more
            yield from _alike(a[x:], b[y:])
            x, y = len(a), len(b)
        i, j = i + x, j + y


def _alike(there: Sequence[Answer], here: Sequence[Answer]) -> Iterator[_Pair]:
    """Packets none of which is the same as one of the others, paired by what they are for."""
    x = y = 0
    for block_x, block_y, size in [*_same(there, here, lambda one: one.essence.role), (len(there), len(here), 0)]:
        yield from ((one, None) for one in there[x:block_x])
        yield from ((None, one) for one in here[y:block_y])
        x, y = block_x + size, block_y + size
        yield from zip(there[block_x:x], here[block_y:y], strict=True)


def _same(there: Sequence[Answer], here: Sequence[Answer], key: Callable[[Answer], Hashable]) -> Iterator[tuple[int, int, int]]:
    """Stretches of both that have the same keys: where each begins, and its length."""
    if there and here:
        matcher = SequenceMatcher(None, [key(one) for one in there], [key(one) for one in here], autojunk=False)
        yield from ((block.a, block.b, block.size) for block in matcher.get_matching_blocks() if block.size)


def _reunited(pairs: list[_Pair]) -> Iterator[_Pair]:
    """The same, with what stands alone on either side though it is the same packet, only in another place, made one."""
    moved: dict[Hashable, list[Answer]] = defaultdict(list)
    for there, here in pairs:
        if there and not here:
            moved[_identity(there)].append(there)
    taken = set()
    for number, (there, here) in enumerate(pairs):
        if here and not there and moved[_identity(here)]:
            there = moved[_identity(here)].pop(0)
            taken.add(id(there))
            pairs[number] = there, here
    yield from (pair for pair in pairs if pair[1] or id(pair[0]) not in taken)


def _identity(answer: Answer) -> Hashable:
    """What makes a packet the same wherever it stands: its octets, SYN or FIN; else all of it."""
    essence = answer.essence
    return essence[:3] if essence.end > essence.seq else essence
