"""Case runs on disk: a file for each as soon as it is over, or a recording of them all once the last one is."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from conformance.capture.errors import CaptureError
from conformance.capture.golden import packed, recording_of, sections_of
from conformance.capture.pcapng import Details, pcapng_bytes, write_pcapng
from conformance.case.case import fingerprint
from conformance.case.steps import flatten
from conformance.engine.virtual_run import START
from conformance.result import CaseResult, SutFacts, Verdict

__all__ = ["Captures", "Recorded", "Recording", "capture_name"]

_LONGEST_NAME = 200
"""Octets of a capture's name; file systems take 255, with the suffix."""


def capture_name(case_id: str) -> str:
    """Where a case run's capture goes. An id that no file system takes as a name is cut, and ends in what tells it from others."""
    folder, slash, name = re.sub(r"[^\w\-.,=/\[\]]", "_", case_id).rpartition("/")
    if len(name.encode()) > _LONGEST_NAME:
        name = name.encode()[:_LONGEST_NAME].decode(errors="ignore") + "…" + sha256(case_id.encode()).hexdigest()[:12]
    return f"{folder}{slash}{name}.pcapng"


def _details(result: CaseResult, sut: SutFacts, seed: int, offset: int) -> Details:
    case = result.case
    return Details(
        verdict=result.verdict,
        reason=result.failure.reason if result.failure else "",
        labels={index: f"line {step.source.line}: {step.source.text}" for index, step in enumerate(flatten(case.steps))},
        sut=sut,
        config=case.config,
        fingerprint=fingerprint(case),
        seed=seed,
        epoch_offset_ns=offset,
    )


@dataclass(slots=True)
class Captures:
    """A folder in which each case run leaves a file."""

    folder: Path
    sut: SutFacts
    seed: int
    virtual: bool
    """The times of traces are a virtual clock's, which begins at a date of its own."""

    def write(self, result: CaseResult) -> Path:
        """Write the trace of a case run that is over; the result is the file."""
        path = self.folder / capture_name(result.case.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        offset = 0 if self.virtual else time.time_ns() - time.monotonic_ns()
        write_pcapng(path, result.trace, result.case.id, **_details(result, self.sut, self.seed, offset))
        return path


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording came to."""

    folder: Path
    runs: int
    files: int
    octets: int
    unchanged: int
    """Case runs that are as they were."""
    unjudged: int
    """Case runs that are not recorded, because they could not be judged though nothing speaks against it."""


@dataclass(slots=True)
class Recording:
    """A folder that gets a file for each case file, with the traces of its runs; see :mod:`conformance.capture.golden`.

    Every trace begins at the same date. A case run that the folder has already stays, octet for octet, if the stack does the same once
    more: what a later recording changes is what the stack does otherwise, though it chose other numbers and ports in every case run.
    """

    folder: Path
    sut: SutFacts
    seed: int
    sections: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    """By file and case run."""
    unjudged: int = 0

    def add(self, result: CaseResult) -> None:
        """Take in a case run that is over."""
        if result.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE) and not result.expected:
            self.unjudged += 1  # another recording may have it
        elif result.trace.events:
            section = pcapng_bytes(result.trace, result.case.id, **_details(result, self.sut, self.seed, START - result.trace.start))
            self.sections[recording_of(result.case.file)][result.case.id] = section

    def finish(self, known: Collection[str] | None = None) -> Recorded:
        """Write the files. Runs that are in them already and were not played this time stay, if they are among the ``known`` ones."""
        octets = runs = unchanged = 0
        for name, sections in self.sections.items():
            path = self.folder / name
            before = _before(path)
            same = {case for case in before.keys() & sections.keys() if _alike(before[case], sections[case])}
            kept = {case: section for case, section in before.items() if case in same or known is None or case in known}
            data = packed(kept | {case: section for case, section in sections.items() if case not in same})
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            octets, runs, unchanged = octets + len(data), runs + len(sections), unchanged + len(same)
        return Recorded(self.folder, runs, len(self.sections), octets, unchanged, self.unjudged)


def _before(path: Path) -> dict[str, bytes]:
    """What the file holds that will be written over; what cannot be read is lost."""
    try:
        return sections_of(path) if path.is_file() else {}
    except CaptureError:
        return {}


def _alike(before: bytes, now: bytes) -> bool:
    """Do two sections say the same of the same case, but for what each run chooses?"""
    from conformance.capture.compare_traces import compare_traces  # with numpy, which is not needed where nothing was recorded before
    from conformance.capture.trace_file import TraceFile, read_traces

    def facts(one: TraceFile) -> tuple[object, ...]:
        return one.verdict, one.reason, one.config, one.fingerprint, one.labels, one.trace.states_from, one.sut and one.sut.settings

    try:
        there, here = (next(read_traces(BytesIO(section))) for section in (before, now))
    except CaptureError:
        return False
    return facts(there) == facts(here) and not compare_traces(there.trace, here.trace)
