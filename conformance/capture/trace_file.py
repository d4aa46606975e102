"""The traces in a file that :mod:`conformance.capture.pcapng` wrote, as they were: a section of the file each."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

from conformance.capture.annotations import Marks, connection_of, event_of, joined, marks_of, nanoseconds, unquoted
from conformance.capture.errors import CaptureError
from conformance.capture.reader import CaptureReader, Frame
from conformance.result import SutFacts
from conformance.trace import Event, Received, Sent, Trace
from conformance.wire.read import read_frame

__all__ = ["TraceFile", "TraceFileError", "read_trace", "read_traces"]

_RIGHT = "a trace as `conformance run --captures` and `conformance record` write them has what happened in its comments"


class TraceFileError(CaptureError):
    """A capture is no trace, or not all of one; the message names file and place, what is there, and what would be right."""

    def __init__(self, file: str, place: str, found: str, right: str = _RIGHT) -> None:
        super().__init__(file, 0, found, right)
        self.args = (f"{file}: {place}: {found}; {right}",)


@dataclass(slots=True)
class TraceFile:
    """A trace, and what its file says about it."""

    file: str
    trace: Trace
    case: str
    """The id of the case run."""
    verdict: str = ""
    reason: str = ""
    """Why it is not pass."""
    sut: SutFacts | None = None
    config: dict[str, object] = field(default_factory=dict)
    """The settings that the case asked for."""
    fingerprint: str = ""
    """Of the case as it was played; empty: the file does not say."""
    seed: int | None = None
    labels: dict[int, str] = field(default_factory=dict)
    """What the steps are that sent, matched or failed on a frame: ``line 12: expect: S. 0:0(0) ack 1``."""
    tester: str = ""
    """The program that wrote it, with its version."""


def read_trace(path: str | os.PathLike[str], case: str = "") -> TraceFile:
    """The trace of this case run, or the only one in the file. Raises TraceFileError, or CaptureError if it is no capture at all."""
    found = list(read_traces(path))
    chosen = [one for one in found if not case or one.case == case]
    if len(chosen) == 1:
        return chosen[0]
    there = ", ".join(one.case for one in found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    asked = f"the trace of {case}" if case else "one trace"
    raise TraceFileError(os.fspath(path), "all sections", f"it holds {there or 'none'}", f"{asked} was asked for")


def read_traces(path: str | os.PathLike[str] | BinaryIO) -> Iterator[TraceFile]:
    """The traces in the file, in order. Raises TraceFileError at the first that is none, and CaptureError if it is no capture at all."""
    with CaptureReader(path) as reader:
        number = 0
        frames: list[Frame] = []
        for frame in reader.frames():
            here = reader.interfaces[frame.interface].section if 0 <= frame.interface < len(reader.interfaces) else number
            while number < here:
                yield _Section(reader, number).read(frames)
                number, frames = number + 1, []
            if not frames:
                _Section(reader, number)  # what is no trace is not read to its end
            frames.append(frame)
        if damage := reader.counts.truncated or ", ".join(reader.counts.unread):
            raise TraceFileError(reader.name, f"section {number + 1}", f"it is damaged ({damage})", "a whole file is needed")
        while number < len(reader.sections):
            yield _Section(reader, number).read(frames)
            number, frames = number + 1, []


_T = TypeVar("_T")


class _Section:
    """A section that holds a trace; raises TraceFileError if it does not."""

    def __init__(self, reader: CaptureReader, number: int) -> None:
        self._file, self._number = reader.name, number
        if number >= len(reader.sections):
            raise self._error("there is no header of the section")
        self._header = reader.sections[number]
        self._statements = [one for one in reader.statistics if one.section == number]
        self._facts = dict(comment.partition(": ")[::2] for comment in joined(self._header.comments))
        if not {"case", "start"} <= self._facts.keys():
            raise self._error("the section's header has no comments that begin with `case:` and `start:`")

    def read(self, frames: Sequence[Frame]) -> TraceFile:
        """The trace, given the section's packets."""
        trace = Trace(start=self._fact("start", nanoseconds, 0), states_from=self._fact("states from", unquoted, "none"))
        offset, labels = self._fact("wall clock", nanoseconds, 0), dict[int, str]()
        statements = deque(self._statements)
        for frame in frames:
            while statements and statements[0].after < frame.number:
                self._said(trace, statements.popleft().comments)
            marks = self._said(trace, frame.comments)
            if marks.step is not None and marks.label:
                labels[marks.step] = marks.label
            trace.add(self._event(frame, marks, offset))
        for statement in statements:
            self._said(trace, statement.comments)
        return TraceFile(
            file=self._file,
            trace=trace,
            case=self._fact("case", unquoted, ""),
            verdict=self._fact("verdict", str, ""),
            reason=self._fact("reason", unquoted, ""),
            sut=self._sut(trace.states_from),
            config=self._fact("config", _mapping, {}),
            fingerprint=self._fact("fingerprint", str, ""),
            seed=self._fact("seed", int, None),
            labels=labels,
            tester=self._header.application,
        )

    def _said(self, trace: Trace, comments: Iterable[str]) -> Marks:
        """Take in comments; the result is what they say of their frame."""
        marks = Marks()
        for comment in joined(comments):
            word, colon, value = comment.partition(": ")
            if word == "connection" and colon:
                ends = self._read(comment, connection_of, value)
                trace.connections[ends.name] = ends
            elif (event := event_of(comment, trace.start)) is not None:
                trace.add(event)
            else:
                marks = marks_of(comment) or marks
        return marks

    def _event(self, frame: Frame, marks: Marks, offset: int) -> Event:
        t = frame.t - offset
        match frame.outbound:
            case True:
                due = 0 if marks.late is None else t - marks.late
                name = "default" if marks.connection is None else marks.connection
                return Sent(t=t, step=marks.step, failed=marks.failed, frame=frame.data, connection=name, due=due)
            case False:
                packet = read_frame(frame.data)
                return Received(t=t, step=marks.step, failed=marks.failed, frame=frame.data, packet=packet, connection=marks.connection)
        raise TraceFileError(self._file, f"packet {frame.number}", "it does not say who sent it", "each has epb_flags: inbound or outbound")

    def _sut(self, states_from: str) -> SutFacts | None:
        if "sut" not in self._facts:
            return None
        nothing: dict[str, object] = {}
        settings = {name: str(value) for name, value in self._fact("settings", _mapping, nothing).items()}
        return SutFacts(self._fact("sut", unquoted, ""), self._fact("version", unquoted, ""), states_from, settings)

    def _fact(self, name: str, read: Callable[[str], _T], default: _T) -> _T:
        """What the section's header says under this name."""
        return self._read(f"{name}: {self._facts[name]}", read, self._facts[name]) if name in self._facts else default

    def _read(self, comment: str, read: Callable[[str], _T], value: str) -> _T:
        try:
            return read(value)
        except (ValueError, RecursionError) as error:
            raise self._error(f"the comment {comment!r:.120} cannot be read ({error})") from None

    def _error(self, found: str) -> TraceFileError:
        return TraceFileError(self._file, f"section {self._number + 1}", found)


def _mapping(text: str) -> dict[str, object]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("a JSON object is expected")
    return value
