"""What makes two failures the same: the step that fails and how, without the numbers, which may be others in a smaller case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from conformance.case import notation
from conformance.case.checks import walk
from conformance.case.errors import CaseError
from conformance.case.steps import (
    AnyOrderStep,
    CallStep,
    EitherStep,
    ExpectIcmpStep,
    ExpectStep,
    FinishStep,
    InjectIcmpStep,
    InjectStep,
    OptionalStep,
    RepeatStep,
    SilenceStep,
    StartStep,
    StatesStep,
    StateStep,
    Step,
    flatten,
)  # fmt: skip
from conformance.case.written_segment import WrittenSegment
from conformance.engine.replay_steps import JudgeStep
from conformance.result import CaseResult, Difference, Verdict

__all__ = ["Signature", "signature"]

_KINDS: Mapping[type[Step], str] = {AnyOrderStep: "any_order", EitherStep: "either", OptionalStep: "optional"}
_STIMULI = (CallStep, StartStep, InjectStep, InjectIcmpStep)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?: ?(?:ns|µs|us|ms|s|min|h)\b)?")
_CUT = re.compile(r"(?<=returned) .*|(?<=say otherwise).*|(?<=but for a segment).*", re.DOTALL)
"""What a reason says beyond its kind."""
_RANGE = re.compile(r"(?:.*\(= )?(-?\d+)(?:\.\.(-?\d+))?\)?")
_INT = re.compile(r"-?\d+(?=$| )(?! E)")
_SHAPED = ("expect", "silence", "either")
"""Steps whose expected and actual texts are segments."""
_PADDING = ("nop", "eol")
_FAR = 1 << 24
"""So far off, a sequence number is one of another stream, which is now above and now below, as the ISNs happen to be."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A failure's kind. Those of a case and of a smaller one that fails in the same way are equal."""

    step: tuple[str, ...]
    """The kinds of the step that failed and of the groups around it, the outermost first; repetitions do not count."""
    wanted: str
    """What the step asks for."""
    reason: str
    differences: frozenset[tuple[str, str]]
    """The fields in which what came differs, and on which side of what was wanted it is."""
    actual: str
    """What came, if a segment did."""
    stimulus: str = field(default="", compare=False)
    """What was done to the SUT last before it. It counts only where nothing else keeps a failure from becoming another."""

    def like(self, other: Signature | None, *, stimulus: bool = False) -> bool:
        """Is the other one the same, and perhaps after the same stimulus?"""
        return self == other and (not stimulus or (other is not None and self.stimulus == other.stimulus))


def signature(result: CaseResult) -> Signature | None:
    """The kind of a result's failure; None if its verdict is no failure, or one of no step."""
    failure = result.failure
    if result.verdict is not Verdict.FAIL or failure is None or failure.index is None:
        return None
    step = flatten(result.case.steps)[failure.index]
    if isinstance(step, JudgeStep):  # RFC9293/MUST-11, name-of-the-rule: …
        return Signature(("judge",), "", failure.reason.partition(": ")[0], frozenset(), "", _stimulus(result.case.steps, step))
    kinds = tuple(_around(result.case.steps, step))
    kind = step.source.text.partition(":")[0]
    flagged = any(one.field == "flags" for one in failure.differences) or not isinstance(step, ExpectStep)
    differences = frozenset((one.field, _side(one)) for one in failure.differences)
    shaped = kind in _SHAPED and failure.actual != "nothing"
    return Signature(
        (*kinds, kind),
        _wanted(step),
        _NUMBER.sub("N", _CUT.sub("", failure.reason)),
        differences,
        _shape(failure.actual, flagged) if shaped else "",
        _stimulus(result.case.steps, step),
    )


def _around(steps: Iterable[Step], wanted: Step) -> Iterator[str]:
    """The kinds of the groups that hold this step."""
    for step in steps:
        inner = [*walk((step,))][1:]
        if any(one is wanted for one in inner):
            if type(step) in _KINDS:
                yield _KINDS[type(step)]
            match step:
                case AnyOrderStep() | OptionalStep():
                    yield from _around(step.steps, wanted)
                case EitherStep():
                    yield from _around((one for branch in step.branches for one in branch), wanted)
                case RepeatStep():
                    yield from _around((one for each in step.rounds for one in each), wanted)
            return


def _stimulus(steps: Iterable[Step], failed: Step) -> str:
    last = ""
    for step in walk(steps):
        if step is failed:
            break
        if isinstance(step, _STIMULI):
            last = _wanted(step)
    return last


def _wanted(step: Step) -> str:
    """A step without its numbers."""
    text = step.source.text
    match step:
        case ExpectStep() | InjectStep():
            return _shape(step.segment.text, True)
        case EitherStep():
            return " or ".join(_wanted(branch[0]) for branch in step.branches)
        case SilenceStep():
            return "silence"
        case StateStep() | StatesStep():
            return text  # FIN-WAIT-1 is another state than FIN-WAIT-2
        case ExpectIcmpStep() | InjectIcmpStep():
            return step.icmp.name + (f" {step.icmp.type} {step.icmp.code}" if step.icmp.type is not None else "")
        case FinishStep() | CallStep() | StartStep():
            return _NUMBER.sub("N", text)
    return _NUMBER.sub("N", text)


def _shape(text: str, flags: bool) -> str:
    """``P?. data ack``: a segment without its numbers; other texts without theirs."""
    written = WrittenSegment.of(text)
    if written is None:
        return _NUMBER.sub("N", text)
    data = "" if written.length == "0" else " data"
    return (written.flags.replace("P?", "").replace("P", "") if flags else "segment") + data


# Differences ----------------------------------------------------------------------------------------------------------


def _side(difference: Difference) -> str:
    """On which side of what was wanted the value is that came."""
    name, expected, actual = difference.field, difference.expected, difference.actual
    if name == "options":
        return _options(expected, actual)
    if name == "time":
        return "late" if expected.startswith("within ") or _after(expected, actual) else "early"
    if name in ("flags", "state", "states", "src", "dst"):
        return actual
    if name == "segment":
        return _shape(actual, True)
    wanted, came = _RANGE.fullmatch(expected), _INT.match(actual)
    if wanted and came:
        number, low = int(came[0]), int(wanted[1])
        high = int(wanted[2] or low)
        if not low - _FAR < number < high + _FAR:
            return "far"
        side = "below" if number < low else "above" if number > high else "beside"
        return f"{side}, zero" if number == 0 else side
    return _NUMBER.sub("N", re.sub(r" ?b'.*| ?b\".*", "", actual))


def _after(expected: str, actual: str) -> bool:
    """Is it later than ``900 ms..1.1 s after the event before``?"""
    try:
        high = notation.duration(expected.partition(" after")[0].rpartition("..")[2].replace(" ", ""))
        return notation.duration(actual.replace(" ", "")) > high
    except CaseError:
        return False


def _options(expected: str, actual: str) -> str:
    """The kinds of options that are missing, and those that are too many."""
    kinds = [
        [part.split()[0] for part in text.strip("<>").split(",") if part.strip() and part.split()[0] not in _PADDING]
        for text in (expected, actual)
    ]
    missing, extra = ({*one} - {*other} for one, other in (kinds, kinds[::-1]))
    return f"missing {sorted(missing)}, extra {[] if '...' in missing else sorted(extra)}"
