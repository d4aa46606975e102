"""An imported case as the text of a file, with the numbers of packets as remarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from conformance.capture.import_story import Story
from conformance.capture.importing import case_data
from conformance.case.yaml_writer import write_case

__all__ = ["Note", "case_text"]

_WHAT_NUMBERS = "The numbers behind # are those of the packets in the capture."
_STEP = "  - "
_WRONG = "As it stands the case asks for what the stack did, which is wrong where a remark says so: put there what would be right."


class Note(NamedTuple):
    """What somebody who judged the packets has to say of one."""

    packet: int
    requirement: str
    reason: str


def case_text(story: Story, title: str, requirements: Sequence[str], about: Sequence[str] = (), notes: Sequence[Note] = ()) -> str:
    """The whole file; ``about`` stands at its top. Raises StoryError if there is nothing that a case could do."""
    data, numbers = case_data(story, title, requirements)
    said: dict[str, list[str]] = {}
    for note in notes:
        said.setdefault(str(note.packet), []).append(f"breaks {note.requirement}: {' '.join(note.reason.split())}")
    comment = "\n".join([*about, *([_WRONG] if notes else []), _WHAT_NUMBERS])
    return "\n".join(_remarked(write_case(data, comment), numbers, said)) + "\n"


def _remarked(text: str, numbers: Sequence[str], said: dict[str, list[str]]) -> Iterator[str]:
    """The lines, each step's first with its remark."""
    steps = iter(numbers)
    begun = False
    for line in text.splitlines():
        begun |= line == "steps:"
        remark = next(steps, "") if begun and line.startswith(_STEP) else ""
        for number in remark.split(", ") if remark else ():
            yield from (f"  # {number} {sentence}" for sentence in said.pop(number, ()))
        yield f"{line}  # {remark}" if remark else line
