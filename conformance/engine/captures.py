"""Case runs on disk: a file for each as soon as it is over, or a recording of them all once the last one is."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from conformance.capture.errors import CaptureError
from conformance.capture.golden import packed, recording_of, sections_of
from conformance.capture.pcapng import Details, pcapng_bytes, write_pcapng
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
    unjudged: int
    """Case runs that are not recorded, because they could not be judged though nothing speaks against it."""


@dataclass(slots=True)
class Recording:
    """A folder that gets a file for each case file, with the traces of its runs; see :mod:`conformance.capture.golden`.

    Every trace begins at the same date, so that recordings of the same differ in what the stack did alone.
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
        octets = runs = 0
        for name, sections in self.sections.items():
            path = self.folder / name
            kept = {case: section for case, section in _before(path).items() if known is None or case in known}
            data = packed(kept | sections)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            octets, runs = octets + len(data), runs + len(sections)
        return Recorded(self.folder, runs, len(self.sections), octets, self.unjudged)


def _before(path: Path) -> dict[str, bytes]:
    """What the file holds that will be written over; what cannot be read is lost."""
    try:
        return sections_of(path) if path.is_file() else {}
    except CaptureError:
        return {}
